"""Downloading one large file over HTTP, going on where a broken attempt stopped."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any

from engine.runtime.durable import fsync_folder, sha256

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all when known
_PIECE = 1 << 20


class FetchFailed(Exception):  # noqa: N818  the word says what happened
    """The source does not give the file; the message says why."""


class Unreachable(FetchFailed):
    """The source did not answer at all: other files need not be asked of it."""


@dataclass(frozen=True)
class Fetched:
    """A whole file. `promised` is the SHA-256 its source had named, where it named one."""

    bytes: int
    sha256: str
    promised: str | None


def fetch(
    url: str,
    target: Path,
    progress: Progress,
    *,
    attempts: int = 3,
    timeout: float = 20.0,
    pause: float = 1.0,
) -> Fetched:
    """Download `url` to `target` through `<target>.part`, which a later call continues.

    FetchFailed when the source refuses, breaks off `attempts` times in a row without a byte
    gained (Unreachable when it never gave one), or sends other bytes than it promised. OSError
    when the disk is full.
    """
    if not url.startswith(("http://", "https://")):
        raise FetchFailed(f"{url} is not an http address")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    left, why, answered = attempts, "", False
    while left > 0:
        before = part.stat().st_size if part.exists() else 0
        try:
            promised = _receive(url, part, progress, timeout)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise FetchFailed(f"it answers {error.code} {error.reason}") from error
            why, answered = f"it answers {error.code} {error.reason}", True
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            why = str(getattr(error, "reason", error))
        gained = (part.stat().st_size if part.exists() else 0) > before
        answered = answered or gained
        left = attempts if gained else left - 1
        if left:
            time.sleep(pause)
    else:
        raise FetchFailed(why) if answered else Unreachable(why)
    digest = sha256(part)
    if promised is not None and promised != digest:
        part.unlink()
        raise FetchFailed("what came does not match the checksum it promised")
    size = part.stat().st_size
    part.replace(target)
    _validator(part).unlink(missing_ok=True)
    fsync_folder(target.parent)
    return Fetched(size, digest, promised)


def _receive(url: str, part: Path, progress: Progress, timeout: float) -> str | None:
    """One request for what is still missing of `part`; the SHA-256 the source promises."""
    watcher = _Watcher()
    opener = urllib.request.build_opener(watcher)
    have, validator = part.stat().st_size if part.exists() else 0, _validator(part)
    headers = {"User-Agent": "sovdeck"}
    if have and validator.exists():
        headers["Range"] = f"bytes={have}-"
        # Another file under the same address comes whole, instead of being glued to this one.
        headers["If-Range"] = validator.read_text(encoding="utf-8")
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  scheme checked above
    try:
        with opener.open(request, timeout=timeout) as response:
            watcher.see(response.headers)
            continued = response.status == 206 and _starts_at(response.headers, have)
            total = _length(response.headers)
            if continued:
                total = None if total is None else total + have
            else:
                have = 0
                _remember(validator, response.headers)
            _copy(response, part, have, total, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is missing, or the file has changed
            part.unlink()
        raise
    return watcher.promised


def _copy(response: IO[bytes], part: Path, have: int, total: int | None, tell: Progress) -> None:
    with part.open("ab" if have else "wb") as file:
        while piece := response.read(_PIECE):
            file.write(piece)
            have += len(piece)
            tell(have, total)
    if total is not None and have != total:
        raise ConnectionError(f"it broke off at {have} of {total} bytes")


class _Watcher(urllib.request.HTTPRedirectHandler):
    """Keeps the SHA-256 that a hub names in the answer that redirects to its store."""

    promised: str | None = None

    def see(self, headers: HTTPMessage) -> None:
        etag = (headers.get("X-Linked-Etag") or "").strip('"')
        if len(etag) == 64 and all(char in "0123456789abcdef" for char in etag):
            self.promised = etag

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Any:
        self.see(headers)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _starts_at(headers: HTTPMessage, have: int) -> bool:
    return (headers.get("Content-Range") or "").startswith(f"bytes {have}-")


def _length(headers: HTTPMessage) -> int | None:
    length = headers.get("Content-Length") or ""
    return int(length) if length.isdigit() else None


def _validator(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _remember(validator: Path, headers: HTTPMessage) -> None:
    etag = headers.get("ETag") or headers.get("Last-Modified")
    if etag and not etag.startswith("W/"):  # a weak tag promises no equal bytes
        validator.write_text(etag, encoding="utf-8")
    else:
        validator.unlink(missing_ok=True)
