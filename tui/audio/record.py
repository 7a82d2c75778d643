"""Record from a microphone of this computer: 3 to 10 s of mono speech into a wav.

miniaudio captures in a thread of the sound system; whoever records is told the level meanwhile.
"""

from __future__ import annotations

import math
import threading
import wave
from array import array
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.reference_segment import MAX_REFERENCE_S, MIN_REFERENCE_S

SAMPLE_RATE = 48_000
SILENT_DB = -120.0
_PERIOD_MS = 50  # between two levels
_FULL_SCALE = 32768.0


@dataclass(frozen=True)
class Microphone:
    """A capture device by its name; `handle` is the sound system's own, None for the default."""

    name: str
    handle: Any = None


@dataclass(frozen=True)
class RecordingLevel:
    """How long it has recorded, in seconds, and the newest level in dB below full scale."""

    seconds: float
    level_db: float


def list_microphones(backends: Any = None) -> list[Microphone]:
    """The microphones of this computer; Problem when there is no sound system or none of them.

    backends: of miniaudio, for tests.
    """
    import miniaudio  # here: it takes long to import, and few commands record

    try:
        devices = miniaudio.Devices(backends)
        found = [Microphone(one["name"], one["id"]) for one in devices.get_captures()]
        real = backends is not None or devices.backend != "Null"
    except miniaudio.MiniaudioError:
        found, real = [], False
    if not found or not real:
        raise Problem("tui.record.no_microphone", ExitCode.CONFIG)
    return found


def choose_microphone(microphones: list[Microphone], wanted: str = "") -> Microphone:
    """The first whose name holds `wanted`, by default the first; Problem when none does."""
    for one in microphones:
        if wanted.casefold() in one.name.casefold():
            return one
    names = ", ".join(one.name for one in microphones)
    raise Problem("tui.record.which_microphone", ExitCode.CONFIG, wanted=wanted, names=names)


def record(
    target: Path,
    microphone: Microphone,
    stop: threading.Event,
    report: Callable[[RecordingLevel], None],
    *,
    longest: float = MAX_REFERENCE_S,
    backends: Any = None,
) -> float:
    """Record until `stop` is set or `longest` seconds are full, and write `target`; the seconds.

    `report` is called some twenty times a second, in a thread of the sound system. Problem when the
    device does not open, stops sending, or less than a reference needs was recorded.
    """
    import miniaudio  # as above

    samples: array[int] = array("h")
    full = threading.Event()
    wanted = round(longest * SAMPLE_RATE)

    def take() -> Generator[None, Any, None]:
        while True:
            data = yield
            period = array("h", bytes(data))
            samples.extend(period[: wanted - len(samples)])
            report(RecordingLevel(len(samples) / SAMPLE_RATE, measure_level(period)))
            if stop.is_set() or len(samples) >= wanted:
                full.set()
                return

    sink = take()
    next(sink)
    try:
        device = miniaudio.CaptureDevice(
            miniaudio.SampleFormat.SIGNED16,
            1,
            SAMPLE_RATE,
            _PERIOD_MS,
            microphone.handle,
            backends=backends,
            app_name="sovdeck",
        )
        with device:
            device.start(sink)
            # Longer than it can take: a device that was pulled out sends nothing more.
            arrived = full.wait(longest + 5.0)
    except miniaudio.MiniaudioError as error:
        why = str(error.args[0]) if error.args else type(error).__name__
        raise Problem(
            "tui.record.device_failed", ExitCode.CONFIG, name=microphone.name, why=why
        ) from error
    if not arrived:
        why = "it sends no sound"
        raise Problem("tui.record.device_failed", ExitCode.CONFIG, name=microphone.name, why=why)
    seconds = len(samples) / SAMPLE_RATE
    if seconds < MIN_REFERENCE_S:
        facts = {"seconds": f"{seconds:.1f}", "shortest": f"{MIN_REFERENCE_S:g}"}
        raise Problem("tui.record.too_short", ExitCode.DATA, **facts)
    _write_wav(target, samples)
    return seconds


def measure_level(samples: array[int]) -> float:
    """Root mean square of int16 samples in dB below full scale; SILENT_DB for silence."""
    if not samples:
        return SILENT_DB
    power = sum(one * one for one in samples) / len(samples)
    return max(SILENT_DB, 10 * math.log10(power / _FULL_SCALE**2)) if power else SILENT_DB


def _write_wav(target: Path, samples: array[int]) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(target), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(samples.tobytes())
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem("tui.record.not_saved", ExitCode.DATA, path=str(target), why=why) from error
