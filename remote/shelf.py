"""What a voice can speak with, as its server tells it; and lending it a recording of ours."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.contract.problem import ExitCode, Problem
from remote import local_names
from remote.engine_talk import engine_answers, number_in, rows_in, text_in, whole_in
from remote.speaker import Weights, weights_of
from remote.studio import Studio
from remote.transfer.push import push

_LIMIT_S = 300.0
_MOST_PEAKS = 512


@dataclass(frozen=True)
class Reference:
    """A recording on the server that can be imitated; `path` is what `ref_audio` takes.

    peaks: its outline, 0 to 1. window: the stretch in seconds to keep of one that is too long.
    """

    path: str
    text: str
    language: str
    seconds: float
    score: float | None
    peaks: tuple[float, ...]
    window: tuple[float, float] | None
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Shelf:
    """Weights oldest first, references best first; `own` is the clip preparation chose."""

    weights: Weights
    references: tuple[Reference, ...]
    own: str


def read_shelf(studio: Studio, voice: str) -> Shelf:
    """Scan weights and clips on the server anew."""
    said = _ask(studio, voice)
    own = said.get("reference")
    return Shelf(
        weights_of(said),
        tuple(_reference(row) for row in rows_in(said, "references") if text_in(row, "path")),
        text_in(own, "ref_audio") if isinstance(own, dict) else "",
    )


def lend(
    studio: Studio,
    voice: str,
    clip: Path,
    *,
    window: tuple[float, float] | None = None,
    trim: bool = False,
    text: str = "",
    language: str = "",
    cancel: threading.Event | None = None,
) -> Reference:
    """Send a recording of this computer and let the engine take it in.

    window: seconds to keep; trim: let the engine choose them of a long one. text, language: its
    words, where they are known.
    """
    folder = studio.layout().work / "references" / voice / "incoming"
    name = local_names.safe(clip.name).lstrip(".-_ ") or "clip.wav"
    push(
        studio.connect, {name: clip}, str(folder), report=lambda _progress: None,
        cancel=cancel or threading.Event(),
    )  # fmt: skip
    cut = [] if window is None else ["--window", *(f"{second:.3f}" for second in window)]
    words = [f"--ref-text={text}", f"--ref-lang={language}"]
    lent = ["--lend", str(folder / name), *cut, *(["--trim"] if trim else []), *words]
    try:
        row = _ask(studio, voice, *lent).get("lent")
    finally:
        studio.link().run(["rm", "-rf", "--", str(folder)])
    if not isinstance(row, dict) or not text_in(row, "path"):
        raise Problem("remote.speak.odd", ExitCode.INTERNAL, server=studio.name, event="lent")
    return _reference(row)


def _ask(studio: Studio, voice: str, *args: str) -> dict[str, Any]:
    work = str(studio.layout().work)
    command = ["shelf", voice, "--work", work, *args]
    answers = engine_answers(studio.link(), studio.deployed(), command, timeout=_LIMIT_S)
    if not answers:
        raise Problem("remote.speak.odd", ExitCode.INTERNAL, server=studio.name, event="shelf")
    return answers[-1]


def _reference(row: Mapping[str, Any]) -> Reference:
    ends = row.get("window")
    window = None
    if isinstance(ends, list) and len(ends) == 2:
        start, end = (number_in({"at": one}, "at") for one in ends)
        window = None if start is None or end is None else (start, end)
    heights = row.get("peaks")
    peaks = heights[:_MOST_PEAKS] if isinstance(heights, list) else []
    return Reference(
        text_in(row, "path"), text_in(row, "text"), text_in(row, "language"),
        number_in(row, "seconds") or 0.0, number_in(row, "score"),
        tuple(min(1.0, max(0.0, number_in({"at": one}, "at") or 0.0)) for one in peaks),
        window, whole_in(row, "bytes") or 0, text_in(row, "sha256"),
    )  # fmt: skip
