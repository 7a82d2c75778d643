"""RunPod by its REST interface, version 2.

Read from its published description (api.runpod.io/v2/openapi.json, October 2026); not yet run
against the real service. Uncertain: whether a Community Cloud pod always gets a public address,
and how long `ssh.direct` names the old port after a restart (up to 90 s were reported).
"""

from __future__ import annotations

from urllib.parse import quote

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

BASE = "https://api.runpod.io/v2"
_IMAGE = "runpod/pytorch:2.8.0-py3.11-cuda12.8.1"  # the documents' own example; has sshd
_LEAST_CUDA = "12.8"
_CONTAINER_DISK_GB = 20
_STATES: dict[str, InstanceState] = {
    "PROVISIONING": "starting",
    "STARTING": "starting",
    "RUNNING": "running",
    "EXITED": "stopped",
    "ERROR": "failed",
    "TERMINATED": "gone",
}


class RunPodAccount:
    """Implements `sovdeck.remote.rent.provider.Provider`."""

    name = "runpod"
    currency = "USD"
    can_stop = True
    page = "https://console.runpod.io/pods"

    def __init__(self, api: JsonApi) -> None:
        self._api = api

    def list_offers(self, wanted: Requirements) -> list[Offer]:
        """Return the GPU types in stock, once for each of the two clouds."""
        offers = []
        for cloud in ("SECURE", "COMMUNITY"):
            query = {"include": "AVAILABILITY", "product": "POD", "cloud": cloud}
            answer = self._api.ask("GET", "/catalog/gpus", query=query)
            for gpu in parse_as(_Gpus, answer, self.name).gpus:
                price = gpu.price.secure if cloud == "SECURE" else gpu.price.community
                # Filters that it does not know are ignored without a word: all is checked here.
                usable = gpu.manufacturer == "NVIDIA" and gpu.memory >= wanted.gpu_memory
                if usable and price > 0 and gpu.availability not in ("", "NONE"):
                    request = {"gpu": gpu.id, "cloud": cloud}
                    offers.append(
                        Offer(
                            self.name,
                            gpu.name,
                            gpu.memory,
                            price,
                            self.currency,
                            place=f"{cloud.lower()} cloud",
                            request=request,
                        )
                    )
        return offers

    def create(self, order: Order) -> str:
        """Create a pod whose port 22 is open and whose /workspace outlives a stop."""
        body = {
            "name": order.name,
            "image": _IMAGE,
            "cloud": order.offer.request["cloud"],
            "gpu": {"id": order.offer.request["gpu"], "count": 1, "minCudaVersion": _LEAST_CUDA},
            "disk": _CONTAINER_DISK_GB,
            "mounts": {"persistent": {"size": max(10, order.disk), "path": "/workspace"}},
            "ports": ["22/tcp"],
            "startSsh": True,
            "env": {"PUBLIC_KEY": order.public_key},
        }
        answer = self._api.ask("POST", "/pods", body, repeatable=False)
        return parse_as(_Created, answer, self.name).id

    def list_instances(self) -> list[Instance]:
        """Return all pods of the account."""
        pods = parse_as(_Pods, self._api.ask("GET", "/pods"), self.name).pods
        return [pod.as_instance() for pod in pods]

    def find_instance(self, instance_id: str) -> Instance | None:
        """Return one pod; None when there is none."""
        try:
            answer = self._api.ask("GET", _pod_path(instance_id))
        except RequestRefused as refusal:
            if refusal.status == 404:
                return None
            raise
        return parse_as(_Pod, answer, self.name).as_instance()

    def stop(self, instance_id: str) -> None:
        """Stop a pod; refused by RunPod where a network volume is attached."""
        self._api.ask("POST", _pod_path(instance_id) + "/action", {"action": "stop"})

    def start(self, instance_id: str) -> None:
        """Start a stopped pod; refused where its GPU was taken meanwhile."""
        self._api.ask("POST", _pod_path(instance_id) + "/action", {"action": "start"})

    def destroy(self, instance_id: str) -> None:
        """Terminate a pod with its disks."""
        try:
            self._api.ask("DELETE", _pod_path(instance_id))
        except RequestRefused as refusal:
            if refusal.status != 404:
                raise

    def read_balance(self) -> float | None:
        """Return None: version 2 of the interface does not tell it."""
        return None

    def read_charges(self, instance_id: str) -> float | None:
        """Return what the last 30 days charged for the pod; runs an hour or two behind."""
        query = {"podId": instance_id, "bucketSize": "day"}
        records = parse_as(
            _Billing, self._api.ask("GET", "/billing/pods", query=query), self.name
        ).records
        # The filter is not trusted: it came back unused for other parameters.
        return sum(record.totalAmount for record in records if record.podId == instance_id)


def _pod_path(instance_id: str) -> str:
    return "/pods/" + quote(instance_id, safe="")


class _Price(ProviderAnswer):
    secure: float = 0.0
    community: float = 0.0


class _Gpu(ProviderAnswer):
    id: str
    name: str
    manufacturer: str = "NVIDIA"
    memory: float
    price: _Price
    availability: str = ""


class _Gpus(ProviderAnswer):
    gpus: tuple[_Gpu, ...]


class _Created(ProviderAnswer):
    id: ProviderId


class _Endpoint(ProviderAnswer):
    host: str
    port: int
    username: str


class _Ssh(ProviderAnswer):
    direct: _Endpoint | None = None


class _Pod(ProviderAnswer):
    id: str
    name: str = ""
    status: str
    cost: float | None = None
    ssh: _Ssh = _Ssh()

    def as_instance(self) -> Instance:
        direct = self.ssh.direct
        address = None
        if direct is not None:
            address = InstanceAddress(direct.host, direct.port, direct.username)
        state = _STATES.get(self.status, "starting")
        return Instance(self.id, self.name, state, self.cost, address)


class _Pods(ProviderAnswer):
    pods: tuple[_Pod, ...]


class _Charge(ProviderAnswer):
    podId: str = ""  # noqa: N815 - RunPod's name
    totalAmount: float = 0.0  # noqa: N815


class _Billing(ProviderAnswer):
    records: tuple[_Charge, ...] = ()
