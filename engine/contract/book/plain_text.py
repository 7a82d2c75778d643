"""Chapters and paragraphs of a plain text, and the words of subtitles."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sovdeck.engine.contract.book.chapters import RawChapter

_LONGEST_HEADING = 60
_NUMBER = "[0-9０-９零〇一二两三四五六七八九十百千]+"
_HEADING = re.compile(
    r"(?:#{1,3}\s+(?P<marked>\S.*)"
    r"|(?:chapter|part|book)\s+(?:[0-9]+|[ivxlc]+|[a-z]+)\b(?:\s*[.:—-].*)?"
    r"|(?:prologue|epilogue|preface|foreword|introduction|afterword)"
    rf"|第\s*{_NUMBER}\s*[章回节節卷部集話话幕](?:[\s:：、.—-].*|.{{0,20}})?"
    r"|(?:序章|序幕|楔子|引子|尾声|终章|後記|后记|番外).{0,20}"
    r"|제\s*[0-9]+\s*[장화부](?:[\s:.].*)?)\s*$",
    re.IGNORECASE,
)
_ENDS_SENTENCE = re.compile(r"[.!?。！？…:：;；\"”’」』)）]\s*$")
_TIME = r"((?:\d{1,4}\s*:\s*)?\d{1,2}\s*:\s*\d{1,2}\s*[,.]\s*\d{1,3})"
_CUE_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}")
_ABUTTING_S = 0.05
_STYLE = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,200}\}")


def read_chapters(text: str) -> list[RawChapter]:
    """Chapters by their headings; one without a title where there is no heading."""
    title = ""
    block: list[str] = []
    blocks: list[list[str]] = []
    chapters: list[RawChapter] = []

    def end_block() -> None:
        if block:
            blocks.append(block.copy())
            block.clear()

    def end_chapter() -> None:
        end_block()
        if blocks or title:
            paragraphs = [title] if title else []
            chapters.append(RawChapter(title, (*paragraphs, *_join_lines(blocks))))
        blocks.clear()

    for line in text.splitlines():
        stripped = line.strip()
        heading = _HEADING.match(stripped) if len(stripped) <= _LONGEST_HEADING else None
        if heading is not None and not (block and _is_wrapped(block)):
            end_chapter()
            title = (heading["marked"] or stripped).strip()
        elif stripped:
            block.append(stripped)
        else:
            end_block()
    end_chapter()
    return chapters


@dataclass
class _Cue:
    """One subtitle: its times in seconds, and its lines without marks of style."""

    start: float
    end: float
    lines: list[str] = field(default_factory=list)


def read_subtitles(text: str) -> list[RawChapter]:
    """The words of SRT or WebVTT cues by their times; a sentence may go on in the next cue."""
    paragraphs: list[str] = []
    waiting: list[str] = []
    for lines in _without_rolled_lines(sorted(_read_cues(text), key=lambda cue: cue.start)):
        waiting += lines
        if waiting and _ENDS_SENTENCE.search(waiting[-1]):
            paragraphs.append(_join(waiting))
            waiting = []
    if waiting:
        paragraphs.append(_join(waiting))
    return [RawChapter("", tuple(paragraphs))]


def _read_cues(text: str) -> Iterator[_Cue]:
    """The cues as they stand. Their end is a blank line, or the number and times of the next."""
    cue: _Cue | None = None
    for line in text.splitlines():
        times = _CUE_TIMES.match(line)
        if times is not None:
            if cue is not None:
                if cue.lines and cue.lines[-1].isdecimal():
                    cue.lines.pop()  # the next cue's number: no blank line stands before it
                yield cue
            cue = _Cue(_seconds(times[1]), _seconds(times[2]))
        elif cue is not None and not line.strip() and cue.lines:
            yield cue
            cue = None
        elif cue is not None and (words := html.unescape(_STYLE.sub("", line)).strip()):
            cue.lines.append(words)
    if cue is not None:
        yield cue


def _without_rolled_lines(cues: list[_Cue]) -> Iterator[list[str]]:
    """The lines of each cue, but for those that only roll on from the one before.

    Captions made while somebody speaks show each line twice: below, then above the next one. The
    same line in a cue of its own is said again.
    """
    before = _Cue(0.0, float("-inf"))
    for cue in cues:
        kept = cue.lines
        if cue.start <= before.end + _ABUTTING_S:
            is_flash = cue.end - cue.start <= _ABUTTING_S
            for count in range(min(len(before.lines), len(cue.lines)), 0, -1):
                is_rolled = before.lines[-count:] == cue.lines[:count]
                if is_rolled and (count < len(cue.lines) or is_flash):
                    kept = cue.lines[count:]
                    break
        if cue.lines:
            before = cue
        yield kept


def _seconds(time: str) -> float:
    whole, _, thousandths = re.sub(r"\s", "", time).replace(",", ".").partition(".")
    seconds = 0
    for part in whole.split(":"):
        seconds = 60 * seconds + int(part)
    return seconds + float(f"0.{thousandths}")


def _join_lines(blocks: list[list[str]]) -> Iterator[str]:
    """Paragraphs: each line one, or each block where lines are broken to fit a page."""
    for block in blocks:
        if _is_wrapped(block):
            yield _join(block)
        else:
            yield from block


def _is_wrapped(block: list[str]) -> bool:
    """Whether lines were broken where the page ended: most go on in the next one."""
    going_on = sum(_ENDS_SENTENCE.search(line) is None for line in block[:-1])
    return len(block) > 1 and 2 * going_on > len(block) - 1


def _join(lines: list[str]) -> str:
    """Lines as one text: a blank between them, but none between East Asian characters."""
    joined = ""
    for line in lines:
        close = joined[-1:] >= "\u2e80" and line[:1] >= "\u2e80"
        joined += line if close or not joined else f" {line}"
    return joined
