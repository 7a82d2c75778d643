"""probe.sh on servers whose tools hang or err, and whose marks lie beside secrets."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from scripted_sshd import wait_until

from sovdeck.remote.probe.facts import ServerFacts
from sovdeck.remote.probe.probe import probe_server


@pytest.fixture
def probe(link: Any, tmp_path: Path) -> Any:
    """Probe with these programs first on PATH: name -> text."""
    tools = tmp_path / "tools"
    tools.mkdir()
    link.env["PATH"] = f"{tools}:{link.env['PATH']}"
    link.env["HOME"] = str(tmp_path)

    def run(programs: dict[str, str], limit: int = 20) -> ServerFacts:
        for name, text in programs.items():
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        return probe_server(link, gpu_limit_s=limit)

    return run


def test_a_hung_nvidia_smi_is_bounded_named_and_ended(probe: Any, tmp_path: Path) -> None:
    began = time.monotonic()
    pid = tmp_path / "pid"
    facts = probe({"nvidia-smi": f"echo $$ >{pid}; exec sleep 1000"}, limit=1)
    assert time.monotonic() - began < 30
    assert [issue.code for issue in facts.gpu_issues] == ["remote.gpu.hangs"]
    assert facts.disks and facts.system == "Linux", "all else was found out"
    wait_until(lambda: not is_running(pid.read_text().strip()))  # none is left behind


def is_running(pid: str) -> bool:
    """Whether the process still runs; one that nobody has waited for yet has ended."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_an_error_of_nvidia_smi_comes_along(probe: Any) -> None:
    facts = probe({"nvidia-smi": "echo 'No devices were found'; exit 6"})
    assert [issue.code for issue in facts.gpu_issues] == ["remote.gpu.no_devices"]


def test_cards_and_driver_are_read(probe: Any) -> None:
    answer = """case "$*" in
    *compute_cap*) echo "0, 8.9" ;;
    *--query*) echo "0, GPU-1, 550.54.14, 24564, 1, 24563, 0, 0, 30, 20.5, [N/A], NVIDIA L4" ;;
    *) echo "| CUDA Version: 12.4 |" ;;
esac"""
    facts = probe({"nvidia-smi": answer})
    assert facts.gpus[0].name == "NVIDIA L4" and facts.compute_capabilities == (8.9,)
    assert facts.driver == (550, 54, 14) and facts.driver_cuda == (12, 4)


def test_a_mark_is_found_and_no_secret_beside_it_is_read(probe: Any, link: Any) -> None:
    link.env |= {"RUNPOD_POD_ID": "pod-secret", "RUNPOD_API_KEY": "key-secret"}
    said: list[bytes] = []
    original = link.run

    def run(*args: Any, **options: Any) -> Any:
        result = original(*args, **options)
        said.append(result.out)
        return result

    link.run = run
    facts = probe({})
    assert "RUNPOD_POD_ID" in facts.provider_marks and b"secret" not in b"".join(said)


def test_a_provider_s_folder_counts_only_where_the_provider_made_it(
    probe: Any, tmp_path: Path
) -> None:
    facts = probe({})
    paths = [disk.path for disk in facts.disks]
    assert f"{tmp_path}/sovdeck" in paths
    assert "/hy-tmp/sovdeck" not in paths or Path("/hy-tmp").is_dir()
    assert all(disk.mount.startswith("/") for disk in facts.disks if disk.path in paths)
