"""The one catalogue of sentences, English and Chinese side by side.

A key has three parts, `package.file.entry`: `remote.host.bad_port` is entry `bad_port` of
`remote/words/host.json`. An entry is

    {"en": "...", "zh": "...", "hint_en": "...", "hint_zh": "..."}

with `{name}` placeholders filled from facts. Hints say what to do next and may be left out
for plain screen text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@dataclass(frozen=True)
class Text:
    """One sentence in both languages."""

    en: str
    zh: str

    def get(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en

    def as_json(self) -> dict[str, str]:
        return {"en": self.en, "zh": self.zh}


@cache
def _entries(package: str, file: str) -> dict[str, dict[str, str]]:
    resource = files(package) / "words" / f"{file}.json"
    return json.loads(resource.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _entry(key: str) -> dict[str, str]:
    package, file, name = key.split(".", 2)
    return _entries(package, file)[name]


def text(key: str, **facts: Any) -> Text:
    """Return the sentence of `key` with its placeholders filled. Unknown key: KeyError."""
    entry = _entry(key)
    return Text(entry["en"].format(**facts), entry["zh"].format(**facts))


def hint(key: str, **facts: Any) -> Text:
    """Return what to do next for `key`; empty where the entry has no hint."""
    entry = _entry(key)
    return Text(entry.get("hint_en", "").format(**facts), entry.get("hint_zh", "").format(**facts))
