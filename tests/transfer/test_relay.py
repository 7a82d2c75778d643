"""Files from the web come whole, resume where they broke, and are what they should be."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pipe_server import QUICK

from engine.contract.problem import ExitCode, Problem
from remote.transfer.relay import Fetched, fetch

MIB = 1 << 20


@dataclass
class Web:
    """A web server with one file and chosen manners."""

    data: bytes
    etag: str = '"1"'
    ranges: bool = True
    status: int = 0
    redirect: str = ""
    breaks: list[int] = field(default_factory=list)  # close after so many bytes, once each
    sent: int = 0
    asked: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def web() -> Iterator[Web]:
    one = Web(random.Random(3).randbytes(3 * MIB + 5))

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:  # noqa: N802 - the library's name
            wanted = self.headers.get("Range")
            one.asked.append(wanted or "")
            if one.status or one.redirect:
                self.send_response(one.status or 302)
                if one.redirect:
                    self.send_header("Location", one.redirect)
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and one.ranges else 0
            if start >= len(one.data) > 0:
                self.send_response(416)
                self.end_headers()
                return
            body = one.data[start:]
            self.send_response(206 if wanted and one.ranges else 200)
            if wanted and one.ranges:
                last = len(one.data) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(one.data)}")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", one.etag)
            self.end_headers()
            if one.breaks:
                body = body[: one.breaks.pop(0)]
            one.sent += len(body)
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    one.url = f"http://127.0.0.1:{server.server_port}/model.bin"
    yield one
    server.shutdown()
    server.server_close()
    thread.join()


def get(web: Web, folder: Path, *urls: str, **options: Any) -> Fetched:
    options = {
        "sha256": hashlib.sha256(web.data).hexdigest(), "report": lambda p: None,
        "cancel": threading.Event(), "tuning": QUICK, **options,
    }  # fmt: skip
    return fetch(urls or (web.url,), folder / "model.bin", **options)


@pytest.mark.parametrize("size", [0, 1, 3 * MIB])
def test_a_file_comes_whole_and_once(web: Web, laptop: Path, size: int) -> None:
    web.data = web.data[:size]
    done = get(web, laptop)
    assert done.path.read_bytes() == web.data and done.bytes == size
    assert get(web, laptop).resumed_bytes == size and len(web.asked) == 1
    assert [p.name for p in laptop.iterdir()] == ["model.bin"]


def test_a_broken_download_goes_on(web: Web, laptop: Path) -> None:
    web.breaks = [MIB, MIB // 2, 0, 100]
    assert get(web, laptop).path.read_bytes() == web.data
    assert web.sent == len(web.data)  # nothing came twice


def test_a_stopped_download_goes_on_in_the_next_call(web: Web, laptop: Path) -> None:
    stop = threading.Event()
    with pytest.raises(Problem) as caught:
        get(web, laptop, cancel=stop, report=lambda p: stop.set() if p.done > 2 * MIB else None)
    assert caught.value.exit_code is ExitCode.INTERRUPTED
    done = get(web, laptop)
    assert done.resumed_bytes >= 2 * MIB and done.path.read_bytes() == web.data


def test_a_source_without_ranges_starts_again(web: Web, laptop: Path) -> None:
    web.ranges = False
    web.breaks = [MIB]
    assert get(web, laptop).path.read_bytes() == web.data


def test_another_file_at_the_source_is_not_mixed_in(web: Web, laptop: Path) -> None:
    stop = threading.Event()
    with pytest.raises(Problem):
        get(web, laptop, cancel=stop, report=lambda p: stop.set() if p.done > MIB else None)
    web.data, web.etag = random.Random(4).randbytes(len(web.data)), '"2"'
    assert get(web, laptop, sha256=None).path.read_bytes() == web.data


def test_a_wrong_file_is_refused_and_the_next_source_asked(web: Web, laptop: Path) -> None:
    with pytest.raises(Problem) as caught:
        get(web, laptop, sha256="0" * 64)
    assert caught.value.key == "remote.transfer.wrong_file"
    assert list(laptop.iterdir()) == []
    nowhere = "http://127.0.0.1:9/model.bin"
    assert get(web, laptop, nowhere, web.url).url == web.url


@pytest.mark.parametrize(("status", "code"), [(404, ExitCode.DATA), (503, ExitCode.UNREACHABLE)])
def test_a_source_that_says_no(web: Web, laptop: Path, status: int, code: ExitCode) -> None:
    web.status = status
    with pytest.raises(Problem) as caught:
        get(web, laptop)
    assert caught.value.exit_code is code


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_cannot_leave_the_web(web: Web, laptop: Path, where: str) -> None:
    web.redirect = where
    with pytest.raises(Problem):
        get(web, laptop)
    with pytest.raises(Problem) as caught:
        get(web, laptop, where)
    assert caught.value.key == "remote.transfer.bad_url"
    assert list(laptop.glob("model.bin")) == []


def test_a_secret_in_the_address_is_not_shown(web: Web, laptop: Path) -> None:
    web.status = 403
    secret = web.url.replace("://", "://me:hunter2@") + "?token=hunter2"
    with pytest.raises(Problem) as caught:
        get(web, laptop, secret)
    assert "hunter2" not in caught.value.sentence() + repr(caught.value.facts)
