"""The weights and reference clips of a voice on its server, and uploading a clip of ours."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.voice_assets import ReferenceClip
from sovdeck.remote import filenames
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.json_lines import (
    int_field,
    number_field,
    object_list_field,
    run_engine_command,
    text_field,
)
from sovdeck.remote.speech.speech_session import AvailableWeights, parse_weights
from sovdeck.remote.transfer.upload.push import push

_LIMIT_S = 300.0
_MAX_PEAKS = 512


@dataclass(frozen=True)
class VoiceAssets:
    """Weights oldest first, references best first.

    default_reference: the path of the clip that preparation chose; "" when there is none.
    """

    weights: AvailableWeights
    references: tuple[ReferenceClip, ...]
    default_reference: str


def read_voice_assets(session: ServerSession, voice: str) -> VoiceAssets:
    """List weights and clips on the server anew."""
    message = _run_engine(session, voice)
    default = message.get("reference")
    return VoiceAssets(
        parse_weights(message),
        tuple(
            _parse_reference(row)
            for row in object_list_field(message, "references")
            if text_field(row, "path")
        ),
        text_field(default, "ref_audio") if isinstance(default, dict) else "",
    )


def upload_reference(
    session: ServerSession,
    voice: str,
    clip: Path,
    *,
    window: tuple[float, float] | None = None,
    trim: bool = False,
    text: str = "",
    language: str = "",
    reference_name: str = "",
    cancel: threading.Event | None = None,
) -> ReferenceClip:
    """Upload a recording of this computer as a reference clip of the voice.

    window: the segment (start, end) in seconds to keep; trim: let the engine choose one of a long
    clip. text, language: its transcript, where that is known. reference_name: what requests shall
    call it; its file's name without one.
    """
    folder = session.layout().references(voice) / "incoming"
    name = filenames.safe_name(clip.name).lstrip(".-_ ") or "clip.wav"
    push(
        session.connect,
        {name: clip},
        str(folder),
        report=lambda _progress: None,
        cancel=cancel or threading.Event(),
    )
    cut = [] if window is None else ["--window", *(f"{second:.3f}" for second in window)]
    args = ["--add-reference", str(folder / name), *cut, *(["--trim"] if trim else [])]
    args += [f"--ref-text={text}", f"--ref-lang={language}", f"--name={reference_name}"]
    try:
        return _changed_reference(session, voice, args)
    finally:
        session.connection().run(["rm", "-rf", "--", str(folder)])


def name_reference(session: ServerSession, voice: str, clip: str, name: str) -> ReferenceClip:
    """Call the clip at the server's path `clip` by a name; requests may then ask `VOICE:NAME`.

    A recording of the dataset is copied beside the added ones. Problem for a name that cannot be
    one, or that another clip has.
    """
    return _changed_reference(session, voice, ["--name-reference", clip, f"--name={name}"])


def _changed_reference(session: ServerSession, voice: str, args: Sequence[str]) -> ReferenceClip:
    row = _run_engine(session, voice, *args).get("reference")
    if not isinstance(row, dict) or not text_field(row, "path"):
        raise Problem("remote.speak.odd", ExitCode.INTERNAL, server=session.name, event="reference")
    return _parse_reference(row)


def _run_engine(session: ServerSession, voice: str, *args: str) -> dict[str, Any]:
    work = str(session.layout().work)
    command = ["voice-assets", voice, "--work", work, *args]
    answers = run_engine_command(
        session.connection(), session.require_deployment(), command, timeout=_LIMIT_S
    )
    if not answers:
        raise Problem(
            "remote.speak.odd", ExitCode.INTERNAL, server=session.name, event="voice-assets"
        )
    return answers[-1]


def _parse_reference(row: Mapping[str, Any]) -> ReferenceClip:
    ends = row.get("window")
    window = None
    if isinstance(ends, list) and len(ends) == 2:
        start, end = (number_field({"at": one}, "at") for one in ends)
        window = None if start is None or end is None else (start, end)
    raw_peaks = row.get("peaks")
    peaks = raw_peaks[:_MAX_PEAKS] if isinstance(raw_peaks, list) else []
    return ReferenceClip(
        text_field(row, "path"),
        text_field(row, "text"),
        text_field(row, "language"),
        number_field(row, "seconds") or 0.0,
        number_field(row, "score"),
        tuple(min(1.0, max(0.0, number_field({"at": one}, "at") or 0.0)) for one in peaks),
        window,
        int_field(row, "bytes") or 0,
        text_field(row, "sha256"),
        text_field(row, "name"),
    )
