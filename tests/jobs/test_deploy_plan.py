"""The plan for many kinds of server, decided without touching one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.problem import Problem
from remote.code_archive import CodeArchive, code_archive
from remote.deploy.plan import (
    CheckEngine,
    DeployConfig,
    MakeEnvironment,
    Step,
    UsePython,
    choose_work,
    plan,
    torch_build,
)
from remote.deploy.relay import download_argv
from remote.facts import Disk, Interpreter, ServerFacts, parse_facts
from remote.needs import GIB
from remote.nvidia import parse_gpus
from remote.profiles import PROFILES, find
from remote.requirement import satisfies

CODE = CodeArchive("c0de", b"data", "5a", ("torch==2.11.*", "torchaudio==2.11.*", "numpy>=1.26,<3",
                                            "psutil>=7,<8"))  # fmt: skip
FULL = {"torch": "2.11.0+cu128", "torchaudio": "2.11.0", "numpy": "2.1.0", "psutil": "7.0.0"}
PLAIN = PROFILES["plain"]


def python(path: str = "/usr/bin/python3", version: tuple[int, int, int] = (3, 11, 4),
           venv: bool = True, **distributions: str) -> Interpreter:  # fmt: skip
    return Interpreter(path, version, "/usr", distributions, pip=True, venv=venv)


def disk(path: str, gib: float, writable: bool = True) -> Disk:
    return Disk(path, 100 * GIB, int(gib * GIB), 10**6, "ext4", writable)


def server(*pythons: Interpreter, **changes: Any) -> ServerFacts:
    facts = ServerFacts(
        user="u", home="/home/u", system="Linux", disks=(disk("/home/u/sovdeck", 50),),
        pythons=pythons,
    )  # fmt: skip
    return replace(facts, **changes)


def by_name(steps: tuple[Step, ...]) -> dict[str, Step]:
    return {step.name: step for step in steps}


def environment(facts: ServerFacts, config: DeployConfig | None = None) -> MakeEnvironment:
    step = by_name(plan(facts, config or DeployConfig(), CODE, PLAIN))["python"]
    assert step.needed and isinstance(step.action, MakeEnvironment)
    return step.action


def test_a_bare_server_gets_everything() -> None:
    steps = plan(server(python()), DeployConfig(), CODE, PLAIN)
    assert [(step.name, step.needed) for step in steps] == [
        ("folders", True), ("code", True), ("python", True), ("check", True)]  # fmt: skip
    action = by_name(steps)["python"].action
    assert isinstance(action, MakeEnvironment)
    assert (action.method, action.requirements) == ("venv", CODE.requirements)
    assert action.folder == "/home/u/sovdeck/env"


def test_an_image_with_everything_is_used_as_it_is() -> None:
    step = by_name(plan(server(python(**FULL)), DeployConfig(), CODE, PLAIN))["python"]
    assert step.action == UsePython("/usr/bin/python3") and not step.needed


def test_an_images_own_torch_is_kept_and_the_rest_is_added() -> None:
    image = python("/opt/conda/bin/python", torch="2.7.1+cu126", torchaudio="2.7.1", numpy="1.26.4")
    action = environment(server(python(), image))
    assert (action.method, action.base) == ("overlay", "/opt/conda/bin/python")
    assert action.requirements == ("psutil>=7,<8",)
    assert action.torch_index == ""


def test_torch_too_old_to_load_weights_safely_is_not_kept() -> None:
    image = python(torch="2.5.1", torchaudio="2.5.1", numpy="1.26.4", psutil="7.0")
    assert environment(server(image)).requirements == CODE.requirements


@pytest.mark.parametrize(
    ("pythons", "tools", "method"),
    [
        ((python(version=(3, 9, 1)), python("/b", (3, 12, 1))), {}, "venv"),
        ((python(venv=False),), {"uv": "/bin/uv", "conda": "/bin/conda"}, "uv"),
        ((python(version=(3, 14, 0)),), {"conda": "/bin/conda"}, "conda"),
    ],
)
def test_the_way_to_make_one(pythons: Any, tools: dict[str, str], method: str) -> None:
    assert environment(server(*pythons, tools=tools)).method == method


def test_no_way_at_all_is_said() -> None:
    with pytest.raises(Problem) as caught:
        plan(server(python(version=(3, 8, 1))), DeployConfig(), CODE, PLAIN)
    assert caught.value.key == "remote.deploy.no_python"


def test_a_named_python_that_is_not_there_is_said() -> None:
    with pytest.raises(Problem) as caught:
        plan(server(python(**FULL)), DeployConfig(python="/my/python"), CODE, PLAIN)
    assert caught.value.key == "remote.deploy.python_missing"


def test_what_stands_is_not_done_again() -> None:
    config = DeployConfig()
    facts = server(
        python(), work="/home/u/sovdeck", identity="id", codes=frozenset({"c0de"}),
        environment={"key": config.key(CODE)},
    )  # fmt: skip
    steps = by_name(plan(facts, config, CODE, PLAIN))
    assert [name for name, step in steps.items() if step.needed] == ["check"]
    # Another wish is another environment.
    other = by_name(plan(facts, DeployConfig(torch="cu126"), CODE, PLAIN))
    assert other["python"].needed
    # And another work folder is another place.
    moved = by_name(plan(facts, DeployConfig(work="/data/x"), CODE, PLAIN))
    assert all(step.needed for step in moved.values())


def test_every_run_has_its_code_and_caches_on_the_data_disk() -> None:
    check = by_name(plan(server(python(**FULL)), DeployConfig(work="/data/x"), CODE, PLAIN))[
        "check"
    ]
    assert isinstance(check.action, CheckEngine)
    assert check.action.env["PYTHONPATH"] == "/data/x/code/c0de"
    assert check.action.env["HF_HOME"].startswith("/data/x/")
    assert check.action.env["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_work_folder_by_room() -> None:
    autodl = PROFILES["autodl"]
    both = (disk("/root/autodl-tmp/sovdeck", 40), disk("/root/sovdeck", 300))
    assert choose_work(server(disks=both), DeployConfig(), autodl) == "/root/autodl-tmp/sovdeck"
    tight = (disk("/root/autodl-tmp/sovdeck", 3), disk("/root/sovdeck", 9))
    assert choose_work(server(disks=tight), DeployConfig(), autodl) == "/root/sovdeck"
    for disks in ((), (disk("/root/sovdeck", 90, writable=False),), (disk("/root/sovdeck", 2),)):
        with pytest.raises(Problem) as caught:
            choose_work(server(disks=disks), DeployConfig(), autodl)
        assert caught.value.key == "remote.deploy.no_room"
    assert choose_work(server(), DeployConfig(work="~/v"), autodl) == "/home/u/v"


@pytest.mark.parametrize(
    ("ceiling", "capability", "build"),
    [((13, 0), 8.6, "cu130"), ((12, 8), 8.9, "cu128"), ((12, 4), 8.0, "cu126"),
     ((13, 0), 7.0, "cu126"), ((12, 2), None, "cu126")],
)  # fmt: skip
def test_torch_build_by_driver(ceiling: Any, capability: float | None, build: str) -> None:
    facts = server(cuda_ceiling=ceiling, capabilities=(capability,) if capability else ())
    assert torch_build(facts, DeployConfig()) == build


def test_torch_build_without_a_gpu_now() -> None:
    assert torch_build(server(), DeployConfig()) == "cpu"
    # A server in its mode without a GPU will have one when it trains.
    silent = parse_gpus("No devices were found").faults
    assert torch_build(server(faults=silent), DeployConfig()) == "cu128"
    assert torch_build(server(), DeployConfig(torch="cu126")) == "cu126"
    with pytest.raises(Problem) as caught:
        torch_build(server(cuda_ceiling=(11, 4)), DeployConfig())
    assert caught.value.key == "remote.deploy.old_driver"


def test_a_named_torch_index_gets_the_build() -> None:
    config = DeployConfig(torch_index="https://wheels.example/whl/")
    action = environment(server(python(), cuda_ceiling=(12, 8)), config)
    assert action.torch_index == "https://wheels.example/whl/cu128"


@pytest.mark.parametrize(
    ("version", "line", "fits"),
    [("2.11.0+cu128", "torch==2.11.*", True), ("2.12.0", "torch==2.11.*", False),
     ("2.1", "torch==2.11.*", False), ("1.26", "numpy>=1.26,<3", True), ("3.0.0", "n>=1,<3", False),
     ("0.4.1.post10", "p>=0.4.1.post10,<0.5", True), ("0.4.1.post9", "p>=0.4.1.post10", False),
     ("0.4.1", "p>=0.4.1.post10", False), ("7", "p", True), ("1.0", "p~=1.0", False),
     ("1.0", "p!=1.0", False), ("1.0.0", "p==1.0", True), ("rubbish", "p>=1", False)],
)  # fmt: skip
def test_requirement_lines(version: str, line: str, fits: bool) -> None:
    assert satisfies(version, line) is fits


@pytest.mark.parametrize(
    ("name", "host", "marks", "found"),
    [("auto", "connect.westb.seetacloud.com", (), "autodl"),
     ("auto", "ssh.runpod.io", (), "runpod"),
     ("auto", "10.0.0.1", ("RUNPOD_POD_ID",), "runpod"), ("auto", "ssh5.vast.ai", (), "vast"),
     ("auto", "10.0.0.1", ("autodl-tmp",), "autodl"), ("auto", "notvast.ai", (), "plain"),
     ("lambda", "ssh5.vast.ai", (), "lambda"), ("auto", "2001:db8::7", (), "plain")],
)  # fmt: skip
def test_profile_by_name_host_and_marks(name: str, host: str, marks: Any, found: str) -> None:
    profile = find(name, host, frozenset(marks))
    assert profile.name == found and len(profile.warn()) == len(profile.warnings)


def test_no_profile_destroys_a_server() -> None:
    words = {word for profile in PROFILES.values() for word in profile.stop}
    assert not words & {"remove", "terminate", "destroy", "delete", "rm"}
    assert PROFILES["lambda"].stop == ()


def test_the_archive_is_the_same_each_time_and_holds_no_rubbish() -> None:
    import io
    import tarfile

    first = code_archive()
    code_archive.cache_clear()
    assert code_archive() == first
    with tarfile.open(fileobj=io.BytesIO(first.data)) as tar:
        names = tar.getnames()
        assert all(member.mtime == 0 and member.uid == 0 for member in tar)
    assert "engine/contract/spec.py" in names and "agent/supervise.sh" in names
    assert "engine/words/spec.json" in names and "engine/requirements.txt" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith("remote")]
    assert any(line.startswith("torch==") for line in first.requirements)


@given(st.text())
def test_no_probe_output_breaks_the_facts(output: str) -> None:
    facts = parse_facts(output)
    assert isinstance(facts, ServerFacts)


@given(st.sampled_from(["disk", "python", "source", "gpu", "capability", "environment", "list",
                        "memory_kb", "cpus"]), st.text())  # fmt: skip
def test_no_probe_value_breaks_the_facts(key: str, value: str) -> None:
    assert parse_facts(f"{key} {value}").system == ""


def test_wheels_are_sent_only_where_something_is_installed() -> None:
    config = DeployConfig(wheels="./wheels")
    steps = plan(server(python()), config, CODE, PLAIN)
    assert [step.name for step in steps] == ["folders", "code", "wheels", "python", "check"]
    assert environment(server(python()), config).wheels == "/home/u/sovdeck/wheels"
    names = [step.name for step in plan(server(python(**FULL)), config, CODE, PLAIN)]
    assert "wheels" not in names
    # The folder's place on a laptop does not name another environment.
    assert config.key(CODE) == DeployConfig().key(CODE)


def test_wheels_for_another_machine_are_asked_for_by_its_tags() -> None:
    facts = server(python(version=(3, 12, 3)), machine="aarch64", libc="glibc 2.31")
    config = DeployConfig(indexes=("https://a.example/simple", "https://b.example/simple"))
    argv = download_argv(facts, environment(facts, config), config, Path("wheels"))
    tags = [argv[i + 1] for i, word in enumerate(argv) if word == "--platform"]
    assert tags[0] == "manylinux_2_31_aarch64" and "manylinux2014_aarch64" in tags
    assert "manylinux_2_32_aarch64" not in tags
    assert argv[argv.index("--python-version") + 1] == "3.12"
    assert argv[argv.index("--index-url") + 1] == "https://a.example/simple"
    assert argv[argv.index("--") + 1 :] == list(CODE.requirements)
