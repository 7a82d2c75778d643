"""What every provider of rented servers can be asked for, in one vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from sovdeck.remote.secret import Secret

InstanceState = Literal["starting", "running", "stopped", "failed", "gone"]
# A provider that destroys on stop is said to be so before the first paid second.
EndAction = Literal["stop", "destroy"]
PROVIDER_NAMES = ("runpod", "vast", "lambda", "autodl")
# Of a journey, in this order.
Station = Literal[
    "create", "start", "add", "deploy", "weights", "push", "autostop", "train", "home", "end"
]
STATIONS: tuple[Station, ...] = get_args(Station)


@dataclass(frozen=True)
class Requirements:
    """What the server must have. gpu_memory: GiB of one GPU; disk: GiB of the work folder."""

    gpu_memory: float = 8.0
    disk: int = 60


@dataclass(frozen=True)
class Offer:
    """One kind of server that can be had now.

    price_per_hour: None where the provider tells it only of an existing server. reliability: 0 to
    1, None where it says nothing. request: what this provider needs to create it.
    """

    provider: str
    gpu: str
    memory: float
    price_per_hour: float | None
    currency: str
    place: str = ""
    cpu: str = ""
    reliability: float | None = None
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """What is to be created: an offer, the lease's unique name, our public key, GB of disk."""

    offer: Offer
    name: str
    public_key: str
    disk: int


@dataclass(frozen=True)
class InstanceAddress:
    """How its sshd is reached. password: where the provider makes one instead of taking a key."""

    host: str
    port: int
    user: str
    password: Secret | None = None

    @property
    def ssh_line(self) -> str:
        """The ssh command as a person would type it."""
        return f"ssh -p {self.port} {self.user}@{self.host}"


@dataclass(frozen=True)
class Instance:
    """A rented server as its provider describes it. price_per_hour: what it costs just now."""

    id: str
    name: str
    state: InstanceState
    price_per_hour: float | None = None
    address: InstanceAddress | None = None

    @property
    def is_billing(self) -> bool:
        """Whether its GPU is being paid for; a failed one is, until it is destroyed."""
        return self.state in ("starting", "running", "failed")


class Provider(Protocol):
    """One provider. Every method may raise AnswerLost, RequestRefused or another Problem.

    can_stop: a stop ends the GPU's price and keeps the disk; without it only `destroy` is left.
    page: where a person ends a server by hand.
    """

    name: str
    currency: str
    can_stop: bool
    page: str

    def list_offers(self, wanted: Requirements) -> list[Offer]:
        """Return what can be rented now, in no order."""

    def create(self, order: Order) -> str:
        """Create one server and return its id. AnswerLost: it may exist, under the order's name."""

    def list_instances(self) -> list[Instance]:
        """Return all servers of the account."""

    def find_instance(self, instance_id: str) -> Instance | None:
        """Return one server; None when there is none (any more)."""

    def stop(self, instance_id: str) -> None:
        """Stop a server, keeping its disk."""

    def start(self, instance_id: str) -> None:
        """Start a stopped server again."""

    def destroy(self, instance_id: str) -> None:
        """Destroy a server and its disk; a missing one is no error."""

    def read_balance(self) -> float | None:
        """Return what is left in the account; None where the provider does not tell."""

    def read_charges(self, instance_id: str) -> float | None:
        """Return what the server was charged so far; None where the provider does not tell."""
