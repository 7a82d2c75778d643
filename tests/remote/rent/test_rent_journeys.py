"""A slice of `make rent-proof`: nothing is left billing, nothing is destroyed before it is home."""

from __future__ import annotations

import pytest
from rent_proof import run_journeys


@pytest.mark.long
def test_fifty_journeys_keep_every_promise() -> None:
    outcomes = run_journeys(range(50))
    assert {one.seed: one.broken for one in outcomes if one.broken} == {}
    ways = {way for one in outcomes for way in one.ways}
    assert {"laptop died", "ended: stop", "ended: destroy", "found by rent ls"} <= ways
    assert {one.provider for one in outcomes} == {"runpod", "vast", "lambda", "autodl"}


@pytest.mark.long
def test_a_thousand_journeys_keep_every_promise() -> None:
    outcomes = run_journeys(range(50, 1050))
    assert {one.seed: one.broken for one in outcomes if one.broken} == {}
