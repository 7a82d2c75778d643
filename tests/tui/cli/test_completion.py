"""TAB offers commands, options, their values, parameters and servers, in three real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sovdeck.tui.cli.completion import SHELLS, complete, completion_script
from sovdeck.tui.cli.main import main

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose deploy.toml knows two servers."""
    monkeypatch.setenv("SOVDECK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy.toml").write_text(
        '[servers.gpu-a]\nssh = "ssh root@a"\n[servers.gpu-b]\nssh = "ssh root@b"\n'
    )
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["tra"], ["train"]),
        (["server", "fo"], ["forget-key"]),
        (["deploy", "gpu"], ["gpu-a", "gpu-b"]),
        (["pull", "gpu-a", "--contents", "v"], ["voice"]),
        (["pull", "gpu-a", "--co"], ["--community", "--contents"]),
        (["models", "re"], ["relay"]),
        (["models", "relay", "gpu-"], ["gpu-a", "gpu-b"]),
        (["train", "gpu-a", "--set", "sovits.epo"], ["sovits.epochs="]),
        (["help", "trou"], ["troubleshooting"]),
        (["--lang", "z"], ["zh"]),
        (["--lang", "zh", "deplo"], ["deploy"]),
        (["push", "--wavs", ""], []),
        (["nix", "x"], []),
    ],
    ids=" ".join,
)
def test_what_may_follow(words: list[str], offered: list[str]) -> None:
    assert complete(words) == offered


def test_a_faulty_project_file_offers_no_servers(project: Path) -> None:
    (project / "deploy.toml").write_text("[servers\n")
    assert complete(["deploy", ""]) == []


def test_the_scripts_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for shell in SHELLS:
        assert main(["completion", shell]) == 0
        assert capsys.readouterr().out == completion_script(shell)


# What each shell is told to do with "sovdeck deploy gpu" at TAB, and to print the words.
_ASK = {
    "bash": 'eval "$(sovdeck completion bash)"; COMP_WORDS=(sovdeck deploy gpu); COMP_CWORD=2; '
    '_sovdeck; printf "%s\\n" "${COMPREPLY[@]}"',
    "zsh": 'compdef() { :; }; compadd() { shift; print -l ${(P)1}; }; eval "$(sovdeck completion '
    'zsh)"; words=(sovdeck deploy gpu); CURRENT=3; _sovdeck',
    "fish": "sovdeck completion fish | source; complete -C 'sovdeck deploy gpu'",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_gets_the_servers(shell: str, project: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    program = project / "bin" / "sovdeck"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sovdeck.tui "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "dev"),
        "HOME": str(project),
    }
    done = subprocess.run(
        [shell, "-c", _ASK[shell]],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["gpu-a", "gpu-b"], done.stderr
