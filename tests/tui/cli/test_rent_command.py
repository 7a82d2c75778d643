"""`sovdeck rent` on simulated providers: lists, agreements, ends, and what is refused."""

from __future__ import annotations

import io
import json
import math
import wave
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.rent.accounts import SIMULATED_KEY
from sovdeck.remote.rent.leases import Lease, LeaseBook, new_lease
from sovdeck.remote.rent.provider import Offer
from sovdeck.remote.rent.rented_voice import RentedVoice
from sovdeck.tui.cli.demo.cloud_server import serve_cloud
from sovdeck.tui.cli.demo.simulated_cloud import SimulatedCloud
from sovdeck.tui.cli.main import main

ANNA = RentedVoice("Anna", Path("anna.list").absolute(), None, "v2", {})


class Ring:
    kept: dict[str, object] = {}

    def get_password(self, account: str) -> object:
        return self.kept.get(account)

    def set_password(self, account: str, secret: object) -> None:
        self.kept[account] = secret


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A list of two clips of three seconds."""
    tone = array("h", (int(9000 * math.sin(n / 9)) for n in range(3 * 32000)))
    for name in ("one.wav", "two.wav"):
        with wave.open(str(tmp_path / name), "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(32000)
            wav.writeframes(tone.tobytes())
    path = tmp_path / "anna.list"
    path.write_text("one.wav|anna|en|Hello there.\ntwo.wav|anna|en|Good bye.\n")
    return path


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SimulatedCloud]:
    made = SimulatedCloud(start_s=0.0)
    Ring.kept = {}
    monkeypatch.setattr("sovdeck.tui.cli.commands.rent.SystemKeyring", Ring)
    monkeypatch.setenv("SOVDECK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SOVDECK_LANG", "en")
    monkeypatch.chdir(tmp_path)
    with serve_cloud("vast", made) as base:
        monkeypatch.setenv("SOVDECK_RENT_SIMULATORS", f"vast={base}")
        yield made


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*words: str) -> tuple[int, str]:
        code = main(["rent", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def rent(cloud: SimulatedCloud, *, hours: float = 12, home: bool = False) -> Lease:
    """A lease as the journey writes it, with its server in the cloud."""
    offer = Offer("vast", "RTX 4090", 24, 0.38, "USD")
    lease = new_lease(offer, ANNA, cloud.now, hours, "stop")
    book = LeaseBook(AppPaths.locate().leases_file)
    book.add(lease)
    instance = cloud.create(lease.name, 0.38)
    instance.listed_at = cloud.now
    changes = {"home_at": cloud.now} if home else {}
    return book.change(lease.name, instance=instance.id, server="vast-Anna", **changes)


Say = Callable[..., tuple[int, str]]


def test_offers_are_listed_by_the_price_of_the_voice(
    cloud: SimulatedCloud, say: Say, dataset: Path
) -> None:
    code, said = say("offers", "--voice", "Anna", "--list", str(dataset), "--preset", "v2")
    lines = said.splitlines()
    assert code == 0 and lines[0].split() == (
        ["NO.", "THIS", "VOICE", "HOURS", "AN", "HOUR", "GPU", "PROVIDER", "PLACE", "CPU", "UP"]
    )
    assert [line.split()[0] for line in lines[1:3]] == ["1", "2"]
    totals = [float(line.split()[1].partition("-")[0]) for line in lines[1:3]]
    assert totals == sorted(totals) and "Sweden" in said and "± 50 %" in said


def test_without_agreement_nothing_is_rented(
    cloud: SimulatedCloud, say: Say, dataset: Path
) -> None:
    given = ("--voice", "Anna", "--list", str(dataset), "--preset", "v2")
    for words, code in (((), 2), (("--offer", "9", "--yes"), 2), (("--offer", "1"), 2)):
        ended, said = say(*given, *words)
        assert ended == code and said.count("sovdeck: ") == 1
    assert cloud.creations == []


def test_what_is_missing_is_named(
    cloud: SimulatedCloud, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert say("offers")[0] == 2
    code, said = say("stop", "nobody")
    assert code == 2 and 'Nothing rented is called "nobody"' in said
    monkeypatch.delenv("SOVDECK_RENT_SIMULATORS")
    code, said = say("ls")
    assert code == 2 and "No provider has a key yet" in said and "sovdeck rent key" in said


def test_a_server_is_stopped_and_its_disk_destroyed(cloud: SimulatedCloud, say: Say) -> None:
    lease = rent(cloud)
    code, said = say("ls")
    assert code == 0 and "vast-Anna" in said and "running" in said
    code, said = say("stop", "vast-Anna")
    assert code == 0 and "vast-Anna is stopped; vast confirmed it" in said
    assert cloud.billing() == [] and cloud.destroyed == []
    code, said = say("destroy", "vast-Anna")
    assert code == 2 and "not everything of the voice Anna" in said
    code, said = say("destroy", "vast-Anna", "--confirm", "vast-anna")
    assert code == 2 and "is not the name of the server" in said and cloud.destroyed == []
    code, said = say("destroy", "vast-Anna", "--confirm", "vast-Anna")
    assert code == 0 and cloud.destroyed == [lease.name]
    assert "Nothing is rented." in say("ls")[1]


def test_a_voice_that_is_home_needs_no_name(cloud: SimulatedCloud, say: Say) -> None:
    lease = rent(cloud, home=True)
    code, said = say("destroy", "vast-Anna", "--json")
    records = [json.loads(line) for line in said.splitlines()]
    assert code == 0 and records[-1] == {"status": "ok", "name": "vast-Anna", "ended": True}
    assert cloud.destroyed == [lease.name]


def test_a_forgotten_server_is_said_with_its_remedy(cloud: SimulatedCloud, say: Say) -> None:
    cloud.virtual_now = 1_000_000.0  # long ago: its time is over
    rent(cloud, hours=1)
    code, said = say("ls")
    assert code == 0 and "costs money although nothing asks for it" in said
    assert "sovdeck rent stop vast-Anna" in said
    assert len(cloud.billing()) == 1  # nobody was there to agree


def test_spend_shows_each_rental_and_the_balance(cloud: SimulatedCloud, say: Say) -> None:
    rent(cloud)
    code, said = say("spend")
    assert code == 0 and "RTX 4090 at vast" in said and "Left at vast: 12.50 USD" in said


@pytest.mark.parametrize(("given", "code"), [(SIMULATED_KEY, 0), ("wrong", 7), ("", 2)])
def test_a_key_is_kept_once_the_provider_took_it(
    given: str, code: int, cloud: SimulatedCloud, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given + "\n"))
    ended, said = say("key", "vast")
    assert ended == code and (not given or given not in said)
    assert bool(Ring.kept) is (code == 0)
