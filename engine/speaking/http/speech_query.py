"""What one request asks for, whichever endpoint it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sovdeck.engine.audio.encode import SOUND_FORMATS, SoundFormat
from sovdeck.engine.contract.params import PARAMS, check_value
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.http.errors import Refusal, refuse

Delivery = Literal["whole", "stream", "events"]
_FASTEST_ASKED = 100.0  # more is no wish but a mistake
MAX_CHARACTERS = 10_000  # about half an hour of speech, held in memory until it is saved


@dataclass(frozen=True)
class SpeechQuery:
    """One request to speak. `params` are `infer` names; `fields` say how the client calls them.

    `voice` is a voice's name; `headers` go with the answer.
    """

    voice: str
    params: Mapping[str, Any]
    sound_format: SoundFormat
    delivery: Delivery
    fields: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)


def choose_format(given: Any, default: str, name: str) -> SoundFormat:
    """Return the format called `given`, or the default for None; Refusal in the client's terms."""
    wanted = default if given is None else given
    if not isinstance(wanted, str) or wanted.lower() not in SOUND_FORMATS:
        known = ", ".join(SOUND_FORMATS)
        problem = Problem(
            "engine.speaking.sound_type", ExitCode.CONFIG, kind=str(wanted)[:40], known=known
        )
        raise Refusal(problem, field=name)
    return SOUND_FORMATS[wanted.lower()]


def nearest_speed(given: Any, name: str) -> tuple[float, dict[str, str]]:
    """Return the speed next to `given` that can be spoken, and headers where it is another one."""
    speed = PARAMS["infer.speed"]
    assert speed.low is not None and speed.high is not None
    try:
        wanted = 0.0 if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        wanted = 0.0
    if not 0.0 < wanted < _FASTEST_ASKED:
        try:
            check_value("infer.speed", given)
        except Problem as problem:
            raise refuse(problem, {"speed": name}) from None
    nearest = min(max(wanted, speed.low), speed.high)
    changed = {"X-Speed": f"{nearest:g}", "X-Speed-Asked": f"{wanted:g}"}
    return nearest, ({} if nearest == wanted else changed)


def check_length(text: Any, name: str) -> None:
    """Refuse a text that is longer than one request may be."""
    if isinstance(text, str) and len(text) > MAX_CHARACTERS:
        problem = Problem(
            "engine.http.long_text", ExitCode.CONFIG, count=len(text), most=MAX_CHARACTERS
        )
        raise Refusal(problem, field=name)
