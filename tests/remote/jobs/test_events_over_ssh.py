"""A run's events over real SSH that is cut again and again: the reader sees each one once."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.fold import RunState, fold
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.errors import ConnectionLost, is_lost_line
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.ssh.remote_tail import EventTail, RemoteTail

ROOT = Path(__file__).resolve().parents[3]
# Writes numbered events as the engine does: a line at a time, flushed, sometimes in two halves.
WRITER = """
import json, random, sys, time
random.seed(4)
with open("events.jsonl", "a") as file:
    for seq in range(int(sys.argv[1])):
        line = json.dumps({"v": 1, "seq": seq, "t": seq, "run": "r", "type": "step", "attempt": 1,
                           "stage": "gpt", "step": seq, "total": 9, "losses": {},
                           "note": "x" * random.randrange(300)}) + "\\n"
        cut = random.randrange(len(line))
        file.write(line[:cut]); file.flush()
        file.write(line[cut:]); file.flush()
        time.sleep(float(sys.argv[2]))
"""


def read_through_cuts(
    place: Any,
    proxy: Any,
    folder: Path,
    *,
    events: int,
    cuts: int,
    pause: float,
    half_open: float = 0.0,
    seed: int = 7,
) -> tuple[list[int], RunState, int]:
    code = folder / "code" / "abc"
    code.mkdir(parents=True)
    (code / "agent").symlink_to(ROOT / "remote" / "agent")
    deployed = Deployed(Layout.at(str(folder)), sys.executable, "abc")
    command = (sys.executable, "-c", WRITER, str(events), str(pause))
    with place.connect() as direct:
        run = job_client.launch_job(direct, deployed, "r", command)

    through = place.through(proxy)
    links: list[SSHConnection] = []
    chance = random.Random(seed)

    def source() -> SSHConnection:
        if not links or not links[-1].alive:
            if len(links) < cuts:
                # A handshake takes about 3 kB; half the cuts fall into it or soon after.
                # Silence is only noticed after seconds, so few cuts are of that kind.
                proxy.half_open = chance.random() < half_open
                earliest = 4_000 if proxy.half_open else 500
                proxy.cut_after = proxy.passed + chance.randrange(earliest, 12_000)
                proxy.delay = chance.choice((0.0, 0.0, 0.0, 0.002, 0.008))
            else:
                proxy.cut_after, proxy.half_open, proxy.delay = None, False, 0.0
            try:
                links.append(through.connect(timeout=10.0))
            except Problem as problem:  # as the pool of connections has it
                if is_lost_line(problem, worked=True):
                    raise ConnectionLost(place.spec.name, "cut in the log-in") from None
                raise
        return links[-1]

    tail = RemoteTail(
        source, str(run.folder.events), run_folder=str(run.folder.path), wait=lambda _: 0.01
    )
    reader = EventTail(tail)
    guard = threading.Timer(240, tail.close)
    guard.start()
    seen = list(reader)
    guard.cancel()
    for link in links:
        link.close()
    return [event.seq for event in seen], fold(RunState(), seen), len(links)


def check(result: tuple[list[int], RunState, int], events: int, cuts: int) -> None:
    seqs, state, links = result
    assert seqs == list(range(events))
    assert (state.gaps, state.repeats) == (0, 0)
    assert links > cuts * 0.5


def test_embedded_server(embedded: Any, cut_proxy: Callable[[Any], Any], tmp_path: Path) -> None:
    result = read_through_cuts(
        embedded, cut_proxy(embedded), tmp_path, events=120, cuts=8, pause=0.002
    )
    check(result, 120, 8)


@pytest.mark.sshd
def test_openssh_v4(sshd_v4: Any, cut_proxy: Callable[[Any], Any], tmp_path: Path) -> None:
    result = read_through_cuts(
        sshd_v4, cut_proxy(sshd_v4), tmp_path, events=120, cuts=8, pause=0.002
    )
    check(result, 120, 8)


def test_a_link_that_falls_silent_is_left_and_reading_goes_on(
    embedded: Any, cut_proxy: Callable[[Any], Any], tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"")
    first, second = cut_proxy(embedded), cut_proxy(embedded)
    ways = iter((first, second))
    links: list[SSHConnection] = []

    def source() -> SSHConnection:
        if not links or not links[-1].alive:
            links.append(embedded.through(next(ways)).connect(timeout=10.0))
        return links[-1]

    tail = RemoteTail(source, str(path), wait=lambda _: 0.01)
    events = iter(EventTail(tail))
    append(path, 0)
    assert next(events).seq == 0
    first.silent = True  # nothing is closed: only the silence tells
    append(path, 1)
    begun = time.monotonic()
    assert next(events).seq == 1
    assert time.monotonic() - begun < 8.0
    append(path, 2)
    assert next(events).seq == 2 and len(links) == 2
    tail.close()
    first.silent = False
    for link in links:
        link.close()


def append(path: Path, seq: int) -> None:
    payload = {"step": seq, "total": 9, "losses": {}}
    with path.open("a") as file:
        file.write(Event(seq, 0, "r", "step", stage="gpt", payload=payload).to_json() + "\n")


@pytest.mark.sshd
def test_openssh_v6_straight(sshd_v6: Any, cut_proxy: Any, tmp_path: Path) -> None:
    proxy = cut_proxy(sshd_v6)
    check(read_through_cuts(sshd_v6, proxy, tmp_path, events=60, cuts=2, pause=0.002), 60, 2)


@pytest.mark.long
@pytest.mark.sshd
@pytest.mark.slow
def test_two_hundred_cuts(sshd_v4: Any, cut_proxy: Callable[[Any], Any], tmp_path: Path) -> None:
    result = read_through_cuts(
        sshd_v4, cut_proxy(sshd_v4), tmp_path, events=3000, cuts=200, pause=0.0, half_open=0.03
    )
    check(result, 3000, 200)
