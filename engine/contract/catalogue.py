"""The one catalogue of sentences, a folder for each language.

A key has three parts, `package.file.entry`: the English of `remote.host.bad_port` is entry
`bad_port` of `remote/words/en/host.json`, and entry `bad_port.hint` there names the next step;
plain screen text has no hint. Sentences are written with `{name}` placeholders filled from facts; a
fact that is a `Text` is inserted in the sentence's language. `{count:clip|clips}` writes the number
and the word that goes with it.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
_LANGUAGE_VARIABLES = ("SOVDECK_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


@dataclass(frozen=True)
class Text:
    """One sentence in both languages."""

    en: str
    zh: str

    def get(self, language: Language) -> str:
        """The sentence in `language`."""
        return self.zh if language == "zh" else self.en

    def as_json(self) -> dict[str, str]:
        """Both languages as `{"en": ..., "zh": ...}`."""
        return {"en": self.en, "zh": self.zh}


class _CountingFormatter(string.Formatter):
    """Formats like `str.format`, and `{count:clip|clips}` as "1 clip" or "7 clips"."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        """Write one field; a number may also be given as text."""
        if "|" not in format_spec:
            return super().format_field(value, format_spec)
        one, many = format_spec.split("|")
        return f"{value} {one if str(value) == '1' else many}"


_FORMATTER = _CountingFormatter()


def to_language(name: str) -> Language:
    """The language that a locale or an option names; English where it is none of ours."""
    return next((one for one in LANGUAGES if name.lower().startswith(one)), "en")


def system_language(environ: Mapping[str, str]) -> Language:
    """The language of SOVDECK_LANG, else of the locale."""
    return to_language(next((environ[n] for n in _LANGUAGE_VARIABLES if environ.get(n)), ""))


def list_files(package: str) -> list[str]:
    """Return the names of a package's files of sentences, sorted."""
    folder = files(f"sovdeck.{package}") / "words" / LANGUAGES[0]
    return sorted(one.name.removesuffix(".json") for one in folder.iterdir())


@cache
def load_entries(package: str, file: str) -> dict[str, dict[str, str]]:
    """Return the entries of one file by name: en, zh, and where there is one hint_en, hint_zh.

    Unknown file: FileNotFoundError.
    """
    entries: dict[str, dict[str, str]] = {}
    for language in LANGUAGES:
        resource = files(f"sovdeck.{package}") / "words" / language / f"{file}.json"
        for name, sentence in json.loads(resource.read_text(encoding="utf-8")).items():
            entry, _, part = name.partition(".")
            entries.setdefault(entry, {})[f"{part}_{language}" if part else language] = sentence
    return entries


def _find_entry(key: str) -> dict[str, str]:
    package, file, name = key.split(".", 2)
    return load_entries(package, file)[name]


def text(key: str, **facts: Any) -> Text:
    """Return the sentence of `key` with its placeholders filled. Unknown key: KeyError."""
    return _fill_placeholders(_find_entry(key), "", facts)


def hint(key: str, **facts: Any) -> Text:
    """Return the hint of `key`, what to do next; empty where the entry has none."""
    return _fill_placeholders(_find_entry(key), "hint_", facts)


def _fill_placeholders(entry: dict[str, str], prefix: str, facts: dict[str, Any]) -> Text:
    def fill(language: Language) -> str:
        sentence = entry.get(prefix + language, "")
        values = {k: v.get(language) if isinstance(v, Text) else v for k, v in facts.items()}
        if "|" in sentence:
            return _FORMATTER.vformat(sentence, (), values)
        return sentence.format(**values)  # several times as fast

    return Text(fill("en"), fill("zh"))
