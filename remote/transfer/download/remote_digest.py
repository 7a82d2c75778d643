"""The server's SHA-256 of the file being pulled: asked while the bytes come, awaited at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.agent import remote_files
from sovdeck.remote.transfer.agent.remote_files import RemoteDigest
from sovdeck.remote.transfer.core.backoff import retry_with_backoff, wait_for
from sovdeck.remote.transfer.core.interfaces import Connect, TransferConnection
from sovdeck.remote.transfer.core.part_journal import FileIdentity
from sovdeck.remote.transfer.core.progress import Report, TransferMeter
from sovdeck.remote.transfer.core.tuning import Tuning


def expect_same(then: FileIdentity, now: FileIdentity) -> None:
    """Problem `changed` when the remote file is not the one it was."""
    if now != then:
        raise Problem("remote.transfer.changed", ExitCode.DATA, path=then.path)


class RemoteDigestRequest:
    """One question to the server that outlives a broken line. `start` comes first."""

    def __init__(
        self,
        connect: Connect,
        path: str,
        tuning: Tuning,
        cancel: threading.Event,
        report: Report,
        meter: TransferMeter,
    ) -> None:
        self._connect = connect
        self._path = path
        self._tuning = tuning
        self._cancel = cancel
        self._report = report
        self._meter = meter
        self._identity = FileIdentity(path, 0, 0)
        self._future: Future[RemoteDigest] = Future()

    def start(
        self,
        connection: TransferConnection,
        identity: FileIdentity,
        on_digest: Callable[[str], None],
    ) -> None:
        """Hash on the server in a thread; `on_digest` hears the digest as soon as it is there."""
        self._identity = identity

        def work() -> None:
            try:
                digest = remote_files.fetch_digest(connection, self._path, identity.size)
                on_digest(digest.whole)
                self._future.set_result(digest)
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                self._future.set_exception(error)

        threading.Thread(target=work, name="transfer-digest", daemon=True).start()

    def wait(self) -> RemoteDigest:
        """Wait for the digest; asked again over a new connection when the line broke."""
        try:
            digest = wait_for(
                self._future,
                self._cancel,
                self._tuning.tick,
                lambda: self._report(self._meter.progress()),
            )
        except Problem as problem:
            if problem.exit_code is not ExitCode.UNREACHABLE:
                raise
            return self.request_again(0)
        expect_same(self._identity, digest.identity)
        return digest

    def request_again(self, block: int) -> RemoteDigest:
        """Ask anew, with digests of every `block` bytes when that is not 0."""

        def request() -> RemoteDigest:
            connection = self._connect()
            try:
                return remote_files.fetch_digest(connection, self._path, self._identity.size, block)
            finally:
                connection.close()

        limit = self._tuning.give_up
        digest = retry_with_backoff(request, self._tuning, self._cancel, self._meter, limit=limit)
        expect_same(self._identity, digest.identity)
        self._future = Future()
        self._future.set_result(digest)
        return digest
