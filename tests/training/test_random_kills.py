"""kill -9 at fifty random moments of a stage, inside saves too: it always goes on, to one end."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from micro_stage import make_stage, run_stage, same, weights
from micro_voice import gpt_task

from engine.runtime import chance
from engine.runtime.checkpoint import Checkpoints
from engine.training.features import Clip

MOMENTS = 50
EPOCHS = {"gpt.epochs": 30}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes, which needs fork")
def test_fifty_kills_change_nothing(clips: list[Clip], tmp_path: Path) -> None:
    straight = gpt_task(clips)
    run_stage(straight, tmp_path / "straight", **EPOCHS)
    folder = tmp_path / "cut" / "states" / "gpt"
    dice = random.Random(11)
    steps, partial = [0], 0
    for number in range(MOMENTS):
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            stage = make_stage(gpt_task(clips), tmp_path / "cut", **EPOCHS)
            chance.seed_all(5)  # as run_stage does; only the very first start still depends on it

            def due(tell: int = tell) -> bool:  # asked after each update, which is then saved
                os.write(tell, b".")
                return True

            stage._save_due = due  # type: ignore[method-assign]
            stage.run()
            os._exit(0)
        for _ in range(number % 4):  # every fourth dies while it still loads
            os.read(told, 1)
        time.sleep(dice.uniform(0.0, 0.04))
        os.close(told)
        os.close(tell)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        partial += any(path.name.startswith(".tmp") for path in folder.glob(".tmp-*"))
        state, faults = Checkpoints(folder).newest()
        if state is not None:
            assert not faults and state.step >= steps[-1], "no kill may cost a saved update"
            steps.append(state.step)
    assert steps[-1] > 10 and partial > 3, (steps, partial)
    resumed = gpt_task(clips)
    make_stage(resumed, tmp_path / "cut", **EPOCHS).run()
    assert same(weights(straight), weights(resumed))
