"""`pull`, `push` and `sync` from the command line: stopped by Ctrl-C they say how to go on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Place

ROOT = Path(__file__).resolve().parents[3]
MIB = 1 << 20


class Laptop:
    """Runs `sovdeck` against the embedded server, saved as `box` and deployed."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.home, self.work = folder / "home", folder / "work"
        self.home.mkdir()
        self.project = self.home / "deploy.toml"
        self.project.write_text(
            f"version = 1\n[paths]\nwork = {json.dumps(str(self.work))}\n"
            f"[python]\npath = {json.dumps(sys.executable)}\n",
            "utf-8",
        )
        accept = ("--accept-host-key", place.fingerprint)
        self.run("server", "add", place.spec.format(), "--name", "box", *accept)
        self.run("deploy", "box")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        env = {**os.environ, "SOVDECK_HOME": str(self.home), "SOVDECK_LANG": "en"}
        env.pop("SSH_AUTH_SOCK", None)
        return subprocess.Popen(
            [sys.executable, "-m", "sovdeck.tui", "--config", str(self.project), *arguments],
            text=True,
            cwd=self.home,
            env={**env, "PYTHONPATH": str(ROOT / "dev")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str) -> list[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0, (arguments, out[-500:], err)
        return out.splitlines()

    def last(self, *arguments: str) -> dict[str, object]:
        return json.loads(self.run(*arguments, "--json")[-1])

    def interrupt(self, phase: str, *arguments: str) -> str:
        """Press Ctrl-C once bytes move; returns what was said, after exit 130."""
        process = self.start(*arguments, "--limit", "32", "--json")
        assert process.stdout is not None
        for line in process.stdout:
            reported = json.loads(line)
            if reported.get("progress") == phase and reported["done"] > 6 * MIB:
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        return err


@pytest.fixture(scope="module")
def laptop(embedded: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    yield Laptop(embedded, tmp_path_factory.mktemp("moving"))


def noise(count: int) -> bytes:
    return random.Random(count).randbytes(count)


@pytest.mark.long
def test_a_pull_is_stopped_and_goes_on(laptop: Laptop) -> None:
    packs = laptop.work / "packs"
    packs.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(packs / "Anna.zip", "w") as archive:
        archive.writestr("GPT_weights/Anna/Anna-e1.ckpt", noise(24 * MIB))
    said = laptop.interrupt("receive", "pull", "box", "Anna")
    assert "Run the same command again" in said and "Traceback" not in said
    voices = laptop.home / "voices"
    assert (voices / "Anna.zip.part").exists() and not (voices / "Anna.zip").exists()
    done = laptop.last("pull", "box", "Anna")
    assert done["verified"] and int(str(done["resumed_bytes"])) >= MIB // 2
    assert (voices / "Anna/GPT_weights/Anna/Anna-e1.ckpt").read_bytes() == noise(24 * MIB)


@pytest.mark.long
def test_a_push_is_stopped_and_goes_on(laptop: Laptop, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "long.wav"), "wb") as wav:
        wav.setnchannels(2)  # 16 seconds: a clip may be no longer than 54
        wav.setsampwidth(4)
        wav.setframerate(192_000)
        wav.writeframes(noise(24 * MIB))
    listing = tmp_path / "Bea.list"
    listing.write_text("long.wav|bea|en|A long one.\n", "utf-8")
    order = ("push", "box", "--voice", "Bea", "--list", str(listing), "--wavs", str(tmp_path))
    said = laptop.interrupt("send", *order)
    assert "Run the same command again" in said and "Traceback" not in said
    assert not (laptop.work / "data/Bea/wavs/long.wav").exists(), "whole or absent"
    done = laptop.last(*order)
    assert int(str(done["sent_bytes"])) < 24 * MIB, "what had arrived is not sent again"
    there = laptop.work / "data/Bea/wavs/long.wav"
    assert there.read_bytes() == (tmp_path / "long.wav").read_bytes()


@pytest.mark.long
def test_sync_brings_saves_and_says_when_the_server_may_go(laptop: Laptop) -> None:
    weights = laptop.work / "SoVITS_weights/Cleo"
    weights.mkdir(parents=True)
    (weights / "Cleo_e1_s9.pth").write_bytes(noise(24 * MIB))
    said = laptop.interrupt("receive", "sync", "box", "Cleo")
    assert "Run the same command again" in said
    lines = laptop.run("sync", "box", "Cleo")
    assert "1 file came" in lines[0] and "safe to switch off" in lines[1]
    copy = laptop.home / "voices/_saves/Cleo/SoVITS_weights/Cleo_e1_s9.pth"
    assert copy.read_bytes() == noise(24 * MIB)
    assert laptop.last("sync", "box", "Cleo")["safe_to_switch_off"] is True
    (weights / "Cleo_e2_s18.pth").write_bytes(b"2")
    assert "Cleo: 1 file came" in "\n".join(laptop.run("sync", "box")), "every voice there"


@pytest.mark.long
def test_sync_says_what_is_missing_to_watch(laptop: Laptop) -> None:
    process = laptop.start("sync", "box", "Nobody", "--watch")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and "sovdeck train" in err


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_server_is_measured_and_its_row_kept_here(laptop: Laptop, tmp_path: Path) -> None:
    process = laptop.start("bench", "box", "--tiny", "--json", "--to", str(tmp_path / "row.json"))
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    (row,) = [json.loads(line) for line in out.splitlines()]
    assert row["signed"] and row["server"] == "box" and len(row["row"]["updates"]) == 4
    said = "\n".join(laptop.run("bench", "--kept"))
    assert "tokens a second" in said and "box" in said
    assert json.loads((tmp_path / "row.json").read_text())["signature"] == row["signature"]
    assert (laptop.work / "bench.jsonl").is_file()


@pytest.mark.long
def test_models_are_fetched_here_once_and_sent(laptop: Laptop, tmp_path: Path) -> None:
    from sovdeck.engine.contract.pretrained_set import files_for

    files = files_for("v2")

    for file in files:
        path = tmp_path / file.upstream
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"model_type": "hubert"}', "utf-8")
    web = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert web.stdout is not None
    try:
        address = web.stdout.readline().split("(")[1].split(")")[0]
        process = laptop.start(
            "models", "relay", "box", "--version", "v2", "--source", address, "--json"
        )
        out, err = process.communicate(timeout=200)
    finally:
        web.terminate()
        web.communicate()
    # All of it reached the server, which says that these are no weights.
    assert process.returncode == 3 and "models relay" in err, (out[-300:], err)
    cache = laptop.home / "data/models/v2"
    assert {file.name for file in files} <= {
        path.relative_to(cache).as_posix() for path in cache.rglob("*")
    }
    assert {path.name for path in (laptop.work / "pretrained/incoming").iterdir()} >= {
        "s2G2333k.pth",
        "chinese-hubert-base",
    }
    process = laptop.start(
        "models", "relay", "box", "--version", "v2", "--json"
    )  # the web is not asked again
    _, err = process.communicate(timeout=200)
    assert process.returncode == 3 and "models relay" in err
