"""`sovdeck autostop [SERVER] ...`: the server switches itself off, without this computer."""

from __future__ import annotations

import argparse

from sovdeck.engine.contract.catalogue import hint, text
from sovdeck.engine.contract.format import format_short_duration
from sovdeck.engine.contract.number_options import amount, whole
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.autostop import watchdog
from sovdeck.remote.autostop.policy import AutostopPolicy, running_cost
from sovdeck.remote.autostop.watchdog import WatchdogStatus, policy_from_config
from sovdeck.remote.config.sections import AutostopSection
from sovdeck.remote.servers.server import ServerSession
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.server_argument import add_server_argument, open_session

STOP_REASONS = ("after_success", "after_failure", "idle", "gpu_idle")
POLICY_OPTIONS = (*STOP_REASONS, "gpu_percent", "max_time", "max_cost", "pull_deadline")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sovdeck autostop`."""
    add_server_argument(parser)
    for reason in STOP_REASONS:
        parser.add_argument(f"--{reason.replace('_', '-')}", metavar="10m")
    parser.add_argument("--on", action="store_true")
    parser.add_argument("--gpu-percent", type=whole(0, 100))
    parser.add_argument("--after", metavar="6h", dest="max_time")
    parser.add_argument("--max-cost", type=amount(0, 1e6))
    parser.add_argument("--pull-deadline", metavar="2h")
    parser.add_argument("--without-pull", action="store_true")
    parser.add_argument("--poweroff", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--off", action="store_true")


def run(args: argparse.Namespace, console: Console) -> int:
    """Start or stop the watchdog; without a reason print its status."""
    with open_session(args, console) as session:
        connection, deployed = session.connection(), session.require_deployment()
        if args.off:
            watchdog.stop_watchdog(connection, deployed.layout)
            console.print_message("tui.autostop.off", name=session.name)
            console.print_json({"status": "ok", "server": session.name, "watching": False})
            return 0
        policy = requested_policy(args, session)
        if policy is None and args.on:
            raise Problem("tui.autostop.nothing_set", ExitCode.CONFIG)
        if policy is None:
            print_status(
                session, watchdog.fetch_watchdog_status(connection, deployed.layout), console
            )
            return 0
        watchdog.start_watchdog(
            connection,
            deployed,
            policy,
            session.profile(),
            poweroff=args.poweroff or session.config.autostop.poweroff,
            dry=args.dry_run,
        )
        console.print_message(
            "tui.autostop.set_dry" if args.dry_run else "tui.autostop.set", name=session.name
        )
        first_status = watchdog.wait_first_status(connection, deployed.layout)
        if first_status is not None:
            print_status(session, first_status, console)
    return 0


def requested_policy(args: argparse.Namespace, session: ServerSession) -> AutostopPolicy | None:
    """The policy that the options ask for; None when they name no reason to stop."""
    given = {name: value for name in POLICY_OPTIONS if (value := getattr(args, name)) is not None}
    if args.without_pull:
        given["only_after_pull"] = False
    settings = session.config.autostop if args.on else AutostopSection()
    return policy_from_config(
        settings.model_copy(update=given), session.server.price_per_hour, session.name
    )


def print_status(session: ServerSession, status: WatchdogStatus | None, console: Console) -> None:
    """Print the watchdog's status, and what the remaining time costs."""
    if status is None:
        console.print_message("tui.autostop.none", name=session.name)
        console.print_line(hint("tui.autostop.none", name=session.name).get(console.language))
        console.print_json({"status": "ok", "server": session.name, "watching": False})
        return
    decision = status.decision
    running_on = watchdog.running_on_warning(status, session.name)
    if running_on is not None:
        console.print_line(running_on.get(console.language))
    if decision.stop:
        console.print_message("tui.autostop.due", why=decision.reason_text().get(console.language))
    elif decision.waiting:
        console.print_message("tui.autostop.waiting")
    wait = None
    if decision.at is not None and status.checked_at is not None:
        wait = max(0, decision.at - status.checked_at)
        console.print_message("tui.autostop.next", wait=format_short_duration(wait))
        price, currency = session.server.price_per_hour, session.server.currency
        if price:
            cost_text = f"{running_cost(price, wait):.2f}"
            console.print_message(
                "tui.autostop.cost", price=price, currency=currency, cost=cost_text
            )
    elif not decision.waiting:
        console.print_line(text("tui.autostop.no_reason").get(console.language))
    if status.dry:
        console.print_message("tui.autostop.dry")
    for line in status.history:
        console.print_line(line)
    console.print_json(
        {
            "status": "ok",
            "server": session.name,
            "watching": status.alive,
            "stop": decision.stop,
            "reason": decision.reason,
            "waiting": decision.waiting,
            "seconds": wait,
            "dry": status.dry,
            "tries": status.tries,
            "gave_up": status.gave_up,
            "history": list(status.history),
        }
    )
