"""The file of leases: what was rented is never forgotten, whatever else stands in the file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.rent.leases import LeaseBook, expiry_in_name, new_lease
from sovdeck.remote.rent.provider import Offer
from sovdeck.remote.rent.rented_voice import RentedVoice

OFFER = Offer("vast", "RTX 4090", 24.0, 0.4, "USD")
NOW = 1_800_000_000.0


def voice(name: str = "Anna") -> RentedVoice:
    params = {"sovits.epochs": 3, "sovits.text_lr_scale": 0.323456789, "gpt.dpo": True}
    return RentedVoice(name, Path("anna.list").absolute(), None, "v2Pro", params)


def test_a_lease_is_read_as_it_was_written(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path / "data" / "leases.jsonl")
    assert book.read() == []
    lease = new_lease(OFFER, voice("Anna 声"), NOW, 12, "stop")
    book.add(lease)
    other = new_lease(OFFER, voice("声音"), NOW, 1, "destroy")
    book.add(other)
    changed = book.change(lease.name, instance="4711", server="gpu")
    assert book.read() == [changed, other] and changed.instance == "4711"
    assert [book.find(name) for name in (lease.name, "gpu", "4711")] == [changed] * 3
    with pytest.raises(Problem, match='called "elsewhere"'):
        book.find("elsewhere")


def test_names_are_unique_and_say_until_when() -> None:
    names = {new_lease(OFFER, voice(), NOW, 12, "stop").name for _ in range(200)}
    assert len(names) == 200
    for name in names:
        assert name.startswith("sovdeck-anna-") and len(name) <= 64
        assert expiry_in_name(name) == NOW + 12 * 3600
    assert new_lease(OFFER, voice("声音"), NOW, 1, "stop").name.startswith("sovdeck-voice-")
    assert expiry_in_name("my-own-pod") is None
    assert expiry_in_name("sovdeck-anna-3f2a9c-until-20279930T0400") is None


def test_lines_that_are_no_lease_are_kept_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "leases.jsonl"
    book = LeaseBook(path)
    lease = new_lease(OFFER, voice(), NOW, 12, "stop")
    book.add(lease)
    strange = '{"name": 7}\nnot json\n[1]\n{"name": "x", "created_at": true, "end": "burn"}\n'
    path.write_text(strange + path.read_text())
    assert book.read() == [lease]
    book.change(lease.name, home_at=NOW)
    assert path.read_text().startswith(strange)


def test_cost_counts_until_the_end() -> None:
    lease = new_lease(OFFER, voice(), NOW, 12, "stop")
    assert lease.cost_at(NOW + 1800) == pytest.approx(0.2)
    unpriced = new_lease(Offer("autodl", "H800", 80, None, "CNY"), voice(), NOW, 1, "stop")
    assert unpriced.cost_at(NOW + 1800) is None


def test_a_stopped_server_costs_its_disk_alone(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path / "leases.jsonl")
    lease = new_lease(OFFER, voice(), NOW, 12, "stop")
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


@pytest.mark.parametrize("name", ["created_at", "expires_at", "home_at", "stopped_at", "idle_s"])
@pytest.mark.parametrize("odd", [1e300, 1e12, -1.0, float("inf"), float("nan"), 10**400, "1", True])
def test_a_time_that_no_clock_shows_is_none(tmp_path: Path, name: str, odd: object) -> None:
    """What names the days of a lease would raise, and end the dashboard."""
    book = LeaseBook(tmp_path / "leases.jsonl")
    lease = new_lease(OFFER, voice(), NOW, 12, "stop")
    book.add(lease)
    with (tmp_path / "leases.jsonl").open("a") as file:
        file.write(json.dumps({**asdict(lease), "rented": None, name: odd}) + "\n")
    assert book.read() == [lease]


def test_what_it_was_rented_for_is_read_as_it_was_written(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path / "leases.jsonl")
    rented = RentedVoice("Anna", Path("a.list"), Path("recordings"), "v2", {"gpt.dpo": True})
    lease = new_lease(OFFER, rented, NOW, 12, "stop")
    book.add(lease)
    (read,) = book.read()
    assert read.rented is not None and read.rented.list_file == Path("a.list").absolute()
    assert read.rented.wavs == Path("recordings").absolute()
    assert read.rented.params == {"gpt.dpo": True} and read.station == "create"
    # A lease that is not understood whole can still be ended, not gone on with.
    path = tmp_path / "leases.jsonl"
    path.write_text(path.read_text().replace("gpt.dpo", "gpt.of_a_later_version"))
    assert [one.rented for one in book.read()] == [None] and book.find(lease.name).is_open


def test_one_process_follows_a_journey(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path / "leases.jsonl")
    assert not book.is_followed("a")
    with book.following("a"):
        assert book.is_followed("a") and not book.is_followed("b")
        with pytest.raises(Problem, match="followed by another"), book.following("a"):
            pass
    assert not book.is_followed("a")
