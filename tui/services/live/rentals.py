"""Rented servers: offers for a voice, its journey, what is rented, and its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.catalogue import hint, text
from sovdeck.engine.contract.format import format_money
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.keyring_store import SystemKeyring
from sovdeck.remote.rent.accounts import (
    find_simulators,
    keep_key,
    open_provider,
    open_providers,
)
from sovdeck.remote.rent.estimate import ERROR, VoiceEstimate, estimate_voice
from sovdeck.remote.rent.journey import JourneyLeft, RentalJourney, forget_ended_server
from sovdeck.remote.rent.leases import DEFAULT_HOURS, Lease, LeaseBook, new_lease
from sovdeck.remote.rent.provider import Provider
from sovdeck.remote.rent.rental import (
    Clock,
    LookedAtLease,
    PricedOffer,
    UnendedServer,
    adopt_server,
    end_server,
    find_offers,
    find_unended,
    look_at_leases,
)
from sovdeck.remote.rent.rented_voice import RentedVoice
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.sign_in import WritableKeyring
from sovdeck.tui.services.connections import ConnectionRegistry, now_ms
from sovdeck.tui.services.live.datasets import LiveDatasets
from sovdeck.tui.services.live.deploys import LiveDeploys
from sovdeck.tui.services.live.rent_steps import DashboardSteps
from sovdeck.tui.services.live.training import LiveTraining
from sovdeck.tui.services.protocols import Cancel, Emit, Prompts
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.rent_models import EndChoice, KeyAnswer, LeaseRow, OfferRow, OffersView
from sovdeck.tui.state.server_models import Remark


@dataclass(frozen=True)
class _ListedOffer:
    """An offer that was shown, with what is needed to rent it."""

    priced: PricedOffer
    provider: Provider
    rented: RentedVoice
    disk: int


class LiveRentals:
    """Remembers the offers that were listed last: what is ordered is what was shown."""

    def __init__(
        self,
        connections: ConnectionRegistry,
        deploys: LiveDeploys,
        datasets: LiveDatasets,
        training: LiveTraining,
        keyring: Callable[[], WritableKeyring] = SystemKeyring,
    ) -> None:
        self._connections = connections
        self._deploys, self._datasets, self._training = deploys, datasets, training
        self._keyring = keyring
        self._listed: dict[str, _ListedOffer] = {}

    def list_offers(self, voice: str, folder: str, emit: Emit, cancel: Cancel) -> None:
        """Emit what can be rented for a voice, or why nothing can."""
        known: dict[str, RentedVoice] = {}
        for one in self._known_voices(folder):
            known.setdefault(one.voice, one)
        chosen = known.get(voice) or next(iter(known.values()), None)
        view = OffersView(
            chosen.voice if chosen is not None else "",
            tuple(known),
            error=ERROR,
            simulated=bool(find_simulators()),
            max_hours=DEFAULT_HOURS,
            loading=True,
        )
        emit(ev.OffersSeen(view))
        why, needs_key = None, False
        offers: tuple[OfferRow, ...] = ()
        try:
            if chosen is None:
                raise Problem("tui.rent.no_voice", ExitCode.CONFIG)
            providers = open_providers(self._keyring())
            offers = self._find_offers(chosen, providers, emit)
        except Problem as problem:
            why = Remark("bad", problem.message, problem.hint)
            needs_key = problem.key == "remote.rent.no_keys"
        emit(
            ev.OffersSeen(
                OffersView(
                    view.voice,
                    view.voices,
                    offers,
                    now_ms(),
                    ERROR,
                    why=why,
                    needs_key=needs_key,
                    simulated=view.simulated,
                    max_hours=DEFAULT_HOURS,
                )
            )
        )

    def keep_key(self, provider: str, key: str, emit: Emit) -> None:
        """Keep a key that the provider took; emit the answer, and how many servers it lists."""
        try:
            count = keep_key(provider, Secret(key.strip()), self._keyring())
        except Problem as problem:
            why = Remark("bad", problem.message, problem.hint)
            emit(ev.ProviderKeyAnswered(KeyAnswer(provider, why)))
            return
        emit(ev.ProviderKeyAnswered(KeyAnswer(provider)))
        kept = text("tui.rent.key_kept", provider=provider, count=count)
        emit(ev.NoticeRaised("good", kept, now_ms()))

    def rent(
        self, offer: str, end: EndChoice, prompts: Prompts, emit: Emit, cancel: Cancel
    ) -> None:
        """Follow the journey of an offer that was listed; leaving it leaves the server."""
        listed = self._listed.get(offer)
        if listed is None:
            raise Problem("tui.rent.offer_gone", ExitCode.CONFIG)
        provider, priced = listed.provider, listed.priced.offer
        agreed: EndChoice = end if provider.can_stop else "destroy"
        lease = new_lease(priced, listed.rented, time.time(), DEFAULT_HOURS, agreed)

        def run(journey: RentalJourney) -> None:
            journey.run(priced, listed.disk)

        self._follow(provider, lease, listed.rented, run, prompts, emit, cancel)

    def resume(self, name: str, prompts: Prompts, emit: Emit, cancel: Cancel) -> None:
        """Follow the journey of a lease again, from where it is."""
        lease = self._book.find(name)
        if lease.rented is None:
            raise Problem("remote.rent.rented_elsewhere", ExitCode.CONFIG, name=name)
        provider = open_provider(lease.provider, self._keyring())

        def resume(journey: RentalJourney) -> None:
            journey.resume()

        self._follow(provider, lease, lease.rented, resume, prompts, emit, cancel)

    def remind(self, emit: Emit) -> None:
        """Emit a notice for each server that is rented and followed by nobody on this computer."""
        for lease in self._book.read():
            if not lease.is_open or lease.rented is None or self._book.is_followed(lease.name):
                continue
            facts = {
                "name": lease.server or lease.name,
                "voice": lease.voice,
                "price": format_money(lease.price_per_hour, lease.currency),
            }
            say, advice = text("tui.rent.reminder", **facts), hint("tui.rent.reminder", **facts)
            emit(ev.NoticeRaised("warning", say, now_ms(), advice))

    def _follow(
        self,
        provider: Provider,
        lease: Lease,
        rented: RentedVoice,
        run: Callable[[RentalJourney], None],
        prompts: Prompts,
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        """Follow a journey to its end; leaving it leaves the server."""
        steps = DashboardSteps(
            self._connections,
            self._deploys,
            self._training,
            self._datasets.measurer,
            rented,
            lease,
            provider.can_stop,
            prompts,
            emit,
            cancel,
        )
        journey = RentalJourney(
            provider,
            self._book,
            lease,
            steps,
            _following_clock(cancel),
            self._connections.app_paths,
            self._connections.project,
        )
        try:
            run(journey)
        except JourneyLeft:
            return
        except Problem as problem:
            steps.show_problem(problem)
            raise
        finally:
            steps.close()
        self.list_leases(emit, cancel)

    def list_leases(self, emit: Emit, cancel: Cancel) -> None:
        """Emit the open leases as their providers see them, and what bills unasked."""
        providers = self._open_providers()
        now = time.time()
        rows = [
            _lease_row(one, providers.get(one.lease.provider))
            for one in look_at_leases(providers, self._book, now)
        ]
        names = {row.name for row in rows}
        unasked = {one.instance.name: one for one in self._find_unended(providers, emit)}
        rows = [_with_unasked(row, row.name in unasked) for row in rows]
        rows += [_unknown_row(one) for name, one in unasked.items() if name not in names]
        emit(ev.LeasesSeen(tuple(rows), now_ms()))

    def end(
        self, name: str, action: EndChoice, emit: Emit, cancel: Cancel, *, confirmed: bool
    ) -> None:
        """End a server, see that its provider confirms it, and say what it cost."""
        clock, book = _following_clock(cancel), self._book
        lease = self._find_lease(name, emit)
        provider = open_provider(lease.provider, self._keyring())
        try:
            ended = end_server(provider, lease, book, action, clock, confirmed=confirmed)
        except JourneyLeft:
            return
        self._connections.close_session(ended.server)
        forget_ended_server(ended, self._connections.app_paths, self._connections.project)
        emit(ev.ServersLoaded(self._connections.saved_servers()))
        key = "tui.rent.stopped" if ended.is_open else "tui.rent.destroyed"
        facts = {
            "name": ended.server or ended.name,
            "provider": ended.provider,
            "cost": format_money(ended.cost_at(clock.now()), ended.currency),
        }
        emit(ev.NoticeRaised("good", text(key, **facts), now_ms()))
        self.list_leases(emit, cancel)

    @property
    def _book(self) -> LeaseBook:
        return LeaseBook(self._connections.app_paths.leases_file)

    def _known_voices(self, folder: str) -> list[RentedVoice]:
        """deploy.toml's voice, then that of the dataset which was looked at last."""
        config = self._connections.config()
        train, found = config.train, []
        if train.voice and config.dataset.list:
            wavs = Path(config.dataset.wavs) if config.dataset.wavs else None
            found.append(
                RentedVoice(
                    train.voice, Path(config.dataset.list), wavs, train.preset, train.params
                )
            )
        if folder:
            try:
                files = self._datasets.find_files(Path(folder))
            except Problem:  # the Dataset screen says what is wrong with it
                return found
            found.append(
                RentedVoice(files.voice, files.list_file, files.wavs, train.preset, train.params)
            )
        return found

    def _find_offers(
        self, rented: RentedVoice, providers: list[Provider], emit: Emit
    ) -> tuple[OfferRow, ...]:
        estimate: VoiceEstimate = estimate_voice(
            rented.voice,
            rented.preset,
            rented.params,
            rented.list_file,
            rented.wavs,
            self._datasets.measurer,
        )
        found = find_offers(providers, estimate.requirements, estimate.hours, ERROR)
        for problem in found.unanswered:
            emit(ev.NoticeRaised("warning", problem.message, now_ms(), problem.hint))
        by_name = {each.name: each for each in providers}
        disk = estimate.requirements.disk
        self._listed = {
            str(number): _ListedOffer(one, by_name[one.offer.provider], rented, disk)
            for number, one in enumerate(found.priced, 1)
        }
        return tuple(_offer_row(key, one) for key, one in self._listed.items())

    def _open_providers(self) -> dict[str, Provider]:
        """Every provider with a key; without any what was rented is still listed."""
        try:
            return {each.name: each for each in open_providers(self._keyring())}
        except Problem:
            return {}

    def _find_unended(self, providers: dict[str, Provider], emit: Emit) -> list[UnendedServer]:
        found: list[UnendedServer] = []
        for provider in providers.values():
            try:
                found += find_unended([provider], self._book, time.time())
            except Problem as problem:
                emit(ev.NoticeRaised("warning", problem.message, now_ms(), problem.hint))
        return found

    def _find_lease(self, name: str, emit: Emit) -> Lease:
        """The lease called so; one is written for a server that another computer rented."""
        try:
            return self._book.find(name)
        except Problem:
            unended = self._find_unended(self._open_providers(), emit)
            found = next((one for one in unended if one.instance.name == name), None)
            if found is None:
                raise
            return adopt_server(found, self._book, time.time())


def _following_clock(cancel: Cancel) -> Clock:
    """Real time; waiting ends with JourneyLeft once nobody follows any more."""

    def sleep(seconds: float) -> None:
        if cancel.wait(seconds):
            raise JourneyLeft

    return Clock(time.time, sleep)


def _offer_row(key: str, listed: _ListedOffer) -> OfferRow:
    one, offer = listed.priced, listed.priced.offer
    least, most = one.bounds or (None, None)
    return OfferRow(
        key,
        offer.provider,
        offer.gpu,
        offer.memory,
        offer.price_per_hour,
        offer.currency,
        one.hours,
        least,
        most,
        offer.place,
        offer.cpu,
        offer.reliability,
        listed.provider.can_stop,
        listed.provider.page,
    )


def _lease_row(one: LookedAtLease, provider: Provider | None) -> LeaseRow:
    lease, instance = one.lease, one.instance
    return LeaseRow(
        lease.name,
        lease.server,
        lease.provider,
        lease.voice,
        lease.gpu,
        instance.state if instance is not None else "unknown",
        lease.price_per_hour,
        lease.currency,
        round((lease.created_at + lease.idle_s) * 1000),
        round(lease.expires_at * 1000),
        lease.home_at is not None,
        provider is None or provider.can_stop,
        stopped_at=None if lease.stopped_at is None else round(lease.stopped_at * 1000),
        can_resume=lease.rented is not None,
    )


def _with_unasked(row: LeaseRow, unasked: bool) -> LeaseRow:
    return LeaseRow(**{**vars(row), "unasked": unasked})


def _unknown_row(one: UnendedServer) -> LeaseRow:
    """A server with our mark that another computer rented."""
    return LeaseRow(
        one.instance.name,
        "",
        one.provider.name,
        "-",
        "-",
        one.instance.state,
        one.instance.price_per_hour,
        one.provider.currency,
        now_ms(),
        None if one.expires_at is None else round(one.expires_at * 1000),
        False,
        one.provider.can_stop,
        True,
    )
