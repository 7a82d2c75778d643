"""A file from the web, fetched once on the laptop and pushed to servers that cannot reach it.

Resumable HTTP with ranges; a file whose SHA-256 is known is taken only when it is that.
"""

from __future__ import annotations

import hashlib
import http.client
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from engine.contract.problem import ExitCode, Problem
from remote.transfer.bandwidth import Cap
from remote.transfer.channel import cut
from remote.transfer.journal import Identity
from remote.transfer.part_file import PartFile, disk_errors
from remote.transfer.patience import cancelled, patiently
from remote.transfer.prefix_hash import file_digest
from remote.transfer.progress import Meter, Report
from remote.transfer.ranges import RangeSet
from remote.transfer.tuning import Tuning

CHUNK = 256 << 10
TIMEOUT = 20.0  # seconds without a byte


@dataclass(frozen=True)
class Fetched:
    """A file that is here. `url` is the source it came from; `seconds` in all."""

    path: Path
    bytes: int
    sha256: str
    url: str
    resumed_bytes: int
    seconds: float


@dataclass(frozen=True)
class _Answer:
    """An open response that begins at byte `start` of a file of `size` bytes."""

    response: http.client.HTTPResponse
    start: int
    identity: Identity


def fetch(
    urls: Sequence[str],
    final: Path,
    *,
    sha256: str | None,
    report: Report,
    cancel: threading.Event,
    bandwidth: float | None = None,
    tuning: Tuning | None = None,
) -> Fetched:
    """Fetch a file from the first of `urls` that has it; whole or absent, resumed where it broke.

    Without `sha256` the bytes are only as good as the line and the source. Raises the Problem of
    the last source.
    """
    one = _Fetch(final, sha256, report, cancel, tuning or Tuning(), Cap(bandwidth))
    began = monotonic()
    if sha256 and final.is_file() and file_digest(final) == sha256:
        size = final.stat().st_size
        return Fetched(final, size, sha256, urls[0], size, monotonic() - began)
    with disk_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
    for url in urls[:-1]:
        try:
            return one.run(url, began)
        except Problem as problem:
            if problem.exit_code not in (ExitCode.UNREACHABLE, ExitCode.DATA):
                raise  # a stop or this computer's disk: another source would not help
    return one.run(urls[-1], began)


class _Fetch:
    """The state of one call of `fetch`."""

    def __init__(
        self, final: Path, sha256: str | None, report: Report, cancel: threading.Event,
        tuning: Tuning, cap: Cap,
    ) -> None:  # fmt: skip
        self._final = final
        self._sha256 = sha256
        self._report = report
        self._cancel = cancel
        self._tuning = tuning
        self._cap = cap
        self._meter = Meter()
        self._meter.way = "http"
        self._moved_at = monotonic()

    def run(self, url: str, began: float) -> Fetched:
        part = PartFile(self._final, self._tuning.journal_every)
        try:
            resumed = self._whole(url, part)
            self._meter.phase = "verify"
            self._report(self._meter.progress())
            with disk_errors(part.path):
                digest = file_digest(part.path)
            if self._sha256 and digest != self._sha256:
                part.discard()
                raise Problem(
                    "remote.transfer.wrong_file", ExitCode.DATA, url=_shown(url),
                    got=digest[:12], want=self._sha256[:12],
                )  # fmt: skip
            part.finish()
            size = part.identity.size
            return Fetched(self._final, size, digest, url, resumed, monotonic() - began)
        finally:
            part.close()

    def _whole(self, url: str, part: PartFile) -> int:
        """Receive until every byte is in the part file; returns how many were there before."""
        resumed: list[int] = []

        def once() -> None:
            answer = self._open(url, part)
            with answer.response:
                if not resumed:
                    resumed.append(answer.start)
                    self._meter.held, self._meter.total = answer.start, answer.identity.size
                self._copy(answer, part)

        # `patiently` gives up by time since its start; every byte that came starts it anew.
        while True:
            before = self._meter.moved
            limit = self._tuning.give_up if resumed else self._tuning.first_contact
            try:
                patiently(once, self._tuning, self._cancel, self._meter, limit=limit)
                return resumed[0]
            except Problem as problem:
                moved = self._meter.moved > before
                if problem.exit_code is not ExitCode.UNREACHABLE or not moved:
                    raise

    def _open(self, url: str, part: PartFile) -> _Answer:
        """Ask for what is missing; begin anew when the source has another file than before."""
        record = part.earlier()
        start = record.ranges.prefix() if record else 0
        if record is not None and start == record.identity.size > 0:
            start -= 1  # a range must not be empty; this last byte says that it is still the same
        answer = self._request(url, start)
        same = record is not None and answer.identity == record.identity
        if start and not (same and answer.start == start):
            answer.response.close()
            answer = self._request(url, 0)
            same = False
        kept = record.ranges if record is not None and same and answer.start else RangeSet()
        part.begin(answer.identity, kept, None)
        return answer

    def _request(self, url: str, start: int) -> _Answer:
        scheme = urllib.parse.urlsplit(url).scheme
        if scheme not in ("http", "https"):
            raise Problem("remote.transfer.bad_url", ExitCode.CONFIG, url=_shown(url))
        request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})  # noqa: S310
        if start:
            request.add_header("Range", f"bytes={start}-")
        try:
            response = _opener().open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # the file there is shorter now
                return self._request(url, 0)
            if error.code >= 500 or error.code in (408, 429):
                raise cut() from error
            raise Problem(
                "remote.transfer.no_source",
                ExitCode.DATA,
                url=_shown(url),
                why=f"HTTP {error.code}",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise cut() from error
        return _answer(url, response)

    def _copy(self, answer: _Answer, part: PartFile) -> None:
        self._meter.phase = "receive"
        at = answer.start
        while at < answer.identity.size:
            if self._cancel.is_set():
                raise cancelled()
            try:
                data = answer.response.read(min(CHUNK, answer.identity.size - at))
            except (OSError, http.client.HTTPException) as error:
                raise cut() from error
            if not data:
                raise cut()
            part.write(at, memoryview(data))
            part.finished(at, at + len(data))
            at += len(data)
            self._meter.add(len(data))
            self._report(self._meter.progress())
            self._cancel.wait(self._cap.delay(len(data)))


def _answer(url: str, response: http.client.HTTPResponse) -> _Answer:
    """Where the body begins and which file it is, by size and the source's own mark of it."""
    headers = response.headers
    start, size = 0, headers.get("Content-Length")
    if response.status == 206:
        # bytes 100-999/1000
        unit, _, rest = headers.get("Content-Range", "").partition(" ")
        first, _, size = rest.replace("-", "/", 1).partition("/")
        size = size.rpartition("/")[2]
        start = int(first) if unit == "bytes" and first.isdecimal() else -1
    if size is None or not size.isdecimal() or start < 0:
        response.close()
        raise Problem(
            "remote.transfer.no_source", ExitCode.DATA, url=_shown(url), why="no Content-Length"
        )
    mark = headers.get("ETag") or headers.get("Last-Modified") or ""
    number = int(hashlib.sha256(mark.encode()).hexdigest()[:12], 16)
    return _Answer(response, start, Identity(_shown(url), int(size), number))


def _opener() -> urllib.request.OpenerDirector:
    """HTTP and HTTPS only, also after a redirect: never file: or ftp:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(), urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):  # fmt: skip
        opener.add_handler(handler)
    return opener


def _shown(url: str) -> str:
    """A URL without user, password and query: those may hold a secret."""
    try:
        parts = urllib.parse.urlsplit(url)
        place = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "?"
    return urllib.parse.urlunsplit((parts.scheme, place, parts.path, "", ""))
