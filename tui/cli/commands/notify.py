"""`sovdeck notify set|test|off [NAME]`: where the end of a followed run is reported."""

from __future__ import annotations

import argparse
import getpass
import re
import sys

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.keyring_store import SystemKeyring
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.notify import webhook, wechat
from sovdeck.remote.secret import Secret
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import add_json_option
from sovdeck.tui.notify.run_notifier import RunNotifier
from sovdeck.tui.state.models import RunEnd

DEFAULT_WEBHOOK = "webhook"
NAME_PATTERN = re.compile(r"[A-Za-z0-9_.-]{1,63}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck notify`."""
    parser.add_argument("action", choices=("set", "test", "off"))
    parser.add_argument("name", nargs="?", metavar="NAME")
    add_json_option(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Keep, test or remove a webhook address, or the token for WeChat messages."""
    notify = load_config(args.config, AppPaths.locate()).notify
    if args.action == "test":
        return _send_test(args, console)
    if args.name == wechat.WECHAT:
        return _keep_token(args, console, named=notify.wechat)
    name = _check_name(args.name or notify.webhook or DEFAULT_WEBHOOK)
    keyring = SystemKeyring()
    if args.action == "off":
        removed = keyring.delete_password(webhook.webhook_account(name))
        console.print_message(
            "tui.notify.dropped" if removed else "tui.notify.none_kept", name=name
        )
    else:
        address = webhook.check_address(_read_secret("tui.notify.ask", console))
        keyring.set_password(webhook.webhook_account(name), address)
        console.print_message("tui.notify.kept", name=name)
        if notify.webhook != name:
            console.print_message("tui.notify.name_it", line=f'webhook = "{name}"')
    console.print_json({"status": "ok", "name": name})
    return 0


def _check_name(name: str) -> str:
    """Check a webhook's name; an address typed in its place is a secret and not repeated."""
    if not NAME_PATTERN.fullmatch(name):
        raise Problem("tui.notify.no_name", ExitCode.CONFIG)
    return name


def _keep_token(args: argparse.Namespace, console: Console, *, named: bool) -> int:
    """Keep or remove the token for WeChat messages. named: deploy.toml asks for them."""
    keyring, account = SystemKeyring(), wechat.wechat_account()
    if args.action == "off":
        removed = keyring.delete_password(account)
        console.print_message("tui.notify.token_gone" if removed else "tui.notify.no_token_kept")
    else:
        token = wechat.check_token(_read_secret("tui.notify.ask_token", console))
        keyring.set_password(account, token)
        console.print_message("tui.notify.token_kept")
        if not named:
            console.print_message("tui.notify.name_it", line="wechat = true")
    console.print_json({"status": "ok", "name": wechat.WECHAT})
    return 0


def _read_secret(question: str, console: Console) -> Secret:
    """Read an address or a token without echo, or from standard input."""
    if sys.stdin.isatty():
        typed = console.ask(text(question).get(console.language), getpass.getpass)
    else:
        typed = sys.stdin.readline()
    return Secret(typed.strip())


def _send_test(args: argparse.Namespace, console: Console) -> int:
    """Send a test through every channel of deploy.toml, and print each failure."""
    notify = load_config(args.config, AppPaths.locate()).notify
    if args.name == wechat.WECHAT:
        notify = notify.model_copy(update={"wechat": True})
    elif args.name:
        notify = notify.model_copy(update={"webhook": _check_name(args.name)})
    if not (notify.desktop or notify.webhook or notify.wechat):
        raise Problem("tui.notify.nobody", ExitCode.CONFIG)
    # A failed run, since every notification setting includes failures.
    end = RunEnd("test", "test", text("tui.notify.test_voice").get(console.language), "failed")
    problems = RunNotifier(notify, SystemKeyring(), console.language).notify(end)
    for problem in problems:
        console.print_problem(problem)
    if problems:
        return int(problems[0].exit_code)
    console.print_message("tui.notify.tested")
    console.print_json(
        {
            "status": "ok",
            "desktop": notify.desktop,
            "webhook": notify.webhook,
            "wechat": notify.wechat,
        }
    )
    return 0
