"""`sovdeck rent`: from the offers of a simulated provider to a voice at home and no bill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers import Place
from trip_steps import ROOT, VOICE, Recorded, laptop

from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.rent.leases import LeaseBook
from sovdeck.tui.cli.demo.cloud_server import serve_cloud
from sovdeck.tui.cli.demo.simulated_cloud import SimulatedCloud

QUICK = ("sovits.epochs=1", "gpt.epochs=2", "train.device=cpu", "train.repeats=1")


def sovdeck_command(
    home: Path, project: Path, base: str, *words: str
) -> tuple[list[str], dict[str, str]]:
    env = {
        **os.environ,
        "SOVDECK_HOME": str(home),
        "SOVDECK_LANG": "en",
        "PYTHONPATH": str(ROOT / "dev"),
        "SOVDECK_RENT_SIMULATORS": f"runpod={base}",
    }
    env.pop("SSH_AUTH_SOCK", None)
    return [sys.executable, "-m", "sovdeck.tui", "--config", str(project), *words], env


def sovdeck(home: Path, project: Path, base: str, *words: str) -> subprocess.CompletedProcess[str]:
    command, env = sovdeck_command(home, project, base, *words)
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=home,
        stdin=subprocess.DEVNULL,
        timeout=400,
        env=env,
    )


def kill_once_it_trains(home: Path, project: Path, base: str, log: Path, *words: str) -> None:
    """Run sovdeck, and kill it as a power cut would, once the server trains."""
    command, env = sovdeck_command(home, project, base, *words)
    with (
        log.open("w") as out,
        subprocess.Popen(
            command, stdout=out, stderr=out, cwd=home, stdin=subprocess.DEVNULL, env=env
        ) as process,
    ):
        until = time.monotonic() + 400
        while "you may close this computer" not in log.read_text() and process.poll() is None:
            assert time.monotonic() < until, log.read_text()[-1500:]
            time.sleep(0.2)
        process.kill()
    assert process.returncode == -signal.SIGKILL, log.read_text()[-1500:]


@pytest.mark.long
@pytest.mark.sshd
@pytest.mark.skipif(os.geteuid() != 0, reason="the rented server's user is root")
def test_a_rented_voice_comes_home_and_the_server_ends_although_the_laptop_died_on_the_way(
    sshd_v4: Place, tmp_path: Path, recorded: Recorded
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    _, project = laptop(home, tmp_path / "work")
    cloud = SimulatedCloud(
        start_s=0.0,  # the program waits by the real clock
        address=(sshd_v4.spec.host, sshd_v4.spec.port),
        authorized_keys=Path(sshd_v4.spec.identity[0] + ".pub"),
    )
    data = ("--voice", VOICE, "--list", str(recorded.list_file), "--wavs", str(recorded.wavs))
    settings = [word for one in QUICK for word in ("--set", one)]
    with serve_cloud("runpod", cloud) as base:
        listed = sovdeck(home, project, base, "rent", "offers", *data, "--preset", "tiny")
        assert listed.returncode == 0 and "RTX 4090" in listed.stdout, listed.stderr
        words = ("rent", *data, "--preset", "tiny", *settings)
        words += ("--offer", "1", "--end", "destroy", "--yes")
        kill_once_it_trains(home, project, base, tmp_path / "killed.log", *words)
        (lease,) = LeaseBook(AppPaths.below(home).leases_file).read()
        assert lease.station == "train" and len(cloud.billing()) == 1
        left = sovdeck(home, project, base, "rent", "ls")
        assert f"sovdeck rent resume {lease.server}" in left.stdout, left.stderr
        done = sovdeck(home, project, base, "rent", "resume", lease.server)
        assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
        assert "you may close this computer" not in done.stdout, (
            "the run that was there is followed"
        )
        assert "Everything of Tiny is on this computer, verified." in done.stdout
        assert "gone; runpod confirmed it" in done.stdout
        assert cloud.billing() == [] and len(cloud.creations) == len(cloud.destroyed) == 1
        packs = list((home / "voices").rglob("*.zip"))
        assert packs, "the voice's zip is here"
        after = sovdeck(home, project, base, "rent", "ls")
        assert "Nothing is rented." in after.stdout
        spent = sovdeck(home, project, base, "rent", "spend", "--json")
        assert [json.loads(line)["say"] for line in spent.stdout.splitlines()] == ["spend_line"]
