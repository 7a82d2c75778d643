"""The pretrained set is fetched to the laptop once, resumed, and held to the hub's own checksum."""

from __future__ import annotations

import hashlib
import io
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract import http_download, pretrained_set
from sovdeck.engine.contract.pretrained_set import files_for
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.voices import pretrained

FILES = files_for("v2")
NAMES = {file.name for file in FILES}
SIZE = 300_000
ARCHIVE = b""  # what an address that ends in .zip gives


def body_of(path: str) -> bytes:
    if path.endswith(".zip"):
        return ARCHIVE
    return (path.encode() * SIZE)[:SIZE]


@dataclass
class Hub:
    """A hub with every file, which says its SHA-256 as Hugging Face does."""

    url: str = ""
    status: int = 0
    promise: str = ""  # what it says in place of the true SHA-256
    break_after: int = 0  # bytes, once
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    one = Hub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:  # noqa: N802 - the library's name
            wanted = self.headers.get("Range")
            one.asked.append((self.path, wanted))
            if one.status:
                self.send_error(one.status)
                return
            body = body_of(self.path)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            digest = one.promise or hashlib.sha256(body).hexdigest()
            self.send_header("X-Linked-Etag", f'"{digest}"')
            self.send_header("ETag", f'"{self.path}"')
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            if one.break_after:
                body, one.break_after = body[: start + one.break_after], 0
            self.wfile.write(body[start:])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    one.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(pretrained_set, "HUBS", ("http://127.0.0.1:9",))
    monkeypatch.setattr(pretrained, "ARCHIVE_URLS", ())
    monkeypatch.setattr(http_download.time, "sleep", lambda seconds: None)
    yield one
    server.shutdown()
    server.server_close()
    thread.join()


def gather(hub: Hub, folder: Path, *sources: str, **options: Any) -> dict[str, Path]:
    given = {"report": lambda p: None, "cancel": threading.Event(), **options}
    return pretrained.fetch_pretrained(folder, sources or (hub.url,), version="v2", **given)


def test_each_file_is_fetched_once_and_told(hub: Hub, tmp_path: Path) -> None:
    phases: list[str] = []
    found = gather(hub, tmp_path, report=lambda p: phases.append(p.phase))
    assert set(found) == NAMES
    assert all(found[file.name].read_bytes() == body_of(f"/{file.upstream}") for file in FILES)
    assert phases[-1].startswith(f"receive {len(FILES)}/{len(FILES)} ")
    assert gather(hub, tmp_path) == found and len(hub.asked) == len(FILES)


@pytest.mark.parametrize("harm", ["rotten", "gone"])
def test_a_bad_copy_comes_again(hub: Hub, tmp_path: Path, harm: str) -> None:
    path = gather(hub, tmp_path)[FILES[0].name]
    good = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(b"y")
    gather(hub, tmp_path)
    assert len(hub.asked) == len(FILES) + 1 and path.read_bytes() == good


def test_torn_notes_cost_a_download_only(hub: Hub, tmp_path: Path) -> None:
    gather(hub, tmp_path)
    (tmp_path / pretrained.CHECKSUMS_FILE).write_text("[1", "utf-8")
    gather(hub, tmp_path)
    assert len(hub.asked) == 2 * len(FILES)


def test_a_broken_line_and_a_stopped_call_go_on_where_they_were(hub: Hub, tmp_path: Path) -> None:
    hub.break_after = 200_000
    stop = threading.Event()
    with pytest.raises(Problem) as caught:
        gather(hub, tmp_path, cancel=stop, report=lambda p: p.done == SIZE and stop.set())
    assert caught.value.exit_code is ExitCode.INTERRUPTED
    assert [asked for _, asked in hub.asked] == [None, "bytes=200000-", None]
    assert len(gather(hub, tmp_path)) == len(FILES)


def test_the_hubs_own_checksum_holds_at_the_first_download(hub: Hub, tmp_path: Path) -> None:
    hub.promise = "0" * 64
    with pytest.raises(Problem, match="does not match the checksum") as caught:
        gather(hub, tmp_path, hub.url)
    assert caught.value.exit_code is ExitCode.DATA and hub.url in caught.value.facts["url"]
    assert not any(path.is_file() for path in tmp_path.rglob("*.pth"))


def test_the_next_source_is_asked_and_a_silent_one_only_once(hub: Hub, tmp_path: Path) -> None:
    dead = "http://127.0.0.1:9/me"
    assert set(gather(hub, tmp_path, dead, hub.url)) == NAMES
    with pytest.raises(Problem) as caught:
        gather(hub, tmp_path / "other", dead)
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    hub.status = 403
    with pytest.raises(Problem) as caught:
        gather(hub, tmp_path / "other", f"{hub.url}?token=hunter2")
    assert "hunter2" not in caught.value.sentence() + repr(caught.value.facts)


def test_an_archive_is_taken_where_no_hub_has_the_files(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as zipped:
        for file in FILES:
            zipped.writestr(f"pretrained_models/{file.upstream}", file.name)
    monkeypatch.setattr(sys.modules[__name__], "ARCHIVE", made.getvalue())
    monkeypatch.setattr(pretrained, "ARCHIVE_URLS", (f"{hub.url}/pretrained_models.zip",))
    found = gather(hub, tmp_path, "http://127.0.0.1:9/me")
    assert {name: path.read_text() for name, path in found.items()} == {n: n for n in NAMES}
    assert len(hub.asked) == 1 and not (tmp_path / "archive.zip").exists()
    assert gather(hub, tmp_path, "http://127.0.0.1:9/me") == found and len(hub.asked) == 1


def test_two_relays_at_once_do_not_write_into_each_other(hub: Hub, tmp_path: Path) -> None:
    inside: list[Problem] = []

    def second(progress: Any) -> None:
        if not inside:
            with pytest.raises(Problem) as caught:
                gather(hub, tmp_path)
            inside.append(caught.value)

    assert set(gather(hub, tmp_path, report=second)) == NAMES
    assert inside[0].key == "remote.transfer.busy" and len(hub.asked) == len(FILES)
    assert not (tmp_path / pretrained.LOCK_FILE).exists()
