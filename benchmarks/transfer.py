"""Files up and down over real SSH, beside scp, sftp, rsync, lftp, asyncssh and plain Paramiko.

    python benchmarks/transfer.py [--quick] [--json] [--rtt 0,50,200] [--rounds N] [--states]

Far lines move less and once, IPv6 and what people move over a far line only beside scp, so that
all of it ends within twelve minutes on a quiet machine. Files lie where TMPDIR says: /dev/shm keeps
the disk out of the figures.
Every method of a case runs in turn, round after round, so that a busy machine hits all alike;
rows give medians. `ratio` is peer seconds over ours: above 1 we are faster. Our rows include
SHA-256 on both sides unless they say otherwise; no peer verifies.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.ssh_hosts import BenchHosts, delayed, loopback, no_lab  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
WORKER = ROOT / "benchmarks" / "transfer_worker.py"
MIB = 1 << 20
OURS = ("ours", "ours unverified")
PEERS = ("scp", "sftp", "rsync", "lftp", "asyncssh", "paramiko")
LIMIT = 600.0  # seconds for one transfer
SLOW_WITH_MANY = ("scp", "sftp", "asyncssh", "paramiko", "lftp")
PART = 8  # files of the part that those move over a far line
# A far line is slow, not noisy: a share of the bytes, once.
SHARES = ((10, 1), (1000, 4))  # round trip below so many ms: one part in so many
# What people move over a line of so many ms, at its true size: a part would show the ramp alone.
TRUE_SIZE_MS = 200
TRUE_SIZES = (("pull", "240 MiB pack", 240 * MIB), ("push", "500 MB file", 500_000_000))
STATES = ("pull", "2 GiB of states", 2048 * MIB)  # what a run goes on from elsewhere


@dataclass(frozen=True)
class Case:
    """One thing to move: a file or a folder, up or down. `files` > 1 means a folder."""

    name: str
    what: str
    source: Path
    bytes: int
    files: int = 1


@dataclass
class Times:
    """Seconds and CPU seconds of one method; `scale` where only a part was moved."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    scale: float = 1.0
    failed: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds) * self.scale


def ssh_options(hosts: BenchHosts) -> list[str]:
    return [
        "-F",
        "none",
        "-i",
        str(hosts.identity),
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        f"UserKnownHostsFile={hosts.known_hosts}",
        "-o",
        "LogLevel=ERROR",
    ]


def peers(case: Case, hosts: BenchHosts, target: Path) -> dict[str, list[str]]:
    """Command lines of the peers that are installed; `target` is a fresh folder."""
    at = f"root@{hosts.bracketed}:"
    down = case.what == "pull"
    source, there = str(case.source), str(target)
    ends = [at + source, there] if down else [source, at + there]
    many = ["-r"] if case.files > 1 else []
    ssh = " ".join(["ssh", "-p", str(hosts.port), *ssh_options(hosts)])
    lines = {
        "scp": ["scp", "-q", *many, "-P", str(hosts.port), *ssh_options(hosts), *ends],
        "rsync": ["rsync", "-a", "-W", "-e", ssh, *ends],
    }
    batch = target.parent / "batch"
    order = f"{source} {there}"
    flag = "-r " if many else ""
    batch.write_text(f"get {flag}{order}\n" if down else f"put {flag}{order}\n")
    lines["sftp"] = [
        "sftp",
        "-q",
        "-P",
        str(hosts.port),
        *ssh_options(hosts),
        "-b",
        str(batch),
        at.rstrip(":"),
    ]
    if case.files > 1:
        move = f"mirror {'' if down else '-R '}-P8 {order}"
    else:
        move = f"pget -n 8 {source} -o {there}/got" if down else f"put -O {there} {source}"
    lines["lftp"] = [
        "lftp",
        "-c",
        f"set sftp:connect-program '{ssh} -a -x -l root'; set net:timeout 20; "
        f"open sftp://root:x@{hosts.bracketed}:{hosts.port}; {move}",
    ]
    return {name: line for name, line in lines.items() if shutil.which(line[0])}


def worker(library: str, case: Case, hosts: BenchHosts, target: Path, *flags: str) -> list[str]:
    flags = (*flags, "--folder") if case.files > 1 else flags
    return [
        sys.executable,
        str(WORKER),
        library,
        case.what,
        str(case.source),
        str(target),
        hosts.host,
        str(hosts.identity),
        str(hosts.known_hosts),
        hosts.fingerprint,
        str(hosts.port),
        *flags,
    ]


def measure(line: list[str], hosts: BenchHosts, times: Times, *, inside: bool) -> None:
    """Run one command; `inside`: it prints its own seconds and CPU."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    try:
        done = subprocess.run(
            [*hosts.prefix, *line],
            capture_output=True,
            timeout=LIMIT,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "dev")},
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        times.failed = f"not done in {LIMIT:.0f} s"
        return
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        times.failed = lines[-1][:160] if lines else f"exit code {done.returncode}"
        return
    if inside:
        said = json.loads(done.stdout)
        times.seconds.append(said["seconds"])
        times.cpu.append(said["cpu"])
    else:
        times.seconds.append(seconds)
        times.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def run_case(
    case: Case, hosts: BenchHosts, rounds: int, folder: Path, methods: list[str]
) -> dict[str, Times]:
    """Every method in turn, `rounds` times; what arrived is compared each time."""
    results: dict[str, Times] = {}
    small = case.files > 1
    for turn in range(rounds):
        for name in methods:
            moved = case
            if small and hosts.rtt_ms and name in SLOW_WITH_MANY:
                # One or more round trips a file: minutes to hours. A part says as much.
                moved = part_of(case)
            if name == "ours unverified" and (small or case.what == "push"):
                continue
            times = results.setdefault(name, Times(scale=case.files / moved.files))
            if times.failed:
                continue
            target = folder / f"{turn}-{name.replace(' ', '-')}"
            target.mkdir(parents=True)
            line, inside = command(name, moved, hosts, target)
            if not line:
                times.failed = "not installed"
                shutil.rmtree(target)
                continue
            measure(line, hosts, times, inside=inside)
            if not times.failed and size_of(target) != moved.bytes:
                times.failed = f"{size_of(target)} bytes of {moved.bytes} arrived"
            shutil.rmtree(target)
    return results


def command(name: str, case: Case, hosts: BenchHosts, target: Path) -> tuple[list[str], bool]:
    if name in ("ours", "asyncssh", "paramiko"):
        return worker(name, case, hosts, target), True
    if name == "ours unverified":
        return worker("ours", case, hosts, target, "--no-verify"), True
    return peers(case, hosts, target).get(name, []), False


def part_of(case: Case) -> Case:
    part = case.source.with_name(case.source.name + "-part")
    return Case(case.name, case.what, part, size_of(part), len(list(part.iterdir())))


def voice_rows(
    voice: Case, hosts: BenchHosts, rounds: int, folder: Path
) -> Iterator[dict[str, object]]:
    """Packing a voice on the server and pulling it, beside the raw pull of as many bytes."""
    results = {"raw pull": Times(), "pack": Times()}
    for turn in range(rounds):
        for name, times in results.items():
            target = folder / f"voice-{turn}-{name.replace(' ', '-')}"
            target.mkdir(parents=True)
            what = "pull" if name == "raw pull" else name
            source = voice.source.with_name("big.bin") if what == "pull" else voice.source
            case = Case(voice.name, what, source, voice.bytes)
            measure(worker("ours", case, hosts, target), hosts, times, inside=True)
            shutil.rmtree(target)
            shutil.rmtree(voice.source / "packs", ignore_errors=True)
    raw, times = results["raw pull"], results["pack"]
    row: dict[str, object] = {
        "name": f"pack there and pull, RTT {hosts.rtt_ms} ms",
        "peer": "raw pull",
    }
    if times.failed or raw.failed:
        yield {**row, "left_out": times.failed or raw.failed}
        return
    yield {
        **row,
        "value": round(times.median, 3),
        "unit": "s",
        "peer_value": round(raw.median, 3),
        "ratio": round(raw.median / times.median, 2),
        "cpu": round(statistics.median(times.cpu), 2),
        "peer_cpu": round(statistics.median(raw.cpu), 2),
    }


def size_of(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def write_noise(path: Path, count: int, chance: random.Random) -> None:
    """Bytes that no compression shrinks."""
    with path.open("wb") as file:
        for at in range(0, count, MIB):
            file.write(chance.randbytes(min(MIB, count - at)))


def lay_out(folder: Path, big: int, files: int) -> list[Case]:
    """The files to move: one of `big` bytes, and `files` of about 20 kB."""
    chance = random.Random(1)
    whole = folder / "big.bin"
    write_noise(whole, big, chance)
    small, part = folder / "small", folder / "small-part"
    for place, count in ((small, files), (part, min(PART, files))):
        place.mkdir()
        for number in range(count):
            (place / f"{number:05}.bin").write_bytes(chance.randbytes(20_000))
    voice = folder / "voice"
    weights = {
        "GPT_weights/VOICE/VOICE-e1.ckpt": 0.65,
        "SoVITS_weights/VOICE/VOICE_e1_s1.pth": 0.35,
    }
    for name, share in weights.items():
        (voice / name).parent.mkdir(parents=True)
        write_noise(voice / name, int(big * share), chance)
    label = f"{big // MIB} MiB"
    return [
        Case(f"voice {label}", "voice", voice, big),
        Case(f"pull {label}", "pull", whole, big),
        Case(f"push {label}", "push", whole, big),
        Case(f"pull {files} files", "pull", small, size_of(small), files),
        Case(f"push {files} files", "push", small, size_of(small), files),
    ]


def true_sizes(folder: Path, states: bool) -> list[Case]:
    cases = []
    for what, label, count in (*TRUE_SIZES, *((STATES,) if states else ())):
        source = folder / f"{what}-{count}.bin"
        write_noise(source, count, random.Random(2))
        cases.append(Case(f"{what} {label}", what, source, count))
    return cases


def rows_of(
    case: Case, hosts: BenchHosts, results: dict[str, Times]
) -> Iterator[dict[str, object]]:
    place = f"{case.name}, RTT {hosts.rtt_ms} ms, {'IPv6' if ':' in hosts.host else 'IPv4'}"
    mine = results["ours"]
    for name, times in results.items():
        if times.failed or mine.failed or not times.seconds:
            yield {"name": place, "peer": name, "left_out": times.failed or mine.failed}
            continue
        yield {
            "name": place,
            "value": round(mine.median, 3),
            "unit": "s",
            "peer": name,
            "peer_value": round(times.median, 3),
            "ratio": round(times.median / mine.median, 2),
            "cpu": round(statistics.median(mine.cpu), 2),
            "peer_cpu": round(statistics.median(times.cpu) * times.scale, 2),
            **({"estimated_from_part": True} if times.scale > 1 else {}),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="64 MiB, 200 files, one round")
    parser.add_argument("--json", action="store_true", help="one JSON row a line")
    parser.add_argument("--rtt", default="0,50,200", help="round trips to try, milliseconds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--peers", default=",".join(PEERS), help="whom to run beside us")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--states", action="store_true", help="2 GiB too, six minutes more")
    args = parser.parse_args()
    big, files, rounds = args.mib * MIB, 2000, args.rounds
    if args.quick:
        big, files, rounds = 64 * MIB, 200, 1
    # So that an ended run takes its servers and namespaces along.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    methods = [*OURS, *(peer for peer in args.peers.split(",") if peer)]
    say = (lambda row: print(json.dumps(row), flush=True)) if args.json else show
    with tempfile.TemporaryDirectory(prefix="sovdeck-bench-") as name:
        folder = Path(name)
        for rtt in map(int, args.rtt.split(",")):
            share = next(part for below, part in SHARES if rtt < below)
            files_at = folder / f"files-{rtt}"
            files_at.mkdir()
            made = lay_out(files_at, big // share, files)
            cases = [case for case in made if args.only in case.name]
            turns = rounds if share == 1 else 1
            beside = [name for name in methods if name in ("ours", "scp")]
            v4, v6 = ("127.0.0.1", "::1") if rtt == 0 else ("10.99.0.2", "fd99::2")
            go(cases, rtt, v4, folder, turns, methods, say)
            plain = [case for case in cases if case.what != "voice"]
            if rtt >= TRUE_SIZE_MS and not args.quick:
                real = [
                    case for case in true_sizes(files_at, args.states) if args.only in case.name
                ]
                go(real, rtt, v4, folder, 1, beside, say)
            go(plain, rtt, v6, folder, 1, beside, say)
            shutil.rmtree(files_at)
    return 0


def go(
    cases: list[Case],
    rtt: int,
    host: str,
    folder: Path,
    rounds: int,
    methods: list[str],
    say: Callable[[dict[str, object]], None],
) -> None:
    """All cases on one ground; says why when there is no such ground here."""
    with ExitStack() as stack:
        if rtt and (why := no_lab()):
            say({"name": f"RTT {rtt} ms", "left_out": why})
            return
        where = folder / f"ground-{rtt}-{host.replace(':', '_')}"
        try:
            hosts = stack.enter_context(delayed(where, rtt, host) if rtt else loopback(where, host))
        except (OSError, LookupError) as error:
            say({"name": f"RTT {rtt} ms, {host}", "left_out": str(error)})
            return
        for case in cases:
            if case.what == "voice":
                for row in voice_rows(case, hosts, rounds, where / "got"):
                    say(row)
                continue
            results = run_case(case, hosts, rounds, where / "got", methods)
            for row in rows_of(case, hosts, results):
                say(row)


def show(row: dict[str, object]) -> None:
    if "left_out" in row:
        print(f"{row['name']}: {row.get('peer', 'all')}: left out: {row['left_out']}", flush=True)
        return
    about = "~" if row.get("estimated_from_part") else " "
    print(
        f"{row['name']:42} ours {row['value']:8} s  {row['peer']:16}{about}{row['peer_value']:9} s"
        f"  {row['ratio']:6}x   CPU {row['cpu']} / {row['peer_cpu']} s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
