"""What was rented for what: one line a lease in a file of this laptop, kept when it has ended.

The instance's own name says the same to another laptop: `sovdeck-anna-3f2a9c-until-1130T0400`.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from sovdeck.engine.contract.foreign_values import LATEST_MS, parse_json, to_number
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.file_lock import FileLock
from sovdeck.remote.locked_file import edit_lines
from sovdeck.remote.rent.provider import STATIONS, EndAction, Offer, Station
from sovdeck.remote.rent.rented_voice import RentedVoice, parse_rented_voice

NAME_PREFIX = "sovdeck-"
DEFAULT_HOURS = 12.0  # after which a server stops itself, as far as it can
_MAX_BYTES = 4 << 20
_NAME = re.compile(r"sovdeck-[a-z0-9-]{1,24}-[0-9a-f]{6}-until-(\d{8}T\d{4})")


@dataclass(frozen=True)
class Lease:
    """One rented server.

    Times are Unix seconds. instance: the provider's id; "" while it is unknown whether it exists.
    server: its name in the list of servers. end: what was agreed for when the voice is home.
    home_at: when all it made was verified here. ended_at: when the provider confirmed the end, or
    that nothing was ever created. stopped_at: since when it is seen stopped; idle_s: how many
    seconds it was stopped before that. station: where its journey is; rented: what a journey
    needs to go on from before the training, None where another computer rented it.
    """

    name: str
    provider: str
    voice: str
    gpu: str
    price_per_hour: float | None
    currency: str
    created_at: float
    expires_at: float
    end: EndAction
    instance: str = ""
    server: str = ""
    home_at: float | None = None
    ended_at: float | None = None
    stopped_at: float | None = None
    idle_s: float = 0.0
    station: Station = "create"
    rented: RentedVoice | None = None

    @property
    def is_open(self) -> bool:
        """Whether the provider has not confirmed its end."""
        return self.ended_at is None

    def cost_at(self, now: float) -> float | None:
        """Return what it has cost by its price per hour; None without one.

        A stopped server's disk, which providers charge apart, is not in it.
        """
        if self.price_per_hour is None:
            return None
        until = min(now, self.ended_at or now, self.stopped_at or now)
        return max(0.0, until - self.created_at - self.idle_s) / 3600 * self.price_per_hour


def new_lease(offer: Offer, rented: RentedVoice, now: float, hours: float, end: EndAction) -> Lease:
    """Return a lease with a name that no other server has, which also says until when."""
    stem = re.sub(r"[^a-z0-9]+", "-", rented.voice.lower()).strip("-")[:24] or "voice"
    expires = now + hours * 3600
    until = datetime.fromtimestamp(expires, UTC).strftime("%Y%m%dT%H%M")
    return Lease(
        f"{NAME_PREFIX}{stem}-{secrets.token_hex(3)}-until-{until}",
        offer.provider,
        rented.voice,
        offer.gpu,
        offer.price_per_hour,
        offer.currency,
        now,
        expires,
        end,
        rented=rented,
    )


def expiry_in_name(name: str) -> float | None:
    """Return the Unix seconds that an instance's name ends with; None for a name not of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], "%Y%m%dT%H%M").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


class LeaseBook:
    """The file of leases; other processes may change it too."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Lease]:
        """Return all leases, the oldest first; lines that are none are left out, and kept."""
        if not self._path.is_file():
            return []
        if self._path.stat().st_size > _MAX_BYTES:
            raise Problem("remote.rent.book_too_large", ExitCode.CONFIG, path=self._path)
        lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [lease for line in lines if (lease := _parse(line)) is not None]

    def find(self, name: str) -> Lease:
        """Return the lease called so, by its own name, its server's or its instance's; Problem."""
        leases = self.read()
        for lease in reversed(leases):
            if name in (lease.name, lease.server, lease.instance):
                return lease
        known = ", ".join(lease.server or lease.name for lease in leases if lease.is_open) or "-"
        raise Problem("remote.rent.no_lease", ExitCode.CONFIG, name=name, known=known)

    def add(self, lease: Lease) -> None:
        """Write a new lease: before the request that creates its server."""
        with edit_lines(self._path) as lines:
            lines.append(_format(lease))

    def change(self, name: str, **changes: Any) -> Lease:
        """Change fields of the lease called `name`, and return it as it is now."""
        return self._edit(name, lambda lease: replace(lease, **changes))

    def note_stopped(self, name: str, stopped: bool, now: float) -> Lease:
        """Write that the server called `name` is seen stopped, or at work again."""

        def note(lease: Lease) -> Lease:
            if stopped == (lease.stopped_at is not None):
                return lease
            if stopped:
                return replace(lease, stopped_at=now)
            idle = now - (lease.stopped_at or now)
            return replace(lease, stopped_at=None, idle_s=lease.idle_s + max(0.0, idle))

        return self._edit(name, note)

    @contextmanager
    def following(self, name: str) -> Iterator[None]:
        """Follow the journey of a lease, alone on this computer; Problem while another does."""
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        path = self._path.with_name(f"{self._path.stem}-{digest}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(path, self._path)
        except Problem:
            raise Problem("remote.rent.followed", ExitCode.CONFIG, name=name) from None
        try:
            yield
        finally:
            lock.release(remove=True)

    def is_followed(self, name: str) -> bool:
        """Whether a process on this computer follows the journey of a lease."""
        try:
            with self.following(name):
                return False
        except Problem:
            return True

    def _edit(self, name: str, change: Callable[[Lease], Lease]) -> Lease:
        with edit_lines(self._path) as lines:
            for number, line in enumerate(lines):
                lease = _parse(line)
                if lease is not None and lease.name == name:
                    changed = change(lease)
                    lines[number] = _format(changed)
                    return changed
        raise Problem("remote.rent.no_lease", ExitCode.CONFIG, name=name, known="-")


def _format(lease: Lease) -> str:
    record = asdict(lease)
    record["rented"] = None if lease.rented is None else lease.rented.to_record()
    return json.dumps(record, ensure_ascii=False) + "\n"


_TEXTS = ("name", "provider", "voice", "gpu", "currency", "instance", "server")
_TIMES = ("created_at", "expires_at")
_OPTIONAL_TIMES = ("home_at", "ended_at", "stopped_at")


def _parse(line: str) -> Lease | None:
    """The lease of a line; None for one that a person or a newer version wrote otherwise."""
    try:
        record = parse_json(line)
    except ValueError:
        return None
    if not isinstance(record, dict):
        return None
    given = {each.name: record[each.name] for each in fields(Lease) if each.name in record}
    texts = all(isinstance(given.get(name, ""), str) for name in _TEXTS)
    times = all(_is_time(given.get(name)) for name in _TIMES)
    times &= all(given.get(name) is None or _is_time(given[name]) for name in _OPTIONAL_TIMES)
    price = given.get("price_per_hour")
    numbers = price is None or to_number(price) is not None
    idle = _is_time(given.get("idle_s", 0.0))
    places = given.get("station", "create") in STATIONS and given.get("end") in get_args(EndAction)
    if not (texts and times and numbers and idle and places):
        return None
    try:
        rented = given.get("rented")
        given["rented"] = None if rented is None else parse_rented_voice(rented)
        return Lease(**given)
    except TypeError:
        return None


def _is_time(value: object) -> bool:
    seconds = to_number(value)
    return seconds is not None and 0 <= seconds < LATEST_MS / 1000
