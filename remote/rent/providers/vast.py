"""Vast.ai by its REST interface.

Read from its published documents (docs.vast.ai, 2026); not yet run against the real service.
Uncertain: how soon a new instance's port mapping is listed, and whether every host runs `onstart`
before its sshd takes the first log-in (a refused log-in right after the start is tried again).
"""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import quote

from sovdeck.remote.http_json import JsonApi, RequestRefused
from sovdeck.remote.rent.parsing import ProviderAnswer, parse_as
from sovdeck.remote.rent.provider import (
    Instance,
    InstanceAddress,
    InstanceState,
    Offer,
    Order,
    Requirements,
)

BASE = "https://console.vast.ai"
_IMAGE = "pytorch/pytorch:2.4.0-cuda12.4-cudnn9-runtime"  # the documents' own example
_LEAST_CUDA, _LEAST_RELIABILITY = 12.4, 0.98
_OFFERS, _MAX_PAGES = 64, 40  # pages of 25 instances
_STATES: dict[str, InstanceState] = {
    "": "starting",
    "created": "starting",
    "loading": "starting",
    "rebooting": "starting",
    "running": "running",
    "frozen": "running",
    "stopped": "stopped",
    # These never become running by themselves.
    "exited": "failed",
    "unknown": "failed",
    "offline": "failed",
}


class VastAccount:
    """Implements `sovdeck.remote.rent.provider.Provider`."""

    name = "vast"
    currency = "USD"
    can_stop = True
    page = "https://cloud.vast.ai/instances/"

    def __init__(self, api: JsonApi) -> None:
        self._api = api

    def list_offers(self, wanted: Requirements) -> list[Offer]:
        """Return verified machines with one GPU and an open port, the cheapest first."""
        question = {
            "type": "ondemand",
            "verified": {"eq": True},
            "rentable": {"eq": True},
            "num_gpus": {"eq": 1},
            "gpu_ram": {"gte": int(wanted.gpu_memory * 1000)},
            "disk_space": {"gte": wanted.disk},
            "allocated_storage": wanted.disk,
            "direct_port_count": {"gte": 1},
            "reliability": {"gte": _LEAST_RELIABILITY},
            "cuda_max_good": {"gte": _LEAST_CUDA},
            "order": [["dph_total", "asc"]],
            "limit": _OFFERS,
        }
        answer = self._api.ask("POST", "/api/v0/bundles/", question)
        return [
            Offer(
                self.name,
                offer.gpu_name,
                offer.gpu_ram / 1024,
                offer.dph_total,
                self.currency,
                place=offer.geolocation or "",
                cpu=offer.cpu_name or "",
                reliability=offer.reliability,
                request={"offer": offer.id},
            )
            for offer in parse_as(_Offers, answer, self.name).offers
            # Unknown filters are ignored without a word: what matters is checked here.
            if offer.num_gpus == 1 and offer.gpu_ram >= wanted.gpu_memory * 1000
        ]

    def create(self, order: Order) -> str:
        """Accept an offer; RequestRefused 404 or 410 when somebody else was faster."""
        key = shlex.quote(order.public_key)
        body = {
            "image": _IMAGE,
            "label": order.name,
            "disk": order.disk,
            "runtype": "ssh_direct",
            "cancel_unavail": True,
            "onstart": "mkdir -p ~/.ssh; chmod 700 ~/.ssh; touch ~/.no_auto_tmux; "
            f"echo {key} >> ~/.ssh/authorized_keys; env >> /etc/environment",
        }
        path = f"/api/v0/asks/{order.offer.request['offer']}/"
        answer = self._api.ask("PUT", path, body, repeatable=False)
        created = parse_as(_Created, answer, self.name)
        if not created.success or created.new_contract is None:
            raise RequestRefused(self.name, 410, created.msg or "")
        return str(created.new_contract)

    def list_instances(self) -> list[Instance]:
        """Return all instances of the account, page by page."""
        found: list[Instance] = []
        query = {"limit": "25"}
        for _ in range(_MAX_PAGES):
            answer = self._api.ask("GET", "/api/v1/instances/", query=query)
            page = parse_as(_Page, answer, self.name)
            found += [one.as_instance() for one in page.instances]
            if not page.next_token:
                break
            query = {"limit": "25", "after_token": page.next_token}
        return found

    def find_instance(self, instance_id: str) -> Instance | None:
        """Return one instance; None when there is none."""
        try:
            answer = self._api.ask("GET", _instance_path(instance_id))
        except RequestRefused as refusal:
            if refusal.status == 404:
                return None
            raise
        found = parse_as(_Single, answer, self.name).instances
        return None if found is None else found.as_instance()

    def stop(self, instance_id: str) -> None:
        """Stop an instance; its disk is billed on."""
        self._set_state(instance_id, "stopped")

    def start(self, instance_id: str) -> None:
        """Start an instance again; it waits where its GPU was rented by somebody else."""
        self._set_state(instance_id, "running")

    def destroy(self, instance_id: str) -> None:
        """Destroy an instance with its disk."""
        try:
            self._api.ask("DELETE", _instance_path(instance_id))
        except RequestRefused as refusal:
            if refusal.status != 404:
                raise

    def read_balance(self) -> float | None:
        """Return the account's credit in USD."""
        return parse_as(_User, self._api.ask("GET", "/api/v0/users/current/"), self.name).credit

    def read_charges(self, instance_id: str) -> float | None:
        """Return None: charges are told by invoice, not by instance."""
        return None

    def _set_state(self, instance_id: str, state: str) -> None:
        answer = self._api.ask("PUT", _instance_path(instance_id), {"state": state})
        if answer.get("success") is False:
            raise RequestRefused(self.name, 400, str(answer.get("msg", "")))


def _instance_path(instance_id: str) -> str:
    return f"/api/v0/instances/{quote(instance_id, safe='')}/"


class _Offer(ProviderAnswer):
    id: int
    gpu_name: str
    num_gpus: int
    gpu_ram: float  # MB
    dph_total: float
    reliability: float | None = None
    geolocation: str | None = None
    cpu_name: str | None = None


class _Offers(ProviderAnswer):
    offers: tuple[_Offer, ...]


class _Created(ProviderAnswer):
    success: bool = False
    new_contract: int | None = None
    msg: str | None = None


class _Instance(ProviderAnswer):
    id: int
    label: str | None = None
    actual_status: str | None = None
    intended_status: str | None = None
    dph_total: float | None = None
    ssh_host: str | None = None
    ssh_port: int | None = None
    public_ipaddr: str | None = None
    ports: dict[str, Any] | None = None

    def as_instance(self) -> Instance:
        state = _STATES.get(self.actual_status or "", "failed")
        if state == "failed" and self.intended_status == "stopped":
            state = "stopped"  # a container that was stopped has exited
        return Instance(
            str(self.id), self.label or "", state, self.dph_total, self._address() or None
        )

    def _address(self) -> InstanceAddress | None:
        """The mapped port 22 of the machine itself, else the slower proxy."""
        mapped = (self.ports or {}).get("22/tcp")
        if self.public_ipaddr and isinstance(mapped, list) and mapped:
            port = str(mapped[0].get("HostPort", "")) if isinstance(mapped[0], dict) else ""
            if port.isascii() and port.isdigit():
                return InstanceAddress(self.public_ipaddr.strip(), int(port), "root")
        if self.ssh_host and self.ssh_port:
            return InstanceAddress(self.ssh_host, self.ssh_port, "root")
        return None


class _Page(ProviderAnswer):
    instances: tuple[_Instance, ...]
    next_token: str | None = None


class _Single(ProviderAnswer):
    instances: _Instance | None = None


class _User(ProviderAnswer):
    credit: float | None = None
