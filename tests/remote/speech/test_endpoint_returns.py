"""`serve` outlives its link: 503 with the reason meanwhile, then the same port answers again."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from servers import CutProxy, Place
from tiny_voice import VOICE
from trip_steps import open_server

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.http_endpoint import HttpEndpoint


@dataclass
class Served:
    """An endpoint over a line that can be cut, with a thread that waits for its end."""

    endpoint: HttpEndpoint
    changes: list[Problem | None]
    ended: list[Problem | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._wait, daemon=True)
        self.thread.start()

    def _wait(self) -> None:
        try:
            self.endpoint.wait()
        except Problem as problem:
            self.ended.append(problem)
        else:
            self.ended.append(None)

    def ask(self) -> tuple[int, dict[str, object]]:
        address = f"http://127.0.0.1:{self.endpoint.port}/v1/models"
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def engines(work: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if "--attached" in words and str(work) in words and process.info["status"] != "zombie":
            found.append(process)
    return found


@pytest.fixture
def line(embedded: Place) -> Iterator[CutProxy]:
    proxy = CutProxy(embedded.spec.host, embedded.spec.port)
    yield proxy
    proxy.close()


@pytest.fixture
def served(
    session: ServerSession, embedded: Place, work: Path, line: CutProxy, tmp_path: Path
) -> Iterator[Served]:
    """The `session` fixture has deployed the server; this laptop reaches it over `line`."""
    changes: list[Problem | None] = []
    with open_server(embedded.through(line), tmp_path, "box", work) as session:
        endpoint = HttpEndpoint(
            session.connection,
            session.require_deployment(),
            VOICE,
            0,
            ("--device", "cpu"),
            on_change=changes.append,
            delay=lambda _tries: 0.05,
        )
        with endpoint:
            yield Served(endpoint, changes)
    until(lambda: not engines(work), "nothing may stay on the server")


@pytest.mark.long
def test_a_cut_link_is_answered_503_and_made_again(
    served: Served, line: CutProxy, work: Path
) -> None:
    port = served.endpoint.port
    assert served.ask()[0] == 200
    line.refusing = True
    line.reset()
    until(lambda: bool(served.changes), "the cut is noticed")
    status, body = served.ask()
    assert status == 503 and isinstance(served.changes[0], Problem)
    assert isinstance(body["error"], dict) and str(body["error"]["code"]).startswith(
        "remote.connection."
    )
    assert len(str(body["message"])) > 20 and "Traceback" not in str(body["message"])
    line.refusing = False
    until(lambda: served.changes[-1] is None, "a new link and a new engine")
    status, models = served.ask()
    assert status == 200 and VOICE in json.dumps(models)
    assert served.endpoint.port == port and len(served.changes) == 2
    until(lambda: len(engines(work)) == 1, "the engine of the lost link has ended")
    served.endpoint.close()
    served.thread.join(60)
    assert served.ended == [None]


@pytest.mark.long
def test_an_engine_that_ends_by_itself_is_not_begun_again(served: Served, work: Path) -> None:
    for process in engines(work):
        process.kill()
    served.thread.join(60)
    (problem,) = served.ended
    assert problem is not None and problem.key == "remote.speak.killed" and not served.changes
