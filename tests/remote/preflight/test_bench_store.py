"""Rows that are kept on the laptop: signed, bounded, and told apart when they were changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sovdeck.engine.contract.bench_row import BenchRow
from sovdeck.engine.contract.measured import Measurement
from sovdeck.remote.auth.signature import fits, sign
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.preflight.bench import BenchRows, KeptRow, shared_row

MACHINE = {"device": "RTX 4090", "device_kind": "cuda", "cpu": "X"}
ROW = BenchRow(1, "full", MACHINE, (), (Measurement("sovits", "v2", 4, 0.25),))


@pytest.fixture
def rows(tmp_path: Path) -> BenchRows:
    return BenchRows(AppPaths.below(tmp_path))


def test_a_kept_row_is_read_again_with_its_signature(rows: BenchRows, tmp_path: Path) -> None:
    assert rows.keep(ROW, "box").signed
    (kept,) = rows.read()
    assert kept.row == ROW and kept.signed and kept.server == "box"
    assert rows.measurements("RTX 4090", "elsewhere") == ROW.updates
    assert rows.measurements("T4", "box") == ()
    assert rows.measurements(None, "box") == ROW.updates  # no GPU: only the server itself
    shared_row(kept, tmp_path / "row.json")
    sent = KeptRow.parse((tmp_path / "row.json").read_bytes())
    assert sent is not None and sent.signed
    if os.name == "posix":  # it names the server
        assert (tmp_path / "data" / "bench.jsonl").stat().st_mode & 0o077 == 0


def test_a_changed_row_is_no_measurement(rows: BenchRows, tmp_path: Path) -> None:
    rows.keep(ROW, "box")
    file = tmp_path / "data" / "bench.jsonl"
    file.write_text(file.read_text().replace("0.25", "0.05"))
    (kept,) = rows.read()
    assert not kept.signed and rows.measurements("RTX 4090", "box") == ()


def test_lines_that_are_no_rows_are_passed_over(rows: BenchRows, tmp_path: Path) -> None:
    rows.keep(ROW, "box")
    with (tmp_path / "data" / "bench.jsonl").open("ab") as file:
        file.write(b"torn {\n[]\n" + json.dumps({"row": {"v": 1}}).encode() + b"\n\xff\n")
    assert len(list(rows.read())) == 1


def test_signatures_fit_only_what_was_signed(tmp_path: Path) -> None:
    public, signature = sign(b"data", tmp_path / "key")
    assert fits(b"data", public, signature) and not fits(b"other", public, signature)
    other, _ = sign(b"data", tmp_path / "second")
    assert not fits(b"data", other, signature)
    for broken in ("", "ssh-rsa AAAA", "ssh-ed25519 \u4e2d", "no key"):
        assert not fits(b"data", broken, signature)
    for broken in ("", "*", "AAAA", "\u4e2d"):
        assert not fits(b"data", public, broken)
