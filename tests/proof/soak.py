"""Servers are watched for long, and lines cut meanwhile: memory, threads and descriptors stay."""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
from laptop import Laptop, write_project
from report import Outcome
from servers import Place, start_sshd, stop_sshd
from trip_steps import Nobody

from benchmarks.pty_driver import PtyProgram
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.servers.add import register

EVENTS_A_SECOND = 10
SERVERS, FEW_SERVERS = 32, 4
LONG_S = 120.0  # from which on all servers are watched
CUT_EVERY_S, FEW_CUT_EVERY_S = 2.0, 0.5
MOST_MORE = 2  # threads and descriptors of the moment; a leak has one a cut
# As long nothing comes or goes, with every line standing, before it is measured.
CALM_S, CALM_LIMIT_S = 6.0, 120.0
MOST_CPU_PERCENT = 10.0
WARM_UP_S = 20.0  # connections, screens and threads of the first look
# After warm-up: what a curve of its own may take, and the noise of a measurement.
MOST_GROWTH_MB_A_MINUTE, NOISE_MB = 0.1, 8.0


class Writer:
    """Appends events of a run as an engine does, until it is told to end."""

    def __init__(self, work: Path) -> None:
        run = work / "runs" / "20260101-000000-tiny"
        run.mkdir(parents=True)
        (run / "spec.json").write_text(json.dumps({"run": run.name, "voice": "Tiny"}))
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        start = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
        mine = f'"pid":{os.getpid()},"start":{start}'
        pid = (
            f'{{"attempt":1,{mine},"boot":"{boot}","child":{os.getpid()},"child_start":{start}}}\n'
        )
        (run / "pid.json").write_text(pid)
        self._run, self._over = run, threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        head = {"v": 1, "t": 1, "run": self._run.name, "attempt": 1, "stage": "gpt"}
        with (self._run / "events.jsonl").open("a") as file:
            seq = 0
            while not self._over.wait(1 / EVENTS_A_SECOND):
                step = {"type": "step", "step": seq, "total": 10**6, "losses": {"total": 1.0}}
                file.write(json.dumps({**head, "seq": seq, **step}) + "\n")
                file.flush()
                seq += 1
                (self._run / "beat").touch()

    def end(self) -> None:
        self._over.set()
        self._thread.join()


class LineCutter:
    """Kills one log-in of the server after another: its line is cut, and dialled again."""

    def __init__(self, place: Place, seed: int, seconds: float) -> None:
        """`seconds` from one cut to the next."""
        self.cuts, self.paused = 0, False
        self._seconds = seconds
        self._place, self._chance, self._over = place, random.Random(seed), threading.Event()
        self._thread = threading.Thread(target=self._cut, daemon=True)
        self._thread.start()

    def lines(self) -> list[psutil.Process]:
        """The log-ins that stand, one process of the server each."""
        return psutil.Process(self._place.process.pid).children()

    def _cut(self) -> None:
        while not self._over.wait(self._seconds):
            with contextlib.suppress(psutil.Error, IndexError):
                if not self.paused:
                    self._chance.choice(self.lines()).kill()
                    self.cuts += 1

    def end(self) -> None:
        self._over.set()
        self._thread.join()


@contextlib.contextmanager
def watched_servers(folder: Path, count: int) -> Iterator[tuple[Laptop, Place]]:
    """A laptop with `count` servers: one sshd at as many addresses, deployed to once."""
    place = start_sshd(folder / "sshd", "0.0.0.0")
    try:
        laptop = Laptop(folder / "laptop", folder / "work")
        write_project(laptop)
        paths = AppPaths.below(laptop.home)
        for number in range(1, count + 1):
            spec = replace(place.spec, host=f"127.0.0.{number}")
            config = load_config(laptop.project, paths)
            accept = frozenset({place.fingerprint})
            register(spec.format(), config, paths, Nobody(), name=f"box{number}", accept=accept)
        laptop.must("deploy", "box1", limit=300.0)
        yield laptop, place
    finally:
        stop_sshd(place)


def sample(program: PtyProgram, cutter: LineCutter, count: int) -> tuple[float, int, int]:
    """(MB of memory, threads, descriptors) of the program, once all `count` lines stand again."""
    process = psutil.Process(program.pid)
    cutter.paused, limit = True, time.monotonic() + CALM_LIMIT_S
    before, since = (0, 0), time.monotonic()
    while time.monotonic() < min(since + CALM_S, limit):
        program.pump(0.2)
        now = process.num_threads(), process.num_fds()
        if now != before or len(cutter.lines()) < count:
            before, since = now, time.monotonic()
    cutter.paused = False
    return process.memory_info().rss / 2**20, *before


def watch(
    label: str,
    start: Callable[[], PtyProgram],
    word: str,
    count: int,
    seconds: float,
    cutter: LineCutter,
    outcome: Outcome,
) -> None:
    """Run a program on `count` lines, let it warm up, and hold the ends of `seconds` together."""
    with start() as program:
        program.wait_for(word, 90.0)
        end = time.monotonic() + max(WARM_UP_S, seconds / 5)
        while time.monotonic() < end:
            program.pump(0.2)
        before, cpu, began = sample(program, cutter, count), program.cpu(), time.monotonic()
        while time.monotonic() < began + seconds:
            program.pump(0.2)
        passed = time.monotonic() - began
        percent = (program.cpu() - cpu) / passed * 100
        after = sample(program, cutter, count)
        outcome.trials += 1
        assert program.exit_code() is None, program.text[-500:]
    outcome.notes.append(
        f"{label}: {before[0]:.1f} to {after[0]:.1f} MB, {before[1]} to {after[1]} threads,"
        f" {before[2]} to {after[2]} descriptors, {percent:.1f} % of a core in {passed:.0f} s"
    )
    most = NOISE_MB + MOST_GROWTH_MB_A_MINUTE * passed / 60
    if after[0] - before[0] > most:
        outcome.failures.append(f"{label}: {before[0]:.1f} MB became {after[0]:.1f} MB")
    for name, one, other in zip(("threads", "descriptors"), before[1:], after[1:], strict=True):
        if other > one + MOST_MORE:
            outcome.failures.append(f"{label}: {one} {name} became {other}")
    if percent > MOST_CPU_PERCENT and passed > 60:  # before that its start is most of it
        outcome.failures.append(f"{label}: {percent:.0f} % of a core")


def soak(trials: int, seed: int, folder: Path) -> Outcome:
    """`ps --watch` and the dashboard for `trials` seconds in all, at cut lines."""
    outcome = Outcome()
    long = trials >= LONG_S
    count = SERVERS if long else FEW_SERVERS
    with watched_servers(folder, count) as (laptop, place):
        writer = Writer(laptop.work)
        cutter = LineCutter(place, seed, CUT_EVERY_S if long else FEW_CUT_EVERY_S)
        try:
            for label, word, words in (
                ("ps --watch", "tiny", ("ps", "--watch")),
                ("dashboard", "box1", ()),
            ):
                start = partial(laptop.on_terminal, *words)
                watch(label, start, word, count, trials / 2, cutter, outcome)
        finally:
            cutter.end()
            writer.end()
    speed = f"{EVENTS_A_SECOND} events a second each"
    outcome.notes.append(f"{count} servers, {speed}, {cutter.cuts} cuts")
    return outcome
