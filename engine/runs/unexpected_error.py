"""An unexpected exception as the Problem that a run or one of its workers ends with."""

from __future__ import annotations

import traceback
from pathlib import Path

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.oom import is_out_of_memory


def describe_unexpected_error(error: Exception, folder: Path) -> Problem:
    """A Problem for exhausted memory, or for a defect of ours with its file and line.

    The traceback of a defect is written to `traceback.txt` in the run's `folder`.
    """
    if is_out_of_memory(error):
        return Problem("engine.run.out_of_memory", ExitCode.MEMORY, why=str(error)[:200])
    frames = traceback.extract_tb(error.__traceback__)
    location = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    write_atomic(folder / "traceback.txt", "".join(traceback.format_exception(error)).encode())
    why = f"{type(error).__name__}: {error}"[:300]
    return Problem("engine.run.unexpected", ExitCode.INTERNAL, place=location, why=why)
