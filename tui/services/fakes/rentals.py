"""Made-up offers, one rented server, and a rental that takes no time."""

from __future__ import annotations

from dataclasses import replace

from sovdeck.engine.contract.catalogue import hint, text
from sovdeck.engine.contract.format import format_money
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.services.protocols import Cancel, Emit, Prompts
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.rent_models import (
    JOURNEY_STATIONS,
    EndChoice,
    JourneyView,
    KeyAnswer,
    LeaseRow,
    OfferRow,
    OffersView,
)
from sovdeck.tui.state.server_models import Remark

_PAGES = {
    "vast": "https://cloud.vast.ai/instances/",
    "lambda": "https://cloud.lambda.ai/instances",
}
OFFERS = (
    OfferRow(
        *("1", "vast", "RTX 3090", 24.0, 0.21, "USD", 2.6, 0.27, 0.82, "Sweden, SE"),
        *("AMD EPYC", 0.991, True, _PAGES["vast"]),
    ),
    OfferRow(
        *("2", "lambda", "A10", 24.0, 0.75, "USD", 2.1, 0.79, 2.36, "Virginia, USA"),
        *("", None, False, _PAGES["lambda"]),
    ),
)
LEASE_NAME = "sovdeck-atri-3f2a9c-until-20261015T0400"
GOOD_KEY = "good-key"


class FakeRentals:
    """`world.leases` is what is rented; a rental waits at "train" until `world.station` is set."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def list_offers(self, voice: str, folder: str, emit: Emit, cancel: Cancel) -> None:
        """Emit two offers, or that there is no key."""
        self.world.record_call("offers", voice or "ATRI")
        view = OffersView(voice or "ATRI", ("ATRI", "Mika"), error=0.5, max_hours=12)
        emit(ev.OffersSeen(replace(view, loading=True)))
        view = replace(view, at=self.world.now())
        if self.world.has_provider_key:
            emit(ev.OffersSeen(replace(view, offers=OFFERS)))
        else:
            emit(ev.OffersSeen(replace(view, needs_key=True)))

    def keep_key(self, provider: str, key: str, emit: Emit) -> None:
        """Take one key alone."""
        self.world.record_call("keep key", provider)
        if key == GOOD_KEY:
            self.world.has_provider_key = True
            emit(ev.ProviderKeyAnswered(KeyAnswer(provider)))
            return
        facts = {"provider": provider, "status": 401, "detail": "-"}
        why = Remark(
            "bad", text("remote.rent.bad_key", **facts), hint("remote.rent.bad_key", **facts)
        )
        emit(ev.ProviderKeyAnswered(KeyAnswer(provider, why)))

    def rent(
        self, offer: str, end: EndChoice, prompts: Prompts, emit: Emit, cancel: Cancel
    ) -> None:
        """Emit each station; wait before the training ends."""
        self.world.record_call("rent", offer, end)
        chosen = next(one for one in OFFERS if one.id == offer)
        now = self.world.now()
        view = JourneyView(
            *(LEASE_NAME, "vast-ATRI", "ATRI", chosen.gpu, chosen.provider),
            *(chosen.price_per_hour, chosen.currency, now - 1_800_000, end, chosen.can_stop),
            JOURNEY_STATIONS[0],
        )
        self.world.leases = (_lease_of(view, now),)
        self._follow(view, emit, cancel)

    def resume(self, name: str, prompts: Prompts, emit: Emit, cancel: Cancel) -> None:
        """Emit each station from the training on."""
        self.world.record_call("resume", name)
        lease = next(one for one in self.world.leases if one.name == name)
        self.world.leases = (replace(lease, state="running", stopped_at=None),)
        view = JourneyView(
            *(lease.name, lease.server, lease.voice, lease.gpu, lease.provider),
            *(lease.price_per_hour, lease.currency, lease.billed_from, "stop", lease.can_stop),
            "train",
        )
        self._follow(view, emit, cancel)

    def remind(self, emit: Emit) -> None:
        """Emit a notice for each lease."""
        for lease in self.world.leases:
            price = format_money(lease.price_per_hour, lease.currency)
            facts = {"name": lease.shown_name, "voice": lease.voice, "price": price}
            say, advice = text("tui.rent.reminder", **facts), hint("tui.rent.reminder", **facts)
            emit(ev.NoticeRaised("warning", say, self.world.now(), advice))

    def _follow(self, view: JourneyView, emit: Emit, cancel: Cancel) -> None:
        """Emit each station from that of the view on; wait before the training ends."""
        for station in JOURNEY_STATIONS[JOURNEY_STATIONS.index(view.station) :]:
            view = replace(view, station=station)
            emit(ev.JourneyChanged(view))
            while station == "train" and not self.world.station.wait(0.05):
                if cancel.is_set():
                    return
        self.world.leases = ()
        emit(ev.JourneyChanged(replace(view, ended="done", ended_at=self.world.now())))

    def list_leases(self, emit: Emit, cancel: Cancel) -> None:
        """Emit what is rented."""
        emit(ev.LeasesSeen(self.world.leases, self.world.now()))

    def end(
        self, name: str, action: EndChoice, emit: Emit, cancel: Cancel, *, confirmed: bool
    ) -> None:
        """Take it off the list, or stop it there."""
        self.world.record_call(action, name, *(["confirmed"] if confirmed else []))
        left = () if action == "destroy" else self.world.leases
        self.world.leases = tuple(replace(one, state="stopped") for one in left)
        self.list_leases(emit, cancel)


def _lease_of(view: JourneyView, now: int) -> LeaseRow:
    return LeaseRow(
        *(view.lease, view.server, view.provider, view.voice, view.gpu, "running"),
        *(view.price_per_hour, view.currency, view.created_at, now + 43_200_000),
        is_home=False,
        can_stop=view.can_stop,
        can_resume=True,
    )
