"""`runs/<id>/spec.json`: what a run was asked to do. Written once, never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sovdeck.engine.contract.events import STAGES
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.layout import check_voice_name
from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.settings import TrainSettings, convert_train_params

SPEC_VERSION = 1
TINY_PRESETS = ("tiny", "tinyPro")  # toys, from nothing
PRESETS = ("auto", "v2Pro", "v2ProPlus", "v2", *TINY_PRESETS)


def version_of_preset(preset: str) -> str:
    """The GPT-SoVITS version of a preset that is decided, so not "auto"."""
    return {"tiny": "v2", "tinyPro": "v2Pro"}.get(preset, preset)


@dataclass(frozen=True)
class RunSpec:
    """One run. Paths are relative to the work folder, so the folder may move.

    `preset` names the network: a version of GPT-SoVITS, or the toys `tiny` and `tinyPro`,
    which have v2's and v2Pro's parts; `auto` is v2Pro, or v2 where only its weights are there;
    `params` holds only what was asked for, keyed by parameter name, and may be given as text;
    `settings` are all of training, converted from it when the spec is made, which is a Problem
    for a value that does not convert. `pretrained` is a folder name below `pretrained/` or None to
    start from nothing.
    """

    run: str
    voice: str
    preset: str = "auto"
    list_file: str = ""
    wav_folder: str = ""
    stages: tuple[str, ...] = STAGES
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    pretrained: str | None = None
    proof_text: str = ""
    proof_language: str = "ja"
    version: int = SPEC_VERSION

    settings: TrainSettings = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Whoever makes one, what reads it finds converted values only.
        object.__setattr__(self, "params", convert_train_params(self.params))
        object.__setattr__(self, "settings", TrainSettings.from_params(self.params))

    def to_json(self) -> str:
        """The text of `spec.json`."""
        written = {one.name: getattr(self, one.name) for one in fields(self) if one.init}
        return json.dumps(written, ensure_ascii=False, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> RunSpec:
        """Read a spec; Problem for text that is not a valid one."""
        try:
            raw = parse_json(text)
        except ValueError as error:
            raise Problem("engine.spec.not_json", ExitCode.CONFIG, why=str(error)) from error
        if not isinstance(raw, dict) or raw.get("version") != SPEC_VERSION:
            raise Problem("engine.spec.version", ExitCode.CONFIG, want=SPEC_VERSION)
        known = {one.name for one in fields(cls) if one.init}
        unknown = sorted(set(raw) - known)
        if unknown or "run" not in raw or "voice" not in raw:
            why = ", ".join(unknown) or "run, voice"
            raise Problem("engine.spec.fields", ExitCode.CONFIG, fields=why)
        mistyped = sorted(name for name, value in raw.items() if not _is_typed(name, value))
        if mistyped:
            raise Problem("engine.spec.mistyped", ExitCode.CONFIG, fields=", ".join(mistyped))
        spec = cls(**{**raw, "stages": tuple(raw.get("stages", STAGES))})
        spec.validate()
        return spec

    def validate(self) -> None:
        """Raise Problem for the first name, preset or stage that is not valid."""
        check_voice_name(self.voice)
        if self.preset not in PRESETS:
            raise Problem("engine.spec.preset", ExitCode.CONFIG, preset=self.preset)
        unknown = [stage for stage in self.stages if stage not in STAGES]
        if unknown:
            raise Problem("engine.spec.stage", ExitCode.CONFIG, stage=unknown[0])


def _is_typed(name: str, value: Any) -> bool:
    """Whether a field of spec.json holds the JSON type it must."""
    if name == "params":
        return isinstance(value, dict)
    if name == "stages":
        return isinstance(value, list) and all(isinstance(stage, str) for stage in value)
    return name == "version" or isinstance(value, str) or (name == "pretrained" and value is None)
