"""Readers of files: of the laptop, of other programs, of the web."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import screens
from beside_weights import SAMPLES, read_beside_weights
from reading import SCRATCH, Parser, scratch_file, show

from sovdeck.engine.contract.bench_row import BenchRow, Figure
from sovdeck.engine.contract.book.read_book import read_book
from sovdeck.engine.contract.dataset.items import read_dataset_list
from sovdeck.engine.contract.dataset.measure import measure_wav
from sovdeck.engine.contract.measured import Measurement
from sovdeck.engine.contract.plan import PlanClip, PlanDevice, make_plan
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.config.load import examine_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.hosts.certificates import parse_certificate
from sovdeck.remote.hosts.known_hosts import parse_known_hosts
from sovdeck.remote.hosts.spec import parse_ssh_line
from sovdeck.remote.hosts.ssh_config import resolve_host_spec
from sovdeck.remote.preflight.bench import KeptRow
from sovdeck.remote.rent.leases import _format as _format_lease
from sovdeck.remote.rent.leases import _parse as _parse_lease
from sovdeck.remote.rent.leases import new_lease
from sovdeck.remote.rent.provider import Offer
from sovdeck.remote.rent.rental import LookedAtLease
from sovdeck.remote.rent.rented_voice import RentedVoice
from sovdeck.remote.servers.machine_id import _parse_records
from sovdeck.remote.transfer.core.part_journal import read_journal
from sovdeck.remote.voices import unpack
from sovdeck.remote.voices.download_index import FILE, DownloadIndex
from sovdeck.tui.cli.commands.bench import print_row
from sovdeck.tui.services.live.rentals import _lease_row
from sovdeck.tui.shell.settings import load_settings

# Of a host, signed by an authority that was made for it.
_CERTIFICATE = (
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIBY6COSL8noulBO8d53boimgDqrkjPZD2quelzy1"
    "4W59AAAAIJBIiNI6Me92s1iIu/5GgVQw4kIZPzn2/FJPR8GdIMmJAAAAAAAAAAAAAAACAAAAA2JveAAAAA8AAAALYm94"
    "LmV4YW1wbGUAAAAAXgvhAAAAAACDqn6AAAAAAAAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACCL8M183ksKv+Te"
    "dNbFMkfjCjpQp0BQ26wDflXqDewZhgAAAFMAAAALc3NoLWVkMjU1MTkAAABAUbM8iAUzf8h9kSQO64XnVQE03/SjRDo3"
    "Lz69qI85ZFQuct3axvjJP1qsuAdPmXwOYMtzO0YsU/39b9TtdDDCDg=="
)

CLIPS = (PlanClip(5.0, 50),) * 20


def read_bench(data: bytes) -> object:
    """A measured row, to its table and to the times of a plan."""
    kept = KeptRow.parse(data)
    if kept is None:
        return None
    show(partial(print_row, kept))
    for preset, gpu in (("v2", "NVIDIA L4"), ("tiny", None)):
        device = PlanDevice(gpu, 24 << 30 if gpu else 0, 8, measured=kept.row.measurements)
        make_plan(RunSpec("r1", "Mei", preset), CLIPS, device).format_lines("zh")
    return kept.row.figures and kept.row.updates


def read_story(suffix: str) -> Callable[[bytes], object]:
    """A reader of a book that a person chose, to its sentences."""

    def read(data: bytes) -> object:
        book = read_book(scratch_file(f"story.{suffix}", data))
        return [sentence for chapter in book.chapters for sentence in chapter.sentences]

    return read


_MARKDOWN = b"# Storm\n\n## One\n\nIt rained. *Hard.*\n\n- a\n- b\n\n[x](http://y)\n"
_SRT = (
    b"1\n00:00:01,000 --> 00:00:02,500\n<i>It rained.</i>\n\n"
    b"2\n00:00:03,000 --> 00:00:04,000\nHard.\n"
)

_EPUB = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": '<container><rootfiles><rootfile full-path="o/b.opf"/></rootfiles></container>',
    "o/b.opf": "<package><metadata><title>Storm</title></metadata><manifest>"
    '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="n" href="n.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    '</manifest><spine><itemref idref="a"/></spine></package>',
    "o/n.xhtml": '<html><nav><ol><li><a href="a.xhtml">One</a></li></ol></nav></html>',
    "o/a.xhtml": "<html><head><title>x</title></head><body><h1>One</h1><p>It rained.</p></body></html>",
}


def read_epub_parts(data: bytes) -> object:
    """A sound archive of documents that are none: `data` is one after another, zeros between."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, document in zip(_EPUB, data.split(b"\0"), strict=False):
            archive.writestr(name, document)
    return read_story("epub")(whole.getvalue())


def read_zip(data: bytes) -> object:
    """An archive of a server, unpacked."""
    target = SCRATCH / "voice"
    try:
        unpack.extract(scratch_file("voice.zip", data), target, replace=True)
        return list(target.iterdir())
    finally:
        stray = [one.name for one in SCRATCH.parent.glob("evil*")]
        assert not stray, stray


def _zip() -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a/b.txt"), b"hello" * 9)
        promised = hashlib.sha256(b"hello" * 9).hexdigest()
        manifest = {"files": [{"path": "a/b.txt", "sha256": promised}]}
        archive.writestr(zipfile.ZipInfo("manifest.json"), json.dumps(manifest))
    return whole.getvalue()


def read_config(data: bytes) -> object:
    """A deploy.toml: every fault is a sentence with its place."""
    path = scratch_file("deploy.toml", data)
    examined = examine_config(path, AppPaths.below(SCRATCH))
    assert all(examined.issues)
    return not examined.issues


def read_index(data: bytes) -> object:
    """The index of verified downloads; a torn one costs time only."""
    scratch_file(FILE, data)
    scratch_file("x", b"1")
    return DownloadIndex(SCRATCH).verified_on("box")


def read_host(data: bytes) -> object:
    """A pasted ssh line, with a configuration file that has everything in it."""
    text, found = data.decode("utf-8", "replace"), []
    for read in (
        lambda: parse_ssh_line(text),
        lambda: resolve_host_spec("ssh box", [scratch_file("config", data)]),
    ):
        try:
            found.append(read())
        except Problem as problem:
            problem.sentence()
    return found


def read_lease(data: bytes) -> object:
    """A line of the file of leases, to what the Rent screen says of it."""
    lease = _parse_lease(data.decode("utf-8", "replace"))
    if lease is not None:
        row = _lease_row(LookedAtLease(lease, None), None)
        screens.show_lease(row)
    return lease


def _lease() -> bytes:
    rented = RentedVoice("Mei", Path("/v/Mei.list"), Path("/v"), "v2", {"gpt.epochs": 5})
    offer = Offer("vast", "RTX 4090", 24.0, 0.4, "USD")
    return _format_lease(new_lease(offer, rented, 1_700_000_000.0, 12.0, "stop")).encode()


def _bench_row() -> bytes:
    machine = {
        "device": "NVIDIA L4",
        "device_kind": "cuda",
        "cpu": "X",
        "torch": "2.11",
        "cores": 8,
    }
    figures = (
        Figure("tokens", 300.0, "tokens_s", "batch 1"),
        Figure("decode", 20.0, "times_real", "v2"),
        Figure("peak_memory", 9e9, "bytes", "v2"),
    )
    updates = (Measurement("gpt", "v2", 4, 0.2), Measurement("sovits", "v2", 4, 0.5))
    row = BenchRow(1_700_000_000, "full", machine, figures, updates)
    return json.dumps(KeptRow(row, "box", "p", "s").as_json()).encode()


def read_settings(data: bytes) -> object:
    """The dashboard's settings."""
    loaded = load_settings(scratch_file("settings.toml", data))
    return loaded.keys and loaded.recipes and loaded.tables


def read_dataset(data: bytes) -> object:
    """A list of recordings, two of which are there."""
    for name in ("a.wav", "b.wav"):
        scratch_file(name, b"RIFF")
    return read_dataset_list(scratch_file("Mei.list", data)).items


def read_text_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """A reader of a whole file."""
    return lambda data: read(scratch_file(name, data))


FILE_PARSERS = (
    Parser(
        "files beside weights",
        SAMPLES,
        lambda data: read_beside_weights(SCRATCH / "work", data),
    ),
    Parser("archives", (_zip(),), read_zip),
    Parser(
        "deploy.toml",
        (
            b'version = 1\n[paths]\nwork = "/w"\n[servers.box]\nssh = "ssh -p 22 root@h"\nprice_per_hour = 1.5\n'
            b'[train]\nvoice = "Mei"\n[train.params]\n"gpt.epochs" = 5\n[notify]\nbell = true\n'
            b'[autostop]\nidle = "30m"\n[pull]\nauto = "best"\n',
        ),
        read_config,
    ),
    Parser(
        "settings",
        (
            b'theme = "sovdeck-dark"\nsmoothing = 0.5\n[keys]\n"app.quit" = "ctrl+q"\n'
            b'[recipes.a]\n"gpt.epochs" = 5\n[tables.servers]\nsort = "name"\n',
        ),
        read_settings,
    ),
    Parser(
        "verified index",
        (
            b'{"v": 1, "files": [{"server": "box", "path": "p", "version": "v", "bytes": 1,'
            b' "sha256": "s", "local": "x"}]}',
        ),
        read_index,
    ),
    Parser(
        "part journals",
        (b'{"v": 1, "path": "p", "size": 100, "mtime": 5}\n0 50;\nsha256 ' + b"0" * 64 + b";",),
        read_text_file(read_journal, "journal"),
    ),
    Parser(
        "ssh lines and files",
        (
            b"ssh -p 40022 -i ~/.ssh/k -J a@b:22 root@[2001:db8::1%eth0]",
            b"Host box\n  HostName h\n  Port 22\n  User me\n  IdentityFile ~/.ssh/%h\n"
            b"Match user me\n  ProxyJump a@b\nInclude other\n",
        ),
        read_host,
    ),
    Parser(
        "known hosts",
        (
            b"[h]:22 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA comment\n|1|c2FsdA==|aGFzaA== ssh-rsa AAAA\n"
            b"@revoked * ssh-rsa AAAA\n",
        ),
        lambda data: parse_known_hosts(data.decode("utf-8", "replace")),
    ),
    Parser(
        "certificates",
        (base64.b64decode(_CERTIFICATE),),
        parse_certificate,
    ),
    Parser(
        "dataset lists",
        ("\ufeffa.wav|Mei|zh|早上好\nwavs\\b.wav|Mei|JP|おはよう\n".encode(),),
        read_dataset,
    ),
    Parser(
        "sound files",
        (
            b"RIFF\x34\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0"
            b"data\x10\0\0\0" + bytes(range(16)),
        ),
        read_text_file(measure_wav, "a.wav"),
    ),
    Parser("leases", (_lease(),), read_lease),
    Parser("bench rows", (_bench_row(),), read_bench),
    Parser("stories", ("第一章\n\n早上好。\n\n第二章\n\n再见。\n".encode(),), read_story("txt")),
    Parser("pages", (_MARKDOWN,), read_story("md")),
    Parser("subtitles", (_SRT,), read_story("srt")),
    Parser("web subtitles", (b"WEBVTT\n\n" + _SRT.replace(b",", b"."),), read_story("vtt")),
    Parser("epubs", (b"\0".join(map(str.encode, _EPUB.values())),), read_epub_parts),
    Parser(
        "machine ids",
        (b'{"box": ["id", "h"], "lab": ["other", "h2"]}',),
        lambda data: _parse_records(data.decode("utf-8", "replace")),
    ),
)
