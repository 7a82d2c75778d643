"""Servers are watched for long, and lines cut meanwhile: memory, threads and descriptors stay."""

from __future__ import annotations

import contextlib
import json
import os
import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
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
SAMPLE_EVERY_S = 10.0
# From so many seconds on the second half shows what stays: MB in ten minutes.
SLOPE_AFTER_S, MOST_SLOPE_MB = 1700.0, 1.0


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


@dataclass
class Watched:
    """A program on a terminal, and what it takes as time passes."""

    label: str
    program: PtyProgram
    memory: list[tuple[float, float]] = field(default_factory=list)  # (s, MB)

    def sample(self) -> Sample:
        process = psutil.Process(self.program.pid)
        return Sample(
            process.memory_info().rss / 2**20,
            process.num_threads(),
            process.num_fds(),
            self.program.cpu(),
            time.monotonic(),
        )

    def slope(self) -> float:
        """MB more in ten minutes, by the second half of what was seen: a straight line through it.

        Curves of 8,192 points have filled up by then, in a soak of half an hour.
        """
        times, sizes = zip(*self.memory[len(self.memory) // 2 :], strict=True)
        return statistics.linear_regression(times, sizes).slope * 600


@dataclass(frozen=True)
class Sample:
    """MB of memory, threads, descriptors, CPU seconds so far, and when."""

    megabytes: float
    threads: int
    descriptors: int
    cpu: float
    at: float


def pump(watched: Sequence[Watched], seconds: float) -> None:
    """Read what the programs paint, as a terminal does; AssertionError when one has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for one in watched:
            one.program.pump(0.1)
    for one in watched:
        assert one.program.exit_code() is None, f"{one.label} ended: {one.program.text[-500:]!r}"


def calm(watched: Sequence[Watched], cutter: LineCutter, lines: int) -> list[Sample]:
    """What each takes, once all `lines` stand again and nothing has come or gone for a while."""
    cutter.paused, limit = True, time.monotonic() + CALM_LIMIT_S
    before, since = list[tuple[int, int]](), time.monotonic()
    while time.monotonic() < min(since + CALM_S, limit):
        pump(watched, 0.2)
        now = [(one.threads, one.descriptors) for one in (each.sample() for each in watched)]
        if now != before or len(cutter.lines()) < lines:
            before, since = now, time.monotonic()
    cutter.paused = False
    return [one.sample() for one in watched]


def watch(watched: Sequence[Watched], lines: int, seconds: float, cutter: LineCutter) -> Outcome:
    """Let programs warm up, and hold the ends of `seconds` together."""
    pump(watched, max(WARM_UP_S, seconds / 5))
    before, outcome = calm(watched, cutter, lines), Outcome(len(watched))
    while time.monotonic() < before[-1].at + seconds:
        pump(watched, min(SAMPLE_EVERY_S, seconds / 10))
        for one in watched:
            now = one.sample()
            one.memory.append((now.at, now.megabytes))
    busy = [one.sample() for one in watched]
    after = calm(watched, cutter, lines)
    for one, first, end, last in zip(watched, before, busy, after, strict=True):
        passed = end.at - first.at
        percent, slope = (end.cpu - first.cpu) / passed * 100, one.slope()
        trend = f" ({slope:+.2f} in ten minutes)" if passed >= SLOPE_AFTER_S else ""
        outcome.notes.append(
            f"{one.label}: {first.megabytes:.1f} to {last.megabytes:.1f} MB{trend},"
            f" {first.threads} to {last.threads} threads,"
            f" {first.descriptors} to {last.descriptors} descriptors,"
            f" {percent:.1f} % of a core in {passed:.0f} s"
        )
        grown = last.megabytes - first.megabytes
        if grown > NOISE_MB + MOST_GROWTH_MB_A_MINUTE * passed / 60:
            outcome.failures.append(f"{one.label}: {grown:.1f} MB more")
        if passed >= SLOPE_AFTER_S and slope > MOST_SLOPE_MB:
            outcome.failures.append(f"{one.label}: {slope:.2f} MB more every ten minutes")
        for name in ("threads", "descriptors"):
            was, became = getattr(first, name), getattr(last, name)
            if became > was + MOST_MORE:
                outcome.failures.append(f"{one.label}: {was} {name} became {became}")
        if percent > MOST_CPU_PERCENT and passed > 60:  # before that its start is most of it
            outcome.failures.append(f"{one.label}: {percent:.0f} % of a core")
    return outcome


def soak(trials: int, seed: int, folder: Path) -> Outcome:
    """`ps --watch` and the dashboard side by side for `trials` seconds, at cut lines."""
    long = trials >= LONG_S
    count = SERVERS if long else FEW_SERVERS
    with watched_servers(folder, count) as (laptop, place), contextlib.ExitStack() as ends:
        writer = Writer(laptop.work)
        ends.callback(writer.end)
        cutter = LineCutter(place, seed, CUT_EVERY_S if long else FEW_CUT_EVERY_S)
        ends.callback(cutter.end)
        watched = []
        for label, word, words in (
            ("ps --watch", "tiny", ("ps", "--watch")),
            ("dashboard", "box1", ()),
        ):
            program = ends.enter_context(laptop.on_terminal(*words, keep_raw=False))
            program.wait_for(word, 90.0)
            watched.append(Watched(label, program))
        outcome = watch(watched, count * len(watched), trials, cutter)
    speed = f"{EVENTS_A_SECOND} events a second each"
    outcome.notes.append(f"{count} servers, {speed}, {cutter.cuts} cuts")
    return outcome
