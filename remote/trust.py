"""Is this the server we know? Asked before any credential is sent.

Order: a revoked key is refused; a key pinned by us or listed in the user's known_hosts passes;
a different key than the known one is refused; an unknown host is accepted when its fingerprint
was given beforehand, else a person is asked once, and the answer is pinned.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.hostkeys import Entry, HostKey, place_of, read_entries, read_files

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
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

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
        blob = _base64(key.blob)
        line = f"{place_of(host, port)} {key.kind} {blob} sovdeck {today}\n"
        with self._rewriting() as lines:
            lines.append(line)

    def forget(self, host: str, port: int) -> int:
        """Drop every key of host:port from our store; returns how many there were."""
        place = place_of(host, port)
        with self._rewriting() as lines:
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

    @contextmanager
    def _rewriting(self) -> Iterator[list[str]]:
        with self._lock:
            self.store.parent.mkdir(parents=True, exist_ok=True)
            lines = []
            if self.store.exists():
                lines = self.store.read_text(encoding="utf-8").splitlines(keepends=True)
            yield lines
            # Replaced whole, so that a crash leaves the old file or the new one.
            handle, temporary = tempfile.mkstemp(dir=self.store.parent, prefix="known_hosts.")
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
                out.writelines(lines)
            Path(temporary).replace(self.store)


def _base64(blob: bytes) -> str:
    import base64

    return base64.b64encode(blob).decode("ascii")


def _speaks_of(line: str, place: str) -> bool:
    return any(entry.matches(place) for entry in read_entries(line))


def _forget_command(ours: bool, name: str, place: str, path: Path) -> str:
    if ours:
        return f"sovdeck server forget-key {name}"
    return f"ssh-keygen -R '{place}' -f '{path}'"
