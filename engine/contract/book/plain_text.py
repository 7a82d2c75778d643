"""Chapters and paragraphs of a plain text, and the words of subtitles."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
_CUE_TIMES = re.compile(r"\s*\d+:\d{2}(?::\d{2})?[,.]\d{1,3}\s*-->\s*\d+:")
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


def read_subtitles(text: str) -> list[RawChapter]:
    """The words of SRT or WebVTT cues; a sentence may go on in the next cue."""
    paragraphs: list[str] = []
    waiting: list[str] = []
    in_cue = False
    for line in text.splitlines():
        if _CUE_TIMES.match(line):
            in_cue = True
        elif not line.strip():
            in_cue = False
            if waiting and _ENDS_SENTENCE.search(waiting[-1]):
                paragraphs.append(_join(waiting))
                waiting = []
        elif in_cue and (words := _STYLE.sub("", line).strip()):
            waiting.append(words)
    if waiting:
        paragraphs.append(_join(waiting))
    return [RawChapter("", tuple(paragraphs))]


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
