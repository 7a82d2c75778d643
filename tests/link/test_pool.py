"""One link a server: shared, honest about its state, patient, and never pushy after a refusal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from gatehouse import wait_until
from servers import CutProxy, Place

from engine.contract.problem import ExitCode, Problem
from remote.hostspec import HostSpec
from remote.link import Link
from remote.pool import Pool, Status, pause, state_of

SPEC = HostSpec("host")


def unreachable() -> Problem:
    facts = {"place": "host", "why": "gone", "seconds": 1}
    return Problem("remote.link.unreachable", ExitCode.UNREACHABLE, **facts)


def refused(key: str = "remote.auth.refused") -> Problem:
    facts = {"server": "host", "user": "me", "tried": "-", "methods": "-"}
    facts |= {"host": "h", "fingerprint": "f", "old": "o", "since": "s", "forget": "x"}
    return Problem(key, ExitCode.REFUSED, **facts)


class FakeLink:
    def __init__(self) -> None:
        self.name = "host"
        self.dead = threading.Event()

    @property
    def alive(self) -> bool:
        return not self.dead.is_set()

    def why_dead(self) -> str:
        return "cut"

    def wait_closed(self, timeout: float) -> bool:
        return self.dead.wait(timeout)

    def close(self) -> None:
        self.dead.set()


class Script:
    """A connect function that plays its outcomes in turn, the last one for ever."""

    def __init__(self, *outcomes: object) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0
        self.links: list[FakeLink] = []

    def __call__(self) -> Link:
        outcome = self.outcomes[min(self.calls, len(self.outcomes) - 1)]
        self.calls += 1
        if isinstance(outcome, BaseException):
            raise outcome
        self.links.append(FakeLink())
        return cast(Link, self.links[-1])


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remote.pool._FIRST_PAUSE_S", 0.02)


def test_nothing_is_opened_until_it_is_wanted() -> None:
    script = Script("up")
    with Pool() as pool:
        pool.add("a", SPEC, script)
        assert pool.status("a").state == "offline" and script.calls == 0
        assert pool.link("a") is pool.link("a")
        assert pool.status("a").state == "up" and script.calls == 1
    assert script.links[0].dead.is_set()


def test_states_are_told_in_order() -> None:
    seen: list[str] = []
    script = Script(unreachable(), "up")
    with Pool(on_change=lambda s: seen.append(s.state)) as pool:
        pool.add("a", SPEC, script)
        with pytest.raises(Problem):
            pool.link("a")
        pool.link("a")
    assert seen == ["connecting", "offline", "connecting", "up"]


def test_many_callers_share_one_attempt() -> None:
    gate = threading.Event()
    calls = []

    def connect() -> Link:
        calls.append(1)
        gate.wait(5)
        raise unreachable()

    problems: list[Problem] = []

    def ask() -> None:
        try:
            pool.link("a")
        except Problem as problem:
            problems.append(problem)

    with Pool() as pool:
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
    with Pool() as pool:
        pool.add("a", SPEC, script)
        pool.keep("a")
        wait_until(lambda: pool.status("a").state == state)
        time.sleep(0.2)
        for _ in range(3):
            with pytest.raises(Problem):
                pool.link("a")
        assert script.calls == 1
        pool.retry("a")
        wait_until(lambda: pool.status("a").state == "up")
    assert script.calls == 2


def test_a_kept_link_comes_back() -> None:
    script = Script("up", unreachable(), unreachable(), "up")
    with Pool() as pool:
        pool.add("a", SPEC, script)
        pool.keep("a")
        wait_until(lambda: pool.status("a").state == "up")
        script.links[0].dead.set()
        wait_until(lambda: len(script.links) == 2)
        wait_until(lambda: pool.status("a").state == "up")
        assert script.calls == 4


def test_a_lost_link_is_seen_without_asking() -> None:
    seen: list[Status] = []
    script = Script("up", unreachable())
    with Pool(on_change=seen.append) as pool:
        pool.add("a", SPEC, script)
        pool.keep("a")
        wait_until(lambda: pool.status("a").state == "up")
        script.links[0].dead.set()
        wait_until(lambda: any(s.problem and s.problem.key == "remote.link.lost" for s in seen))


def test_a_removed_server_is_left_alone() -> None:
    script = Script("up")
    with Pool() as pool:
        pool.add("a", SPEC, script)
        pool.keep("a")
        wait_until(lambda: pool.status("a").state == "up")
        pool.remove("a")
        assert script.links[0].dead.is_set()
        with pytest.raises(KeyError):
            pool.status("a")
        time.sleep(0.1)
        assert script.calls == 1


def test_a_new_address_ends_the_old_link() -> None:
    script = Script("up")
    with Pool() as pool:
        pool.add("a", SPEC, script)
        pool.link("a")
        pool.add("a", SPEC, script)
        assert not script.links[0].dead.is_set()
        pool.add("a", HostSpec("other"), script)
        assert script.links[0].dead.is_set() and pool.status("a").state == "offline"


def test_pauses_grow_and_are_jittered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert [pause(n, lambda: 1.0) for n in (1, 2, 3, 6, 99)] == [1.0, 2.0, 4.0, 30.0, 30.0]
    assert pause(3, lambda: 0.0) == 2.0
    assert len({pause(3) for _ in range(20)}) > 10


def test_a_half_open_server_is_noticed_and_comes_back(
    embedded: Place, cut_proxy: Callable[[Place], CutProxy]
) -> None:
    proxy = cut_proxy(embedded)
    place = embedded.through(proxy)
    states: list[Any] = []
    with Pool(on_change=states.append) as pool:
        pool.add("a", place.spec, lambda: place.connect(timeout=3))
        pool.keep("a")
        wait_until(lambda: pool.status("a").state == "up")
        proxy.silent = True
        begun = time.monotonic()
        wait_until(lambda: any(s.state == "offline" for s in states))
        print(f"noticed after {time.monotonic() - begun:.1f} s")  # held to 4 s in test_pulse
        proxy.silent = False
        wait_until(lambda: pool.status("a").state == "up")
        assert pool.link("a").run(["echo", "back"]).out == b"back\n"
