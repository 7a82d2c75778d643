"""Whether a server's host key may be trusted, checked before any credential is sent.

Order: a revoked key is refused; a certificate of an authority that known_hosts names passes when
it holds for this host now, and is refused when it does not; a key pinned by us or listed in the
user's known_hosts passes; a different key than the known one is refused; an unknown host is
accepted when its fingerprint was given beforehand, else a person is asked once, and an accepted
key is pinned. So is a key in place of another, since rented addresses go from one to the next:
only by its very fingerprint or by a person who was told what that means.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.hosts.certificates import CERTIFICATE_SUFFIX, parse_certificate
from sovdeck.remote.hosts.host_key_options import HostKeyOptions
from sovdeck.remote.hosts.known_hosts import (
    HostKey,
    KnownHostsEntry,
    parse_known_hosts,
    read_known_hosts,
)
from sovdeck.remote.hosts.openssh_settings import system_ssh_folder
from sovdeck.remote.locked_file import edit_lines

# (key, host, since when another key was known there, "" for none) -> trust it?
AskHostKey = Callable[[HostKey, str, str], bool]

SYSTEM_KNOWN_HOSTS = system_ssh_folder() / "ssh_known_hosts"
_RSA_SIGNATURE_TYPES = ("rsa-sha2-512", "rsa-sha2-256")
_CERTIFICATE_KEY_TYPES = tuple(
    kind + CERTIFICATE_SUFFIX
    for kind in (
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        *_RSA_SIGNATURE_TYPES,
    )
)


@dataclass
class HostKeyPolicy:
    """Host-key policy of one laptop. For `known_hosts_name` see `HostSpec.known_hosts_name`.

    pinned_file: our own known_hosts file, created on the first pin. known_hosts: the user's
    files, read only. ask: None refuses unknown and changed keys. accepted_fingerprints: those given
    beforehand (`--accept-host-key`, `host_key` of deploy.toml).
    """

    pinned_file: Path
    ask: AskHostKey | None = None
    accepted_fingerprints: frozenset[str] = frozenset()
    known_hosts: Sequence[Path] = ()

    def with_options(self, options: HostKeyOptions) -> HostKeyPolicy:
        """Return a copy that follows the ssh options of one server."""
        files = [Path(file).expanduser() for file in options.files]
        system = [path for path in self.known_hosts if path == SYSTEM_KNOWN_HOSTS]
        return replace(
            self,
            ask=None if options.strict else self.ask,
            known_hosts=[*files, *system] if files else self.known_hosts,
        )

    def preferred_key_types(self, known_hosts_name: str) -> list[str]:
        """Return key algorithms to negotiate first, so that a server offers the key we know."""
        key_types: list[str] = []
        entries = self._matching_entries(known_hosts_name)
        for _, entry in entries:
            if not entry.marker:
                key_type = entry.key.key_type
                key_types += _RSA_SIGNATURE_TYPES if key_type == "ssh-rsa" else (key_type,)
        if any(entry.marker == "@cert-authority" for _, entry in entries):
            key_types += _CERTIFICATE_KEY_TYPES
        return list(dict.fromkeys(key_types))

    def check(self, known_hosts_name: str, key: HostKey, *, name: str) -> None:
        """Return when `key` may be trusted for that name; else Problem with exit REFUSED.

        name: what to call the server in a sentence.
        """
        entries = self._matching_entries(known_hosts_name)
        certificate = parse_certificate(key.blob)
        offered = [key]
        if certificate is not None:
            key = certificate.key
            offered = [key, certificate.authority]
        facts = {"server": name, "host": known_hosts_name, "fingerprint": key.fingerprint}
        if any(e.marker == "@revoked" and e.key in offered for _, e in entries):
            raise Problem("remote.host.key_revoked", ExitCode.REFUSED, **facts)
        if certificate is not None and any(
            e.marker == "@cert-authority" and e.key == certificate.authority for _, e in entries
        ):
            rejection = certificate.rejection(_host_part(known_hosts_name), time.time())
            if rejection is not None:
                raise Problem("remote.host.cert_refused", ExitCode.REFUSED, why=rejection, **facts)
            return
        plain = [(path, entry) for path, entry in entries if not entry.marker]
        if any(entry.key.blob == key.blob for _, entry in plain):
            return
        if plain:
            self._check_changed(plain[0], known_hosts_name, key, facts)
            self.forget(known_hosts_name)
        elif key.fingerprint not in self.accepted_fingerprints:
            if self.accepted_fingerprints or self.ask is None:
                raise Problem("remote.host.key_unknown", ExitCode.REFUSED, **facts)
            if not self.ask(key, known_hosts_name, ""):
                raise Problem("remote.host.key_declined", ExitCode.REFUSED, **facts)
        self.pin(known_hosts_name, key)

    def _check_changed(
        self,
        known: tuple[Path, KnownHostsEntry],
        known_hosts_name: str,
        key: HostKey,
        facts: dict[str, str],
    ) -> None:
        """Return when the new key may take the known one's place; else Problem `key_changed`."""
        path, entry = known
        since = self._pinned_since(path, entry)
        if key.fingerprint in self.accepted_fingerprints:
            return
        if (
            self.accepted_fingerprints
            or self.ask is None
            or not self.ask(key, known_hosts_name, since)
        ):
            raise Problem(
                "remote.host.key_changed",
                ExitCode.REFUSED,
                old=entry.key.fingerprint,
                since=since,
                **facts,
            )

    def pin(self, known_hosts_name: str, key: HostKey) -> None:
        """Add `key` for that name to our own file, with the day."""
        today = datetime.now(UTC).strftime("%Y-%m-%d")
        blob = base64.b64encode(key.blob).decode("ascii")
        line = f"{known_hosts_name} {key.key_type} {blob} sovdeck {today}\n"
        with edit_lines(self.pinned_file) as lines:
            lines.append(line)

    def forget(self, known_hosts_name: str) -> int:
        """Remove every key of that name from our own file; returns how many there were."""
        with edit_lines(self.pinned_file) as lines:
            kept = [line for line in lines if not _names_host(line, known_hosts_name)]
            dropped = len(lines) - len(kept)
            lines[:] = kept
        return dropped

    def _matching_entries(self, known_hosts_name: str) -> list[tuple[Path, KnownHostsEntry]]:
        entries = read_known_hosts([self.pinned_file, *self.known_hosts])
        return [(path, entry) for path, entry in entries if entry.matches(known_hosts_name)]

    def _pinned_since(self, path: Path, entry: KnownHostsEntry) -> str:
        if path == self.pinned_file:
            return entry.comment.rpartition(" ")[2] or "?"
        return f"{path}:{entry.line}"


def _host_part(known_hosts_name: str) -> str:
    """Return the host without its port: certificates name hosts without ports."""
    if known_hosts_name.startswith("["):
        return known_hosts_name[1:].partition("]")[0]
    return known_hosts_name


def _names_host(line: str, known_hosts_name: str) -> bool:
    return any(entry.matches(known_hosts_name) for entry in parse_known_hosts(line))
