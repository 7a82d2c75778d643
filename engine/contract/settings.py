"""The settings of training and of speaking as typed values, converted once.

Whatever a value came from (deploy.toml, `--set`, a form, spec.json, HTTP), `from_params` converts
it by the parameter table; behind it every setting is a field that has its type. The fields are
those of the table: tests/engine/contract/test_typed_settings.py holds names, types and choices
equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

from sovdeck.engine.contract.params import PARAMS, ParamValue, check_value, convert_params
from sovdeck.engine.contract.problem import ExitCode, Problem

SPEAK_GROUP = "infer"


@dataclass(frozen=True)
class TextSettings:
    """The group `text`: how transcripts are read."""

    reading: Literal["spoken", "upstream"]


@dataclass(frozen=True)
class StageSettings:
    """What both training stages have; `batch_size` is clips per GPU."""

    batch_size: int | Literal["auto"]
    epochs: int
    keep_resume: Literal["latest", "all"]
    export_each_save: bool
    save_every_epochs: int


@dataclass(frozen=True)
class SovitsStageSettings(StageSettings):
    """The group `sovits`."""

    text_lr_scale: float
    grad_checkpoint: bool


@dataclass(frozen=True)
class GptStageSettings(StageSettings):
    """The group `gpt`."""

    dpo: bool


@dataclass(frozen=True)
class RunSettings:
    """The group `train`: what holds for a whole run. `gpus` are numbers joined by "-"."""

    gpus: str
    device: Literal["auto", "cuda", "cpu"]
    precision: Literal["auto", "bf16", "fp16", "fp32"]
    deterministic: bool
    schedule: Literal["fixed", "upstream"]
    repeats: int | Literal["auto"]
    save_every_minutes: int
    seed: int
    on_oom: Literal["shrink", "stop"]
    on_change: Literal["continue", "restart", "stop"]

    @property
    def gpu_count(self) -> int:
        """How many GPUs, and so processes, train."""
        return len(self.gpus.split("-"))


@dataclass(frozen=True)
class PackSettings:
    """The group `pack`."""

    contents: Literal["voice", "all-epochs", "resumable"]


@dataclass(frozen=True)
class TrainSettings:
    """Every setting of a run; one field a group of the parameter table."""

    text: TextSettings
    sovits: SovitsStageSettings
    gpt: GptStageSettings
    train: RunSettings
    pack: PackSettings

    @classmethod
    def from_params(cls, given: Mapping[str, Any]) -> TrainSettings:
        """Convert values by full name, such as `gpt.epochs`; absent ones take their defaults.

        Problem for a name that is none or no setting of training, and for a value that does not
        convert.
        """
        values = convert_train_params(given)
        return cls(
            text=_make_group(TextSettings, "text", values),
            sovits=_make_group(SovitsStageSettings, "sovits", values),
            gpt=_make_group(GptStageSettings, "gpt", values),
            train=_make_group(RunSettings, "train", values),
            pack=_make_group(PackSettings, "pack", values),
        )

    def stage(self, name: str) -> StageSettings:
        """The settings of stage "sovits" or "gpt" that both have."""
        return {"sovits": self.sovits, "gpt": self.gpt}[name]

    def as_params(self) -> dict[str, ParamValue]:
        """Every setting by its full name, defaults too."""
        return {
            f"{group.name}.{name}": value
            for group in fields(self)
            for name, value in vars(getattr(self, group.name)).items()
        }


TRAIN_GROUPS = tuple(group.name for group in fields(TrainSettings))


@dataclass(frozen=True)
class SpeakSettings:
    """Every setting of one take: the group `infer`. Empty weights and clip: those of the voice."""

    gpt_weight: str
    sovits_weight: str
    ref_audio: str
    aux_refs: tuple[str, ...]
    no_ref_text: bool
    ref_text: str
    ref_lang: str
    text: str
    text_lang: str
    slice: str
    speed: float
    pitch: float
    pause_s: float
    rerender_last: bool
    early: bool
    top_k: int
    top_p: float
    temperature: float
    repetition_penalty: float
    seed: int
    verify: bool
    max_rerolls: int

    @classmethod
    def from_params(cls, given: Mapping[str, Any]) -> SpeakSettings:
        """Convert values by name without the prefix `infer`; absent ones take their defaults."""
        values = convert_speak_params(given)
        return _make_group(cls, SPEAK_GROUP, {f"{SPEAK_GROUP}.{k}": v for k, v in values.items()})


def convert_train_params(given: Mapping[str, Any]) -> dict[str, ParamValue]:
    """Convert what is given of training, by full name; Problem for the first that does not fit."""
    values = convert_params(given)
    for name in values:
        check_trains(name)
    return values


def check_trains(name: str) -> None:
    """Problem when the parameter `name` is none of training."""
    if PARAMS[name].group not in TRAIN_GROUPS:
        groups = ", ".join(TRAIN_GROUPS)
        raise Problem("engine.params.not_training", ExitCode.CONFIG, name=name, groups=groups)


def convert_speak_params(given: Mapping[str, Any]) -> dict[str, ParamValue]:
    """Convert what is given of speaking, by name without prefix; Problem as `check_value`."""
    return {name: check_value(f"{SPEAK_GROUP}.{name}", value) for name, value in given.items()}


def parse_train_options(options: Iterable[str]) -> dict[str, ParamValue]:
    """`["gpt.epochs=3"]` as converted values; Problem for what is no NAME=VALUE too."""
    given: dict[str, str] = {}
    for option in options:
        name, sign, value = option.partition("=")
        if not sign:
            raise Problem("engine.run.not_a_pair", ExitCode.CONFIG, pair=option)
        given[name.strip()] = value.strip()
    return convert_train_params(given)


_Group = TypeVar("_Group")


def _make_group(kind: type[_Group], group: str, values: Mapping[str, ParamValue]) -> _Group:
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return kind(
        **{name: values.get(f"{group}.{name}", PARAMS[f"{group}.{name}"].default) for name in names}
    )
