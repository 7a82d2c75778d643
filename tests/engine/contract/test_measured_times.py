"""Times of updates predicted from measurements, and the rows that carry them."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from sovdeck.engine.contract.bench_row import FIGURES, UNITS, BenchRow, Figure
from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.estimate import update_seconds
from sovdeck.engine.contract.measured import Measurement, find_correction
from sovdeck.engine.contract.plan import PlanClip, PlanDevice, make_plan
from sovdeck.engine.contract.spec import RunSpec

GIB = 1 << 30


def modelled(one: Measurement) -> float:
    return update_seconds(
        one.stage, one.preset, one.batch, one.micro_batches, one.clip_seconds, "RTX 3090", 8
    )


def truth(stage: str, preset: str, batch: int) -> float:
    """A card that is slower than the model, and grows otherwise with the batch."""
    return 0.3 + 0.09 * batch * (1.25 if preset == "v2Pro" else 1.0)


ROWS = [
    Measurement("sovits", preset, batch, truth("sovits", preset, batch))
    for preset in ("v2", "v2Pro")
    for batch in (2, 4, 8)
]


@pytest.mark.parametrize("preset", ["v2", "v2Pro"])
@pytest.mark.parametrize("batch", [3, 6, 12])
def test_runs_that_were_not_measured_are_predicted_within_15_percent(
    preset: str, batch: int
) -> None:
    chance = random.Random(1)
    noisy = [replace(one, seconds=one.seconds * chance.uniform(0.97, 1.03)) for one in ROWS]
    found = find_correction(noisy, "sovits", preset, batch, modelled)
    assert found is not None and found.count == 6
    predicted = found.factor * modelled(Measurement("sovits", preset, batch, 1.0))
    assert predicted == pytest.approx(truth("sovits", preset, batch), rel=0.15)
    assert found.error is not None and found.error < 0.15


def test_the_error_tells_of_measurements_that_disagree() -> None:
    calm = find_correction(ROWS, "sovits", "v2", 4, modelled)
    wild = [replace(one, seconds=one.seconds * (3 if n % 2 else 1)) for n, one in enumerate(ROWS)]
    found = find_correction(wild, "sovits", "v2", 4, modelled)
    assert calm is not None and found is not None and calm.error is not None
    assert found.error is not None and found.error > 5 * calm.error
    assert find_correction(ROWS[:1], "sovits", "v2", 4, modelled).error is None  # type: ignore[union-attr]
    assert find_correction(ROWS, "gpt", "v2", 4, modelled) is None


def test_a_plan_takes_measured_times_and_says_their_error() -> None:
    spec = RunSpec("r", "V", "v2")
    clips = [PlanClip(5.0, 50)] * 110
    plain = PlanDevice("NVIDIA GeForce RTX 3090", 24 * GIB, 8)
    measured = replace(plain, measured=tuple(replace(one, seconds=9.0) for one in ROWS))
    before, after = make_plan(spec, clips, plain), make_plan(spec, clips, measured)
    assert before.stages[0].estimated and not after.stages[0].estimated
    assert after.stages[0].seconds > 3 * before.stages[0].seconds
    assert after.stages[1] == before.stages[1]  # of the GPT nothing was measured
    said = "\n".join(after.format_lines("en"))
    assert f"missed by {after.stages[0].error:.0%}" in said
    assert "measurements" not in "\n".join(before.format_lines("en"))


def row(**changes: Any) -> BenchRow:
    machine = {"device": "RTX", "device_kind": "cuda", "cpu": "X", "torch": "2.11.0", "cores": 8}
    made = BenchRow(
        1_700_000_000, "full", machine, (Figure("tokens", 886.0, "tokens_s", "batch 1"),), (*ROWS,)
    )
    return replace(made, **changes)


def test_a_row_survives_json() -> None:
    assert BenchRow.parse(json.loads(json.dumps(row().as_json()))) == row()
    assert row().device == "RTX"
    assert row(machine={"device_kind": "cpu", "cpu": "X", "device": "CPU"}).device == "X"
    assert row().canonical() == row().canonical() != row(made=1).canonical()


def test_a_row_says_how_long_a_sentence_takes() -> None:
    decode = Figure("decode", 2.0, "times_real", "v2")
    slower = Figure("tokens", 10.0, "tokens_s", "batch 4")
    said = row(figures=(slower, Figure("tokens", 50.0, "tokens_s", "batch 1"), decode))
    speech = said.measurements[-1]
    # Five seconds of sound: 125 tokens, and half a second of decoding for each second.
    assert (speech.stage, speech.seconds, speech.clip_seconds) == ("speech", 5.0, 5.0)
    assert said.measurements[:-1] == said.updates
    for figures in ((), (decode,), (decode, Figure("tokens", -1.0, "tokens_s", "batch 1"))):
        assert row(figures=figures).measurements == row().updates


@pytest.mark.parametrize(
    ("told", "clip_seconds"), [({}, 5.0), ({"clip_seconds": 1}, 1.0), ({"clip_seconds": -1}, None)]
)
def test_a_measured_update_says_how_long_its_clips_were(
    told: dict[str, Any], clip_seconds: float | None
) -> None:
    raw = {"stage": "gpt", "preset": "v2", "batch": 2, "seconds": 1.0, **told}
    found = Measurement.parse(raw)
    assert (found and found.clip_seconds) == clip_seconds


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {"v": 2},
        {"v": 1, "machine": {}, "made": "now", "figures": [], "updates": []},
        {"v": 1, "machine": {}, "made": 1, "figures": [{}] * 201, "updates": []},
        {"v": 1, "machine": {}, "made": 1, "figures": 3, "updates": []},
    ],
)
def test_what_is_no_row_is_none(raw: object) -> None:
    assert BenchRow.parse(raw) is None


def test_what_a_row_brings_is_clean_and_bounded() -> None:
    hostile = row().as_json()
    hostile["machine"] = {"device": "\x1b[2Jevil" + "x" * 500, "device_kind": "cuda"}
    hostile["figures"] = [
        {"name": "tokens", "value": float("inf"), "unit": "tokens_s", "detail": ""},
        {"name": "../etc", "value": 1, "unit": "tokens_s", "detail": ""},
        {"name": "tokens", "value": 1, "unit": "tokens_s", "detail": "\x07bell"},
    ]
    hostile["updates"] = [
        {"stage": "sovits", "preset": "v2", "batch": batch, "seconds": seconds}
        for batch, seconds in ((0, 1.0), (True, 1.0), (4, -1.0), (4, 1e9), (4, 0.5))
    ]
    found = BenchRow.parse(hostile)
    assert found is not None
    assert found.device.startswith("[2Jevil") and len(found.device) <= 120
    assert [(one.value, one.detail) for one in found.figures] == [(1.0, "bell")]
    assert [(one.batch, one.seconds) for one in found.updates] == [(4, 0.5)]


def test_every_figure_and_unit_has_its_words() -> None:
    for key in (*FIGURES, *(f"unit_{unit}" for unit in UNITS if unit != "bytes")):
        assert text(f"engine.bench.{key}").zh
