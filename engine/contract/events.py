"""The event stream of a run: one JSON object a line in `runs/<id>/events.jsonl`.

Append-only, one writer. `seq` grows by one across attempts, so a reader can prove that no
line was lost or doubled. `REQUIRED_FIELDS` lists each type with the payload fields every writer
must give; further fields are allowed, and readers ignore unknown ones. An event of an unknown type,
which a newer engine writes, counts as read and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from sovdeck.engine.contract.foreign_values import LATEST_MS, parse_json_object

EVENT_VERSION = 1

REQUIRED_FIELDS: dict[str, tuple[str, ...]] = {
    # voice: str, stages: [str], device: {kind, name, memory_total}, engine: version
    "run_started": ("voice", "stages", "device", "engine"),
    # stages: [{name, total, unit, epochs, seconds}]; once the clips are known also seconds of the
    # whole run, memory and disk in bytes
    "plan": ("stages",),
    # total: int, unit: "items" | "updates"
    "stage_started": ("total", "unit"),
    # step/total count the stage's unit; losses: {name: float}; rate: units a second; eta_s
    "step": ("step", "total", "losses"),
    "epoch": ("epoch", "epochs"),
    # metrics: {name: float}
    "validation": ("epoch", "metrics"),
    # path relative to the work folder; text: what is spoken; seconds of audio
    "sample": ("path", "text", "seconds"),
    "checkpoint": ("path", "epoch", "step"),
    # kind: "sovits" | "gpt" | "proof" | "pack"
    "export": ("path", "kind", "bytes", "sha256"),
    # source: "torch.cuda" | "nvml" | "psutil"; bytes, and absent means unknown, not 0:
    # ram_used ram_total process_rss, with a GPU gpu_used gpu_total gpu_ours gpu_peak;
    # highest: {name: the highest of each since the event before}
    "memory": ("source",),
    # message, hint: {"en": str, "zh": str}
    "warning": ("code", "message", "hint"),
    "oom_recovered": ("batch_before", "batch_after"),
    "stall": ("seconds",),
    # updates: optimiser steps done in this stage; first_loss/last_loss may be null
    "stage_finished": ("updates", "seconds"),
    # status: STATUSES; exports: [{path, kind, bytes, sha256}]
    "run_finished": ("status", "exit_code", "exports"),
    "error": ("code", "message", "hint"),
}

STAGES = ("prepare", "sovits", "gpt", "proof", "pack")
STATUSES = ("succeeded", "failed", "stopped", "preempted", "no_op")

# What a state keeps of a run, whatever its server sends: as many stages, and losses of a stage; of
# each type the newest events, each as long a line.
MOST_NAMES = 50
MOST_KEPT = 1000
LONGEST_KEPT = 32 << 10
KEPT_TYPES = frozenset(
    {"validation", "sample", "export", "warning", "error", "oom_recovered", "stall"}
)


@dataclass(frozen=True)
class Event:
    """One line of the stream; `t` is Unix time in milliseconds."""

    seq: int
    t: int
    run: str
    type: str
    attempt: int = 1
    stage: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The JSON line without its newline. NaN and infinity become null."""
        return json.dumps(self.as_json(), ensure_ascii=False)

    def as_json(self) -> dict[str, Any]:
        """The object of the line; NaN and infinity are None."""
        envelope: dict[str, Any] = {
            "v": EVENT_VERSION,
            "seq": self.seq,
            "t": self.t,
            "run": self.run,
            "attempt": self.attempt,
            "stage": self.stage,
            "type": self.type,
        }
        cleaned: dict[str, Any] = without_nan({**envelope, **self.payload})
        return cleaned


def check_event(type_: str, payload: Mapping[str, Any]) -> None:
    """Raise ValueError for an unknown type or a payload that lacks a field of its type."""
    if type_ not in REQUIRED_FIELDS:
        raise ValueError(f"unknown event type {type_!r}")
    missing = [name for name in REQUIRED_FIELDS[type_] if name not in payload]
    if missing:
        raise ValueError(f"event {type_!r} lacks {', '.join(missing)}")


def parse_event(line: str | bytes) -> Event | None:
    """Read one line; None for anything that is not an event of ours.

    The stream comes from a server, so nothing in it is trusted: a line that does not fit is
    skipped by the reader (which then sees the gap in `seq`), never raised.
    """
    try:
        event = to_event(parse_json_object(line))
    except ValueError:
        return None
    if event is not None and event.type in KEPT_TYPES and len(line) > LONGEST_KEPT:
        return None
    return event


def to_event(raw: object) -> Event | None:
    """The event in a parsed line; None where it is none of ours."""
    if not isinstance(raw, dict) or raw.get("v") != EVENT_VERSION:
        return None
    seq, t, run, type_ = raw.get("seq"), raw.get("t"), raw.get("run"), raw.get("type")
    if (
        not _is_int(seq)
        or not _is_int(t)
        or not 0 <= t < LATEST_MS
        or not isinstance(run, str)
        or not isinstance(type_, str)
    ):
        return None
    attempt, stage = raw.get("attempt", 1), raw.get("stage")
    if not _is_int(attempt) or not isinstance(stage, (str, type(None))):
        return None
    known = {"v", "seq", "t", "run", "type", "attempt", "stage"}
    payload = {key: value for key, value in raw.items() if key not in known}
    if any(name not in payload for name in REQUIRED_FIELDS.get(type_, ())):
        return None
    return Event(seq, t, run, type_, attempt, stage, payload)


def _is_int(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def without_nan(value: Any) -> Any:
    """`value` as JSON can hold it: NaN and infinity are None, which charts draw as a gap."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return value
