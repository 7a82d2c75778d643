"""A newcomer's first voice, by the README's commands and by keys alone: what ends it is speech.

A real sshd, a fresh configuration, recordings beside their list as the README has them, and
stand-ins for the pretrained weights that the server fetches over HTTP. The network that is trained
is the tiny one, which starts from nothing: `make rehearsal` trains the full one from such files.
What the screen says is waited for, so a walk takes as long as the machine needs.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from file_hub import serve_files
from servers import Place
from small_sizes import SMALL
from stand_ins import write_stand_ins
from tmux_terminal import Terminal
from trip_steps import ROOT, Recorded

from sovdeck.engine.contract.pretrained_set import files_for

README_LINE = "ssh -p 41022 root@connect.example.com"
VERSION = "v2Pro"  # what a newcomer who chooses nothing gets
PARAMS = {
    "train.repeats": 1,
    "train.save_every_minutes": 0,
    "sovits.batch_size": 2,
    "sovits.epochs": 2,
    "sovits.save_every_epochs": 2,
    "gpt.batch_size": 2,
    "gpt.epochs": 2,
    "gpt.save_every_epochs": 2,
}

pytestmark = [
    pytest.mark.long,
    pytest.mark.sshd,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]


@dataclass
class Laptop:
    """A newcomer's folder, the server's work folder, and the environment of a shell there."""

    folder: Path
    work: Path
    place: Place
    setting: dict[str, str]

    @property
    def voices(self) -> Path:
        """Where voices come home to."""
        return self.folder / "voices"

    @property
    def server_line(self) -> str:
        """What the provider shows."""
        return self.place.spec.format()

    def weights_lie_there(self) -> bool:
        """Whether the server has every file that training starts from."""
        pretrained = self.work / "pretrained" / "v2"
        return all((pretrained / file.name).is_file() for file in files_for(VERSION))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hub")
    write_stand_ins(folder, VERSION, SMALL)
    with serve_files(folder) as source:
        yield source


@pytest.fixture
def laptop(sshd_v4: Place, recorded: Recorded, hub: str, tmp_path: Path) -> Laptop:
    folder, work = tmp_path / "anna project", tmp_path / "server work"
    shutil.copytree(recorded.wavs, folder / "recordings")
    shutil.copyfile(recorded.list_file, folder / "anna.list")
    params = "\n".join(f'"{name}" = {value}' for name, value in PARAMS.items())
    # Nothing is installed on the server: its Python is the one that runs this test.
    (folder / "deploy.toml").write_text(
        f"version = 1\n[paths]\nwork = {json.dumps(work.as_posix())}\n"
        f"[python]\npath = {json.dumps(Path(sys.executable).as_posix())}\n"
        f"[models]\nsources = [{json.dumps(hub)}]\n[train.params]\n{params}\n",
        encoding="utf-8",
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    sovdeck = programs / "sovdeck"
    sovdeck.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m sovdeck.tui "$@"\n')
    sovdeck.chmod(0o755)
    setting = {
        "SOVDECK_HOME": str(tmp_path / "home"),
        "SOVDECK_LANG": "en",
        "PYTHONPATH": str(ROOT / "dev"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "SSH_AUTH_SOCK": "",
        "HOME": os.environ["HOME"],
        "PS1": r"[\# $?] ",
    }
    return Laptop(folder, work, sshd_v4, setting)


@contextmanager
def counted(title: str, terminal: Terminal) -> Iterator[None]:
    """Print what a walk asked of the person, and how long it took."""
    started = time.monotonic()
    yield
    minutes = (time.monotonic() - started) / 60
    print(f"\n{title}: {terminal.pastes} pasted, {terminal.keys} keys, {minutes:.1f} minutes")


def readme_commands(page: str) -> list[str]:
    """The commands of the README's "Your first voice", in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    section = next(part for part in text.split("\n## ") if README_LINE in part)
    return re.findall(r"^ {4}(sovdeck .*)$", section, re.MULTILINE)


def test_the_readme_s_commands_end_in_a_spoken_sentence(terminal: Terminal, laptop: Laptop) -> None:
    commands = readme_commands("README.md")
    assert [line.split()[1] for line in commands] == [
        *("server", "deploy", "push", "train", "sync", "speak")
    ]
    # Whoever reads Chinese pastes the same; only what is spoken differs.
    others = readme_commands("README.zh.md")
    assert others[:-1] == commands[:-1] and others[-1].split()[:4] == commands[-1].split()[:4]

    terminal.open(["bash", "--norc", "--noprofile"], laptop.folder, **laptop.setting)
    terminal.wait("[1 0]")
    with counted("by commands", terminal):
        for number, line in enumerate(commands, 1):
            command = line.split()[1]
            if command == "server":
                line = line.replace(README_LINE, laptop.server_line)
            if command == "train":
                line += " --preset tiny"
            terminal.type(line)
            terminal.press("Enter")
            if command in ("server", "deploy"):  # is it that server? fetch the weights?
                said = laptop.place.fingerprint if command == "server" else "pretrained weights"
                terminal.wait(said, until=lambda shown: shown.rstrip().endswith("[y/N]"))
                terminal.press("y", "Enter")
            ended = re.compile(rf"\[{number + 1} (\d+)\]")
            screen = terminal.wait(until=ended.search)
            found = ended.search(screen)
            # A machine without a sound device says so; what was spoken is in its file all the same.
            mute = command == "speak" and "no sound device or player" in screen
            assert found is not None and (found[1] == "0" or mute), f"{line}\n{screen}"
            if command == "deploy":
                assert laptop.weights_lie_there()
            if command == "sync":
                assert "safe to switch off" in screen, screen
    assert_spoken(laptop, "Anna")


def test_keys_alone_end_in_a_spoken_sentence(terminal: Terminal, laptop: Laptop) -> None:
    terminal.open(["sovdeck"], laptop.folder, **laptop.setting)
    terminal.wait("Servers")
    with counted("by keys", terminal):
        terminal.press("a")
        terminal.wait("Paste the line the provider shows")
        terminal.type(laptop.server_line)
        terminal.press("Enter")
        terminal.wait(laptop.place.fingerprint[:20])
        terminal.press("Right", "Enter")
        terminal.wait("engine not deployed yet: press d")

        terminal.press("d")
        terminal.wait("carries the plan out")
        terminal.press("C-s")
        terminal.wait("Deploy", "y  Yes")
        terminal.press("Enter")
        terminal.wait("fetch the weights", VERSION)  # offered as soon as it is deployed
        terminal.press("Enter")
        terminal.wait(f"Weights: {VERSION}, all there")
        assert laptop.weights_lie_there()
        terminal.press("q")
        terminal.wait("5  checks your recordings")

        terminal.press("5")
        terminal.wait("Folder")
        terminal.press("Tab")  # into the field: until then digits switch screens
        terminal.type(str(laptop.folder))
        terminal.press("Enter")
        terminal.wait("10 clips", "F5 pushes it")
        terminal.press("F5")
        terminal.wait("all there")

        terminal.press("4")
        terminal.wait(f"Weights: {VERSION}, all there")
        terminal.press("Left", "Left")  # from auto to tiny
        terminal.wait("‹ tiny ›", "in all", until=lambda shown: "Weights:" not in shown)
        terminal.press("C-s")
        terminal.wait("Train anna on", "y  Yes")
        terminal.press("Enter")
        terminal.wait("SoVITS", "running")
        terminal.wait("✓ succeeded")  # not its log's last line: until then d says that it goes on

        terminal.press("d")
        terminal.wait("safe to switch off")
        assert (laptop.voices / "anna" / "manifest.json").is_file()

        terminal.press("6")
        terminal.wait("e2 × e2")
        terminal.press("Enter")  # the screen opens with the focus on its text, still unedited
        terminal.wait("Done typing")
        terminal.type("Good morning.")
        terminal.wait("13 characters")
        terminal.press("C-s")
        takes = laptop.voices / "anna" / "takes"
        terminal.wait(until=lambda _: any(takes.glob("anna-*.wav")))
        for _ in range(4):  # past weights, references and settings, to the list of takes
            terminal.press("C-n")
        terminal.wait("first audio after")
        terminal.press("C-q")
    terminal.gone()
    assert_spoken(laptop, "anna")


def assert_spoken(laptop: Laptop, voice: str) -> None:
    """A take of the voice lies here and is sound."""
    assert (laptop.voices / voice / "manifest.json").is_file()
    takes = [*(laptop.voices / voice / "takes").glob(f"{voice}-*.wav")]
    assert len(takes) == 1, takes
    with wave.open(str(takes[0])) as sound:
        assert sound.getnframes() > sound.getframerate() // 10, "a word takes longer"
