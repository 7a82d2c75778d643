"""`sovdeck config check|schema`: check deploy.toml, print its JSON schema."""

from __future__ import annotations

import argparse
from pathlib import Path

from sovdeck.engine.contract.catalogue import text
from sovdeck.remote.config.load import config_files, examine_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import schema_text
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import add_json_option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `sovdeck config`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check")
    check.add_argument("file", nargs="?", type=Path, metavar="FILE")
    add_json_option(check)
    add_json_option(actions.add_parser("schema"))


def run(args: argparse.Namespace, console: Console) -> int:
    """Check deploy.toml, or print its JSON schema."""
    if args.action == "schema":
        print(schema_text(), end="")
        return 0
    return _check(args, console)


def _check(args: argparse.Namespace, console: Console) -> int:
    app_paths = AppPaths.locate()
    examined = examine_config(args.file or args.config, app_paths)
    for advice in examined.advice:
        console.print_line(text("tui.config.advice", advice=advice).get(console.language))
    config = examined.require()
    files = [str(path) for path in config_files(args.file or args.config, app_paths)]
    if files:
        console.print_message("tui.config.fits", count=len(config.servers), files=", ".join(files))
    else:
        console.print_message("tui.config.no_file")
    console.print_json(
        {
            "status": "ok",
            "files": files,
            "servers": list(config.servers),
            "advice": [one.as_json() for one in examined.advice],
        }
    )
    return 0
