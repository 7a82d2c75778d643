"""Installing packages is a run of its own: it survives the link and goes on where it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from local_connection import LocalLink

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote import deploy
from sovdeck.remote.agent.code_archive import build_code_archive
from sovdeck.remote.deploy import DeployConnections, DeployStep, StepReport
from sovdeck.remote.deploy.apply import send_code
from sovdeck.remote.deploy.steps import CheckEngine, MakeEnvironment

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def layout(link: Any, tmp_path: Path) -> Layout:
    made = Layout.at(str(tmp_path / "work"))
    code = tmp_path / "work" / "code" / "abc"
    code.mkdir(parents=True)
    (code / "agent").symlink_to(ROOT / "remote" / "agent")
    # uv stands beside this interpreter where the environment was made with it.
    link.env["PATH"] = f"{Path(sys.executable).parent}:{link.env['PATH']}"
    return made


def steps(layout: Layout, action: MakeEnvironment) -> tuple[DeployStep, DeployStep]:
    nothing = Text("", "")
    check = CheckEngine(layout, action.python, "abc", "", {})
    return (
        DeployStep("python", nothing, True, action),
        DeployStep("check", nothing, False, check),
    )


def apply(link: Any, todo: tuple[DeployStep, ...], report: Any) -> None:
    deploy.apply_steps(DeployConnections(link, lambda: link, lambda: link), todo, report)


def imports(python: str, module: str) -> bool:
    return subprocess.run([python, "-c", f"import {module}"], stderr=-3).returncode == 0


def make_wheel(folder: Path, name: str, version: str, needs: str = "") -> None:
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for file, text in {
            f"{name}.py": "here = True\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            + (f"Requires-Dist: {needs}\n" if needs else ""),
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
        }.items():
            wheel.writestr(file, text)


def test_from_a_wheel_folder_without_network(link: Any, layout: Layout, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "sovdeckprobe", "1.0")
    action = MakeEnvironment(
        str(layout.environment),
        "venv",
        sys.executable,
        "key1",
        ("sovdeckprobe>=1",),
        wheels=str(wheels),
    )
    reports: list[StepReport] = []
    apply(link, steps(layout, action), reports.append)
    assert imports(action.python, "sovdeckprobe")
    assert json.loads((Path(action.folder) / ".ok").read_text())["key"] == "key1"
    assert any("sovdeckprobe" in report.detail for report in reports)

    # What cannot be had leaves no mark of success, and what was there stays usable.
    missing = replace(
        action,
        key="key2",
        requirements=("sovdecknowhere>=1",),
        indexes=(f"file://{tmp_path}/none",),
    )
    with pytest.raises(Problem) as caught:
        apply(link, steps(layout, missing), lambda _: None)
    assert caught.value.key == "remote.deploy.install_failed"
    assert not (Path(action.folder) / ".ok").exists()
    assert imports(action.python, "sovdeckprobe")


def test_an_overlay_sees_what_its_base_has(link: Any, layout: Layout, tmp_path: Path) -> None:
    action = MakeEnvironment(
        str(layout.environment),
        "overlay",
        sys.executable,
        "key",
        ("sovdeckprobe>=1",),
        wheels=str(tmp_path),
    )
    make_wheel(tmp_path, "sovdeckprobe", "1.0")
    apply(link, steps(layout, action), lambda _: None)
    # pytest is in this interpreter's own environment, not in the Python below it.
    assert imports(action.python, "pytest") and imports(action.python, "sovdeckprobe")
    assert not imports(sys.executable, "sovdeckprobe")


def test_a_disk_that_filled_up_is_named(link: Any, layout: Layout, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "df").write_text("#!/bin/sh\necho 'x 100 99 1024 99% /data'\n")
    (tools / "df").chmod(0o755)
    link.env["PATH"] = f"{tools}:{link.env['PATH']}"
    action = MakeEnvironment(
        str(layout.environment),
        "venv",
        sys.executable,
        "key",
        ("sovdecknowhere>=1",),
        indexes=(f"file://{tmp_path}/none",),
    )
    with pytest.raises(Problem) as caught:
        apply(link, steps(layout, action), lambda _: None)
    assert caught.value.key == "remote.deploy.disk_full"
    assert "the disk /data is full (1 MiB left)" in caught.value.message.en


@pytest.mark.parametrize("missing", ["openssl", "sha256sum", "tar", "all"])
def test_the_code_is_unpacked_with_what_is_there(tmp_path: Path, missing: str) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    kept = {"sh", "mkdir", "cat", "sed", "rm", "mv", "chmod", "date", "gzip"}
    kept |= {"openssl", "sha256sum", "tar"} - {missing} if missing != "all" else set()
    for name in kept:
        found = shutil.which(name)
        if found is not None:
            (tools / name).symlink_to(found)
    (tools / "python3").symlink_to(os.path.realpath(sys.executable))
    server = LocalLink(env={"PATH": str(tools), "HOME": str(tmp_path)})
    code = build_code_archive()
    send_code(server, Layout.at(str(tmp_path)), code)  # type: ignore[arg-type]
    there = tmp_path / "code" / code.sha
    assert (there / "sovdeck" / "engine" / "__main__.py").is_file()
    assert (there / "agent" / "supervise.sh").is_file()
