"""The user's address book of servers: adds and removes entries, keeping comments and order."""

from __future__ import annotations

import re
from pathlib import Path

import tomlkit
from tomlkit.container import OutOfOrderTableProxy
from tomlkit.items import Table

from engine.contract.problem import ExitCode, Problem
from remote.config.places import Places
from remote.config.schema import SERVER_NAME, Config, Server


def check_free(places: Places, name: str, *, replace: bool = False) -> None:
    """Problem when a server cannot be saved under `name`; asked before anything is dialled."""
    if not re.match(SERVER_NAME, name):
        raise Problem("remote.config.bad_server_name", ExitCode.CONFIG, name=name)
    servers = _servers(_read(places.servers))
    if name in servers and not replace:
        line = str(servers[name].get("ssh", ""))
        raise Problem("remote.config.server_exists", ExitCode.CONFIG, name=name, line=line)


def add(places: Places, name: str, server: Server, *, replace: bool = False) -> None:
    """Write `server` as `[servers.NAME]`; Problem when the name is taken or not allowed."""
    check_free(places, name, replace=replace)
    document = _read(places.servers)
    servers = _servers(document)
    entry = tomlkit.table()
    for key, value in server.model_dump(exclude_defaults=True).items():
        entry[key] = value
    servers[name] = entry
    _write(places.servers, tomlkit.dumps(document))


def remove(places: Places, name: str) -> None:
    document = _read(places.servers)
    servers = _servers(document)
    if name not in servers:
        known = ", ".join(servers) or "-"
        raise Problem("remote.config.no_server", ExitCode.CONFIG, name=name, known=known)
    del servers[name]
    _write(places.servers, tomlkit.dumps(document))


def pick(config: Config, name: str | None) -> tuple[str, Server]:
    """The named server, else the default one, else the only one."""
    known = ", ".join(config.servers)
    wanted = name or config.default_server
    if not wanted and len(config.servers) == 1:
        wanted = known
    if not wanted:
        raise Problem("remote.config.which_server", ExitCode.CONFIG, known=known)
    if wanted not in config.servers:
        raise Problem("remote.config.no_server", ExitCode.CONFIG, name=wanted, known=known)
    return wanted, config.servers[wanted]


def _read(path: Path) -> tomlkit.TOMLDocument:
    if not path.is_file():
        return tomlkit.document()
    return tomlkit.parse(path.read_text(encoding="utf-8"))


def _servers(document: tomlkit.TOMLDocument) -> Table | OutOfOrderTableProxy:
    if "servers" not in document:
        document["servers"] = tomlkit.table(is_super_table=True)
    servers = document["servers"]
    assert isinstance(servers, (Table, OutOfOrderTableProxy))
    return servers


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
