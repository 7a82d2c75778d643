from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from micro_voice import make_clips
from whole_run import write_spec

from engine.practice.dataset import make
from engine.training.features import Clip


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Sums in one order: bit-exactness is asserted here, and the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    return make_clips(tmp_path_factory.mktemp("clips"), 9)


@pytest.fixture
def states(tmp_path: Path) -> Path:
    return tmp_path / "states"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with one finished run; tests may read it, not change it."""
    work = tmp_path_factory.mktemp("work")
    make(work / "data" / "Mei", "Mei", clips=4)
    from engine.run import execute  # loads the models' libraries: not for every test

    ending = execute(write_spec(work, "one"))
    assert ending.status == "succeeded", ending.problem
    return work
