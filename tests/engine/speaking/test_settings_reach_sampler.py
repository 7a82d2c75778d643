"""Every parameter of speaking, from every source and in every spelling, to the pipeline.

The sources are `sovdeck speak`, the engine's own `speak`, JSON lines on a pipe and both HTTP
endpoints. What reads them is the speech pipeline, which is handed a request and stops there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from setting_spellings import as_text, bad_spellings, good_spellings

from sovdeck.engine.commands import speak as engine_speak
from sovdeck.engine.contract.param import Param
from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.settings import SpeakSettings
from sovdeck.engine.speaking.http.errors import Refusal, refuse
from sovdeck.engine.speaking.http.openai_api import parse_openai
from sovdeck.engine.speaking.http.speech_query import SpeechQuery
from sovdeck.engine.speaking.http.tts_api import TTS_FIELDS, parse_tts
from sovdeck.engine.speaking.listener import Listener as SoundListener
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.service import SpeechService
from sovdeck.engine.speaking.stdio_server import serve_lines
from sovdeck.engine.speaking.voice_pool import VoicePool
from sovdeck.tui.cli.commands import speak as laptop_speak
from sovdeck.tui.cli.parser import LocalizedParser

SPEAKING = [param for param in PARAMS.values() if param.group == "infer"]
NEEDED = {"text": "お", "ref_audio": "clip.wav"}


class Asked(Exception):
    """The pipeline was asked to speak."""


class Listener:
    """A speech service whose pipeline and loader only note what they are asked for."""

    def __init__(self) -> None:
        self.service = SpeechService(
            mock.Mock(
                prepared_reference=dict,
                with_named_reference=dict,
                gpt_weights=list,
                sovits_weights=list,
                voice="Mei",
            )
        )
        self.pipeline = mock.Mock(last_tokens={"any": 1})
        self.pipeline.speak_by_chunk.side_effect = Asked
        self.service.load = mock.Mock(return_value=self.pipeline)  # type: ignore[method-assign]

    @property
    def request(self) -> SpeakRequest:
        request = self.pipeline.speak_by_chunk.call_args.args[0]
        assert isinstance(request, SpeakRequest)
        return request

    def got(self, name: str) -> Any:
        """What the pipeline, the sampler or the loader got for `name`."""
        if name.endswith("_weight"):
            return self.service.load.call_args.args[name == "sovits_weight"]  # type: ignore[attr-defined]
        held = getattr(self.request, name, None)
        return getattr(self.request.sampling, name) if held is None else held


def by_engine_options(listener: Listener, name: str, value: Any) -> None:
    parser = argparse.ArgumentParser()
    engine_speak.add_arguments(parser)
    options = as_options(name, value)
    if options is None:
        raise NotSpelled
    needed = {k: v for k, v in NEEDED.items() if k != name}
    args = parser.parse_args(
        ["Mei", *(f"--{k.replace('_', '-')}={v}" for k, v in needed.items()), *options]
    )
    given = {k.removeprefix("infer."): v for k, v in vars(args).items() if k.startswith("infer.")}
    listener.service.speak({k: v for k, v in given.items() if v is not None}, lambda _: None)


def by_laptop_options(listener: Listener, name: str, value: Any) -> None:
    options = as_options(name, value)
    if options is None or name == "text":
        raise NotSpelled
    if PARAMS[f"infer.{name}"].kind == "bool" and name != "verify":
        if value is not True:
            raise NotSpelled  # a switch is there or not
        options = [options[0].partition("=")[0]]
    parser = LocalizedParser(key_prefix="speak")
    laptop_speak.add_arguments(parser)
    given = laptop_speak.speech_params(parser.parse_args(options))
    by_pipe(listener, given)


def by_pipe(listener: Listener, given: Any, value: Any = None) -> None:
    params = given if isinstance(given, dict) else {given: value}
    line = json.dumps({"id": 1, "speak": {**NEEDED, **params}})
    answers: list[Any] = []
    serve_lines(listener.service, [line], answers.append)
    raise Refused(answers[1]["message"]["en"])


def by_openai(listener: Listener, name: str, value: Any) -> None:
    given = json.loads(json.dumps({**NEEDED, name: value}))
    by_http(listener, parse_openai, {"input": given.pop("text"), "infer": given})


def by_tts(listener: Listener, name: str, value: Any) -> None:
    if name not in CLIENT_FIELDS or value in ("", None) or value == []:
        raise NotSpelled  # api_v2 sends these for what it does not set
    if name == "speed" and value is not True and not isinstance(value, str | list):
        raise NotSpelled  # one out of range becomes the nearest; tested with the endpoints
    body = {CLIENT_FIELDS[k]: v for k, v in {**NEEDED, name: value}.items()}
    by_http(listener, parse_tts, json.loads(json.dumps(body)))


def by_http(
    listener: Listener,
    parse: Callable[[dict[str, Any], VoicePool], SpeechQuery],
    body: dict[str, Any],
) -> None:
    """As the endpoints do, but for the files, which are not there."""
    voices = VoicePool(lambda _: listener.service, lambda: ["Mei"], "Mei")
    query = parse(body, voices)
    try:
        list(listener.service.speak_by_chunk(query.params, SoundListener()))
    except Problem as problem:
        raise refuse(problem, query.fields) from None


CLIENT_FIELDS = {ours: field for field, ours in TTS_FIELDS.items()}
SOURCES = (by_engine_options, by_laptop_options, by_pipe, by_openai, by_tts)


class NotSpelled(Exception):
    """This source has no way to say it."""


class Refused(Exception):
    """The pipe answered with an error."""


def as_options(name: str, value: Any) -> list[str] | None:
    flag = "--" + name.replace("_", "-")
    kind = PARAMS[f"infer.{name}"].kind
    values = value if kind == "paths" and isinstance(value, list) and value else [value]
    if kind in ("text", "path", "paths") and not all(isinstance(one, str) for one in values):
        return None  # typed, it would be text
    texts = [as_text(one) for one in values]
    return None if None in texts else [f"{flag}={text}" for text in texts]


@pytest.mark.parametrize("param", SPEAKING, ids=lambda param: param.name)
def test_what_was_asked_for_is_what_speaks(param: Param) -> None:
    name = param.name.removeprefix("infer.")
    reached = set()
    for converted, spellings in good_spellings(param):
        for source in SOURCES:
            for value in spellings:
                listener = Listener()
                try:
                    with pytest.raises(Asked):
                        source(listener, name, value)
                except NotSpelled:
                    continue
                reached.add(source)
                held = listener.got(name)
                if param.kind == "paths":
                    held = tuple(map(str, held))
                elif name == "ref_audio":
                    held = str(held)
                assert held == converted and type(held) is type(converted), (source, value)
    assert len(reached) >= 3


@pytest.mark.parametrize("param", SPEAKING, ids=lambda param: param.name)
def test_what_does_not_convert_is_one_sentence(param: Param) -> None:
    name = param.name.removeprefix("infer.")
    for source in SOURCES:
        for value in bad_spellings(param):
            if name == "verify" and source is by_laptop_options:
                continue  # takes a number of attempts; tested with the command
            try:
                source(Listener(), name, value)
            except NotSpelled:
                continue
            except (Problem, Refusal, Refused) as refused:
                said = refused.problem.sentence() if isinstance(refused, Refusal) else str(refused)
                named = param.name in said or CLIENT_FIELDS.get(name, param.name) in said
                assert named and "\n" not in said and len(said) < 400, (source, value)
            else:
                raise AssertionError((source, value))


def test_a_requests_own_defaults_are_the_tables() -> None:
    made = SpeakRequest.from_params({"text": "a", "ref_audio": "b.wav"})
    assert made == SpeakRequest("a", Path("b.wav"))
    assert set(vars(SpeakSettings.from_params({}))) <= {
        *vars(made),
        *vars(made.sampling),
        "gpt_weight",
        "sovits_weight",
    }
