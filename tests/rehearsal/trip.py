"""The trip at full size, station by station, as a person types it on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from file_hub import serve_files
from measure import ProcessMeter, Station, measured
from stand_ins import Sizes, write_stand_ins

from sovdeck.engine.contract.pretrained_set import megabytes
from sovdeck.engine.practice.dataset import make_practice_set
from sovdeck.remote.embedded.client import EmbeddedProcess, start_embedded

ROOT = Path(__file__).resolve().parents[2]
VOICE, SERVER, CLIPS = "Mei", "box", 7
# Its words are Chinese, so that the text encoder has something to do.
CHINESE = "你好，世界，今天的天气真好，我们一起出去走走吧。"
PARAMS = {
    "train.device": "cpu",
    "train.repeats": 1,
    "train.save_every_minutes": 0,
    "sovits.epochs": 2,
    "sovits.save_every_epochs": 1,
    "sovits.batch_size": 2,
    "gpt.epochs": 2,
    "gpt.save_every_epochs": 2,
    "gpt.batch_size": 1,
}
_RUN_LIMIT_S = 3600.0


class StationError(Exception):
    """A station did not do what it is there for."""


@dataclass
class Trip:
    """The folders of one trip: `hub`, `home` (of the laptop), `server`."""

    folder: Path
    version: str
    preset: str
    sizes: Sizes | None
    table: list[Station]

    def __post_init__(self) -> None:
        self.work = self.folder / "server" / "work"
        self.project = self.folder / "deploy.toml"

    def sovdeck(self, *arguments: str) -> list[dict[str, Any]]:
        """Run `sovdeck ... --json`; its lines. StationError when it fails."""
        argv = [sys.executable, "-m", "sovdeck.tui", "--config", str(self.project), *arguments]
        env = {**os.environ, "SOVDECK_HOME": str(self.folder / "home"), "SOVDECK_LANG": "en"}
        env.pop("SSH_AUTH_SOCK", None)
        env |= {"PYTHONPATH": str(ROOT / "dev"), "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            [*argv, "--json"],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=env,
            cwd=self.folder,
            timeout=_RUN_LIMIT_S,
        )
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip())[-1500:]
            raise StationError(f"sovdeck {arguments[0]} ended with {done.returncode}: {said}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def write_project(self, source: str) -> None:
        """The deploy.toml of the trip."""
        data = self.folder / "data"
        lines = [
            "version = 1",
            "[paths]",
            f"work = {json.dumps(str(self.work))}",
            f"outputs = {json.dumps(str(self.folder / 'voices'))}",
            "[python]",
            f"path = {json.dumps(sys.executable)}",
            "[models]",
            f"sources = [{json.dumps(source)}]",
            "[dataset]",
            f"list = {json.dumps(str(data / f'{VOICE}.list'))}",
            f"wavs = {json.dumps(str(data / 'wavs'))}",
            "[train]",
            f'voice = "{VOICE}"',
            f'preset = "{self.preset}"',
            'pretrained = "v2"',
            "[train.params]",
            *(f'"{name}" = {json.dumps(value)}' for name, value in PARAMS.items()),
        ]
        self.project.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def make_dataset(self) -> None:
        """Synthesise the recordings; the last one is given Chinese words."""
        made = make_practice_set(self.folder / "data", VOICE, clips=CLIPS)
        rows = made.list_file.read_text(encoding="utf-8").splitlines()
        rows[-1] = "|".join([*rows[-1].split("|")[:2], "zh", CHINESE])
        made.list_file.write_text("\n".join(rows) + "\n", encoding="utf-8")

    def events(self, run: str) -> list[dict[str, Any]]:
        """The run's events so far; a line that is being written is left out."""
        path = self.work / "runs" / run / "events.jsonl"
        if not path.exists():
            return []
        lines = path.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines]

    def wait_for(self, run: str, arrived: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Return when the events say so; StationError when the run ends or takes an hour."""
        deadline = time.monotonic() + _RUN_LIMIT_S
        while not arrived(found := self.events(run)):
            if any(event["type"] == "run_finished" for event in found):
                raise StationError(f"the run ended before it was killed: {found[-1]}")
            if time.monotonic() > deadline:
                raise StationError("the run took an hour")
            time.sleep(0.2)

    def kill_run(self, run: str) -> None:
        """SIGKILL to the engine of the run, as an out-of-memory killer would."""
        facts = json.loads((self.work / "runs" / run / "pid.json").read_text(encoding="utf-8"))
        process = psutil.Process(facts["child"])
        process.kill()
        process.wait(30)


def travel(trip: Trip) -> None:
    """All stations; StationError or AssertionError where one fails. Fills `trip.table`."""
    folder = trip.folder
    with ProcessMeter(folder) as meter:

        def station(name: str) -> Any:
            return measured(name, meter, folder, trip.table)

        with station("stand-ins (ours)"):
            write_stand_ins(folder / "hub", trip.version, trip.sizes)
            trip.make_dataset()
        with (
            serve_files(folder / "hub") as source,
            start_embedded(folder / "sshd", folder / "server") as server,
        ):
            trip.write_project(source)
            _stations(trip, server, station, meter)


def _stations(
    trip: Trip, server: EmbeddedProcess, station: Callable[[str], Any], meter: ProcessMeter
) -> None:
    with station("server add, deploy"):
        accept = ("--accept-host-key", server.fingerprint)
        trip.sovdeck("server", "add", server.spec().format(), "--name", SERVER, *accept)
        trip.sovdeck("deploy", SERVER)
    with station("models get") as here:
        got = trip.sovdeck("models", "get", SERVER, "--version", trip.version)[-1]
        assert got["whole"] is True, got
        here.planned = f"{megabytes(trip.version) / 1e3:.2f} GB to fetch"
    with station("push"):
        trip.sovdeck("push", SERVER)
    with station("train until killed") as here:
        run = str(trip.sovdeck("train", SERVER, "--run", "first")[-1]["run"])
        trip.wait_for(run, lambda events: _steps(events, "sovits") >= 1)
        trip.wait_for(run, lambda events: _saved_after_update(events, "sovits"))
        trip.kill_run(run)
        here.planned = _planned(trip.events(run))
        here.notes += _stage_notes(trip.events(run), meter)
    with station("resume to the end") as here:
        trip.sovdeck("train", SERVER, "--run", "second", "--wait")
        events = trip.events("second")
        assert any(str(e.get("code")).endswith("resumed") for e in events), "it began anew"
        here.planned = _planned(events)
        here.notes += _stage_notes(events, meter)
        here.notes += _idle_etas(events)
    with station("pull") as here:
        pulled = trip.sovdeck("pull", SERVER, VOICE)[-1]
        here.notes.append(f"pulled: {json.dumps(pulled, ensure_ascii=False)[:160]}")
    for name, text, language in (
        ("speak English", "Good morning, how are you today?", "en"),
        ("speak Chinese", "早上好，今天怎么样？", "zh"),
    ):
        with station(name):
            out = trip.folder / f"{language}.wav"
            words = ("--text-lang", language, "--device", "cpu", "--out", str(out))
            trip.sovdeck("speak", SERVER, VOICE, text, *words)
            assert out.stat().st_size > 10_000, out


def _steps(events: Iterable[dict[str, Any]], stage: str) -> int:
    return sum(event["type"] == "step" and event["stage"] == stage for event in events)


def _saved_after_update(events: Iterable[dict[str, Any]], stage: str) -> bool:
    return any(
        event["type"] == "checkpoint" and event["stage"] == stage and event["step"] > 0
        for event in events
    )


def _planned(events: list[dict[str, Any]]) -> str:
    plan: dict[str, Any] = _plan_event(events)
    if "seconds" not in plan:
        return "no figures in the plan"
    return (
        f"{plan['seconds']:.0f} s, {plan['memory'] / 1e9:.1f} GB memory,"
        f" {plan['disk'] / 1e9:.1f} GB disk"
    )


def _plan_event(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The run's last plan: the first one has no figures, since no clip was read yet."""
    return next((event for event in reversed(events) if event["type"] == "plan"), {})


def _stage_notes(events: list[dict[str, Any]], meter: ProcessMeter) -> list[str]:
    """What each stage took, the pause before it included, beside what the plan said."""
    plan = _plan_event(events)
    planned = {stage["name"]: stage.get("seconds") for stage in plan.get("stages", ())}
    notes, since = [], events[0]["t"] if events else 0
    for event in events:
        if event["type"] != "stage_finished":
            continue
        until, said = event["t"], planned.get(event["stage"])
        took = (until - since) / 1e3
        beside = "" if said is None else f", planned {said:.1f} s ({said / took - 1:+.0%})"
        cpu = meter.cpu_between(since, until)
        notes.append(f"{event['stage']}: {took:.1f} s, CPU {cpu:.1f} s{beside}")
        since = until
    peak = max((e.get("process_rss", 0) for e in events if e["type"] == "memory"), default=0)
    return [*notes, f"peak of the run's process: {peak / 1e9:.2f} GB"]


def _idle_etas(events: list[dict[str, Any]]) -> list[str]:
    """The longest time in which the newest estimate said that nothing was left to do."""
    longest, since = 0.0, None
    for event in events:
        if since is not None:
            longest = max(longest, (event["t"] - since) / 1e3)
        if event["type"] in ("step", "progress") and event.get("eta_s") is not None:
            since = event["t"] if event["eta_s"] < 1 else None
        elif event["type"] in ("stage_started", "stage_finished", "run_finished"):
            since = None
    return [f"longest time under an estimate of zero: {longest:.1f} s"]
