"""Is this the server we know? Asked before any credential is sent.

Order: a revoked key is refused; a key pinned by us or listed in the user's known_hosts passes;
a different key than the known one is refused; an unknown host is accepted when its fingerprint
was given beforehand, else a person is asked once, and the answer is pinned.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.hostkeys import Entry, HostKey, place_of, read_entries, read_files
from remote.rewrite import rewriting

# (fingerprint, host) -> trust it?
AskHostKey = Callable[[str, str], bool]

_KINDS_OF_RSA = ("rsa-sha2-512", "rsa-sha2-256")


@dataclass
class Trust:
    """Host-key policy of one laptop.

    store: our own known_hosts file, created on the first pin. known_hosts: the user's files,
    read only. ask: None refuses unknown hosts. accepted: fingerprints given beforehand
    (`--accept-host-key`, `host_key` of deploy.toml).
    """

    store: Path
    ask: AskHostKey | None = None
    accepted: frozenset[str] = frozenset()
    known_hosts: Sequence[Path] = ()

    def wanted_kinds(self, host: str, port: int) -> list[str]:
        """Key algorithms to negotiate first, so that a server shows the key we know."""
        kinds: list[str] = []
        for _, entry in self._known(place_of(host, port)):
            if not entry.marker:
                kinds += _KINDS_OF_RSA if entry.key.kind == "ssh-rsa" else (entry.key.kind,)
        return list(dict.fromkeys(kinds))

    def check(self, host: str, port: int, key: HostKey, *, name: str) -> None:
        """Return when `key` may be trusted for host:port; else Problem with exit REFUSED."""
        place = place_of(host, port)
        known = self._known(place)
        facts = {"server": name, "host": place, "fingerprint": key.fingerprint}
        if any(e.marker == "@revoked" and e.key.blob == key.blob for _, e in known):
            raise Problem("remote.host.key_revoked", ExitCode.REFUSED, **facts)
        plain = [(path, entry) for path, entry in known if not entry.marker]
        if any(entry.key.blob == key.blob for _, entry in plain):
            return
        if plain:
            path, entry = plain[0]
            raise Problem(
                "remote.host.key_changed",
                ExitCode.REFUSED,
                old=entry.key.fingerprint,
                since=self._since(path, entry),
                forget=_forget_command(path == self.store, name, place, path),
                **facts,
            )
        if key.fingerprint not in self.accepted:
            if self.accepted or self.ask is None:
                raise Problem("remote.host.key_unknown", ExitCode.REFUSED, **facts)
            if not self.ask(key.fingerprint, place):
                raise Problem("remote.host.key_declined", ExitCode.REFUSED, **facts)
        self.pin(host, port, key)

    def pin(self, host: str, port: int, key: HostKey) -> None:
        """Remember `key` for host:port in our store, with the day."""
        today = datetime.now(UTC).strftime("%Y-%m-%d")
        blob = base64.b64encode(key.blob).decode("ascii")
        line = f"{place_of(host, port)} {key.kind} {blob} sovdeck {today}\n"
        with rewriting(self.store) as lines:
            lines.append(line)

    def forget(self, host: str, port: int) -> int:
        """Drop every key of host:port from our store; returns how many there were."""
        place = place_of(host, port)
        with rewriting(self.store) as lines:
            kept = [line for line in lines if not _speaks_of(line, place)]
            dropped = len(lines) - len(kept)
            lines[:] = kept
        return dropped

    def _known(self, place: str) -> list[tuple[Path, Entry]]:
        entries = read_files([self.store, *self.known_hosts])
        return [(path, entry) for path, entry in entries if entry.matches(place)]

    def _since(self, path: Path, entry: Entry) -> str:
        if path == self.store:
            return entry.comment.rpartition(" ")[2] or "?"
        return f"{path}:{entry.line}"


def _speaks_of(line: str, place: str) -> bool:
    return any(entry.matches(place) for entry in read_entries(line))


def _forget_command(ours: bool, name: str, place: str, path: Path) -> str:
    if ours:
        return f"sovdeck server forget-key {name}"
    return f"ssh-keygen -R '{place}' -f '{path}'"
