"""GPT-SoVITS's endpoints, api_v2's `/tts` and the older `/`: their fields as a `SpeechQuery`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.speak_table import SLICE_METHODS
from sovdeck.engine.speaking.http.errors import Refusal
from sovdeck.engine.speaking.http.speech_query import (
    SpeechQuery,
    check_length,
    choose_format,
    nearest_speed,
)
from sovdeck.engine.speaking.voice_pool import VoicePool

# api_v2's names of our fields, and `pitch`, which it lacks; others are ignored, as upstream does.
TTS_FIELDS = {
    "text": "text",
    "text_lang": "text_lang",
    "ref_audio_path": "ref_audio",
    "aux_ref_audio_paths": "aux_refs",
    "prompt_text": "ref_text",
    "prompt_lang": "ref_lang",
    "top_k": "top_k",
    "top_p": "top_p",
    "temperature": "temperature",
    "seed": "seed",
    "speed_factor": "speed",
    "pitch": "pitch",
    "fragment_interval": "pause_s",
    "repetition_penalty": "repetition_penalty",
}
_V1_FIELDS = {
    "text": "text",
    "text_language": "text_lang",
    "refer_wav_path": "ref_audio",
    "inp_refs": "aux_refs",
    "prompt_text": "ref_text",
    "prompt_language": "ref_lang",
    "top_k": "top_k",
    "top_p": "top_p",
    "temperature": "temperature",
    "speed": "speed",
}
_SLICE_OF_CUT = {f"cut{number}": name for number, name in enumerate(SLICE_METHODS)}
# The older endpoint takes the languages as its page shows them.
_LANGUAGE_OF_LABEL = {
    "中文": "all_zh",
    "粤语": "all_yue",
    "英文": "en",
    "日文": "all_ja",
    "韩文": "all_ko",
    "中英混合": "zh",
    "粤英混合": "yue",
    "日英混合": "ja",
    "韩英混合": "ko",
    "多语种混合": "auto",
    "多语种混合(粤语)": "auto_yue",
}
# A client of a fork of GPT-SoVITS names the clip after a speaker of `/speakers`, as that fork keeps
# its clips; the text it sends with it is the speaker's name, not the clip's words.
_SPEAKERS_CLIP = re.compile(r"\./参考音频/(.+)\.wav")
_ON, _OFF = frozenset(("true", "1")), frozenset(("", "false", "0", "none"))
_EARLY = frozenset(("2", "3"))  # upstream's quicker modes, which give up some quality


def parse_tts(body: Mapping[str, Any], voices: VoicePool) -> SpeechQuery:
    """Return what a body or query of api_v2 asks for; Refusal in the client's field names."""
    params = _rename(body, TTS_FIELDS)
    cut = body.get("text_split_method")
    method = "cut5" if cut is None else str(cut)
    if method not in _SLICE_OF_CUT:
        known = ", ".join(_SLICE_OF_CUT)
        problem = Problem(
            "engine.http.choice", ExitCode.CONFIG, name="text_split_method", known=known
        )
        raise Refusal(problem, field="text_split_method")
    params["slice"] = _SLICE_OF_CUT[method]
    mode = "streaming_mode" if body.get("streaming_mode") is not None else "return_fragment"
    streamed, early = _streaming(body.get(mode), mode)
    return _query(body, params, voices, TTS_FIELDS, streamed, early, "media_type")


def parse_v1(body: Mapping[str, Any], voices: VoicePool) -> SpeechQuery:
    """Return what a body or query of the older endpoint asks for.

    Some clients send api_v2's fields here.
    """
    if "text_lang" in body:
        return parse_tts(body, voices)
    params = _rename(body, _V1_FIELDS)
    return _query(body, params, voices, _V1_FIELDS, False, False, "media_type")


def _rename(body: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields under our names. Null is absent; a zero or an empty text is a value."""
    params = {ours: body[theirs] for theirs, ours in names.items() if body.get(theirs) is not None}
    for name in ("text_lang", "ref_lang"):
        language = params.get(name)
        if isinstance(language, str):
            params[name] = _LANGUAGE_OF_LABEL.get(language, language.lower())
        if language == "":
            del params[name]
    return params


def _query(
    body: Mapping[str, Any],
    params: dict[str, Any],
    voices: VoicePool,
    names: Mapping[str, str],
    streamed: bool,
    early: bool,
    format_field: str,
) -> SpeechQuery:
    fields = {ours: theirs for theirs, ours in names.items()}
    fields["slice"] = "text_split_method"
    check_length(params.get("text"), fields["text"])
    params.setdefault("text_lang", "auto")
    headers: dict[str, str] = {}
    if "speed" in params:
        params["speed"], headers = nearest_speed(params["speed"], fields["speed"])
    clip = params.get("ref_audio", "")
    named = _SPEAKERS_CLIP.fullmatch(clip) if isinstance(clip, str) else None
    if named is not None:
        params["ref_audio"] = ""
    called = voices.default if named is None else named[1]
    try:
        voice, reference = voices.find_reference(called)
    except Problem as problem:
        raise Refusal(problem, 404, fields["ref_audio"]) from None
    if params.get("ref_audio", "") == "":
        # The words belong to the clip: with the voice's own clip, so do its own words.
        for name in ("ref_audio", "ref_text", "ref_lang"):
            params.pop(name, None)
        params |= reference
    if not params.get("aux_refs"):
        params.pop("aux_refs", None)
    if early:
        params["early"] = True
    return SpeechQuery(
        voice=voice,
        params=params,
        sound_format=choose_format(body.get(format_field), "wav", format_field),
        delivery="stream" if streamed else "whole",
        fields=fields,
        headers=headers,
    )


def _streaming(given: Any, name: str) -> tuple[bool, bool]:
    """Return whether to stream, and whether early, of `true`, "true", 1, "2", 3, null ..."""
    word = "" if given is None else str(given).lower()
    if word in _OFF:
        return False, False
    if word in _ON | _EARLY:
        return True, word in _EARLY
    problem = Problem("engine.http.choice", ExitCode.CONFIG, name=name, known="true, false, 0-3")
    raise Refusal(problem, field=name)
