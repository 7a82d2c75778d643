"""Is this the server we know? Asked before any credential is sent.

Order: a revoked key is refused; a certificate of an authority that known_hosts names passes when
it holds for this host now, and is refused when it does not; a key pinned by us or listed in the
user's known_hosts passes; a different key than the known one is refused; an unknown host is
accepted when its fingerprint was given beforehand, else a person is asked once, and the answer
is pinned.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.certificates import SUFFIX, read_certificate
from remote.hostkeys import Entry, HostKey, read_entries, read_files
from remote.key_rules import KeyRules
from remote.rewrite import rewriting

# (fingerprint, host) -> trust it?
AskHostKey = Callable[[str, str], bool]

SYSTEM_FILE = Path("/etc/ssh/ssh_known_hosts")
_KINDS_OF_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_CERTIFIED_KINDS = tuple(
    kind + SUFFIX
    for kind in (
        "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
        *_KINDS_OF_RSA,
    )
)  # fmt: skip


@dataclass
class Trust:
    """Host-key policy of one laptop. A place is a name of known_hosts; see `HostSpec.place`.

    store: our own known_hosts file, created on the first pin. known_hosts: the user's files,
    read only. ask: None refuses unknown hosts. accepted: fingerprints given beforehand
    (`--accept-host-key`, `host_key` of deploy.toml).
    """

    store: Path
    ask: AskHostKey | None = None
    accepted: frozenset[str] = frozenset()
    known_hosts: Sequence[Path] = ()

    def following(self, rules: KeyRules) -> Trust:
        """This policy with what ssh options say about one server."""
        files = [Path(file).expanduser() for file in rules.files]
        system = [path for path in self.known_hosts if path == SYSTEM_FILE]
        return replace(
            self,
            ask=None if rules.strict else self.ask,
            known_hosts=[*files, *system] if files else self.known_hosts,
        )

    def wanted_kinds(self, place: str) -> list[str]:
        """Key algorithms to negotiate first, so that a server shows the key we know."""
        kinds: list[str] = []
        known = self._known(place)
        for _, entry in known:
            if not entry.marker:
                kinds += _KINDS_OF_RSA if entry.key.kind == "ssh-rsa" else (entry.key.kind,)
        if any(entry.marker == "@cert-authority" for _, entry in known):
            kinds += _CERTIFIED_KINDS
        return list(dict.fromkeys(kinds))

    def check(self, place: str, key: HostKey, *, name: str) -> None:
        """Return when `key` may be trusted at `place`; else Problem with exit REFUSED."""
        known = self._known(place)
        certificate = read_certificate(key.blob)
        shown = [key]
        if certificate is not None:
            key = certificate.key
            shown = [key, certificate.authority]
        facts = {"server": name, "host": place, "fingerprint": key.fingerprint}
        if any(e.marker == "@revoked" and e.key in shown for _, e in known):
            raise Problem("remote.host.key_revoked", ExitCode.REFUSED, **facts)
        if certificate is not None and any(
            e.marker == "@cert-authority" and e.key == certificate.authority for _, e in known
        ):
            fault = certificate.fault(_bare(place), time.time())
            if fault is not None:
                raise Problem("remote.host.cert_refused", ExitCode.REFUSED, why=fault, **facts)
            return
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
        self.pin(place, key)

    def pin(self, place: str, key: HostKey) -> None:
        """Remember `key` for `place` in our store, with the day."""
        today = datetime.now(UTC).strftime("%Y-%m-%d")
        blob = base64.b64encode(key.blob).decode("ascii")
        line = f"{place} {key.kind} {blob} sovdeck {today}\n"
        with rewriting(self.store) as lines:
            lines.append(line)

    def forget(self, place: str) -> int:
        """Drop every key of `place` from our store; returns how many there were."""
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


def _bare(place: str) -> str:
    """The host of a place: certificates name hosts without ports."""
    return place[1:].partition("]")[0] if place.startswith("[") else place


def _speaks_of(line: str, place: str) -> bool:
    return any(entry.matches(place) for entry in read_entries(line))


def _forget_command(ours: bool, name: str, place: str, path: Path) -> str:
    if ours:
        return f"sovdeck server forget-key {name}"
    return f"ssh-keygen -R '{place}' -f '{path}'"
