"""GPT-SoVITS `.list` files: `wav_path|speaker|language|text`, one item a line (SPEC 1.7).

Every line that cannot be used becomes a Problem with file, line and reason; nothing is
dropped silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.contract.problem import ExitCode, Problem

LANGUAGES = {
    "zh": "zh", "ZH": "zh",
    "ja": "ja", "JA": "ja", "jp": "ja", "JP": "ja",
    "en": "en", "EN": "en", "En": "en",
    "ko": "ko", "KO": "ko", "Ko": "ko",
    "yue": "yue", "YUE": "yue", "Yue": "yue",
}  # fmt: skip
# What ends a field of 2-name2text.txt, or its line for a reader that knows Unicode's ways.
_BREAKS = re.compile("[\t\v\f\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True)
class Item:
    """One usable line. `name` is the base name with its ending, upstream's key everywhere."""

    line: int
    name: str
    wav: Path
    speaker: str
    language: str
    text: str


@dataclass(frozen=True)
class Manifest:
    """A list as read. `problems` are left out of training, `notes` stay in with a remark."""

    source: Path
    items: tuple[Item, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()

    def refuse_problems(self) -> None:
        """Raise Problem naming every fault when there is one: what `--strict` asks for."""
        if self.problems:
            faults = " ".join(problem.message.en for problem in self.problems)
            raise Problem(
                "engine.data.strict", ExitCode.DATA,
                file=str(self.source), count=len(self.problems), faults=faults,
            )  # fmt: skip


def read_items(source: Path, wav_folder: Path | None = None) -> Manifest:
    """Read a list; `wav_folder` is where base names are looked up, else paths as written.

    Paths that are not absolute are taken from the list's own folder. Problem when the list
    itself cannot be read.
    """
    try:
        raw = source.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem("engine.data.no_list", ExitCode.DATA, file=str(source), why=why) from error
    items: dict[str, Item] = {}
    problems: list[Problem] = []
    for number, line in _lines(raw):
        try:
            item = _item(source, number, line, wav_folder)
            if item.name in items:
                first = items[item.name].line
                raise _fault("duplicate", source, number, name=item.name, first=first)
        except Problem as problem:
            problems.append(problem)
        else:
            items[item.name] = item
    return Manifest(source, tuple(items.values()), tuple(problems))


def list_in(path: Path) -> Path:
    """`path` itself, or the one list of a folder; Problem when a folder has none or several."""
    if not path.is_dir():
        return path
    lists = sorted(path.glob("*.list"))
    if len(lists) != 1:
        raise Problem("engine.data.which_list", ExitCode.DATA, folder=str(path), count=len(lists))
    return lists[0]


def clean_path(written: str) -> str:
    """A path as people paste it, without blanks, quotes and the mark U+202A of Windows."""
    return written.strip(" \t\r\n\"'\u202a").rstrip("/\\").replace("\\", "/")


def _lines(raw: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if line.strip():
            yield number, line


def _item(source: Path, number: int, line: bytes, wav_folder: Path | None) -> Item:
    try:
        fields = line.decode("utf-8").split("|")
    except UnicodeDecodeError as error:
        raise _fault("not_utf8", source, number, byte=error.start) from error
    if len(fields) != 4:
        raise _fault("fields", source, number, count=len(fields))
    written, speaker, tag, text = fields
    path = clean_path(written)
    name = path.rsplit("/", 1)[-1]
    if not name or not name.isprintable():
        raise _fault("bad_path", source, number, path=written.strip())
    language = LANGUAGES.get(tag.strip())
    if language is None:
        raise _fault("unknown_language", source, number, language=tag.strip())
    text = _BREAKS.sub(" ", text).strip()
    if not any(letter.isalnum() for letter in text):
        raise _fault("empty_text", source, number, name=name)
    wav = source.parent / path
    # The base name in the folder comes first, as upstream looks it up.
    if wav_folder is not None and ((wav_folder / name).is_file() or not wav.is_file()):
        wav = wav_folder / name
    if not wav.is_file():
        raise _fault("missing", source, number, wav=str(wav))
    return Item(number, name, wav, speaker.strip(), language, text)


def _fault(entry: str, source: Path, line: int, **facts: object) -> Problem:
    return Problem(_KEYS[entry], ExitCode.DATA, file=source.name, line=line, **facts)


_KEYS = {
    "fields": "engine.data.fields",
    "not_utf8": "engine.data.not_utf8",
    "bad_path": "engine.data.bad_path",
    "unknown_language": "engine.data.unknown_language",
    "empty_text": "engine.data.empty_text",
    "missing": "engine.data.missing",
    "duplicate": "engine.data.duplicate",
}
