"""What a server has of the pretrained weights, how it fetches the rest, and what bars a run."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from servers import Place

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.pretrained_set import files_for, megabytes
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.preflight.run import check_run, require_ready
from sovdeck.remote.preflight.weights import FetchMeter, FetchProgress, fetch_weights, find_weights
from sovdeck.remote.ssh.client import SSHConnection


@pytest.fixture(scope="module")
def link(embedded: Place) -> Iterator[SSHConnection]:
    with embedded.connect() as link:
        yield link


class Server:
    """A session with a server whose engine only prints what it is told to."""

    name = "box"
    config = SimpleNamespace(models=SimpleNamespace(set="v2", sources=()))
    server = SimpleNamespace(price_per_hour=2.5, currency="CNY")

    def __init__(self, link: SSHConnection, folder: Path) -> None:
        self.link, self.work = link, folder / "work"
        self.engine = folder / "python"
        self.work.mkdir()

    def prints(self, *records: dict[str, Any], code: int = 0) -> None:
        lines = "\n".join(json.dumps(record) for record in records)
        self.engine.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(lines)}\nexit {code}\n")
        self.engine.chmod(0o700)

    def connection(self) -> SSHConnection:
        return self.link

    def layout(self) -> Layout:
        return Layout.at(str(self.work))

    def require_deployment(self) -> Deployed:
        return Deployed(self.layout(), str(self.engine), "0" * 64, {})


@pytest.fixture
def server(link: SSHConnection, tmp_path: Path) -> Any:
    return Server(link, tmp_path)


def put(server: Any, version: str) -> None:
    for file in files_for(version):
        path = server.work / "pretrained" / "v2" / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_what_lacks_is_told_with_its_size(server: Any) -> None:
    found = find_weights(server, "auto")
    assert (found.version, found.whole) == ("v2Pro", False)
    assert found.megabytes == megabytes("v2Pro")
    put(server, "v2")
    assert (find_weights(server, "auto").version, find_weights(server, "auto").whole) == (
        "v2",
        True,
    )
    put(server, "v2Pro")
    newer = find_weights(server, "auto")
    assert newer.version == "v2Pro" and newer.whole


def test_fetching_reports_each_file(server: Any) -> None:
    half = {"file": "s1v3.ckpt", "have": 5, "total": 10}
    server.prints(half, {"folder": "x", "whole": True, "files": []})
    seen: list[FetchProgress] = []
    done = fetch_weights(server, "v2Pro", report=seen.append, cancel=threading.Event())
    assert done["whole"] is True
    assert [(one.file, one.have, one.total) for one in seen] == [("s1v3.ckpt", 5, 10)]
    overall = seen[0].overall
    assert overall is not None
    lacking = [file for file in files_for("v2Pro") if file.name != "s1v3.ckpt"]
    assert overall.total == 10 + sum(file.megabytes for file in lacking) * 1_000_000


def test_progress_is_of_the_file_and_of_all() -> None:
    now = [0.0]
    meter = FetchMeter({"a": 100, "b": 300}, lambda: now[0])
    first = meter.count("a", 40, None).overall  # what a broken attempt left
    assert first is not None and (first.done, first.total) == (40, 400)
    now[0] = 2.0
    second = meter.count("a", 60, 120).overall
    assert second is not None and (second.done, second.total) == (60, 420)
    assert (second.bytes_per_second, second.eta_s) == (10.0, 36.0)
    third = meter.count("b", 1, 300).overall  # so "a" is complete
    assert third is not None and third.done == 121


def test_a_source_that_fails_is_said_by_the_engine(server: Any) -> None:
    failure = Problem(
        "engine.pretrained.no_source", ExitCode.UNREACHABLE, files="a", why="b", folder="c"
    )
    server.prints({"exit_code": 6, **failure.as_json()}, code=6)
    with pytest.raises(Problem) as caught:
        fetch_weights(server, "v2", report=lambda progress: None, cancel=threading.Event())
    assert caught.value.key == "engine.pretrained.no_source"


def test_a_run_is_not_promised_without_its_weights(server: Any) -> None:
    spec = RunSpec("r", "Anna", "v2", pretrained="v2")
    gone = Problem(
        "engine.training.no_pretrained", ExitCode.CONFIG, set="v2", version="v2", missing="x"
    )
    server.prints({"problems": [{**gone.as_json(), "exit_code": 2}]}, code=2)
    checked = check_run(server, spec)
    assert checked.lacks_weights and not checked.problems
    with pytest.raises(Problem) as caught:
        require_ready(server, spec)
    assert caught.value.key == "remote.models.missing"
    assert "sovdeck models get box --version v2" in caught.value.sentence("en")
    put(server, "v2")
    few = Problem("engine.plan.few_clips", ExitCode.DATA, stage="gpt", clips=1, batch=4)
    server.prints({"problems": [{**few.as_json(), "exit_code": 3}]}, code=3)
    with pytest.raises(Problem) as caught:
        require_ready(server, spec)
    assert caught.value.key == "engine.plan.few_clips"


def test_the_plan_is_told_before_the_run_and_cleaned(server: Any) -> None:
    put(server, "v2")
    lines = {
        "en": ["About 4 minutes\x1b[2J" + " on and on" * 12, "x" * 9000],
        "zh": ["约 4 分钟"],
        "tlh": ["Qapla'"],
    }
    figures = {"seconds": 240.5, "cost": None, "memory": 1 << 32, "lines": lines, "secret": "?"}
    server.prints({"problems": [], "warnings": [], "plan": figures})
    checked = check_run(server, RunSpec("r", "Anna", "v2", pretrained="v2"))
    assert checked.plan == {"seconds": 240.5, "memory": 1 << 32}
    assert set(checked.plan_lines) == {"en", "zh"} and checked.plan_lines["zh"] == ("约 4 分钟",)
    first, second = checked.plan_lines["en"]
    assert "\x1b" not in first and "4 minutes" in first and len(second) < 1000
    assert first.count("on and on") == 12, "what a person reads is not cut"
