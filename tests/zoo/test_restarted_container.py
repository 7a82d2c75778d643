"""A container that comes back empty: new address, new host key, another image; its data disk stays.

The run that the restart ended goes on from the disk, and its weights equal those of a run that
nothing disturbed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from sovdeck.engine.interop import read_gpt, read_sovits
from sovdeck.engine.practice.dataset import make_practice_set

_TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(_TESTS / "zoo"), str(_TESTS / "remote" / "deploy")]

from journeys import ROOT, sovdeck  # noqa: E402 - tests/ is not a package
from zoo_servers import ZooServer, image_python, why_not, zoo_server  # noqa: E402

pytestmark = [pytest.mark.long, pytest.mark.sshd, pytest.mark.netns]

VOICE, SAVED = "Mei", '"type": "checkpoint"'
PARAMS = (
    *("sovits.epochs=2", "sovits.batch_size=2", "gpt.epochs=2", "gpt.batch_size=2"),
    *("train.repeats=1", "train.device=cpu", "sovits.save_every_epochs=1"),
)
TRAIN = ("train", "pod", "--run", "one", "--voice", VOICE, "--preset", "tiny")
ONE_RUN = (*TRAIN, *(word for one in PARAMS for word in ("--set", one)))


def test_a_run_goes_on_from_the_data_disk_with_equal_weights(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    home, disk = tmp_path / "laptop", tmp_path / "disk"
    home.mkdir()
    disk.mkdir()
    recordings = make_practice_set(tmp_path / "recordings", VOICE, 10).list_file
    work = disk / "sovdeck"

    def pod(kind: str, python: str) -> ZooServer:
        return ZooServer(kind, disks={"/workspace": disk}, setup=image_python(python))

    def add(place: object, *more: str) -> None:
        line, key = place.spec.format(), place.fingerprint  # type: ignore[attr-defined]
        named = ("--name", "pod", "--profile", "runpod", "--accept-host-key", key)
        said(home, "server", "add", line, *named, *more)

    with zoo_server(pod("as it was rented", "/opt/conda")) as place:
        add(place)
        assert "/workspace/sovdeck" in said(home, "deploy", "pod")
        wavs = ("--wavs", str(recordings.parent / "wavs"))
        said(home, "push", "pod", "--list", str(recordings), "--voice", VOICE, *wavs)
        # What a stop keeps is said where it is still time to think of it.
        assert "only /workspace survives" in said(home, *ONE_RUN)
        events = work / "runs" / "one" / "events.jsonl"
        wait_for(lambda: events.exists() and events.read_text().count(SAVED) >= 2, place)
    assert '"run_finished"' not in events.read_text(), "it was in the middle of its work"
    code, words = sovdeck(home, "ps", "pod")
    assert code == 6, words

    # The disk is all there is: no home, no interpreter, and somebody has cleared the code away.
    shutil.rmtree(work / "code")
    with zoo_server(pod("restarted from another image", "/venv/main")) as place:
        add(place, "--replace")
        code, words = sovdeck(home, *ONE_RUN)
        assert code == 2 and "/workspace/sovdeck" in words and "sovdeck deploy pod" in words
        assert "/venv/main/bin/python" in said(home, "deploy", "pod")
        assert re.search(r"one +Mei +lost", said(home, "ps", "pod"))
        # Named alone, it goes on with what it was started with.
        said(home, "train", "pod", "--run", "one", "--wait")
    assert '"attempt": 2' in events.read_text()

    # The same run where nothing went wrong, of the same spec and recordings.
    calm = tmp_path / "calm"
    (calm / "runs" / "one").mkdir(parents=True)
    shutil.copy(work / "runs" / "one" / "spec.json", calm / "runs" / "one" / "spec.json")
    shutil.copytree(work / "data", calm / "data")
    argv = [sys.executable, "-m", "sovdeck.engine", "run", str(calm / "runs/one/spec.json")]
    # With as many threads as on the server, which knows nothing of the tests' environment: sums
    # in another order are other sums.
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    subprocess.run(argv, check=True, env={**env, "PYTHONPATH": str(ROOT / "dev")})
    for kind, suffix, read in (("GPT", ".ckpt", read_gpt), ("SoVITS", ".pth", read_sovits)):
        resumed, undisturbed = (newest(one / f"{kind}_weights", suffix) for one in (work, calm))
        assert resumed.name == undisturbed.name
        one, other = read(resumed).state, read(undisturbed).state
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one), kind


def said(home: Path, *arguments: str) -> str:
    code, words = sovdeck(home, *arguments)
    assert code == 0, (arguments, words)
    return words


def wait_for(ready: object, place: object) -> None:
    deadline = time.monotonic() + 120
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < deadline and place.process.poll() is None  # type: ignore[attr-defined]
        time.sleep(0.05)


def newest(folder: Path, suffix: str) -> Path:
    return max(folder.rglob(f"*{suffix}"), key=lambda path: path.stat().st_mtime)
