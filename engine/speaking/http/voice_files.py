"""Paths that a request may name: nothing outside the voice's own folders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sovdeck.engine.contract.layout import weight_name
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.http.errors import Refusal
from sovdeck.engine.speaking.voice_loader import VoiceLoader
from sovdeck.engine.speaking.voice_pool import VoicePool

_MOST_NAMED = 20


def confine_files(
    loader: VoiceLoader, params: Mapping[str, Any], fields: Mapping[str, str]
) -> dict[str, Any]:
    """Return `infer` params whose files are the voice's own; Refusal for any other."""
    found = params = loader.with_named_reference(params)
    for name in ("ref_audio", "aux_refs"):
        given = params.get(name)
        field = fields.get(name, name)
        if isinstance(given, (list, tuple)) and name == "aux_refs":
            found[name] = [resolve_reference(loader, one, field) for one in given]
        elif given:
            found[name] = resolve_reference(loader, given, field)
    for stage in ("gpt", "sovits"):
        name = f"{stage}_weight"
        if params.get(name):
            found[name] = resolve_weight(loader, stage, params[name], fields.get(name, name))
    return found


def resolve_reference(loader: VoiceLoader, given: Any, field: str) -> str:
    """Return the clip's path: absolute, or relative to one of the voice's folders.

    Refusal for what lies outside of them, links followed, and for what is not there; the answer
    is the same for both, so that nobody learns what files there are.
    """
    if not isinstance(given, str):
        raise Refusal(Problem("engine.http.not_text", ExitCode.CONFIG, name=field), field=field)
    folders = [folder.resolve() for folder in loader.clip_folders()]
    if "\0" not in given:
        for folder in folders:
            path = (folder / given).resolve()  # an absolute path stays as it is
            if any(path.is_relative_to(one) for one in folders) and path.is_file():
                return str(path)
    problem = Problem("engine.http.foreign_path", ExitCode.CONFIG, name=field, voice=loader.voice)
    raise Refusal(problem, field=field)


def resolve_weight(loader: VoiceLoader, stage: str, given: Any, field: str) -> str:
    """Return the listed name of a weight of the voice, by that name or its path; Refusal."""
    found = _match_weight(loader, stage, given)
    if found is None:
        raise _foreign_weight(loader.voice, field)
    return found


def find_weight(voices: VoicePool, stage: str, given: str, field: str) -> tuple[str, str]:
    """Return the voice that has a weight, the default one before others, and its listed name.

    As `resolve_weight`; Refusal when no voice has it.
    """
    names = voices.names()
    for voice in names:
        found = _match_weight(voices.loader(voice), stage, given)
        if found is not None:
            return voice, found
    raise _foreign_weight(", ".join(names[:_MOST_NAMED]), field)


def _match_weight(loader: VoiceLoader, stage: str, given: Any) -> str | None:
    weights = loader.gpt_weights() if stage == "gpt" else loader.sovits_weights()
    for weight in weights:
        if given in (weight_name(weight.path), weight.path.name, str(weight.path)):
            return weight_name(weight.path)
    return None


def _foreign_weight(voice: str, field: str) -> Refusal:
    problem = Problem("engine.http.foreign_weight", ExitCode.CONFIG, voice=voice)
    return Refusal(problem, field=field)
