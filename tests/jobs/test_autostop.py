"""A server switches itself off for the set reasons, after a verified pull, and never otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract.layout import Layout
from engine.contract.problem import Problem
from remote import job, watchman
from remote.autostop import REASONS, Decision, Observed, Policy, cost, decide, duration
from remote.config.sections import Autostop
from remote.deploy import DeployConfig, ready
from remote.deployed import Deployed
from remote.profiles import PROFILES, Profile
from remote.watchman import policy_of

ROOT = Path(__file__).resolve().parents[2]
AGENT = ROOT / "remote" / "agent"
NOW = 1_000_000
DONE = Observed(NOW, began=NOW - 9000, ended_ok=NOW - 700, active=NOW - 700, pulled=NOW - 100)


@pytest.mark.parametrize(
    ("policy", "changes", "stop", "reason"),
    [
        (Policy(after_success=600), {}, True, "success"),
        (Policy(after_success=701), {}, False, ""),
        (Policy(after_success=600), {"running": 1}, False, ""),
        (Policy(after_success=600), {"pulled": None}, False, ""),
        (Policy(after_success=600), {"pulled": NOW - 701}, False, ""),
        (Policy(after_success=600, only_after_pull=False), {"pulled": None}, True, "success"),
        (Policy(after_success=600, pull_deadline=90), {"pulled": None}, True, "success"),
        (Policy(after_success=600, pull_deadline=None), {"pulled": None}, False, ""),
        (Policy(after_success=0, after_failure=300), {"ended_badly": NOW - 200}, False, ""),
        (Policy(after_success=0, after_failure=300), {"ended_badly": NOW - 301}, True, "failure"),
        (Policy(idle=600), {}, True, "idle"),
        (Policy(idle=600), {"active": NOW - 5}, False, ""),
        (Policy(gpu_idle=1800), {"gpu_busy": None}, False, ""),
        (Policy(gpu_idle=1800), {"gpu_busy": NOW - 1900, "running": 1}, True, "gpu_idle"),
        (Policy(at_time=NOW), {"running": 1, "pulled": None}, True, "at_time"),
        (Policy(max_hours=2.5), {"running": 1, "pulled": None}, True, "money"),
        (Policy(max_hours=2.6), {"running": 1}, False, ""),
        (Policy(), {}, False, ""),
    ],
)
def test_rules(policy: Policy, changes: dict[str, Any], stop: bool, reason: str) -> None:
    observed = Observed(**{**{f.name: getattr(DONE, f.name) for f in fields(DONE)}, **changes})
    decision = decide(policy, observed)
    assert (decision.stop, decision.reason) == (stop, reason)
    assert decision.why().en and decision.why().zh


def test_waiting_for_the_pull_is_told() -> None:
    observed = Observed(NOW, NOW - 9000, ended_ok=NOW - 700)
    decision = decide(Policy(after_success=600, pull_deadline=7200), observed)
    assert decision == Decision(False, "", NOW - 100 + 7200, waiting=True)


def test_price_times_time() -> None:
    assert cost(1.98, 5400) == pytest.approx(2.97)
    assert cost(1.98, -5) == 0


seconds = st.none() | st.integers(0, 9000)
moments = st.none() | st.integers(NOW - 9000, NOW)
policies = st.builds(
    Policy, after_success=seconds, after_failure=seconds, idle=seconds, gpu_idle=seconds,
    at_time=st.none() | st.integers(NOW - 900, NOW + 900),
    max_hours=st.none() | st.integers(0, 9000).map(lambda s: s / 3600),
    only_after_pull=st.booleans(), pull_deadline=seconds,
)  # fmt: skip
observations = st.builds(
    Observed, now=st.just(NOW), began=st.integers(NOW - 9000, NOW), running=st.integers(0, 2),
    ended_ok=moments, ended_badly=moments, active=moments, gpu_busy=moments, pulled=moments,
)  # fmt: skip


def words(observed: Observed) -> list[str]:
    values = {field.name: getattr(observed, field.name) for field in fields(observed)}
    return [f"{name}={'' if value is None else value}" for name, value in values.items()]


@settings(max_examples=150, deadline=None)
@given(policies, observations)
def test_the_servers_script_decides_the_same(policy: Policy, observed: Observed) -> None:
    argv = ["sh", str(AGENT / "autostop.sh"), "decide", *policy.arguments(), *words(observed)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = watchman.read_status(dict(word.partition("=")[::2] for word in said.split()))
    assert found.decision == decide(policy, observed)


@given(policies, observations)
def test_a_running_server_is_stopped_only_by_caps_or_an_idle_gpu(
    policy: Policy, observed: Observed
) -> None:
    decision = decide(policy, observed)
    assert decision.stop == bool(decision.reason) and decision.reason in {"", *REASONS}
    if observed.running and decision.stop:
        assert decision.reason in {"at_time", "money", "gpu_idle"}


@pytest.fixture
def deployed(tmp_path: Path) -> Deployed:
    code = tmp_path / "work" / "code" / "abc"
    code.mkdir(parents=True)
    (code / "agent").symlink_to(AGENT)
    return Deployed(Layout.at(str(tmp_path / "work")), "python", "abc")


def provider(tmp_path: Path, *words: str) -> Profile:
    """A provider whose stop command only writes down that it was called."""
    called = tmp_path / "bin" / "switch-off"
    called.parent.mkdir(exist_ok=True)
    called.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/called\n')
    called.chmod(0o755)
    return Profile("test", (), stop=(str(called), *words), keeps_disk=True)


def wait_for(condition: Callable[[], Any], seconds: float = 8.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("waited in vain")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchman, "_LOOK_EVERY_S", 1)


def test_the_server_is_stopped_once_the_voice_is_home(
    link: Any, deployed: Deployed, tmp_path: Path
) -> None:
    run = job.launch(link, deployed, "voice", ["true"])
    wait_for(lambda: job.state(link, run).ended)
    link.env["POD"] = "pod 7"
    policy = Policy(after_success=0)
    watchman.arm(link, deployed, policy, provider(tmp_path, "stop", "$POD"))
    layout = deployed.layout
    status = wait_for(lambda: watchman.status(link, layout))
    assert status.decision.waiting and not status.decision.stop and not status.dry
    assert status.alive
    time.sleep(1.2)
    assert not (tmp_path / "called").exists()

    watchman.mark_pulled(link, layout)
    wait_for((tmp_path / "called").exists)
    assert (tmp_path / "called").read_text() == "stop pod 7\n"
    assert [state.run for state in job.runs(link, layout)] == ["voice"]
    watchman.disarm(link, layout)
    states = {state.run: state.state for state in job.runs(link, layout, services=True)}
    assert states == {"voice": "succeeded", "autostop": "stopped"}
    assert watchman.status(link, layout) is None


def test_a_dry_run_only_writes_what_it_would_do(
    link: Any, deployed: Deployed, tmp_path: Path
) -> None:
    policy = Policy(idle=0)
    watchman.arm(link, deployed, policy, provider(tmp_path), dry=True)
    status = wait_for(lambda: (s := watchman.status(link, deployed.layout)) and s.history and s)
    assert status.dry and status.decision.reason == "idle" and "switch-off" in status.history[0]
    assert not (tmp_path / "called").exists()
    watchman.disarm(link, deployed.layout)


def test_a_running_job_saves_before_a_cap_stops_the_server(
    link: Any, deployed: Deployed, tmp_path: Path
) -> None:
    save = "trap 'echo saved >saved; exit 75' TERM; while :; do sleep 0.05; done"
    run = job.launch(link, deployed, "voice", ["sh", "-c", save])
    wait_for(lambda: job.state(link, run).state == "running")
    time.sleep(0.3)
    watchman.arm(link, deployed, Policy(at_time=1), provider(tmp_path))
    wait_for((tmp_path / "called").exists)
    assert Path(str(run.folder.path / "saved")).exists()
    watchman.disarm(link, deployed.layout)


def test_a_watch_that_goes_is_left_alone_by_the_next_run(
    link: Any, deployed: Deployed, tmp_path: Path
) -> None:
    policy = policy_of(Autostop(max_time="3h", idle="45m"), None, "box")
    assert policy == Policy(max_hours=3.0, idle=2700)
    assert watchman.keep(link, deployed, policy, provider(tmp_path))
    first = watchman.first_look(link, deployed.layout)
    assert first is not None and first.decision.at is not None
    assert not watchman.keep(link, deployed, policy, provider(tmp_path))
    assert job.state(link, job.handle(deployed.layout, "autostop")).attempt == 1
    watchman.disarm(link, deployed.layout)
    assert watchman.keep(link, deployed, policy, provider(tmp_path))
    watchman.disarm(link, deployed.layout)


def test_the_file_speaks_of_money_and_of_pulls() -> None:
    wish = Autostop(max_cost=9.9, max_time="6h", only_after_pull=False, pull_deadline="")
    policy = policy_of(wish, 1.98, "box")
    assert policy == Policy(max_hours=5.0, only_after_pull=False, pull_deadline=None)
    assert policy_of(Autostop(), 1.98, "box") is None
    with pytest.raises(Problem) as caught:
        policy_of(wish, None, "box")
    assert caught.value.key == "remote.autostop.needs_price"


def test_a_new_policy_takes_the_place_of_the_old(
    link: Any, deployed: Deployed, tmp_path: Path
) -> None:
    watchman.arm(link, deployed, Policy(idle=9999), provider(tmp_path))
    state = watchman.arm(link, deployed, Policy(idle=8888), provider(tmp_path))
    assert (state.attempt, state.ended) == (2, False)
    began = int(json.loads(Path(str(deployed.layout.run("autostop").pid)).read_text())["began"])
    status = wait_for(
        lambda: (s := watchman.status(link, deployed.layout)) and s.decision.at
        and s.decision.at - began < 8890 and s
    )  # fmt: skip
    assert not status.decision.stop
    watchman.disarm(link, deployed.layout)


def test_opening_a_server_begins_the_idle_time_anew(
    link: Any, deployed: Deployed, tmp_path: Path
) -> None:
    asked = tmp_path / "work" / "autostop" / "asked"
    config = DeployConfig(work=str(deployed.layout.work), python=sys.executable)
    note = {"python": sys.executable}
    (tmp_path / "work" / "deployed.json").write_text(json.dumps(note))
    ready(link, config)
    assert not asked.exists(), "without a watch nothing is written"
    watchman.arm(link, deployed, Policy(idle=9000), provider(tmp_path))
    before = wait_for(lambda: watchman.status(link, deployed.layout)).decision.at
    for tell in (lambda: ready(link, config), lambda: watchman.mark_asked(link, deployed.layout)):
        tell()
        os.utime(asked, (before, before))  # as if asked that much later
        later = wait_for(
            lambda: (s := watchman.status(link, deployed.layout)) and s.decision.at != before and s
        )
        assert later.decision.at == before + 9000
        asked.unlink()
    watchman.disarm(link, deployed.layout)


def test_what_cannot_be_stopped_or_never_would_is_refused(link: Any, deployed: Deployed) -> None:
    with pytest.raises(Problem) as caught:
        watchman.arm(link, deployed, Policy(idle=1), PROFILES["lambda"])
    assert caught.value.key == "remote.autostop.no_stop"
    with pytest.raises(Problem) as caught:
        watchman.arm(link, deployed, Policy(), PROFILES["autodl"])
    assert caught.value.key == "remote.autostop.never"
    assert link.trips == 0


@pytest.mark.parametrize("word", ["terminate", "vastai-destroy", "rm", "/bin/rm", "delete"])
def test_a_command_that_destroys_is_refused(word: str, tmp_path: Path) -> None:
    argv = [
        "sh",
        str(AGENT / "autostop.sh"),
        "watch",
        str(tmp_path),
        "1",
        "0",
        "idle=0",
        "--",
        word,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and "refused" in done.stdout


@pytest.mark.parametrize(
    ("given", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), (" 2d ", 172800), ("0m", 0)]
)
def test_lengths_of_time(given: str, seconds: int) -> None:
    assert duration(given) == seconds


@pytest.mark.parametrize("given", ["", "10", "m", "-5m", "1h30m", "ten minutes", "1e9s"])
def test_what_is_no_length_of_time_is_said(given: str) -> None:
    with pytest.raises(Problem) as caught:
        duration(given)
    assert caught.value.key == "remote.autostop.bad_duration"
