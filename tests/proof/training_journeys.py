"""Whole trainings with one thing going wrong on the way, and the step that a person takes then.

Each ends with the weights of a training that was left alone, every event once, and a voice that is
here and verified.
"""

from __future__ import annotations

import array
import contextlib
import hashlib
import json
import math
import os
import random
import resource
import shutil
import signal
import subprocess
import threading
import time
import wave
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from laptop import Laptop
from report import Outcome
from servers import CutProxy, Place, start_sshd, stop_sshd, wait_for_port
from trip_steps import open_server
from whole_run import FEW

from sovdeck.engine.contract.events import parse_event
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs.state import JobState
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices.dataset import push_recordings, read_recordings, remote_dataset_paths
from sovdeck.remote.voices.download import download_voice
from sovdeck.remote.voices.transfer_options import TransferOptions

# Short, so that a journey is cheap: most of it is what it takes to start an engine.
CLIPS, CLIP_S, RATE = 4, 1.0, 16000
AT_ONCE = 2  # journeys, each with a server and a laptop of its own
# Of all journeys: later ones are left out, and how many were made is said. `--minutes`
limit_s = 14 * 60.0
# Of one attempt; a machine that does much else at the same time takes minutes.
ATTEMPT_LIMIT_S = 600.0
MOST_ATTEMPTS = 5
AGAIN = ("killed", "lost", "stopped", "preempted", "failed")
QUIET = TransferOptions(lambda progress: None, threading.Event())


@dataclass
class Setup:
    """A real sshd behind a wire that can be cut, a laptop before it, recordings to train on."""

    place: Place
    proxy: CutProxy
    session: ServerSession
    laptop: Laptop
    recordings: tuple[Path, Path]

    @property
    def work(self) -> Path:
        return self.laptop.work

    def spec(self, name: str) -> RunSpec:
        list_file, wavs = remote_dataset_paths(self.session.layout(), name)
        few: dict[str, Any] = {"sovits.epochs": 1, "gpt.epochs": 2, "gpt.save_every_epochs": 1}
        return RunSpec(
            f"run-{name}",
            name,
            "tiny",
            list_file,
            wavs,
            stages=("prepare", "sovits", "gpt", "pack"),
            params=FEW | few,
        )

    def state(self, handle: job_client.RunHandle) -> JobState:
        """The run's state; a line that is down is waited for."""
        deadline = time.monotonic() + 60.0
        while True:
            try:
                return job_client.fetch_state(self.session.connection(), handle)
            except Problem as problem:
                if problem.exit_code is not ExitCode.UNREACHABLE or time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def processes(self, name: str) -> dict[str, Any]:
        """pid.json of the run once its engine has started."""
        path = self.work / "runs" / f"run-{name}" / "pid.json"
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):
                found = json.loads(path.read_text())
                if found.get("child"):
                    return dict(found)
            time.sleep(0.05)
        raise TimeoutError(f"{path} names no engine")

    def engines(self, name: str) -> list[psutil.Process]:
        """The processes that train this voice."""
        folder, found = str(self.work / "runs" / f"run-{name}"), []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                # Not its supervisor, whose arguments end with the same words.
                if words[1:4] == ["-m", "sovdeck.engine", "run"] and process.cwd() == folder:
                    found.append(process)
        return found


Fault = Callable[[Setup, str], None]


def cut_line(setup: Setup, name: str) -> None:
    for _ in range(3):
        setup.proxy.reset()
        time.sleep(0.2)


def half_open_line(setup: Setup, name: str) -> None:
    setup.proxy.mute()


def kill_sshd(setup: Setup, name: str) -> None:
    process = setup.place.process
    process.kill()
    process.wait()
    setup.proxy.reset()
    time.sleep(0.5)
    spec, log = setup.place.spec, setup.place.folder / "sshd.log"
    setup.place.process = subprocess.Popen(process.args, stderr=subprocess.DEVNULL)
    wait_for_port(spec.host, spec.port, setup.place.process, log)


def kill_supervisor(setup: Setup, name: str) -> None:
    """Its engine lives on: the same line again adopts it, and starts no second one beside it."""
    killed = setup.processes(name)
    os.kill(killed["pid"], signal.SIGKILL)
    with contextlib.suppress(Problem):  # its first supervisor had ended with it before
        setup.session.start(setup.spec(name))
    engines = setup.engines(name)
    assert len(engines) <= 1, f"{len(engines)} engines at once"
    if [engine.pid for engine in engines] == [killed["child"]]:
        now = setup.processes(name)
        assert now["child"] == killed["child"] and psutil.pid_exists(now["pid"]), "not adopted"


def kill_engine(setup: Setup, name: str) -> None:
    os.kill(setup.processes(name)["child"], signal.SIGKILL)


def kill_all(setup: Setup, name: str) -> dict[str, Any]:
    """End supervisor and engine, which takes a moment, as a machine does; their pid.json."""
    found = setup.processes(name)
    for process in (found["pid"], found["child"]):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    while setup.engines(name):
        time.sleep(0.05)
    return found


def reboot(setup: Setup, name: str) -> None:
    """Everything of the run dies, and the machine comes back with another boot id."""
    found = kill_all(setup, name)
    path = setup.work / "runs" / f"run-{name}" / "pid.json"
    path.write_text(path.read_text().replace(str(found["boot"]), "another-boot"))


def kill_laptop(setup: Setup, name: str) -> None:
    watching = setup.laptop.start("sync", "box", name, "--watch")
    time.sleep(4.0)
    os.killpg(watching.pid, signal.SIGKILL)
    watching.communicate()


def kill_command(setup: Setup, name: str, *words: str) -> None:
    """Begin a command of the laptop, and kill it in the middle."""
    command = setup.laptop.start(*words)
    with contextlib.suppress(subprocess.TimeoutExpired):  # most often it has not ended by then
        command.wait(random.Random(name).uniform(0.5, 6.0))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(command.pid, signal.SIGKILL)
    command.communicate()


def kill_laptop_in_deploy(setup: Setup, name: str) -> None:
    """Into an empty work folder; what is half there does not stop the next one."""
    shutil.rmtree(setup.work)
    kill_command(setup, name, "deploy", "box")
    setup.laptop.must("deploy", "box", limit=300.0)


def kill_laptop_in_push(setup: Setup, name: str) -> None:
    list_file, wavs = map(str, setup.recordings)
    kill_command(setup, name, "push", "box", "--voice", name, "--list", list_file, "--wavs", wavs)


def kill_laptop_in_train(setup: Setup, name: str) -> None:
    """While it starts a run that was stopped before."""
    setup.session.stop(f"run-{name}", 60.0)
    kill_command(setup, name, "train", "box", "--run", f"run-{name}", "--wait")


def kill_laptop_in_pull(setup: Setup, name: str) -> None:
    kill_command(setup, name, "pull", "box", name)


def fill_disk(setup: Setup, name: str) -> None:
    """For a while nothing more fits: no file of the engine grows past 4 KiB."""
    endless = resource.RLIM_INFINITY
    with contextlib.suppress(ProcessLookupError):  # it had ended before
        for engine in setup.engines(name):
            resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (4096, endless))
            time.sleep(6.0)
            resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (endless, endless))


def start_from_two_laptops(setup: Setup, name: str) -> None:
    try:
        setup.session.start(setup.spec(name))
    except Problem as problem:
        assert problem.key == "remote.job.already_running", problem.sentence()
    else:
        state = setup.state(setup.session.find_run(f"run-{name}"))
        assert state.attempt != 1, "a second engine was started beside the first"


def stop_and_go_on(setup: Setup, name: str) -> None:
    setup.session.stop(f"run-{name}", 60.0)


def slow_line(setup: Setup, name: str) -> None:
    """Steps of latency, up to a second each way."""
    for delay in (0.2, 1.0, 0.05, 0.0):
        setup.proxy.delay = delay
        setup.state(setup.session.find_run(f"run-{name}"))


def wipe_disk(setup: Setup, name: str) -> None:
    """The container comes back with an empty disk: deployed, pushed and started anew."""
    kill_all(setup, name)
    # What of the old disk is still being written goes with it.
    gone = setup.work.with_name("gone")
    setup.work.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    setup.session.deploy(lambda step: None)
    push(setup, name)
    setup.session.start(setup.spec(name))


def jump_clock(setup: Setup, name: str) -> None:
    """The heartbeat is an hour old, as after a clock that was set: the next one mends it."""
    beat = setup.work / "runs" / f"run-{name}" / "beat"
    for shift in (-3600, 3600):
        with contextlib.suppress(FileNotFoundError):
            os.utime(beat, (time.time() + shift,) * 2)
        setup.state(setup.session.find_run(f"run-{name}"))


# What goes wrong before the recordings are sent, and after the run has ended; all else in the run.
BEFORE = (kill_laptop_in_deploy, kill_laptop_in_push)
AFTER = (kill_laptop_in_pull,)
FAULTS: tuple[Fault, ...] = (
    kill_engine,
    fill_disk,
    *BEFORE,
    kill_laptop_in_train,
    *AFTER,
    cut_line,
    reboot,
    kill_supervisor,
    half_open_line,
    kill_sshd,
    kill_laptop,
    start_from_two_laptops,
    stop_and_go_on,
    jump_clock,
    slow_line,
    wipe_disk,
)


def make_recordings(folder: Path) -> tuple[Path, Path]:
    """The list and the folder of a few tones: the same bytes on every call."""
    wavs, lines = folder / "wavs", []
    wavs.mkdir(parents=True)
    for number in range(CLIPS):
        hertz = 110 + 20 * number
        phases = [2 * math.pi * hertz * i / RATE for i in range(int(CLIP_S * RATE))]
        tone = [round(6000 * sum(math.sin(k * phase) / k for k in (1, 2, 3))) for phase in phases]
        with wave.open(str(wavs / f"{number}.wav"), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(array.array("h", tone).tobytes())
        lines.append(f"{number}.wav|Tone|ja|はい。\n")
    (folder / "Tone.list").write_text("".join(lines), encoding="utf-8")
    return folder / "Tone.list", wavs


def push(at: Setup, name: str) -> None:
    """Send the recordings as this voice's."""
    push_recordings(at.session, read_recordings(name, *at.recordings, lambda path: None), QUIET)


@contextlib.contextmanager
def set_up(folder: Path) -> Iterator[Setup]:
    """Everything up to a dataset that could be pushed."""
    place = start_sshd(folder / "sshd", "127.0.0.1")
    proxy = CutProxy(place.spec.host, place.spec.port)
    laptop = Laptop(folder / "laptop", folder / "work")
    session = open_server(place.through(proxy), laptop.home, "box", laptop.work)
    try:
        with session:
            session.deploy(lambda step: None)
            yield Setup(place, proxy, session, laptop, make_recordings(folder / "data"))
    finally:
        proxy.close()
        stop_sshd(place)


class Journey(NamedTuple):
    """Digest of all its weights, seconds of the first attempt, whether the fault met nobody."""

    digest: str
    seconds: float
    too_late: bool = False


def travel_once(at: Setup, name: str, fault: Fault | None, moment: float) -> Journey:
    """Push, train and pull a voice; `fault` comes after so many seconds of its run."""
    if fault in BEFORE and fault is not None:
        fault(at, name)
    push(at, name)
    spec = at.spec(name)
    handle = at.session.start(spec).handle
    began, too_late = time.monotonic(), False
    if fault is not None and fault not in (*BEFORE, *AFTER):
        at.processes(name)
        time.sleep(moment)
        try:
            fault(at, name)
        except ProcessLookupError:  # a run that was quicker than the one that was left alone
            too_late = True
    for _ in range(MOST_ATTEMPTS):
        state = wait_for_end(at, handle)
        if state.state == "succeeded":
            break
        assert state.state in AGAIN, f"{state.state}: {state.why.en}"
        at.session.start(spec)  # the next step: the same line again
    assert state.state == "succeeded", f"{state.state}: {state.why.en}"
    seconds = time.monotonic() - began
    if fault in AFTER and fault is not None:
        fault(at, name)
    check_events(at.work / "runs" / spec.run / "events.jsonl")
    home = download_voice(at.session, name, at.laptop.voices, QUIET)
    assert home.verified
    return Journey(digest_weights(home.folder), seconds, too_late)


def wait_for_end(at: Setup, handle: job_client.RunHandle) -> JobState:
    deadline = time.monotonic() + ATTEMPT_LIMIT_S
    while time.monotonic() < deadline:
        state = at.state(handle)
        if state.ended:
            return state
        time.sleep(0.5)
    raise TimeoutError(f"{handle.run_id} is still {state.state}: {state.why.en}")


def check_events(path: Path) -> None:
    """Every event once, in order; the last one says that the run succeeded."""
    found = [parse_event(line) for line in path.read_bytes().splitlines()]
    numbers = [event.seq if event is not None else None for event in found]
    assert numbers == list(range(len(found))), f"events are {numbers[:20]} ..."
    last = found[-1]
    assert last is not None and last.payload.get("status") == "succeeded"


def digest_weights(folder: Path) -> str:
    """SHA-256 over the tensors of all weights below `folder`, whatever the files are called."""
    from sovdeck.engine.interop.safe_load import safe_load  # here: it loads torch

    whole = hashlib.sha256()
    files = sorted([*folder.rglob("*.ckpt"), *folder.rglob("*.pth")])
    assert files, f"no weights in {folder}"
    for path in files:
        for key, tensor in sorted(safe_load(path).tensors("weight").items()):
            whole.update(key.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()


def travel(trials: int, seed: int, folder: Path) -> Outcome:
    """One journey left alone, then `trials` with a fault at a random moment of that time.

    The seed says which fault comes when: where time is short, other seeds reach the others.
    """
    chance, outcome = random.Random(seed), Outcome()
    faults = chance.sample(FAULTS, len(FAULTS))
    plan = deque(
        (f"Voice{number}", faults[number % len(faults)], chance.uniform(0.0, 0.7))
        for number in range(trials)
    )
    began, made = time.monotonic(), Counter[str]()
    alone: list[Journey] = []

    def go(place: int) -> None:
        with set_up(folder / str(place)) as at:
            if place == 0:
                try:
                    alone.append(travel_once(at, "Alone", None, 0.0))
                finally:
                    ready.set()
            ready.wait()
            while alone and plan and time.monotonic() - began < limit_s:
                name, fault, share = plan.popleft()
                moment, kind = share * alone[0].seconds, fault.__name__
                label = f"{kind} after {moment:.1f} s"
                try:
                    journey = travel_once(at, name, fault, moment)
                    if journey.too_late:
                        plan.appendleft((name + "b", fault, share / 2))
                        kind = "too late"
                    if journey.digest != alone[0].digest:
                        outcome.failures.append(f"{label}: other weights")
                except (AssertionError, Problem, TimeoutError, OSError) as error:
                    outcome.failures.append(f"{label}: {type(error).__name__}: {error}")
                made[kind] += 1

    ready = threading.Event()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(go, place) for place in range(min(trials, AT_ONCE))]:
            done.result()
    outcome.trials = sum(made.values())
    outcome.notes.append(", ".join(f"{count} {name}" for name, count in sorted(made.items())))
    if plan:
        minutes = f"{limit_s / 60:.0f} minutes were over"
        outcome.notes.append(f"{len(plan)} more were left out: {minutes}")
    return outcome
