"""Deploying to a real SSH server: whole, repeated, changed, interrupted, by two at once."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote import deploy
from sovdeck.remote.agent import read_script
from sovdeck.remote.agent.code_archive import build_code_archive
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.deploy import DeployConnections, DeployOptions, DeployStep, StepReport
from sovdeck.remote.deploy.apply import send_code
from sovdeck.remote.deploy.steps import CheckEngine, SendWheels
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.probe.diagnosis import diagnose
from sovdeck.remote.probe.probe import probe_server
from sovdeck.remote.ssh.client import SSHConnection


@pytest.fixture(scope="module")
def server(embedded: Any) -> Iterator[SSHConnection]:
    with embedded.connect() as link:
        yield link


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> DeployOptions:
    """One work folder for all: loading torch for the check is what a deployment costs here."""
    work = tmp_path_factory.mktemp("deploy") / "work"
    return DeployOptions(work=str(work), python=sys.executable)


def test_probe_finds_this_machine(server: SSHConnection, tmp_path: Path) -> None:
    facts = probe_server(server, work=str(tmp_path), python=sys.executable, check_access=True)
    assert facts.system == "Linux" and facts.cpus and facts.memory_total and facts.sftp
    assert facts.sessions == 3 and facts.core_speed
    assert facts.clock_skew == 0.0
    ours = next(python for python in facts.pythons if python.path == sys.executable)
    assert ours.version[:2] == sys.version_info[:2] and "torch" in ours.distributions
    disk = facts.disk(str(tmp_path))
    assert disk is not None and disk.free and disk.writable
    assert [f.message.en for f in diagnose(facts) if f.level == "bad"] == []


def test_deploy_then_nothing_to_do_then_a_run(server: SSHConnection, config: DeployOptions) -> None:
    reports: list[StepReport] = []
    deployed = deploy.deploy(server, config, reports.append)
    assert [r.name for r in reports if r.state == "done"] == ["folders", "code", "check"]
    assert deployed.python == sys.executable

    reports.clear()
    assert deploy.deploy(server, config, reports.append) == deployed
    assert reports == [StepReport("code", "kept")]
    assert deploy.find_deployed(server, config) == deployed

    # What was sent is what runs there, not the engine this test is run from.
    show = (
        deployed.python,
        "-c",
        "import sovdeck.engine.contract.spec as module; print(module.__file__)",
    )
    run = job_client.launch_job(server, deployed, "first", show)
    deadline = time.monotonic() + 60
    while not (state := job_client.fetch_state(server, run)).ended and time.monotonic() < deadline:
        time.sleep(0.1)
    assert state.state == "succeeded"
    assert Path(str(run.folder.log)).read_text().startswith(str(deployed.code_folder))
    assert [found.run_id for found in job_client.list_runs(server, deployed.layout)] == ["first"]


def test_only_the_code_changed_is_two_round_trips(
    server: SSHConnection, config: DeployOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = deploy.deploy(server, config, lambda _: None)
    changed = replace(build_code_archive(), sha="0" * 32)
    monkeypatch.setattr(deploy, "build_code_archive", lambda: changed)
    trips: list[str] = []
    original = server.open_stream
    monkeypatch.setattr(
        server, "open_stream", lambda *a, **k: trips.append("x") or original(*a, **k)
    )
    second = deploy.deploy(server, config, lambda _: None)
    assert second.code_sha == "0" * 32 and second.python == first.python
    assert len(trips) == 2
    assert Path(str(second.code_folder / "sovdeck" / "engine" / "contract" / "spec.py")).exists()
    trips.clear()
    deploy.deploy(server, config, lambda _: None)
    assert len(trips) == 1


def test_two_laptops_do_not_deploy_at_once(server: SSHConnection, config: DeployOptions) -> None:
    steps = [unchecked(config)]
    links = DeployConnections(server, lambda: server, lambda: server)
    folder = str(Path(config.work) / "deploy")
    argv = ["sh", "-c", read_script("lock.sh"), "lock", folder, "anna@laptop"]
    other = server.open_stream(argv)
    assert other.read() == b"locked\n"
    with pytest.raises(Problem) as caught:
        deploy.apply_steps(links, steps, lambda _: None)
    assert caught.value.key == "remote.deploy.locked" and "anna@laptop" in caught.value.message.en
    other.close()  # the other laptop is shut in mid-deploy
    deadline = time.monotonic() + 60
    while True:
        try:
            done = deploy.apply_steps(links, steps, lambda _: None)
            break
        except Problem as problem:
            assert problem.key == "remote.deploy.locked" and time.monotonic() < deadline
            time.sleep(0.1)
    assert done.python == config.python


def test_a_lock_given_back_a_moment_late_is_waited_for(
    server: SSHConnection, config: DeployOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = DeployConnections(server, lambda: server, lambda: server)
    argv = [
        "sh",
        "-c",
        read_script("lock.sh"),
        "lock",
        str(Path(config.work) / "deploy"),
        "anna@laptop",
    ]
    other = server.open_stream(argv)
    assert other.read() == b"locked\n"
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        other.close()
        time.sleep(seconds)

    monkeypatch.setattr(sys.modules["sovdeck.remote.deploy.apply"], "sleep", wait)
    assert deploy.apply_steps(links, [unchecked(config)], lambda _: None).python == config.python
    assert waits


@pytest.mark.long
def test_of_two_laptops_that_come_at_once_both_find_a_sound_server(
    embedded: Any, tmp_path: Path
) -> None:
    config = DeployOptions(work=str(tmp_path / "work"), python=sys.executable)
    outcomes: list[Deployed | Problem] = []
    ready_to_go = threading.Barrier(2)

    def one_laptop() -> None:
        with embedded.connect() as link:
            ready_to_go.wait(30)
            try:
                outcomes.append(deploy.deploy(link, config, lambda _: None))
            except Problem as problem:
                outcomes.append(problem)

    laptops = [threading.Thread(target=one_laptop) for _ in range(2)]
    for laptop in laptops:
        laptop.start()
    for laptop in laptops:
        laptop.join(120)
    turned_away = [one.key for one in outcomes if isinstance(one, Problem)]
    assert len(outcomes) == 2 and turned_away in ([], ["remote.deploy.locked"])
    with embedded.connect() as link:
        assert deploy.find_deployed(link, config) in outcomes
    assert [path.name for path in (tmp_path / "work" / "code").iterdir()] == [
        build_code_archive().sha
    ]


def test_a_damaged_upload_leaves_nothing(server: SSHConnection, tmp_path: Path) -> None:
    whole = build_code_archive()
    layout = Layout.at(str(tmp_path))
    for data in (whole.data[:-100], b"", whole.data[:-1] + b"x"):
        with pytest.raises(Problem) as caught:
            send_code(server, layout, replace(whole, data=data))
        assert caught.value.key == "remote.deploy.step_failed"
    assert list((tmp_path / "code").iterdir()) == []
    send_code(server, layout, whole)
    assert [path.name for path in (tmp_path / "code").iterdir()] == [whole.sha]


def test_wheels_of_this_computer_reach_the_server(
    embedded: Any, server: SSHConnection, config: DeployOptions, tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with pytest.raises(Problem) as caught:
        send_wheels(embedded, server, config, wheels)
    assert caught.value.key == "remote.deploy.no_wheels"
    (wheels / "one-1.0-py3-none-any.whl").write_bytes(b"x" * 5000)
    (wheels / "notes.txt").write_text("not a wheel")
    send_wheels(embedded, server, config, wheels)
    there = Path(config.work) / "wheels"
    assert [path.name for path in there.iterdir() if path.suffix == ".whl"] == [
        "one-1.0-py3-none-any.whl"
    ]
    assert (there / "one-1.0-py3-none-any.whl").read_bytes() == b"x" * 5000


def send_wheels(place: Any, server: SSHConnection, config: DeployOptions, source: Path) -> None:
    action = SendWheels(str(source), str(Path(config.work) / "wheels"))
    steps = (DeployStep("wheels", Text("", ""), True, action), unchecked(config))
    deploy.apply_steps(
        DeployConnections(server, lambda: server, place.connect), steps, lambda _: None
    )


def unchecked(config: DeployOptions) -> DeployStep:
    """The last step, said to be done: loading torch is what it costs."""
    check = CheckEngine(Layout.at(config.work), config.python, "0" * 32, "", {})
    return DeployStep("check", Text("", ""), False, check)
