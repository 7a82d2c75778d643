"""The schema of deploy.toml. Unknown keys and passwords are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.config.invalid_value import InvalidValue, invalid_value, problem_text
from sovdeck.remote.config.sections import (
    AutostopSection,
    DatasetSection,
    KeepSection,
    ModelsSection,
    NetworkSection,
    NotifySection,
    PathsSection,
    PullSection,
    PythonSection,
    Section,
    TrainSection,
)
from sovdeck.remote.hosts.address import ip_version
from sovdeck.remote.hosts.spec import Family, parse_hops, parse_ssh_line

_NOT_FOR_CONNECTION = ("profile", "price_per_hour", "currency")
_ADDRESS_KEYS = ("ssh", "host", "embedded", "port", "user")
SERVER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"


class ServerSection(Section):
    """One server: `ssh` is the pasted line, or `host` and friends, or the embedded one."""

    ssh: str | None = Field(None, description="The ssh line your provider shows, pasted whole.")
    host: str | None = Field(None, description="Name or address; IPv6 without brackets.")
    port: int | None = Field(None, ge=1, le=65535, description="SSH port.")
    user: str | None = Field(None, description="Login name.")
    identity: str | None = Field(None, description="Private key file.")
    jump: str | None = Field(None, description="Jump host, as after `ssh -J`.")
    family: Family = Field("auto", description="Address family.")
    host_key: str | None = Field(
        None,
        pattern=r"^SHA256:[A-Za-z0-9+/]{43}$",
        description="The host key's fingerprint, so that nobody need be asked.",
    )
    embedded: bool = Field(False, description="The server sovdeck starts on this computer.")
    profile: Literal[
        "auto",
        "plain",
        "autodl",
        "runpod",
        "vast",
        "gpushare",
        "matpool",
        "featurize",
        "lambda",
        "paperspace",
        "digitalocean",
    ] = Field("auto", description="Provider habits: work folder, caches, stop command.")
    price_per_hour: float | None = Field(None, ge=0, description="Shown times the hours used.")
    currency: str = Field("USD", max_length=8, description="Shown beside the price.")

    def connection_settings(self) -> ServerSection:
        """Return a copy with only what a connection depends on; equal copies share a connection."""
        return self.model_copy(
            update={name: ServerSection.model_fields[name].default for name in _NOT_FOR_CONNECTION}
        )

    @field_validator("ssh", "host", "jump")
    @classmethod
    def check_parsed(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Check that an address or jump hosts can be parsed."""
        try:
            if value and info.field_name == "jump":
                parse_hops(value)
            elif value:
                parse_ssh_line(value)
        except Problem as problem:
            raise InvalidValue([((), problem_text(problem))]) from None
        return value

    @field_validator("family")
    @classmethod
    def check_family(cls, value: Family, info: ValidationInfo) -> Family:
        """Check that a literal address is of the family; an address with a fault is not there."""
        line = info.data.get("ssh") or info.data.get("host")
        host = parse_ssh_line(line).host if line else ""
        if value != "auto" and host and ip_version(host) not in (None, value):
            raise invalid_value("remote.config_issue.other_family", host=host, family=value)
        return value

    @model_validator(mode="after")
    def check_one_address(self) -> ServerSection:
        """Require exactly one of `ssh`, `host` and `embedded`."""
        refused = find_address_fault({name: getattr(self, name) for name in _ADDRESS_KEYS})
        if refused is not None:
            raise InvalidValue([((), refused)])
        return self


def find_address_fault(table: Mapping[str, Any]) -> Text | None:
    """What is wrong with the keys a server's table gives its address by; values may be bad."""
    if sum(bool(table.get(name)) for name in ("ssh", "host", "embedded")) != 1:
        return text("remote.config_issue.one_address")
    if table.get("ssh") and (table.get("port") or table.get("user")):
        return text("remote.config_issue.address_twice")
    return None


class ProjectConfig(Section):
    """The whole file."""

    version: Literal[1] = Field(1, description="Version of this file's format.")
    default_server: str = Field("", description="Server used when none is named.")
    servers: dict[Annotated[str, Field(pattern=SERVER_NAME)], ServerSection] = Field(
        default_factory=dict
    )
    paths: PathsSection = PathsSection()
    python: PythonSection = PythonSection()
    network: NetworkSection = NetworkSection()
    models: ModelsSection = ModelsSection()
    dataset: DatasetSection = DatasetSection()
    train: TrainSection = TrainSection()
    pull: PullSection = PullSection()
    autostop: AutostopSection = AutostopSection()
    keep: KeepSection = KeepSection()
    notify: NotifySection = NotifySection()

    @model_validator(mode="after")
    def check_default_server(self) -> ProjectConfig:
        """Require that `default_server` is one of the servers."""
        if self.default_server and self.default_server not in self.servers:
            raise invalid_value("remote.config_issue.no_default", name=self.default_server)
        return self


def schema_text() -> str:
    """Return the schema as JSON Schema, for editors; indented, ending in a newline."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= ProjectConfig.model_json_schema() | {"title": "deploy.toml of sovdeck"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
