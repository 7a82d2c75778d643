"""OpenAI's `/v1/audio/speech`: its fields as a `SpeechQuery`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.stock_names import is_stock_name
from sovdeck.engine.speaking.http.errors import Refusal
from sovdeck.engine.speaking.http.speech_query import (
    Delivery,
    SpeechQuery,
    check_length,
    choose_format,
    nearest_speed,
)
from sovdeck.engine.speaking.voice_pool import VoicePool

_FIELDS = {"text": "input", "speed": "speed", "pitch": "pitch"}
_DELIVERIES: dict[str, Delivery] = {"audio": "stream", "sse": "events"}


def parse_openai(body: Mapping[str, Any], voices: VoicePool) -> SpeechQuery:
    """Return what the body asks for; a field that is null is as good as absent.

    Fields of ours may come along in `infer`: text_lang, seed, top_k ... Refusal in the client's
    own field names.
    """
    given = {name: value for name, value in body.items() if value is not None}
    check_length(given.get("input"), "input")
    params: dict[str, Any] = {"text": given.get("input", ""), "text_lang": "auto"}
    headers: dict[str, str] = {}
    if "speed" in given:
        params["speed"], headers = nearest_speed(given["speed"], "speed")
    if "pitch" in given:  # OpenAI has none; ours
        params["pitch"] = given["pitch"]
    ours = given.get("infer", {})
    if not isinstance(ours, dict):
        raise Refusal(Problem("engine.speaking.not_fields", ExitCode.CONFIG), field="infer")
    name, reference = _choose_voice(given, voices)
    params |= {**reference, **ours}
    stream_format = given.get("stream_format", "audio")
    if not isinstance(stream_format, str) or stream_format not in _DELIVERIES:
        problem = Problem(
            "engine.http.choice", ExitCode.CONFIG, name="stream_format", known="audio, sse"
        )
        raise Refusal(problem, field="stream_format")
    return SpeechQuery(
        voice=name,
        params=params,
        sound_format=choose_format(given.get("response_format"), "mp3", "response_format"),
        delivery=_DELIVERIES[stream_format],
        fields={**_FIELDS, **{f: f"infer.{f}" for f in ours}},
        headers=headers,
    )


def _choose_voice(given: Mapping[str, Any], voices: VoicePool) -> tuple[str, dict[str, Any]]:
    """Return the voice that `voice`, else `model`, names, and its named reference.

    OpenAI's own names mean the first voice.
    """
    unknown = ""
    for field in ("voice", "model"):
        wanted = given.get(field, "")
        if isinstance(wanted, dict):  # the newer spelling of a voice of one's own
            wanted = wanted.get("id", "")
        if not isinstance(wanted, str):
            problem = Problem("engine.http.not_text", ExitCode.CONFIG, name=field)
            raise Refusal(problem, field=field)
        if voices.has(wanted):
            try:
                return voices.find_reference(wanted)
            except Problem as problem:  # the voice, but no such reference
                raise Refusal(problem, 404, field) from None
        if wanted and not is_stock_name(wanted) and not unknown:
            unknown = field
    if unknown:
        raise Refusal(voices.unknown(str(given[unknown])), 404, unknown)
    return voices.find_reference(voices.default)
