"""A command finds its channel open already; without one it opens its own."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from scripted_sshd import wait_until
from servers import Place

from sovdeck.remote.ssh.preopened_channel import PreopenedChannel


def taken(spare: PreopenedChannel) -> Any:
    """Wait for the thread that prepares."""
    deadline = time.monotonic() + 60
    while (channel := spare.take()) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return channel


def test_only_the_first_command_waits_for_its_channel(
    embedded: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    openers: list[str] = []
    with embedded.connect() as link:
        opened = threading.Semaphore(0)
        transport = link._transport
        original = transport.open_session

        def open_session(**options: Any) -> Any:
            openers.append(threading.current_thread().name)
            channel = original(**options)
            opened.release()
            return channel

        monkeypatch.setattr(transport, "open_session", open_session)
        for number in range(4):
            assert link.run(["echo", str(number)]).out == f"{number}\n".encode()
            for _ in range(2 if number == 0 else 1):
                assert opened.acquire(timeout=60)
            wait_until(lambda: link._preopened._channel is not None)
    assert openers[1:] == ["preopened-channel"] * 4 and openers[0] != "spare-channel"


def test_a_channel_the_server_closed_meanwhile_is_not_used(embedded: Place) -> None:
    with embedded.connect() as link:
        assert link.run(["true"]).code == 0
        channel = taken(link._preopened)
        link._preopened._channel = channel
        channel.close()
        assert link.run(["echo", "still"]).out == b"still\n"


def test_a_server_that_allows_no_more_channels_is_asked_by_the_next_command() -> None:
    tries: list[int] = []

    def refuse() -> Any:
        tries.append(1)
        raise EOFError

    spare = PreopenedChannel(refuse, (EOFError,))
    for wanted in (1, 2):
        spare.prepare()
        deadline = time.monotonic() + 60
        while (len(tries) < wanted or spare._opening) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert spare.take() is None
    assert len(tries) == 2


def test_at_most_one_is_held() -> None:
    made: list[Any] = []

    def opened() -> Any:
        made.append(SimpleNamespace(closed=False))
        return made[-1]

    spare = PreopenedChannel(opened, (EOFError,))
    spare.prepare()
    channel = taken(spare)
    spare._channel = channel
    for _ in range(5):
        spare.prepare()
    assert spare.take() is channel and len(made) == 1
