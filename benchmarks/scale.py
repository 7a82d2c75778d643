"""What grows with the length of runs, their number, and the size of datasets, at three sizes each.

    python -m benchmarks.scale [--full] [--json] [--only summary,state,watch,clips,edit,text]

Rows: what, size, CPU seconds, bytes moved, peak memory where it matters, and for each kind the law
found (seconds as a power of the size). The peer of each is the plain way in the same run: all
events read on the laptop, a few processes a run, the standard library's reader of WAV. A busy
machine makes CPU seconds up to twice as many, so take the least of several runs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "dev"))

from sovdeck.engine.contract.dataset.edits import LineEdit  # noqa: E402
from sovdeck.engine.contract.dataset.measure import measure_wav  # noqa: E402
from sovdeck.engine.contract.events import Event, parse_event  # noqa: E402
from sovdeck.engine.contract.fold import RunState, fold  # noqa: E402
from sovdeck.engine.contract.run_summary import parse_summary  # noqa: E402
from sovdeck.remote.agent import read_script  # noqa: E402
from sovdeck.remote.config.paths import AppPaths  # noqa: E402
from sovdeck.remote.voices.clip_measuring import ClipMeasurer  # noqa: E402
from sovdeck.tui.audio.measure_file import measure_file  # noqa: E402
from sovdeck.tui.services.connections import ConnectionRegistry  # noqa: E402
from sovdeck.tui.services.live.datasets import LiveDatasets  # noqa: E402
from sovdeck.tui.state.events import RunSummarySeen, ServersLoaded, StoreEvent  # noqa: E402
from sovdeck.tui.state.server_models import SavedServer  # noqa: E402
from sovdeck.tui.state.store import Store  # noqa: E402

PARTS = ("summary", "state", "watch", "clips", "edit", "text")
WATCH_S = 20
# The commands that the scripts of agent/ start, which a counting PATH puts itself before.
COUNTED = ("awk", "cat", "cut", "date", "find", "head", "sed", "sleep", "stat", "tail")


@dataclass(frozen=True)
class Row:
    """One measurement: CPU seconds, bytes over the wire, and the most resident memory."""

    what: str
    size: int
    cpu_s: float
    moved: int = 0
    peak_mb: int = 0


@contextmanager
def cpu_time(spent: list[float]) -> Iterator[None]:
    """Append the CPU seconds of this process and of children that ended inside."""

    def now() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    began = now()
    yield
    spent.append(now() - began)


def measured(what: str, size: int, work: Callable[[], int]) -> Row:
    """Run `work`, which returns the bytes it moved."""
    spent: list[float] = []
    with cpu_time(spent):
        moved = work()
    return Row(what, size, spent[0], moved)


def write_events(path: Path, count: int) -> None:
    """A run's events as a long training writes them, one in three of them about memory."""
    draw = random.Random(1)
    names = ("total", "discriminator", "features", "mel", "kl")
    memory = {"source": "nvml", "ram_used": 12_345_678_901, "gpu_used": 14_345_678_901}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:

        def write(seq: int, type_: str, stage: str | None = None, **payload: object) -> None:
            event = Event(seq, 1_764_000_000_000 + 700 * seq, "r", type_, 1, stage, payload)
            file.write(event.to_json() + "\n")

        write(0, "run_started", voice="Mei", stages=["sovits"], device={}, engine="0")
        for seq in range(1, count):
            if seq % 3 == 2:
                write(seq, "memory", **memory)
                continue
            losses = {name: draw.gauss(30, 3) for name in names}
            write(seq, "step", "sovits", step=seq, total=count, losses=losses, rate=1.4, eta_s=9.0)


def write_old_runs(runs: Path, count: int) -> None:
    """Runs that ended well long ago."""
    for number in range(count):
        folder = runs / f"20260101-{number:06}-Mei"
        folder.mkdir(parents=True)
        begun = '{"attempt":1,"pid":42,"start":991,"boot":"b","child":43,"child_start":992}\n'
        (folder / "pid.json").write_text(begun)
        (folder / "exit.json").write_text('{"attempt":1,"code":0,"signal":null,"t":1764001000}\n')
        (folder / "events.jsonl").write_text("")


def write_dataset(folder: Path, count: int, seconds: float) -> None:
    """A list and its recordings, mono of 16 bits at 32 kHz, with a pause as speech has it."""
    (folder / "wavs").mkdir(parents=True)
    draw = random.Random(2)
    samples = round(32_000 * seconds)
    sound = b"".join(
        round(draw.gauss(0, 3000 if at < 0.7 * samples else 3)).to_bytes(2, "little", signed=True)
        for at in range(samples)
    )
    lines = []
    for number in range(count):
        name = f"{number:06}.wav"
        with wave.open(str(folder / "wavs" / name), "wb") as file:
            file.setparams((1, 2, 32_000, 0, "NONE", ""))
            file.writeframes(sound[2 * number :] + sound[: 2 * number])
        lines.append(f"wavs/{name}|mei|en|the words of {number:06}\n")
    (folder / "Mei.list").write_text("".join(lines))


def run_script(name: str, *args: str, env: dict[str, str] | None = None) -> bytes:
    """Run a script of agent/ as a server does; its output."""
    command = ["sh", "-c", read_script(name), "sh", *args]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, env=env).stdout


def ask_summary(work: Path, *more: str) -> bytes:
    """What `ps` moves of the run `r` below the work folder; what the Monitor does: --history."""
    command = [sys.executable, "-m", "sovdeck.engine", "summary", "--work", str(work), "r", *more]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "dev")}
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, env=env).stdout


def count_commands(name: str, *args: str) -> int:
    """How many processes a script of agent/ starts, by a PATH that writes each one down."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        log.touch()
        for command in COUNTED:
            wrapper = Path(folder, command)
            wrapper.write_text(
                f'#!/bin/sh\necho {command} >>"{log}"\nexec {shutil.which(command)} "$@"\n'
            )
            wrapper.chmod(0o755)
        run_script(name, *args, env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
        return len(log.read_text().splitlines())


def summary_rows(folder: Path, size: int) -> Iterator[Row]:
    """`ps` of one run: made once on the server, then read; and all events on the laptop."""
    work = folder / f"events{size}"
    events = work / "runs" / "r" / "events.jsonl"
    write_events(events, size)
    yield measured("summary made", size, lambda: len(ask_summary(work)))

    def read() -> int:
        answer = ask_summary(work)
        assert parse_summary(answer) is not None
        return len(answer)

    yield measured("summary read", size, read)

    def show() -> int:
        """What the Monitor begins with: the state that its first picture is drawn from."""
        answer = ask_summary(work, "--history")
        summary = parse_summary(answer)
        assert summary is not None
        store = Store()
        saved = SavedServer("gpu", "gpu.example", "auto")
        store.apply([ServersLoaded((saved,)), RunSummarySeen("gpu", "r", summary, 0)])
        assert store.state.runs["gpu", "r"].curves, "nothing to draw"
        return len(answer)

    yield measured("monitor's first state", size, show)

    def fold_all() -> int:
        raw = events.read_bytes()
        found = (parse_event(line) for line in raw.splitlines())
        fold(RunState(), [event for event in found if event is not None])
        return len(raw)

    if size <= 100_000:
        yield measured("peer: all events", size, fold_all)
    shutil.rmtree(work)


def state_rows(folder: Path, size: int) -> Iterator[Row]:
    """The state of every run."""
    runs = folder / f"state{size}" / "runs"
    write_old_runs(runs, size)
    yield measured("state.sh", size, lambda: len(run_script("state.sh", str(runs))))
    plain = 'cd "$1"; for d in */; do cat "$d/pid.json" "$d/exit.json"; date +%s >&2; done'

    def peer() -> int:
        command = ["sh", "-c", plain, "sh", str(runs)]
        return len(subprocess.run(command, capture_output=True, check=True).stdout)

    yield measured("peer: two processes a run", size, peer)


def watch_rows(folder: Path, size: int) -> Iterator[Row]:
    """The server's side of an idle dashboard for WATCH_S seconds."""
    runs = folder / f"watch{size}" / "runs"
    write_old_runs(runs, size)

    def watch() -> int:
        command = ["sh", "-c", read_script("watch_runs.sh"), "sh", str(runs), "3"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
            assert process.stdin is not None and process.stdout is not None
            time.sleep(WATCH_S)
            process.stdin.close()
            return len(process.stdout.read())

    yield measured(f"watched {WATCH_S} s", size, watch)


def clip_rows(folder: Path, size: int) -> Iterator[Row]:
    """Recordings of six seconds: measured, asked again, and by the standard library."""
    dataset = folder / f"clips{size}"
    write_dataset(dataset, size, 6.0)
    source, recordings = dataset / "Mei.list", sorted((dataset / "wavs").iterdir())

    def measure() -> int:
        ClipMeasurer(dataset / "cache", measure_file).measure_all(source, recordings)
        return 0

    yield measured("clips, cold", size, measure)
    yield measured("clips, again", size, measure)
    few = recordings[:50]
    peer = measured("", size, lambda: sum(measure_wav(one) is None for one in few))
    seconds = peer.cpu_s * size / len(few)
    yield Row(f"peer: array ({len(few)} measured)", size, seconds)
    shutil.rmtree(dataset)


def edit_rows(folder: Path, size: int) -> Iterator[Row]:
    """One corrected word in a list of short recordings, as the Dataset screen asks for it."""
    dataset = folder / f"edit{size}"
    write_dataset(dataset, size, 0.7)
    datasets = LiveDatasets(ConnectionRegistry(None, AppPaths.below(folder)))
    told: list[StoreEvent] = []
    datasets.check(dataset, None, told.append, threading.Event())
    before = (dataset / "Mei.list").read_text().splitlines()[3]
    edit = LineEdit(4, before, f"{before} again")

    def correct() -> int:
        datasets.edit(dataset, edit, told.append, threading.Event())
        return 0

    yield measured("one corrected word", size, correct)
    yield measured("peer: whole check", size, lambda: check_again(datasets, dataset))
    shutil.rmtree(dataset)


def check_again(datasets: LiveDatasets, dataset: Path) -> int:
    """Check a list whose recordings are known."""
    datasets.check(dataset, None, lambda event: None, threading.Event())
    return 0


# What a server does to read a text aloud, from a fresh interpreter on: it says what that cost.
READ_LINES = r"""
import pathlib, re, resource, sys
from sovdeck.engine.text.reader import read_text
for line in sys.stdin:
    read_text(line, sys.argv[1])
used = resource.getrusage(resource.RUSAGE_SELF)
peak = re.search(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())
print(used.ru_utime + used.ru_stime, int(peak[1]) // 1024)
"""


def text_rows(folder: Path, size: int) -> Iterator[Row]:
    """A text of `size` characters, read to phones by a process that has nothing loaded."""
    for language in ("zh", "ja"):
        vectors = ROOT / "tests" / "data" / "vectors" / f"text_{language}.json"
        sentences = [item["text"] for item in json.loads(vectors.read_text("utf-8"))["items"]]
        lines, left = [], size
        for sentence in itertools.cycle(sentences):
            lines.append(sentence)
            left -= len(sentence)
            if left <= 0:
                break
        answer = subprocess.run(
            [sys.executable, "-c", READ_LINES, language],
            input="\n".join(lines),
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "dev")},
        )
        seconds, memory = answer.stdout.split()
        yield Row(f"text front end, {language}", size, float(seconds), peak_mb=int(memory))


def law(rows: list[Row]) -> float:
    """The power of the size that the seconds of the smallest and largest rows follow."""
    first, last = rows[0], rows[-1]
    if first.size == last.size or min(first.cpu_s, last.cpu_s) <= 0:
        return math.nan
    return math.log(last.cpu_s / first.cpu_s) / math.log(last.size / first.size)


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true", help="a million events, 20,000 lines")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS))
    args = parser.parse_args()
    sizes = {
        "summary": (1_000, 10_000, 1_000_000 if args.full else 100_000),
        "state": (20, 200, 2000),
        "watch": (10, 110, 410),
        "clips": (50, 200, 2000 if args.full else 500),
        "edit": (200, 2000, 20_000 if args.full else 5000),
        "text": (100, 1000, 10_000),
    }
    measure = {
        "summary": summary_rows,
        "state": state_rows,
        "watch": watch_rows,
        "clips": clip_rows,
        "edit": edit_rows,
        "text": text_rows,
    }
    for part in args.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            rows = [row for size in sizes[part] for row in measure[part](Path(folder), size)]
        for what in dict.fromkeys(row.what for row in rows):
            mine = [row for row in rows if row.what == what]
            for row in mine:
                if args.json:
                    print(json.dumps(asdict(row)), flush=True)
                else:
                    memory = f"{row.peak_mb:>6} MB" if row.peak_mb else ""
                    moved = f"{row.moved:>12,} bytes"
                    print(f"{what:28} {row.size:>9,} {row.cpu_s:9.3f} s {moved} {memory}")
            if not args.json:
                print(f"{'':28} grows as n^{law(mine):.2f}", flush=True)


if __name__ == "__main__":
    main()
