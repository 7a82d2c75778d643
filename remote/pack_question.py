"""Asking the engine what a voice's archive would hold, while its files are already fetched."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

from engine.contract.problem import ExitCode, Problem
from remote.deployed import Deployed
from remote.link import Link, Stream
from remote.pool import Connect
from remote.transfer.outline import Outline, Plan, parse, parse_plan


class PackQuestion:
    """One `pack --outline` on the server. Entering it gives the plan, at once.

    `outline` waits for the sums; a line that broke meanwhile is asked again, over a new one.
    `connect` gives new links; the first is dialled while the engine starts.
    """

    def __init__(
        self, connect: Connect, link: Link, deployed: Deployed, voice: str, contents: str
    ) -> None:
        self._connect = connect
        self._server = link.name
        self._voice = voice
        work = str(deployed.layout.work)
        command = ["pack", voice, "--contents", contents, "--work", work, "--outline", "--json"]
        self._argv = deployed.engine(command)
        self._stream = link.open_stream(self._argv)
        self._lines = self._stream.lines()
        self._ahead: Future[Link] | None = Future()
        threading.Thread(target=self._dial, args=(self._ahead,), name="dial", daemon=True).start()

    def __enter__(self) -> Plan:
        try:
            return parse_plan(self._said(self._stream, self._lines, "plan"))
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *exc: object) -> None:
        self._stream.close()
        ahead, self._ahead = self._ahead, None
        if ahead is not None:  # nobody wanted it
            ahead.add_done_callback(_hang_up)

    def connect(self) -> Link:
        """A new link, which is the caller's."""
        ahead, self._ahead = self._ahead, None
        return self._connect() if ahead is None else ahead.result()

    def _dial(self, ahead: Future[Link]) -> None:
        try:
            ahead.set_result(self._connect())
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the link
            ahead.set_exception(error)

    def outline(self) -> Outline:
        """Every member with its sums; may take as long as reading the voice takes there."""
        try:
            return parse(self._said(self._stream, self._lines, "outline"))
        except Problem as problem:
            if problem.exit_code is not ExitCode.UNREACHABLE:
                raise
        link = self._connect()
        try:
            stream = link.open_stream(self._argv)
            lines = stream.lines()
            self._said(stream, lines, "plan")
            return parse(self._said(stream, lines, "outline"))
        finally:
            link.close()

    def _said(self, stream: Stream, lines: Iterator[bytes], what: str) -> dict[str, Any]:
        """The engine's next object, which must be a `what`; Problem with its own words else."""
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # a login file that talks
            if isinstance(said, dict) and what in said:
                return said
            if isinstance(said, dict) and isinstance(said.get("message"), dict):
                facts = {"voice": self._voice, "server": self._server}
                why = str(said["message"].get("en"))[:300]
                raise Problem("remote.job.pack_failed", ExitCode.DATA, **facts, why=why)
        why = stream.errors.decode("utf-8", "replace").strip()[-300:] or f"code {stream.exit_code}"
        command = "python -m engine pack"
        facts = {"server": self._server, "command": command, "why": why}
        raise Problem("remote.job.bad_answer", ExitCode.INTERNAL, **facts)


def _hang_up(dialled: Future[Link]) -> None:
    if dialled.exception() is None:
        dialled.result().close()
