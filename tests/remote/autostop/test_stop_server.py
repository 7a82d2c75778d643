"""What stops a server proves itself beforehand, and ends in a stopped server or a told person."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from simulated_providers import (
    KEY,
    RUNPODCTL,
    Fault,
    SimulatedServer,
    SwitchedOff,
    called_programs,
    http_interface,
    write_program,
)

from sovdeck.remote.agent import stop_server

NAMES = (
    "CONTAINER_ID",
    "CONTAINER_API_KEY",
    "VAST_CONTAINERLABEL",
    "RUNPOD_POD_ID",
    "RUNPOD_API_KEY",
    "RUNPOD_VOLUME_ID",
    "AutoDLContainerUUID",
)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A server that shows nothing: no provider's variables, no programs; returns its PATH."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(stop_server, "CONTAINER_ENVIRONMENT", tmp_path / "environ")
    monkeypatch.setattr(stop_server, "ENVIRONMENT_FILES", (tmp_path / "rp_environment",))
    monkeypatch.setattr(stop_server, "FIRST_PROCESS", tmp_path / "comm")
    monkeypatch.setattr(stop_server, "AUTODL_SHUTDOWN", str(tmp_path / "bin" / "shutdown"))
    return tmp_path / "bin"


def prove(way: str) -> dict[str, Any]:
    return stop_server.prove(way, sleep=lambda _: None)


class Rental:
    """A simulated server behind the real HTTP calls of one provider."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, way: str, server: SimulatedServer) -> None:
        self.server = server
        self.reports: list[dict[str, Any]] = []
        self.way = way
        self._monkeypatch = monkeypatch

    def __enter__(self) -> Rental:
        self._interface = http_interface(self.server)
        address = self._interface.__enter__()
        names = {
            "vast": ("VAST_API", "/api/v0/instances", "CONTAINER_ID", "CONTAINER_API_KEY"),
            "runpod": ("RUNPOD_API", "/v1/pods", "RUNPOD_POD_ID", "RUNPOD_API_KEY"),
        }
        if self.way in names:
            constant, path, id_name, key_name = names[self.way]
            self._monkeypatch.setattr(stop_server, constant, address + path)
            self._monkeypatch.setenv(id_name, self.server.id)
            self._monkeypatch.setenv(key_name, KEY)
        return self

    def __exit__(self, *exc: object) -> None:
        self._interface.__exit__(None, None, None)

    def stop(self) -> str:
        """Stop it; "stopped" or "told"."""
        try:
            stop_server.stop_until_off(self.way, self.reports.append, self.server.sleep)
        except SwitchedOff:
            return "stopped"
        assert self.reports[-1]["state"] == "gave_up"
        return "told"


@pytest.mark.parametrize("way", ["vast", "runpod"])
def test_the_own_instance_is_read_with_the_key_the_container_holds(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rental(monkeypatch, way, SimulatedServer()) as rental:
        found = prove(way)
        assert (found["proved"], found["way"]) == (True, way)
        assert prove("auto") == found
        assert all(call.startswith("GET") for _, call in rental.server.calls)
        assert rental.server.off_at is None
        assert rental.stop() == "stopped" and rental.server.destroyed == []


@pytest.mark.parametrize(
    ("way", "faults", "code"),
    [
        ("vast", [401], "bad_key"),
        ("vast", [403], "bad_key"),
        ("vast", [404], "answered"),
        ("vast", ["other"], "wrong_server"),
        ("vast", ["garbage"], "answered"),
        ("vast", [429, 429, 429], "busy"),
        ("vast", ["cut", "cut", "cut"], "unreachable"),
        ("vast", [302], "answered"),
        ("runpod", [401], "bad_key"),
        ("runpod", ["other"], "wrong_server"),
        ("runpod", [500, 502, 503], "busy"),
    ],
)
def test_a_proof_that_fails_says_why_and_never_shows_the_key(
    way: str, faults: list[Fault], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rental(monkeypatch, way, SimulatedServer(faults=faults)):
        found = prove(way)
    assert (found["proved"], found["code"]) == (False, code)
    assert KEY not in json.dumps(found)


def test_what_only_passes_does_not_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    with Rental(monkeypatch, "vast", SimulatedServer(faults=[429, "cut"])):
        assert prove("vast")["proved"]


def test_a_pod_with_a_network_volume_cannot_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    with Rental(monkeypatch, "runpod", SimulatedServer(network_volume=True)) as rental:
        assert prove("runpod")["code"] == "network_volume"
        monkeypatch.setenv("RUNPOD_VOLUME_ID", "vol1")
        assert prove("runpod")["code"] == "network_volume"
        assert len(rental.server.calls) == 1


@pytest.mark.parametrize(
    ("way", "variables", "code", "why"),
    [
        ("vast", {}, "no_id", "CONTAINER_ID"),
        ("vast", {"VAST_CONTAINERLABEL": "C.4711"}, "no_key", "CONTAINER_API_KEY"),
        ("vast", {"CONTAINER_ID": "../users", "CONTAINER_API_KEY": KEY}, "no_id", "CONTAINER_ID"),
        ("runpod", {}, "no_id", "RUNPOD_POD_ID"),
        ("runpod", {"RUNPOD_POD_ID": "abc"}, "no_key", "RUNPOD_API_KEY"),
        ("auto", {}, "no_provider", ""),
    ],
)
def test_what_the_container_does_not_hold_is_named(
    way: str,
    variables: dict[str, str],
    code: str,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert prove(way) == {"proved": False, "code": code, "why": why}


@pytest.mark.parametrize("place", ["environ", "rp_environment"])
def test_variables_are_found_where_an_ssh_session_does_not_show_them(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Rental(monkeypatch, "runpod", SimulatedServer()):
        monkeypatch.delenv("RUNPOD_POD_ID")
        monkeypatch.delenv("RUNPOD_API_KEY")
        words = {"RUNPOD_POD_ID": "4711", "RUNPOD_API_KEY": KEY}
        if place == "environ":
            text = "\0".join(f"{name}={value}" for name, value in words.items())
        else:
            text = "".join(f'export {name}="{value}"\n' for name, value in words.items())
        (tmp_path / place).write_text(text)
        assert prove("auto")["way"] == "runpod"


@pytest.mark.parametrize(
    ("generation", "calls"),
    [
        ("new", ["runpodctl pod get 4711", "runpodctl pod stop 4711"]),
        (
            "old",
            [
                "runpodctl pod get 4711",
                "runpodctl get pod 4711",
                "runpodctl pod stop 4711",
                "runpodctl stop pod 4711",
            ],
        ),
    ],
)
def test_runpodctl_in_both_spellings(
    generation: str, calls: list[str], bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(bare, "runpodctl", RUNPODCTL[generation])
    monkeypatch.setenv("RUNPOD_POD_ID", "4711")
    assert prove("runpod")["proved"]
    stop_server.WAYS["runpod"]().stop()
    assert called_programs(bare) == calls


def test_where_runpodctl_is_refused_the_http_interface_is_asked(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(bare, "runpodctl", RUNPODCTL["refused"])
    with Rental(monkeypatch, "runpod", SimulatedServer()) as rental:
        assert prove("runpod")["by"].startswith("GET http")
        assert rental.stop() == "stopped"
    assert not any(KEY in call for call in called_programs(bare))


def test_autodls_shutdown_is_looked_at_and_not_run(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_server.os, "geteuid", lambda: 0)
    assert prove("autodl")["code"] == "no_program"
    write_program(bare, "shutdown", "")
    assert prove("autodl")["proved"] and called_programs(bare) == []
    monkeypatch.setattr(stop_server.os, "geteuid", lambda: 1000)
    assert prove("autodl")["code"] == "not_root"
    stop_server.WAYS["autodl"]().stop()
    assert called_programs(bare) == ["shutdown "], "it takes no arguments"


def test_poweroff_only_where_it_ends_something(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(bare, "poweroff", "")
    (tmp_path / "comm").write_text("bash\n")
    assert prove("poweroff") == {"proved": False, "code": "container", "why": "bash"}
    (tmp_path / "comm").write_text("systemd\n")
    monkeypatch.setattr(stop_server.os, "geteuid", lambda: 1000)
    write_program(bare, "sudo", "exit 1")
    assert prove("poweroff")["code"] == "not_root"
    write_program(bare, "sudo", "")
    assert prove("poweroff")["proved"]
    stop_server.WAYS["poweroff"]().stop()
    assert called_programs(bare)[-1] == f"sudo -n {bare}/poweroff"


def test_a_program_that_hangs_is_given_up(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_server, "PROGRAM_TIMEOUT_S", 0.2)
    write_program(bare, "runpodctl", "exec sleep 30")
    monkeypatch.setenv("RUNPOD_POD_ID", "4711")
    assert prove("runpod")["code"] == "unreachable"


def test_retry_after_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    server = SimulatedServer(faults=[429, 429], retry_after=500)
    with Rental(monkeypatch, "vast", server) as rental:
        assert rental.stop() == "stopped"
    times = [at for at, _ in server.calls]
    assert [b - a for a, b in zip(times, times[1:], strict=False)] == [500, 500]


def test_tries_are_bounded_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    server = SimulatedServer(faults=[401] * 99)
    with Rental(monkeypatch, "vast", server) as rental:
        assert rental.stop() == "told"
    assert len(server.calls) == len(stop_server.PAUSES_S)
    assert rental.reports[-1]["why"].startswith("bad_key: HTTP 401")
    assert max(r["tries"] for r in rental.reports) == len(stop_server.PAUSES_S)
    assert KEY not in json.dumps(rental.reports)


def test_a_redirect_does_not_carry_the_key_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with Rental(monkeypatch, "vast", SimulatedServer(faults=[302])) as rental:
        with pytest.raises(stop_server.StopRefused):
            stop_server.Vast().stop()
        assert len(rental.server.calls) == 1


def run_journey(seed: int, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One seeded rental: faults of any kind and number, then the provider behaves."""
    chance = random.Random(seed)
    way = chance.choice(["vast", "runpod", "autodl", "poweroff"])
    kinds: list[Fault] = [429, 500, 502, 503, 401, 403, 404, "stale", "cut", "garbage", "refused"]
    # From none over a bad hour to a provider that never gives in.
    count = chance.choice([0, 1, 2, chance.randrange(3, 9), 60])
    server = SimulatedServer(
        takes=chance.uniform(1, 170),
        retry_after=chance.choice([0, 5, 900, 100_000]),
        faults=[chance.choice(kinds) for _ in range(count)],
    )
    hopeless = count == 60
    folder = bare.parent / f"journey{seed}"
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    folder.mkdir()
    if way == "runpod" and chance.random() < 0.5:
        write_program(folder, "runpodctl", RUNPODCTL["refused"])
    elif way in ("autodl", "poweroff"):
        # The program is refused so often, or ends well so often without effect.
        real = stop_server.run_program

        def run_program(argv: list[str], *names: str) -> str:
            fault = server.next_fault()
            assert not {"terminate", "destroy", "remove", "rm"} & set(argv)
            real(argv, *names)
            if fault is None:
                server.accept_stop()
            elif fault != "stale":
                raise stop_server.StopRefused("answered", str(fault))
            return ""

        monkeypatch.setattr(stop_server, "run_program", run_program)
        write_program(folder, "poweroff", "")
        write_program(folder, "sudo", "")
        monkeypatch.setattr(
            stop_server, "AUTODL_SHUTDOWN", str(write_program(folder, "shutdown", ""))
        )
    with Rental(monkeypatch, way, server) as rental:
        end = rental.stop()
    assert end == ("told" if hopeless else "stopped"), (seed, way, rental.reports[-3:])
    assert (end == "stopped") == (server.off_at is not None)
    assert server.destroyed == []
    assert KEY not in json.dumps([rental.reports, called_programs(folder)])
    # However patient, a person hears of it on the same night.
    assert server.now <= sum(stop_server.PAUSES_S) + 10 * stop_server.MAX_RETRY_AFTER_S


@pytest.mark.parametrize("seed", range(20))
def test_journeys(seed: int, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_journey(seed, bare, monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20, 220))
def test_two_hundred_journeys(seed: int, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_journey(seed, bare, monkeypatch)
