"""Installing packages is a run of its own: it survives the link and goes on where it was."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.contract.catalogue import Text
from engine.contract.layout import Layout
from engine.contract.problem import Problem
from remote import deploy
from remote.deploy import Links, Step, StepReport
from remote.deploy.plan import CheckEngine, MakeEnvironment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def layout(link: Any, tmp_path: Path) -> Layout:
    made = Layout.at(str(tmp_path / "work"))
    code = tmp_path / "work" / "code" / "abc"
    code.mkdir(parents=True)
    (code / "agent").symlink_to(ROOT / "remote" / "agent")
    # uv stands beside this interpreter where the environment was made with it.
    link.env["PATH"] = f"{Path(sys.executable).parent}:{link.env['PATH']}"
    return made


def steps(layout: Layout, action: MakeEnvironment) -> tuple[Step, Step]:
    nothing = Text("", "")
    check = CheckEngine(layout, action.python, "abc", "", {})
    return (
        Step("python", nothing, True, action),
        Step("check", nothing, False, check),
    )


def apply(link: Any, todo: tuple[Step, ...], report: Any) -> None:
    deploy.apply(Links(link, lambda: link, lambda: link), todo, report)


def imports(python: str, module: str) -> bool:
    return subprocess.run([python, "-c", f"import {module}"], stderr=-3).returncode == 0


def make_wheel(folder: Path, name: str, version: str) -> None:
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for file, text in {
            f"{name}.py": "here = True\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
        }.items():
            wheel.writestr(file, text)


def test_from_a_wheel_folder_without_network(link: Any, layout: Layout, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "sovdeckprobe", "1.0")
    action = MakeEnvironment(
        str(layout.environment), "venv", sys.executable, "key1", ("sovdeckprobe>=1",),
        wheels=str(wheels),
    )  # fmt: skip
    reports: list[StepReport] = []
    apply(link, steps(layout, action), reports.append)
    assert imports(action.python, "sovdeckprobe")
    assert json.loads((Path(action.folder) / ".ok").read_text())["key"] == "key1"
    assert any("sovdeckprobe" in report.detail for report in reports)

    # What cannot be had leaves no mark of success, and what was there stays usable.
    missing = replace(action, key="key2", requirements=("sovdecknowhere>=1",),
                      indexes=(f"file://{tmp_path}/none",))  # fmt: skip
    with pytest.raises(Problem) as caught:
        apply(link, steps(layout, missing), lambda _: None)
    assert caught.value.key == "remote.deploy.install_failed"
    assert not (Path(action.folder) / ".ok").exists()
    assert imports(action.python, "sovdeckprobe")


def test_an_overlay_sees_what_its_base_has(link: Any, layout: Layout, tmp_path: Path) -> None:
    action = MakeEnvironment(
        str(layout.environment), "overlay", sys.executable, "key", ("sovdeckprobe>=1",),
        wheels=str(tmp_path),
    )  # fmt: skip
    make_wheel(tmp_path, "sovdeckprobe", "1.0")
    apply(link, steps(layout, action), lambda _: None)
    # pytest is in this interpreter's own environment, not in the Python below it.
    assert imports(action.python, "pytest") and imports(action.python, "sovdeckprobe")
    assert not imports(sys.executable, "sovdeckprobe")
