"""The user's file of servers: adds and removes entries, keeping comments and order."""

from __future__ import annotations

import re
from pathlib import Path

import tomlkit
from tomlkit.container import OutOfOrderTableProxy
from tomlkit.items import Table

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import SERVER_NAME, ProjectConfig, ServerSection


def check_name_free(app_paths: AppPaths, name: str, *, replace: bool = False) -> None:
    """Problem when a server cannot be saved under `name`; checked before connecting."""
    if not re.fullmatch(SERVER_NAME, name):
        raise Problem("remote.config.bad_server_name", ExitCode.CONFIG, name=name)
    servers = _servers_table(_read_document(app_paths.servers_file))
    if name in servers and not replace:
        line = str(servers[name].get("ssh", ""))
        raise Problem("remote.config.server_exists", ExitCode.CONFIG, name=name, line=line)


def add_server(
    app_paths: AppPaths, name: str, server: ServerSection, *, replace: bool = False
) -> None:
    """Write `server` as `[servers.NAME]`; Problem when the name is taken or not allowed."""
    check_name_free(app_paths, name, replace=replace)
    document = _read_document(app_paths.servers_file)
    servers = _servers_table(document)
    entry = tomlkit.table()
    for key, value in server.model_dump(exclude_defaults=True).items():
        entry[key] = value
    servers[name] = entry
    _write(app_paths.servers_file, tomlkit.dumps(document))


def remove_server(app_paths: AppPaths, name: str) -> None:
    """Remove `[servers.NAME]`; Problem when there is none."""
    document = _read_document(app_paths.servers_file)
    servers = _servers_table(document)
    if name not in servers:
        known = ", ".join(servers) or "-"
        raise Problem("remote.config.no_server", ExitCode.CONFIG, name=name, known=known)
    del servers[name]
    _write(app_paths.servers_file, tomlkit.dumps(document))


def select_server(config: ProjectConfig, name: str | None) -> tuple[str, ServerSection]:
    """Return the named server, else the default one, else the only one."""
    known = ", ".join(config.servers)
    wanted = name or config.default_server
    if not wanted and len(config.servers) == 1:
        wanted = known
    if not wanted:
        raise Problem("remote.config.which_server", ExitCode.CONFIG, known=known)
    if wanted not in config.servers:
        if all(server.embedded for server in config.servers.values()):
            raise Problem("remote.config.none_saved", ExitCode.CONFIG, name=wanted)
        raise Problem("remote.config.no_server", ExitCode.CONFIG, name=wanted, known=known)
    return wanted, config.servers[wanted]


def _read_document(path: Path) -> tomlkit.TOMLDocument:
    if not path.is_file():
        return tomlkit.document()
    return tomlkit.parse(path.read_text(encoding="utf-8"))


def _servers_table(document: tomlkit.TOMLDocument) -> Table | OutOfOrderTableProxy:
    if "servers" not in document:
        document["servers"] = tomlkit.table(is_super_table=True)
    servers = document["servers"]
    assert isinstance(servers, (Table, OutOfOrderTableProxy))
    return servers


def _write(path: Path, text: str) -> None:
    write_atomic(path, text.encode(), mode=0o600, keep_mode=False)  # it names hosts and users
