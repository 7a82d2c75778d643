"""What is known about a server. Missing values are None, never 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sovdeck.engine.contract.catalogue import Text

ServerConnectionState = Literal["offline", "connecting", "up", "auth_needed", "refused"]
Level = Literal["good", "note", "warning", "bad"]


@dataclass(frozen=True)
class SavedServer:
    """One entry of the user's server list; `address` is for reading: `root@host:22`."""

    name: str
    address: str
    profile: str = ""
    price_per_hour: float | None = None
    currency: str = ""


@dataclass(frozen=True)
class DiskRow:
    """One thing on a server's disk that may be removed; see `sovdeck.remote.disk.items`.

    path: its name for the server; `label` is the same to be read. mark: safe, resume or only_copy.
    """

    kind: str
    path: str
    label: str
    bytes: int
    changed: int
    mark: str
    used_by: str = ""


@dataclass(frozen=True)
class ParsedSSHLine:
    """What a pasted ssh line means, to be read back to the person before anything is dialled."""

    name: str
    address: str
    user: str
    host: str
    port: int
    identity: tuple[str, ...] = ()
    jump: tuple[str, ...] = ()
    profile: str = ""


@dataclass(frozen=True)
class ServerDraft:
    """A server to be saved: the pasted line, a name, and what an hour costs."""

    line: str
    name: str
    price_per_hour: float | None = None
    currency: str = ""


@dataclass(frozen=True)
class Remark:
    """One sentence with a level: a diagnosis, a warning of a plan."""

    level: Level
    text: Text
    hint: Text = Text("", "")


@dataclass(frozen=True)
class GpuFacts:
    """One GPU as the probe found it; memory in bytes."""

    name: str
    memory_total: int | None = None


@dataclass(frozen=True)
class ServerSummary:
    """What one probe found out; bytes for memory and disk."""

    gpus: tuple[GpuFacts, ...] = ()
    disk_free: int | None = None
    disk_total: int | None = None
    ram_total: int | None = None
    cpus: int | None = None
    python: str | None = None
    system: str | None = None
    deployed: str | None = None
    diagnosis: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class GpuReading:
    """One GPU at one moment: bytes, percent, degrees Celsius."""

    uuid: str
    name: str = ""
    memory_used: int | None = None
    memory_total: int | None = None
    memory_ours: int | None = None
    utilisation: float | None = None
    temperature: float | None = None


@dataclass(frozen=True)
class Telemetry:
    """One sample.

    `source` names what measured it: nvidia-smi, psutil, proc; `faults` what went wrong.
    """

    t: int
    source: str
    gpus: tuple[GpuReading, ...] = ()
    ram_used: int | None = None
    ram_total: int | None = None
    process_rss: int | None = None
    cpu_percent: float | None = None
    faults: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class ServerState:
    """A saved server and the last that is known of it; times are Unix milliseconds."""

    saved: SavedServer
    connection: ServerConnectionState = "offline"
    connection_detail: Text | None = None
    facts: ServerSummary | None = None
    telemetry: Telemetry | None = None
    heard_at: int | None = None
    jobs: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name in the saved list."""
        return self.saved.name
