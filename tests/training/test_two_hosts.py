"""Two "machines", each a network namespace with IPv6 only, train one stage together."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_run import FEW, events, write_spec

from engine.contract.fold import RunState, fold

ROOT = Path(__file__).resolve().parents[2]
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
        ip("link", "add", "cable", "netns", names[0], "type", "veth",
           "peer", "name", "cable", "netns", names[1])  # fmt: skip
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


def test_two_hosts_over_ipv6(hosts: tuple[str, str], trained: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(trained, work)
    shutil.rmtree(work / "logs" / "Mei" / "states")
    spec = write_spec(work, "pair", stages=("gpt",), params={**FEW, "gpt.epochs": 2})
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "cable", "OMP_NUM_THREADS": "1"}
    nodes = []
    for rank, name in enumerate(hosts):
        nodes.append(
            subprocess.Popen(
                [
                    "ip", "netns", "exec", name, sys.executable, "-m", "torch.distributed.run",
                    "--nnodes", "2", "--node-rank", str(rank), "--nproc-per-node", "1",
                    "--master-addr", f"[{ADDRESSES[0]}]", "--master-port", "29511",
                    "-m", "engine", "worker", str(spec), "--stage", "gpt", "--work", str(work),
                ],
                cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True,
            )
        )  # fmt: skip
    said = [node.communicate(timeout=240)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said[0][-1500:] + said[1][-1500:]
    result = json.loads((work / "runs/pair/worker-gpt.json").read_text(encoding="utf-8"))
    assert result["outcome"]["updates"] == 8 and result["outcome"]["change"] > 0
    stage = fold(RunState(), events(work, "pair")).stage("gpt")
    assert stage is not None and stage.updates == 8
