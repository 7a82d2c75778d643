"""A run from the command line: started, listed, read, stopped, and found stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from servers import Place
from trip_steps import ROOT, VOICE, Recorded, laptop

from sovdeck.engine.contract.events import parse_event


class Laptop:
    """Runs `sovdeck` with its own home folder and project file."""

    def __init__(self, home: Path, project: Path) -> None:
        self.home = home
        self.project = project

    def __call__(self, *arguments: str, code: int = 0) -> list[str]:
        env = {**os.environ, "SOVDECK_HOME": str(self.home), "SOVDECK_LANG": "en"}
        env.pop("SSH_AUTH_SOCK", None)
        done = subprocess.run(
            [sys.executable, "-m", "sovdeck.tui", "--config", str(self.project), *arguments],
            capture_output=True,
            text=True,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            timeout=250,
            env={**env, "PYTHONPATH": str(ROOT / "dev")},
        )
        assert done.returncode == code, (arguments, done.stdout[-500:], done.stderr)
        return done.stdout.splitlines()

    def last(self, *arguments: str) -> dict[str, Any]:
        return json.loads(self(*arguments, "--json")[-1])


@pytest.mark.long
def test_train_ps_logs_stop_gpu(embedded: Place, tmp_path: Path, recorded: Recorded) -> None:
    home = tmp_path / "home"
    home.mkdir()
    _, project = laptop(home, tmp_path / "work")
    sovdeck = Laptop(home, project)
    accept = ("--accept-host-key", embedded.fingerprint)
    sovdeck("server", "add", embedded.spec.format(), "--name", "box", *accept)
    assert [json.loads(line)["name"] for line in sovdeck("server", "ls", "--json")] == ["box"]
    assert any(line.startswith("do ") for line in sovdeck("deploy", "box", "--dry-run"))
    assert sovdeck.last("deploy", "box")["uploaded"] == 1
    data = ("--voice", VOICE, "--list", str(recorded.list_file), "--wavs", str(recorded.wavs))
    assert sovdeck.last("push", "box", *data)["sent_files"] == 11
    assert "No runs" in sovdeck("ps", "box")[-1]

    settings = ("--set", "sovits.epochs=200", "--set", "train.device=cpu")
    tiny = ("--preset", "tiny", *settings)
    started = sovdeck.last("train", "box", "--voice", VOICE, *tiny)
    run = str(started["run"])
    listed = sovdeck.last("ps", "box")
    assert listed["run"] == run and listed["state"] in ("starting", "running")
    # Its supervisor killed, the engine lives: the same line starts no second one beside it, but a
    # new supervisor for the one that works.
    pid_file = tmp_path / "work" / "runs" / run / "pid.json"
    while not (pid := json.loads(pid_file.read_text()))["child"]:
        time.sleep(0.05)
    os.kill(pid["pid"], signal.SIGKILL)
    sovdeck("train", "box", "--run", run)
    while (adopted := json.loads(pid_file.read_text()))["pid"] == pid["pid"]:
        time.sleep(0.05)
    assert [adopted[key] for key in ("child", "child_start", "attempt")] == [
        pid["child"],
        pid["child_start"],
        pid["attempt"] + 1,
    ]
    assert sovdeck.last("ps", "box")["state"] == "running"
    for command in ("stop", "logs"):
        sovdeck(command, "box", "--run", "20200101-000000-none", code=2)
    stopped = sovdeck.last("stop", "box", "--grace", "120")
    assert stopped["state"] == "stopped"
    assert sovdeck.last("ps", "box")["state"] == "stopped"
    lines = (pid_file.parent / "events.jsonl").read_bytes().splitlines()
    events = [event for line in lines if (event := parse_event(line)) is not None]
    assert [event.seq for event in events] == list(range(len(lines)))
    assert [event.type for event in events].count("run_finished") == 1
    assert isinstance(sovdeck("logs", "box", "--run", run), list)
    assert isinstance(sovdeck("logs", "box", "-f"), list), "ends by itself: the run is over"
    figures = sovdeck.last("gpu", "box")
    assert figures["source"] in ("proc", "nvidia-smi") and figures["machine"]["memory_total"] > 0
    assert sovdeck.last("doctor", "box")["facts"]["system"] == "Linux"
    sovdeck("server", "rm", "box")
