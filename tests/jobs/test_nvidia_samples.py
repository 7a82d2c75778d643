"""Every recorded nvidia-smi output reads as a person reviewed it, and no text breaks the parser.

The recordings themselves stay outside this repository (they are quoted from other projects);
the expectations and a few lines of our own make stand here.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote.nvidia import (
    FIELDS,
    Fault,
    Gpu,
    Reading,
    parse_apps,
    parse_ceiling,
    parse_gpus,
    parse_slices,
)

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "nvidia_smi_samples"
MIB = 1 << 20


def queried(command: str) -> tuple[str, ...]:
    """The field list a recorded command asked for."""
    for word in command.replace("--query-gpu ", "--query-gpu=").split():
        if word.startswith(("--query-gpu=", "--query-compute-apps=")):
            return tuple(word.split("=", 1)[1].split(","))
    return FIELDS


def index() -> dict[str, dict[str, Any]]:
    path = SAMPLES / "index.json"
    if not path.exists():
        return {}
    return {entry["file"]: entry for entry in json.loads(path.read_text())}


INDEX = index()


def sample(name: str) -> tuple[str, tuple[str, ...]]:
    if name not in INDEX:
        pytest.skip(f"the recorded nvidia-smi sample {name} is not beside this repository")
    return (SAMPLES / name).read_text(), queried(INDEX[name]["command"])


def gpu(row: Gpu) -> tuple[Any, ...]:
    """What a screen shows of a GPU, in MiB where it is memory."""

    def mib(value: int | None) -> int | None:
        return None if value is None else value // MIB

    return (row.index, mib(row.memory_used), mib(row.memory_total), row.utilisation, row.name)


H100 = "NVIDIA H100 80GB HBM3"
A100 = "NVIDIA A100-SXM4-80GB"
# file: (GPUs as shown, fault codes with GPU numbers)
EXPECTED: dict[str, tuple[list[tuple[Any, ...]], list[tuple[str, int | None]]]] = {
    "01_h100_sxm_load_590.csv": ([(0, 19818, 81559, 100.0, H100)], []),
    "02_h200_idle_590.csv": ([(0, 0, 143771, 0.0, "NVIDIA H200")], []),
    "03_h100_mig_load_590.csv": ([(0, 11125, 81559, None, H100)], []),
    "04_l40s_load_595.csv": ([(0, 1235, 46068, 9.0, "NVIDIA L40S")], []),
    "05_rtx4080s_idle_desktop_595.csv": (
        [(0, 596, 16376, 0.0, "NVIDIA GeForce RTX 4080 SUPER")], []),
    "06_rtx2080s_idle_610.csv": ([(0, 211, 8192, 0.0, "NVIDIA GeForce RTX 2080 SUPER")], []),
    "07_rtx2080s_windows_wddm_591.csv": (
        [(0, 1296, 8192, 7.0, "NVIDIA GeForce RTX 2080 SUPER")], []),
    "08_h100_sxm_load_590_header_units.csv": ([(0, 19818, 81559, 100.0, H100)], []),
    "20_a100_mig_container_no_permission_535.csv": ([(None, None, None, None, A100)], []),
    "21_gb10_unified_memory_580.csv": (
        [(None, None, None, 0.0, None), (None, None, None, 2.0, None),
         (None, None, None, 0.0, None)], []),
    "22_not_supported_vs_na.csv": (
        [(None, 0, 2004, 0.0, None), (None, 0, 2004, 0.0, None)], []),
    "23_rtx4090_1080ti_two_models.csv": (
        [(0, 22995, 24564, 93.0, "NVIDIA GeForce RTX 4090"),
         (1, 8, 11264, 0.0, "NVIDIA GeForce GTX 1080 Ti")], []),
    "24_a100_sxm_8gpu.csv": (
        [(i, used, 81920, util, A100) for i, (used, util) in enumerate(
            [(66147, 99.0), (77105, 0.0), (50803, 87.0), (57421, 99.0), (76651, 0.0), (0, 0.0),
             (6313, 39.0), (6247, 40.0)])], []),
    "25_v100_loop_csv.csv": (
        [(0, used, 32768, None, "Tesla V100-SXM2-32GB") for used in (1, 4, 4)], []),
    "26_l4_x4.csv": ([(i, None, 23034, None, "NVIDIA L4") for i in range(4)], []),
    "27_rtx3090_x2_515.csv": (
        [(0, 963, 24576, 1.0, "NVIDIA GeForce RTX 3090"),
         (1, 1, 24576, 0.0, "NVIDIA GeForce RTX 3090")], []),
    "28_a100_4g_mig_xml_535_as_csv.csv": ([(0, 50, 81920, None, A100)], []),
    "29_rtx3090_525_xml_as_csv.csv": ([(0, 1, 24576, 0.0, "NVIDIA GeForce RTX 3090")], []),
    "40_no_library_rc12.txt": ([], [("no_library", None)]),
    "41_no_driver_rc9.txt": ([], [("no_driver", None)]),
    "42_driver_library_mismatch_rc18.txt": ([], [("driver_mismatch", None)]),
    "43_no_devices_rc6.txt": ([], [("no_devices", None)]),
    "44_no_dev_permission_rc4.txt": ([], [("no_permission", None)]),
    "45_one_gpu_unknown_rc255.txt": ([], [("gpu_unknown", 1)]),
    "46_one_gpu_lost_mixed_rows.txt": (
        [(i, None, None, None, "NVIDIA GeForce RTX 3080") for i in (0, 1, 2, 4, 5)],
        [("gpu_unknown", 3)]),
    "47_gpu_is_lost_rc15.txt": ([], [("gpu_lost", 1)]),
    "48_gpu_requires_reset_rc255.txt": ([], [("gpu_reset", 0)]),
    "49_field_tokens_rc0.csv": (
        [(0, 1234, None, None, "NVIDIA Fake GPU")] * 5,
        [("gpu_lost", 0), ("gpu_reset", 0), ("gpu_unknown", 0)]),
    "50_unknown_field_rc2.txt": ([], [("unknown_field", None)]),
    "51_loop_ms.csv": ([(0, 1234, None, None, None)] * 4, []),
    "52_nvml_version_mismatch_rc255.txt": ([], [("shim_mismatch", None)]),
    "53_command_not_found_rc127.txt": ([], [("not_installed", None)] * 2),
}  # fmt: skip
# Forms that are no CSV query: the query reader must find no GPU in them (the lists and apps
# below have readers of their own).
NOT_QUERIES = ("09_list_L_h100_mig_590.txt", "12_dmon_h100_590.txt", "13_table_h100_mig_590.txt")
APPS = ("10_compute_apps_h100_590.csv", "11_compute_apps_windows_wddm_591.csv",
        "30_compute_apps_gb10.csv")  # fmt: skip


def test_every_recording_has_an_expectation() -> None:
    if not INDEX:
        pytest.skip("the recorded nvidia-smi samples are not beside this repository")
    assert set(INDEX) == {*EXPECTED, *NOT_QUERIES, *APPS}


@pytest.mark.parametrize("name", EXPECTED)
def test_recording_reads_as_reviewed(name: str) -> None:
    text, fields = sample(name)
    reading = parse_gpus(text, fields)
    gpus, faults = EXPECTED[name]
    assert [gpu(row) for row in reading.gpus] == gpus
    found = sorted((f.code.removeprefix("remote.gpu."), f.gpu) for f in reading.faults)
    assert found == sorted(faults, key=lambda pair: (pair[0], pair[1] or 0))


@pytest.mark.parametrize("name", NOT_QUERIES)
def test_other_forms_hold_no_rows(name: str) -> None:
    text, fields = sample(name)
    assert parse_gpus(text, fields).gpus == ()


def test_mig_instances_are_listed_under_their_gpu() -> None:
    text, _ = sample("09_list_L_h100_mig_590.txt")
    slices = parse_slices(text)
    assert [s.profile for s in slices] == ["3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"]
    assert {s.gpu_uuid for s in slices} == {"GPU-00000000-0000-0000-0000-000000000000"}
    assert len({s.uuid for s in slices}) == 4


def test_processes_and_their_memory() -> None:
    for name, memory in (
        ("10_compute_apps_h100_590.csv", [2566, 1542, 15690]),
        ("30_compute_apps_gb10.csv", [19135]),
    ):
        text, fields = sample(name)
        apps = parse_apps(text, fields)
        assert [app.memory for app in apps] == [mib * MIB for mib in memory]
        assert all(app.pid and app.name for app in apps)
    text, fields = sample("11_compute_apps_windows_wddm_591.csv")
    apps = parse_apps(text, fields)
    assert len(apps) > 3 and {app.memory for app in apps} == {None}


def test_the_tables_head_tells_the_newest_cuda() -> None:
    text, _ = sample("13_table_h100_mig_590.txt")
    assert parse_ceiling(text) == (13, 1)
    assert parse_ceiling("no table") is None


def test_details_of_a_full_row() -> None:
    row = ("0, GPU-1f, 00000000:01:00.0, 555.42, 24576, 100, 24000, 7, 3, 61, 120.50, 350.00, "
           "P2, Enabled, NVIDIA Odd, Name")  # fmt: skip
    assert parse_gpus(row).gpus == (
        Gpu(0, "GPU-1f", "00000000:01:00.0", "NVIDIA Odd, Name", "555.42", 24576 * MIB, 100 * MIB,
            24000 * MIB, 7.0, 3.0, 61.0, 120.5, 350.0, "P2", True),
    )  # fmt: skip


def test_missing_is_missing_and_its_word_is_kept() -> None:
    text = "0, GPU-1f, x, 1, [N/A], 0, [Insufficient Permissions], N/A, 0, 40, 1, 1, P0, N/A, G"
    (row,) = parse_gpus(text).gpus
    assert (row.memory_total, row.memory_used, row.memory_free) == (None, 0, None)
    assert (row.utilisation, row.mig) == (None, None)
    assert row.tokens["memory.free"] == "[Insufficient Permissions]"


def test_a_gap_in_the_numbers_is_told() -> None:
    fields = ("index", "name")
    assert parse_gpus("0, A\n3, B", fields).faults == (
        Fault("remote.gpu.gpu_missing", gpu=1),
        Fault("remote.gpu.gpu_missing", gpu=2),
    )


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    reading = parse_gpus(text)
    assert isinstance(reading, Reading)
    assert all(gpu.index is not None for gpu in reading.gpus)
    parse_apps(text), parse_slices(text), parse_ceiling(text)


@given(st.lists(st.sampled_from([
    "[N/A]", "0", "12.5 W", "100 %", "[GPU is lost]", "nan", "-1", "1e9", "NVIDIA, X", "MiB", "",
]), min_size=len(FIELDS), max_size=len(FIELDS) + 2))  # fmt: skip
def test_cells_become_numbers_or_none(cells: list[str]) -> None:
    for row in parse_gpus(", ".join(["0", *cells[1:]])).gpus:
        for value in (row.memory_used, row.utilisation, row.temperature, row.power):
            assert value is None or value == value
        assert replace(row, tokens={}).key
