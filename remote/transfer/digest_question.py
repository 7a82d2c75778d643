"""The server's SHA-256 of the file being pulled: asked while the bytes come, awaited at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from engine.contract.problem import ExitCode, Problem
from remote.transfer import agent_reading
from remote.transfer.agent_reading import RemoteDigest
from remote.transfer.channel import Connect, Link
from remote.transfer.journal import Identity
from remote.transfer.patience import awaited, patiently
from remote.transfer.progress import Meter, Report
from remote.transfer.tuning import Tuning


def expect_same(then: Identity, now: Identity) -> None:
    """Problem `changed` when the remote file is not the one it was."""
    if now != then:
        raise Problem("remote.transfer.changed", ExitCode.DATA, path=then.path)


class DigestQuestion:
    """One question to the server that outlives a broken line. `start` comes first."""

    def __init__(
        self,
        connect: Connect,
        path: str,
        tuning: Tuning,
        cancel: threading.Event,
        report: Report,
        meter: Meter,
    ) -> None:
        self._connect = connect
        self._path = path
        self._tuning = tuning
        self._cancel = cancel
        self._report = report
        self._meter = meter
        self._identity = Identity(path, 0, 0)
        self._future: Future[RemoteDigest] = Future()

    def start(self, link: Link, identity: Identity, known: Callable[[str], None]) -> None:
        """Hash on the server in a thread; `known` hears the digest as soon as it is there."""
        self._identity = identity

        def work() -> None:
            try:
                digest = agent_reading.digest(link, self._path, identity.size)
                known(digest.whole)
                self._future.set_result(digest)
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                self._future.set_exception(error)

        threading.Thread(target=work, name="transfer-digest", daemon=True).start()

    def answer(self) -> RemoteDigest:
        """Wait for the digest; it is asked again over a new link when the line broke meanwhile."""
        try:
            digest = awaited(
                self._future, self._cancel, self._tuning.tick,
                lambda: self._report(self._meter.progress()),
            )  # fmt: skip
        except Problem as problem:
            if problem.exit_code is not ExitCode.UNREACHABLE:
                raise
            return self.again(0)
        expect_same(self._identity, digest.identity)
        return digest

    def again(self, block: int) -> RemoteDigest:
        """Ask anew, with digests of every `block` bytes when that is not 0."""

        def ask() -> RemoteDigest:
            link = self._connect()
            try:
                return agent_reading.digest(link, self._path, self._identity.size, block)
            finally:
                link.close()

        limit = self._tuning.give_up
        digest = patiently(ask, self._tuning, self._cancel, self._meter, limit=limit)
        expect_same(self._identity, digest.identity)
        self._future = Future()
        self._future.set_result(digest)
        return digest
