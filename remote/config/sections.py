"""The sections of deploy.toml beside its servers: where, with what, and what happens afterwards."""

from __future__ import annotations

import builtins
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, field_validator

from sovdeck.engine.contract.layout import check_voice_name
from sovdeck.engine.contract.params import PARAMS, ParamValue
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.settings import convert_train_params
from sovdeck.remote.config.duration import parse_duration
from sovdeck.remote.config.invalid_value import InvalidValue, problem_text
from sovdeck.remote.hosts.spec import Family


class Section(BaseModel):
    """A table of deploy.toml: unknown keys are refused, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _check_duration(value: str) -> str:
    if value:
        try:
            parse_duration(value)
        except Problem as problem:
            raise InvalidValue([((), problem_text(problem))]) from None
    return value


# "90s", "10m", "1.5h" or "2d"; empty means never.
Duration = Annotated[
    str,
    AfterValidator(_check_duration),
    WithJsonSchema({"type": "string", "pattern": r"^([0-9]{1,6}(\.[0-9]{1,3})? ?[smhd])?$"}),
]


class PathsSection(Section):
    """Folders; on the server the profile's data disk is taken when `work` is empty."""

    work: str = Field(
        "", description="Work folder on each server, this computer's own too; empty: chosen."
    )
    outputs: str = Field("./voices", description="Where voices are downloaded to on this computer.")


class PythonSection(Section):
    """Which Python and which packages the engine runs with on the server."""

    path: str = Field("", description="Interpreter that has torch already; empty: found or made.")
    wheels: str = Field("", description="A folder of wheels for servers without internet.")
    index: tuple[str, ...] = Field((), description="Package indexes (mirrors), tried in order.")
    torch: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cu\d{2,3})$",
        description="Build of torch, for example cu128; auto: by the driver.",
    )
    torch_index: str = Field(
        "",
        description="Where torch's builds lie, to which the build's name is appended; "
        "empty: PyTorch's own index and mirrors of it.",
    )


class NetworkSection(Section):
    """How this computer reaches servers, and what it fetches for them."""

    family: Family = Field("auto", description="Address family of servers that name none.")
    timeout: float = Field(
        15.0, ge=1, le=300, description="Seconds for dialling, greeting and each log-in."
    )
    relay: bool = Field(
        False, description="Packages are downloaded here and sent, since the server cannot."
    )


class ModelsSection(Section):
    """The pretrained weights that training starts from."""

    set: str = Field("v2", description="Which set `sovdeck models` gets.")
    sources: tuple[str, ...] = Field((), description="Mirrors of the hub, tried in order.")


class DatasetSection(Section):
    """What is pushed: a .list file and the folder of its recordings."""

    list: str = Field("", description="GPT-SoVITS .list file: wav|speaker|language|text.")
    wavs: str = Field("", description="Folder of the recordings; empty: beside the list.")


class TrainSection(Section):
    """What is trained; parameters are those of `sovdeck params`."""

    voice: str = Field("", description="Name of the voice (experiment).")
    preset: Literal["auto", "v2Pro", "v2ProPlus", "v2", "tiny", "tinyPro"] = Field(
        "auto", description="Version; auto: v2Pro where its weights are. tiny: a toy, no voice."
    )
    pretrained: str = Field("v2", description="Folder below pretrained/; empty: from nothing.")
    proof_text: str = Field("", description="Sentence spoken at the end as proof.")
    proof_language: str = Field("ja", description="Its language.")
    params: dict[str, Any] = Field(default_factory=dict, description='"sovits.epochs" = 8 ...')

    @field_validator("voice")
    @classmethod
    def check_voice(cls, value: str) -> str:
        """Check that the name can name a voice; empty: none is named."""
        try:
            return check_voice_name(value) if value else value
        except Problem as problem:
            raise InvalidValue([((), problem_text(problem))]) from None

    @field_validator("params")
    @classmethod
    def check_params(cls, value: dict[str, Any]) -> dict[str, ParamValue]:
        """Convert every parameter, and flatten nested tables to dotted names."""
        flat: dict[str, ParamValue] = {}
        issues = []
        for name, path, given in _flatten_params(value):
            try:
                flat |= convert_train_params({name: given})
            except Problem as problem:
                issues.append((path, problem_text(problem)))
        if issues:
            raise InvalidValue(issues)
        return flat


class PullSection(Section):
    """How voices are downloaded."""

    contents: Literal["voice", "all-epochs", "resumable"] = Field(
        "voice", description="What is packed: the chosen pair, every epoch, or all to continue."
    )
    auto: Literal["off", "each", "best"] = Field(
        "off", description="Pull by itself while a run is followed: at each save, or the best."
    )
    limit_mbit: float = Field(0, ge=0, description="Megabits a second at most; 0: no limit.")
    connections: int = Field(
        0, ge=0, le=8, description="Connections at once; 0: chosen by distance."
    )
    verify: bool = Field(True, description="Compare SHA-256 with the server's.")


class AutostopSection(Section):
    """When the server switches itself off, with the laptop shut. Nothing is ever destroyed."""

    after_success: Duration = Field("", description="So long after the last run succeeded.")
    after_failure: Duration = Field("", description="So long after the last run failed.")
    idle: Duration = Field("", description="When nothing ran and nobody asked for so long.")
    gpu_idle: Duration = Field("", description="When no GPU did anything for so long.")
    gpu_percent: int = Field(5, ge=0, le=100, description="A GPU at most this busy is idle.")
    max_time: Duration = Field("", description="Whatever happens, so long from the start.")
    max_cost: float = Field(
        0, ge=0, description="Whatever happens, at this sum; needs price_per_hour. 0: no cap."
    )
    only_after_pull: bool = Field(True, description="Wait until the voice was pulled, verified.")
    pull_deadline: Duration = Field("2h", description="Then stop all the same; empty: never.")
    poweroff: bool = Field(
        False, description="A server of your own, without a provider, is switched off by poweroff."
    )


class KeepSection(Section):
    """What the server itself removes of a finished voice, with the laptop shut."""

    resume_states: Duration = Field(
        "",
        description="Resume states of a voice go so long after its last run succeeded, once its "
        "pack was pulled and verified; empty: never.",
    )


class NotifySection(Section):
    """Who is told when a followed run ends."""

    desktop: bool = Field(False, description="A notification of this computer's desktop.")
    bell: bool = Field(False, description="The terminal's bell.")
    webhook: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_.-]{0,63}$",
        description="Name under which `sovdeck notify set` keeps the address in the keyring.",
    )
    wechat: bool = Field(
        False, description="A WeChat message by AutoDL; its token: `sovdeck notify set wechat`."
    )
    on: Literal["always", "failure"] = Field("always", description="At which ends.")


def _flatten_params(params: dict[str, Any]) -> builtins.list[tuple[str, tuple[str, ...], Any]]:
    """(name, keys, value): `[train.params.sovits] epochs = 8` means `"sovits.epochs" = 8`."""
    flat: builtins.list[tuple[str, tuple[str, ...], Any]] = []
    for name, value in params.items():
        if isinstance(value, dict) and name not in PARAMS:
            flat += [(f"{name}.{inner}", (name, inner), item) for inner, item in value.items()]
        else:
            flat.append((name, (name,), value))
    return flat
