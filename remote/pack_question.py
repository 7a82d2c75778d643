"""Asking the engine what a voice's archive would hold, while its files are already fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from engine.contract.problem import ExitCode, Problem
from remote.deployed import Deployed
from remote.link import Link, Stream
from remote.pool import Connect
from remote.transfer.dialled_ahead import DialledAhead
from remote.transfer.outline import Outline, Plan, parse, parse_plan
from remote.transfer.ramp import first_guess
from remote.transfer.tuning import MIB, Tuning

VOICE = 64 * MIB  # a voice has more, but for a practice one


class PackQuestion:
    """One `pack --outline` on the server. Entering it gives the plan, at once.

    `outline` waits for the sums; a line that broke meanwhile is asked again, over a new one.
    `connect` gives new links; those a voice will want are dialled while the engine starts.
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
        self._ahead = DialledAhead(connect, first_guess(link.rtt, VOICE, Tuning.most_connections))

    def __enter__(self) -> Plan:
        try:
            return parse_plan(self._said(self._stream, self._lines, "plan"))
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *exc: object) -> None:
        self._stream.close()
        self._ahead.close()

    def connect(self) -> Link:
        """A new link, which is the caller's."""
        return self._ahead.connect()

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
