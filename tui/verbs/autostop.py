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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    for reason in REASONS:
        parser.add_argument(f"--{reason.replace('_', '-')}", metavar="10m")
    parser.add_argument("--gpu-percent", type=int, default=5)
    parser.add_argument("--after", metavar="6h")
    parser.add_argument("--max-cost", type=float)
    parser.add_argument("--pull-deadline", metavar="2h", default="2h")
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
        if policy is None:
            show(studio, watchman.status(link, deployed.layout), console)
            return 0
        profile = find(studio.server.profile, link.spec.host)
        watchman.arm(link, deployed, policy, profile, dry=args.dry_run)
        console.say(
            "tui.autostop.set_dry" if args.dry_run else "tui.autostop.set", name=studio.name
        )
        console.emit({"status": "ok", "server": studio.name, "watching": True, "dry": args.dry_run})
    return 0


def wanted(args: argparse.Namespace, studio: Studio) -> Policy | None:
    """The policy the options ask for; None when they name no reason."""
    from remote.autostop import Policy
    from remote.autostop import duration as seconds

    given = {name: seconds(value) for name in REASONS if (value := getattr(args, name))}
    hours = [seconds(args.after) / 3600] if args.after else []
    if args.max_cost is not None:
        price = studio.server.price_per_hour
        if not price:
            raise Problem("tui.autostop.needs_price", ExitCode.CONFIG, name=studio.name)
        hours.append(args.max_cost / price)
    if not given and not hours:
        return None
    return Policy(
        **given, gpu_percent=args.gpu_percent, max_hours=min(hours, default=None),
        only_after_pull=not args.without_pull, pull_deadline=seconds(args.pull_deadline),
    )  # fmt: skip


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
