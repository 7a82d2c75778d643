"""A voice brought home: packed on the server, pulled, verified, unpacked beside its zip."""

from __future__ import annotations

import json
import shlex
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.contract.layout import check_name
from engine.contract.problem import ExitCode, Problem
from remote import archive, watchman
from remote.deployed import Deployed
from remote.link import Link
from remote.take_file import KEPT
from remote.transfer.channel import Connect
from remote.transfer.progress import Report
from remote.transfer.pull import Pulled, pull

_PACK_LIMIT_S = 1800.0


@dataclass(frozen=True)
class Home:
    """What is here: the verified zip, and its files unpacked below `folder`."""

    zip: Path
    bytes: int
    sha256: str | None
    seconds: float
    resumed_bytes: int
    folder: Path
    files: tuple[Path, ...]

    @property
    def verified(self) -> bool:
        return self.sha256 is not None

    def names(self) -> tuple[str, ...]:
        """Files as the archive names them."""
        return tuple(path.relative_to(self.folder).as_posix() for path in self.files)


def bring_home(
    connect: Connect,
    link: Link,
    deployed: Deployed,
    voice: str,
    outputs: Path,
    *,
    report: Report,
    cancel: threading.Event,
    verify: bool = True,
    resume: bool = True,
    contents: str | None = None,
) -> Home:
    """Pull `packs/VOICE.zip` into `outputs` and unpack it as `outputs/VOICE`.

    contents: pack anew with these contents; None takes the pack of the last run, or makes one
    when there is none. An earlier unpacked copy is replaced only by a whole new one.
    """
    check_name(voice)
    path = deployed.layout.pack(voice)
    if contents is not None or link.run(["test", "-f", str(path)]).code != 0:
        pack_there(link, deployed, voice, contents or "voice")
    pulled: Pulled = pull(
        connect, str(path), outputs, report=report, cancel=cancel, verify=verify, resume=resume
    )
    folder = outputs / voice
    files = archive.extract(pulled.path, folder, replace=True, keep=KEPT, cancel=cancel)
    if pulled.sha256 is not None:  # a server that waits for this may switch itself off now
        watchman.mark_pulled(link, deployed.layout)
    return Home(
        pulled.path, pulled.bytes, pulled.sha256, pulled.seconds, pulled.resumed_bytes,
        folder, tuple(files),
    )  # fmt: skip


def pack_there(link: Link, deployed: Deployed, voice: str, contents: str) -> None:
    """Let the engine write packs/VOICE.zip; its own sentence when there is no voice yet."""
    layout = deployed.layout
    result = engine_command(
        link, deployed,
        ["pack", voice, "--contents", contents, "--work", str(layout.work), "--json"],
        timeout=_PACK_LIMIT_S,
    )  # fmt: skip
    if result.get("status") != "succeeded":
        message = result.get("message")
        why = str(message.get("en")) if isinstance(message, dict) else "?"
        raise Problem(
            "remote.job.pack_failed", ExitCode.DATA, voice=voice, server=link.name, why=why[:300]
        )


def engine_command(
    link: Link, deployed: Deployed, args: list[str], *, timeout: float
) -> dict[str, Any]:
    """Run `python -m engine ARGS` on the server; the object of its last line of output."""
    result = link.run(deployed.engine(args), timeout=timeout)
    last = result.out.decode("utf-8", "replace").strip().rpartition("\n")[2]
    try:
        found = json.loads(last)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        why = result.err.decode("utf-8", "replace").strip()[-300:] or f"code {result.code}"
        command = shlex.join(["python", "-m", "engine", *args[:2]])
        raise Problem(
            "remote.job.bad_answer", ExitCode.INTERNAL, server=link.name, command=command, why=why
        )
    return found
