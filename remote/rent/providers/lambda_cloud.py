"""Lambda Cloud by its REST interface: a server can only be terminated, never stopped.

Read from its published description (Lambda Cloud API 1.10, 2026); not yet run against the real
service. Uncertain: whether names of 64 characters are taken everywhere.
"""

from __future__ import annotations

from urllib.parse import quote

from pydantic import Field

from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.http_json import JsonApi, RequestRefused
from sovdeck.remote.rent.parsing import ProviderAnswer, ProviderId, parse_as
from sovdeck.remote.rent.provider import (
    Instance,
    InstanceAddress,
    InstanceState,
    Offer,
    Order,
    Requirements,
)

BASE = "https://cloud.lambda.ai/api/v1"
_KEY_NAME = "sovdeck"
_STATES: dict[str, InstanceState] = {
    "booting": "starting",
    "active": "running",
    "unhealthy": "failed",
    "preempted": "gone",
    "terminating": "gone",
    "terminated": "gone",
}


class LambdaAccount:
    """Implements `sovdeck.remote.rent.provider.Provider`."""

    name = "lambda"
    currency = "USD"
    can_stop = False
    page = "https://cloud.lambda.ai/instances"

    def __init__(self, api: JsonApi) -> None:
        self._api = api

    def list_offers(self, wanted: Requirements) -> list[Offer]:
        """Return the types with one GPU that a region has now."""
        answer = self._api.ask("GET", "/instance-types")
        offers = []
        for item in parse_as(_Types, answer, self.name).data.values():
            kind = item.instance_type
            if kind.specs.gpus != 1 or kind.gpu_memory < wanted.gpu_memory:
                continue
            if kind.specs.storage_gib < wanted.disk:
                continue
            for region in item.regions_with_capacity_available:
                offers.append(
                    Offer(
                        self.name,
                        kind.gpu_description or kind.description,
                        kind.gpu_memory,
                        kind.price_cents_per_hour / 100,
                        self.currency,
                        place=region.description or region.name,
                        request={"type": kind.name, "region": region.name},
                    )
                )
        return offers

    def create(self, order: Order) -> str:
        """Launch an instance, with our public key registered in the account."""
        body = {
            "region_name": order.offer.request["region"],
            "instance_type_name": order.offer.request["type"],
            "ssh_key_names": [self._register_key(order.public_key)],
            "name": order.name,
        }
        answer = self._api.ask("POST", "/instance-operations/launch", body, repeatable=False)
        return parse_as(_Launched, answer, self.name).data.instance_ids[0]

    def list_instances(self) -> list[Instance]:
        """Return all instances of the account."""
        answer = self._api.ask("GET", "/instances")
        return [one.as_instance() for one in parse_as(_Instances, answer, self.name).data]

    def find_instance(self, instance_id: str) -> Instance | None:
        """Return one instance; None when there is none."""
        try:
            answer = self._api.ask("GET", "/instances/" + quote(instance_id, safe=""))
        except RequestRefused as refusal:
            if refusal.status == 404:
                return None
            raise
        return parse_as(_Single, answer, self.name).data.as_instance()

    def stop(self, instance_id: str) -> None:
        """Refuse: Lambda bills a server until it is terminated."""
        raise Problem("remote.rent.no_stop", ExitCode.CONFIG, provider=self.name)

    def start(self, instance_id: str) -> None:
        """Refuse: there is no stopped server."""
        raise Problem("remote.rent.no_stop", ExitCode.CONFIG, provider=self.name)

    def destroy(self, instance_id: str) -> None:
        """Terminate an instance with its disk."""
        try:
            body = {"instance_ids": [instance_id]}
            self._api.ask("POST", "/instance-operations/terminate", body)
        except RequestRefused as refusal:
            if refusal.status != 404:
                raise

    def read_balance(self) -> float | None:
        """Return None: Lambda bills afterwards."""
        return None

    def read_charges(self, instance_id: str) -> float | None:
        """Return None: Lambda tells charges by invoice."""
        return None

    def _register_key(self, public_key: str) -> str:
        """Return the name under which the account has our key; it is added where it lacks."""
        kept = parse_as(_Keys, self._api.ask("GET", "/ssh-keys"), self.name).data
        material = public_key.split()[1]
        for key in kept:
            if material in key.public_key.split():
                return key.name
        names = {key.name for key in kept}
        name = next(
            each
            for number in range(1, len(names) + 2)
            if (each := _KEY_NAME if number == 1 else f"{_KEY_NAME}-{number}") not in names
        )
        self._api.ask("POST", "/ssh-keys", {"name": name, "public_key": public_key})
        return name


class _Specs(ProviderAnswer):
    gpus: int
    storage_gib: float = 0


class _Type(ProviderAnswer):
    name: str
    description: str = ""
    gpu_description: str = ""
    price_cents_per_hour: int
    specs: _Specs

    @property
    def gpu_memory(self) -> float:
        """GiB, out of "A10 (24 GB PCIe)"; 0 where it is not told."""
        for text in (self.gpu_description, self.description):
            words = text.replace("(", " ").split()
            for number, unit in zip(words, words[1:], strict=False):
                gigabytes = parse_whole_number(number)
                if unit.startswith("GB") and gigabytes is not None:
                    return float(gigabytes)
        return 0.0


class _Region(ProviderAnswer):
    name: str
    description: str = ""


class _TypeItem(ProviderAnswer):
    instance_type: _Type
    regions_with_capacity_available: tuple[_Region, ...] = ()


class _Types(ProviderAnswer):
    data: dict[str, _TypeItem]


class _LaunchedIds(ProviderAnswer):
    instance_ids: tuple[ProviderId, ...] = Field(min_length=1)


class _Launched(ProviderAnswer):
    data: _LaunchedIds


class _Key(ProviderAnswer):
    name: str
    public_key: str


class _Keys(ProviderAnswer):
    data: tuple[_Key, ...]


class _InstanceType(ProviderAnswer):
    price_cents_per_hour: int | None = None


class _Instance(ProviderAnswer):
    id: str
    name: str | None = None
    ip: str | None = None
    status: str
    instance_type: _InstanceType = _InstanceType()

    def as_instance(self) -> Instance:
        state = _STATES.get(self.status, "failed")
        cents = self.instance_type.price_cents_per_hour
        address = InstanceAddress(self.ip, 22, "ubuntu") if self.ip else None
        return Instance(
            self.id, self.name or "", state, None if cents is None else cents / 100, address
        )


class _Instances(ProviderAnswer):
    data: tuple[_Instance, ...]


class _Single(ProviderAnswer):
    data: _Instance
