"""Made-up event streams: the shape of real losses, the same on every machine."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sovdeck.engine.contract.events import Event

LIVE_RUN = "1122-1413-atri"
ENDED_RUN = "1121-0902-mika"
TOTAL = {"sovits": 2240, "gpt": 1605}
EPOCHS = {"sovits": 16, "gpt": 15}
_STEP_MS = 320
_WARNING = {
    "en": "Clip 000173 has a loss that is not finite; it was left out.",
    "zh": "片段 000173 的损失不是有限数，已跳过。",
}
_WARNING_HINT = {"en": "Listen to it: it may be damaged.", "zh": "请听一听，可能已损坏。"}


class _Writer:
    """Numbers events as the engine's journal does."""

    def __init__(self, run: str, voice: str, start: int) -> None:
        self.run, self.voice, self.t, self.seq = run, voice, start, 0
        self.events: list[Event] = []
        self.add(
            "run_started",
            None,
            voice=voice,
            stages=["prepare", "sovits", "gpt", "proof", "pack"],
            device={"kind": "cuda", "name": "RTX 4090", "memory_total": 24 * 2**30},
            engine="0.1.0",
        )

    def add(self, type_: str, stage: str | None, **payload: Any) -> None:
        self.events.append(Event(self.seq, self.t, self.run, type_, 1, stage, payload))
        self.seq += 1


def losses(stage: str, step: int, rng: random.Random) -> dict[str, float | None]:
    """Plausible losses: a fall with noise; one update in a thousand is not finite."""
    if stage == "gpt":
        ce = 2400 * math.exp(-step / 260) + 610 + rng.gauss(0, 60) + 900 * (rng.random() < 0.01)
        return {"total": ce, "top3": 0.55 + 0.4 * (1 - math.exp(-step / 500))}
    mel = 42 * math.exp(-step / 220) + 17 + rng.gauss(0, 1.3)
    parts: dict[str, float | None] = {
        "mel": mel,
        "kl": 3.2 * math.exp(-step / 300) + 1.1 + rng.gauss(0, 0.12),
        "fm": 2 + 2.8 * (1 - math.exp(-step / 400)) + rng.gauss(0, 0.3),
        "gen": 2.6 + rng.gauss(0, 0.2),
    }
    parts["total"] = None if step % 997 == 0 else sum(v for v in parts.values() if v is not None)
    return parts


def _train(writer: _Writer, stage: str, until: int, rng: random.Random) -> None:
    total, epochs = TOTAL[stage], EPOCHS[stage]
    writer.add("stage_started", stage, total=total, unit="updates", epochs=epochs)
    every = total // epochs
    for step in range(1, until + 1):
        writer.t += _STEP_MS
        writer.add("step", stage, **step_payload(stage, step, rng))
        saved = _checkpoint_at(writer.voice, stage, step)
        if saved is not None:
            writer.add("export", stage, kind=stage, **saved, sha256="ab" * 32)
        if step % (every * 4) == 0:
            low, fall = (21.5, 40) if stage == "sovits" else (640.0, 1800)
            values = {"total": low + fall * math.exp(-step / 230)}
            writer.add("validation", stage, epoch=step // every, metrics=values, step=step)


def _checkpoint_at(voice: str, stage: str, step: int) -> dict[str, Any] | None:
    """The weight that is saved after this update: every fourth epoch of SoVITS, fifth of GPT."""
    every = TOTAL[stage] // EPOCHS[stage]
    epoch, rest = divmod(step, every)
    if rest or epoch % (4 if stage == "sovits" else 5):
        return None
    if stage == "gpt":
        return {"path": f"GPT_weights/{voice}/{voice}-e{epoch}.ckpt", "bytes": 155_284_200}
    path = f"SoVITS_weights/{voice}/{voice}_e{epoch}_s{step}.pth"
    return {"path": path, "bytes": 84_913_114}


def step_payload(stage: str, step: int, rng: random.Random) -> dict[str, Any]:
    """The payload of one step event."""
    total, epochs = TOTAL[stage], EPOCHS[stage]
    return {
        "step": step,
        "total": total,
        "losses": losses(stage, step, rng),
        "epoch": step * epochs // total + 1,
        "rate": 1000 / _STEP_MS,
        "eta_s": (total - step) * _STEP_MS / 1000,
    }


def _begin_run(run: str, voice: str, start: int) -> _Writer:
    writer = _Writer(run, voice, start)
    stages = [
        {"name": name, "total": TOTAL[name], "unit": "updates", "epochs": EPOCHS[name]}
        for name in ("sovits", "gpt")
    ]
    writer.add("plan", None, stages=stages)
    writer.add("stage_started", "prepare", total=214, unit="items")
    writer.t += 41_000
    writer.add("stage_finished", "prepare", updates=0, seconds=41.0)
    return writer


def running_run(now: int, run: str = LIVE_RUN, voice: str = "ATRI") -> list[Event]:
    """A run in the middle of SoVITS, as of `now`."""
    return list(_running_events(now, run, voice))


def finished_run(now: int) -> list[Event]:
    """A whole run that succeeded a day before `now`."""
    return list(_finished_events(now))


# Each of hundreds of tests begins in a world of the same moment.
@lru_cache(maxsize=4)
def _running_events(now: int, run: str, voice: str) -> tuple[Event, ...]:
    rng = random.Random(7)
    until = 1380
    writer = _begin_run(run, voice, now - until * _STEP_MS - 41_000 - 300_000)
    _train(writer, "sovits", until, rng)
    writer.add("oom_recovered", "sovits", batch_before=16, batch_after=12)
    writer.add("warning", "sovits", code="engine.x", message=_WARNING, hint=_WARNING_HINT)
    return tuple(writer.events)


@lru_cache(maxsize=4)
def _finished_events(now: int) -> tuple[Event, ...]:
    rng = random.Random(11)
    writer = _begin_run(ENDED_RUN, "Mika", now - 90_000_000)
    for stage, first, last in (("sovits", 71.2, 24.4), ("gpt", 2981.0, 640.3)):
        _train(writer, stage, TOTAL[stage], rng)
        writer.add(
            "stage_finished",
            stage,
            updates=TOTAL[stage],
            seconds=TOTAL[stage] * 0.32,
            first_loss=first,
            last_loss=last,
        )
    for stage, seconds in (("proof", 6.2), ("pack", 3.9)):
        writer.add("stage_started", stage, total=1, unit="items")
        writer.add("stage_finished", stage, updates=0, seconds=seconds)
    writer.add("run_finished", None, status="succeeded", exit_code=0, exports=[])
    return tuple(writer.events)


def later_events(stream: list[Event]) -> Iterator[tuple[Event, ...]]:
    """What comes after `running_run`, two updates at a time."""
    rng = random.Random(8)
    last = stream[-1]
    seq, step = last.seq, 1380
    while step < TOTAL["sovits"]:
        batch = []
        for _ in range(2):
            seq, step = seq + 1, step + 1
            payload = step_payload("sovits", step, rng)
            batch.append(
                Event(seq, last.t + step * _STEP_MS, last.run, "step", 1, "sovits", payload)
            )
        yield tuple(batch)
