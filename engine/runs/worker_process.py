"""One worker process of a training stage on several GPUs."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.pretrained_set import resolve_preset
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runs.launch_workers import result_path, write_result
from sovdeck.engine.runs.stages import make_sample_speaker, make_training_stage
from sovdeck.engine.runs.unexpected_error import describe_unexpected_error
from sovdeck.engine.runtime.device import choose_device
from sovdeck.engine.runtime.distributed import Peers, is_peer_lost, join_peers
from sovdeck.engine.runtime.event_writer import EventWriter
from sovdeck.engine.runtime.memory_sampler import MemorySampler
from sovdeck.engine.runtime.signals import StopFlag, Stopped
from sovdeck.engine.runtime.stall_watchdog import StallWatchdog
from sovdeck.engine.runtime.tensorboard import TensorBoardWriter, with_tensorboard
from sovdeck.engine.training.context import RunContext, StageOutcome
from sovdeck.engine.training.initial_weights import open_initial_weights


def run_worker(spec_file: Path, stage: str, work: Path | None) -> ExitCode:
    """Train one stage together with the other processes; only rank 0 writes events and files.

    Another rank writes the result when it fails alone: rank 0 only sees a closed connection.
    """
    spec_file = spec_file.resolve()
    layout = Layout.at((work.resolve() if work else spec_file.parents[2]).as_posix())
    spec = resolve_preset(RunSpec.from_json(spec_file.read_text(encoding="utf-8")), layout)
    run, is_leader = spec_file.parent, os.environ["RANK"] == "0"
    result: StageOutcome | Problem | Stopped
    with StopFlag() as stop:
        try:
            result = _train_stage(spec, layout, stage, stop)
            is_final = is_leader
        except (Problem, Stopped) as end:
            result, is_final = end, is_leader
        except Exception as error:  # the process that started this one reads no traceback
            if is_peer_lost(error):
                raise
            result, is_final = describe_unexpected_error(error, run), False
    is_first = isinstance(result, Problem) and not result_path(run, stage).exists()
    if is_final or is_first:
        write_result(run, stage, result)
    return ExitCode.OK if isinstance(result, StageOutcome) else result.exit_code


def end_with_input() -> None:
    """End this process as soon as its standard input ends, from a thread; returns at once.

    The input is a pipe of the engine's: whichever way that dies, no worker of its may go on
    writing events beside the next engine.
    """
    descriptor = sys.stdin.fileno()

    def watch() -> None:
        while os.read(descriptor, 1):
            pass
        os._exit(ExitCode.DISTRIBUTED)

    threading.Thread(target=watch, name="input", daemon=True).start()


def _train_stage(spec: RunSpec, layout: Layout, stage: str, stop: StopFlag) -> StageOutcome:
    device = choose_device(spec.settings.train.device, int(os.environ["LOCAL_RANK"]))
    with ExitStack() as stack:
        peers: Peers = stack.enter_context(join_peers(device.kind))
        emit = _discard_event
        if peers.is_leader:
            events = Path(layout.run(spec.run).events)
            event_writer = EventWriter(events, spec.run, same_attempt=True)
            stack.enter_context(event_writer)
            tensorboard = TensorBoardWriter(
                Path(layout.features(spec.voice)) / "tensorboard" / spec.run
            )
            watchdog = StallWatchdog(
                with_tensorboard(event_writer.emit, stack.enter_context(closing(tensorboard)))
            )
            emit = stack.enter_context(watchdog).emit
            stack.enter_context(MemorySampler(emit, device))
        context = RunContext(spec, layout, emit, stop, device, peers)
        initial = open_initial_weights(spec, layout)
        speaker = make_sample_speaker(context, initial)
        return make_training_stage(stage, context, initial, speaker).run()


def _discard_event(type: str, stage: str | None = None, **payload: Any) -> None:
    """The `emit` of ranks other than 0, whose events would repeat those of rank 0."""
