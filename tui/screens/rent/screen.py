"""The Rent screen: what a voice costs where, how far its rental is, and what costs money now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable

from sovdeck.engine.contract.format import format_money
from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.name_prompt import NamePromptScreen
from sovdeck.tui.screens.rent.provider_key import ProviderKeyScreen
from sovdeck.tui.screens.rent.text import (
    LEASE_COLUMNS,
    OFFER_COLUMNS,
    agreement,
    costs_if_dead,
    journey_text,
    lease_cells,
    lease_lines,
    offer_cells,
    offer_lines,
    title_text,
    untried_note,
)
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state import commands
from sovdeck.tui.state.rent_models import EndChoice, LeaseRow, OfferRow
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.widgets.diff_table import DiffTable, TableRow, columns_that_fit
from sovdeck.tui.widgets.empty_state import EmptyState
from sovdeck.tui.widgets.steady_text import SteadyText

_MARGIN_CELLS = 4  # beside a table
_MAX_NAME = 80  # the longest that a provider takes is shorter
_OFFER_ACTIONS = ("order", "toggle_end", "next_voice", "provider_key")
_LEASE_ACTIONS = ("resume", "stop", "destroy")
_OPTIONAL_OFFER_COLUMNS = ("cpu", "reliability", "place", "hours", "provider")
_OPTIONAL_LEASE_COLUMNS = ("until", "gpu", "safe", "voice")


class RentScreen(AppScreen):
    """Two views: the offers for one voice, and what is rented with the journey that goes on."""

    TAB = "servers"
    SCOPE = "rent"
    TOPICS: ClassVar[tuple[str, ...]] = ("rent", "deploys", "transfers", "ages")
    BINDINGS = bindings("rent")
    CSS_PATH = "../../styles/rent.tcss"

    def __init__(self) -> None:
        super().__init__()
        self.view: Literal["offers", "leases"] = "offers"
        self.end: EndChoice = "stop"
        self._station = ""
        self._key_asked = False

    def compose_body(self) -> Iterable[Widget]:
        yield SteadyText(id="title")
        with Vertical(id="list"):
            yield DiffTable(id="offers")
            yield DiffTable(id="leases")
            yield EmptyState("tui.rent.asking", id="empty")
        with VerticalScroll(id="more"):
            yield SteadyText(id="detail")

    def on_mount(self) -> None:
        state = self.base_app.state
        if state.journey is not None and not state.journey.ended:
            self.view = "leases"
        self.action_refresh_rent()

    def on_resize(self) -> None:
        self.redraw_after_refresh(self.redraw_all)

    @property
    def table(self) -> DiffTable:
        """The table of the view."""
        return self.query_one(f"#{self.view}", DiffTable)

    @property
    def chosen_offer(self) -> OfferRow | None:
        """The offer under the cursor."""
        key = self.query_one("#offers", DiffTable).cursor_key
        return next((one for one in self.base_app.state.offers.offers if one.id == key), None)

    @property
    def chosen_lease(self) -> LeaseRow | None:
        """The rented server under the cursor."""
        key = self.query_one("#leases", DiffTable).cursor_key
        return next((one for one in self.base_app.state.leases if one.name == key), None)

    def show(self, state: State, topics: Topics | None) -> None:
        self._follow_journey(state)
        self.query_one("#title", SteadyText).update(title_text(self, state, self.view))
        offers = [(one.id, offer_cells(self, one)) for one in state.offers.offers]
        leases = [(one.name, lease_cells(self, one, state.now)) for one in state.leases]
        self._fill("offers", OFFER_COLUMNS, offers, _OPTIONAL_OFFER_COLUMNS)
        self._fill("leases", LEASE_COLUMNS, leases, _OPTIONAL_LEASE_COLUMNS)
        self._show_empty(state)
        self._show_detail(state)
        self.refresh_bindings()
        answer = state.key_answer
        if self._key_asked and answer is not None and answer.why is None:
            self._key_asked = False
            self.action_refresh_rent()

    def _fill(
        self,
        name: str,
        titles: dict[str, str],
        rows: list[TableRow],
        optional: tuple[str, ...],
    ) -> None:
        table = self.query_one(f"#{name}", DiffTable)
        table.display = name == self.view and bool(rows)
        columns = {key: self.translate(title) for key, title in titles.items()}
        width = self.app.size.width - _MARGIN_CELLS
        table.fill(columns_that_fit(columns, rows, width, optional), rows)
        if table.display and self.is_current and self.focused is None:
            table.focus()

    def _show_empty(self, state: State) -> None:
        empty = self.query_one(EmptyState)
        empty.display = not self.table.display
        if self.view == "leases":
            empty.show("tui.rent.none_rented_here")
        elif state.offers.loading or not state.offers.at:
            empty.show("tui.rent.asking")
        elif state.offers.needs_key:
            empty.show("tui.rent.give_key")
        elif state.offers.why is not None:
            empty.show_remark(state.offers.why)

    def _show_detail(self, state: State) -> None:
        lines: list[Content] = []
        offer, lease, journey = self.chosen_offer, self.chosen_lease, state.journey
        if self.view == "offers" and offer is not None:
            lines += offer_lines(self, state.offers, offer, self.end)
        if self.view == "leases":
            shown = journey is not None and (lease is None or lease.name == journey.lease)
            if journey is not None and shown:
                lines += journey_text(self, state, journey, self.app.size.width - _MARGIN_CELLS)
            if lease is not None:
                lines += lease_lines(self, lease, self._is_followed(lease))
        self.query_one("#more").display = bool(lines)
        self.query_one("#detail", SteadyText).update(Content("\n").join(lines))

    def _follow_journey(self, state: State) -> None:
        """At a new station ask anew what is rented."""
        journey = state.journey
        station = "" if journey is None else f"{journey.lease} {journey.station}"
        if station != self._station:
            self._station = station
            self.post_command(commands.ListLeases())

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._show_detail(self.base_app.state)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if self.view == "offers":
            self.action_order()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether an action applies: each view has its own."""
        if action in _OFFER_ACTIONS:
            return self.view == "offers"
        if action == "resume" and self._is_followed(self.chosen_lease):
            return False
        return action not in _LEASE_ACTIONS or self.view == "leases"

    def _is_followed(self, lease: LeaseRow | None) -> bool:
        """Whether the rental of a lease goes on here."""
        journey = self.base_app.state.journey
        going = journey is not None and not journey.ended
        return going and lease is not None and journey is not None and journey.lease == lease.name

    def action_refresh_rent(self) -> None:
        """Ask for prices and for what is rented."""
        self._list_offers(self.base_app.state.offers.voice)
        self.post_command(commands.ListLeases())

    def _list_offers(self, voice: str) -> None:
        self.post_command(commands.ListOffers(voice, self.base_app.settings.dataset))

    def action_view(self) -> None:
        self.view = "leases" if self.view == "offers" else "offers"
        self.set_focus(None)
        self.redraw_all()

    def action_cursor(self, by: int) -> None:
        self.table.move_cursor(row=self.table.cursor_row + by)

    def action_next_voice(self, by: int) -> None:
        offers = self.base_app.state.offers
        if len(offers.voices) > 1:
            place = offers.voices.index(offers.voice) + by
            self._list_offers(offers.voices[place % len(offers.voices)])

    def action_toggle_end(self) -> None:
        self.end = "destroy" if self.end == "stop" else "stop"
        self._show_detail(self.base_app.state)

    def action_provider_key(self) -> None:
        self._key_asked = True
        self.app.push_screen(ProviderKeyScreen())

    def action_order(self) -> None:
        """Ask with the cost and the agreement, then rent."""
        offer, state = self.chosen_offer, self.base_app.state
        if offer is None or self._follows_one():
            return
        facts = {
            "gpu": offer.gpu,
            "provider": offer.provider,
            "total": offer.total or self.translate("tui.rent.unknown_price"),
            "agreement": agreement(self, state.offers, offer, self.end),
            "dead": costs_if_dead(self, state.offers, offer),
            "untried": untried_note(self, offer),
        }

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(commands.RentServer(offer.id, self.end))
                self.view = "leases"
                self.set_focus(None)
                self.redraw_all()

        self.app.push_screen(ConfirmScreen("tui.rent.order", facts), answered)

    def _follows_one(self) -> bool:
        """Whether a rental is followed here already, which is said then."""
        journey = self.base_app.state.journey
        if journey is None or journey.ended:
            return False
        self.notify(self.translate("tui.rent.one_at_a_time", voice=journey.voice))
        return True

    def action_resume(self) -> None:
        """Go on with a rental; a stopped server starts again, which is asked for."""
        lease = self.chosen_lease
        if lease is None or self._follows_one():
            return
        if not lease.can_resume:
            message = "remote.rent.rented_elsewhere"
            self.notify(self.translate(message, name=lease.shown_name))
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(commands.ResumeRental(lease.name))

        facts = {
            "name": lease.shown_name,
            "voice": lease.voice,
            "price": format_money(lease.price_per_hour, lease.currency),
        }
        key = "tui.rent.resume_stopped" if lease.state == "stopped" else "tui.rent.resume"
        self.app.push_screen(ConfirmScreen(key, facts), answered)

    def action_stop(self) -> None:
        lease = self.chosen_lease
        if lease is None:
            return
        if not lease.can_stop:
            self.notify(self.translate("tui.rent.only_destroy", provider=lease.provider))
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(commands.EndLease(lease.name, "stop"))

        facts = {"name": lease.shown_name, "provider": lease.provider}
        self.app.push_screen(ConfirmScreen("tui.rent.stop", facts), answered)

    def action_destroy(self) -> None:
        """Ask; what is not home, verified, is only destroyed by its name."""
        lease = self.chosen_lease
        if lease is None:
            return
        facts = {"name": lease.shown_name, "provider": lease.provider, "voice": lease.voice}
        if lease.is_home:

            def answered(yes: bool | None) -> None:
                if yes:
                    self.post_command(commands.EndLease(lease.name, "destroy"))

            self.app.push_screen(ConfirmScreen("tui.rent.destroy_home", facts), answered)
            return

        def typed(name: str | None) -> None:
            if name is not None:
                self.post_command(commands.EndLease(lease.name, "destroy", confirmed=True))

        def wrong(name: str) -> str:
            if name in (lease.shown_name, lease.name):
                return ""
            given = {"given": name, "name": lease.shown_name}
            return self.translate("tui.rent.wrong_confirm", **given)

        self.app.push_screen(
            NamePromptScreen(
                "tui.rent.destroy_by_name", "", wrong, facts=facts, max_length=_MAX_NAME
            ),
            typed,
        )

    def action_back(self) -> None:
        self.dismiss()


def leaving_question(state: State) -> ConfirmScreen | None:
    """What is asked before the dashboard is left while a rental goes on; None without one."""
    journey = state.journey
    if journey is None or journey.ended:
        return None
    facts = {"name": journey.server or journey.lease, "voice": journey.voice}
    return ConfirmScreen("tui.rent.leave", facts)
