"""The one catalogue of sentences, English and Chinese side by side.

A key has three parts, `package.file.entry`: `remote.host.bad_port` is entry `bad_port` of
`remote/words/host.json`. An entry is

    {"en": "...", "zh": "...", "hint_en": "...", "hint_zh": "..."}

with `{name}` placeholders filled from facts; a fact that is a `Text` speaks the sentence's
language. Hints say what to do next and may be left out for plain screen text.
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
    return _filled(_entry(key), "", facts)


def hint(key: str, **facts: Any) -> Text:
    """Return what to do next for `key`; empty where the entry has no hint."""
    return _filled(_entry(key), "hint_", facts)


def _filled(entry: dict[str, str], prefix: str, facts: dict[str, Any]) -> Text:
    def fill(language: Language) -> str:
        said = {k: v.get(language) if isinstance(v, Text) else v for k, v in facts.items()}
        return entry.get(prefix + language, "").format(**said)

    return Text(fill("en"), fill("zh"))
