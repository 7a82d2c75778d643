"""Records a reference on the terminal: microphone, countdown, level, listen, keep or again."""

from __future__ import annotations

import sys
import threading
import time
from datetime import datetime
from pathlib import Path

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.audio.record import (
    SILENT_DB,
    Microphone,
    RecordingLevel,
    choose_microphone,
    list_microphones,
    record,
)
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.playback import play_file

COUNTDOWN_S = 3
QUIET_DB = -45.0  # the loudest moment of speech into a microphone that hears it is far above
_METER_WIDTH, _METER_RANGE_DB = 30, 60.0


def record_reference(folder: Path, wanted: str, console: Console) -> Path:
    """Record until the person keeps one; its file below `folder`.

    wanted: a part of the microphone's name; "" asks where there are several. Problem without a
    terminal or microphone, and when the person leaves.
    """
    if not sys.stdin.isatty() or console.json_output:
        raise Problem("tui.record.no_terminal", ExitCode.CONFIG)
    microphone = _ask_microphone(list_microphones(), wanted, console)
    target = folder / f"recorded-{datetime.now():%Y%m%d-%H%M%S}.wav"
    while True:
        console.print_message("tui.record.ready", name=microphone.name)
        input(text("tui.record.press_enter").get(console.language))
        try:
            _record_once(target, microphone, console)
        except Problem as problem:
            if problem.key != "tui.record.too_short":
                raise
            console.print_line(problem.sentence(console.language))
            continue
        answer = _ask_what_next(target, console)
        if answer == "k":
            return target
        target.unlink(missing_ok=True)
        if answer == "q":
            raise Problem("tui.record.left", ExitCode.INTERRUPTED)


def meter(level_db: float, width: int = _METER_WIDTH) -> str:
    """A bar for a level in dB below full scale."""
    share = min(1.0, max(0.0, 1 + level_db / _METER_RANGE_DB))
    filled = round(share * width)
    return "█" * filled + "░" * (width - filled)


def _ask_microphone(found: list[Microphone], wanted: str, console: Console) -> Microphone:
    if wanted or len(found) == 1:
        return choose_microphone(found, wanted)
    for number, one in enumerate(found, 1):
        console.print_line(f"{number}. {one.name}")
    typed = input("1: ").strip() or "1"
    number = parse_whole_number(typed) or 0
    return found[number - 1] if 0 < number <= len(found) else choose_microphone(found, typed)


def _record_once(target: Path, microphone: Microphone, console: Console) -> None:
    for left in range(COUNTDOWN_S, 0, -1):
        console.show_status(text("tui.record.countdown", left=left).get(console.language))
        time.sleep(1)
    stop, newest = threading.Event(), [RecordingLevel(0.0, SILENT_DB)]
    loudest = SILENT_DB

    def report(level: RecordingLevel) -> None:
        nonlocal loudest
        loudest = max(loudest, level.level_db)
        newest[0] = level

    failures: list[Problem] = []

    def work() -> None:
        try:
            record(target, microphone, stop, report)
        except Problem as problem:
            failures.append(problem)

    thread = threading.Thread(target=work, name="record", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            if enter_pressed(0.1):
                stop.set()
            shown = {"seconds": f"{newest[0].seconds:4.1f}", "bar": meter(newest[0].level_db)}
            console.show_status(text("tui.record.level", **shown).get(console.language))
    finally:
        stop.set()
        thread.join(2.0)
    if failures:
        raise failures[0]
    console.print_message("tui.record.recorded", seconds=f"{newest[0].seconds:.1f}")
    if loudest < QUIET_DB:
        console.print_message("tui.record.quiet", level=round(loudest))


def _ask_what_next(target: Path, console: Console) -> str:
    """Return k, a or q; listening asks again."""
    while True:
        typed = input(text("tui.record.keep").get(console.language)).strip().lower()[:1]
        if typed == "l":
            play_file(target)
        elif typed in ("k", "a", "q"):
            return typed


def enter_pressed(seconds: float) -> bool:
    """Whether Enter was pressed within so many seconds; what was typed before it is dropped."""
    if sys.platform == "win32":
        import msvcrt

        time.sleep(seconds)
        return msvcrt.kbhit() and msvcrt.getwch() in "\r\n"
    import select

    if not select.select([sys.stdin], [], [], seconds)[0]:
        return False
    sys.stdin.readline()
    return True
