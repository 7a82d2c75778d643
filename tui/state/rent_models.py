"""What can be rented, what is rented, and how far the journey of one voice has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sovdeck.remote.rent.provider import PROVIDER_NAMES, STATIONS, EndAction
from sovdeck.tui.state.server_models import Remark

EndChoice = EndAction
PROVIDERS: tuple[str, ...] = PROVIDER_NAMES
JOURNEY_STATIONS: tuple[str, ...] = STATIONS
JourneyEnd = Literal["", "done", "left_running", "failed"]


@dataclass(frozen=True)
class OfferRow:
    """One offer with what the voice would cost there.

    least, most: of the whole voice; None where the provider tells no price beforehand. page: where
    a person ends a server by hand.
    """

    id: str
    provider: str
    gpu: str
    memory: float
    price_per_hour: float | None
    currency: str
    hours: float
    least: float | None
    most: float | None
    place: str
    cpu: str
    reliability: float | None
    can_stop: bool
    page: str

    @property
    def total(self) -> str:
        """What the voice costs there, from the least to the most; "" where nobody can say."""
        if self.least is None or self.most is None:
            return ""
        return f"{self.least:.2f}-{self.most:.2f} {self.currency}"


@dataclass(frozen=True)
class OffersView:
    """The offers for one voice, the cheapest first.

    voices: all that could be rented for, by their recordings on this computer. at: when the prices
    were asked for, Unix milliseconds. error: of the hours, as a fraction. why: there are none.
    needs_key: no provider has a key. simulated: a simulator stands in the providers' place.
    """

    voice: str = ""
    voices: tuple[str, ...] = ()
    offers: tuple[OfferRow, ...] = ()
    at: int = 0
    error: float = 0.0
    loading: bool = False
    why: Remark | None = None
    needs_key: bool = False
    simulated: bool = False
    max_hours: float = 0.0


@dataclass(frozen=True)
class LeaseRow:
    """One rented server. Times are Unix milliseconds.

    state: as its provider says, "unknown" without an answer. unasked: it bills past its time, or
    no lease of this computer knows it. billed_from: its creation, later by the time it stood
    stopped before. stopped_at: since when it is stopped. can_resume: this computer rented it for a
    voice, and can go on.
    """

    name: str
    server: str
    provider: str
    voice: str
    gpu: str
    state: str
    price_per_hour: float | None
    currency: str
    billed_from: int
    expires_at: int | None
    is_home: bool
    can_stop: bool
    unasked: bool = False
    stopped_at: int | None = None
    can_resume: bool = False

    @property
    def shown_name(self) -> str:
        """Its name in the list of servers, else the provider's."""
        return self.server or self.name

    def cost_at(self, now: int) -> float | None:
        """What it has cost by its price per hour; None without one."""
        if self.price_per_hour is None:
            return None
        ms = max(0, min(now, self.stopped_at or now) - self.billed_from)
        return ms / 3_600_000 * self.price_per_hour


@dataclass(frozen=True)
class KeyAnswer:
    """A provider took a key, which is kept now, or why not."""

    provider: str
    why: Remark | None = None


@dataclass(frozen=True)
class JourneyView:
    """The journey of one voice that this dashboard follows.

    station: where it is. remark: what failed last. ended_at: Unix milliseconds.
    """

    lease: str
    server: str
    voice: str
    gpu: str
    provider: str
    price_per_hour: float | None
    currency: str
    created_at: int
    end: EndChoice
    can_stop: bool
    station: str
    remark: Remark | None = None
    ended: JourneyEnd = ""
    ended_at: int | None = None

    def cost_at(self, now: int) -> float | None:
        """What it has cost by its price per hour; None without one."""
        if self.price_per_hour is None:
            return None
        ms = max(0, (self.ended_at or now) - self.created_at)
        return ms / 3_600_000 * self.price_per_hour
