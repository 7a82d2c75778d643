"""The schema of deploy.toml. Unknown keys are refused; a password has no place in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from engine.contract.problem import Problem
from remote.address import literal_version
from remote.config.sections import (
    Autostop,
    Dataset,
    Family,
    Models,
    Network,
    Notify,
    Paths,
    Pull,
    Python,
    Section,
    Train,
)
from remote.config.unfit import Unfit, said, unfit
from remote.hostspec import parse_hops, parse_typed

_NOT_ON_THE_WAY = ("profile", "price_per_hour", "currency")
SERVER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"


class Server(Section):
    """One server: `ssh` is the pasted line, or `host` and friends, or the embedded one."""

    ssh: str | None = Field(None, description="The ssh line your provider shows, pasted whole.")
    host: str | None = Field(None, description="Name or address; IPv6 without brackets.")
    port: int | None = Field(None, ge=1, le=65535, description="SSH port.")
    user: str | None = Field(None, description="Login name.")
    identity: str | None = Field(None, description="Private key file.")
    jump: str | None = Field(None, description="Jump host, as after `ssh -J`.")
    family: Family = Field("auto", description="Address family.")
    host_key: str | None = Field(
        None, pattern=r"^SHA256:[A-Za-z0-9+/]{43}$",
        description="The host key's fingerprint, so that nobody need be asked.",
    )  # fmt: skip
    embedded: bool = Field(False, description="The server sovdeck starts on this computer.")
    profile: Literal["auto", "plain", "autodl", "runpod", "vast", "lambda"] = Field(
        "auto", description="Provider habits: work folder, caches, stop verb."
    )
    price_per_hour: float | None = Field(None, ge=0, description="Shown times the hours used.")
    currency: str = Field("USD", max_length=8, description="Shown beside the price.")

    def way_there(self) -> Server:
        """Only what a connection depends on: two entries with the same way share a link."""
        return self.model_copy(
            update={name: Server.model_fields[name].default for name in _NOT_ON_THE_WAY}
        )

    @model_validator(mode="after")
    def one_address(self) -> Server:
        given = [n for n in ("ssh", "host") if getattr(self, n)] + ["embedded"] * self.embedded
        if len(given) != 1:
            raise unfit("remote.fault.one_address")
        if self.ssh and (self.port or self.user):
            raise unfit("remote.fault.said_twice")
        return self

    @model_validator(mode="after")
    def readable_address(self) -> Server:
        try:
            if self.jump:
                parse_hops(self.jump)
            if self.ssh or self.host:
                host = parse_typed(self.ssh or self.host or "").host
                if self.family != "auto" and literal_version(host) not in (None, self.family):
                    raise unfit("remote.fault.other_family", host=host, family=self.family)
        except Problem as problem:
            raise Unfit([((), said(problem))]) from None
        return self


class Config(Section):
    """The whole file."""

    version: Literal[1] = Field(1, description="Version of this file's format.")
    default_server: str = Field("", description="Server used when none is named.")
    servers: dict[Annotated[str, Field(pattern=SERVER_NAME)], Server] = Field(default_factory=dict)
    paths: Paths = Paths()
    python: Python = Python()
    network: Network = Network()
    models: Models = Models()
    dataset: Dataset = Dataset()
    train: Train = Train()
    pull: Pull = Pull()
    autostop: Autostop = Autostop()
    notify: Notify = Notify()

    @model_validator(mode="after")
    def default_exists(self) -> Config:
        if self.default_server and self.default_server not in self.servers:
            raise unfit("remote.fault.no_default", name=self.default_server)
        return self
