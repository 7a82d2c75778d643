"""kill -9 at fifty random moments of a stage, inside saves too: it always goes on, to one end."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from micro_stage import make_stage, run_stage, same, weights
from micro_voice import gpt_task

from sovdeck.engine.runtime import rng
from sovdeck.engine.runtime.checkpoint import CheckpointStore
from sovdeck.engine.training.features import TrainingClip

MOMENTS = 50
EPOCHS: Any = {"gpt.epochs": 30}


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes, which needs fork")
def test_fifty_kills_change_nothing(clips: list[TrainingClip], tmp_path: Path) -> None:
    updates, torn = kill_again_and_again(clips, tmp_path, MOMENTS)
    assert updates > 10 and torn > 3, (updates, torn)


def kill_again_and_again(
    clips: list[TrainingClip], tmp_path: Path, moments: int, seed: int = 11
) -> tuple[int, int]:
    """Kill a training so often; (updates that were saved, saves that were torn).

    Asserts that no saved update is lost and that the end is that of a training left alone.
    """
    straight = gpt_task(clips)
    run_stage(straight, tmp_path / "straight", **EPOCHS)
    folder = tmp_path / "cut" / "states" / "gpt"
    rng_state = random.Random(seed)
    steps, partial = [0], 0
    for number in range(moments):
        reported, tell = os.pipe()
        child = os.fork()
        if child == 0:
            stage = make_stage(gpt_task(clips), tmp_path / "cut", **EPOCHS)
            rng.seed_all(5)  # as run_stage does; only the very first start still depends on it

            def due(tell: int = tell) -> bool:  # asked after each update, which is then saved
                os.write(tell, b".")
                return True

            stage._save_due = due  # type: ignore[method-assign]
            stage.run()
            os._exit(0)
        for _ in range(number % 4):  # every fourth dies while it still loads
            os.read(reported, 1)
        time.sleep(rng_state.uniform(0.0, 0.04))
        os.close(reported)
        os.close(tell)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        partial += any(path.name.startswith(".tmp") for path in folder.glob(".tmp-*"))
        state, faults = CheckpointStore(folder).find_newest()
        if state is not None:
            assert not faults and state.step >= steps[-1], "no kill may cost a saved update"
            steps.append(state.step)
    resumed = gpt_task(clips)
    make_stage(resumed, tmp_path / "cut", **EPOCHS).run()
    assert same(weights(straight), weights(resumed))
    return steps[-1], partial
