"""The pretrained weights on a server: what a preset lacks there, and how it is fetched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sovdeck.engine.contract.optional_models import OptionalModel
from sovdeck.engine.contract.pretrained_set import PRO, files_for, lacking_files
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.json_lines import (
    MAX_ANSWER_BYTES,
    JsonLines,
    check_exit,
    int_field,
    text_field,
)
from sovdeck.remote.transfer.core.progress import TransferMeter, TransferProgress

MAX_FILES_LISTED = 2000
_CANCEL_POLL_S = 0.5


@dataclass(frozen=True)
class WeightsState:
    """What the starting weights of `version` lack in pretrained/`set_name` of a server."""

    set_name: str
    version: str
    missing: tuple[str, ...]
    megabytes: int

    @property
    def whole(self) -> bool:
        """Whether a run can start from them."""
        return not self.missing


@dataclass(frozen=True)
class FetchProgress:
    """How far one file has come; bytes, `total` None while it is not known.

    `overall` is of all files that lacked; while a file's own size is not known, as it is listed.
    """

    file: str
    have: int
    total: int | None
    overall: TransferProgress | None = None


class FetchMeter:
    """Adds up what several files report one after the other."""

    def __init__(self, sizes: Mapping[str, int], clock: Callable[[], float] = time.monotonic):
        self._sizes = dict(sizes)
        self._have: dict[str, int] = {}
        self._file = ""
        self._meter = TransferMeter(clock)
        self._meter.protocol, self._meter.phase = "http", "receive"

    def count(self, file: str, have: int, total: int | None) -> FetchProgress:
        """Count what has come of `file`; one that another follows is complete."""
        if self._file and file != self._file:
            self._set(self._file, self._sizes.get(self._file, self._have[self._file]))
        self._file = file
        if total is not None:
            self._sizes[file] = total
        self._meter.total = sum(self._sizes.values())
        self._set(file, have)
        return FetchProgress(file, have, total, self._meter.progress())

    def _set(self, file: str, have: int) -> None:
        if file not in self._have:  # of a broken attempt: it did not come now
            self._have[file] = have if have < self._sizes.get(file, 0) else 0
            self._meter.already_there += self._have[file]
        self._meter.add(have - self._have[file])
        self._have[file] = have


def find_weights(session: ServerSession, preset: str, set_name: str = "") -> WeightsState:
    """Look what a preset's weights lack on the server; one round trip.

    "auto" is v2Pro, or v2 where only v2's are there: what the engine would decide.
    """
    name = set_name or session.config.models.set
    folder = session.layout().pretrained / name
    result = session.connection().run(["find", "-L", str(folder), "-type", "f"])
    lines = result.out.decode("utf-8", "replace").split("\n")[:MAX_FILES_LISTED]
    names = {
        str(PurePosixPath(line).relative_to(folder))
        for line in lines
        if line.startswith(f"{folder}/")
    }
    version = preset
    if preset == "auto":
        version = (
            "v2" if lacking_files(names, PRO[0]) and not lacking_files(names, "v2") else PRO[0]
        )
    lacking = lacking_files(names, version)
    return WeightsState(
        name, version, tuple(file.name for file in lacking), sum(file.megabytes for file in lacking)
    )


def fetch_weights(
    session: ServerSession,
    version: str,
    *,
    report: Callable[[FetchProgress], None],
    cancel: threading.Event,
    set_name: str = "",
    sources: Sequence[str] = (),
    timeout: float = 4 * 3600.0,
) -> dict[str, Any]:
    """Let the server fetch what it lacks; the engine's own account of each file.

    sources: asked before those of deploy.toml and the public hubs. What has come stays, and the
    next call goes on from there. Problem when no source has a file, or the person cancelled.
    """
    asked = sources or session.config.models.sources
    options = [word for url in asked for word in ("--source", url)]
    name = set_name or session.config.models.set
    lacking = set(find_weights(session, version, name).missing)
    sizes = {f.name: f.megabytes * 1_000_000 for f in files_for(version) if f.name in lacking}
    command = ["get", "--set", name, "--version", version, *options]
    return _run_fetch(session, command, FetchMeter(sizes), report, cancel, timeout)


def lacking_models(
    session: ServerSession, models: Sequence[OptionalModel]
) -> tuple[OptionalModel, ...]:
    """Those of `models` that are not whole on the server; one round trip."""
    pretrained = session.layout().pretrained
    folders = [str(pretrained / model.folder) for model in models]
    result = session.connection().run(["find", "-L", *folders, "-type", "f"])
    names = set(result.out.decode("utf-8", "replace").split("\n")[:MAX_FILES_LISTED])
    return tuple(
        model
        for model in models
        if not {str(pretrained / model.folder / file) for file in model.files} <= names
    )


def fetch_models(
    session: ServerSession,
    models: Sequence[OptionalModel],
    *,
    report: Callable[[FetchProgress], None],
    cancel: threading.Event,
    sources: Sequence[str] = (),
    timeout: float = 4 * 3600.0,
) -> None:
    """Let the server fetch optional models, as `fetch_weights` does the weights."""
    asked = sources or session.config.models.sources
    options = [word for url in asked for word in ("--source", url)]
    names = ",".join(model.name for model in models)
    command = ["optional", "--with", names, *options]
    _run_fetch(session, command, FetchMeter({}), report, cancel, timeout)


def _run_fetch(
    session: ServerSession,
    arguments: Sequence[str],
    meter: FetchMeter,
    report: Callable[[FetchProgress], None],
    cancel: threading.Event,
    timeout: float,
) -> dict[str, Any]:
    layout, connection = session.layout(), session.connection()
    command = ["pretrained", *arguments, "--work", str(layout.work), "--json"]
    deadline = time.monotonic() + timeout
    with connection.open_stream(session.require_deployment().engine_argv(command)) as stream:
        stream.close_write()
        lines = JsonLines(stream, connection.name, max_bytes=MAX_ANSWER_BYTES)
        last: dict[str, Any] = {}
        while True:
            if cancel.is_set():
                raise Problem("remote.transfer.cancelled", ExitCode.INTERRUPTED)
            try:
                found = lines.next(time.monotonic() + _CANCEL_POLL_S)
            except TimeoutError:
                if time.monotonic() < deadline:
                    continue
                raise Problem(
                    "remote.connection.too_long",
                    ExitCode.UNREACHABLE,
                    server=connection.name,
                    command="engine pretrained get",
                    seconds=int(timeout),
                ) from None
            if found is None:
                break
            last = found
            if (have := int_field(found, "have")) is not None:
                report(meter.count(text_field(found, "file"), have, int_field(found, "total")))
        check_exit(stream, connection.name, last)
    return last
