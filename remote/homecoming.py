"""A voice brought home: pulled, verified, unpacked beside its zip."""

from __future__ import annotations

import json
import shlex
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.contract.layout import check_name
from engine.contract.problem import ExitCode, Problem
from remote import archive, watchman
from remote.asking import ask
from remote.deployed import Deployed
from remote.ledger import Ledger
from remote.link import Link
from remote.pack_question import PackQuestion
from remote.pool import Connect
from remote.take_file import KEPT
from remote.transfer.part_file import disk_errors
from remote.transfer.prefix_hash import file_digest
from remote.transfer.progress import Report
from remote.transfer.pull import pull
from remote.transfer.tuning import Tuning
from remote.transfer.virtual_zip import pull_virtual
from remote.voice_files import version_of


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
    bandwidth: float | None = None,
    tuning: Tuning | None = None,
) -> Home:
    """Pull `packs/VOICE.zip` into `outputs` and unpack it as `outputs/VOICE`.

    contents: what of the voice to bring; None takes the pack of the last run. Where that is not
    what is wanted, the same archive is put together here, which is quicker than packing there
    first and needs no room there. An earlier unpacked copy is replaced only by a whole new one.
    `bandwidth` caps bytes a second.
    """
    check_name(voice)
    path = deployed.layout.pack(voice)
    moving: dict[str, Any] = {
        "report": report, "cancel": cancel, "resume": resume, "bandwidth": bandwidth,
        "tuning": tuning,
    }  # fmt: skip
    if contents is None and link.run(["test", "-f", str(path)]).code == 0:
        pulled = pull(connect, str(path), outputs, verify=verify, **moving)
        whole = None
    else:
        question = PackQuestion(connect, link, deployed, voice, contents or "voice")
        with question as plan:
            work = str(deployed.layout.work)
            pulled = pull_virtual(question.connect, plan, question.outline, work, outputs, **moving)
        whole = _hashed(pulled.path)
    folder = outputs / voice
    files = archive.extract(pulled.path, folder, replace=True, keep=KEPT, cancel=cancel)
    with disk_errors(pulled.path):
        sha256 = pulled.sha256 if whole is None else whole.result()
    if sha256 is not None:
        if pulled.mtime is not None:
            ledger, version = Ledger(outputs), version_of(pulled.bytes, pulled.mtime)
            there = path.relative_to(deployed.layout.work).as_posix()
            facts = (there, version, pulled.bytes, sha256, pulled.path)
            ledger.note(ledger.entry(link.name, *facts))
        # a server that waits for this may switch itself off now
        ask(link, connect, lambda there: watchman.mark_pulled(there, deployed.layout))
    return Home(
        pulled.path, pulled.bytes, sha256, pulled.seconds, pulled.resumed_bytes,
        folder, tuple(files),
    )  # fmt: skip


def _hashed(path: Path) -> Future[str]:
    """The SHA-256 of an archive whose files were verified, computed while it is unpacked."""
    digest: Future[str] = Future()

    def work() -> None:
        try:
            digest.set_result(file_digest(path))
        except OSError as error:
            digest.set_exception(error)

    threading.Thread(target=work, name="archive-hash", daemon=True).start()
    return digest


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
