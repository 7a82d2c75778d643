"""What is known about a server. Missing figures are None, never 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from engine.contract.catalogue import Text

LinkState = Literal["offline", "connecting", "up", "auth_needed", "refused"]
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
class Remark:
    """One judged sentence: a probe's verdict, a plan's warning."""

    level: Level
    text: Text
    hint: Text = Text("", "")


@dataclass(frozen=True)
class GpuFacts:
    """One GPU as the probe found it; memory in bytes."""

    name: str
    memory_total: int | None = None


@dataclass(frozen=True)
class ServerFacts:
    """What one probe found out; bytes for memory and disk."""

    gpus: tuple[GpuFacts, ...] = ()
    disk_free: int | None = None
    disk_total: int | None = None
    ram_total: int | None = None
    cpus: int | None = None
    python: str | None = None
    system: str | None = None
    deployed: str | None = None
    verdict: tuple[Remark, ...] = ()


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
    """One sample. `source` names who measured: nvidia-smi, psutil, proc; `faults` what it said."""

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
    """A saved server with all that was last heard of it; times are Unix milliseconds."""

    saved: SavedServer
    link: LinkState = "offline"
    link_at: int | None = None
    link_detail: Text | None = None
    facts: ServerFacts | None = None
    facts_at: int | None = None
    telemetry: Telemetry | None = None
    heard_at: int | None = None
    jobs: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.saved.name
