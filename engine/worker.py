"""What each process of a training stage on several GPUs does."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from engine.contract.spec import RunSpec
from engine.defect import unforeseen
from engine.runtime.device import choose
from engine.runtime.distributed import Peers, is_peer_lost, joined
from engine.runtime.journal import Journal
from engine.runtime.memory import MemoryWatch
from engine.runtime.signals import StopFlag, Stopped
from engine.runtime.stall import StallWatch
from engine.runtime.tensorboard import TensorBoard, teed
from engine.stages import training_stage
from engine.training.base import open_base
from engine.training.room import Room, StageOutcome
from engine.workers import result_file, write_result


def work_on(spec_file: Path, stage: str, work: Path | None) -> ExitCode:
    """Train one stage together with the other processes; only rank 0 writes anything.

    But for the sentence of what another one meets alone: rank 0 only sees a closed connection.
    """
    spec_file = spec_file.resolve()
    spec = RunSpec.from_json(spec_file.read_text(encoding="utf-8"))
    layout = Layout.at((work.resolve() if work else spec_file.parents[2]).as_posix())
    run, leads = spec_file.parent, os.environ["RANK"] == "0"
    ending: StageOutcome | Problem | Stopped
    with StopFlag() as stop:
        try:
            ending = _train(spec, layout, stage, stop)
            last_word = leads
        except (Problem, Stopped) as end:
            ending, last_word = end, leads
        except Exception as error:  # the process that started this one reads no traceback
            if is_peer_lost(error):
                raise
            ending, last_word = unforeseen(error, run), False
    first_word = isinstance(ending, Problem) and not result_file(run, stage).exists()
    if last_word or first_word:
        write_result(run, stage, ending)
    return ExitCode.OK if isinstance(ending, StageOutcome) else ending.exit_code


def _train(spec: RunSpec, layout: Layout, stage: str, stop: StopFlag) -> StageOutcome:
    device = choose(spec.value("train.device"), int(os.environ["LOCAL_RANK"]))
    with ExitStack() as open_things:
        peers: Peers = open_things.enter_context(joined(device.kind))
        emit = _silent
        if peers.leads:
            events = Path(layout.run(spec.run).events)
            journal = Journal(events, spec.run, same_attempt=True)
            open_things.enter_context(journal)
            board = TensorBoard(Path(layout.features(spec.voice)) / "tensorboard" / spec.run)
            watch = StallWatch(teed(journal.emit, open_things.enter_context(closing(board))))
            emit = open_things.enter_context(watch).emit
            open_things.enter_context(MemoryWatch(emit, device))
        room = Room(spec, layout, emit, stop, device, peers)
        return training_stage(stage, room, open_base(spec, layout)).run()


def _silent(type: str, stage: str | None = None, **payload: Any) -> None:
    """Ranks other than 0 have nothing to say that rank 0 does not."""
