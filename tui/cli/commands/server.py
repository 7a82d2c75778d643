"""`sovdeck server add|ls|check|login|lines|include|rm|forget-key`: the saved servers."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from sovdeck.engine.contract.number_options import amount
from sovdeck.remote.config import servers_file
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ServerSection
from sovdeck.remote.hosts.host_key_policy import HostKeyPolicy
from sovdeck.remote.servers import openssh_export
from sovdeck.remote.servers.add import register
from sovdeck.remote.servers.saved_spec import saved_spec
from sovdeck.remote.servers.server import ServerSession
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.diagnosis_lines import print_diagnoses
from sovdeck.tui.cli.parser import add_json_option
from sovdeck.tui.cli.prompts import PipedDialog, TerminalDialog
from sovdeck.tui.cli.server_argument import open_session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `sovdeck server`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser("add")
    add.add_argument("line", metavar="LINE")
    add.add_argument("--name")
    add.add_argument("--price", type=amount(0, 1e6), metavar="PER_HOUR")
    add.add_argument("--currency", default="USD")
    add.add_argument("--profile", default="auto")
    add.add_argument("--replace", action="store_true")
    add.add_argument("--no-check", action="store_true")
    _add_trust_options(add)
    _add_trust_options(actions.add_parser("ls"))
    for name in ("check", "login", "lines", "rm", "forget-key"):
        action = actions.add_parser(name)
        action.add_argument("server", metavar="SERVER")
        _add_trust_options(action)
        if name == "login":
            _add_login_arguments(action)
    include = actions.add_parser("include")
    _add_include_arguments(include)
    add_json_option(include)


def _add_trust_options(parser: argparse.ArgumentParser) -> None:
    add_json_option(parser)
    parser.add_argument(
        "--accept-host-key", action="append", default=[], metavar="SHA256:...", dest="accept"
    )


def run(args: argparse.Namespace, console: Console) -> int:
    """Run the chosen action."""
    return {
        "add": _add,
        "ls": _list,
        "check": _check,
        "rm": _remove,
        "forget-key": _forget_key,
        "login": _login,
        "lines": _print_lines,
        "include": _include,
    }[args.action](args, console)


def _add(args: argparse.Namespace, console: Console) -> int:
    app_paths = AppPaths.locate()
    dialog = TerminalDialog(console)
    added = register(
        args.line,
        load_config(args.config, app_paths),
        app_paths,
        dialog,
        offer=dialog,
        name=args.name,
        profile=args.profile,
        price_per_hour=args.price,
        currency=args.currency,
        accept=frozenset(args.accept),
        replace=args.replace,
        connect=not args.no_check,
    )
    _refresh_openssh_config(args)
    if added.method:
        console.print_message("tui.cli.server_up", name=added.name, method=added.method)
    console.print_message("tui.cli.server_added", name=added.name, address=added.spec.name)
    if added.not_eased is not None:
        console.print_error(added.not_eased.sentence(console.language))
    print_diagnoses(added.found, console)
    host, port = added.spec.host, added.spec.port
    found = [diagnosis.as_json() for diagnosis in added.found]
    console.print_json(
        {"status": "ok", "name": added.name, "host": host, "port": port, "found": found}
    )
    return 0


def _list(args: argparse.Namespace, console: Console) -> int:
    config = load_config(args.config, AppPaths.locate())
    rows = []
    for name, server in config.servers.items():
        mark = "*" if name == config.default_server or len(config.servers) == 1 else " "
        price = "" if server.price_per_hour is None else _format_price(server)
        rows.append((mark, name, server_address(name, server), server.profile, price))
        console.print_json({"name": name, "default": mark == "*", **server.model_dump(mode="json")})
    console.print_table(rows)
    if not args.json and all(server.embedded for server in config.servers.values()):
        console.print_message("tui.server.none_saved")
    return 0


def _check(args: argparse.Namespace, console: Console) -> int:
    with open_session(args, console) as session:
        _connect(session, console)
        session.offer_passwordless(TerminalDialog(console))
        remark = session.machine_warning()
        running_on = session.running_on_warning()
    for warning in (remark, running_on):
        if warning is not None:
            console.print_line(warning.get(console.language))
    remark_json = None if remark is None else remark.as_json()
    running_on_json = None if running_on is None else running_on.as_json()
    console.print_json(
        {
            "status": "ok",
            "name": args.server,
            "remark": remark_json,
            "running_on": running_on_json,
        }
    )
    return 0


def _remove(args: argparse.Namespace, console: Console) -> int:
    servers_file.remove_server(AppPaths.locate(), args.server)
    _refresh_openssh_config(args)
    console.print_message("tui.cli.server_removed", name=args.server)
    console.print_json({"status": "ok", "name": args.server})
    return 0


def _refresh_openssh_config(args: argparse.Namespace) -> None:
    """Write the OpenSSH config of our servers anew, after their list changed."""
    app_paths = AppPaths.locate()
    openssh_export.rewrite_ssh_config(load_config(args.config, app_paths), app_paths)


def _forget_key(args: argparse.Namespace, console: Console) -> int:
    """Forget the host key of a saved server, or of an address as known_hosts writes it."""
    app_paths = AppPaths.locate()
    address = args.server
    if address not in load_config(args.config, app_paths).servers:
        # A server that is refused while it is added has no name yet, only its address.
        count = HostKeyPolicy(app_paths.known_hosts).forget(address)
        if not count:
            open_session(args, console)  # says that there is no such server
    else:
        with open_session(args, console) as session:
            count = session.trust().forget(session.spec().known_hosts_name)
    console.print_message("tui.cli.keys_forgotten", name=args.server, count=count)
    console.print_json({"status": "ok", "name": args.server, "forgotten": count})
    return 0


def _connect(session: ServerSession, console: Console) -> None:
    """Connect, so that host key and login are settled now, and print the method."""
    connection = session.connection()
    console.print_message("tui.cli.server_up", name=session.name, method=connection.method)


def server_address(name: str, server: ServerSection) -> str:
    """The address of a server as shown in the list."""
    if server.embedded:
        return "-"
    spec = saved_spec(name, server)
    return spec.format().split(" # ")[0].removeprefix("ssh ")


def _format_price(server: ServerSection) -> str:
    return f"{server.price_per_hour:g} {server.currency}/h"


def _add_login_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck server login`."""
    parser.add_argument("--install-key", action="store_true")
    parser.add_argument("--keep-password", action="store_true")
    parser.add_argument("--password-stdin", action="store_true")
    parser.add_argument("--forget", action="store_true")


def _add_include_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck server include`."""
    parser.add_argument("--remove", action="store_true")


def _login(args: argparse.Namespace, console: Console) -> int:
    """Log in once, and install a key or keep the password for the next times."""
    dialog = TerminalDialog(console, install_key=args.install_key, keep_password=args.keep_password)
    if args.password_stdin:
        line = sys.stdin.readline().rstrip("\r\n")
        dialog = PipedDialog(
            console, line, install_key=args.install_key, keep_password=args.keep_password
        )
    with open_session(args, console, dialog) as session:
        if args.forget:
            removed = session.forget_password()
            key = "tui.server.forgotten" if removed else "tui.server.nothing_kept"
            console.print_message(key, name=session.name)
            return 0
        method = session.connection().method
        console.print_message("tui.cli.server_up", name=session.name, method=method)
        outcome = session.offer_passwordless(dialog, wanted=True)
        if outcome == "key":
            openssh_export.rewrite_ssh_config(session.config, session.app_paths)
            with session.connect() as again:
                method = again.method
            text_key = "key_works" if method == "publickey" else "key_ignored"
            console.print_message(
                f"tui.server.{text_key}", name=session.name, file=str(session.app_paths.private_key)
            )
        elif outcome == "kept":
            console.print_message("tui.server.kept", name=session.name)
        console.print_json({"status": "ok", "name": session.name, "method": method, "did": outcome})
    return 0


def _print_lines(args: argparse.Namespace, console: Console) -> int:
    """Print the address as ssh, scp and config lines."""
    with open_session(args, console) as session:
        session.spec()
        spec = openssh_export.spec_with_keys(
            session.name, session.server, session.config, session.app_paths
        )
    address_lines = asdict(spec.command_lines())
    for line in address_lines.values():
        console.print_line(line)
    console.print_json({"status": "ok", "name": session.name, **address_lines})
    return 0


def _include(args: argparse.Namespace, console: Console) -> int:
    """Include our servers in the user's OpenSSH config, or remove them from it."""
    app_paths = AppPaths.locate()
    user_config = Path.home() / ".ssh" / "config"
    if args.remove:
        changed = openssh_export.exclude_from_ssh_config(app_paths, user_config)
        key = "tui.server.left_out" if changed else "tui.server.not_included"
    else:
        config = load_config(args.config, app_paths)
        openssh_export.write_servers_config(config, app_paths)
        changed = openssh_export.include_in_ssh_config(app_paths, user_config)
        key = "tui.server.included" if changed else "tui.server.included_before"
    console.print_message(key, config=str(user_config), hosts=str(app_paths.ssh_hosts_file))
    console.print_json({"status": "ok", "changed": changed, "config": str(user_config)})
    return 0
