"""Adds a server: reads the ssh line, connects once, pins the host key, looks round, then saves.

In that order, so that a server that refused us, could not be reached or runs no commands leaves no
entry behind, and says so before its meter has run for long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import ValidationError

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config import servers_file
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ProjectConfig, ServerSection
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.hosts.ssh_config import resolve_host_spec
from sovdeck.remote.probe.diagnosis import Diagnosis, diagnose_first_contact
from sovdeck.remote.servers.server import LoginPrompts, ServerSession
from sovdeck.remote.servers.sign_in import KeyInstallOffer


@dataclass(frozen=True)
class RegisteredServer:
    """A saved server. method: how the log-in went ("" when it was saved without connecting).

    found: what is worth knowing of it, from one round trip. not_eased: why the next log-in will ask
    again, although a person wanted a key installed or the password kept.
    """

    name: str
    server: ServerSection
    spec: HostSpec
    method: str = ""
    found: tuple[Diagnosis, ...] = ()
    not_eased: Problem | None = None


def register(
    ssh_line: str,
    config: ProjectConfig,
    app_paths: AppPaths,
    prompts: LoginPrompts,
    *,
    name: str | None = None,
    profile: str = "auto",
    price_per_hour: float | None = None,
    currency: str = "USD",
    accept: frozenset[str] = frozenset(),
    replace: bool = False,
    connect: bool = True,
    offer: KeyInstallOffer | None = None,
) -> RegisteredServer:
    """Save the server that `ssh_line` (as a provider prints it) names; Problem when it cannot be.

    offer: asked after a log-in by password whether to install a key; None never offers.
    """
    spec = resolve_host_spec(ssh_line)
    name = name or free_name(spec.alias or spec.host, config)
    servers_file.check_name_free(app_paths, name, replace=replace)
    try:
        server = ServerSection.model_validate(
            {
                "ssh": ssh_line.strip(),
                "profile": profile,
                "price_per_hour": price_per_hour,
                "currency": currency,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise Problem("remote.config.bad_server", ExitCode.CONFIG, why=why) from None
    if not connect:
        servers_file.add_server(app_paths, name, server, replace=replace)
        return RegisteredServer(name, server, spec)
    not_eased = None
    with ServerSession(name, server, config, app_paths, prompts, accept=accept) as session:
        method = session.connection().method
        facts = session.facts(check_access=True)
        found = diagnose_first_contact(facts, spec.host, session.profile(facts))
        servers_file.add_server(app_paths, name, server, replace=replace)
        if offer is not None:
            try:
                session.offer_passwordless(offer)
            except Problem as problem:  # the server is reached and saved all the same
                not_eased = problem
    return RegisteredServer(name, server, spec, method, found, not_eased)


def free_name(host: str, config: ProjectConfig) -> str:
    """A name for a new server made from its host, not yet taken."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", host).strip("-.")[:50]
    if ":" in host or not stem or not stem[0].isalnum():
        stem = "server"
    names = (stem, *(f"{stem}-{number}" for number in range(2, 10_000)))
    return next(name for name in names if name not in config.servers)
