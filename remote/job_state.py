"""What has become of a run, decided from the figures its server gave. Pure.

The server's own processes and files are the truth; the laptop's memory plays no part. What the
figures do not say is `unknown`, never a guess.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.contract import events
from engine.contract.catalogue import Text, text
from engine.contract.problem import ExitCode

# A beat is written every second; a server under full load may be late with a few.
STALE_AFTER_S = 15

STATES = (
    "starting", "running", "succeeded", "failed", "killed", "stopped", "preempted", "lost",
    "stale", "no_op", "unknown",
)  # fmt: skip
ENDED = frozenset({"succeeded", "failed", "killed", "stopped", "preempted", "lost", "no_op"})


@dataclass(frozen=True)
class Figures:
    """One run as state.sh saw it; None is "no such file or process".

    `now` and `beat` are Unix seconds by the server's own clock, so its skew does not matter.
    """

    run: str
    now: int
    boot: str
    missing: bool = False
    pid: Mapping[str, Any] | None = None
    supervisor_start: int | None = None
    child_start: int | None = None
    beat: int | None = None
    stop: bool = False
    queued: int | None = None
    exit: Mapping[str, Any] | None = None
    last: events.Event | None = None


@dataclass(frozen=True)
class JobState:
    """A run's state. `since` and `as_of` are Unix seconds by the server's clock."""

    run: str
    state: str
    why: Text
    code: int | None = None
    signal: int | None = None
    attempt: int | None = None
    queued: int | None = None
    since: int | None = None
    as_of: int | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


def decide(figures: Figures) -> JobState:
    """Return the state the figures prove."""
    pid = figures.pid
    if figures.missing or pid is None:
        key = "remote.job.state_missing" if figures.missing else "remote.job.state_not_begun"
        return _state(figures, "unknown", text(key))
    exit_ = figures.exit
    # A new attempt leaves the old exit.json until it has one of its own.
    if exit_ is not None and _int(exit_.get("attempt")) == _int(pid.get("attempt")):
        return _ended(figures, exit_)
    if pid.get("boot") != figures.boot:
        return _outcome(figures) or _state(figures, "lost", text("remote.job.state_rebooted"))
    supervised = figures.supervisor_start == _int(pid.get("start"))
    child = _int(pid.get("child")) or 0
    working = child > 0 and figures.child_start == _int(pid.get("child_start"))
    if not supervised and not working:
        return _outcome(figures) or _state(figures, "lost", text("remote.job.state_vanished"))
    age = figures.now - figures.beat if figures.beat is not None else None
    if age is not None and age > STALE_AFTER_S:
        return _state(figures, "stale", text("remote.job.state_stale", seconds=age))
    if child == 0:
        if figures.queued:
            why = text("remote.job.state_queued", ahead=figures.queued)
            return _state(figures, "starting", why)
        return _state(figures, "starting", text("remote.job.state_starting"))
    if not supervised:
        return _state(figures, "running", text("remote.job.state_unsupervised"))
    return _state(figures, "running", text("remote.job.state_running"))


def _ended(figures: Figures, exit_: Mapping[str, Any]) -> JobState:
    code, signal = _int(exit_.get("code")), _int(exit_.get("signal"))
    if code is None:
        return _state(figures, "unknown", text("remote.job.state_bad_exit"))
    facts = {"code": code, "signal": signal, "since": _int(exit_.get("t"))}
    if code == ExitCode.OK:
        return _state(figures, "succeeded", text("remote.job.state_succeeded"), **facts)
    if code == ExitCode.NO_OP:
        return _state(figures, "no_op", text("remote.job.state_no_op"), **facts)
    if figures.stop or code == ExitCode.INTERRUPTED:
        return _state(figures, "stopped", text("remote.job.state_stopped"), **facts)
    if code == ExitCode.PREEMPTED:
        return _state(figures, "preempted", text("remote.job.state_preempted"), **facts)
    if signal == 9:
        return _state(figures, "killed", text("remote.job.state_killed"), **facts)
    if signal is not None:
        why = text("remote.job.state_signal", signal=signal)
        return _state(figures, "killed", why, **facts)
    return _state(figures, "failed", text("remote.job.state_failed", code=code), **facts)


def _outcome(figures: Figures) -> JobState | None:
    # The engine may have finished and said so while nobody was left to write the exit.
    last = figures.last
    if last is None or last.type != "run_finished":
        return None
    status, code = str(last.payload["status"]), _int(last.payload["exit_code"])
    if status not in events.STATUSES:
        return None
    why = text("remote.job.state_by_event")
    return _state(figures, status, why, code=code, since=last.t // 1000)


def _state(figures: Figures, state: str, why: Text, **facts: Any) -> JobState:
    pid = figures.pid or {}
    return JobState(
        figures.run, state, why, attempt=_int(pid.get("attempt")),
        queued=figures.queued, as_of=figures.now, **facts,
    )  # fmt: skip


def read_figures(output: str) -> tuple[Figures, ...]:
    """Read the blocks of state.sh. Lines that do not fit are left out, never trusted."""
    now, boot = 0, ""
    found: list[Figures] = []
    block: dict[str, str] = {}
    for key, value in _pairs(output):
        if key == "now":
            now = _int(value) or 0
        elif key == "boot":
            boot = value
        elif key == "run":
            if block:
                found.append(_figures(block, now, boot))
            block = {"run": value}
        elif block:
            block[key] = value
    if block:
        found.append(_figures(block, now, boot))
    return tuple(found)


def _pairs(output: str) -> Iterator[tuple[str, str]]:
    # Not splitlines(): a JSON string may hold U+2028, which is a line end only to Python.
    for line in output.split("\n"):
        key, _, value = line.partition(" ")
        yield key, value


def _figures(block: Mapping[str, str], now: int, boot: str) -> Figures:
    return Figures(
        run=block["run"], now=now, boot=boot,
        missing="missing" in block,
        pid=_json(block.get("pid")),
        supervisor_start=_int(block.get("supervisor_start")),
        child_start=_int(block.get("child_start")),
        beat=_int(block.get("beat")),
        stop="stop" in block,
        queued=_int(block.get("queued")),
        exit=_json(block.get("exit")),
        last=events.parse(block["last"]) if "last" in block else None,
    )  # fmt: skip


def _json(line: str | None) -> Mapping[str, Any] | None:
    try:
        value = json.loads(line or "")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _int(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return None
