"""What the report computes the quick way comes to what its definition says."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.contract.dataset import report
from sovdeck.engine.contract.dataset.check import CheckedDataset
from sovdeck.engine.contract.dataset.clip import ClipMeasurement
from sovdeck.engine.contract.dataset.items import DatasetItem, DatasetManifest


@given(
    usual=st.floats(0.5, 40),
    spread=st.just(0.0) | st.floats(0.01, 2),
    factor=st.floats(-5, 5).map(lambda power: 2.0**power),
)
def test_a_pace_is_odd_by_its_deviation_and_its_proportion(
    usual: float, spread: float, factor: float
) -> None:
    statistics, pace = report._PaceStatistics(usual, spread), usual * factor
    deviation = math.log(pace / usual) / spread if spread else 0.0
    odd = abs(deviation) > 3.5 and max(pace / usual, usual / pace) > 1.35
    assert statistics.is_odd(pace) is odd


@given(seconds=st.lists(st.sampled_from([0.5, 1.0, 2.0, 4.9, 5.0, 10.0, 38.0, 53.9, 54.0, 60.0])))
def test_each_length_is_counted_from_its_lower_edge_on(seconds: list[float]) -> None:
    items = tuple(
        DatasetItem(line, f"{line}.wav", Path("x.wav"), "mei", "en", "some words")
        for line in range(len(seconds))
    )
    facts = {f"{line}.wav": ClipMeasurement(one, 32_000, 1) for line, one in enumerate(seconds)}
    found = report.make_report(CheckedDataset(DatasetManifest(Path("a.list"), items), facts))
    assert found.histogram == tuple(
        (low, high, sum(low <= one < high for one in seconds)) for low, high, _ in found.histogram
    )
    assert len(found.histogram) == len(report.HISTOGRAM_EDGES_S) - 1


TEXTS = ["a word", "some words", "many more words", "слово", "w" * 400, "a much longer text " * 5]


@given(
    clips=st.lists(
        st.tuples(
            st.sampled_from(["en", "zh"]),
            st.sampled_from(TEXTS),
            st.none() | st.floats(0.5, 20),
            st.floats(-40, -10),
        ),
        min_size=1,
        max_size=30,
    ),
    corrections=st.lists(st.tuples(st.integers(0, 29), st.sampled_from(TEXTS)), max_size=3),
)
def test_a_corrected_text_comes_to_the_report_of_the_whole_list(
    clips: list[tuple[str, str, float | None, float]], corrections: list[tuple[int, str]]
) -> None:
    items = [
        DatasetItem(line, f"{line}.wav", Path("x.wav"), "mei", language, words)
        for line, (language, words, _, _) in enumerate(clips)
    ]
    facts = {
        f"{line}.wav": ClipMeasurement(seconds, 32_000, 1, level_db=level, noise_db=-35.0)
        for line, (_, _, seconds, level) in enumerate(clips)
        if seconds is not None
    }

    def listed() -> CheckedDataset:
        return CheckedDataset(DatasetManifest(Path("a.list"), tuple(items)), facts)

    found = report.make_report(listed())
    for number, words in corrections:
        before = items[number % len(items)]
        items[number % len(items)] = replace(before, text=words)
        found = report.update_report(found, listed(), before)
        whole = report.make_report(listed())
        assert found.as_json() == whole.as_json()
        assert found.pace_statistics == whole.pace_statistics
