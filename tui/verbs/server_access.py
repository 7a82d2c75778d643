"""`sovdeck server login|lines|include`: getting in without being asked, also with plain ssh."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from tui.console import Console
from tui.dialog import PipedDialog, TerminalDialog
from tui.target import open_studio


def add_login_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--install-key", action="store_true")
    parser.add_argument("--keep-password", action="store_true")
    parser.add_argument("--password-stdin", action="store_true")
    parser.add_argument("--forget", action="store_true")


def add_include_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--remove", action="store_true")


def login(args: argparse.Namespace, console: Console) -> int:
    """Log in once, and settle how the next times go."""
    from remote import openssh

    dialog = TerminalDialog(console, install=args.install_key, keep=args.keep_password)
    if args.password_stdin:
        line = sys.stdin.readline().rstrip("\r\n")
        dialog = PipedDialog(console, line, install=args.install_key, keep=args.keep_password)
    with open_studio(args, console, dialog) as studio:
        if args.forget:
            dropped = studio.forget_password()
            key = "tui.server.forgotten" if dropped else "tui.server.nothing_kept"
            console.say(key, name=studio.name)
            return 0
        method = studio.link().method
        console.say("tui.cli.server_up", name=studio.name, method=method)
        outcome = studio.settle(dialog, wanted=True)
        if outcome == "key":
            openssh.refresh(studio.config, studio.places)
            with studio.connect() as again:
                method = again.method
            said = "key_works" if method == "publickey" else "key_ignored"
            console.say(f"tui.server.{said}", name=studio.name, file=str(studio.places.key))
        elif outcome == "kept":
            console.say("tui.server.kept", name=studio.name)
        console.emit({"status": "ok", "name": studio.name, "method": method, "did": outcome})
    return 0


def lines(args: argparse.Namespace, console: Console) -> int:
    """The address as lines to copy."""
    from remote import openssh

    with open_studio(args, console) as studio:
        studio.spec()
        spec = openssh.full_spec(studio.name, studio.server, studio.config, studio.places)
    found = asdict(spec.lines())
    for line in found.values():
        console.write(line)
    console.emit({"status": "ok", "name": studio.name, **found})
    return 0


def include(args: argparse.Namespace, console: Console) -> int:
    """Let plain `ssh NAME` know our servers, or no longer."""
    from remote import openssh
    from remote.config.load import load
    from remote.config.places import Places

    places = Places.find()
    user_config = Path.home() / ".ssh" / "config"
    if args.remove:
        changed = openssh.leave_plain_ssh(places, user_config)
        key = "tui.server.left_out" if changed else "tui.server.not_included"
    else:
        config = load(args.config, places)
        openssh.write(config, places)
        changed = openssh.let_plain_ssh_know(places, user_config)
        key = "tui.server.included" if changed else "tui.server.included_before"
    console.say(key, config=str(user_config), hosts=str(places.ssh_hosts))
    console.emit({"status": "ok", "changed": changed, "config": str(user_config)})
    return 0
