"""A failure that nobody foresaw, as the sentence a run or one of its workers ends with."""

from __future__ import annotations

import traceback
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from engine.runtime.durable import write_atomic
from engine.runtime.memory_end import is_out_of_memory


def unforeseen(error: Exception, folder: Path) -> Problem:
    """Memory's end, or a defect of ours with its place.

    The traceback of a defect goes into a file in the run's `folder`, not on a screen.
    """
    if is_out_of_memory(error):
        return Problem("engine.run.out_of_memory", ExitCode.MEMORY, why=str(error)[:200])
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    write_atomic(folder / "traceback.txt", "".join(traceback.format_exception(error)).encode())
    why = f"{type(error).__name__}: {error}"[:300]
    return Problem("engine.run.unexpected", ExitCode.INTERNAL, place=place, why=why)
