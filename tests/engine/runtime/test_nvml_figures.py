"""GPU figures through a made-up NVML library: no driver, a full answer, refused questions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sovdeck.engine.runtime.memory_sampler import gpu_memory_fields
from sovdeck.engine.runtime.nvml import count_gpus, query_gpu

GIB = 1 << 30


class NVMLError(Exception):
    pass


class Library:
    """Answers like pynvml; `broken` names the calls that fail."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *broken: str) -> None:
        self.broken = broken
        self.open = 0
        self.asked: list[bytes] = []

    def _answer(self, call: str, value: Any = None) -> Any:
        if call in self.broken:
            raise NVMLError(call)
        return value

    def nvmlInit(self) -> None:  # noqa: N802 - the library's own name
        self._answer("init")
        self.open += 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self._answer("count", 3)

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes) -> str:  # noqa: N802
        self.asked.append(uuid)
        return self._answer("handle", "handle")

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:  # noqa: N802
        return self._answer("memory", SimpleNamespace(used=3 * GIB, total=24 * GIB))

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> Any:  # noqa: N802
        return self._answer("rates", SimpleNamespace(gpu=87))

    def nvmlDeviceGetTemperature(self, handle: str, sensor: int) -> int:  # noqa: N802
        return self._answer("heat", 61)


def test_a_whole_answer_and_the_library_is_closed() -> None:
    library = Library()
    assert query_gpu("1234", library) == {
        "gpu_used": 3 * GIB,
        "gpu_total": 24 * GIB,
        "gpu_utilisation": 87,
        "gpu_temperature": 61,
    }
    assert library.asked == [b"GPU-1234"] and library.open == 0


@pytest.mark.parametrize("broken", [("init",), ("handle",), ("memory", "rates", "heat")])
def test_no_driver_is_none(broken: tuple[str, ...]) -> None:
    library = Library(*broken)
    assert query_gpu("GPU-1", library) is None and library.open == 0


def test_a_refused_figure_is_left_out_never_zero() -> None:
    assert query_gpu("MIG-7", Library("rates")) == {
        "gpu_used": 3 * GIB,
        "gpu_total": 24 * GIB,
        "gpu_temperature": 61,
    }


def test_the_event_names_who_measured() -> None:
    cuda = SimpleNamespace(
        mem_get_info=lambda index: (20 * GIB, 24 * GIB),
        memory_reserved=lambda index: 2 * GIB,
        max_memory_reserved=lambda index: 5 * GIB,
    )
    by_driver = gpu_memory_fields({"gpu_used": 3 * GIB, "gpu_total": 24 * GIB}, cuda, 0)
    assert by_driver["source"] == "nvml" and by_driver["gpu_used"] == 3 * GIB
    by_torch = gpu_memory_fields(None, cuda, 0)
    assert by_torch["source"] == "torch.cuda" and by_torch["gpu_used"] == 4 * GIB
    assert by_torch["gpu_ours"] == 2 * GIB and by_torch["gpu_peak"] == 5 * GIB
    # A card that shares the machine's memory: NVML knows all but that.
    shared = gpu_memory_fields({"gpu_utilisation": 40}, cuda, 0)
    assert shared["gpu_used"] == 4 * GIB and shared["gpu_total"] == 24 * GIB
    assert shared["gpu_utilisation"] == 40 and shared["source"] == "torch.cuda"


def test_the_real_library_says_there_is_no_gpu_here() -> None:
    pynvml = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        assert query_gpu("GPU-none") is None
    else:
        pynvml.nvmlShutdown()
        pytest.skip("this machine has an NVIDIA driver")


def test_the_driver_counts_its_gpus_or_says_nothing() -> None:
    library = Library()
    assert count_gpus(library) == 3 and library.open == 0
    assert count_gpus(Library("init")) == 0
    silent = Library("count")
    assert count_gpus(silent) == 0 and silent.open == 0
