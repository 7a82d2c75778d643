"""The phone table is part of the file format."""

from __future__ import annotations

import hashlib
import json

from text_vectors import FOLDER

from sovdeck.engine.text.symbols import SYMBOLS, phone_ids

SHA256 = "0771f6cd6f6201e8c2b0de921dc69cc04caf3f346c599d4a41413967d5674da7"


def test_table_is_upstreams() -> None:
    assert len(SYMBOLS) == 732
    assert hashlib.sha256("\n".join(SYMBOLS).encode()).hexdigest() == SHA256


def test_table_equals_the_reference() -> None:
    path = FOLDER / "symbols_v2.json"
    reference = json.loads(path.read_text(encoding="utf-8"))
    assert list(SYMBOLS) == reference["symbols"]
    assert reference["sha256_of_newline_joined_utf8"] == SHA256


def test_ids_are_rows_and_unknown_is_unk() -> None:
    assert phone_ids(["!", "_", "[", "Yz"]) == [0, SYMBOLS.index("_"), 322, 731]
    assert phone_ids(["nonsense", "#"]) == [SYMBOLS.index("UNK")] * 2
