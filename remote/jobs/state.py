"""The state of a run, derived from a snapshot of its server. Pure.

The server's own processes and files are the truth; the laptop's memory plays no part. What the
snapshot does not show is `unknown`, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sovdeck.engine.contract import events
from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.foreign_values import parse_json, parse_whole_number
from sovdeck.engine.contract.problem import ExitCode

# The heartbeat is written every second; a server under full load may be late with a few.
STALE_AFTER_S = 15

JobStateName = Literal[
    "starting",
    "running",
    "succeeded",
    "failed",
    "killed",
    "stopped",
    "preempted",
    "lost",
    "stale",
    "no_op",
    "unknown",
]
STATES: tuple[JobStateName, ...] = get_args(JobStateName)
# What a deployment wrote to `server-id`; here it names a folder of the laptop's cache.
_SERVER_ID = re.compile(r"[0-9A-Fa-f-]{32,36}\Z")
ACTIVE = frozenset({"starting", "running", "stale"})
# A run that is in none of these may still write.
ENDED_STATES = frozenset({"succeeded", "failed", "killed", "stopped", "preempted", "lost", "no_op"})


@dataclass(frozen=True)
class JobSnapshot:
    """One run as state.sh saw it; None is "no such file or process".

    `now` and `beat` are Unix seconds by the server's own clock, so its skew does not matter.
    """

    run_id: str
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
    server_id: str = ""


@dataclass(frozen=True)
class JobState:
    """A run's state. `since` and `as_of` are Unix seconds by the server's clock.

    missing: the server has no such run. server_id: of the disk its folder lies on (see
    `sovdeck.remote.servers.machine_id`), "" where there is none.
    """

    run_id: str
    state: str
    why: Text
    code: int | None = None
    signal: int | None = None
    attempt: int | None = None
    queued: int | None = None
    since: int | None = None
    as_of: int | None = None
    missing: bool = False
    server_id: str = ""

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.state in ENDED_STATES

    @property
    def active(self) -> bool:
        """Whether the run works or waits. Of an unknown one neither this nor the end is certain."""
        return self.state in ACTIVE


def derive_state(snapshot: JobSnapshot) -> JobState:
    """Return the state that the snapshot proves."""
    pid = snapshot.pid
    if snapshot.missing or pid is None:
        key = "remote.job.state_missing" if snapshot.missing else "remote.job.state_not_begun"
        return _make_state(snapshot, "unknown", text(key))
    exit_ = snapshot.exit
    # A new attempt leaves the old exit.json until it has one of its own.
    if exit_ is not None and _int(exit_.get("attempt")) == _int(pid.get("attempt")):
        return _exit_state(snapshot, exit_)
    if pid.get("boot") != snapshot.boot:
        return _reported_state(snapshot) or _make_state(
            snapshot, "lost", text("remote.job.state_rebooted")
        )
    supervised = snapshot.supervisor_start == _int(pid.get("start"))
    child = _int(pid.get("child")) or 0
    working = child > 0 and snapshot.child_start == _int(pid.get("child_start"))
    if not supervised and not working:
        return _reported_state(snapshot) or _make_state(
            snapshot, "lost", text("remote.job.state_vanished")
        )
    age = snapshot.now - snapshot.beat if snapshot.beat is not None else None
    if age is not None and age > STALE_AFTER_S:
        return _make_state(snapshot, "stale", text("remote.job.state_stale", seconds=age))
    if child == 0:
        if snapshot.queued:
            why = text("remote.job.state_queued", ahead=snapshot.queued)
            return _make_state(snapshot, "starting", why)
        return _make_state(snapshot, "starting", text("remote.job.state_starting"))
    if not supervised:
        return _make_state(snapshot, "running", text("remote.job.state_unsupervised"))
    return _make_state(snapshot, "running", text("remote.job.state_running"))


def _exit_state(snapshot: JobSnapshot, exit_: Mapping[str, Any]) -> JobState:
    code, signal = _int(exit_.get("code")), _int(exit_.get("signal"))
    if code is None:
        return _make_state(snapshot, "unknown", text("remote.job.state_bad_exit"))
    facts = {"code": code, "signal": signal, "since": _int(exit_.get("t"))}
    if code == ExitCode.OK:
        return _make_state(snapshot, "succeeded", text("remote.job.state_succeeded"), **facts)
    if code == ExitCode.NO_OP:
        return _make_state(snapshot, "no_op", text("remote.job.state_no_op"), **facts)
    if snapshot.stop or code == ExitCode.INTERRUPTED:
        return _make_state(snapshot, "stopped", text("remote.job.state_stopped"), **facts)
    if code == ExitCode.PREEMPTED:
        return _make_state(snapshot, "preempted", text("remote.job.state_preempted"), **facts)
    if signal == 9:
        return _make_state(snapshot, "killed", text("remote.job.state_killed"), **facts)
    if signal is not None:
        why = text("remote.job.state_signal", signal=signal)
        return _make_state(snapshot, "killed", why, **facts)
    return _make_state(snapshot, "failed", text("remote.job.state_failed", code=code), **facts)


def _reported_state(snapshot: JobSnapshot) -> JobState | None:
    # The engine may have finished and said so while nobody was left to write the exit.
    last = snapshot.last
    if last is None or last.type != "run_finished":
        return None
    status, code = str(last.payload["status"]), _int(last.payload["exit_code"])
    if status not in events.STATUSES:
        return None
    why = text("remote.job.state_by_event")
    return _make_state(snapshot, status, why, code=code, since=last.t // 1000)


def _make_state(snapshot: JobSnapshot, state: str, why: Text, **facts: Any) -> JobState:
    pid = snapshot.pid or {}
    return JobState(
        snapshot.run_id,
        state,
        why,
        attempt=_int(pid.get("attempt")),
        queued=snapshot.queued,
        as_of=snapshot.now,
        missing=snapshot.missing,
        server_id=snapshot.server_id,
        **facts,
    )


def parse_snapshots(output: str) -> tuple[JobSnapshot, ...]:
    """Parse the output of state.sh; lines that do not fit are left out."""
    now, boot, server_id = 0, "", ""
    found: list[JobSnapshot] = []
    block: dict[str, str] = {}
    for key, value in _split_lines(output):
        if key == "now":
            now = _int(value) or 0
        elif key == "boot":
            boot = value
        elif key == "server":
            server_id = value if _SERVER_ID.match(value) else ""
        elif key == "run":
            if block:
                found.append(_parse_snapshot(block, now, boot, server_id))
            block = {"run": value}
        elif block:
            block[key] = value
    if block:
        found.append(_parse_snapshot(block, now, boot, server_id))
    return tuple(found)


def _split_lines(output: str) -> Iterator[tuple[str, str]]:
    # Not splitlines(): a JSON string may hold U+2028, which is a line end only to Python.
    for line in output.split("\n"):
        key, _, value = line.partition(" ")
        yield key, value


def _parse_snapshot(block: Mapping[str, str], now: int, boot: str, server_id: str) -> JobSnapshot:
    exit_, pid = _json(block.get("exit")), _json(block.get("pid"))
    if "ended" in block:  # of its newest attempt: nothing else is told of it
        exit_ = pid = _json(block["ended"])
    return JobSnapshot(
        run_id=block["run"],
        now=now,
        boot=boot,
        missing="missing" in block,
        pid=pid,
        supervisor_start=_int(block.get("supervisor_start")),
        child_start=_int(block.get("child_start")),
        beat=_int(block.get("beat")),
        stop="stop" in block,
        queued=_int(block.get("queued")),
        exit=exit_,
        last=events.parse_event(block["last"]) if "last" in block else None,
        server_id=server_id,
    )


def _json(line: str | None) -> Mapping[str, Any] | None:
    try:
        value = parse_json(line or "")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _int(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return parse_whole_number(value) if isinstance(value, str) else None
