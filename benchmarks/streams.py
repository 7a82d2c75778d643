"""How soon an event reaches the screen, what watching many servers costs, how quick a deploy is.

    python benchmarks/streams.py [--quick] [--json]

Every figure stands beside a peer measured in the same run on the same server: OpenSSH's own
client following the same file, rsync over OpenSSH with a shared connection. A peer that is not
installed is left out with the reason. RTT is made by a proxy in this process, so all sides
share its cost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from servers import CutProxy, Place, start_sshd, stop_sshd  # noqa: E402

from sovdeck.remote import deploy as deploy_steps  # noqa: E402 - the paths above come first
from sovdeck.remote.agent.code_archive import CodeArchive, build_code_archive  # noqa: E402
from sovdeck.remote.ssh.client import SSHConnection  # noqa: E402
from sovdeck.remote.ssh.remote_tail import EventTail, RemoteTail  # noqa: E402

# The server's side of a stream: ten events a second, each with the time it was written.
WRITER = """
import json, sys, time
path, seconds, rate = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
with open(path, "a") as file:
    begin = time.monotonic()
    for seq in range(int(seconds * rate)):
        time.sleep(max(0.0, begin + seq / rate - time.monotonic()))
        file.write(json.dumps({"v": 1, "seq": seq, "t": time.time_ns() // 1000000, "run": "b",
            "attempt": 1, "type": "step", "stage": "gpt", "step": seq, "total": 9,
            "losses": {"total": 1.0}, "ns": time.monotonic_ns()}) + "\\n")
        file.flush()
"""
RATE = 10.0


@dataclass(frozen=True)
class Row:
    """One figure; ratio is ours over the peer's, None where there is no peer."""

    name: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    note: str = ""


def row(
    name: str, value: float, unit: str, peer: str, peer_value: float | None, note: str = ""
) -> Row:
    if peer_value is None:
        return Row(name, round(value, 4), unit, note=note)
    ratio = round(value / peer_value, 3) if peer_value else None
    return Row(name, round(value, 4), unit, peer, round(peer_value, 4), ratio, note)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[Place, CutProxy]]:
    place = start_sshd(folder, "127.0.0.1")
    proxy = CutProxy("127.0.0.1", place.spec.port)
    try:
        yield place, proxy
    finally:
        proxy.close()
        stop_sshd(place)


def writer(path: Path, seconds: float) -> subprocess.Popen[bytes]:
    path.touch()
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(seconds), str(RATE)])


def percentiles(delays: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(delays, n=20)
    return statistics.median(delays), cuts[18]


def ssh_argv(place: Place, *options: str) -> list[str]:
    spec = place.spec
    return [
        "ssh",
        "-p",
        str(spec.port),
        "-i",
        spec.identity[0],
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
        *options,
        f"{spec.user}@{spec.host}",
    ]


def our_delays(place: Place, path: Path, seconds: float) -> list[float]:
    """Milliseconds from the write on the server to the event in our hands."""
    delays: list[float] = []
    with place.connect() as link:
        tail = RemoteTail(lambda: link, str(path))
        ready = threading.Event()
        threading.Thread(target=lambda: (ready.wait(), feed(path, seconds, tail.close))).start()
        ready.set()
        for event in EventTail(tail):
            delays.append((time.monotonic_ns() - int(event.payload["ns"])) / 1e6)
    return delays[5:]


def feed(path: Path, seconds: float, done: Callable[[], None]) -> None:
    time.sleep(1.5)  # the channel stands before the first event
    writer(path, seconds).wait()
    time.sleep(1.0)
    done()


def ssh_delays(place: Place, path: Path, seconds: float) -> list[float]:
    """The same with the OpenSSH client and a plain `tail -F`."""
    path.touch()
    argv = [*ssh_argv(place), f"tail -c +1 -F {path}"]
    delays: list[float] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        threading.Thread(target=feed, args=(path, seconds, process.terminate)).start()
        for line in process.stdout:
            delays.append((time.monotonic_ns() - int(json.loads(line)["ns"])) / 1e6)
    return delays[5:]


def latency(place: Place, proxy: CutProxy, folder: Path, quick: bool) -> list[Row]:
    rows = []
    for rtt in (0, 200):
        proxy.delay = rtt / 2000
        far = place.through(proxy)
        seconds = 4.0 if quick else 15.0
        ours = percentiles(our_delays(far, folder / f"ours{rtt}.jsonl", seconds))
        peer = percentiles(ssh_delays(far, folder / f"ssh{rtt}.jsonl", seconds))
        note = f"floor {rtt / 2:.0f} ms"
        for which, index in (("p50", 0), ("p95", 1)):
            name = f"event to callback {which}, RTT {rtt} ms"
            rows.append(row(name, ours[index], "ms", "ssh tail -F", peer[index], note))
    proxy.delay = 0.0
    return rows


def cpu_share(place: Place, folder: Path, servers: int, seconds: float) -> float:
    """Percent of one core that this process spends on `servers` tails at 10 events/s each."""
    paths = [folder / f"cpu{servers}_{number}.jsonl" for number in range(servers)]
    for path in paths:
        path.touch()
    links = [place.connect() for _ in paths]
    tails = [
        RemoteTail(lambda link=link: link, str(path))
        for link, path in zip(links, paths, strict=True)
    ]
    counts = [0] * servers

    def read(number: int) -> None:
        for events in EventTail(tails[number]).batches():
            counts[number] += len(events)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(servers)]
    for thread in threads:
        thread.start()
    time.sleep(2.0)
    feeder = subprocess.Popen(
        [sys.executable, "-c", MANY, str(seconds), str(RATE), *map(str, paths)]
    )
    time.sleep(0.5)
    begun, spent = time.monotonic(), time.process_time()
    time.sleep(seconds - 1.0)
    share = 100.0 * (time.process_time() - spent) / (time.monotonic() - begun)
    feeder.wait()
    time.sleep(1.0)
    for tail, link in zip(tails, links, strict=True):
        tail.close()
        link.close()
    for thread in threads:
        thread.join()
    expected = int(seconds * RATE)
    assert counts == [expected] * servers, f"events were lost: {counts}"
    return share


# One process feeds all the files, so that the feeding does not drown the measured side.
MANY = """
import json, sys, time
seconds, rate, *paths = sys.argv[1:]
files = [open(path, "a") for path in paths]
begin = time.monotonic()
for seq in range(int(float(seconds) * float(rate))):
    time.sleep(max(0.0, begin + seq / float(rate) - time.monotonic()))
    line = json.dumps({"v": 1, "seq": seq, "t": 0, "run": "b", "attempt": 1, "type": "step",
        "stage": "gpt", "step": seq, "total": 9, "losses": {"total": 1.0}}) + "\\n"
    for file in files:
        file.write(line); file.flush()
"""


def load(place: Place, folder: Path, quick: bool) -> list[Row]:
    seconds = 5.0 if quick else 12.0
    return [
        Row(
            f"CPU of {count} servers at 10 events/s",
            round(cpu_share(place, folder, count, seconds), 2),
            "% of a core",
        )
        for count in ((1, 8) if quick else (1, 8, 32))
    ]


def deploys(place: Place, proxy: CutProxy, folder: Path, quick: bool) -> list[Row]:
    rows = []
    for rtt in (0, 200):
        proxy.delay = rtt / 2000
        far = place.through(proxy)
        ours = our_deploys(far, folder / f"work{rtt}", 2 if quick else 5)
        peers, why = rsync_deploys(far, folder, f"{rtt}", 2 if quick else 5)
        for kind in ("no change", "one file changed"):
            peer = peers.get(kind)
            name = f"deploy with {kind}, RTT {rtt} ms"
            rows.append(row(name, ours[kind], "s", "rsync -a, ControlMaster", peer, why))
            cold = peers.get(f"{kind}, cold")
            if cold is not None:
                rows.append(row(f"{name} (peer cold)", ours[kind], "s", "rsync -a", cold))
    proxy.delay = 0.0
    return rows


def our_deploys(place: Place, work: Path, repeats: int) -> dict[str, float]:
    """Median seconds on a standing connection, as the dashboard and every verb use it."""
    config = deploy_steps.DeployOptions(work=str(work), python=sys.executable)
    with place.connect() as link:
        deploy_steps.deploy(link, config, lambda _: None)
        same = [
            timed(lambda: deploy_steps.deploy(link, config, lambda _: None)) for _ in range(repeats)
        ]
        whole = build_code_archive()
        changed = []
        for number in range(repeats):
            other = CodeArchive(f"{number:032d}", whole.data, whole.data_sha, whole.requirements)
            changed.append(timed(lambda other=other: with_code(other, link, config)))
    return {"no change": statistics.median(same), "one file changed": statistics.median(changed)}


def with_code(code: CodeArchive, link: SSHConnection, config: deploy_steps.DeployOptions) -> None:
    """Deploy as if this were the program's code."""
    standing = deploy_steps.build_code_archive
    deploy_steps.build_code_archive = lambda: code  # type: ignore[assignment]
    try:
        deploy_steps.deploy(link, config, lambda _: None)
    finally:
        deploy_steps.build_code_archive = standing


def rsync_deploys(
    place: Place, folder: Path, name: str, repeats: int
) -> tuple[dict[str, float], str]:
    if shutil.which("rsync") is None:
        return {}, "rsync is not installed: peer left out"
    source = folder / f"source{name}"
    shutil.copytree(
        ROOT / "engine", source / "engine", ignore=shutil.ignore_patterns("__pycache__")
    )
    target = f"{place.spec.user}@{place.spec.host}:{folder / f'rsync{name}'}/"
    socket = folder / f"cm{name}"
    master = ["-o", "ControlMaster=auto", "-o", f"ControlPath={socket}", "-o", "ControlPersist=60"]
    found: dict[str, float] = {}
    for label, options in (("", master), (", cold", [])):
        shell = " ".join(ssh_argv(place, *options)[:-1])

        def once(shell: str = shell) -> None:
            argv = ["rsync", "-a", "-e", shell, f"{source}/", target]
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)

        once()
        found[f"no change{label}"] = statistics.median(timed(once) for _ in range(repeats))
        times = []
        for number in range(repeats):
            (source / "engine" / "__init__.py").write_text(f"# {number}{label}\n")
            times.append(timed(once))
        found[f"one file changed{label}"] = statistics.median(times)
    subprocess.run(
        [*ssh_argv(place, "-O", "exit", "-o", f"ControlPath={socket}")],
        check=False,
        stderr=subprocess.DEVNULL,
    )
    return found, ""


def timed(action: Callable[[], Any]) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="shorter, rougher figures")
    parser.add_argument("--json", action="store_true", help="one JSON row a line")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as (place, proxy):
        folder = Path(name)
        for part in (
            lambda: latency(place, proxy, folder, options.quick),
            lambda: load(place, folder, options.quick),
            lambda: deploys(place, proxy, folder, options.quick),
        ):
            for found in part():
                rows.append(found)
                print(json.dumps(asdict(found)) if options.json else plain(found), flush=True)
    return 0


def plain(found: Row) -> str:
    text = f"{found.name:48} {found.value:10.3f} {found.unit}"
    if found.peer is not None:
        text += f"   {found.peer} {found.peer_value:.3f}   ratio {found.ratio}"
    return f"{text}   {found.note}".rstrip()


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
