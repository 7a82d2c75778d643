"""The promises, and what tries each. Built from the tests that hold them one by one."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
from functools import partial
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(TESTS.parent),
    str(TESTS),
    *(str(TESTS / one) for one in ("proof", "e2e", "remote", "remote/transfer", "remote/jobs")),
    str(TESTS / "remote" / "rent"),
    *(str(TESTS / "engine" / one) for one in ("training", "prepare", "")),
]

import fuzz  # noqa: E402 - tests/ is not a package
import hostile_server  # noqa: E402
import hostile_text  # noqa: E402
import secrets_kept  # noqa: E402
import soak  # noqa: E402
import test_chaos  # noqa: E402
import test_events_over_ssh  # noqa: E402
import training_journeys  # noqa: E402
from laptop import deployed_laptop  # noqa: E402
from parsers import PARSERS  # noqa: E402
from pytest import MonkeyPatch  # noqa: E402
from report import Outcome, Promise  # noqa: E402
from servers import CutProxy, start_embedded  # noqa: E402

MIB = 1 << 20


def own_seed(seed: int, name: str) -> int:
    """A seed of its own for one part of a promise."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:4], "big")


def fuzz_readers(trials: int, seed: int, folder: Path) -> Outcome:
    """The same share of inputs for every reader."""
    outcome = Outcome()

    def failed(name: str, data: object, why: object) -> None:
        outcome.failures.append(f"{name}: {why}: {data!r}")

    for parser in PARSERS:
        outcome.trials += fuzz.fuzz(
            parser,
            max(1, trials // len(PARSERS)),
            own_seed(seed, parser.name),
            partial(failed, parser.name),
        )
    return outcome


def show_hostile_text(trials: int, seed: int, folder: Path) -> Outcome:
    return Outcome(*hostile_text.hostile_text(folder))


def break_transfers(trials: int, seed: int, folder: Path) -> Outcome:
    """Faults of each kind at random bytes of a pull; the storm asserts what must hold."""
    kinds = len(test_chaos.FAULTS)
    each = max(1, trials // kinds)
    with MonkeyPatch.context() as patch:
        ends = test_chaos.storm(folder, patch, 4 * MIB, each * kinds, own_seed(seed, "storm"))
    test_chaos.expect_each(ends, each)
    return Outcome(sum(ends.values()))


def cut_streams(trials: int, seed: int, folder: Path) -> Outcome:
    """Cuts of the line under a run's event stream: each event once, in order."""
    place = start_embedded(folder / "server")
    proxy = CutProxy(place.spec.host, place.spec.port)
    events = 15 * trials
    try:
        result = test_events_over_ssh.read_through_cuts(
            place,
            proxy,
            folder / "work",
            events=events,
            cuts=trials,
            pause=0.002,
            seed=own_seed(seed, "cuts"),
        )
    finally:
        proxy.close()
        place.process.close()
    test_events_over_ssh.check(result, events, trials)
    return Outcome(trials)


def kill_trainings(trials: int, seed: int, folder: Path) -> Outcome:
    """kill -9 of a training at any moment, in and out of saves: equal weights at the end."""
    import test_random_kills  # here: it loads torch
    import torch
    from micro_voice import make_clips

    torch.set_num_threads(1)  # a child that is forked beside threads of torch hangs
    clips = make_clips(folder / "clips", 9)
    chosen = own_seed(seed, "kills")
    updates, _ = test_random_kills.kill_again_and_again(clips, folder / "runs", trials, chosen)
    assert updates > 0
    return Outcome(trials)


def kill_dashboards(trials: int, seed: int, folder: Path) -> Outcome:
    """kill -9 of the dashboard in use: it starts again, and no file of ours is torn."""
    place = start_embedded(folder / "server")
    chance = random.Random(own_seed(seed, "dashboard"))
    outcome = Outcome()
    try:
        laptop = deployed_laptop(place, folder)
        for number in range(trials):
            outcome.trials += 1
            with laptop.on_terminal() as program:
                program.wait_for("box", 60.0)
                for _ in range(chance.randrange(1, 6)):
                    os.write(program.fd, chance.choice("123456789").encode())
                    program.settle(0.05, chance.random())
                os.kill(program.pid, signal.SIGKILL)
                while program.exit_code() is None:
                    program.pump(0.05)
            done = laptop.run("server", "ls")
            if done.returncode or "box" not in done.stdout:
                outcome.failures.append(f"kill {number}: {done.stdout} {done.stderr}")
    finally:
        place.process.close()
    return outcome


PROMISES = (
    Promise(
        "hostile-text",
        "A terminal is sent no character of a server's that it would obey.",
        1,
        1,
        show_hostile_text,
    ),
    Promise(
        "hostile-server",
        "A server that lies, floods or falls silent costs a sentence and bounded memory and time.",
        len(hostile_server.LIES),
        len(hostile_server.LIES),
        hostile_server.tell_lies,
    ),
    Promise(
        "transfers",
        "A pull under any fault is whole or a clear problem, and goes on from there.",
        16,
        504,
        break_transfers,
    ),
    Promise("streams", "No event is lost or doubled by a cut.", 8, 200, cut_streams),
    Promise("kills", "kill -9 of a training costs no saved update.", 8, 50, kill_trainings),
    Promise("dashboards", "kill -9 of the dashboard tears nothing.", 2, 20, kill_dashboards),
    Promise(
        "secrets",
        "No password, key, address or token is in a file, argv, environment, log, event or pack.",
        1,
        2,
        secrets_kept.search,
    ),
    Promise(
        "journeys",
        "Whatever is cut, killed or lost on the way, the same weights come home.",
        1,
        200,
        training_journeys.travel,
    ),
    Promise(
        "fuzz",
        "No foreign text raises anything but a sentence of ours, or takes a second.",
        4_600,
        1_000_000,
        fuzz_readers,
        beside=True,
    ),
    Promise(
        "soak",
        "Watching servers for long costs no memory, thread or descriptor.",
        20,
        600,
        soak.soak,
    ),
)

LIMIT_S = 40 * 60.0  # of the whole; promises that were not begun by then are said
