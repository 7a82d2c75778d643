"""The plan for many kinds of server, decided without touching one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.agent.code_archive import CodeArchive, build_code_archive
from sovdeck.remote.deploy.plan import choose_work_folder, plan
from sovdeck.remote.deploy.steps import (
    CheckEngine,
    DeployOptions,
    DeployStep,
    MakeEnvironment,
    UsePython,
)
from sovdeck.remote.deploy.torch_index import WheelSource
from sovdeck.remote.deploy.wheels import pip_download_argv
from sovdeck.remote.probe.engine_requirements import GIB, requirements_for, satisfies
from sovdeck.remote.probe.facts import Disk, Interpreter, ServerFacts, parse_facts
from sovdeck.remote.probe.providers import PROVIDER_PROFILES, find_profile

CODE = CodeArchive(
    "c0de", b"data", "5a", ("torch==2.11.*", "torchaudio==2.11.*", "numpy>=1.26,<3", "psutil>=7,<8")
)
# Where nobody asked the indexes: the plan names the release, not the exact build.
FULL: Any = {"torch": "2.11.0+cu128", "torchaudio": "2.11.0", "numpy": "2.1.0", "psutil": "7.0.0"}
PLAIN = PROVIDER_PROFILES["plain"]


def python(
    path: str = "/usr/bin/python3",
    version: tuple[int, int, int] = (3, 11, 4),
    venv: bool = True,
    **distributions: str,
) -> Interpreter:
    return Interpreter(path, version, "/usr", distributions, venv=venv)


def disk(path: str, gib: float, writable: bool = True) -> Disk:
    return Disk(path, 100 * GIB, int(gib * GIB), 10**6, "ext4", writable)


def server(*pythons: Interpreter, **changes: Any) -> ServerFacts:
    facts = ServerFacts(
        user="u",
        home="/home/u",
        system="Linux",
        disks=(disk("/home/u/sovdeck", 50),),
        pythons=pythons,
    )
    return replace(facts, **changes)


def by_name(steps: tuple[DeployStep, ...]) -> dict[str, DeployStep]:
    return {step.name: step for step in steps}


def environment(facts: ServerFacts, config: DeployOptions | None = None) -> MakeEnvironment:
    step = by_name(plan(facts, config or DeployOptions(), CODE, PLAIN))["python"]
    assert step.needed and isinstance(step.action, MakeEnvironment)
    return step.action


def test_a_bare_server_gets_everything() -> None:
    steps = plan(server(python()), DeployOptions(), CODE, PLAIN)
    assert [(step.name, step.needed) for step in steps] == [
        ("folders", True),
        ("code", True),
        ("python", True),
        ("check", True),
    ]
    action = by_name(steps)["python"].action
    assert isinstance(action, MakeEnvironment)
    assert (action.method, action.requirements) == ("venv", CODE.requirements)
    assert action.folder == "/home/u/sovdeck/env"


def test_an_image_with_everything_is_used_as_it_is() -> None:
    step = by_name(plan(server(python(**FULL)), DeployOptions(), CODE, PLAIN))["python"]
    assert step.action == UsePython("/usr/bin/python3", "cpu") and not step.needed


def test_an_images_own_torch_is_kept_and_the_rest_is_added() -> None:
    image = python("/opt/conda/bin/python", torch="2.7.1+cu126", torchaudio="2.7.1", numpy="1.26.4")
    action = environment(server(python(), image))
    assert (action.method, action.base) == ("overlay", "/opt/conda/bin/python")
    assert action.requirements == ("psutil>=7,<8",)
    assert action.torch is None


def test_torch_too_old_to_speak_at_full_speed_is_not_kept() -> None:
    image = python(torch="2.6.0", torchaudio="2.6.0", numpy="1.26.4", psutil="7.0")
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
        plan(server(python(version=(3, 8, 1))), DeployOptions(), CODE, PLAIN)
    assert caught.value.key == "remote.deploy.no_python"


def test_a_named_python_that_is_not_there_is_said() -> None:
    with pytest.raises(Problem) as caught:
        plan(server(python(**FULL)), DeployOptions(python="/my/python"), CODE, PLAIN)
    assert caught.value.key == "remote.deploy.python_missing"


def test_what_stands_is_not_done_again() -> None:
    config = DeployOptions()
    facts = server(
        python(),
        python("/home/u/sovdeck/env/bin/python", **FULL),
        work="/home/u/sovdeck",
        server_id="id",
        code_shas=frozenset({"c0de"}),
        environment={"key": config.environment_key(CODE, "cpu")},
    )
    steps = by_name(plan(facts, config, CODE, PLAIN))
    assert [name for name, step in steps.items() if step.needed] == ["check"]
    # Other options are another environment.
    other = by_name(plan(facts, DeployOptions(torch="cu126"), CODE, PLAIN))
    assert other["python"].needed
    # So is a driver that has come since, and an interpreter that went with the image.
    gpu = replace(facts, driver_cuda=(12, 4))
    assert by_name(plan(gpu, config, CODE, PLAIN))["python"].needed
    wiped = replace(facts, pythons=(python(),))
    assert by_name(plan(wiped, config, CODE, PLAIN))["python"].needed
    # And another work folder is another place.
    moved = by_name(plan(wiped, DeployOptions(work="/data/x"), CODE, PLAIN))
    assert all(step.needed for step in moved.values())


def test_every_run_has_its_code_and_caches_on_the_data_disk() -> None:
    check = by_name(plan(server(python(**FULL)), DeployOptions(work="/data/x"), CODE, PLAIN))[
        "check"
    ]
    assert isinstance(check.action, CheckEngine)
    assert check.action.env["PYTHONPATH"] == "/data/x/code/c0de"
    assert check.action.env["HF_HOME"].startswith("/data/x/")
    assert check.action.env["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_work_folder_by_free_space() -> None:
    autodl = PROVIDER_PROFILES["autodl"]
    both = (disk("/root/autodl-tmp/sovdeck", 40), disk("/root/sovdeck", 300))
    assert (
        choose_work_folder(server(disks=both), DeployOptions(), autodl)
        == "/root/autodl-tmp/sovdeck"
    )
    tight = (disk("/root/autodl-tmp/sovdeck", 3), disk("/root/sovdeck", 9))
    assert choose_work_folder(server(disks=tight), DeployOptions(), autodl) == "/root/sovdeck"
    for disks in ((), (disk("/root/sovdeck", 90, writable=False),), (disk("/root/sovdeck", 2),)):
        with pytest.raises(Problem) as caught:
            choose_work_folder(server(disks=disks), DeployOptions(), autodl)
        assert caught.value.key == "remote.deploy.no_space"
    assert choose_work_folder(server(), DeployOptions(work="~/v"), autodl) == "/home/u/v"


def test_on_an_unknown_server_the_largest_local_disk_wins() -> None:
    home = disk("/home/u/sovdeck", 50)
    data = disk("/data/sovdeck", 900)
    share = replace(disk("/home/u/sovdeck", 9000), kind="nfs")
    read_only = disk("/big/sovdeck", 5000, writable=False)
    for disks, chosen in (
        ((home,), home),
        ((home, data, read_only), data),
        ((share, data), data),
        ((share,), share),
    ):
        assert choose_work_folder(server(disks=disks), DeployOptions(), PLAIN) == chosen.path


def test_a_provider_without_its_folder_gets_the_home_folder() -> None:
    # A pod by a bare address, found by its mark; nobody mounted a volume at /workspace.
    runpod = PROVIDER_PROFILES["runpod"]
    facts = server(disks=(disk("/root/sovdeck", 40),), home="/root")
    assert choose_work_folder(facts, DeployOptions(), runpod) == "/root/sovdeck"
    volume = (*facts.disks, disk("/workspace/sovdeck", 20))
    assert choose_work_folder(replace(facts, disks=volume), DeployOptions(), runpod) == (
        "/workspace/sovdeck"
    )


@pytest.mark.parametrize(
    ("name", "work", "mount", "key"),
    [
        ("autodl", "/root/autodl-tmp/sovdeck", "/root/autodl-tmp", "kept_days"),
        ("runpod", "/workspace/sovdeck", "/workspace", "kept_paid"),
        # /workspace as a part of the container goes with it.
        ("runpod", "/workspace/sovdeck", "/", "kept_not"),
        ("runpod", "/root/sovdeck", "/", "kept_not"),
        ("vast", "/root/sovdeck", "/", "kept_paid"),
        ("gpushare", "/hy-tmp/sovdeck", "/hy-tmp", "kept_hours"),
        ("matpool", "/root/sovdeck", "/", "kept_not"),
        ("featurize", "/home/featurize/data/sovdeck", "/home/featurize/data", "kept_not"),
        ("lambda", "/home/ubuntu/sovdeck", "/", "kept_not"),
        ("plain", "/home/u/sovdeck", "/", "kept_unknown"),
    ],
)
def test_what_a_stop_keeps_is_a_folder_and_a_time(
    name: str, work: str, mount: str, key: str
) -> None:
    facts = {"work": work, "hours": 24, "days": 15}
    assert PROVIDER_PROFILES[name].kept_text(work, mount) == text(f"remote.probe.{key}", **facts)


@pytest.mark.parametrize(
    ("version", "line", "fits"),
    [
        ("2.11.0+cu128", "torch==2.11.*", True),
        ("2.12.0", "torch==2.11.*", False),
        ("2.1", "torch==2.11.*", False),
        ("1.26", "numpy>=1.26,<3", True),
        ("3.0.0", "n>=1,<3", False),
        ("0.4.1.post10", "p>=0.4.1.post10,<0.5", True),
        ("0.4.1.post9", "p>=0.4.1.post10", False),
        ("0.4.1", "p>=0.4.1.post10", False),
        ("7", "p", True),
        ("1.0", "p~=1.0", True),
        ("1.0", "p!=1.0", False),
        ("1.0.0", "p==1.0", True),
        ("2.6.0a0+ecf3bae", "p>=2.6", True),
        ("rubbish", "p>=1", False),
        ("1.0", "p>>1", False),
    ],
)
def test_requirement_lines(version: str, line: str, fits: bool) -> None:
    assert satisfies(version, line) is fits


@pytest.mark.parametrize(
    ("name", "host", "marks", "found"),
    [
        ("auto", "connect.westb.seetacloud.com", (), "autodl"),
        ("auto", "ssh.runpod.io", (), "runpod"),
        ("auto", "10.0.0.1", ("RUNPOD_POD_ID",), "runpod"),
        ("auto", "ssh5.vast.ai", (), "vast"),
        ("auto", "10.0.0.1", ("autodl-tmp",), "autodl"),
        ("auto", "10.0.0.1", ("VAST_CONTAINERLABEL", "wsl"), "vast"),
        ("auto", "i-1.gpushare.com", (), "gpushare"),
        ("auto", "hz-4.matpool.com", (), "matpool"),
        ("auto", "10.0.0.1", ("MATCLOUD_CANCELTOKEN",), "matpool"),
        ("auto", "workspace.featurize.cn", (), "featurize"),
        ("auto", "10.0.0.1", ("lambda",), "lambda"),
        ("auto", "10.0.0.1", ("paperspace",), "paperspace"),
        ("auto", "10.0.0.1", ("digitalocean",), "digitalocean"),
        ("auto", "10.0.0.1", ("network_turbo",), "plain"),
        ("auto", "notvast.ai", (), "plain"),
        ("lambda", "ssh5.vast.ai", (), "lambda"),
        ("auto", "2001:db8::7", (), "plain"),
    ],
)
def test_profile_by_name_host_and_marks(name: str, host: str, marks: Any, found: str) -> None:
    profile = find_profile(name, host, frozenset(marks))
    assert profile.name == found and len(profile.warning_texts()) == len(profile.warnings)


def test_no_profile_destroys_a_server() -> None:
    # A release deletes: where that is the only way, there is none.
    cannot = {name for name, profile in PROVIDER_PROFILES.items() if not profile.stop}
    assert cannot == {"lambda", "gpushare", "matpool", "featurize", "paperspace", "digitalocean"}


def test_the_archive_is_the_same_each_time_and_holds_no_rubbish() -> None:
    import io
    import tarfile

    first = build_code_archive()
    build_code_archive.cache_clear()
    assert build_code_archive() == first
    with tarfile.open(fileobj=io.BytesIO(first.data)) as tar:
        names = tar.getnames()
        assert all(member.mtime == 0 and member.uid == 0 for member in tar)
    assert "sovdeck/engine/contract/spec.py" in names and "agent/supervise.sh" in names
    assert "sovdeck/engine/words/en/spec.json" in names
    assert "sovdeck/engine/requirements.txt" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith("remote")]
    assert any(line.startswith("torch==") for line in first.requirements)


@given(st.text())
def test_no_probe_output_breaks_the_facts(output: str) -> None:
    facts = parse_facts(output)
    assert isinstance(facts, ServerFacts)


@given(
    st.sampled_from(
        [
            "disk",
            "python",
            "source",
            "gpu",
            "capability",
            "environment",
            "list",
            "memory_kb",
            "cpus",
        ]
    ),
    st.text(),
)
def test_no_probe_value_breaks_the_facts(key: str, value: str) -> None:
    assert parse_facts(f"{key} {value}").system == ""


def test_wheels_are_sent_only_where_something_is_installed() -> None:
    config = DeployOptions(wheels="./wheels")
    steps = plan(server(python()), config, CODE, PLAIN)
    assert [step.name for step in steps] == ["folders", "code", "wheels", "python", "check"]
    assert environment(server(python()), config).wheels == "/home/u/sovdeck/wheels"
    names = [step.name for step in plan(server(python(**FULL)), config, CODE, PLAIN)]
    assert "wheels" not in names
    # The folder's place on a laptop does not name another environment.
    assert config.environment_key(CODE) == DeployOptions().environment_key(CODE)


def test_wheels_for_another_machine_are_asked_for_by_its_tags() -> None:
    facts = server(python(version=(3, 12, 3)), machine="aarch64", libc="glibc 2.31")
    config = DeployOptions(indexes=("https://a.example/simple", "https://b.example/simple"))
    argv = pip_download_argv(facts, environment(facts, config), config, Path("wheels"))
    tags = [argv[i + 1] for i, word in enumerate(argv) if word == "--platform"]
    assert tags[0] == "manylinux_2_31_aarch64" and "manylinux2014_aarch64" in tags
    assert "manylinux_2_32_aarch64" not in tags
    assert argv[argv.index("--python-version") + 1] == "3.12"
    assert argv[argv.index("--index-url") + 1] == "https://a.example/simple"
    assert argv[argv.index("--") + 1 :] == list(CODE.requirements)
    # The build of torch is found where this computer found it.
    make = environment(facts, config)
    layouts: tuple[tuple[Literal["index", "folder"], str], ...] = (
        ("index", "--extra-index-url"),
        ("folder", "--find-links"),
    )
    for layout, option in layouts:
        source = WheelSource("https://w", layout, "https://w/cu126", {"torch": "2.11.0+cu126"})
        argv = pip_download_argv(facts, replace(make, torch=source), config, Path("wheels"))
        assert argv[argv.index("https://w/cu126") - 1] == option


def test_a_requirement_without_wheels_for_a_machine_is_left_out_there() -> None:
    lines = ["numpy>=1", "praat>=1; platform_machine == 'x86_64' or sys_platform != 'linux'"]
    assert requirements_for(lines, "x86_64") == ("numpy>=1", "praat>=1")
    assert requirements_for(lines, "aarch64") == ("numpy>=1",)
    assert requirements_for(lines, "") == ("numpy>=1", "praat>=1"), "unknown: as most are"
