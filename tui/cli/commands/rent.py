"""`sovdeck rent [ACTION]`: a server for one voice, from the offer to no bill after it."""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sovdeck.engine.contract.catalogue import hint, text
from sovdeck.engine.contract.format import format_money, format_percent
from sovdeck.engine.contract.number_options import amount, whole
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.settings import parse_train_options
from sovdeck.engine.contract.spec import PRESETS
from sovdeck.remote.auth.keyring_store import SystemKeyring
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.rent.accounts import find_simulators, keep_key, open_provider, open_providers
from sovdeck.remote.rent.estimate import ERROR, VoiceEstimate, estimate_voice
from sovdeck.remote.rent.journey import (
    RentalJourney,
    add_rented_server,
    forget_ended_server,
)
from sovdeck.remote.rent.leases import DEFAULT_HOURS, Lease, LeaseBook, new_lease
from sovdeck.remote.rent.provider import PROVIDER_NAMES, EndAction, Provider
from sovdeck.remote.rent.rental import (
    Clock,
    PricedOffer,
    UnendedServer,
    adopt_server,
    end_server,
    find_offers,
    find_unended,
    look_at_leases,
    start_again,
)
from sovdeck.remote.rent.rented_voice import RentedVoice
from sovdeck.remote.secret import Secret
from sovdeck.tui.cli.check_list import make_measurer
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.main import main
from sovdeck.tui.cli.parser import LocalizedParser, add_json_option
from sovdeck.tui.cli.prompts import TerminalDialog
from sovdeck.tui.cli.rent_steps import CommandSteps, NewServerDialog, print_ended


def add_arguments(parser: LocalizedParser) -> None:
    """Add the actions and options of `sovdeck rent`."""
    parser.set_defaults(params=[])
    _add_voice_options(parser)
    parser.add_argument("--offer", type=whole(1, 10_000), metavar="NUMBER")
    parser.add_argument("--end", choices=("stop", "destroy"), default="stop")
    parser.add_argument("--hours", type=amount(0.5, 720), default=DEFAULT_HOURS)
    parser.add_argument("--yes", action="store_true")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")

    def add(name: str) -> LocalizedParser:
        # An action's defaults would overwrite what was given before it.
        action: LocalizedParser = actions.add_parser(name, argument_default=argparse.SUPPRESS)
        return action

    _add_voice_options(add("offers"))
    for name in ("ls", "spend"):
        add_json_option(add(name))
    for name in ("start", "resume", "stop", "destroy"):
        action = add(name)
        action.add_argument("name", metavar="NAME")
        if name == "destroy":
            action.add_argument("--confirm", metavar="NAME", default=None)
        add_json_option(action)
    key = add("key")
    key.add_argument("account", choices=PROVIDER_NAMES, metavar="PROVIDER")
    add_json_option(key)


def _add_voice_options(parser: LocalizedParser) -> None:
    parser.add_argument("--voice")
    parser.add_argument("--preset", choices=PRESETS)
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", dest="params")
    parser.add_argument("--list", type=Path)
    parser.add_argument("--wavs", type=Path)
    parser.add_argument("--provider", choices=PROVIDER_NAMES)
    add_json_option(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    """Run the chosen action; without one rent a server for a voice."""
    actions = {
        None: _rent,
        "offers": _offers,
        "ls": _list,
        "spend": _spend,
        "start": _start,
        "resume": _resume,
        "stop": _end,
        "destroy": _end,
        "key": _keep_key,
    }
    return actions[args.action](args, console)


def _rent(args: argparse.Namespace, console: Console) -> int:
    rented, estimate = _estimate(args)
    priced = _find_offers(args, console, estimate)
    _print_offers(priced, console)
    chosen = _choose(priced, args, console)
    if chosen is None:
        console.print_message("tui.rent.nothing_rented")
        return int(ExitCode.OK)
    provider = open_provider(chosen.offer.provider, SystemKeyring())
    end: EndAction = args.end if provider.can_stop else "destroy"
    console.print_message("tui.rent.untried", provider=provider.name, page=provider.page)
    _say_agreement(chosen, provider, end, args.hours, console)
    if not args.yes and not TerminalDialog(console).confirm("tui.rent.confirm"):
        console.print_message("tui.rent.nothing_rented")
        return int(ExitCode.OK)
    lease = new_lease(chosen.offer, rented, Clock().now(), args.hours, end)
    journey = _journey(provider, lease, rented, args, console)
    return journey.run(chosen.offer, estimate.requirements.disk)


def _resume(args: argparse.Namespace, console: Console) -> int:
    """Go on with a journey that nobody follows any more."""
    lease = _book().find(args.name)
    provider = open_provider(lease.provider, SystemKeyring())
    if lease.rented is None:
        raise Problem("remote.rent.rented_elsewhere", ExitCode.CONFIG, name=args.name)
    return _journey(provider, lease, lease.rented, args, console).resume()


def _journey(
    provider: Provider,
    lease: Lease,
    rented: RentedVoice,
    args: argparse.Namespace,
    console: Console,
) -> RentalJourney:
    clock = Clock()
    steps = CommandSteps(
        provider, rented, args, console, lambda words: _run_command(args, words), clock
    )
    return RentalJourney(provider, _book(), lease, steps, clock, AppPaths.locate(), args.config)


def _run_command(args: argparse.Namespace, words: Sequence[str]) -> int:
    """Run `sovdeck WORDS` as a person would, with the same configuration and language."""
    given = ["--config", str(args.config)] if args.config else []
    if args.lang:
        given += ["--lang", args.lang]
    return main([*given, *words, *(["--json"] if args.json else [])])


def _offers(args: argparse.Namespace, console: Console) -> int:
    _, estimate = _estimate(args)
    _print_offers(_find_offers(args, console, estimate), console)
    return int(ExitCode.OK)


def _estimate(args: argparse.Namespace) -> tuple[RentedVoice, VoiceEstimate]:
    """The voice that is meant and its plan, from options and deploy.toml."""
    config = load_config(args.config, AppPaths.locate())
    voice = args.voice or config.train.voice
    list_file = args.list or (Path(config.dataset.list) if config.dataset.list else None)
    wavs = args.wavs or (Path(config.dataset.wavs) if config.dataset.wavs else None)
    if not voice:
        raise Problem("tui.cli.no_voice", ExitCode.CONFIG)
    if list_file is None:
        raise Problem("tui.cli.no_list", ExitCode.CONFIG)
    params = {**config.train.params, **parse_train_options(args.params or [])}
    preset = args.preset or config.train.preset
    rented = RentedVoice(voice, list_file, wavs, preset, params)
    return rented, estimate_voice(voice, preset, params, list_file, wavs, make_measurer())


def _find_offers(
    args: argparse.Namespace, console: Console, estimate: VoiceEstimate
) -> Sequence[PricedOffer]:
    """The offers of all providers that answer, by total price; Problem when there is none."""
    keyring = SystemKeyring()
    providers = (
        [open_provider(args.provider, keyring)] if args.provider else open_providers(keyring)
    )
    found = find_offers(providers, estimate.requirements, estimate.hours, ERROR)
    for problem in found.unanswered:
        console.print_problem(problem)
    return found.priced


def _print_offers(priced: Sequence[PricedOffer], console: Console) -> None:
    names = ("number", "total", "hours", "price", "gpu", "provider", "place", "cpu", "reliability")
    rows = [_heads(names, console)]
    for number, one in enumerate(priced, 1):
        offer = one.offer
        rows.append(
            (
                str(number),
                _format_total(one, console),
                f"{one.hours:.1f}",
                format_money(offer.price_per_hour, offer.currency),
                f"{offer.gpu} {offer.memory:.0f} GB",
                offer.provider,
                offer.place or "-",
                offer.cpu or "-",
                "-" if offer.reliability is None else format_percent(offer.reliability),
            )
        )
        console.print_json(
            {
                "number": number,
                "total": one.total,
                "bounds": one.bounds,
                "hours": one.hours,
                "price_per_hour": offer.price_per_hour,
                "currency": offer.currency,
                "gpu": offer.gpu,
                "memory_gib": offer.memory,
                "provider": offer.provider,
                "place": offer.place,
            }
        )
    console.print_table(rows)
    if find_simulators():
        console.print_message("tui.rent.simulated")
    now = datetime.now().strftime("%H:%M")
    console.print_message("tui.rent.estimate_note", error=f"{ERROR * 100:.0f}", time=now)


def _format_total(one: PricedOffer, console: Console) -> str:
    if one.bounds is None:
        return text("tui.rent.unknown_price").get(console.language)
    least, most = one.bounds
    return f"{least:.2f}-{most:.2f} {one.offer.currency}"


def _choose(
    priced: Sequence[PricedOffer], args: argparse.Namespace, console: Console
) -> PricedOffer | None:
    """The offer that an option or a person names; None for none."""
    given = "" if args.offer is None else str(args.offer)
    if args.offer is None:
        if not TerminalDialog(console).can_ask:
            raise Problem("tui.rent.need_yes", ExitCode.CONFIG)
        given = input(text("tui.rent.ask_offer", count=len(priced)).get(console.language)).strip()
        if not given:
            return None
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= len(priced)):
        raise Problem("tui.rent.bad_number", ExitCode.CONFIG, value=given, count=len(priced))
    if not args.yes and not TerminalDialog(console).can_ask:
        raise Problem("tui.rent.need_yes", ExitCode.CONFIG)
    return priced[int(given) - 1]


def _say_agreement(
    chosen: PricedOffer, provider: Provider, end: EndAction, hours: float, console: Console
) -> None:
    offer = chosen.offer
    console.print_message(
        f"tui.rent.agree_{end}" if provider.can_stop else "tui.rent.agree_destroy_only",
        gpu=offer.gpu,
        provider=offer.provider,
        total=_format_total(chosen, console),
        price=format_money(offer.price_per_hour, offer.currency),
        hours=f"{hours:g}",
    )


def _list(args: argparse.Namespace, console: Console) -> int:
    """Print the open leases as their providers see them; then what bills without being asked."""
    book, clock = _book(), Clock()
    providers = {each.name: each for each in open_providers(SystemKeyring())}
    names = ("name", "voice", "state", "gpu", "cost", "until", "safe")
    rows = [_heads(names, console)]
    for looked in look_at_leases(providers, book, clock.now()):
        lease, instance = looked.lease, looked.instance
        state = instance.state if instance is not None else "unknown"
        rows.append(
            (
                lease.server or lease.name,
                lease.voice,
                text(f"tui.rent.state_{state}").get(console.language),
                f"{lease.gpu} ({lease.provider})",
                format_money(lease.cost_at(clock.now()), lease.currency),
                _format_time(lease.expires_at),
                text("tui.rent.yes" if lease.home_at else "tui.rent.no").get(console.language),
            )
        )
        console.print_json({"name": lease.name, "server": lease.server, "state": state})
    if len(rows) > 1:
        console.print_table(rows)
    for lease in book.read():
        if lease.is_open and lease.rented is not None and not book.is_followed(lease.name):
            console.print_message("tui.rent.not_followed", name=lease.server or lease.name)
    unended = find_unended(providers.values(), book, clock.now())
    for one in unended:
        _offer_end(one, book, console, clock)
    if len(rows) == 1 and not unended:
        console.print_message("tui.rent.none_rented")
    return int(ExitCode.OK)


def _offer_end(
    one: UnendedServer,
    book: LeaseBook,
    console: Console,
    clock: Clock,
) -> None:
    """Say that a server bills without being asked for, and stop it where a person agrees."""
    name = (one.lease.server if one.lease is not None else "") or one.instance.name
    until = "-" if one.expires_at is None else _format_time(one.expires_at)
    facts = {"name": name, "provider": one.provider.name, "until": until}
    console.print_message("tui.rent.unended", **facts)
    console.print_line(hint("tui.rent.unended", **facts).get(console.language))
    if not one.provider.can_stop:
        return
    if TerminalDialog(console).confirm("tui.rent.confirm_stop", name=name):
        lease = adopt_server(one, book, clock.now())
        ended = end_server(one.provider, lease, book, "stop", clock)
        print_ended(ended, console, clock)


def _spend(args: argparse.Namespace, console: Console) -> int:
    """Print what each lease cost by its price, what its provider says, and what is left."""
    now = time.time()
    providers = {each.name: each for each in open_providers(SystemKeyring())}
    for lease in _book().read():
        provider = providers.get(lease.provider)
        told = None
        if provider is not None and lease.instance:
            told = provider.read_charges(lease.instance)
        said = ""
        if told is not None:
            amount = format_money(told, lease.currency)
            said = text("tui.rent.told", provider=lease.provider, amount=amount).get(
                console.language
            )
        console.print_message(
            "tui.rent.spend_line",
            name=lease.server or lease.name,
            voice=lease.voice,
            gpu=lease.gpu,
            provider=lease.provider,
            cost=format_money(lease.cost_at(now), lease.currency),
            told=said,
        )
    for provider in providers.values():
        left = provider.read_balance()
        if left is not None:
            amount = format_money(left, provider.currency)
            console.print_message("tui.rent.balance", provider=provider.name, amount=amount)
    return int(ExitCode.OK)


def _start(args: argparse.Namespace, console: Console) -> int:
    """Start a stopped server, or wait on for a slow one; its address may be a new one."""
    book, clock = _book(), Clock()
    lease = book.find(args.name)
    provider = open_provider(lease.provider, SystemKeyring())
    lease, address = start_again(provider, lease, book, clock)
    prompts = NewServerDialog(console, address.password)
    lease = add_rented_server(lease, address, book, AppPaths.locate(), args.config, prompts)
    console.print_message("tui.rent.started", name=lease.server, line=address.ssh_line)
    return int(ExitCode.OK)


def _end(args: argparse.Namespace, console: Console) -> int:
    """Stop or destroy a server and wait until its provider confirms it."""
    book, clock = _book(), Clock()
    lease = book.find(args.name)
    provider = open_provider(lease.provider, SystemKeyring())
    name = lease.server or lease.name
    confirmed = False
    if args.action == "destroy":
        given = args.confirm
        if given is None and lease.home_at is None and TerminalDialog(console).can_ask:
            given = input(text("tui.rent.ask_name", name=name).get(console.language)).strip()
        if given is not None and given not in (name, lease.name):
            raise Problem("tui.rent.wrong_confirm", ExitCode.CONFIG, given=given, name=name)
        confirmed = given is not None
    ended = end_server(provider, lease, book, args.action, clock, confirmed=confirmed)
    forget_ended_server(ended, AppPaths.locate(), args.config)
    print_ended(ended, console, clock)
    console.print_json({"status": "ok", "name": name, "ended": not ended.is_open})
    return int(ExitCode.OK)


def _keep_key(args: argparse.Namespace, console: Console) -> int:
    """Keep a provider's key in the keyring, once the provider has taken it."""
    if sys.stdin.isatty():
        question = text("tui.rent.ask_key", provider=args.account).get(console.language)
        typed = getpass.getpass(question)
    else:
        typed = sys.stdin.readline()
    count = keep_key(args.account, Secret(typed.strip()), SystemKeyring())
    console.print_message("tui.rent.key_kept", provider=args.account, count=count)
    console.print_json({"status": "ok", "provider": args.account})
    return int(ExitCode.OK)


def _book() -> LeaseBook:
    return LeaseBook(AppPaths.locate().leases_file)


def _heads(names: Sequence[str], console: Console) -> tuple[str, ...]:
    return tuple(text(f"tui.rent.head_{name}").get(console.language) for name in names)


def _format_time(moment: float) -> str:
    return datetime.fromtimestamp(moment).strftime("%m-%d %H:%M")
