"""What the Rent screen says: rows, what was agreed, and how far a journey is."""

from __future__ import annotations

import time
from collections.abc import Mapping

from textual.content import Content
from textual.message_pump import MessagePump

from sovdeck.engine.contract.format import (
    UNKNOWN,
    format_money,
    format_percent,
    format_short_duration,
)
from sovdeck.tui.state.rent_models import (
    JOURNEY_STATIONS,
    EndChoice,
    JourneyView,
    LeaseRow,
    OfferRow,
    OffersView,
)
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import translate, translate_hint, translate_text
from sovdeck.tui.widgets.diff_table import TableCell
from sovdeck.tui.widgets.status_labels import age_text, level_mark
from sovdeck.tui.widgets.transfer_row import transfers_text

OFFER_COLUMNS = {
    name: f"tui.rent.head_{name}"
    for name in ("total", "hours", "price", "gpu", "provider", "place", "cpu", "reliability")
}
LEASE_COLUMNS = {
    name: f"tui.rent.head_{name}"
    for name in ("name", "voice", "state", "cost", "gpu", "until", "safe")
}
_MARKS = {"done": ("✓", "$success"), "now": ("▶", "$primary"), "waiting": ("·", "$faint")}


def title_text(node: MessagePump, state: State, view: str) -> Content:
    """What the view is about, how old its facts are, and that they are made up where they are."""
    offers = state.offers
    if view == "offers":
        title = translate(node, "tui.rent.title", voice=offers.voice or UNKNOWN)
        age = age_text(node, offers.at, state.now) if offers.at else ""
        parts = []
        if len(offers.voices) > 1:
            parts.append((f"  ‹ {', '.join(offers.voices)} ›", "$faint"))
        if age:
            parts.append((f"  {translate(node, 'tui.rent.prices_age', age=age)}", "$warning"))
    else:
        title = translate(node, "tui.rent.leases_title", count=len(state.leases))
        age = age_text(node, state.leases_at, state.now) if state.leases_at else ""
        parts = [(f"  {age}", "$faint")]
    if offers.simulated:
        parts.append((f"  {translate(node, 'tui.rent.simulated')}", "bold $warning"))
    return Content.assemble((title, "bold $primary"), *parts)


def offer_cells(node: MessagePump, offer: OfferRow) -> Mapping[str, TableCell]:
    """One row of the offers."""
    return {
        "total": Content.styled(offer.total or translate(node, "tui.rent.unknown_price"), "bold"),
        "hours": f"{offer.hours:.1f}",
        "price": format_money(offer.price_per_hour, offer.currency),
        "gpu": f"{offer.gpu} {offer.memory:.0f} GB",
        "provider": offer.provider,
        "place": offer.place or UNKNOWN,
        "cpu": offer.cpu or UNKNOWN,
        "reliability": format_percent(offer.reliability),
    }


def agreement(node: MessagePump, offers: OffersView, offer: OfferRow, end: EndChoice) -> str:
    """What is agreed to: the price, and what happens when the voice is home."""
    return translate(
        node,
        f"tui.rent.agree_{end}" if offer.can_stop else "tui.rent.agree_destroy_only",
        gpu=offer.gpu,
        provider=offer.provider,
        total=offer.total or translate(node, "tui.rent.unknown_price"),
        price=format_money(offer.price_per_hour, offer.currency),
        hours=f"{offers.max_hours:g}",
    )


def costs_if_dead(node: MessagePump, offers: OffersView, offer: OfferRow) -> str:
    """What the server costs if this computer dies on the way."""
    return translate(
        node,
        "tui.rent.if_dead" if offer.can_stop else "tui.rent.if_dead_destroy_only",
        price=format_money(offer.price_per_hour, offer.currency),
        hours=f"{offers.max_hours:g}",
    )


def untried_note(node: MessagePump, offer: OfferRow) -> str:
    """That nobody has run us against the real service, and where a person can watch it."""
    return translate(node, "tui.rent.untried", provider=offer.provider, page=offer.page)


def offer_lines(
    node: MessagePump, offers: OffersView, offer: OfferRow, end: EndChoice
) -> list[Content]:
    """What renting this offer means."""
    error = f"{offers.error * 100:.0f}"
    at = time.strftime("%H:%M", time.localtime(offers.at / 1000))
    return [
        Content(agreement(node, offers, offer, end)),
        Content.styled(costs_if_dead(node, offers, offer), "$secondary"),
        Content.styled(translate(node, "tui.rent.estimate_note", error=error, time=at), "$faint"),
        Content.styled(untried_note(node, offer), "$warning"),
    ]


def lease_cells(node: MessagePump, lease: LeaseRow, now: int) -> Mapping[str, TableCell]:
    """One row of what is rented."""
    colour = {"running": "$success", "starting": "$secondary", "failed": "$error"}
    until = UNKNOWN
    if lease.expires_at is not None:
        until = time.strftime("%m-%d %H:%M", time.localtime(lease.expires_at / 1000))
    return {
        "name": Content.styled(lease.shown_name, "bold"),
        "voice": lease.voice,
        "state": Content.styled(
            translate(node, f"tui.rent.state_{lease.state}"), colour.get(lease.state, "$faint")
        ),
        "cost": format_money(lease.cost_at(now), lease.currency),
        "gpu": f"{lease.gpu} ({lease.provider})",
        "until": until,
        "safe": translate(node, "tui.rent.yes" if lease.is_home else "tui.rent.no"),
    }


def lease_lines(node: MessagePump, lease: LeaseRow, followed: bool) -> list[Content]:
    """What a person should know of a rented server. followed: its rental goes on here."""
    price = format_money(lease.price_per_hour, lease.currency)
    lines = []
    if lease.unasked:
        until = lease_until(lease)
        facts = {"name": lease.shown_name, "provider": lease.provider, "until": until}
        lines.append(
            Content.assemble(level_mark("bad"), f" {translate(node, 'tui.rent.unended', **facts)}")
        )
    if lease.state in ("running", "starting", "failed"):
        text = translate(node, "tui.rent.if_you_go", name=lease.shown_name, price=price)
        lines.append(Content.styled(text, "$secondary"))
    if lease.can_resume and not followed:
        lines.append(Content(translate(node, "tui.rent.press_resume", voice=lease.voice)))
    return lines


def lease_until(lease: LeaseRow) -> str:
    """Until when a server was meant to run."""
    if lease.expires_at is None:
        return UNKNOWN
    return time.strftime("%m-%d %H:%M", time.localtime(lease.expires_at / 1000))


def journey_text(
    node: MessagePump, state: State, journey: JourneyView, width: int
) -> list[Content]:
    """The stations, what runs now, what it has cost, and what failed."""
    lines = [_stations_line(node, journey)]
    cost = format_money(journey.cost_at(state.now), journey.currency)
    seconds = max(0, (journey.ended_at or state.now) - journey.created_at) / 1000
    key = f"tui.rent.journey_{journey.ended}" if journey.ended else "tui.rent.journey_cost"
    facts = {"cost": cost, "time": format_short_duration(seconds), "voice": journey.voice}
    colour = {"done": "bold $success", "failed": "bold $error", "left_running": "bold $warning"}
    lines.append(Content.styled(translate(node, key, **facts), colour.get(journey.ended, "bold")))
    if not journey.ended:
        end = journey.end if journey.can_stop else "destroy"
        lines.append(Content.styled(translate(node, f"tui.rent.then_{end}"), "$faint"))
        lines += _work_lines(node, state, journey, width)
    if journey.remark is not None:
        said = translate_text(node, journey.remark.text), translate_text(node, journey.remark.hint)
        lines.append(Content.assemble(level_mark("bad"), f" {' '.join(said).strip()}"))
    return lines


def _stations_line(node: MessagePump, journey: JourneyView) -> Content:
    here = JOURNEY_STATIONS.index(journey.station)
    parts: list[tuple[str, str]] = []
    for place, station in enumerate(JOURNEY_STATIONS):
        kind = "done" if place < here or journey.ended == "done" else "waiting"
        if place == here and journey.ended != "done":
            kind = "now"
        mark, colour = _MARKS[kind]
        if kind == "now" and journey.ended:
            mark, colour = "✗", "$error"
        name = translate(node, f"tui.rent.station_{station}")
        parts.append((f"{mark} {name}   ", f"bold {colour}" if kind == "now" else colour))
    return Content.assemble(*parts)


def _work_lines(node: MessagePump, state: State, journey: JourneyView, width: int) -> list[Content]:
    """What the station does just now."""
    if journey.station == "deploy":
        steps = state.deploys.get(journey.server, ())
        return [
            Content(translate_text(node, step.title)) for step in steps if step.state == "running"
        ]
    if journey.station in ("push", "home"):
        kind = "push" if journey.station == "push" else "pull"
        transfer = state.transfers.get(f"rent-{kind}:{journey.server}")
        return [] if transfer is None else [transfers_text(node, [transfer], width)]
    return [Content.styled(translate_hint(node, f"tui.rent.station_{journey.station}"), "$faint")]
