"""Download of one large file over HTTP, resumed where a broken attempt stopped.

Servers and the laptop that fetches for them share this; a hub's own SHA-256 is held against it.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.atomic_io import file_sha256, fsync_folder
from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.foreign_values import parse_whole_number

ProgressCallback = Callable[[int, int | None], None]  # bytes so far, bytes in all when known
_CHUNK_BYTES = 1 << 20


class DownloadError(Exception):
    """The source does not give the file; `why` is the reason, what a network says as it is."""

    def __init__(self, why: Text | str) -> None:
        self.why = Text(why, why) if isinstance(why, str) else why
        super().__init__(self.why.en)


class SourceUnreachableError(DownloadError):
    """The source did not answer at all, so that other files need not be requested from it."""


@dataclass(frozen=True)
class VerifiedDownload:
    """A complete file; `expected_sha256` is the digest its source had announced, if any."""

    bytes: int
    sha256: str
    expected_sha256: str | None


def download_file(
    url: str,
    target: Path,
    progress: ProgressCallback,
    *,
    sha256: str | None = None,
    attempts: int = 3,
    timeout: float = 20.0,
    pause: float = 1.0,
) -> VerifiedDownload:
    """Download `url` to `target` through `<target>.part`, which a later call continues.

    DownloadError when the source refuses, breaks off `attempts` times in a row without a byte
    gained (SourceUnreachableError when it never gave one), or sends other bytes than those of
    its checksum or of `sha256`. OSError when the disk is full. What `progress` raises ends the
    call; what came until then stays.
    """
    if not url.startswith(("http://", "https://")):
        raise DownloadError(f"{redact_url(url)} is not an http address")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    attempts_left, why, answered = attempts, "", False
    while attempts_left > 0:
        before = part.stat().st_size if part.exists() else 0
        try:
            expected_sha256 = _request_rest(url, part, progress, timeout)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise DownloadError(f"it answers {error.code} {error.reason}") from error
            why, answered = f"it answers {error.code} {error.reason}", True
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            why = str(getattr(error, "reason", error))
        gained = (part.stat().st_size if part.exists() else 0) > before
        answered = answered or gained
        attempts_left = attempts if gained else attempts_left - 1
        if attempts_left:
            time.sleep(pause)
    else:
        raise DownloadError(why) if answered else SourceUnreachableError(why)
    digest = file_sha256(part)
    if {expected_sha256, sha256} - {None, digest}:
        part.unlink()
        _etag_path(part).unlink(missing_ok=True)
        raise DownloadError("what came does not match the checksum it promised")
    size = part.stat().st_size
    part.replace(target)
    _etag_path(part).unlink(missing_ok=True)
    fsync_folder(target.parent)
    return VerifiedDownload(size, digest, expected_sha256)


def _request_rest(url: str, part: Path, progress: ProgressCallback, timeout: float) -> str | None:
    """One request for what is still missing of `part`; the SHA-256 the source announces."""
    redirects = _ChecksumRedirectHandler()
    opener = _build_opener(redirects)
    have, validator = part.stat().st_size if part.exists() else 0, _etag_path(part)
    headers = {"User-Agent": "sovdeck"}
    if have and validator.exists():
        headers["Range"] = f"bytes={have}-"
        # Another file under the same address comes whole, instead of being appended to this one.
        headers["If-Range"] = validator.read_text(encoding="utf-8")
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  scheme checked above
    try:
        with opener.open(request, timeout=timeout) as response:
            redirects.record_checksum(response.headers)
            continued = response.status == 206 and _range_starts_at(response.headers, have)
            total = _content_length(response.headers)
            if continued:
                total = None if total is None else total + have
            else:
                have = 0
                _save_etag(validator, response.headers)
            _copy_body(response, part, have, total, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is missing, or the file has changed
            part.unlink()
        raise
    return redirects.expected_sha256


def _copy_body(
    response: Any, part: Path, have: int, total: int | None, progress: ProgressCallback
) -> None:
    with part.open("ab" if have else "wb") as file:
        while piece := response.read1(_CHUNK_BYTES):  # what is there now, so that a slow line tells
            file.write(piece)
            have += len(piece)
            progress(have, total)
    if total is not None and have != total:
        raise ConnectionError(f"it broke off at {have} of {total} bytes")


def url_host(url: str) -> str:
    """The host of a URL, without user and password; all of a text that is none."""
    try:
        return urllib.parse.urlsplit(url).hostname or url
    except ValueError:
        return url


def redact_url(url: str) -> str:
    """A URL without user, password and query: those may hold a secret."""
    try:
        parts = urllib.parse.urlsplit(url)
        place = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "?"
    return urllib.parse.urlunsplit((parts.scheme, place, parts.path, "", ""))


def _build_opener(redirects: urllib.request.HTTPRedirectHandler) -> urllib.request.OpenerDirector:
    """HTTP and HTTPS only, also after a redirect: never file: or ftp:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        redirects,
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


class _ChecksumRedirectHandler(urllib.request.HTTPRedirectHandler):
    """Keeps the SHA-256 in the header of the answer by which a hub redirects to its store."""

    expected_sha256: str | None = None

    def record_checksum(self, headers: HTTPMessage) -> None:
        etag = (headers.get("X-Linked-Etag") or "").strip('"')
        if len(etag) == 64 and all(char in "0123456789abcdef" for char in etag):
            self.expected_sha256 = etag

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Any:
        self.record_checksum(headers)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _range_starts_at(headers: HTTPMessage, have: int) -> bool:
    return (headers.get("Content-Range") or "").startswith(f"bytes {have}-")


def _content_length(headers: HTTPMessage) -> int | None:
    return parse_whole_number(headers.get("Content-Length"))


def _etag_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _save_etag(validator: Path, headers: HTTPMessage) -> None:
    etag = headers.get("ETag") or headers.get("Last-Modified")
    if etag and not etag.startswith("W/"):  # a weak tag does not guarantee equal bytes
        validator.write_text(etag, encoding="utf-8")
    else:
        validator.unlink(missing_ok=True)
