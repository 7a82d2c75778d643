"""Requests of strangers' programs to the voice server, to what its models would be asked for."""

from __future__ import annotations

import json
from typing import Any, cast

from sovdeck.engine.contract.problem import ExitCode, Problem

SAMPLES = (
    b'{"model": "tts-1", "input": "Hello.", "voice": "Mei", "response_format": "wav", "speed": 1.5,'
    b' "stream_format": "sse", "infer": {"text_lang": "en", "seed": 1, "top_k": 5}}',
    b'{"input": "Hello.", "voice": {"id": "Mei"}, "pitch": 2}',
    b'{"text": "Hello.", "text_lang": "en", "ref_audio_path": "a.wav", "prompt_text": "x",'
    b' "prompt_lang": "zh", "aux_ref_audio_paths": ["b.wav"], "top_k": 5, "top_p": 0.9,'
    b' "temperature": 1, "text_split_method": "cut5", "speed_factor": 1.1, "seed": -1,'
    b' "media_type": "wav", "streaming_mode": 2, "repetition_penalty": 1.35}',
    b'{"text": "Hello.", "text_language": "en", "refer_wav_path": "a.wav", "prompt_text": "x",'
    b' "prompt_language": "zh", "cut_punc": ".", "speed": 1}',
)


class OneVoice:
    """Voices, as far as a request is read with them."""

    default = "Mei"

    def has(self, called: str) -> bool:
        return called.partition(":")[0] == "Mei"

    def find_reference(self, called: str) -> tuple[str, dict[str, Any]]:
        if not self.has(called):
            raise self.unknown(called)
        return "Mei", {"ref_audio": "m.wav", "ref_text": "x", "ref_lang": "zh"}

    def unknown(self, called: str) -> Problem:
        return Problem("engine.http.no_voice", ExitCode.CONFIG, voice=called[:80], known="Mei")


def read_requests(data: bytes) -> int:
    """The body as each endpoint reads it; how many would speak."""
    # Here: the engine's server loads more than any other reader of the table.
    from sovdeck.engine.speaking.http.errors import Refusal, refuse
    from sovdeck.engine.speaking.http.openai_api import parse_openai
    from sovdeck.engine.speaking.http.request_body import parse_body
    from sovdeck.engine.speaking.http.tts_api import parse_tts, parse_v1
    from sovdeck.engine.speaking.request import SpeakRequest

    spoken = 0
    for parse in (parse_openai, parse_tts, parse_v1):
        try:
            query = parse(parse_body(data), cast(Any, OneVoice()))
            try:
                SpeakRequest.from_params(query.params)
                spoken += 1
            except Problem as problem:
                refuse(problem, query.fields).response()
            json.dumps(dict(query.headers)).encode("latin-1")
        except Refusal as refusal:
            refusal.response()
    return spoken
