"""The file of leases: what was rented is never forgotten, whatever else stands in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.rent.leases import LeaseBook, expiry_in_name, new_lease
from sovdeck.remote.rent.provider import Offer

OFFER = Offer("vast", "RTX 4090", 24.0, 0.4, "USD")
NOW = 1_800_000_000.0


def test_a_lease_is_read_as_it_was_written(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path / "data" / "leases.jsonl")
    assert book.read() == []
    lease = new_lease(OFFER, "Anna 声", NOW, 12, "stop", "USD")
    book.add(lease)
    other = new_lease(OFFER, "声音", NOW, 1, "destroy", "USD")
    book.add(other)
    changed = book.change(lease.name, instance="4711", server="gpu")
    assert book.read() == [changed, other] and changed.instance == "4711"
    assert [book.find(name) for name in (lease.name, "gpu", "4711")] == [changed] * 3
    with pytest.raises(Problem, match='called "elsewhere"'):
        book.find("elsewhere")


def test_names_are_unique_and_say_until_when() -> None:
    names = {new_lease(OFFER, "Anna", NOW, 12, "stop", "USD").name for _ in range(200)}
    assert len(names) == 200
    for name in names:
        assert name.startswith("sovdeck-anna-") and len(name) <= 64
        assert expiry_in_name(name) == NOW + 12 * 3600
    assert new_lease(OFFER, "声音", NOW, 1, "stop", "USD").name.startswith("sovdeck-voice-")
    assert expiry_in_name("my-own-pod") is None
    assert expiry_in_name("sovdeck-anna-3f2a9c-until-20279930T0400") is None


def test_lines_that_are_no_lease_are_kept_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "leases.jsonl"
    book = LeaseBook(path)
    lease = new_lease(OFFER, "Anna", NOW, 12, "stop", "USD")
    book.add(lease)
    strange = '{"name": 7}\nnot json\n[1]\n{"name": "x", "created_at": true, "end": "burn"}\n'
    path.write_text(strange + path.read_text())
    assert book.read() == [lease]
    book.change(lease.name, home_at=NOW)
    assert path.read_text().startswith(strange)


def test_cost_counts_until_the_end() -> None:
    lease = new_lease(OFFER, "Anna", NOW, 12, "stop", "USD")
    assert lease.cost_at(NOW + 1800) == pytest.approx(0.2)
    unpriced = new_lease(Offer("autodl", "H800", 80, None, "CNY"), "A", NOW, 1, "stop", "CNY")
    assert unpriced.cost_at(NOW + 1800) is None


def test_a_stopped_server_costs_its_disk_alone(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path / "leases.jsonl")
    lease = new_lease(OFFER, "Anna", NOW, 12, "stop", "USD")
    book.add(lease)
    hour = 3600
    assert lease.cost_at(NOW + hour) == pytest.approx(0.4)
    stopped = book.note_stopped(lease.name, True, NOW + hour)
    assert book.note_stopped(lease.name, True, NOW + 2 * hour) == stopped, "seen stopped again"
    assert stopped.cost_at(NOW + 9 * hour) == pytest.approx(0.4)
    again = book.note_stopped(lease.name, False, NOW + 9 * hour)
    assert again.cost_at(NOW + 10 * hour) == pytest.approx(0.8)
    ended = book.change(lease.name, ended_at=NOW + 10 * hour)
    assert book.read() == [ended] and ended.cost_at(NOW + 99 * hour) == pytest.approx(0.8)
