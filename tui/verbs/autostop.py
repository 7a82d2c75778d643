"""`sovdeck autostop [SERVER] ...`: the server switches itself off, with the laptop shut."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from engine.contract.catalogue import hint, text
from engine.contract.problem import ExitCode, Problem
from tui.console import Console, duration
from tui.target import add_server, open_studio

if TYPE_CHECKING:
    from remote.autostop import Policy
    from remote.studio import Studio
    from remote.watchman import WatchStatus

REASONS = ("after_success", "after_failure", "idle", "gpu_idle")
SETTINGS = (*REASONS, "gpu_percent", "max_time", "max_cost", "pull_deadline")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    for reason in REASONS:
        parser.add_argument(f"--{reason.replace('_', '-')}", metavar="10m")
    parser.add_argument("--on", action="store_true")
    parser.add_argument("--gpu-percent", type=int)
    parser.add_argument("--after", metavar="6h", dest="max_time")
    parser.add_argument("--max-cost", type=float)
    parser.add_argument("--pull-deadline", metavar="2h")
    parser.add_argument("--without-pull", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--off", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    """Without a reason: show how it stands."""
    from remote import watchman
    from remote.profiles import find

    with open_studio(args, console) as studio:
        link, deployed = studio.link(), studio.deployed()
        if args.off:
            watchman.disarm(link, deployed.layout)
            console.say("tui.autostop.off", name=studio.name)
            console.emit({"status": "ok", "server": studio.name, "watching": False})
            return 0
        policy = wanted(args, studio)
        if policy is None and args.on:
            raise Problem("tui.autostop.nothing_set", ExitCode.CONFIG)
        if policy is None:
            show(studio, watchman.status(link, deployed.layout), console)
            return 0
        profile = find(studio.server.profile, link.spec.host)
        watchman.arm(link, deployed, policy, profile, dry=args.dry_run)
        console.say(
            "tui.autostop.set_dry" if args.dry_run else "tui.autostop.set", name=studio.name
        )
        first = watchman.first_look(link, deployed.layout)
        if first is not None:
            show(studio, first, console)
    return 0


def wanted(args: argparse.Namespace, studio: Studio) -> Policy | None:
    """The policy the options ask for; None when they name no reason."""
    from remote.config.sections import Autostop
    from remote.watchman import policy_of

    given = {name: value for name in SETTINGS if (value := getattr(args, name)) is not None}
    if args.without_pull:
        given["only_after_pull"] = False
    wish = studio.config.autostop if args.on else Autostop()
    return policy_of(wish.model_copy(update=given), studio.server.price_per_hour, studio.name)


def show(studio: Studio, status: WatchStatus | None, console: Console) -> None:
    """How the watch stands, with price times time."""
    from remote.autostop import cost

    if status is None:
        console.say("tui.autostop.none", name=studio.name)
        console.write(hint("tui.autostop.none", name=studio.name).get(console.language))
        console.emit({"status": "ok", "server": studio.name, "watching": False})
        return
    decision = status.decision
    if not status.alive:
        console.say("tui.autostop.gone", name=studio.name)
        console.write(hint("tui.autostop.gone", name=studio.name).get(console.language))
    if decision.stop:
        console.say("tui.autostop.due", why=decision.why().get(console.language))
    elif decision.waiting:
        console.say("tui.autostop.waiting")
    wait = None
    if decision.at is not None and status.seen is not None:
        wait = max(0, decision.at - status.seen)
        console.say("tui.autostop.next", wait=duration(wait))
        price, currency = studio.server.price_per_hour, studio.server.currency
        if price:
            more = f"{cost(price, wait):.2f}"
            console.say("tui.autostop.cost", price=price, currency=currency, cost=more)
    elif not decision.waiting:
        console.write(text("tui.autostop.no_reason").get(console.language))
    if status.dry:
        console.say("tui.autostop.dry")
    for line in status.history:
        console.write(line)
    console.emit(
        {"status": "ok", "server": studio.name, "watching": status.alive, "stop": decision.stop,
         "reason": decision.reason, "waiting": decision.waiting, "seconds": wait,
         "dry": status.dry, "history": list(status.history)}
    )  # fmt: skip
