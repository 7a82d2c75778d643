"""A table of rented servers: their driver, card, system and image, and the torch each gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.agent.code_archive import CodeArchive
from sovdeck.remote.deploy.interpreter import choose_indexes, choose_interpreter, needs_relay
from sovdeck.remote.deploy.steps import DeployOptions, MakeEnvironment, UsePython
from sovdeck.remote.deploy.torch_index import PYPI_MIRRORS, IndexSurvey, WheelNeed, WheelSource
from sovdeck.remote.probe.facts import Interpreter, ServerFacts
from sovdeck.remote.probe.nvidia_smi import Gpu, cuda_of_driver, parse_gpus
from sovdeck.remote.probe.providers import PLAIN_INDEX

CODE = CodeArchive(
    "c0de", b"", "", ("torch==2.11.*", "torchaudio==2.11.*", "numpy>=1.26,<3", "psutil>=7,<8")
)
LAYOUT = Layout.at("/work")
NOT_INSTALLED = parse_gpus("nvidia-smi: not found").issues
NO_DEVICES = parse_gpus("No devices were found").issues


@dataclass(frozen=True)
class Server:
    """One row. torch: the image's, with its CUDA in the local part; "" without one. expected:
    "build" for an environment of ours, "keep" or "add build" for the image's, else a problem."""

    kind: str
    python: str
    torch: str
    driver: str
    card: float | tuple[float, ...] | None
    expected: str
    audio: bool = True
    machine: str = "x86_64"
    libc: str = "glibc 2.35"
    tools: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


SERVERS = [
    # shared table: which torch
    Server("bare 3.10, driver 535", "3.10", "", "535.54.03", 8.6, "cu126"),
    Server("3.10, torch 2.4.1+cu121", "3.10", "2.4.1+cu121", "550.54.14", 8.9, "cu126"),
    Server("3.12, torch 2.5.1+cu124", "3.12", "2.5.1+cu124", "550.54.14", 8.9, "cu126"),
    Server("3.11, torch 2.6.0+cu124", "3.11", "2.6.0+cu124", "550.54.14", 8.9, "cu126"),
    Server("torch 2.8 without audio", "3.12", "2.8.0+cu128", "570.26", 8.9, "add cu128", False),
    Server("3.11, torch 2.11+cu130", "3.11", "2.11.0+cu130", "580.65.06", 9.0, "keep"),
    Server("RTX 5090", "3.12", "", "570.26", 12.0, "cu128"),
    Server("GTX 1080 Ti", "3.11", "", "550.54.14", 6.1, "cu126"),
    Server("driver 470", "3.11", "", "470.57.02", 7.5, "remote.deploy.old_driver"),
    Server("uv alone", "", "", "550.54.14", 8.6, "cu126", tools=("uv",)),
    Server("conda alone", "", "", "550.54.14", 8.6, "cu126", tools=("conda",)),
    Server("AutoDL without its GPU", "3.11", "", "error", None, "cu128"),
    # drivers
    Server("driver 450", "3.11", "", "450.80.02", 8.0, "remote.deploy.old_driver"),
    Server("driver 520", "3.11", "", "520.61.05", 8.0, "remote.deploy.old_driver"),
    Server("driver 525", "3.11", "", "525.60.13", 8.0, "cu126"),
    Server("driver 545", "3.11", "", "545.23.06", 8.0, "cu126"),
    Server("driver 560", "3.11", "", "560.28.03", 8.9, "cu126"),
    Server("driver 575", "3.11", "", "575.51.03", 8.9, "cu128"),
    Server("driver 580", "3.11", "", "580.65.06", 8.9, "cu130"),
    Server("driver 590", "3.11", "", "590.44.01", 9.0, "cu130"),
    # cards
    Server("GTX 980", "3.11", "", "580.65.06", 5.2, "cu126"),
    Server("P100, new driver", "3.11", "", "580.65.06", 6.0, "cu126"),
    Server("V100, new driver", "3.11", "", "580.65.06", 7.0, "cu126"),
    Server("V100, driver 570", "3.11", "", "570.26", 7.0, "cu126"),
    Server("T4", "3.11", "", "550.54.14", 7.5, "cu126"),
    Server("A100", "3.11", "", "570.26", 8.0, "cu128"),
    Server("L40S", "3.11", "", "580.65.06", 8.9, "cu130"),
    Server("H100", "3.11", "", "535.54.03", 9.0, "cu126"),
    Server("B200", "3.11", "", "570.26", 10.0, "cu128"),
    Server("B300, minor 3", "3.11", "", "580.65.06", 10.3, "cu130"),
    Server("RTX 5090, driver 580", "3.11", "", "580.65.06", 12.0, "cu130"),
    Server("GB10", "3.12", "", "580.65.06", 12.1, "cu130", machine="aarch64"),
    Server("GH200, driver 550", "3.10", "", "550.54.14", 9.0, "cu126", machine="aarch64"),
    Server("Kepler", "3.11", "", "550.54.14", 3.5, "remote.deploy.no_kernels"),
    Server("1080 Ti beside two 3090", "3.11", "", "580.65.06", (6.1, 8.6, 8.6), "cu126"),
    Server("5090 beside 4090", "3.11", "", "570.26", (12.0, 8.9), "cu128"),
    # Pythons
    Server("3.8 alone", "3.8", "", "550.54.14", 8.6, "remote.deploy.no_python"),
    Server("3.9 alone", "3.9", "", "550.54.14", 8.6, "remote.deploy.no_python"),
    Server("3.9 with conda", "3.9", "", "550.54.14", 8.6, "cu126", tools=("conda",)),
    Server("3.13", "3.13", "", "550.54.14", 8.6, "cu126"),
    Server("3.14 alone", "3.14", "", "550.54.14", 8.6, "remote.deploy.no_python"),
    # images
    Server("AutoDL 2.7/cu126", "3.12", "2.7.1+cu126", "550.54.14", 8.9, "keep"),
    Server("AutoDL 5090, image for 4090", "3.12", "2.7.1+cu126", "570.26", 12.0, "cu128"),
    Server("RunPod cu1281-torch280", "3.12", "2.8.0+cu128", "570.26", 12.0, "keep"),
    Server("RunPod cu1281-torch260, 5090", "3.12", "2.6.0+cu126", "570.26", 12.0, "cu128"),
    Server("RunPod cu1300 on an old host", "3.12", "2.9.1+cu130", "550.54.14", 8.9, "cu126"),
    Server("Vast /venv/main, no audio", "3.12", "2.9.1+cu126", "570.26", 8.9, "add cu126", False),
    Server("Vast cu126 on Blackwell", "3.12", "2.9.1+cu126", "570.26", 12.0, "cu128"),
    Server("V100, image 2.9+cu128", "3.11", "2.9.1+cu128", "570.26", 7.0, "keep"),
    Server("V100, image 2.11+cu128", "3.11", "2.11.0+cu128", "570.26", 7.0, "cu126"),
    Server("Lambda Stack", "3.10", "2.7.0+cu128", "570.26", 8.0, "keep"),
    Server("image with a CPU torch", "3.11", "2.11.0", "550.54.14", 8.6, "cu126"),
    Server("torch 2.7 for CUDA 11.8", "3.11", "2.7.1+cu118", "470.57.02", 8.0, "keep"),
    # lab boxes and others
    Server("lab, no GPU at all", "3.11", "", "none", None, "cpu"),
    Server("lab, CPU torch is right", "3.11", "2.11.0", "none", None, "keep"),
    Server(
        "AutoDL that hides its driver", "3.11", "", "none", None, "cu128", marks=("autodl-tmp",)
    ),
    Server("WSL, Windows driver", "3.12", "", "591.44", 7.5, "cu130", marks=("wsl",)),
    Server("card unknown", "3.11", "", "550.54.14", None, "cu126"),
    Server("CentOS 7", "3.11", "", "550.54.14", 8.6, "remote.deploy.old_glibc", libc="glibc 2.17"),
    Server(
        "Ubuntu 18.04", "3.11", "", "550.54.14", 8.6, "remote.deploy.old_glibc", libc="glibc 2.27"
    ),
    Server("Alpine", "3.12", "", "550.54.14", 8.6, "remote.deploy.musl", libc="musl"),
    Server("POWER", "3.11", "", "550.54.14", 7.0, "remote.deploy.other_machine", machine="ppc64le"),
]


def facts_of(server: Server) -> ServerFacts:
    pythons: tuple[Interpreter, ...] = ()
    if server.python:
        major, minor = server.python.split(".")
        release, _, local = server.torch.partition("+")
        cuda = f"{local[2:4]}.{local[4:]}" if local else None
        rest = {"numpy": "2.1.0", "psutil": "7.0.0"}
        own = {"torch": server.torch, **({"torchaudio": release} if server.audio else {}), **rest}
        have: dict[str, str] = own if server.torch else {}
        version = (int(major), int(minor), 1)
        pythons = (Interpreter("/usr/bin/python3", version, "/usr", have, cuda, venv=True),)
    known = server.driver[0].isdigit()
    driver = tuple(int(part) for part in server.driver.split(".")) if known else ()
    cards = server.card if isinstance(server.card, tuple) else (server.card,)
    capabilities = tuple(card for card in cards if card is not None)
    issues = {"none": NOT_INSTALLED, "error": NO_DEVICES}.get(server.driver, ())
    return ServerFacts(
        home="/root",
        system="Linux",
        machine=server.machine,
        libc=server.libc,
        tools={tool: f"/usr/bin/{tool}" for tool in server.tools},
        provider_marks=frozenset(server.marks),
        pythons=pythons,
        gpus=tuple(Gpu(index=i, name="card") for i in range(len(capabilities) or known)),
        gpu_issues=issues,
        compute_capabilities=capabilities,
        driver=driver,
        driver_cuda=cuda_of_driver(driver),
    )


def answer(build: str, **changes: Any) -> IndexSurvey:
    """Every index there is answers."""
    pins = {"torch": f"2.11.0+{build}", "torchaudio": f"2.11.0+{build}"}
    source = WheelSource("https://a", "index", f"https://a/{build}", pins, 800_000_000, 10e6)
    return IndexSurvey((replace(source, **changes),), (PLAIN_INDEX,))


def outcome(server: Server) -> str:
    facts = facts_of(server)
    try:
        asked = choose_interpreter(facts, DeployOptions(), CODE, LAYOUT)
        if asked.need is None:
            action = asked.action
        else:
            release = asked.need.packages["torchaudio"]
            pins = {"torchaudio": f"{release}+{asked.need.build}"}
            whole = {"torch": f"2.11.0+{asked.need.build}", "torchaudio": "2.11.0"}
            survey = answer(
                asked.need.build, pins=whole if "torch" in asked.need.packages else pins
            )
            action = choose_interpreter(facts, DeployOptions(), CODE, LAYOUT, survey).action
    except Problem as problem:
        return problem.key
    if isinstance(action, UsePython):
        return "keep"
    if action.method == "overlay":
        added = f"torchaudio=={server.torch.partition('+')[0]}+{action.build}"
        assert action.requirements == (added,), "only what lacks is added, of the same build"
        return f"add {action.build}"
    assert action.requirements[0] == f"torch==2.11.0+{action.build}", "no other build slips in"
    return action.build


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.kind)
def test_each_server_gets_the_torch_that_runs_there(server: Server) -> None:
    assert outcome(server) == server.expected


def test_a_plan_says_what_it_chose_why_and_how_long_it_takes() -> None:
    row = next(server for server in SERVERS if server.kind == "RunPod cu1300 on an old host")
    facts = replace(facts_of(row), gpus=(Gpu(index=0, name="NVIDIA GeForce RTX 4090"),))
    said = choose_interpreter(facts, DeployOptions(), CODE, LAYOUT, answer("cu126")).description.en
    for part in (
        "torch 2.9.1+cu130",
        "needs CUDA 13.0, but the driver only runs 12.4",
        "driver (550.54.14) runs CUDA 12.4",
        "kernels for NVIDIA GeForce RTX 4090 (8.9)",
        "torch 2.11.0+cu126 comes from https://a/cu126",
        "an estimated 3.5 GB at 10.0 MB/s take some 6 min",
    ):
        assert part in said


def test_mirrors_come_in_order_unless_one_is_much_quicker() -> None:
    def source(base: str, speed: float | None) -> WheelSource:
        return WheelSource(base, "index", base, {"torch": "2.11.0+cu126"}, None, speed)

    def best(*sources: WheelSource) -> str | None:
        found = IndexSurvey(sources).best(WheelNeed("cu126", {"torch": "2.11"}, "cp311", "x86_64"))
        return found.base if found else None

    assert best(source("own", 6e6), source("nju", 10e6)) == "own"
    assert best(source("own", 1e6), source("nju", 10e6)) == "nju"
    assert best(source("own", None), source("nju", None)) == "own"
    assert best() is None


def test_a_server_that_reaches_no_index_of_torchs_is_helped_by_the_laptop() -> None:
    old = facts_of(SERVERS[0])
    new = facts_of(next(server for server in SERVERS if server.kind == "driver 580"))
    nothing, plain = IndexSurvey(), IndexSurvey((), (PLAIN_INDEX,))
    for facts, survey, relay in (
        (old, answer("cu126"), False),
        (old, plain, True),
        # PyPI's own torch is the build for CUDA 13.
        (new, plain, False),
        (new, nothing, True),
    ):
        choice = choose_interpreter(facts, DeployOptions(), CODE, LAYOUT, survey)
        assert needs_relay(choice, survey) is relay
    choice = choose_interpreter(
        old, DeployOptions(), CODE, LAYOUT, replace(answer("cu126"), by_laptop=True)
    )
    assert "this computer downloads torch 2.11.0+cu126" in choice.description.en


def test_a_mirror_of_pypi_is_named_only_where_pypi_is_not_reached() -> None:
    mirror = PYPI_MIRRORS[0]
    assert choose_indexes(DeployOptions(), IndexSurvey((), (PLAIN_INDEX, mirror))) == ()
    assert choose_indexes(DeployOptions(), IndexSurvey((), (mirror,))) == (mirror,)
    own = DeployOptions(indexes=("https://mine/simple",))
    assert choose_indexes(own, IndexSurvey((), (mirror,))) == ("https://mine/simple",)


def test_an_image_without_its_torchaudio_anywhere_gets_an_environment_of_ours() -> None:
    row = next(server for server in SERVERS if server.kind == "Vast /venv/main, no audio")
    action = choose_interpreter(facts_of(row), DeployOptions(), CODE, LAYOUT, IndexSurvey()).action
    assert isinstance(action, MakeEnvironment) and action.method == "venv"


def test_the_build_is_part_of_what_names_an_environment() -> None:
    keys = {DeployOptions().environment_key(CODE, build) for build in ("cpu", "cu126", "cu128")}
    assert len(keys) == 3
    # Without its GPU a server keeps the build it was given when it had one.
    row = next(server for server in SERVERS if server.kind == "AutoDL without its GPU")
    standing = {"key": DeployOptions().environment_key(CODE, "cu126"), "build": "cu126"}
    ours = Interpreter("/work/env/bin/python", (3, 11, 1), "/work/env", {"torch": "2.11.0+cu126"})
    facts = replace(facts_of(row), environment=standing, work="/work")
    facts = replace(facts, pythons=(*facts.pythons, ours))
    choice = choose_interpreter(facts, DeployOptions(), CODE, LAYOUT)
    assert choice.action == UsePython("/work/env/bin/python", "cu126")
