"""What to remove when a run does not fit on a server's disk. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.format import format_bytes
from sovdeck.remote.disk.items import KINDS, DiskItem, Mark, choose, voice_of_item

# What the engine says of a run that does not fit.
DISK_LOW = "engine.run.disk_low"
_MAX_WORDS = 12
_KEYS: dict[Mark, str] = {"safe": "remote.disk.offer_safe", "resume": "remote.disk.offer_resume"}


@dataclass(frozen=True)
class CleaningOffer:
    """What could go: `words` is what `sovdeck clean --remove` takes for these items.

    mark: "safe" when nothing is lost by it, "resume" when other voices could not be resumed then.
    """

    mark: Mark
    words: tuple[str, ...]
    items: tuple[DiskItem, ...]

    @property
    def bytes(self) -> int:
        """How much it frees."""
        return sum(item.bytes for item in self.items)

    def sentence(self, server: str) -> Text:
        """The command that does it, how much it frees and what it costs."""
        words = " ".join(shlex.quote(word) for word in self.words)
        size = format_bytes(self.bytes)
        return text(_KEYS[self.mark], server=server, words=words, size=size)


def make_offers(items: Sequence[DiskItem], voice: str) -> tuple[CleaningOffer, ...]:
    """What could go for a run of `voice`, first what costs nothing; never what is its own.

    Of more than a command could name, the largest.
    """
    marks: tuple[Mark, ...] = ("safe", "resume")
    offers = [
        _make_offer(items, mark, [one for one in items if _may_go(one, mark, voice)])
        for mark in marks
    ]
    return tuple(offer for offer in offers if offer.bytes)


def _may_go(item: DiskItem, mark: Mark, voice: str) -> bool:
    return item.mark == mark and not item.used_by and voice_of_item(item) != voice


def _make_offer(items: Sequence[DiskItem], mark: Mark, wanted: Sequence[DiskItem]) -> CleaningOffer:
    """A kind is named where all that would go by it is wanted, else each path."""
    groups: list[tuple[str, tuple[DiskItem, ...]]] = []
    for kind in KINDS:
        these = tuple(item for item in wanted if item.kind == kind)
        if these and choose(items, [kind], [])[0] == these:
            groups.append((kind, these))
        else:
            groups += [(item.path, (item,)) for item in these]
    groups.sort(key=lambda group: -sum(item.bytes for item in group[1]))
    kept = groups[:_MAX_WORDS]
    return CleaningOffer(
        mark, tuple(word for word, _ in kept), tuple(one for _, these in kept for one in these)
    )
