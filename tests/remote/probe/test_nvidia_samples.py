"""Every form of nvidia-smi output reads as a person reviewed it, and no text breaks the parser.

tests/data/nvidia_smi.json has the forms that real drivers were seen to print (columns, words in
brackets, messages, exit codes), with identifiers and figures of our own.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovdeck.remote.probe.nvidia_smi import (
    GPU_FIELDS,
    Gpu,
    GpuIssue,
    SmiReading,
    parse_driver_cuda,
    parse_gpus,
    parse_mig_instances,
)

SAMPLES = json.loads(
    (Path(__file__).resolve().parents[2] / "data" / "nvidia_smi.json").read_text("utf-8")
)
MIB = 1 << 20


def sample(name: str) -> tuple[str, tuple[str, ...]]:
    """The text, and the fields that were asked for."""
    return SAMPLES[name]["text"], tuple(SAMPLES[name]["fields"])


def gpu(row: Gpu) -> tuple[Any, ...]:
    """What a screen shows of a GPU, in MiB where it is memory."""

    def mib(value: int | None) -> int | None:
        return None if value is None else value // MIB

    return (row.index, mib(row.memory_used), mib(row.memory_total), row.utilisation, row.name)


H100 = "NVIDIA H100 80GB HBM3"
A100 = "NVIDIA A100-SXM4-80GB"
# file: (GPUs as shown, fault codes with GPU numbers)
EXPECTED: dict[str, tuple[list[tuple[Any, ...]], list[tuple[str, int | None]]]] = {
    "h100_sxm_load_590": ([(0, 19818, 81559, 100.0, H100)], []),
    "h200_idle_590": ([(0, 0, 143771, 0.0, "NVIDIA H200")], []),
    "h100_mig_load_590": ([(0, 11125, 81559, None, H100)], []),
    "l40s_load_595": ([(0, 1235, 46068, 9.0, "NVIDIA L40S")], []),
    "rtx4080s_idle_desktop_595": (
        [(0, 596, 16376, 0.0, "NVIDIA GeForce RTX 4080 SUPER")],
        [],
    ),
    "rtx2080s_idle_610": ([(0, 211, 8192, 0.0, "NVIDIA GeForce RTX 2080 SUPER")], []),
    "rtx2080s_windows_wddm_591": (
        [(0, 1296, 8192, 7.0, "NVIDIA GeForce RTX 2080 SUPER")],
        [],
    ),
    "h100_sxm_load_590_header_units": ([(0, 19818, 81559, 100.0, H100)], []),
    "a100_mig_container_no_permission_535": ([(None, None, None, None, A100)], []),
    "gb10_unified_memory_580": (
        [
            (None, None, None, 0.0, None),
            (None, None, None, 2.0, None),
            (None, None, None, 0.0, None),
        ],
        [],
    ),
    "not_supported_vs_na": ([(None, 0, 2004, 0.0, None), (None, 0, 2004, 0.0, None)], []),
    "rtx4090_1080ti_two_models": (
        [
            (0, 22995, 24564, 93.0, "NVIDIA GeForce RTX 4090"),
            (1, 8, 11264, 0.0, "NVIDIA GeForce GTX 1080 Ti"),
        ],
        [],
    ),
    "a100_sxm_8gpu": (
        [
            (i, used, 81920, util, A100)
            for i, (used, util) in enumerate(
                [
                    (66147, 99.0),
                    (77105, 0.0),
                    (50803, 87.0),
                    (57421, 99.0),
                    (76651, 0.0),
                    (0, 0.0),
                    (6313, 39.0),
                    (6247, 40.0),
                ]
            )
        ],
        [],
    ),
    "v100_loop_csv": (
        [(0, used, 32768, None, "Tesla V100-SXM2-32GB") for used in (1, 4, 4)],
        [],
    ),
    "l4_x4": ([(i, None, 23034, None, "NVIDIA L4") for i in range(4)], []),
    "rtx3090_x2_515": (
        [
            (0, 963, 24576, 1.0, "NVIDIA GeForce RTX 3090"),
            (1, 1, 24576, 0.0, "NVIDIA GeForce RTX 3090"),
        ],
        [],
    ),
    "a100_4g_mig_xml_535_as_csv": ([(0, 50, 81920, None, A100)], []),
    "rtx3090_525_xml_as_csv": ([(0, 1, 24576, 0.0, "NVIDIA GeForce RTX 3090")], []),
    "no_library_exit_12": ([], [("no_library", None)]),
    "no_driver_exit_9": ([], [("no_driver", None)]),
    "driver_library_mismatch_exit_18": ([], [("driver_mismatch", None)]),
    "no_devices_exit_6": ([], [("no_devices", None)]),
    "no_dev_permission_exit_4": ([], [("no_permission", None)]),
    "one_gpu_unknown_exit_255": ([], [("gpu_unknown", 1)]),
    "one_gpu_lost_mixed_rows": (
        [(i, None, None, None, "NVIDIA GeForce RTX 3080") for i in (0, 1, 2, 4, 5)],
        [("gpu_unknown", 3)],
    ),
    "gpu_is_lost_exit_15": ([], [("gpu_lost", 1)]),
    "gpu_requires_reset_exit_255": ([], [("gpu_reset", 0)]),
    "field_tokens_exit_0": (
        [(0, 1234, None, None, "NVIDIA Fake GPU")] * 5,
        [("gpu_lost", 0), ("gpu_reset", 0), ("gpu_unknown", 0)],
    ),
    "unknown_field_exit_2": ([], [("unknown_field", None)]),
    "loop_ms": ([(0, 1234, None, None, None)] * 4, []),
    "nvml_version_mismatch_exit_255": ([], [("shim_mismatch", None)]),
    "command_not_found_exit_127": ([], [("not_installed", None)] * 2),
}
# Forms that are no CSV query: the query reader must find no GPU in them (the list and the
# table have readers of their own).
NOT_QUERIES = ("list_L_h100_mig_590", "dmon_h100_590", "table_h100_mig_590")


def test_every_sample_has_an_expectation() -> None:
    assert set(SAMPLES) == {*EXPECTED, *NOT_QUERIES}


@pytest.mark.parametrize("name", EXPECTED)
def test_recording_reads_as_reviewed(name: str) -> None:
    text, fields = sample(name)
    reading = parse_gpus(text, fields)
    gpus, faults = EXPECTED[name]
    assert [gpu(row) for row in reading.gpus] == gpus
    found = sorted((f.code.removeprefix("remote.gpu."), f.gpu) for f in reading.issues)
    assert found == sorted(faults, key=lambda pair: (pair[0], pair[1] or 0))


@pytest.mark.parametrize("name", NOT_QUERIES)
def test_other_forms_hold_no_rows(name: str) -> None:
    text, fields = sample(name)
    assert parse_gpus(text, fields).gpus == ()


def test_mig_instances_are_listed_under_their_gpu() -> None:
    text, _ = sample("list_L_h100_mig_590")
    slices = parse_mig_instances(text)
    assert [s.profile for s in slices] == ["3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"]
    assert {s.gpu_uuid for s in slices} == {"GPU-00000000-0000-0000-0000-000000000000"}
    assert len({s.uuid for s in slices}) == 4


def test_the_tables_head_tells_the_newest_cuda() -> None:
    text, _ = sample("table_h100_mig_590")
    assert parse_driver_cuda(text) == (13, 1)
    assert parse_driver_cuda("no table") is None


def test_details_of_a_full_row() -> None:
    row = "0, GPU-1f, 555.42, 24576, 100, 24000, 7, 3, 61, 120.50, Enabled, NVIDIA Odd, Name"
    assert parse_gpus(row).gpus == (
        Gpu(
            0,
            "GPU-1f",
            "NVIDIA Odd, Name",
            "555.42",
            24576 * MIB,
            100 * MIB,
            24000 * MIB,
            7.0,
            3.0,
            61.0,
            120.5,
            True,
        ),
    )


def test_missing_is_missing_and_its_word_is_kept() -> None:
    text = "0, GPU-1f, 1, [N/A], 0, [Insufficient Permissions], N/A, 0, 40, 1, N/A, G"
    (row,) = parse_gpus(text).gpus
    assert (row.memory_total, row.memory_used, row.memory_free) == (None, 0, None)
    assert (row.utilisation, row.mig) == (None, None)
    assert row.tokens["memory.free"] == "[Insufficient Permissions]"


def test_a_gap_in_the_numbers_is_told() -> None:
    fields = ("index", "name")
    assert parse_gpus("0, A\n3, B", fields).issues == (
        GpuIssue("remote.gpu.gpu_missing", gpu=1),
        GpuIssue("remote.gpu.gpu_missing", gpu=2),
    )


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    reading = parse_gpus(text)
    assert isinstance(reading, SmiReading)
    assert all(gpu.index is not None for gpu in reading.gpus)
    parse_mig_instances(text), parse_driver_cuda(text)


@given(
    st.lists(
        st.sampled_from(
            [
                "[N/A]",
                "0",
                "12.5 W",
                "100 %",
                "[GPU is lost]",
                "nan",
                "-1",
                "1e9",
                "NVIDIA, X",
                "MiB",
                "",
            ]
        ),
        min_size=len(GPU_FIELDS),
        max_size=len(GPU_FIELDS) + 2,
    )
)
def test_cells_become_numbers_or_none(cells: list[str]) -> None:
    for row in parse_gpus(", ".join(["0", *cells[1:]])).gpus:
        for value in (row.memory_used, row.utilisation, row.temperature, row.power):
            assert value is None or value == value
        assert replace(row, tokens={}).key
