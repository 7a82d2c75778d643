"""`sovdeck server add|ls|check|login|lines|include|rm|forget-key`: the address book."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tui.console import Console
from tui.target import add_json, open_studio
from tui.verbs import server_access

if TYPE_CHECKING:
    from remote.config.schema import Server
    from remote.studio import Studio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser("add")
    add.add_argument("line", metavar="LINE")
    add.add_argument("--name")
    add.add_argument("--price", type=float, metavar="PER_HOUR")
    add.add_argument("--currency", default="USD")
    add.add_argument("--profile", default="auto")
    add.add_argument("--replace", action="store_true")
    add.add_argument("--no-check", action="store_true")
    _with_trust(add)
    _with_trust(actions.add_parser("ls"))
    for name in ("check", "login", "lines", "rm", "forget-key"):
        action = actions.add_parser(name)
        action.add_argument("server", metavar="SERVER")
        _with_trust(action)
        if name == "login":
            server_access.add_login_arguments(action)
    include = actions.add_parser("include")
    server_access.add_include_arguments(include)
    add_json(include)


def _with_trust(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    parser.add_argument(
        "--accept-host-key", action="append", default=[], metavar="SHA256:...", dest="accept"
    )


def run(args: argparse.Namespace, console: Console) -> int:
    return {
        "add": _add, "ls": _list, "check": _check, "rm": _remove, "forget-key": _forget_key,
        "login": server_access.login, "lines": server_access.lines,
        "include": server_access.include,
    }[args.action](args, console)  # fmt: skip


def _add(args: argparse.Namespace, console: Console) -> int:
    from remote.config.load import load
    from remote.config.places import Places
    from remote.registration import register
    from tui.dialog import TerminalDialog

    places = Places.find()
    dialog = TerminalDialog(console)
    added = register(
        args.line, load(args.config, places), places, dialog, offer=dialog,
        name=args.name, profile=args.profile, price_per_hour=args.price,
        currency=args.currency, accept=frozenset(args.accept), replace=args.replace,
        connect=not args.no_check,
    )  # fmt: skip
    _tell_openssh(args)
    if added.method:
        console.say("tui.cli.server_up", name=added.name, method=added.method)
    console.say("tui.cli.server_added", name=added.name, address=added.spec.name)
    host, port = added.spec.host, added.spec.port
    console.emit({"status": "ok", "name": added.name, "host": host, "port": port})
    return 0


def _list(args: argparse.Namespace, console: Console) -> int:
    from remote.config.load import load
    from remote.config.places import Places

    config = load(args.config, Places.find())
    rows = []
    for name, server in config.servers.items():
        mark = "*" if name == config.default_server or len(config.servers) == 1 else " "
        price = "" if server.price_per_hour is None else _price(server)
        rows.append((mark, name, address(name, server), server.profile, price))
        console.emit({"name": name, "default": mark == "*", **server.model_dump(mode="json")})
    console.table(rows)
    return 0


def _check(args: argparse.Namespace, console: Console) -> int:
    from tui.dialog import TerminalDialog

    with open_studio(args, console) as studio:
        _report(studio, console)
        studio.settle(TerminalDialog(console))
        remark = studio.recognise()
    if remark is not None:
        console.write(remark.get(console.language))
    told = None if remark is None else remark.as_json()
    console.emit({"status": "ok", "name": args.server, "remark": told})
    return 0


def _remove(args: argparse.Namespace, console: Console) -> int:
    from remote.config import book
    from remote.config.places import Places

    book.remove(Places.find(), args.server)
    _tell_openssh(args)
    console.say("tui.cli.server_removed", name=args.server)
    console.emit({"status": "ok", "name": args.server})
    return 0


def _tell_openssh(args: argparse.Namespace) -> None:
    """Keep what plain ssh was told about our servers up with their list."""
    from remote import openssh
    from remote.config.load import load
    from remote.config.places import Places

    places = Places.find()
    openssh.refresh(load(args.config, places), places)


def _forget_key(args: argparse.Namespace, console: Console) -> int:
    with open_studio(args, console) as studio:
        count = studio.trust().forget(studio.spec().place)
    console.say("tui.cli.keys_forgotten", name=args.server, count=count)
    console.emit({"status": "ok", "name": args.server, "forgotten": count})
    return 0


def _report(studio: Studio, console: Console) -> None:
    """Connect, so that host key and login are settled now, and say how it went."""
    link = studio.link()
    console.say("tui.cli.server_up", name=studio.name, method=link.method)


def address(name: str, server: Server) -> str:
    """Where a server is, for a list."""
    from remote.saved import saved_spec

    if server.embedded:
        return "-"
    spec = saved_spec(name, server)
    return spec.format().split(" # ")[0].removeprefix("ssh ")


def _price(server: Server) -> str:
    return f"{server.price_per_hour:g} {server.currency}/h"
