"""Run as a program: lists microphones, or records from one; one JSON object a line on stdout.

A sound system writes its complaints to the terminal from C, past Python: in a child they go
nowhere. A line on standard input, or its end, ends the recording.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.audio.record import RecordingLevel, choose_microphone, list_microphones, record


def main() -> int:
    """`list`, or `record NAME FILE`; 1 when a Problem was printed."""
    try:
        found = list_microphones()
        if sys.argv[1] == "list":
            _print({"microphones": [one.name for one in found]})
            return 0
        stop = threading.Event()
        threading.Thread(target=_wait_for_line, args=(stop,), daemon=True).start()
        microphone = choose_microphone(found, sys.argv[2])
        seconds = record(Path(sys.argv[3]), microphone, stop, _print_level)
        _print({"recorded": seconds})
    except Problem as problem:
        facts = {name: str(value) for name, value in problem.facts.items()}
        _print({"problem": problem.key, "exit_code": int(problem.exit_code), "facts": facts})
        return 1
    return 0


def _wait_for_line(stop: threading.Event) -> None:
    sys.stdin.readline()
    stop.set()


def _print_level(level: RecordingLevel) -> None:
    _print({"seconds": level.seconds, "level_db": level.level_db})


def _print(record: dict[str, object]) -> None:
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    sys.exit(main())
