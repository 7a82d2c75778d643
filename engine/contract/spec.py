"""`runs/<id>/spec.json`: what a run was asked to do. Written once, never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.contract.events import STAGES
from engine.contract.layout import check_name
from engine.contract.params import PARAMS, check
from engine.contract.problem import ExitCode, Problem

VERSION = 1
PRESETS = ("v2", "tiny")


@dataclass(frozen=True)
class RunSpec:
    """One run. Paths are relative to the work folder, so the folder may move.

    `preset` names the model size (`tiny` proves the trip, `v2` is GPT-SoVITS v2);
    `params` holds only what differs from the table's defaults, keyed by parameter name;
    `pretrained` is a folder name below `pretrained/` or None to start from nothing.
    """

    run: str
    voice: str
    preset: str = "v2"
    list_file: str = ""
    wav_folder: str = ""
    stages: tuple[str, ...] = STAGES
    params: Mapping[str, Any] = field(default_factory=dict)
    pretrained: str | None = None
    proof_text: str = ""
    proof_language: str = "ja"
    version: int = VERSION

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> RunSpec:
        """Read a spec; Problem with every fault named when it is not one."""
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise Problem("engine.spec.not_json", ExitCode.CONFIG, why=str(error)) from error
        if not isinstance(raw, dict) or raw.get("version") != VERSION:
            raise Problem("engine.spec.version", ExitCode.CONFIG, want=VERSION)
        unknown = sorted(set(raw) - set(cls.__dataclass_fields__))
        if unknown or "run" not in raw or "voice" not in raw:
            why = ", ".join(unknown) or "run, voice"
            raise Problem("engine.spec.fields", ExitCode.CONFIG, fields=why)
        spec = cls(**{**raw, "stages": tuple(raw.get("stages", STAGES))})
        spec.validate()
        return spec

    def validate(self) -> None:
        check_name(self.voice)
        if self.preset not in PRESETS:
            raise Problem("engine.spec.preset", ExitCode.CONFIG, preset=self.preset)
        unknown = [stage for stage in self.stages if stage not in STAGES]
        if unknown:
            raise Problem("engine.spec.stage", ExitCode.CONFIG, stage=unknown[0])
        for name, value in self.params.items():
            check(name, value)

    def value(self, name: str) -> Any:
        """The asked-for value of a parameter, else the table's default (may be "auto")."""
        return self.params.get(name, PARAMS[name].default)
