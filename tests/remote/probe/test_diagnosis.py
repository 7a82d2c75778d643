"""What a probe's facts mean, in sentences, decided without a server."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from sovdeck.remote.probe.diagnosis import Diagnosis, diagnose, diagnose_first_contact
from sovdeck.remote.probe.facts import Disk, DownloadSource, ServerFacts, parse_facts
from sovdeck.remote.probe.nvidia_smi import cuda_of_driver, parse_driver_version, parse_gpus
from sovdeck.remote.probe.providers import PLAIN_INDEX, PROVIDER_PROFILES

PLAIN, AUTODL = PROVIDER_PROFILES["plain"], PROVIDER_PROFILES["autodl"]
GIB = 1 << 30
GOOD = ServerFacts(
    home="/root",
    system="Linux",
    os="Ubuntu 22.04",
    shell="/bin/bash",
    cpus=16,
    memory_total=64 * GIB,
    core_speed=21.5,
    cpu_model="AMD EPYC 7543",
    sftp=True,
    sessions=3,
    work="/root/autodl-tmp/sovdeck",
    pretrained=frozenset({"v2", "v2Pro"}),
    gpus=parse_gpus("0, GPU-1, NVIDIA GeForce RTX 4090", ("index", "uuid", "name")).gpus,
    driver=(550, 54, 14),
    driver_cuda=(12, 4),
    disks=(
        Disk(
            "/root/autodl-tmp/sovdeck", 90 * GIB, 60 * GIB, 10**6, "xfs", True, "/root/autodl-tmp"
        ),
        Disk("/root/sovdeck", 30 * GIB, 3 * GIB, 10**6, "overlayfs", True, "/"),
    ),
    sources=(
        DownloadSource(f"{PLAIN_INDEX}/pip/", True, None),
        DownloadSource("https://huggingface.co/robots.txt", False, None),
    ),
)


def said(found: tuple[Diagnosis, ...]) -> str:
    return "\n".join(f"{one.level}: {one.message.en} {one.hint.en}" for one in found)


def test_one_screen_says_all_that_matters() -> None:
    text = said(diagnose(GOOD, "10.0.0.1", AUTODL))
    for part in (
        "good: GPU: NVIDIA GeForce RTX 4090; driver 550.54.14, CUDA 12.4.",
        "good: Pretrained weights: v2, v2Pro.",
        "note: /root/autodl-tmp/sovdeck: 60 GiB free.",
        "note: Provider: autodl; switched off by: /usr/bin/shutdown",
        "note: A stop keeps /root/autodl-tmp/sovdeck for 15 days",
        "releases it after 15 days",
        "21.5 MB/s with zlib (AMD EPYC 7543)",
        f"good: Reached from there: {urlsplit(PLAIN_INDEX).hostname}.",
        "note: Not reached from there: huggingface.co.",
        "good: Commands run there; the login shell is /bin/bash.",
    ):
        assert part in text
    assert len(text.splitlines()) <= 24
    assert "3 GiB" not in text, "only the disk that counts is spoken of"


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"sftp": False}, "warning: This address offers no SFTP"),
        ({"sessions": 1}, "warning: This server allows 1 session on"),
        ({"preamble": "Welcome to vast.ai"}, 'prints to every command: "Welcome to vast.ai"'),
        ({"gpus": ()}, "warning: No GPU answers now"),
        ({"pretrained": frozenset()}, "note: No pretrained weights are there yet."),
        ({"provider_marks": frozenset({"slurm"}), "gpus": ()}, "login node of a Slurm cluster"),
        ({"sources": (DownloadSource("https://a/", False, None),)}, "relay = true"),
    ],
)
def test_what_is_odd_is_said_with_what_to_do(changes: dict[str, object], part: str) -> None:
    assert part in said(diagnose(replace(GOOD, **changes), "10.0.0.1", AUTODL))  # type: ignore[arg-type]


def test_a_driver_that_fails_is_not_told_to_switch_to_its_gpu_twice() -> None:
    hung = parse_gpus("nvidia-smi: no answer within 40 s").issues
    text = said(diagnose_first_contact(replace(GOOD, gpus=(), gpu_issues=hung), "", PLAIN))
    assert "nvidia-smi does not answer" in text and "GPU mode" not in text


def test_what_a_stop_keeps_is_said_of_the_folder_that_would_be_chosen() -> None:
    runpod = PROVIDER_PROFILES["runpod"]
    for mount, part in (
        ("/workspace", "as long as it is paid"),
        ("/", "deletes /workspace/sovdeck"),
    ):
        disk = Disk("/workspace/sovdeck", 90 * GIB, 60 * GIB, 10**6, "xfs", True, mount)
        facts = replace(GOOD, work="", disks=(disk,))
        assert part in said(diagnose_first_contact(facts, "", runpod))


def test_a_gpu_is_never_said_to_be_replaceable_by_the_processor() -> None:
    text = said(diagnose(replace(GOOD, gpus=()), "", AUTODL))
    assert "processor" not in text.replace("16 processors", "") and "training needs one" in text


@pytest.mark.parametrize(
    ("text", "driver", "cuda"),
    [
        ("550.54.14", (550, 54, 14), (12, 4)),
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May",
            (535, 183, 1),
            (12, 2),
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06",
            (580, 65, 6),
            (13, 0),
        ),
        ("470.57", (470, 57), (11, 4)),
        ("390.157", (390, 157), None),
        ("[N/A]", (), None),
        ("", (), None),
    ],
)
def test_the_driver_tells_the_cuda_it_runs(
    text: str, driver: tuple[int, ...], cuda: tuple[int, int] | None
) -> None:
    assert parse_driver_version(text) == driver and cuda_of_driver(driver) == cuda


def test_a_containers_share_of_its_host_is_counted() -> None:
    lines = "cpus 208\ncpu_quota 2500000 100000\ndriver NVRM version: x  570.26  y\ncore_speed 20.5"
    facts = parse_facts(lines)
    assert facts.cpus == 25 and facts.driver_cuda == (12, 8) and facts.core_speed == 20.5
    assert parse_facts("cpus 8\ncpu_quota max 100000").cpus == 8
    assert parse_facts("core_speed 1e999").core_speed is None
