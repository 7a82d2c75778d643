"""The pretrained set: fetched from a local server, resumed, verified, imported."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from interop_micro import command, micro
from micro_models import GPT_IN_FILES

from sovdeck.engine.commands import pretrained as pretrained_command
from sovdeck.engine.contract.http_download import DownloadError, download_file, redact_url, url_host
from sovdeck.engine.contract.pretrained_set import (
    HUBS,
    PRETRAINED_FILES,
    PRO,
    files_for,
    hub_urls,
    megabytes,
    missing_files,
    starting_file,
)
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.interop import pretrained
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder

NAMES = {file.name for file in files_for("v2")}


def nothing(*_: Any) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory, micro_gpt_state) -> Path:
    """A folder laid out as the hub's, with small stand-ins."""
    folder = tmp_path_factory.mktemp("hub")
    for file in PRETRAINED_FILES:
        path = folder / file.upstream
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.content_kind == "json":
            path.write_text('{"model_type": "x"}')
        elif file.content_kind == "encoder":
            torch.save({"weight": torch.zeros(3)}, path)
        elif file.content_kind == "generator":
            config = micro(file.versions[0])
            state = Synthesizer(config).state_dict()
            torch.save({"weight": state, "config": config.to_upstream()}, path)
        elif file.content_kind == "discriminator":
            config = micro(file.versions[0])
            judge = Discriminator(config).state_dict()
            torch.save({"weight": judge, "config": config.to_upstream()}, path)
        elif file.content_kind == "speaker":
            torch.save(SpeakerEncoder.random().model.state_dict(), path)
        elif file.content_kind == "gpt":
            named = {f"model.{n}": t for n, t in micro_gpt_state.items()}
            torch.save({"weight": named, "config": GPT_IN_FILES.to_upstream()}, path)
    return folder


class Hub:
    """A file server with byte ranges, ETags and faults to order."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: list[tuple[str, str | None]] = []
        self.break_after: int | None = None
        self.breaks = 0
        self.down_after_break = False
        self.ranges = True
        self.status: int | None = None
        self.promise: str | None = None
        self.redirect = ""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Tests are quiet."""

            def do_GET(self) -> None:  # noqa: N802
                hub.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        self.requests.append((to.path, to.headers.get("Range")))
        path = self.root / to.path.removeprefix("/moved").lstrip("/")
        if self.redirect:
            to.send_response(302)
            to.send_header("Location", self.redirect)
            to.end_headers()
            return
        if self.promise and not to.path.startswith("/moved"):
            to.send_response(302)
            to.send_header("Location", f"/moved{to.path}")
            to.send_header("X-Linked-Etag", f'"{self.promise}"')
            to.send_header("Content-Length", "0")
            to.end_headers()
            return
        if self.status or not path.is_file():
            to.send_error(self.status or 404)
            return
        body = path.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        start, asked = 0, to.headers.get("Range")
        if asked and self.ranges and to.headers.get("If-Range") == etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            to.send_response(206)
            to.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            to.send_response(200)
        to.send_header("ETag", etag)
        to.send_header("Content-Length", str(len(body) - start))
        to.end_headers()
        piece = body[start:]
        if self.break_after is not None and self.breaks > 0 and len(piece) > self.break_after:
            self.breaks -= 1
            self.status = 503 if self.down_after_break else None
            to.wfile.write(piece[: self.break_after])
            to.close_connection = True
            to.connection.close()
            return
        to.wfile.write(piece)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hub(upstream: Path) -> Iterator[Hub]:
    served = Hub(upstream)
    yield served
    served.close()


@pytest.fixture
def big(hub: Hub, tmp_path: Path) -> bytes:
    hub.root = tmp_path / "served"
    hub.root.mkdir()
    body = bytes(range(256)) * 4096  # 1 MiB
    (hub.root / "big.bin").write_bytes(body)
    return body


def test_a_broken_download_goes_on_where_it_stopped(hub, big, tmp_path) -> None:
    hub.break_after, hub.breaks = 300_000, 2
    seen: list[int] = []
    target = tmp_path / "out" / "big.bin"
    got = download_file(f"{hub.url}/big.bin", target, lambda have, _: seen.append(have), pause=0)
    assert target.read_bytes() == big and got.sha256 == hashlib.sha256(big).hexdigest()
    ranges = [asked for _, asked in hub.requests]
    assert ranges == [None, "bytes=300000-", "bytes=600000-"]
    assert seen[-1] == len(big)
    assert [path.name for path in target.parent.iterdir()] == ["big.bin"]


def test_a_later_call_goes_on_but_never_with_another_file(hub, big, tmp_path) -> None:
    target = tmp_path / "out" / "big.bin"
    hub.break_after, hub.breaks = 300_000, 1
    hub.down_after_break = True
    with pytest.raises(DownloadError, match="503"):
        download_file(f"{hub.url}/big.bin", target, nothing, attempts=1, pause=0)
    assert (target.parent / "big.bin.part").stat().st_size == 300_000
    assert not target.exists()
    changed = big[::-1]
    (hub.root / "big.bin").write_bytes(changed)
    hub.status = None
    download_file(f"{hub.url}/big.bin", target, nothing, pause=0)
    assert hub.requests[-1][1] == "bytes=300000-"
    assert target.read_bytes() == changed


def test_a_server_without_ranges_starts_over(hub, big, tmp_path) -> None:
    hub.ranges, hub.break_after, hub.breaks = False, 300_000, 1
    download_file(f"{hub.url}/big.bin", tmp_path / "big.bin", nothing, pause=0)
    assert (tmp_path / "big.bin").read_bytes() == big


def test_what_a_source_promises_is_held_against_it(hub, big, tmp_path) -> None:
    hub.promise = hashlib.sha256(big).hexdigest()
    got = download_file(f"{hub.url}/big.bin", tmp_path / "big.bin", nothing, pause=0)
    assert got.expected_sha256 == got.sha256 == hub.promise
    hub.promise = "0" * 64
    with pytest.raises(DownloadError, match="does not match the checksum"):
        download_file(f"{hub.url}/big.bin", tmp_path / "other.bin", nothing, pause=0)
    assert not (tmp_path / "other.bin").exists()
    assert not (tmp_path / "other.bin.part").exists()


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_cannot_leave_the_web(hub, big, tmp_path, where: str) -> None:
    hub.redirect = where
    with pytest.raises(DownloadError):
        download_file(f"{hub.url}/big.bin", tmp_path / "x", nothing, attempts=1, pause=0)
    assert list(tmp_path.glob("x*")) == []


def test_a_secret_in_an_address_is_neither_said_nor_kept(hub, tmp_path, monkeypatch) -> None:
    asked = f"{hub.url}?token=hunter2"
    monkeypatch.setattr(pretrained, "download_file", refuse)
    with pytest.raises(Problem) as caught:
        pretrained.download_pretrained(tmp_path, (asked,), version="v2", progress=nothing)
    assert "hunter2" not in caught.value.sentence() and hub.url in caught.value.sentence()
    assert "hunter2" not in redact_url("https://me:hunter2@h:8/x?token=hunter2")
    assert url_host("https://me:hunter2@h:8/x") == "h"
    for odd in ("https://[", "a folder", "", "file:///x"):
        assert url_host(odd) == odd


def refuse(*_: Any, **__: Any) -> None:
    raise DownloadError("no")


def test_the_hub_of_the_environment_is_asked_first(monkeypatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    assert hub_urls()[0].startswith("https://mirror.example/lj1995/") and len(hub_urls()) == 3
    monkeypatch.setenv("HF_ENDPOINT", HUBS[1])
    assert hub_urls()[0].startswith(HUBS[1]) and len(hub_urls()) == 2
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")
    assert [url.startswith(hub) for url, hub in zip(hub_urls(), HUBS, strict=True)] == [True, True]


def test_refusals_and_dead_servers_end_soon(hub, big, tmp_path) -> None:
    with pytest.raises(DownloadError, match="404"):
        download_file(f"{hub.url}/nothing", tmp_path / "x", nothing, pause=0)
    assert len(hub.requests) == 1
    hub.status = 503
    with pytest.raises(DownloadError, match="503"):
        download_file(f"{hub.url}/big.bin", tmp_path / "x", nothing, attempts=3, pause=0)
    assert len(hub.requests) == 4
    with pytest.raises(DownloadError, match="refused"):
        download_file("http://127.0.0.1:9/x", tmp_path / "x", nothing, attempts=2, pause=0)
    with pytest.raises(DownloadError, match="not an http address"):
        download_file("file:///etc/passwd", tmp_path / "x", nothing)


def test_the_whole_set_from_the_first_source_that_has_it(hub, tmp_path) -> None:
    folder = tmp_path / "pretrained" / "v2"
    sources = (str(tmp_path / "empty"), f"{hub.url}/wrong", hub.url)
    states = pretrained.download_pretrained(folder, sources, version="v2", progress=nothing)
    assert {s.name for s in states} == NAMES
    assert {s.state for s in states} == {"ok", "own"}
    assert [s.name for s in states if s.state == "own"] == ["s2G2333k.pth"]
    manifest = json.loads((folder / "manifest.json").read_text())["files"]
    assert set(manifest) == NAMES
    assert all(entry["source"] == hub.url for entry in manifest.values())
    asked = len(hub.requests)
    pretrained.download_pretrained(folder, sources, version="v2", progress=nothing)
    assert len(hub.requests) == asked, "nothing is fetched twice"
    (folder / "s2G2333k.pth").write_bytes(b"PK rubbish")
    assert {s.name: s.state for s in pretrained.verify_pretrained(folder, "v2")}[
        "s2G2333k.pth"
    ] == "damaged"
    pretrained.download_pretrained(folder, sources, version="v2", progress=nothing)
    assert {s.name: s.state for s in pretrained.verify_pretrained(folder, "v2")}[
        "s2G2333k.pth"
    ] == "own"


def test_the_official_base_is_known_by_its_head(upstream, tmp_path, monkeypatch) -> None:
    pretrained.import_pretrained(tmp_path, upstream)
    head = hashlib.md5((tmp_path / "s2G2333k.pth").read_bytes()[:8192]).hexdigest()
    monkeypatch.setitem(pretrained.OFFICIAL_BASES, head, "v2")
    assert {s.state for s in pretrained.verify_pretrained(tmp_path, "v2")} == {"ok"}


def test_offline_says_what_to_bring(tmp_path, capsys, monkeypatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("sovdeck.engine.contract.pretrained_set.HUBS", ("http://127.0.0.1:9",))
    monkeypatch.setattr("sovdeck.engine.contract.pretrained_set.ARCHIVE_URLS", ())
    monkeypatch.setattr("sovdeck.engine.contract.http_download.time.sleep", pauses.append)
    assert (
        command(
            pretrained_command,
            "get",
            "--version",
            "v2",
            "--work",
            str(tmp_path),
            "--source",
            str(tmp_path),
        )
        == 6
    )
    said = capsys.readouterr().err
    assert all(name in said for name in NAMES)
    assert "sovdeck models push" in said and "refused" in said
    assert len(pauses) == 2, "a silent source is not waited for once a file"


def test_an_archive_stands_in_where_no_hub_has_a_file(hub, upstream, tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in PRETRAINED_FILES:
            archive.write(upstream / file.upstream, f"pretrained_models/{file.upstream}")
    hub.root = tmp_path
    seen: list[str] = []
    states = pretrained.download_pretrained(
        tmp_path / "set",
        (f"{hub.url}/none", f"{hub.url}/gone.zip", f"{hub.url}/all.zip"),
        version="v2Pro",
        progress=lambda name, have, total: seen.append(name),
    )
    assert {state.state for state in states} <= {"ok", "own"}
    assert "archive.zip" in seen and not list(tmp_path.rglob("archive.zip*"))
    with pytest.raises(Problem) as caught:
        pretrained.download_pretrained(
            tmp_path / "other", (f"{hub.url}/gone.zip",), version="v2", progress=nothing
        )
    assert caught.value.key == "engine.pretrained.no_source"


@pytest.mark.parametrize("form", ["upstream", "flat", "zip"])
def test_import_takes_any_layout(form, upstream, tmp_path, capsys) -> None:
    source = upstream
    if form == "flat":
        source = tmp_path / "flat"
        for file in PRETRAINED_FILES:
            (source / file.name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(upstream / file.upstream, source / file.name)
    elif form == "zip":
        source = tmp_path / "pretrained_models.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for file in PRETRAINED_FILES:
                archive.write(upstream / file.upstream, f"pretrained_models/{file.upstream}")
            archive.writestr("../../evil.txt", "no")
    work = tmp_path / "work"
    assert command(pretrained_command, "import", str(source), "--work", str(work)) == 0
    assert {s.state for s in pretrained.verify_pretrained(work / "pretrained" / "v2", "v2")} == {
        "ok",
        "own",
    }
    for version in ("v2", *PRO):
        arguments = ("verify", "--version", version, "--work", str(work), "--json")
        assert command(pretrained_command, *arguments) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["whole"] is True
    assert not list(tmp_path.rglob("evil.txt"))


def test_import_refuses_what_is_not_what_its_name_says(upstream, tmp_path) -> None:
    bases = upstream / "gsv-v2final-pretrained"
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    shutil.copy(bases / "s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt", wrong / "s2G2333k.pth")
    with pytest.raises(Problem) as caught:
        pretrained.import_pretrained(tmp_path / "out", wrong)
    assert caught.value.key == "engine.pretrained.wrong_file"
    assert not (tmp_path / "out").exists()
    with pytest.raises(Problem) as caught:
        pretrained.import_pretrained(tmp_path / "out", tmp_path)
    assert caught.value.key == "engine.pretrained.nothing_found"
    assert pretrained.import_pretrained(tmp_path / "out", bases / "s2G2333k.pth") == [
        "s2G2333k.pth"
    ]


def test_verify_names_what_is_missing(tmp_path, capsys) -> None:
    assert command(pretrained_command, "verify", "--version", "v2", "--work", str(tmp_path)) == 3
    assert "s2D2333k.pth (missing)" in capsys.readouterr().err
    assert command(pretrained_command, "import", "--work", str(tmp_path)) == 2


@pytest.mark.parametrize("version", PRO)
def test_a_version_gets_its_own_files_and_no_others(version, hub, tmp_path, capsys) -> None:
    folder = tmp_path / "pretrained" / "v2"
    pretrained.download_pretrained(folder, (hub.url,), version="v2", progress=nothing)
    before = len(hub.requests)
    states = pretrained.download_pretrained(folder, (hub.url,), version=version, progress=nothing)
    fetched = {path.lstrip("/") for path, _ in hub.requests[before:]}
    assert fetched == {
        f"v2Pro/s2G{version}.pth",
        f"v2Pro/s2D{version}.pth",
        "s1v3.ckpt",
        "sv/pretrained_eres2netv2w24s4ep4.ckpt",
    }, "the encoders are shared with v2"
    assert {state.state for state in states} == {"ok", "own"}
    assert missing_files(folder, version) == [] == missing_files(folder, "v2")
    arguments = ("get", "--version", version, "--work", str(tmp_path))
    assert command(pretrained_command, *arguments) == 0
    assert f"{version} needs about {megabytes(version)} MB" in capsys.readouterr().out


def test_a_generator_of_another_version_is_not_taken(upstream, tmp_path) -> None:
    wrong = tmp_path / "wrong"
    (wrong / "v2Pro").mkdir(parents=True)
    source = upstream / "gsv-v2final-pretrained" / "s2G2333k.pth"
    shutil.copy(source, wrong / "v2Pro" / "s2Gv2Pro.pth")
    with pytest.raises(Problem, match="it is a v2 generator"):
        pretrained.import_pretrained(tmp_path / "out", wrong)


def test_each_version_starts_from_its_own_files(upstream, tmp_path) -> None:
    pretrained.import_pretrained(tmp_path, upstream)
    (tmp_path / "s2Gmine.pth").write_bytes(b"")
    for version in ("v2", *PRO):
        name = "s2G2333k.pth" if version == "v2" else f"v2Pro/s2G{version}.pth"
        assert starting_file(tmp_path, version, "generator") == tmp_path / name
    assert starting_file(tmp_path, "v2Pro", "gpt") == tmp_path / "s1v3.ckpt"
    (tmp_path / "s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt").unlink()
    (tmp_path / "s2G2333k.pth").unlink()
    assert starting_file(tmp_path, "v2", "gpt") is None, "s1v3.ckpt is v2Pro's"
    assert starting_file(tmp_path, "v2", "generator") == tmp_path / "s2Gmine.pth"
    (tmp_path / "sv" / "pretrained_eres2netv2w24s4ep4.ckpt").unlink()
    assert missing_files(tmp_path, "v2Pro") == ["sv/pretrained_eres2netv2w24s4ep4.ckpt"]
