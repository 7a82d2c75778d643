"""Command handlers of the Rent screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sovdeck.tui.dashboard.service_host import ServiceHost, TaskPrompts
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import commands

_JOURNEY_GROUP = "rent"


def list_offers(host: ServiceHost, command: commands.ListOffers) -> None:
    """Ask what can be rented for a voice; a later question takes the place of one that waits."""
    rentals = host.services.rentals
    host.tasks.run(
        "offers",
        lambda emit, cancel: rentals.list_offers(command.voice, command.folder, emit, cancel),
    )


def keep_provider_key(host: ServiceHost, command: commands.KeepProviderKey) -> None:
    """Keep a provider's key once it was taken."""
    rentals = host.services.rentals
    host.tasks.run(
        "provider-key",
        lambda emit, cancel: rentals.keep_key(command.provider, command.key, emit),
    )


def rent_server(host: ServiceHost, command: commands.RentServer) -> None:
    """Rent a server and follow its journey; no effect while one goes on."""
    if host.tasks.is_running(_JOURNEY_GROUP):
        return
    rentals = host.services.rentals

    def rent(emit: Emit, cancel: Cancel) -> None:
        rentals.rent(command.offer, command.end, TaskPrompts(host, cancel), emit, cancel)

    host.tasks.run(_JOURNEY_GROUP, rent)


def resume_rental(host: ServiceHost, command: commands.ResumeRental) -> None:
    """Follow a rental again; no effect while one goes on."""
    if host.tasks.is_running(_JOURNEY_GROUP):
        return
    rentals = host.services.rentals

    def resume(emit: Emit, cancel: Cancel) -> None:
        rentals.resume(command.lease, TaskPrompts(host, cancel), emit, cancel)

    host.tasks.run(_JOURNEY_GROUP, resume)


def list_leases(host: ServiceHost, command: commands.ListLeases) -> None:
    """Ask what is rented."""
    host.tasks.run("leases", host.services.rentals.list_leases)


def end_lease(host: ServiceHost, command: commands.EndLease) -> None:
    """Stop or destroy a server; no effect while that is being done."""
    group = f"end-lease:{command.name}"
    if host.tasks.is_running(group):
        return
    rentals = host.services.rentals
    host.tasks.run(
        group,
        lambda emit, cancel: rentals.end(
            command.name, command.action, emit, cancel, confirmed=command.confirmed
        ),
    )


RENT_COMMAND_HANDLERS: dict[type, Callable[[Any, Any], None]] = {
    commands.ListOffers: list_offers,
    commands.KeepProviderKey: keep_provider_key,
    commands.RentServer: rent_server,
    commands.ResumeRental: resume_rental,
    commands.ListLeases: list_leases,
    commands.EndLease: end_lease,
}
