"""The sentences that training spoke at each save, to be measured beside an audition."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.events import parse_event
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.layout import Layout


@dataclass(frozen=True)
class SavedSample:
    """A wav that a run left at an epoch, and what it says."""

    path: Path
    text: str
    run: str
    stage: str
    epoch: int


def saved_samples(layout: Layout, voice: str) -> list[SavedSample]:
    """Those of the voice's newest run that left any, in the order they were spoken."""
    runs = Path(layout.work) / "runs"
    newest_first = sorted(runs.glob("*/events.jsonl"), key=lambda p: -p.stat().st_mtime)
    for events in newest_first:
        if _spec_voice(events.with_name("spec.json")) == voice:
            found = _read_samples(events, Path(layout.work))
            if found:
                return found
    return []


def _spec_voice(spec: Path) -> str:
    if not spec.is_file():
        return ""
    try:
        return str(parse_json(spec.read_text(encoding="utf-8")).get("voice", ""))
    except (ValueError, AttributeError):
        return ""  # a run folder that is no run of ours has nothing to listen to


def _read_samples(events: Path, work: Path) -> list[SavedSample]:
    found = []
    for line in events.read_bytes().splitlines():
        event = parse_event(line)
        if event is None or event.type != "sample" or "epoch" not in event.payload:
            continue
        path = work / str(event.payload["path"])
        if path.is_file():
            text, epoch = str(event.payload["text"]), int(event.payload["epoch"])
            found.append(SavedSample(path, text, events.parent.name, str(event.stage), epoch))
    return found
