"""The schema of deploy.toml. Unknown keys are refused; a password has no place in it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from engine.contract.params import PARAMS, check
from engine.contract.problem import Problem

SERVER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(Section):
    """One server: `ssh` is the pasted line, or `host` and friends, or the embedded one."""

    ssh: str | None = Field(None, description="The ssh line your provider shows, pasted whole.")
    host: str | None = Field(None, description="Name or address; IPv6 without brackets.")
    port: int | None = Field(None, ge=1, le=65535, description="SSH port.")
    user: str | None = Field(None, description="Login name.")
    identity: str | None = Field(None, description="Private key file.")
    jump: str | None = Field(None, description="Jump host, as after `ssh -J`.")
    family: Literal["auto", "4", "6"] = Field("auto", description="Address family.")
    embedded: bool = Field(False, description="The server sovdeck starts on this computer.")
    profile: Literal["auto", "plain", "autodl", "runpod", "vast", "lambda"] = Field(
        "auto", description="Provider habits: work folder, caches, stop verb."
    )
    price_per_hour: float | None = Field(None, ge=0, description="Shown times the hours used.")
    currency: str = Field("USD", max_length=8, description="Shown beside the price.")

    @model_validator(mode="after")
    def one_address(self) -> Server:
        given = [n for n in ("ssh", "host") if getattr(self, n)] + ["embedded"] * self.embedded
        if len(given) != 1:
            raise ValueError("give exactly one of ssh, host or embedded = true")
        if self.ssh and (self.port or self.user):
            raise ValueError("port and user are already in the ssh line; keep one of them")
        return self


class Paths(Section):
    """Folders; on the server the profile's data disk is taken when `work` is empty."""

    work: str = Field("", description="Work folder on the server; empty: chosen by the probe.")
    outputs: str = Field("./voices", description="Where voices land on this computer.")


class Python(Section):
    """Which Python the engine runs in on the server."""

    path: str = Field("", description="Interpreter that has torch already; empty: found or made.")
    wheels: str = Field("", description="A folder of wheels for servers without internet.")
    index: tuple[str, ...] = Field((), description="Package indexes, tried in order.")


class Dataset(Section):
    """What is pushed: a .list file and the folder of its recordings."""

    list: str = Field("", description="GPT-SoVITS .list file: wav|speaker|language|text.")
    wavs: str = Field("", description="Folder of the recordings; empty: beside the list.")


class Train(Section):
    """What is trained; parameters are those of `sovdeck params`."""

    voice: str = Field("", description="Name of the voice (experiment).")
    preset: Literal["v2", "tiny"] = Field("v2", description="Model size; tiny proves the trip.")
    pretrained: str = Field("v2", description="Folder below pretrained/; empty: from nothing.")
    proof_text: str = Field("", description="Sentence spoken at the end as proof.")
    proof_language: str = Field("ja", description="Its language.")
    params: dict[str, Any] = Field(default_factory=dict, description='"sovits.epochs" = 8 ...')

    @field_validator("params")
    @classmethod
    def known_params(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, given in _flat(value).items():
            try:
                check(name, given)
            except Problem as problem:
                raise ValueError(problem.sentence()) from None
        return _flat(value)


class Config(Section):
    """The whole file."""

    version: Literal[1] = Field(1, description="Version of this file's format.")
    default_server: str = Field("", description="Server used when none is named.")
    servers: dict[Annotated[str, Field(pattern=SERVER_NAME)], Server] = Field(default_factory=dict)
    paths: Paths = Paths()
    python: Python = Python()
    dataset: Dataset = Dataset()
    train: Train = Train()

    @model_validator(mode="after")
    def default_exists(self) -> Config:
        if self.default_server and self.default_server not in self.servers:
            raise ValueError(f'default_server "{self.default_server}" is not among [servers]')
        return self


def _flat(params: dict[str, Any]) -> dict[str, Any]:
    """`[train.params.sovits] epochs = 8` and `"sovits.epochs" = 8` mean the same."""
    flat: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, dict) and name not in PARAMS:
            flat.update({f"{name}.{inner}": item for inner, item in value.items()})
        else:
            flat[name] = value
    return flat
