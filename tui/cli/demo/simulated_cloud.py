"""One account at a provider, with servers, prices and a clock that are made up."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sovdeck.remote.rent.accounts import SIMULATED_KEY

FAULTS = ("429", "500", "lost", "cut", "garbage")


@dataclass
class SimulatedInstance:
    """A rented server. starts_at, listed_at: virtual seconds; dies: it never gets to run."""

    id: str
    name: str
    price: float
    created_at: float
    starts_at: float
    listed_at: float
    dies: bool = False
    wanted: str = "running"
    gone: bool = False
    billed: float = 0.0
    since: float | None = None
    port: int = 22000
    moved_at: float = 0.0


@dataclass
class SimulatedCloud:
    """All servers of one account.

    fault_rate: of every request. stale_s: how long an old port is listed after a restart. key: what
    the account's owner must send. clock: real time in place of the virtual one.
    address: of a real sshd that stands for every instance; authorized_keys: where it reads the
    keys it takes, None where it knows the only one.
    """

    seed: int = 0
    fault_rate: float = 0.0
    start_s: float = 90.0
    stale_s: float = 0.0
    death_rate: float = 0.0
    gone_offers: bool = False
    key: str = SIMULATED_KEY
    virtual_now: float = 1_800_000_000.0
    instances: dict[str, SimulatedInstance] = field(default_factory=dict)
    creations: list[str] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    requests: int = 0
    clock: Callable[[], float] | None = None
    address: tuple[str, int] | None = None
    authorized_keys: Path | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.lock = threading.RLock()

    @property
    def now(self) -> float:
        """The time, in Unix seconds."""
        return self.virtual_now if self.clock is None else self.clock()

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        with self.lock:
            self.virtual_now += seconds

    def draw_fault(self) -> str:
        """Return the fault of this request; empty for none."""
        self.requests += 1
        return self.random.choice(FAULTS) if self.random.random() < self.fault_rate else ""

    def create(self, name: str, price: float) -> SimulatedInstance:
        """Create an instance, which bills from now on."""
        number = str(len(self.creations) + 4711)
        self.creations.append(name)
        starts = self.now + self.start_s * self.random.uniform(0.5, 1.5)
        instance = SimulatedInstance(
            number,
            name,
            price,
            self.now,
            starts,
            self.now + self.random.choice((0.0, 0.0, 20.0)),
            dies=self.random.random() < self.death_rate,
            since=self.now,
        )
        self.instances[number] = instance
        return instance

    def state(self, instance: SimulatedInstance) -> str:
        """Return what its provider would call it, in our words."""
        if instance.gone:
            return "gone"
        if instance.wanted == "stopped":
            return "stopped"
        if self.now < instance.starts_at:
            return "starting"
        return "failed" if instance.dies else "running"

    def set_wanted(self, instance: SimulatedInstance, wanted: str) -> None:
        """Stop it or start it again, under another port."""
        self.settle(instance)
        if wanted == "running" and instance.wanted == "stopped":
            instance.starts_at = self.now + self.start_s / 2
            instance.port, instance.moved_at = instance.port + 1, self.now
        instance.wanted = wanted
        instance.since = self.now if wanted == "running" else None

    def destroy(self, instance: SimulatedInstance) -> None:
        """Destroy it; twice changes nothing."""
        if not instance.gone:
            self.settle(instance)
            instance.gone, instance.since = True, None
            self.destroyed.append(instance.name)

    def settle(self, instance: SimulatedInstance) -> None:
        """Bill until now."""
        if instance.since is not None:
            instance.billed += (self.now - instance.since) / 3600 * instance.price
            instance.since = self.now

    def billing(self) -> list[SimulatedInstance]:
        """Return what costs money now."""
        return [one for one in self.instances.values() if one.since is not None]

    def listed(self) -> list[SimulatedInstance]:
        """Return what the provider lists: a new one may be missing for a while."""
        return [
            one for one in self.instances.values() if not one.gone and self.now >= one.listed_at
        ]

    def find(self, number: str) -> SimulatedInstance | None:
        """Return one that is not gone."""
        found = self.instances.get(number)
        return None if found is None or found.gone else found

    def endpoint(self, instance: SimulatedInstance) -> tuple[str, int]:
        """Return where its sshd is; just after a restart, where it was."""
        if self.address is not None:
            return self.address
        stale = self.now < instance.moved_at + self.stale_s
        return "198.51.100.7", instance.port - (1 if stale and instance.moved_at else 0)


class CloudRefusal(Exception):
    """An HTTP status and a body that say no."""

    def __init__(self, status: int, body: Any) -> None:
        self.status, self.body = status, body
