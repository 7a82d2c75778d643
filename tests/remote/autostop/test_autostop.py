"""A server switches itself off for the set reasons, after a verified pull, and never otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from autostop_rules import ServerActivity, decide_stop
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_providers import RUNPODCTL, called_programs, write_program

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.autostop import watchdog
from sovdeck.remote.autostop.policy import (
    STOP_REASONS,
    AutostopDecision,
    AutostopPolicy,
    running_cost,
)
from sovdeck.remote.autostop.watchdog import policy_from_config
from sovdeck.remote.config.duration import parse_duration
from sovdeck.remote.config.sections import AutostopSection
from sovdeck.remote.deploy import DeployOptions, find_deployed
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.probe.providers import PROVIDER_PROFILES, ProviderProfile

ROOT = Path(__file__).resolve().parents[3]
AGENT = ROOT / "remote" / "agent"
NOW = 1_000_000
DONE = ServerActivity(NOW, began=NOW - 9000, ended_ok=NOW - 700, active=NOW - 700, pulled=NOW - 100)


@pytest.mark.parametrize(
    ("policy", "changes", "stop", "reason"),
    [
        (AutostopPolicy(after_success=600), {}, True, "success"),
        (AutostopPolicy(after_success=701), {}, False, ""),
        (AutostopPolicy(after_success=600), {"running": 1}, False, ""),
        (AutostopPolicy(after_success=600), {"pulled": None}, False, ""),
        (AutostopPolicy(after_success=600), {"pulled": NOW - 701}, False, ""),
        (
            AutostopPolicy(after_success=600, only_after_pull=False),
            {"pulled": None},
            True,
            "success",
        ),
        (AutostopPolicy(after_success=600, pull_deadline=90), {"pulled": None}, True, "success"),
        (AutostopPolicy(after_success=600, pull_deadline=None), {"pulled": None}, False, ""),
        (AutostopPolicy(after_success=0, after_failure=300), {"ended_badly": NOW - 200}, False, ""),
        (
            AutostopPolicy(after_success=0, after_failure=300),
            {"ended_badly": NOW - 301},
            True,
            "failure",
        ),
        (AutostopPolicy(idle=600), {}, True, "idle"),
        (AutostopPolicy(idle=600), {"active": NOW - 5}, False, ""),
        (AutostopPolicy(gpu_idle=1800), {"gpu_busy": None}, False, ""),
        (AutostopPolicy(gpu_idle=1800), {"gpu_busy": NOW - 1900, "running": 1}, True, "gpu_idle"),
        (AutostopPolicy(at_time=NOW), {"running": 1, "pulled": None}, True, "at_time"),
        (AutostopPolicy(max_hours=2.5), {"running": 1, "pulled": None}, True, "money"),
        (AutostopPolicy(max_hours=2.6), {"running": 1}, False, ""),
        (AutostopPolicy(), {}, False, ""),
    ],
)
def test_rules(policy: AutostopPolicy, changes: dict[str, Any], stop: bool, reason: str) -> None:
    observed = ServerActivity(
        **{**{f.name: getattr(DONE, f.name) for f in fields(DONE)}, **changes}
    )
    decision = ask_script(policy, observed)
    assert (decision.stop, decision.reason) == (stop, reason)
    assert decision.reason_text().en and decision.reason_text().zh


def test_waiting_for_the_pull_is_told() -> None:
    observed = ServerActivity(NOW, NOW - 9000, ended_ok=NOW - 700)
    decision = ask_script(AutostopPolicy(after_success=600, pull_deadline=7200), observed)
    assert decision == AutostopDecision(False, "", NOW - 100 + 7200, waiting=True)


def test_price_times_time() -> None:
    assert running_cost(1.98, 5400) == pytest.approx(2.97)
    assert running_cost(1.98, -5) == 0


def words(observed: ServerActivity) -> list[str]:
    values = {field.name: getattr(observed, field.name) for field in fields(observed)}
    return [f"{name}={'' if value is None else value}" for name, value in values.items()]


def ask_script(policy: AutostopPolicy, observed: ServerActivity) -> AutostopDecision:
    """What the server's own script decides."""
    script = ["sh", str(AGENT / "autostop.sh"), "decide"]
    argv = [*script, *policy.script_arguments(), *words(observed)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return watchdog.parse_status(dict(word.partition("=")[::2] for word in said.split())).decision


seconds = st.none() | st.integers(0, 9000)
moments = st.none() | st.integers(NOW - 9000, NOW)
policies = st.builds(
    AutostopPolicy,
    after_success=seconds,
    after_failure=seconds,
    idle=seconds,
    gpu_idle=seconds,
    at_time=st.none() | st.integers(NOW - 900, NOW + 900),
    max_hours=st.none() | st.integers(0, 9000).map(lambda s: s / 3600),
    only_after_pull=st.booleans(),
    pull_deadline=seconds,
)
observations = st.builds(
    ServerActivity,
    now=st.just(NOW),
    began=st.integers(NOW - 9000, NOW),
    running=st.integers(0, 2),
    ended_ok=moments,
    ended_badly=moments,
    active=moments,
    gpu_busy=moments,
    pulled=moments,
)


@settings(max_examples=150, deadline=None)
@given(policies, observations)
def test_the_servers_script_decides_the_same(
    policy: AutostopPolicy, observed: ServerActivity
) -> None:
    decision = ask_script(policy, observed)
    assert decision == decide_stop(policy, observed)
    assert decision.stop == bool(decision.reason) and decision.reason in {"", *STOP_REASONS}
    if observed.running and decision.stop:
        assert decision.reason in {"at_time", "money", "gpu_idle"}


@pytest.fixture
def deployed(tmp_path: Path) -> Deployed:
    code = tmp_path / "work" / "code" / "abc"
    code.mkdir(parents=True)
    (code / "agent").symlink_to(AGENT)
    return Deployed(Layout.at(str(tmp_path / "work")), sys.executable, "abc")


@pytest.fixture
def pod(link: Any, tmp_path: Path) -> ProviderProfile:
    """RunPod, as the server shows it: a runpodctl that only notes its calls, and the pod's id."""
    folder = tmp_path / "bin"
    write_program(folder, "runpodctl", RUNPODCTL["new"])
    link.env |= {"PATH": f"{folder}:{link.env['PATH']}", "RUNPOD_POD_ID": "pod7"}
    return PROVIDER_PROFILES["runpod"]


def stop_calls(tmp_path: Path) -> list[str]:
    return [call for call in called_programs(tmp_path / "bin") if " get " not in call]


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("waited in vain")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "_CHECK_INTERVAL_S", 1)


def test_the_server_is_stopped_once_the_voice_is_home(
    link: Any, deployed: Deployed, pod: ProviderProfile, tmp_path: Path
) -> None:
    run = job_client.launch_job(link, deployed, "voice", ["true"])
    wait_for(lambda: job_client.fetch_state(link, run).ended)
    policy = AutostopPolicy(after_success=0)
    watchdog.start_watchdog(link, deployed, policy, pod)
    layout = deployed.layout
    status = wait_for(lambda: watchdog.fetch_watchdog_status(link, layout))
    assert status.decision.waiting and not status.decision.stop and not status.dry
    assert status.alive
    first = status.checked_at
    wait_for(
        lambda: (now := watchdog.fetch_watchdog_status(link, layout)) and now.checked_at != first
    )
    assert stop_calls(tmp_path) == []

    watchdog.mark_pulled(link, layout, "voice", "1-1")
    wait_for(lambda: stop_calls(tmp_path))
    assert stop_calls(tmp_path) == ["runpodctl pod stop pod7"]
    assert [state.run_id for state in job_client.list_runs(link, layout)] == ["voice"]
    watchdog.stop_watchdog(link, layout)
    states = {
        state.run_id: state.state for state in job_client.list_runs(link, layout, services=True)
    }
    assert states == {"voice": "succeeded", "autostop": "stopped"}
    assert watchdog.fetch_watchdog_status(link, layout) is None


def test_a_dry_run_only_writes_what_it_would_do(
    link: Any, deployed: Deployed, pod: ProviderProfile, tmp_path: Path
) -> None:
    policy = AutostopPolicy(idle=0)
    watchdog.start_watchdog(link, deployed, policy, pod, dry=True)
    status = wait_for(
        lambda: (s := watchdog.fetch_watchdog_status(link, deployed.layout)) and s.history and s
    )
    assert status.dry and status.decision.reason == "idle" and "runpod" in status.history[0]
    assert stop_calls(tmp_path) == []
    watchdog.stop_watchdog(link, deployed.layout)


def test_a_running_job_saves_before_a_cap_stops_the_server(
    link: Any, deployed: Deployed, pod: ProviderProfile, tmp_path: Path
) -> None:
    save = "trap 'echo saved >saved; exit 75' TERM; : >ready; while :; do sleep 0.05; done"
    run = job_client.launch_job(link, deployed, "voice", ["sh", "-c", save])
    wait_for(lambda: job_client.fetch_state(link, run).state == "running")
    wait_for(Path(str(run.folder.path / "ready")).exists)  # before that, TERM would just end it
    watchdog.start_watchdog(link, deployed, AutostopPolicy(at_time=1), pod)
    wait_for(lambda: stop_calls(tmp_path))
    assert Path(str(run.folder.path / "saved")).exists()
    watchdog.stop_watchdog(link, deployed.layout)


def test_a_watch_that_goes_is_left_alone_by_the_next_run(
    link: Any, deployed: Deployed, pod: ProviderProfile, tmp_path: Path
) -> None:
    policy = policy_from_config(AutostopSection(max_time="3h", idle="45m"), None, "box")
    assert policy == AutostopPolicy(max_hours=3.0, idle=2700)
    assert watchdog.ensure_watchdog(link, deployed, policy, pod)
    first = watchdog.wait_first_status(link, deployed.layout)
    assert first is not None and first.decision.at is not None
    assert not watchdog.ensure_watchdog(link, deployed, policy, pod)
    assert (
        job_client.fetch_state(link, job_client.make_handle(deployed.layout, "autostop")).attempt
        == 1
    )
    watchdog.stop_watchdog(link, deployed.layout)
    assert watchdog.ensure_watchdog(link, deployed, policy, pod)
    watchdog.stop_watchdog(link, deployed.layout)


def test_the_file_speaks_of_money_and_of_pulls() -> None:
    wanted = AutostopSection(max_cost=9.9, max_time="6h", only_after_pull=False, pull_deadline="")
    policy = policy_from_config(wanted, 1.98, "box")
    assert policy == AutostopPolicy(max_hours=5.0, only_after_pull=False, pull_deadline=None)
    assert policy_from_config(AutostopSection(), 1.98, "box") is None
    with pytest.raises(Problem) as caught:
        policy_from_config(wanted, None, "box")
    assert caught.value.key == "remote.autostop.needs_price"


def test_a_new_policy_takes_the_place_of_the_old(
    link: Any, deployed: Deployed, pod: ProviderProfile, tmp_path: Path
) -> None:
    watchdog.start_watchdog(link, deployed, AutostopPolicy(idle=9999), pod)
    state = watchdog.start_watchdog(link, deployed, AutostopPolicy(idle=8888), pod)
    assert (state.attempt, state.ended) == (2, False)
    began = int(json.loads(Path(str(deployed.layout.run("autostop").pid)).read_text())["began"])
    status = wait_for(
        lambda: (s := watchdog.fetch_watchdog_status(link, deployed.layout))
        and s.decision.at
        and s.decision.at - began < 8890
        and s
    )
    assert not status.decision.stop
    watchdog.stop_watchdog(link, deployed.layout)


def test_opening_a_server_begins_the_idle_time_anew(
    link: Any, deployed: Deployed, pod: ProviderProfile, tmp_path: Path
) -> None:
    asked = tmp_path / "work" / "autostop" / "asked"
    config = DeployOptions(work=str(deployed.layout.work), python=sys.executable)
    note = {"python": sys.executable}
    (tmp_path / "work" / "deployed.json").write_text(json.dumps(note))
    find_deployed(link, config)
    assert not asked.exists(), "without a watch nothing is written"
    watchdog.start_watchdog(link, deployed, AutostopPolicy(idle=9000), pod)
    before = wait_for(lambda: watchdog.fetch_watchdog_status(link, deployed.layout)).decision.at
    for tell in (
        lambda: find_deployed(link, config),
        lambda: watchdog.mark_active(link, deployed.layout),
    ):
        tell()
        os.utime(asked, (before, before))  # as if asked that much later
        later = wait_for(
            lambda: (s := watchdog.fetch_watchdog_status(link, deployed.layout))
            and s.decision.at != before
            and s
        )
        assert later.decision.at == before + 9000
        asked.unlink()
    watchdog.stop_watchdog(link, deployed.layout)


def test_what_was_not_proved_is_not_armed(
    link: Any, deployed: Deployed, pod: ProviderProfile, tmp_path: Path
) -> None:
    write_program(tmp_path / "bin", "runpodctl", RUNPODCTL["refused"])
    with pytest.raises(Problem) as caught:
        watchdog.start_watchdog(link, deployed, AutostopPolicy(idle=0), pod)
    assert caught.value.key == "remote.autostop.stop_answered"
    assert "Unauthorized" in caught.value.sentence()
    assert watchdog.is_stop_refusal(caught.value)
    assert stop_calls(tmp_path) == []
    assert watchdog.fetch_watchdog_status(link, deployed.layout) is None
    del link.env["RUNPOD_POD_ID"]
    with pytest.raises(Problem) as caught:
        watchdog.start_watchdog(link, deployed, AutostopPolicy(idle=0), PROVIDER_PROFILES["plain"])
    assert caught.value.key == "remote.autostop.stop_no_provider"


def test_every_refusal_has_its_sentence() -> None:
    for code in watchdog._REFUSAL_CODES:
        problem = Problem(f"remote.autostop.stop_{code}", ExitCode.CONFIG, server="a", why="b")
        assert problem.hint.en and problem.hint.zh


def test_poweroff_is_only_for_servers_without_a_provider() -> None:
    assert watchdog.find_stop_way(PROVIDER_PROFILES["plain"], poweroff=True) == "poweroff"
    assert watchdog.find_stop_way(PROVIDER_PROFILES["plain"]) == "auto"
    assert watchdog.find_stop_way(PROVIDER_PROFILES["vast"], poweroff=True) == "vast"


def test_a_server_that_should_be_off_is_told(
    link: Any, deployed: Deployed, pod: ProviderProfile, tmp_path: Path
) -> None:
    watchdog.start_watchdog(link, deployed, AutostopPolicy(at_time=1), pod)
    layout = deployed.layout
    trying = wait_for(
        lambda: (s := watchdog.fetch_watchdog_status(link, layout)) and s.tries == 1 and s
    )
    assert (trying.alive, trying.answer, trying.gave_up) == (True, "accepted", False)
    assert watchdog.running_on_warning(trying, "box") is None, "the first try may take its time"
    told = watchdog.running_on_warning(replace(trying, tries=3), "box")
    assert told is not None and "3 times" in told.en
    watchdog.stop_watchdog(link, layout)


def test_a_watch_that_ended_is_told() -> None:
    fresh = {"now": "1000", "current": "1010", "dry": "0"}
    assert watchdog.running_on_warning(watchdog.parse_status(fresh), "box") is None
    stale = watchdog.parse_status({**fresh, "current": "9000"})
    told = watchdog.running_on_warning(stale, "box")
    assert told is not None and "sovdeck autostop box --off" in told.en
    # While it waits for an answer only the stop's own report is fresh.
    saving = watchdog.parse_status({**fresh, "current": "9000"}, (), {"tries": 1, "now": 8990})
    assert saving.alive
    assert watchdog.running_on_warning(replace(stale, dry=True), "box") is None


def test_a_stop_that_was_given_up_is_told(
    link: Any, deployed: Deployed, pod: ProviderProfile, tmp_path: Path
) -> None:
    # Its hours of trying are cut short: the program proves as usual, and gives up at once.
    hasty = write_program(
        tmp_path / "bin",
        "python",
        f'[ "$3" = prove ] && exec {sys.executable} "$@"\n'
        'echo \'{"state": "gave_up", "tries": 10, "why": "bad_key: HTTP 401"}\' >"$5"; exit 1',
    )
    there = replace(deployed, python=str(hasty))
    watchdog.start_watchdog(link, there, AutostopPolicy(at_time=1), pod)
    given_up = wait_for(
        lambda: (s := watchdog.fetch_watchdog_status(link, there.layout)) and s.gave_up and s
    )
    assert not given_up.alive and "given up" in given_up.history[-1]
    told = watchdog.running_on_warning(given_up, "box")
    assert told is not None and "10 times" in told.en and "HTTP 401" in told.en and "box" in told.zh
    watchdog.stop_watchdog(link, there.layout)
    assert watchdog.fetch_watchdog_status(link, there.layout) is None


def test_a_driver_that_hangs_does_not_hang_the_watchdog(
    link: Any, deployed: Deployed, pod: ProviderProfile, tmp_path: Path
) -> None:
    write_program(tmp_path / "bin", "nvidia-smi", "exec sleep 60")
    policy = AutostopPolicy(gpu_idle=9000, idle=9000)
    watchdog.start_watchdog(link, deployed, policy, pod)
    first = watchdog.wait_first_status(link, deployed.layout)
    assert first is not None and first.checked_at is not None
    second_check_s = first.checked_at + 2

    def checked_again() -> bool:
        status = watchdog.fetch_watchdog_status(link, deployed.layout)
        return status is not None and (status.checked_at or 0) >= second_check_s

    wait_for(checked_again)
    asked = [c for c in called_programs(tmp_path / "bin") if c.startswith("nvidia-smi")]
    assert len(asked) == 1, "one stuck process, not one a check"
    watchdog.stop_watchdog(link, deployed.layout)


def test_what_cannot_be_stopped_or_never_would_is_refused(link: Any, deployed: Deployed) -> None:
    with pytest.raises(Problem) as caught:
        watchdog.start_watchdog(link, deployed, AutostopPolicy(idle=1), PROVIDER_PROFILES["lambda"])
    assert caught.value.key == "remote.autostop.stop_none"
    with pytest.raises(Problem) as caught:
        watchdog.start_watchdog(link, deployed, AutostopPolicy(), PROVIDER_PROFILES["autodl"])
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
    assert parse_duration(given) == seconds


@pytest.mark.parametrize("given", ["", "10", "m", "-5m", "1h30m", "ten minutes", "1e9s"])
def test_what_is_no_length_of_time_is_said(given: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_duration(given)
    assert caught.value.key == "remote.autostop.bad_duration"
