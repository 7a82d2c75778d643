"""Subtitles: a text for each stretch of sound, as SRT and as WebVTT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Subtitle:
    """One sentence and when it is said, in seconds from the beginning of its file."""

    start: float
    end: float
    text: str


def to_srt(subtitles: Iterable[Subtitle]) -> str:
    """SubRip: numbered blocks, with a comma before the milliseconds."""
    return "".join(
        f"{number}\n{_time(one.start, ',')} --> {_time(one.end, ',')}\n{_one_line(one.text)}\n\n"
        for number, one in enumerate(subtitles, 1)
    )


def to_vtt(subtitles: Iterable[Subtitle]) -> str:
    """WebVTT, whose text is markup."""
    blocks = "".join(
        f"{_time(one.start, '.')} --> {_time(one.end, '.')}\n{_escape(_one_line(one.text))}\n\n"
        for one in subtitles
    )
    return f"WEBVTT\n\n{blocks}"


def _time(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}{mark}{milliseconds % 1000:03d}"


def _one_line(text: str) -> str:
    return " ".join(text.replace("-->", "→").split())


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
