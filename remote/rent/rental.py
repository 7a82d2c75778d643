"""The life of one rented server: created once, waited for, ended and seen to have ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.http_json import AnswerLost, RequestRefused
from sovdeck.remote.rent.leases import NAME_PREFIX, Lease, LeaseBook, expiry_in_name
from sovdeck.remote.rent.provider import (
    EndAction,
    Instance,
    InstanceAddress,
    Offer,
    Order,
    Provider,
    Requirements,
)

_POLL_S = 10.0
_READY_WITHIN_S = 30 * 60.0
# After a restart an old address may be listed for a while; the same one has to be seen so long.
_ADDRESS_STEADY_S = 20.0
_START_SHOWS_WITHIN_S = 60.0
# How long a server that was created by a request without an answer may take to be listed.
_LISTED_WITHIN_S = 120.0
_ENDED_WITHIN_S = 10 * 60.0
_ASK_AGAIN_S = 60.0
_SHOWN_OFFERS = 20


@dataclass(frozen=True)
class Clock:
    """Time, so that tests can let it fly."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


def create_server(
    provider: Provider, order: Order, lease: Lease, book: LeaseBook, clock: Clock
) -> Lease:
    """Create the server of a lease, once: a lost answer never leads to a second one.

    The lease is written first. Where the answer is lost the server is looked for by its name; one
    that does not appear leaves the lease open, for `find_unended` to ask for it again later.
    """
    book.add(lease)
    try:
        instance_id = provider.create(order)
    except RequestRefused:
        book.change(lease.name, ended_at=clock.now())  # there is nothing to pay for
        raise
    except Problem as lost:  # no answer, or one that cannot be read: it may exist
        found = _find_by_name(provider, lease.name, clock)
        if found is None:
            raise Problem(
                "remote.rent.created_unknown",
                ExitCode.UNREACHABLE,
                provider=provider.name,
                why=lost.message.en,
                name=lease.name,
            ) from None
        instance_id = found.id
    return book.change(lease.name, instance=instance_id)


def wait_until_ready(
    provider: Provider,
    lease: Lease,
    clock: Clock,
    report: Callable[[Instance | None, float], None] = lambda instance, seconds: None,
    *,
    restarted: bool = False,
) -> InstanceAddress:
    """Wait until the server runs and has an address; Problem when it never will.

    report: called after each look with what was seen and the seconds waited. restarted: it was
    stopped before, so that its old state and address may be listed for a while.
    """
    began = clock.now()
    steady_since, before = began, None
    for pause in _pauses():
        waited = clock.now() - began
        instance = _look(provider, lease.instance)
        report(instance, waited)
        facts = {"provider": provider.name, "name": lease.name, "page": provider.page}
        refused = instance is not None and instance.state in ("failed", "gone", "stopped")
        if refused and not (restarted and waited < _START_SHOWS_WITHIN_S):
            state = instance.state if instance is not None else "gone"
            raise Problem(f"remote.rent.start_{state}", ExitCode.REFUSED, **facts)
        address = instance.address if instance is not None else None
        if address != before:
            before, steady_since = address, clock.now()
        running = instance is not None and instance.state == "running"
        steady = not restarted or clock.now() - steady_since >= _ADDRESS_STEADY_S
        if running and address and steady:
            return address
        if waited >= _READY_WITHIN_S:
            raise Problem(
                "remote.rent.start_slow",
                ExitCode.UNREACHABLE,
                **facts,
                minutes=round(_READY_WITHIN_S / 60),
            )
        clock.sleep(pause)
    raise AssertionError("unreachable")


def start_again(
    provider: Provider,
    lease: Lease,
    book: LeaseBook,
    clock: Clock,
    report: Callable[[Instance | None, float], None] = lambda instance, seconds: None,
) -> tuple[Lease, InstanceAddress]:
    """Start a stopped server, or wait on for a slow one; its address may be a new one."""
    instance = provider.find_instance(lease.instance)
    stopped = instance is not None and instance.state == "stopped"
    if stopped:
        provider.start(lease.instance)
        lease = book.note_stopped(lease.name, False, clock.now())
    return lease, wait_until_ready(provider, lease, clock, report, restarted=stopped)


def end_server(
    provider: Provider,
    lease: Lease,
    book: LeaseBook,
    action: EndAction,
    clock: Clock,
    *,
    confirmed: bool = False,
) -> Lease:
    """Stop or destroy the server and see that it happened; Problem while it may still bill.

    The request is sent again each minute until the provider itself says that the server is
    stopped or gone. A stopped server's lease stays open: its disk is paid for. confirmed: a person
    typed its name, so that it is destroyed although not all it made was verified here.
    """
    if not lease.instance:
        return settle_unknown(provider, lease, book, clock)
    name = lease.server or lease.name
    if action == "stop" and not provider.can_stop:
        raise Problem("remote.rent.no_stop", ExitCode.CONFIG, provider=provider.name)
    if action == "destroy" and lease.home_at is None and not confirmed:
        raise Problem("remote.rent.not_home", ExitCode.CONFIG, name=name, voice=lease.voice)
    began, asked = clock.now(), float("-inf")
    last: Problem | None = None
    for pause in _pauses():
        try:
            instance = provider.find_instance(lease.instance)
            if instance is None or instance.state == "gone":
                return book.change(lease.name, ended_at=clock.now())
            if action == "stop" and instance.state == "stopped":
                return book.note_stopped(lease.name, True, clock.now())
            if clock.now() - asked >= _ASK_AGAIN_S:
                (provider.stop if action == "stop" else provider.destroy)(lease.instance)
                asked = clock.now()
        except Problem as problem:
            last = problem
        if clock.now() - began >= _ENDED_WITHIN_S:
            raise Problem(
                "remote.rent.still_billing",
                ExitCode.UNREACHABLE,
                provider=provider.name,
                name=name,
                page=provider.page,
                why=last.message.en if last is not None else "-",
            )
        clock.sleep(pause)
    raise AssertionError("unreachable")


def settle_unknown(provider: Provider, lease: Lease, book: LeaseBook, clock: Clock) -> Lease:
    """Find out what became of a creation without an answer: its server, or that there is none."""
    found = _find_by_name(provider, lease.name, clock)
    if found is not None:
        return book.change(lease.name, instance=found.id)
    return book.change(lease.name, ended_at=clock.now())


@dataclass(frozen=True)
class UnendedServer:
    """A server of ours that bills although nothing asks for it. lease: None made elsewhere."""

    provider: Provider
    instance: Instance
    lease: Lease | None
    expires_at: float | None


def find_unended(providers: Iterable[Provider], book: LeaseBook, now: float) -> list[UnendedServer]:
    """Return the servers named by us that bill past their time, or that no open lease knows."""
    leases = {lease.name: lease for lease in book.read()}
    found = []
    for provider in providers:
        for instance in provider.list_instances():
            if not instance.name.startswith(NAME_PREFIX) or not instance.is_billing:
                continue
            lease = leases.get(instance.name)
            expires = lease.expires_at if lease is not None else expiry_in_name(instance.name)
            known = lease is not None and lease.is_open and bool(lease.instance)
            if not known or expires is None or now > expires:
                found.append(UnendedServer(provider, instance, lease, expires))
    return found


@dataclass(frozen=True)
class PricedOffer:
    """An offer with what this voice would cost there.

    hours: from creation to the verified end; error: of the hours, as a fraction. total: None where
    the provider tells no price beforehand.
    """

    offer: Offer
    hours: float
    error: float

    @property
    def total(self) -> float | None:
        """The expected price of the whole voice."""
        price = self.offer.price_per_hour
        return None if price is None else price * self.hours

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the most it may come to."""
        total = self.total
        return None if total is None else (total * (1 - self.error), total * (1 + self.error))


def price_offers(
    offers: Iterable[Offer], hours: Callable[[str], float], error: float
) -> list[PricedOffer]:
    """Return the offers by their total price, the cheapest first; those without one last.

    hours: the hours of the voice on the GPU of a name.
    """
    priced = [PricedOffer(offer, hours(offer.gpu), error) for offer in offers]
    return sorted(priced, key=lambda one: (one.total is None, one.total or 0.0, one.hours))


@dataclass(frozen=True)
class FoundOffers:
    """Offers by total price. unanswered: why providers that were asked gave none."""

    priced: tuple[PricedOffer, ...]
    unanswered: tuple[Problem, ...] = ()


def find_offers(
    providers: Sequence[Provider], wanted: Requirements, hours: Callable[[str], float], error: float
) -> FoundOffers:
    """Return the cheapest offers of all providers that answer.

    Problem: of the only provider that was asked, or `remote.rent.no_offers`.
    """
    offers: list[Offer] = []
    unanswered: list[Problem] = []
    for provider in providers:
        try:
            offers += provider.list_offers(wanted)
        except Problem as problem:
            if len(providers) == 1:
                raise
            unanswered.append(problem)
    if not offers:
        raise Problem(
            "remote.rent.no_offers",
            ExitCode.REFUSED,
            memory=f"{wanted.gpu_memory:.0f}",
            providers=", ".join(each.name for each in providers),
        )
    return FoundOffers(tuple(price_offers(offers, hours, error)[:_SHOWN_OFFERS]), tuple(unanswered))


@dataclass(frozen=True)
class LookedAtLease:
    """An open lease with its server; None where its provider has no key here or no answer."""

    lease: Lease
    instance: Instance | None


def look_at_leases(
    providers: Mapping[str, Provider], book: LeaseBook, now: float
) -> list[LookedAtLease]:
    """Return the open leases as their providers see them; those whose server is gone have ended."""
    looked = (
        _look_at_lease(lease, providers.get(lease.provider), book, now)
        for lease in book.read()
        if lease.is_open
    )
    return [one for one in looked if one.lease.is_open]


def _look_at_lease(
    lease: Lease, provider: Provider | None, book: LeaseBook, now: float
) -> LookedAtLease:
    if provider is None or not lease.instance:
        return LookedAtLease(lease, None)
    try:
        instance = provider.find_instance(lease.instance)
    except AnswerLost:
        return LookedAtLease(lease, None)
    if instance is None or instance.state == "gone":
        return LookedAtLease(book.change(lease.name, ended_at=now), None)
    if instance.state in ("running", "stopped"):
        lease = book.note_stopped(lease.name, instance.state == "stopped", now)
    return LookedAtLease(lease, instance)


def adopt_server(one: UnendedServer, book: LeaseBook, now: float) -> Lease:
    """Return the lease of a server; one is written for a server that another computer rented."""
    instance = one.instance
    if one.lease is not None:
        return book.change(one.lease.name, instance=instance.id, ended_at=None)
    lease = Lease(
        instance.name,
        one.provider.name,
        "-",
        "-",
        instance.price_per_hour,
        one.provider.currency,
        now,
        one.expires_at or now,
        "stop",
        instance.id,
    )
    book.add(lease)
    return lease


def _look(provider: Provider, instance_id: str) -> Instance | None:
    """What the provider says of the server; None while it gives no answer at all."""
    try:
        return provider.find_instance(instance_id)
    except AnswerLost:
        return None


def _find_by_name(provider: Provider, name: str, clock: Clock) -> Instance | None:
    """The server called so, as soon as it is listed; AnswerLost when nobody can say."""
    began = clock.now()
    for pause in _pauses():
        found = [one for one in provider.list_instances() if one.name == name]
        alive = [one for one in found if one.state != "gone"]
        if alive:
            return alive[0]
        if clock.now() - began >= _LISTED_WITHIN_S:
            return None
        clock.sleep(pause)
    raise AssertionError("unreachable")


def _pauses() -> Iterator[float]:
    """Seconds between looks: soon at first, then steadily."""
    yield from (1.0, 2.0, 4.0)
    while True:
        yield _POLL_S
