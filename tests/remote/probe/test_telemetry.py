"""Live figures: what a screen gets from a server with, without and with a failing nvidia-smi."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sovdeck.remote.probe.nvidia_smi import GPU_FIELDS, MINIMAL_GPU_FIELDS, GpuIssue
from sovdeck.remote.probe.telemetry import (
    MachineUsage,
    TelemetryParser,
    TelemetrySample,
    TelemetryStream,
    issue_text,
)

HERE = Path(__file__).parent
MIB = 1 << 20
FULL = "{i}, GPU-{i}, 560.35, 24576, {used}, 20000, 97, 30, 60, 300.00, [N/A], NVIDIA Test, Edition"
SYS = (
    "@sys mem_total_kb=1000 mem_available_kb=400 cgroup_limit={limit} cgroup_used=300000 "
    "cgroup_cache=100000 cpu_busy={busy} cpu_idle={idle} load=1.50{disk}\n"
)


def sys_line(limit: str = "max", busy: int = 10, idle: int = 10, disk: str = "") -> bytes:
    return SYS.format(limit=limit, busy=busy, idle=idle, disk=disk).encode()


def rows(*used: int) -> bytes:
    return "".join(FULL.format(i=i, used=mib) + "\n" for i, mib in enumerate(used)).encode()


def fields(names: tuple[str, ...] = GPU_FIELDS) -> bytes:
    return f"@fields {','.join(names)}\n".encode()


def feed(reader: TelemetryParser, *pieces: bytes) -> TelemetrySample:
    sample = None
    for piece in pieces:
        sample = reader.feed(piece, 7) or sample
    assert sample is not None
    return sample


def test_rows_and_machine_come_together() -> None:
    sample = feed(TelemetryParser(), fields(), rows(100, 200), sys_line())
    assert sample.source == "nvidia-smi" and sample.gpu_issues == () and sample.t == 7
    assert [(gpu.uuid, gpu.memory_used) for gpu in sample.gpus] == [
        ("GPU-0", 100 * MIB),
        ("GPU-1", 200 * MIB),
    ]
    assert sample.gpus[0].name == "NVIDIA Test, Edition"
    assert sample.machine == MachineUsage(1000 << 10, 600 << 10, "proc", None, 1.5)


def test_any_cutting_of_the_stream_gives_the_same_end() -> None:
    data = fields() + rows(100, 200) + sys_line() + rows(101, 201) + sys_line(busy=20, idle=30)
    whole = feed(TelemetryParser(), data)
    reader = TelemetryParser()
    assert feed(reader, *(data[i : i + 1] for i in range(len(data)))) == whole
    assert whole.gpus[1].memory_used == 201 * MIB


def test_a_sample_in_two_pieces_shows_no_gap() -> None:
    reader = TelemetryParser()
    both = rows(100, 200)
    half = both.index(b"\n") + 1
    feed(reader, fields(), both)
    assert feed(reader, both[half:]).gpu_issues == ()


def test_processor_share_is_a_difference_and_a_container_has_its_own_memory() -> None:
    reader = TelemetryParser()
    assert feed(reader, sys_line()).machine.cpu is None
    machine = feed(
        reader, sys_line("500000", busy=40, idle=20, disk=" disk_total_kb=9 disk_free_kb=4")
    )
    assert machine.machine == MachineUsage(500000, 200000, "cgroup", 75.0, 1.5, 9 << 10, 4 << 10)
    assert feed(reader, sys_line()).machine.disk_free == 4 << 10  # asked for only now and then


def test_without_nvidia_smi_the_source_says_so() -> None:
    sample = feed(TelemetryParser(), b"@smi absent\n", sys_line())
    assert (sample.source, sample.gpus) == ("proc", ())
    assert sample.gpu_issues == (GpuIssue("remote.gpu.not_installed"),)
    assert "nvidia-smi" in issue_text(sample.gpu_issues[0]).zh


def test_what_a_failing_driver_said_stays_until_it_is_asked_again() -> None:
    reader = TelemetryParser()
    text = b"NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"
    sample = feed(reader, fields(), text, b"@smi ended 9\n", sys_line())
    assert [fault.code for fault in sample.gpu_issues] == ["remote.gpu.no_driver"]
    assert feed(reader, fields(), rows(5), sys_line()).gpu_issues == ()


def test_an_end_without_a_word_is_told_too() -> None:
    sample = feed(TelemetryParser(), fields(), b"@smi ended 255\n", sys_line())
    assert sample.gpu_issues == (GpuIssue("remote.gpu.smi_ended", "255"),)


def test_a_gpu_that_falls_silent_is_told_and_not_frozen_on_screen() -> None:
    reader = TelemetryParser()
    feed(reader, fields(), rows(100, 200), sys_line())
    for _ in range(7):
        sample = feed(reader, rows(100), sys_line())
    assert [gpu.index for gpu in sample.gpus] == [0]
    assert sample.gpu_issues == (GpuIssue("remote.gpu.gpu_missing", gpu=1),)


def test_all_gpus_silent_is_a_slow_driver_not_a_loss() -> None:
    reader = TelemetryParser()
    feed(reader, fields(), rows(100, 200))
    for _ in range(9):
        sample = feed(reader, sys_line())
    assert len(sample.gpus) == 2 and sample.gpu_issues == ()


def test_broken_bytes_are_no_figures() -> None:
    sample = feed(
        TelemetryParser(), b"\xff\xfe\n@sys mem_total_kb=x cpu_busy=9" + b"9" * 40 + b"\n"
    )
    assert sample.machine == MachineUsage()


def test_a_servers_words_cannot_own_the_terminal() -> None:
    evil = FULL.replace("NVIDIA Test", "\x1b]0;owned\x07\x1b[2JNVIDIA").format(i=0, used=1)
    sample = feed(TelemetryParser(), fields(), evil.encode() + b"\nodd \x1b[31mline\n")
    assert sample.gpus[0].name == "NVIDIA, Edition"
    assert sample.gpu_issues == (GpuIssue("remote.gpu.unreadable", "odd line"),)


@pytest.fixture
def smi(link: Any, tmp_path: Path) -> Callable[..., Any]:
    """Put the fake nvidia-smi on the link's PATH."""

    def install(text: str, **settings: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "nvidia-smi").unlink(missing_ok=True)
        (folder / "nvidia-smi").symlink_to(HERE / "fake_nvidia_smi")
        rows_file = tmp_path / "rows"
        rows_file.write_text(text)
        link.env.update(
            PATH=f"{folder}:{os.environ['PATH']}",
            FAKE_SMI_ROWS=str(rows_file),
            FAKE_SMI_LOG=str(tmp_path / "calls"),
            **settings,
        )
        return rows_file

    return install


def watch(link: Any, folder: Path, done: Callable[[TelemetrySample], bool]) -> TelemetrySample:
    watcher = TelemetryStream(lambda: link, str(folder), wait=lambda _: 0.05)
    deadline = time.monotonic() + 60
    for sample in watcher.samples():
        if done(sample) or time.monotonic() > deadline:
            watcher.close()
            assert done(sample), sample
            return sample
    raise AssertionError("the stream ended")


def test_the_whole_way_with_one_long_lived_process(link: Any, smi: Any, tmp_path: Path) -> None:
    rows_file = smi(rows(100, 200).decode())
    watch(link, tmp_path, lambda s: len(s.gpus) == 2 and s.machine.disk_free is not None)
    (tmp_path / "rows.next").write_text(rows(150, 200).decode())
    sample = watch(link, tmp_path, lambda s: bool(s.gpus) and s.gpus[0].memory_used == 150 * MIB)
    assert sample.source == "nvidia-smi" and rows_file.exists()
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 2 and all("--loop-ms=1000" in call for call in calls)  # one a watch


def test_an_old_driver_is_asked_for_less(link: Any, smi: Any, tmp_path: Path) -> None:
    minimal = "0, GPU-1, 512, 8192, 40, 55, Tesla Old"
    smi(minimal + "\n", FAKE_SMI_UNKNOWN="mig.mode.current")
    sample = watch(link, tmp_path, lambda s: bool(s.gpus))
    (gpu,) = sample.gpus
    assert (gpu.memory_used, gpu.memory_total, gpu.name) == (512 * MIB, 8192 * MIB, "Tesla Old")
    assert sample.gpu_issues == ()
    assert f"--query-gpu={','.join(MINIMAL_GPU_FIELDS)} " in (tmp_path / "calls").read_text()


def test_a_failing_driver_leaves_the_machines_figures(link: Any, smi: Any, tmp_path: Path) -> None:
    smi("No devices were found\n", FAKE_SMI_CODE="6")
    sample = watch(
        link, tmp_path, lambda s: bool(s.gpu_issues) and s.machine.memory_total is not None
    )
    assert (sample.source, sample.gpus) == ("proc", ())
    assert [fault.code for fault in sample.gpu_issues] == ["remote.gpu.no_devices"]


def test_nothing_is_left_behind_when_the_channel_goes(link: Any, smi: Any, tmp_path: Path) -> None:
    smi(rows(1).decode())
    watch(link, tmp_path, lambda s: bool(s.gpus))
    pids = [int(line.split()[0]) for line in (tmp_path / "calls").read_text().splitlines()]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}/exe").exists() for pid in pids):
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in pids)


def test_on_this_machine_without_a_gpu(link: Any, tmp_path: Path) -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has an nvidia-smi of its own")
    sample = watch(link, tmp_path, lambda s: s.machine.cpu is not None)
    assert sample.source == "proc" and (sample.machine.memory_used or 0) > 0
