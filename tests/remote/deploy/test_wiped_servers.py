"""After a restart with an empty container disk, or with a wiped home, the data disk is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from sovdeck.engine import __version__
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.agent.code_archive import build_code_archive
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ProjectConfig, ServerSection
from sovdeck.remote.deploy import DeployOptions, find_deployed, find_other_deployment
from sovdeck.remote.probe import providers
from sovdeck.remote.servers.server import LoginPrompts, ServerSession


def shell(name: str, *args: str, home: Path) -> str:
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    argv = ["sh", "-c", read_script(name), "sh", *args]
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=environment).stdout


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A provider's data disk with a deployment on it; the home is tmp_path/home."""
    work = tmp_path / "workspace" / "sovdeck"
    (tmp_path / "home").mkdir()
    shell("make_folders.sh", str(work), home=tmp_path / "home")
    code = build_code_archive()
    (work / "code" / code.sha).mkdir()
    (work / "code" / code.sha / ".ok").touch()
    profile = providers.ProviderProfile("runpod", (str(work), "~/sovdeck"))
    monkeypatch.setattr(providers, "PROVIDER_PROFILES", {"runpod": profile})
    record = {
        "environment_key": DeployOptions().environment_key(code),
        "work": str(work),
        "env": {},
        "python": sys.executable,
        "build": "cpu",
        "gpu": True,
    }
    (work / "deployed.json").write_text(json.dumps(record))
    return work


def test_a_wiped_home_changes_nothing(disk: Path, link: object, tmp_path: Path) -> None:
    link.env["HOME"] = str(tmp_path / "home")  # type: ignore[attr-defined]
    before = find_deployed(link, DeployOptions())  # type: ignore[arg-type]
    assert isinstance(before, Deployed)
    (tmp_path / "home" / ".sovdeck-work").unlink()
    assert find_deployed(link, DeployOptions()) == before  # type: ignore[arg-type]
    (tmp_path / "home" / ".sovdeck-work").write_text("/gone/with/the/container\n")
    assert find_deployed(link, DeployOptions()) == before  # type: ignore[arg-type]


def test_a_wiped_container_is_said_with_what_is_kept(
    disk: Path, link: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link.env["HOME"] = str(tmp_path / "home")  # type: ignore[attr-defined]
    record = json.loads((disk / "deployed.json").read_text())
    (disk / "deployed.json").write_text(json.dumps({**record, "python": str(disk / "env/python")}))
    assert find_deployed(link, DeployOptions()) is None  # type: ignore[arg-type]
    assert find_other_deployment(link, DeployOptions()).wiped == str(disk)  # type: ignore[arg-type]
    problem = missing_deployment(link, tmp_path, monkeypatch)
    assert problem.key == "remote.config.engine_wiped"
    assert str(disk) in problem.message.en and "sovdeck deploy gpu" in problem.hint.en


def missing_deployment(link: object, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Problem:
    """What is said when a server without a deployment of this code is to be used."""
    session = ServerSession(
        "gpu",
        ServerSection(host="h"),
        ProjectConfig(),
        AppPaths.below(folder),
        Mock(spec=LoginPrompts),
    )
    monkeypatch.setattr(session, "connection", lambda: link)
    with pytest.raises(Problem) as caught:
        session.layout()
    return caught.value


@pytest.mark.parametrize(
    ("there", "key"),
    [
        ("0.0.1", "engine_older"),
        ("999.0", "engine_newer"),
        (__version__, "not_deployed"),
        ("$(reboot)", "not_deployed"),
    ],
)
def test_an_engine_of_another_version_is_said(
    there: str, key: str, disk: Path, link: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link.env["HOME"] = str(tmp_path / "home")  # type: ignore[attr-defined]
    found = disk / "code" / build_code_archive().sha
    other = found.rename(disk / "code" / ("0" * 32))
    (other / "sovdeck" / "engine").mkdir(parents=True)
    (other / "sovdeck" / "engine" / "__init__.py").write_text(f'__version__ = "{there}"\n')
    problem = missing_deployment(link, tmp_path, monkeypatch)
    assert problem.key == f"remote.config.{key}" and "sovdeck deploy gpu" in problem.hint.en
    if key.startswith("engine"):
        assert there in problem.message.en and __version__ in problem.message.en


def test_the_probe_finds_the_work_folder_again(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "home" / ".sovdeck-work").unlink()
    asked = f"{read_script('find_work.sh')}\nfind_work /nowhere:{disk}:~/sovdeck"
    environment = {"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}
    out = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, env=environment)
    assert out.stdout == f"{disk}\n"


def test_an_environment_whose_base_is_gone_is_made_anew(tmp_path: Path) -> None:
    # The link to the interpreter lies on the data disk, what it leads to lay in the container.
    folder = tmp_path / "env"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to("/gone/python3")
    (folder / ".ok").write_text('{"key":"k"}')
    arguments = [str(folder), "venv", sys.executable, "k", "", "", "", "cpu", "", "--"]
    out = shell("install.sh", *arguments, home=tmp_path)
    assert "nothing to do" not in out and f"making {folder}" in out
    subprocess.run([str(folder / "bin" / "python"), "-c", ""], check=True)
