"""OpenSSH certificates (PROTOCOL.certkeys): a user's beside its key, and a host's before we trust.

Only reading and judging; signatures are checked by the cryptography package.
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

from engine.contract.catalogue import Text, text
from remote.hostkeys import HostKey

SUFFIX = "-cert-v01@openssh.com"


@dataclass(frozen=True)
class Certificate:
    """A sound one: its signature was checked. Times are Unix seconds.

    key: the certified public key. authority: the key that signed it.
    """

    key: HostKey
    authority: HostKey
    for_hosts: bool
    names: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical: tuple[str, ...]

    def fault(self, host: str, now: float) -> Text | None:
        """Why it does not prove `host` at `now`; None when it does."""
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


def read_certificate(blob: bytes) -> Certificate | None:
    """A certificate's wire form; None when it is no certificate or its signature is wrong."""
    length = int.from_bytes(blob[:4], "big")
    kind = blob[4 : 4 + length]
    if length > 64 or not kind.endswith(SUFFIX.encode()):
        return None
    try:
        found = serialization.load_ssh_public_identity(kind + b" " + base64.b64encode(blob))
        assert isinstance(found, serialization.SSHCertificate)
        found.verify_cert_signature()
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        return None
    return Certificate(
        _key(found.public_key()),
        _key(found.signature_key()),
        found.type is serialization.SSHCertificateType.HOST,
        tuple(name.decode("utf-8", "replace") for name in found.valid_principals),
        found.valid_after,
        found.valid_before,
        tuple(name.decode("utf-8", "replace") for name in found.critical_options),
    )


def read_file(path: Path) -> Certificate | None:
    """The certificate of a `-cert.pub` file; None where it holds none."""
    try:
        return read_certificate(base64.b64decode(path.read_bytes().split()[1], validate=True))
    except (IndexError, binascii.Error):
        return None


def find_certificate(paths: Sequence[Path], public_blob: bytes) -> Path | None:
    """The first file that certifies this public key."""
    for path in paths:
        found = read_file(path) if path.is_file() else None
        if found is not None and found.key.blob == public_blob:
            return path
    return None


def _key(public: serialization.SSHCertPublicKeyTypes) -> HostKey:
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    kind, blob = line.split()[:2]
    return HostKey(kind.decode("ascii"), base64.b64decode(blob))
