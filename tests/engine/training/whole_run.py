"""Specs and event files of whole runs, for the tests that make them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.events import Event, parse_event
from sovdeck.engine.contract.spec import RunSpec

FEW: dict[str, Any] = {
    "train.repeats": 1,
    "sovits.epochs": 3,
    "gpt.epochs": 3,
    "sovits.batch_size": 1,
    "gpt.batch_size": 1,
    "gpt.save_every_epochs": 3,
    "train.device": "cpu",
}


def write_spec(work: Path, run: str, **changes: Any) -> Path:
    spec = RunSpec(run, "Mei", "tiny", params=FEW, proof_text="こんにちは。")
    spec = replace(spec, **changes)
    path = work / "runs" / run / "spec.json"
    path.parent.mkdir(parents=True)
    path.write_text(spec.to_json(), encoding="utf-8")
    return path


def events(work: Path, run: str) -> list[Event]:
    lines = (work / "runs" / run / "events.jsonl").read_bytes().splitlines()
    found = [parse_event(line) for line in lines]
    assert None not in found
    return [event for event in found if event is not None]
