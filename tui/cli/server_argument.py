"""The SERVER argument of commands, and the server session it selects."""

from __future__ import annotations

import argparse

from sovdeck.engine.contract.layout import check_voice_name
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config import servers_file
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ProjectConfig
from sovdeck.remote.servers.server import ServerSession
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import add_json_option
from sovdeck.tui.cli.prompts import TerminalDialog


def add_server_argument(parser: argparse.ArgumentParser, *, multiple: bool = False) -> None:
    """Add SERVER, `--json` and `--accept-host-key`; `multiple` allows several servers."""
    parser.add_argument("server", nargs="*" if multiple else "?", metavar="SERVER")
    add_json_option(parser)
    parser.add_argument(
        "--accept-host-key", action="append", default=[], metavar="SHA256:...", dest="accept"
    )


def open_session(
    args: argparse.Namespace, console: Console, dialog: TerminalDialog | None = None
) -> ServerSession:
    """A session for the server in `args`, else the default of deploy.toml; not yet connected."""
    config, app_paths = _read_config(args)
    name, _ = servers_file.select_server(config, args.server)
    return _make_sessions(args, console, config, app_paths, [name], dialog)[0]


def open_named_sessions(
    args: argparse.Namespace, console: Console, names: list[str], dialog: TerminalDialog
) -> list[ServerSession]:
    """Sessions for servers by their names; Problem for one that is not saved; not yet connected."""
    config, app_paths = _read_config(args)
    known = [servers_file.select_server(config, name)[0] for name in names]
    return _make_sessions(args, console, config, app_paths, known, dialog)


def read_server_names(args: argparse.Namespace) -> tuple[str, ...]:
    """The names of all saved servers."""
    config, _ = _read_config(args)
    return tuple(config.servers)


def open_sessions(args: argparse.Namespace, console: Console) -> list[ServerSession]:
    """Sessions for the server in `args`, else for all servers; not yet connected."""
    config, app_paths = _read_config(args)
    names = (
        [servers_file.select_server(config, args.server)[0]]
        if args.server
        else list(config.servers)
    )
    return _make_sessions(args, console, config, app_paths, names)


def _read_config(args: argparse.Namespace) -> tuple[ProjectConfig, AppPaths]:
    app_paths = AppPaths.locate()
    return load_config(args.config, app_paths), app_paths


def _make_sessions(
    args: argparse.Namespace,
    console: Console,
    config: ProjectConfig,
    app_paths: AppPaths,
    names: list[str],
    dialog: TerminalDialog | None = None,
) -> list[ServerSession]:
    accept = frozenset(getattr(args, "accept", ()))
    dialog = dialog or TerminalDialog(console)
    return [
        ServerSession(name, config.servers[name], config, app_paths, dialog, accept=accept)
        for name in names
    ]


def require_voice(args: argparse.Namespace, session: ServerSession) -> str:
    """The voice in `args`, else that of deploy.toml; Problem when there is none."""
    voice = args.voice or session.config.train.voice
    if not voice:
        raise Problem("tui.cli.no_voice", ExitCode.CONFIG)
    return check_voice_name(str(voice))
