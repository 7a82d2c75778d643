"""The exact wheel is looked for in PyTorch's layout and in a mirror's, with limits."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback_index import LoopbackIndex, loopback_index
from test_install_script import apply, imports, make_wheel, steps

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.agent import wheel_index
from sovdeck.remote.agent.code_archive import build_code_archive
from sovdeck.remote.deploy import DeployOptions, plan_for_server
from sovdeck.remote.deploy.steps import MakeEnvironment
from sovdeck.remote.deploy.torch_index import (
    IndexSurvey,
    WheelNeed,
    WheelSource,
    parse_survey,
    survey_from_laptop,
    survey_from_server,
)
from sovdeck.remote.probe.facts import Disk, Interpreter, ServerFacts

NEED = WheelNeed("cu126", {"torch": "2.11", "torchaudio": "2.11"}, "cp311", "x86_64")
LINUX = "manylinux_2_28_x86_64"
RIGHT = f"torch-2.11.0+cu126-cp311-cp311-{LINUX}.whl"
AUDIO = f"torchaudio-2.11.0+cu126-cp311-cp311-{LINUX}.whl"
# Each is wrong in one thing: release, build, Python, machine.
WRONG = (
    f"torch-2.10.0+cu126-cp311-cp311-{LINUX}.whl",
    f"torch-2.110.0+cu126-cp311-cp311-{LINUX}.whl",
    f"torch-2.11.1+cu128-cp311-cp311-{LINUX}.whl",
    f"torch-2.11.1-cp311-cp311-{LINUX}.whl",
    f"torch-2.11.1+cu126-cp312-cp312-{LINUX}.whl",
    "torch-2.11.1+cu126-cp311-cp311-manylinux_2_28_aarch64.whl",
    "torch-2.11.1+cu126-cp311-cp311-win_amd64.whl",
)
SIZE = 3 << 20
FACTS = ServerFacts(
    home="/root",
    system="Linux",
    machine="x86_64",
    pythons=(Interpreter(sys.executable, (3, 11, 1), "/usr", {}, venv=True),),
    disks=(Disk("/root/sovdeck", 1 << 40, 1 << 40, 10**6, "ext4", True, "/"),),
    driver_cuda=(12, 4),
    driver=(550, 54, 14),
    compute_capabilities=(8.9,),
)


@pytest.fixture
def index() -> Iterator[LoopbackIndex]:
    with loopback_index() as served:
        yield served


def fill(index: LoopbackIndex) -> None:
    wheels = dict.fromkeys((*WRONG, RIGHT, AUDIO), b"x" * SIZE)
    index.add_index("/whl/cu126", wheels)
    index.add_folder("/aliyun/cu126", wheels)
    index.add_index("/other/cu126", dict.fromkeys(WRONG, b"x"))
    index.add_page("/plain/torch/", {})


@pytest.mark.parametrize("layout", ["index", "folder"])
def test_the_exact_wheel_is_found_in_either_layout(index: LoopbackIndex, layout: str) -> None:
    fill(index)
    base = f"{index.url}/{'whl' if layout == 'index' else 'aliyun'}"
    survey = survey_from_laptop(NEED, (base,), (f"{index.url}/plain", f"{index.url}/no-such"))
    (source,) = survey.sources
    assert (source.base, source.layout) == (base, layout)
    assert source.pins == {"torch": "2.11.0+cu126", "torchaudio": "2.11.0+cu126"}
    assert source.torch_bytes == SIZE and source.speed
    assert source.address == f"{base}/cu126" + ("/" if layout == "folder" else "")
    assert survey.plain == (f"{index.url}/plain",)
    assert list(survey.failed or {}) == [f"{index.url}/no-such"]


def test_a_newer_patch_of_the_same_release_is_taken(index: LoopbackIndex) -> None:
    names = (RIGHT, RIGHT.replace("2.11.0", "2.11.10"), RIGHT.replace("2.11.0", "2.11.9"))
    index.add_index("/whl/cu126", dict.fromkeys(names, b"x"))
    (source,) = survey_from_laptop(NEED, (f"{index.url}/whl",)).sources
    assert source.pins == {"torch": "2.11.10+cu126"}


def test_what_answers_nothing_or_rubbish_holds_nobody_up(
    index: LoopbackIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(index)
    index.files["/rubbish/cu126/torch/"] = bytes(range(256)) * 99
    monkeypatch.setattr(wheel_index, "_ANSWER_S", 0.5)
    bases = [f"{index.url}/{name}" for name in ("silent", "rubbish", "none", "other", "whl")]
    began = time.monotonic()
    survey = survey_from_laptop(NEED, [*bases, "file:///etc", "not an address"])
    assert time.monotonic() - began < 10
    assert [source.base for source in survey.sources] == [f"{index.url}/whl"]
    failed = survey.failed or {}
    assert set(failed) == {*bases[:4], "file:///etc", "not an address"}
    assert failed[f"{index.url}/other"] == "it does not hold this wheel"


def test_an_answer_cut_short_or_of_another_kind_finds_nothing() -> None:
    for output in ("", "noise", '{"sources": [', '{"sources": [{"base": 1}]}', "[1]", "null"):
        assert parse_survey(output, by_laptop=False).best(NEED) is None
    noisy = "a warning of Python\n" + json.dumps({"sources": [], "plain": ["p"], "failed": {}})
    assert parse_survey(noisy, by_laptop=False).plain == ("p",)


def test_the_server_asks_in_one_round_trip(link: Any, index: LoopbackIndex) -> None:
    fill(index)
    trips = link.trips
    survey = survey_from_server(link, FACTS, NEED, (f"{index.url}/whl",), (f"{index.url}/plain",))
    assert link.trips == trips + 1
    assert [source.base for source in survey.sources] == [f"{index.url}/whl"]


def test_a_plan_pins_what_the_server_found(link: Any, index: LoopbackIndex) -> None:
    fill(index)
    planned = plan_for_server(link, FACTS, DeployOptions(torch_index=f"{index.url}/whl"))
    action = next(s.action for s in planned.steps if isinstance(s.action, MakeEnvironment))
    assert action.requirements[:2] == ("torch==2.11.0+cu126", "torchaudio==2.11.0+cu126")
    assert len(action.requirements) == len(build_code_archive().requirements)
    assert action.torch is not None and action.torch.layout == "index"
    assert not planned.options.relay


def test_a_release_that_was_not_asked_for_is_no_source() -> None:
    def answer(**wheels: str) -> IndexSurvey:
        source = {"base": "b", "layout": "index", "address": "a", "wheels": wheels}
        return parse_survey(json.dumps({"sources": [source]}), by_laptop=False)

    for wheels in ({"torch": "2.11.0+cu126"}, {"torch": "2.11"}, {"torch": "2.11+cpu"}):
        assert answer(**wheels).best(NEED) is not None
    for wheels in ({}, {"torchaudio": "2.11.0"}, {"torch": "2.110.0"}, {"torch": "12.11"}):
        assert answer(**wheels).best(NEED) is None


@pytest.mark.parametrize(
    ("size", "speed"),
    [(10**300, float("nan")), (-1, -1.0), ("x", "y"), (None, float("inf")), (0, 5e-324)],
)
def test_an_odd_size_or_speed_is_none(size: Any, speed: Any) -> None:
    source = {"base": "b", "layout": "index", "address": "a", "wheels": {"torch": "2.11"}}
    said = json.dumps({"sources": [{**source, "bytes": size, "speed": speed}]})
    found = parse_survey(said, by_laptop=False).best(NEED)
    assert found is not None and found.torch_bytes is None and found.speed is None


def test_where_an_image_cannot_be_completed_a_new_torch_is_asked_for(
    link: Any, index: LoopbackIndex
) -> None:
    fill(index)
    have = {"torch": "2.9.1+cu126", "numpy": "2.1.0", "psutil": "7.0.0"}
    image = Interpreter(sys.executable, (3, 11, 1), "/usr", have, "12.6", venv=True)
    facts = replace(FACTS, pythons=(image,))
    planned = plan_for_server(link, facts, DeployOptions(torch_index=f"{index.url}/whl"))
    action = next(s.action for s in planned.steps if isinstance(s.action, MakeEnvironment))
    assert action.method != "overlay" and action.requirements[0] == "torch==2.11.0+cu126"
    assert action.torch is not None and not planned.options.relay


def test_where_the_server_reaches_nothing_this_computer_asks(
    link: Any, index: LoopbackIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(index)
    monkeypatch.setattr(link, "run", lambda *_, **__: type("Done", (), {"out": b""}))
    options = DeployOptions(torch_index=f"{index.url}/whl")
    planned = plan_for_server(link, FACTS, options)
    assert planned.options.relay and planned.survey is not None and planned.survey.by_laptop
    step = next(step for step in planned.steps if step.name == "python")
    assert "this computer downloads torch 2.11.0+cu126" in step.description.en
    # Nor does this computer: said with what each address answered, before anything is sent.
    with pytest.raises(Problem) as caught:
        plan_for_server(link, FACTS, replace(options, torch_index=f"{index.url}/none"))
    assert caught.value.key == "remote.deploy.torch_unreachable"
    assert f"{index.url}/none: HTTP Error 404" in caught.value.message.en


@pytest.mark.parametrize(("layout", "method"), [("index", "venv"), ("folder", "overlay")])
def test_no_other_build_slips_in_and_gaps_are_filled(
    link: Any, index: LoopbackIndex, tmp_path: Path, layout: Any, method: str
) -> None:
    """The real uv (venv) and pip (overlay): torch's index lacks what torch needs, and the package
    index holds a torch too, newer and of another build."""
    # The base of the overlay has a real torch, which stays out of it.
    torch = "torch" if method == "venv" else "sovdecktorch"

    def wheels(*made: tuple[str, str, str]) -> dict[str, bytes]:
        for name, version, needs in made:
            make_wheel(tmp_path, name, version, needs)
        names = [f"{name}-{version}-py3-none-any.whl" for name, version, _ in made]
        return {name: (tmp_path / name).read_bytes() for name in names}

    add = index.add_index if layout == "index" else index.add_folder
    add("/whl/cu126", wheels((torch, "2.11.0+cu126", "sovdeckcuda==12.6")))
    index.add_index(
        "/plain",
        wheels(
            (torch, "2.11.0", ""),
            (torch, "2.11.9", ""),
            ("sovdeckcuda", "12.6", ""),
            ("sovdeckrest", "1.0", ""),
        ),
    )
    made = Layout.at(str(tmp_path / "work"))
    code = tmp_path / "work" / "code" / "abc"
    code.mkdir(parents=True)
    (code / "agent").symlink_to(Path(wheel_index.__file__).parent)
    # Only these indexes, whatever this machine is set to.
    for name in [name for name in link.env if name.startswith(("PIP_", "UV_"))]:
        del link.env[name]
    link.env |= {"PIP_CONFIG_FILE": "/dev/null", "UV_NO_CONFIG": "1"}
    link.env["PATH"] = f"{Path(sys.executable).parent}:{link.env['PATH']}"
    address = f"{index.url}/whl/cu126" + ("/" if layout == "folder" else "")
    action = MakeEnvironment(
        str(made.environment),
        method,
        sys.executable,
        "key",
        (f"{torch}==2.11.0+cu126", "sovdeckrest>=1"),
        (f"{index.url}/plain",),
        build="cu126",
        torch=WheelSource(index.url, layout, address, {torch: "2.11.0+cu126"}),
    )
    apply(link, steps(made, action), lambda _: None)
    assert json.loads((Path(action.folder) / ".ok").read_text())["build"] == "cu126"
    assert imports(action.python, f"{torch}, sovdeckcuda, sovdeckrest")
    ask = f"from importlib.metadata import version; print(version('{torch}'))"
    assert link.run([action.python, "-c", ask]).out.decode().strip() == "2.11.0+cu126"
