"""A server removes resume states as [keep] says: of finished voices that are home, never others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.remote.agent import read_script
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.autostop import watchdog
from sovdeck.remote.autostop.keep import KeepStatus, apply_keep, fetch_keep_status
from sovdeck.remote.config.sections import KeepSection
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.voices.listing import version_of

AGENT = Path(__file__).resolve().parents[3] / "remote" / "agent"
VOICE = "小美 (2)"
TRAINED, PACKED, ENDED = 1_700_000_000, 1_700_000_100, 1_700_000_130
AT_ONCE = KeepSection(resume_states="0s")
SPEC = '{\n "run": "%s",\n "voice": "%s"\n}'


def end(code: int, attempt: int = 1) -> str:
    fields = {"attempt": attempt, "code": code, "signal": None, "t": ENDED}
    return json.dumps(fields, separators=(",", ":"))


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def write(path: Path, at: int, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at, at))
    return path


class Box:
    """A server's work folder with a voice that was trained, packed and downloaded."""

    def __init__(self, work: Path, link: Any) -> None:
        self.work, self.link = work, link
        code = work / "code" / "abc"
        code.mkdir(parents=True)
        (code / "agent").symlink_to(AGENT)
        self.deployed = Deployed(Layout.at(str(work)), sys.executable, "abc")
        self.states = work / "logs" / VOICE / "states_v2Pro"
        write(self.states / "sovits" / "s8.pt", TRAINED)
        write(work / "GPT_weights_v2Pro" / VOICE / f"{VOICE}-e8.ckpt", TRAINED)
        self.sovits = write(work / "SoVITS_weights_v2Pro" / VOICE / f"{VOICE}_e8_s64.pth", TRAINED)
        self.pack = write(work / "packs" / f"{VOICE}.zip", PACKED)
        self.run("r1", end(0))

    def run(self, name: str, exit_json: str | None, voice: str = VOICE, at: int = ENDED) -> Path:
        folder = self.work / "runs" / name
        write(folder / "spec.json", TRAINED, SPEC % (name, voice))
        write(folder / "pid.json", at, '{"attempt":1,"pid":1,"start":1,"boot":"b","child":0}\n')
        if exit_json is not None:
            write(folder / "exit.json", at, exit_json + "\n")
        return folder

    def came_home(self) -> None:
        version = version_of(self.pack.stat().st_size, int(self.pack.stat().st_mtime))
        watchdog.mark_pulled(self.link, self.deployed.layout, VOICE, version)

    def look(self, seconds: int = 0) -> bool:
        """One pass of the server's watch; whether the states are still there."""
        write(self.work / "keep" / "policy", ENDED, f"resume_states {seconds}\n")
        script = ["sh", str(AGENT / "keep.sh"), "apply", str(self.work)]
        done = subprocess.run(script, env=self.link.env, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return (self.states / "sovits" / "s8.pt").exists()


@pytest.fixture
def box(link: Any, tmp_path: Path) -> Box:
    return Box(tmp_path / "work", link)


def test_states_go_once_the_voice_is_home_and_its_time_is_over(box: Box) -> None:
    assert box.look(), "it is not home"
    box.came_home()
    waited = int(time.time()) - ENDED
    assert box.look(waited + 10_000), "its time is not over: counted from the end of the run"
    assert not box.look(waited - 10_000)
    assert box.sovits.exists() and box.pack.exists() and (box.work / "runs" / "r1").exists()
    status = fetch_keep_status(box.link, box.deployed.layout)
    assert status.resume_states == waited - 10_000
    assert [one.voice for one in status.removed] == [VOICE] and status.removed[0].bytes > 0


def test_a_pack_that_is_no_longer_the_one_here_counts_for_nothing(box: Box) -> None:
    watchdog.mark_pulled(box.link, box.deployed.layout, VOICE, "1-1")
    assert not (box.work / "keep").exists() and (box.work / "autostop" / "pulled").exists()
    assert box.look()


@pytest.mark.parametrize("later", ["state", "weight"])
def test_what_was_saved_after_the_pack_is_nowhere_else(box: Box, later: str) -> None:
    box.came_home()
    folder = box.states / "gpt" if later == "state" else box.sovits.parent
    write(folder / f"{VOICE}_e9_s72.pth", PACKED + 1)
    assert box.look()


def test_states_stay_when_nothing_else_of_the_voice_lies_there(box: Box) -> None:
    box.came_home()
    box.pack.unlink()
    box.sovits.unlink()
    assert box.look()
    write(box.sovits, TRAINED)
    assert not box.look(), "both weights lie there"


@pytest.mark.parametrize(
    ("exit_json", "voice", "stays"),
    [
        (end(4), VOICE, True),
        (end(143), VOICE, True),
        (end(0, attempt=0), VOICE, True),
        (None, VOICE, True),  # lost with the machine
        (end(4), "小美 (3)", False),
        (None, "小美", False),
    ],
)
def test_a_run_that_may_be_resumed_keeps_its_states(
    box: Box, exit_json: str | None, voice: str, stays: bool
) -> None:
    box.came_home()
    box.run("r2", exit_json, voice)
    assert box.look() is stays


def test_our_own_services_use_no_states(box: Box) -> None:
    box.came_home()
    for name in ("install-1", "audition-1", "autostop"):
        folder = box.run(name, end(4))
        (folder / "spec.json").unlink()
    assert not box.look()


def test_what_failed_before_the_pack_was_made_does_not_matter(box: Box) -> None:
    box.came_home()
    folder = box.run("r0", '{"attempt":1,"code":4,"signal":null,"t":9}', at=TRAINED)
    write(folder / "summary.json", ENDED)  # somebody looked at the run since
    assert not box.look()


@pytest.mark.parametrize("spec", [SPEC % ("r2", VOICE), "", SPEC % ("r2", "Anna")])
def test_states_stay_under_a_run_at_work(box: Box, spec: str) -> None:
    box.came_home()
    run = job_client.launch_job(
        box.link, box.deployed, "r2", ["sleep", "600"], spec_json=spec, queue="join"
    )
    try:
        assert box.look() is ("Anna" not in spec), "a run that does not tell its voice may be ours"
    finally:
        job_client.stop_run(box.link, run, grace=2)


def test_what_an_interrupted_removal_set_aside_is_put_back(box: Box) -> None:
    aside = box.states.with_name(".removed-states_v2Pro")
    box.states.rename(aside)
    assert box.look() and not aside.exists(), "the voice is not home"


def test_a_run_that_comes_while_states_are_set_aside_finds_them(box: Box) -> None:
    """The look before finds nothing at work, the one after the states were set aside does."""
    script = read_script("keep.sh").replace(
        "put_back() {", "at_work() { [ -e set_aside ]; }\nput_back() {"
    )
    script = script.replace(
        'mv -- "$states" "$aside" ||', ': >set_aside; mv -- "$states" "$aside" ||'
    )
    box.came_home()
    write(box.work / "keep" / "policy", ENDED, "resume_states 0\n")
    subprocess.run(["sh", "-c", script, "sh", "apply", str(box.work)], env=box.link.env, check=True)
    assert (box.work / "set_aside").exists() and (box.states / "sovits" / "s8.pt").exists()
    assert not list(box.states.parent.glob(".removed*"))


def test_the_watch_follows_the_file_and_ends_without_a_policy(box: Box) -> None:
    layout = box.deployed.layout
    assert fetch_keep_status(box.link, layout) == KeepStatus(None)
    box.came_home()
    run = job_client.make_handle(layout, job_client.KEEP_RUN)
    apply_keep(box.link, box.deployed, KeepSection(resume_states="9999d"))
    apply_keep(box.link, box.deployed, AT_ONCE)  # the same watch goes by it from its next look on
    try:
        assert job_client.fetch_state(box.link, run).attempt == 1
        assert fetch_keep_status(box.link, layout).resume_states == 0
        assert [one.run_id for one in job_client.list_runs(box.link, layout)] == ["r1"]
    finally:
        job_client.stop_run(box.link, run, grace=2)
    apply_keep(box.link, box.deployed, AT_ONCE)
    try:
        wait_for(lambda: not box.states.exists())
        apply_keep(box.link, box.deployed, KeepSection())
        assert fetch_keep_status(box.link, layout).resume_states is None
    finally:
        job_client.stop_run(box.link, run, grace=2)


def test_nothing_is_removed_without_a_policy(box: Box) -> None:
    box.came_home()
    script = ["sh", str(AGENT / "keep.sh"), "watch", str(box.work), "1"]
    assert subprocess.run(script, env=box.link.env, timeout=60).returncode == 0
    assert box.states.exists()
