"""One link a server: shared, honest about its state, patient, and never pushy after a refusal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from scripted_sshd import wait_until
from servers import CutProxy, Place

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import ConnectionLost
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.ssh.pool import ConnectionPool, ConnectionStatus, retry_pause, state_of

SPEC = HostSpec("host")


def unreachable() -> Problem:
    facts = {"place": "host", "why": "gone", "seconds": 1}
    return Problem("remote.connection.unreachable", ExitCode.UNREACHABLE, **facts)


def refused(key: str = "remote.auth.refused") -> Problem:
    facts = {"server": "host", "user": "me", "tried": "-", "methods": "-"}
    facts |= {"host": "h", "fingerprint": "f", "old": "o", "since": "s", "why": "y"}
    return Problem(key, ExitCode.REFUSED, **facts)


class FakeConnection:
    def __init__(self) -> None:
        self.name = "host"
        self.dead = threading.Event()

    @property
    def alive(self) -> bool:
        return not self.dead.is_set()

    def failure_reason(self) -> str:
        return "cut"

    def close(self) -> None:
        self.dead.set()


class Script:
    """A connect function that plays its outcomes in turn, the last one for ever."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0
        self.links: list[FakeConnection] = []

    def __call__(self) -> SSHConnection:
        outcome = self.outcomes[min(self.calls, len(self.outcomes) - 1)]
        self.calls += 1
        if isinstance(outcome, BaseException):
            raise outcome
        self.links.append(FakeConnection())
        return cast(SSHConnection, self.links[-1])


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sovdeck.remote.ssh.pool._MIN_PAUSE_S", 0.02)


def test_nothing_is_opened_until_it_is_wanted() -> None:
    script = Script("up")
    with ConnectionPool() as pool:
        pool.add("a", SPEC, script)
        assert pool.status("a").state == "offline" and script.calls == 0
        assert pool.connection("a") is pool.connection("a")
        assert pool.status("a").state == "up" and script.calls == 1
    assert script.links[0].dead.is_set()


def test_states_are_told_in_order() -> None:
    seen: list[str] = []
    script = Script(unreachable(), "up")
    with ConnectionPool(on_change=lambda s: seen.append(s.state)) as pool:
        pool.add("a", SPEC, script)
        with pytest.raises(Problem):
            pool.connection("a")
        pool.connection("a")
    assert seen == ["connecting", "offline", "connecting", "up"]


def test_a_log_in_cut_off_where_one_worked_is_a_lost_line() -> None:
    script = Script("up", refused("remote.auth.cut_off"), "up")
    with ConnectionPool() as pool:
        pool.add("a", SPEC, script)
        pool.connection("a")
        script.links[0].close()
        with pytest.raises(ConnectionLost):
            pool.connection("a")
        assert pool.status("a").state == "offline" and pool.status("a").retry_in_s
        pool.connection("a")  # nobody had to ask for it
        assert pool.status("a").state == "up"


def test_many_callers_share_one_attempt() -> None:
    gate = threading.Event()
    calls = []

    def connect() -> SSHConnection:
        calls.append(1)
        gate.wait(5)
        raise unreachable()

    problems: list[Problem] = []

    def ask() -> None:
        try:
            pool.connection("a")
        except Problem as problem:
            problems.append(problem)

    with ConnectionPool() as pool:
        pool.add("a", SPEC, connect)
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for one in threads:
            one.start()
        wait_until(lambda: bool(calls))
        time.sleep(0.1)  # the others arrive and wait
        gate.set()
        for one in threads:
            one.join()
    assert len(calls) == 1 and len(problems) == 8


@pytest.mark.parametrize(
    ("key", "state"),
    [
        ("remote.auth.refused", "refused"),
        ("remote.auth.cut_off", "refused"),
        ("remote.host.key_changed", "refused"),
        ("remote.auth.needed", "auth-needed"),
        ("remote.host.key_unknown", "auth-needed"),
    ],
)
def test_a_refusal_is_not_tried_again_by_itself(key: str, state: str) -> None:
    assert state_of(refused(key)) == state
    script = Script(refused(key), "up")
    with ConnectionPool() as pool:
        pool.add("a", SPEC, script)
        for _ in range(4):
            with pytest.raises(Problem):
                pool.connection("a")
        assert script.calls == 1 and pool.status("a").state == state
        pool.retry("a")
        pool.connection("a")
        assert pool.status("a").state == "up"
    assert script.calls == 2


def test_a_lost_link_is_told_and_made_anew() -> None:
    seen: list[ConnectionStatus] = []
    script = Script("up", unreachable(), "up")
    with ConnectionPool(on_change=seen.append) as pool:
        pool.add("a", SPEC, script)
        pool.connection("a")
        script.links[0].dead.set()
        lost = pool.status("a")
        assert lost.problem is not None and lost.problem.key == "remote.connection.lost"
        with pytest.raises(Problem):
            pool.connection("a")
        pool.connection("a")
        states = [one.state for one in seen]
        assert states[2:] == ["offline", "connecting", "offline", "connecting", "up"]


def test_a_removed_server_is_left_alone() -> None:
    script = Script("up")
    with ConnectionPool() as pool:
        pool.add("a", SPEC, script)
        pool.connection("a")
        pool.remove("a")
        assert script.links[0].dead.is_set()
        with pytest.raises(KeyError):
            pool.status("a")


def test_a_new_address_ends_the_old_link() -> None:
    script = Script("up")
    with ConnectionPool() as pool:
        pool.add("a", SPEC, script)
        pool.connection("a")
        pool.add("a", SPEC, script)
        assert not script.links[0].dead.is_set()
        pool.add("a", HostSpec("other"), script)
        assert script.links[0].dead.is_set() and pool.status("a").state == "offline"


def test_pauses_grow_and_are_jittered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert [retry_pause(n, lambda: 1.0) for n in (1, 2, 3, 6, 99)] == [1.0, 2.0, 4.0, 30.0, 30.0]
    assert retry_pause(3, lambda: 0.0) == 2.0
    assert len({retry_pause(3) for _ in range(20)}) > 10


def test_a_half_open_server_is_noticed_and_comes_back(
    embedded: Place, cut_proxy: Callable[[Place], CutProxy]
) -> None:
    proxy = cut_proxy(embedded)
    place = embedded.through(proxy)
    states: list[Any] = []
    with ConnectionPool(on_change=states.append) as pool:
        pool.add("a", place.spec, lambda: place.connect(timeout=3))
        pool.connection("a")
        proxy.silent = True
        wait_until(lambda: pool.status("a").state == "offline")
        assert states[-1].state == "offline"
        proxy.silent = False
        assert pool.connection("a").run(["echo", "back"]).out == b"back\n"
