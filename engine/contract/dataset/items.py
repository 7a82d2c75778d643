"""GPT-SoVITS `.list` files: `wav_path|speaker|language|text`, one item a line (SPEC 1.7).

Every line that cannot be used becomes a Problem with file, line and reason; nothing is
dropped silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from sovdeck.engine.contract.dataset.encoding import guess_encoding, read_sample
from sovdeck.engine.contract.dataset.recordings import (
    FolderIndex,
    find_wav_folder,
    unique_name,
)
from sovdeck.engine.contract.problem import ExitCode, Problem

LANGUAGE_TAGS = {
    "zh": "zh",
    "ZH": "zh",
    "ja": "ja",
    "JA": "ja",
    "jp": "ja",
    "JP": "ja",
    "en": "en",
    "EN": "en",
    "En": "en",
    "ko": "ko",
    "KO": "ko",
    "Ko": "ko",
    "yue": "yue",
    "YUE": "yue",
    "Yue": "yue",
}
# What ends a field of 2-name2text.txt, or its line for a reader of Unicode line breaks.
_FIELD_BREAKS = re.compile("[\t\v\f\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True)
class DatasetItem:
    """One usable line. `name` is the base name with its ending, upstream's key everywhere."""

    line: int
    name: str
    wav: Path
    speaker: str
    language: str
    text: str


@dataclass(frozen=True)
class DatasetManifest:
    """A list that was read. `problems` are left out of training, `notes` are about clips in it."""

    source: Path
    items: tuple[DatasetItem, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()

    def raise_problems(self) -> None:
        """Raise one Problem that lists all problems, if any: what `--strict` asks for."""
        if self.problems:
            messages = " ".join(problem.message.en for problem in self.problems)
            raise Problem(
                "engine.data.strict",
                ExitCode.DATA,
                file=str(self.source),
                count=len(self.problems),
                faults=messages,
            )


def read_dataset_list(source: Path, wav_folder: Path | None = None) -> DatasetManifest:
    """Read a list; `wav_folder` is where its files are looked up, else beside the list.

    Without `wav_folder` the paths are taken as written, or the folder beside the list that holds
    most of them. Problem when the list cannot be read at all, or is in another encoding than UTF-8.
    """
    try:
        raw = source.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem("engine.data.no_list", ExitCode.DATA, file=str(source), why=why) from error
    encoding = guess_encoding(raw)
    if encoding is not None:
        facts = {"file": str(source), "encoding": encoding, "sample": read_sample(raw, encoding)}
        raise Problem("engine.data.other_encoding", ExitCode.DATA, **facts)
    if wav_folder is None:
        wav_folder = find_wav_folder(source, _written_paths(raw))
    index = FolderIndex()
    items: dict[str, DatasetItem] = {}
    lines: dict[Path, int] = {}  # of each file
    problems: list[Problem] = []
    for number, line in _split_lines(raw):
        try:
            item = _parse_item(source, number, line, wav_folder, index)
            if item.wav in lines:
                first = lines[item.wav]
                raise _line_problem("duplicate", source, number, name=item.name, first=first)
            if item.name in items:
                # Upstream keys everything by the base name, so another file needs another one.
                path = clean_path(_fields(line)[0])
                item = replace(item, name=unique_name(path, items))
        except Problem as problem:
            problems.append(problem)
        else:
            items[item.name] = item
            lines[item.wav] = number
    return DatasetManifest(source, tuple(items.values()), tuple(problems))


def find_list_file(path: Path) -> Path:
    """`path` itself, or the one list of a folder; Problem when a folder has none or several."""
    if not path.is_dir():
        return path
    lists = sorted(path.glob("*.list"))
    if len(lists) != 1:
        raise Problem("engine.data.which_list", ExitCode.DATA, folder=str(path), count=len(lists))
    return lists[0]


def find_lists(folder: Path) -> tuple[Path, ...]:
    """The lists in a folder; where it has none, those beside it that name recordings in it."""
    inside = tuple(sorted(folder.glob("*.list")))
    if inside:
        return inside
    beside = sorted(folder.resolve().parent.glob("*.list"))
    return tuple(source for source in beside if _names_files_in(source, folder))


def _names_files_in(source: Path, folder: Path) -> bool:
    try:
        items = read_dataset_list(source, folder).items
    except Problem:  # unreadable: it says nothing of this folder
        return False
    return any(item.wav.is_relative_to(folder) for item in items)


def clean_path(written: str) -> str:
    """A path as people paste it, without blanks, quotes and the U+202A of Windows."""
    return written.strip(" \t\r\n\"'\u202a").rstrip("/\\").replace("\\", "/")


def clean_transcript(written: str) -> str:
    """The last field of a line as it is spoken; "" when nothing in it can be."""
    text = _FIELD_BREAKS.sub(" ", written).strip()
    return text if any(letter.isalnum() for letter in text) else ""


def _split_lines(raw: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if line.strip():
            yield number, line


def _written_paths(raw: bytes) -> list[str]:
    paths = (clean_path(_fields(line)[0]) for _, line in _split_lines(raw) if b"|" in line)
    return [path for path in paths if path]


def _fields(line: bytes) -> list[str]:
    return line.decode("utf-8", "replace").split("|")


def _parse_item(
    source: Path, number: int, line: bytes, wav_folder: Path | None, index: FolderIndex
) -> DatasetItem:
    try:
        fields = line.decode("utf-8").split("|")
    except UnicodeDecodeError as error:
        raise _line_problem("not_utf8", source, number, byte=error.start) from error
    if len(fields) != 4:
        raise _fields_problem(source, number, fields)
    written, speaker, tag, text = fields
    path = clean_path(written)
    name = path.rsplit("/", 1)[-1]
    if not name or not name.isprintable():
        raise _line_problem("bad_path", source, number, path=written.strip())
    language = LANGUAGE_TAGS.get(tag.strip())
    if language is None:
        raise _line_problem("unknown_language", source, number, language=tag.strip())
    text = clean_transcript(text)
    if not text:
        raise _line_problem("empty_text", source, number, name=name)
    # In the folder of recordings the base name comes before the list's own place, as upstream
    # looks it up; a path inside that folder tells files of one name apart.
    places = [source.parent / path]
    if wav_folder is not None:
        inside = [] if PurePosixPath(path).is_absolute() else [wav_folder / path]
        places = [*inside, wav_folder / name, *places]
    wav = next((found for place in places if (found := index.find(place)) is not None), None)
    if wav is None:
        where = places[0] if wav_folder is None else wav_folder / name
        raise _line_problem("missing", source, number, wav=str(where))
    return DatasetItem(number, name, wav, speaker.strip(), language, text)


def _fields_problem(source: Path, number: int, fields: list[str]) -> Problem:
    """Which of the four fields is missing, as far as the language shows it."""
    if len(fields) > 4:
        return _line_problem("fields", source, number, count=len(fields))
    if any("\uff5c" in field for field in fields):
        return _line_problem("wide_bar", source, number)
    tags = [place for place, field in enumerate(fields) if field.strip() in LANGUAGE_TAGS]
    if len(fields) < 3 or not tags:
        key = "no_language" if len(fields) == 3 else "fields"
        return _line_problem(key, source, number, count=len(fields))
    return _line_problem("no_speaker" if tags[0] == 1 else "no_text", source, number)


def _line_problem(entry: str, source: Path, line: int, **facts: object) -> Problem:
    return Problem(_PROBLEM_KEYS[entry], ExitCode.DATA, file=source.name, line=line, **facts)


_PROBLEM_KEYS = {
    "fields": "engine.data.fields",
    "wide_bar": "engine.data.wide_bar",
    "no_language": "engine.data.no_language_field",
    "no_speaker": "engine.data.no_speaker_field",
    "no_text": "engine.data.no_text_field",
    "not_utf8": "engine.data.not_utf8",
    "bad_path": "engine.data.bad_path",
    "unknown_language": "engine.data.unknown_language",
    "empty_text": "engine.data.empty_text",
    "missing": "engine.data.missing",
    "duplicate": "engine.data.duplicate",
}
