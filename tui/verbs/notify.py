"""`sovdeck notify set|test|off [NAME]`: who is told when a followed run ends."""

from __future__ import annotations

import argparse
import getpass
import re
import sys

from engine.contract.catalogue import text
from engine.contract.problem import ExitCode, Problem
from tui.console import Console
from tui.target import add_json

DEFAULT = "webhook"
NAME = re.compile(r"[A-Za-z0-9_.-]{1,63}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("set", "test", "off"))
    parser.add_argument("name", nargs="?", metavar="NAME")
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    from remote import webhook
    from remote.config.load import load
    from remote.config.places import Places
    from remote.keychain import SystemKeychain

    notify = load(args.config, Places.find()).notify
    name = _checked(args.name or notify.webhook or DEFAULT)
    keychain = SystemKeychain()
    if args.action == "test":
        return _test(args, console)
    if args.action == "off":
        dropped = keychain.drop(webhook.account_of(name))
        console.say("tui.notify.dropped" if dropped else "tui.notify.none_kept", name=name)
    else:
        from remote.secrets import Secret

        address = webhook.check_address(Secret(_ask(console).strip()))
        keychain.keep(webhook.account_of(name), address)
        console.say("tui.notify.kept", name=name)
        if notify.webhook != name:
            console.say("tui.notify.name_it", line=f'webhook = "{name}"')
    console.emit({"status": "ok", "name": name})
    return 0


def _checked(name: str) -> str:
    """A name that may be shown and kept; an address in its place is a secret and not repeated."""
    if not NAME.fullmatch(name):
        raise Problem("tui.notify.no_name", ExitCode.CONFIG)
    return name


def _ask(console: Console) -> str:
    """The address, from a person unseen or from our input; it is a secret like a password."""
    if sys.stdin.isatty():
        return getpass.getpass(text("tui.notify.ask").get(console.language))
    return sys.stdin.readline()


def _test(args: argparse.Namespace, console: Console) -> int:
    """Send a message by every way of deploy.toml, and say how each went."""
    from remote.config.load import load
    from remote.config.places import Places
    from remote.keychain import SystemKeychain
    from tui.herald import Herald
    from tui.state.work import RunEnd

    notify = load(args.config, Places.find()).notify
    if args.name:
        notify = notify.model_copy(update={"webhook": _checked(args.name)})
    if not (notify.desktop or notify.webhook):
        raise Problem("tui.notify.nobody", ExitCode.CONFIG)
    # A failure, since that is what everybody is told.
    end = RunEnd("test", "test", text("tui.notify.test_voice").get(console.language), "failed")
    problems = Herald(notify, SystemKeychain(), console.language).tell(end)
    for problem in problems:
        console.problem(problem)
    if problems:
        return int(problems[0].exit_code)
    console.say("tui.notify.tested")
    console.emit({"status": "ok", "desktop": notify.desktop, "webhook": notify.webhook})
    return 0
