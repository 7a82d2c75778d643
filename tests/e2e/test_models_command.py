"""Pretrained files go up from the laptop, and the server says what is still missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from servers import Place
from trip_steps import ROOT, laptop


def sovdeck(home: Path, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "SOVDECK_HOME": str(home),
        "SOVDECK_LANG": "en",
        "PYTHONPATH": str(ROOT / "dev"),
    }
    env.pop("SSH_AUTH_SOCK", None)
    return subprocess.run(
        [sys.executable, "-m", "sovdeck.tui", "--config", str(project), *arguments],
        capture_output=True,
        text=True,
        cwd=home,
        stdin=subprocess.DEVNULL,
        timeout=200,
        env=env,
    )


@pytest.mark.long
def test_files_are_taken_in_and_what_lacks_is_named(embedded: Place, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    work = tmp_path / "work"
    _, project = laptop(home, work)
    accept = ("--accept-host-key", embedded.fingerprint)
    line = embedded.spec.format()
    assert sovdeck(home, project, "server", "add", line, "--name", "box", *accept).returncode == 0
    early = sovdeck(home, project, "models", "verify", "box")
    assert early.returncode == 2 and "sovdeck deploy box" in early.stderr
    assert sovdeck(home, project, "deploy", "box").returncode == 0

    files = tmp_path / "downloaded" / "chinese-hubert-base"
    files.mkdir(parents=True)
    (files / "config.json").write_text('{"model_type": "hubert"}', "utf-8")
    (files / "preprocessor_config.json").write_text("{}", "utf-8")
    sent = sovdeck(home, project, "models", "push", "box", "--from", str(files.parent), "--json")
    assert sent.returncode == 0, sent.stderr
    answer = json.loads(sent.stdout.splitlines()[-1])
    states = {file["name"]: file["state"] for file in answer["files"]}
    assert answer["status"] == "incomplete"
    assert states["chinese-hubert-base/config.json"] in ("ok", "own")
    assert states["v2Pro/s2Gv2Pro.pth"] == "missing"
    assert not (work / "pretrained" / "incoming").exists(), "our copy is removed"
    there = work / "pretrained" / "v2" / "chinese-hubert-base" / "config.json"
    assert there.read_text("utf-8") == '{"model_type": "hubert"}'
    checked = sovdeck(home, project, "models", "verify", "box")
    assert checked.returncode == 3 and "v2Pro/s2Gv2Pro.pth" in checked.stdout + checked.stderr


def test_a_push_without_a_folder_says_what_it_needs(tmp_path: Path) -> None:
    _, project = laptop(tmp_path / "home", tmp_path / "work")
    said = sovdeck(tmp_path / "home", project, "models", "push")
    assert said.returncode == 2 and "--from FOLDER" in said.stderr
