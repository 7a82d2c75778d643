from __future__ import annotations

from pathlib import Path

import pytest
from micro_voice import make_clips
from whole_run import write_spec

from sovdeck.engine.practice.dataset import make_practice_set
from sovdeck.engine.training.features import TrainingClip


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingClip]:
    return make_clips(tmp_path_factory.mktemp("clips"), 9)


@pytest.fixture
def states(tmp_path: Path) -> Path:
    return tmp_path / "states"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with one finished run; tests may read it, not change it."""
    work = tmp_path_factory.mktemp("work")
    make_practice_set(work / "data" / "Mei", "Mei", clips=4)
    from sovdeck.engine.runs.run import (
        execute_run,  # loads the models' libraries: not for every test
    )

    ending = execute_run(write_spec(work, "one"))
    assert ending.status == "succeeded", ending.problem
    return work
