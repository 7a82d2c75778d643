"""Adds a server: read the line, connect once, pin its host key, then save. In that order, so
that a server that refused us or could not be reached leaves no entry behind."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import ValidationError

from engine.contract.problem import ExitCode, Problem
from remote.config import book
from remote.config.places import Places
from remote.config.schema import Config, Server
from remote.hostspec import HostSpec
from remote.ssh_config import resolve
from remote.studio import Dialog, Studio
from remote.welcome import Offer


@dataclass(frozen=True)
class Registered:
    """A saved server. method: how the login went ("" when it was saved without connecting)."""

    name: str
    server: Server
    spec: HostSpec
    method: str = ""


def register(
    line: str,
    config: Config,
    places: Places,
    dialog: Dialog,
    *,
    name: str | None = None,
    profile: str = "auto",
    price_per_hour: float | None = None,
    currency: str = "USD",
    accept: frozenset[str] = frozenset(),
    replace: bool = False,
    connect: bool = True,
    offer: Offer | None = None,
) -> Registered:
    """Save what `line` (as a provider prints it) names; Problem when anything is in the way.

    offer: asked after a log-in by password whether to install a key; None never offers.
    """
    spec = resolve(line)
    wanted = name or free_name(spec.alias or spec.host, config)
    book.check_free(places, wanted, replace=replace)
    try:
        server = Server.model_validate(
            {
                "ssh": line.strip(), "profile": profile,
                "price_per_hour": price_per_hour, "currency": currency,
            }
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise Problem("remote.config.bad_server", ExitCode.CONFIG, why=why) from None
    if not connect:
        book.add(places, wanted, server, replace=replace)
        return Registered(wanted, server, spec)
    with Studio(wanted, server, config, places, dialog, accept=accept) as studio:
        method = studio.link().method
        book.add(places, wanted, server, replace=replace)
        if offer is not None:
            studio.settle(offer)
    return Registered(wanted, server, spec, method)


def free_name(host: str, config: Config) -> str:
    """A name for a new server made from its host, not yet taken."""
    base = re.sub(r"[^A-Za-z0-9_.-]+", "-", host).strip("-.")[:50]
    if ":" in host or not base or not base[0].isalnum():
        base = "server"
    names = (base, *(f"{base}-{number}" for number in range(2, 10_000)))
    return next(name for name in names if name not in config.servers)
