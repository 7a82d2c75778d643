"""A tolerant reader of known_hosts files.

OpenSSH's format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) as files really look: hashed names,
`[host]:port`, `@revoked`, `@cert-authority`, wildcards, negation, several keys a host, odd
spaces, broken lines. A line that cannot be read is passed over; it never hides the others.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

_SPACES = re.compile(r"[ \t]+")


@dataclass(frozen=True)
class HostKey:
    """A server's public key: its type and the raw blob of RFC 4253 section 6.6."""

    key_type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """The fingerprint `SHA256:...` as ssh-keygen -l prints it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii")
        return "SHA256:" + digest.rstrip("=")


@dataclass(frozen=True)
class KnownHostsEntry:
    """One readable line of a known_hosts file."""

    marker: str  # "", "@revoked" or "@cert-authority"
    patterns: str
    key: HostKey
    comment: str
    line: int

    def matches(self, known_hosts_name: str) -> bool:
        """Whether the line is about that name (see `format_known_hosts_name`)."""
        if self.patterns.startswith("|1|"):
            return _matches_hash(self.patterns, known_hosts_name)
        found = False
        for pattern in self.patterns.lower().split(","):
            if pattern.startswith("!"):
                if _matches_glob(pattern[1:], known_hosts_name):
                    return False
            elif _matches_glob(pattern, known_hosts_name):
                found = True
        return found


def format_known_hosts_name(host: str, port: int) -> str:
    """Return the name OpenSSH files a host under: `host`, or `[host]:port` beside port 22."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


def _matches_hash(pattern: str, known_hosts_name: str) -> bool:
    _, _, salt_text, digest_text = (pattern.split("|") + ["", "", "", ""])[:4]
    try:
        salt, digest = base64.b64decode(salt_text), base64.b64decode(digest_text)
    except ValueError:  # also of text beyond ASCII
        return False
    # SHA-1 is the file format's own choice (OpenSSH HashKnownHosts): it only hides names.
    return hmac.compare_digest(hmac.new(salt, known_hosts_name.encode(), "sha1").digest(), digest)


def _matches_glob(pattern: str, known_hosts_name: str) -> bool:
    # Only * and ? are wild in OpenSSH; fnmatch would also read [host]:port as a character class.
    return fnmatchcase(known_hosts_name, pattern.replace("[", "[[]"))


def parse_known_hosts(text: str) -> list[KnownHostsEntry]:
    """Parse every readable line of a known_hosts file."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        words = _SPACES.split(line.strip())
        if not words[0] or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        if len(words) < 3 or marker not in ("", "@revoked", "@cert-authority"):
            continue
        try:
            blob = base64.b64decode(words[2], validate=True)
        except ValueError:  # also of text beyond ASCII
            continue
        key = HostKey(words[1], blob)
        entries.append(KnownHostsEntry(marker, words[0], key, " ".join(words[3:]), number))
    return entries


def read_known_hosts(paths: Iterable[Path]) -> list[tuple[Path, KnownHostsEntry]]:
    """Return (file, entry) of every file that exists; a missing file is an empty one."""
    found = []
    for path in paths:
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [(path, entry) for entry in parse_known_hosts(text)]
    return found
