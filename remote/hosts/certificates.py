"""OpenSSH certificates (PROTOCOL.certkeys) of users and of hosts.

They are read and checked here; signatures are verified by the cryptography package.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.foreign_values import is_file
from sovdeck.remote.hosts.known_hosts import HostKey

CERTIFICATE_SUFFIX = "-cert-v01@openssh.com"


@dataclass(frozen=True)
class Certificate:
    """A certificate whose signature was verified. Times are Unix seconds.

    key: the certified public key. authority: the key that signed it. names: host patterns or
    users; none means all. critical: names of its critical options.
    """

    key: HostKey
    authority: HostKey
    for_hosts: bool
    names: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical: tuple[str, ...]

    def rejection(self, host: str, now: float) -> Text | None:
        """Return why it is not valid for `host` at `now`; None when it is."""
        if not self.for_hosts:
            return text("remote.host.cert_for_user")
        if not self.valid_after <= now < self.valid_before:
            day = datetime.fromtimestamp(min(self.valid_before, 1 << 33), UTC).strftime("%Y-%m-%d")
            return text("remote.host.cert_expired", day=day)
        patterns = [name.lower().replace("[", "[[]") for name in self.names]
        if patterns and not any(fnmatchcase(host.lower(), pattern) for pattern in patterns):
            return text("remote.host.cert_other_host", names=", ".join(self.names)[:120])
        if self.critical:
            return text("remote.host.cert_critical", option=self.critical[0][:40])
        return None


def parse_certificate(blob: bytes) -> Certificate | None:
    """Parse the wire form; None when it is no certificate or its signature is wrong."""
    length = int.from_bytes(blob[:4], "big")
    kind = blob[4 : 4 + length]
    if length > 64 or not kind.endswith(CERTIFICATE_SUFFIX.encode()):
        return None
    try:
        found = serialization.load_ssh_public_identity(kind + b" " + base64.b64encode(blob))
        assert isinstance(found, serialization.SSHCertificate)
        found.verify_cert_signature()
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        return None
    return Certificate(
        _to_host_key(found.public_key()),
        _to_host_key(found.signature_key()),
        found.type is serialization.SSHCertificateType.HOST,
        tuple(name.decode("utf-8", "replace") for name in found.valid_principals),
        found.valid_after,
        found.valid_before,
        tuple(name.decode("utf-8", "replace") for name in found.critical_options),
    )


def load_certificate(path: Path) -> Certificate | None:
    """Read the certificate of a `-cert.pub` file; None where it holds none."""
    try:
        return parse_certificate(base64.b64decode(path.read_bytes().split()[1], validate=True))
    except (IndexError, binascii.Error):
        return None


def find_certificate(paths: Sequence[Path], public_blob: bytes) -> Path | None:
    """Return the first file that certifies this public key."""
    for path in paths:
        found = load_certificate(path) if is_file(path) else None
        if found is not None and found.key.blob == public_blob:
            return path
    return None


def _to_host_key(public: serialization.SSHCertPublicKeyTypes) -> HostKey:
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    kind, blob = line.split()[:2]
    return HostKey(kind.decode("ascii"), base64.b64decode(blob))
