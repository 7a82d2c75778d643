"""Probing a server: everything about it in one round trip."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.agent.code_archive import build_code_archive
from sovdeck.remote.errors import ConnectionLost, InputClosed, SftpUnavailable
from sovdeck.remote.probe.engine_requirements import requirement_name
from sovdeck.remote.probe.facts import ServerFacts, parse_facts
from sovdeck.remote.probe.nvidia_smi import GPU_FIELDS
from sovdeck.remote.probe.providers import MARK_VARIABLES, candidate_folders
from sovdeck.remote.ssh.channel_stream import ChannelStream
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.ssh.remote_tail import clean_line

_PROBE_LIMIT_S = 120.0
_GPU_LIMIT_S = 40
_SESSIONS_TRIED = 3
_SFTP_INIT = bytes.fromhex("000000050100000003")  # length, SSH_FXP_INIT, version 3
_SFTP_LIMIT_S = 10.0
_SFTP_SEARCH_BYTES = 64 << 10


def probe_server(
    connection: SSHConnection,
    *,
    work: str = "",
    python: str = "",
    sources: Sequence[str] = (),
    check_access: bool = False,
    gpu_limit_s: int = _GPU_LIMIT_S,
) -> ServerFacts:
    """Return the facts of a server, from one run of probe.sh.

    sources: addresses of packages and models whose reachability and speed (first MiB) is measured
    from there, all at the same time. check_access: also ask for SFTP and a further session while
    the script runs, and time a core. gpu_limit_s: how long nvidia-smi may take. Problem
    `remote.probe.no_answer` when the script did not reach its end.
    """
    arguments = [
        work,
        python,
        ":".join(candidate_folders()),
        " ".join(map(requirement_name, build_code_archive().requirements)),
        " ".join(sources),
        ",".join(GPU_FIELDS),
        " ".join(MARK_VARIABLES),
        str(gpu_limit_s),
        "yes" if check_access else "",
    ]
    argv = ["sh", "-c", read_script("probe.sh"), "sh", *arguments]
    before = time.time()
    access = None
    if check_access:
        connection.prestart(argv)  # its session is one, those that are tried meanwhile the others
        access = _Access(connection)
    try:
        result = connection.run(argv, timeout=_PROBE_LIMIT_S)
    except Problem as problem:
        if problem.key != "remote.connection.too_long":
            raise
        raise _no_answer(connection, f"{_PROBE_LIMIT_S:.0f} s") from None
    after = time.time()
    output = "\n".join(map(clean_line, result.out.split(b"\n")))
    times = dict(line.partition(" ")[::2] for line in output.split("\n"))
    if "begin" not in times or "end" not in times:
        why = (output + result.err.decode("utf-8", "replace")).strip()[-300:]
        raise _no_answer(connection, why)
    return replace(
        parse_facts(output),
        clock_skew=_clock_skew(times, before, after),
        preamble=" ".join(clean_line(result.preamble).split()),
        sftp=None if access is None else access.sftp,
        sessions=None if access is None else access.sessions,
    )


def _no_answer(connection: SSHConnection, why: str) -> Problem:
    return Problem(
        "remote.probe.no_answer", ExitCode.UNREACHABLE, server=connection.name, why=why or "-"
    )


class _Access:
    """What else a connection allows while a command runs on it.

    sftp: whether the subsystem answers as SFTP does. sessions: how many may be open at once, at
    most 3; the server may allow more.
    """

    def __init__(self, connection: SSHConnection) -> None:
        self.sftp = False
        try:
            with connection.open_sftp() as sftp:
                sftp.write(_SFTP_INIT)
                with connection.open_stream(["true"]):
                    pass
                self.sftp = _answers_sftp(sftp)
        except (SftpUnavailable, InputClosed, TimeoutError):
            self.sftp = False
        except ConnectionLost:
            raise
        except Problem as problem:
            if problem.key != "remote.connection.no_channel":
                raise
        self.sessions = min(_SESSIONS_TRIED, connection.session_limit or _SESSIONS_TRIED)


def _answers_sftp(stream: ChannelStream) -> bool:
    """Whether the first answer is an SFTP packet; what a shell printed before it is skipped.

    Some servers take the request and have no program behind it, so the answer is waited for.
    """
    deadline = time.monotonic() + _SFTP_LIMIT_S
    data = b""
    while b"\x02\x00\x00\x00" not in data:
        piece = stream.read(4096, deadline=deadline)
        if not piece or len(data) > _SFTP_SEARCH_BYTES:
            return False
        data += piece
    return True


def _clock_skew(times: dict[str, str], before: float, after: float) -> float | None:
    # The script's own times lie between ours: what sticks out on a side is skew, and whole
    # seconds are all that every `date` prints.
    begin, end = map(parse_whole_number, (times["begin"].strip(), times["end"].strip()))
    if begin is None or end is None:
        return None
    return max(begin - after, 0.0) + min(end + 1.0 - before, 0.0)
