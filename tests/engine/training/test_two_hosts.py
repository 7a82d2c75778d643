"""Two "machines", each a network namespace with IPv6 only, train one stage together."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_run import FEW, events, write_spec

from sovdeck.engine.contract.fold import RunState, fold

ROOT = Path(__file__).resolve().parents[3]
ADDRESSES = ("fd5a:76de::1", "fd5a:76de::2")

pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.name != "posix" or os.geteuid() != 0 or shutil.which("ip") is None,
        reason="network namespaces need root and iproute2",
    ),
]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts() -> Iterator[tuple[str, str]]:
    """Two namespaces joined by a cable."""
    names = (f"sovdeck-a{os.getpid()}", f"sovdeck-b{os.getpid()}")
    made = []
    try:
        for name in names:
            ip("netns", "add", name)
            made.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        ip(
            "link",
            "add",
            "cable",
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            "name",
            "cable",
            "netns",
            names[1],
        )
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("-n", name, "addr", "add", f"{address}/64", "dev", "cable", "nodad")
            ip("-n", name, "link", "set", "cable", "up")
    except subprocess.CalledProcessError as error:
        for name in made:
            ip("netns", "del", name)
        pytest.skip(f"no namespaces here: {error.stderr.strip()}")
    yield names
    for name in names:
        ip("netns", "del", name)


def start(hosts: tuple[str, str], spec: Path, work: Path) -> list[subprocess.Popen[str]]:
    """One torchrun a host, as a person starts them."""
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "cable", "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [
                "ip",
                "netns",
                "exec",
                name,
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--nnodes",
                "2",
                "--node-rank",
                str(rank),
                "--nproc-per-node",
                "1",
                "--master-addr",
                f"[{ADDRESSES[0]}]",
                "--master-port",
                "29511",
                "-m",
                "sovdeck.engine",
                "worker",
                str(spec),
                "--stage",
                "gpt",
                "--work",
                str(work),
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank, name in enumerate(hosts)
    ]


def untrained(trained: Path, tmp_path: Path) -> Path:
    work = tmp_path / "work"
    shutil.copytree(trained, work)
    shutil.rmtree(work / "logs" / "Mei" / "states")
    return work


@pytest.mark.long
def test_two_hosts_over_ipv6(hosts: tuple[str, str], trained: Path, tmp_path: Path) -> None:
    work = untrained(trained, tmp_path)
    spec = write_spec(work, "pair", stages=("gpt",), params={**FEW, "gpt.epochs": 2})
    nodes = start(hosts, spec, work)
    said = [node.communicate(timeout=240)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said[0][-1500:] + said[1][-1500:]
    result = json.loads((work / "runs/pair/worker-gpt.json").read_text(encoding="utf-8"))
    assert result["outcome"]["updates"] == 8 and result["outcome"]["weight_change"] > 0
    stage = fold(RunState(), events(work, "pair")).stage("gpt")
    assert stage is not None and stage.updates == 8


@pytest.mark.long
def test_one_host_dies_the_other_ends_and_both_resume(
    hosts: tuple[str, str], trained: Path, tmp_path: Path
) -> None:
    work = untrained(trained, tmp_path)
    spec = write_spec(work, "pair", stages=("gpt",), params={**FEW, "gpt.epochs": 12})
    first, second = start(hosts, spec, work)
    log = work / "runs/pair/events.jsonl"
    saved = re.compile(rb'"type": ?"checkpoint"')  # the first is the start itself
    while not log.is_file() or len(saved.findall(log.read_bytes())) < 2:
        assert first.poll() is None and second.poll() is None, "a host ended before it was killed"
        time.sleep(0.05)
    # torchrun's workers are no children of its session: all that runs on that host dies.
    inside = subprocess.run(
        ["ip", "netns", "pids", hosts[1]], check=True, capture_output=True, text=True
    )
    for pid in inside.stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    said = first.communicate(timeout=120)[0]
    assert first.returncode != 0, said[-1500:]
    second.communicate()
    done = [event.payload["step"] for event in events(work, "pair") if event.type == "step"]
    assert done and done[-1] < 48

    nodes = start(hosts, spec, work)
    said = "".join(node.communicate(timeout=240)[0][-1500:] for node in nodes)
    assert [node.returncode for node in nodes] == [0, 0], said
    codes = [e.payload["code"] for e in events(work, "pair") if e.type == "warning"]
    assert "engine.training.resumed" in codes
    result = json.loads((work / "runs/pair/worker-gpt.json").read_text(encoding="utf-8"))
    assert result["outcome"]["updates"] == 48
