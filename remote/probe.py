"""What a server is and has, found out in one round trip."""

from __future__ import annotations

import time
from collections.abc import Sequence

from engine.contract.problem import ExitCode, Problem
from remote.agent import script
from remote.code_archive import code_archive
from remote.facts import ServerFacts, parse_facts
from remote.faults import NoSftp
from remote.link import Link
from remote.nvidia import FIELDS
from remote.requirement import name_of
from remote.tail import clean_line

_PROBE_LIMIT_S = 90.0
_SFTP_INIT = bytes.fromhex("000000050100000003")  # length, SSH_FXP_INIT, version 3


def probe(
    link: Link,
    *,
    work: str = "",
    python: str = "",
    folders: Sequence[str] = ("~/sovdeck",),
    sources: Sequence[str] = (),
    check_sftp: bool = False,
) -> ServerFacts:
    """Ask the server everything at once.

    folders: candidates for the work folder. sources: addresses of packages and models whose
    reachability and speed (first MiB) is measured from there, all at the same time.
    """
    arguments = [
        work, python, ":".join(folders),
        " ".join(map(name_of, code_archive().requirements)), " ".join(sources), ",".join(FIELDS),
    ]  # fmt: skip
    before = time.time()
    result = link.script(script("probe.sh"), arguments, timeout=_PROBE_LIMIT_S)
    after = time.time()
    output = "\n".join(map(clean_line, result.out.split(b"\n")))
    times = dict(line.partition(" ")[::2] for line in output.split("\n"))
    if "begin" not in times or "end" not in times:
        raise Problem(
            "remote.job.bad_answer", ExitCode.INTERNAL, server=link.name, command="probe.sh",
            why=(output + result.err.decode("utf-8", "replace")).strip()[-300:],
        )  # fmt: skip
    return parse_facts(
        output, skew=_skew(times, before, after), sftp=has_sftp(link) if check_sftp else None
    )


def has_sftp(link: Link) -> bool:
    """Whether files can go over SFTP (RunPod's proxy and some images have none).

    Some servers take the request and have no program behind it, so its greeting is waited for.
    """
    try:
        with link.open_sftp() as stream:
            stream.write(_SFTP_INIT)
            return bool(stream.read(1, deadline=time.monotonic() + 10.0))
    except (NoSftp, TimeoutError):
        return False


def _skew(times: dict[str, str], before: float, after: float) -> float | None:
    # The script's own times lie between ours: what sticks out on a side is skew, and whole
    # seconds are all that every `date` prints.
    try:
        begin, end = float(times["begin"]), float(times["end"])
    except ValueError:
        return None
    return max(begin - after, 0.0) + min(end + 1.0 - before, 0.0)
