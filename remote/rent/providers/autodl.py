"""AutoDL Pro by its developer interface.

Read from its published documents (autodl.com/docs/instance_pro_api and common_api, 2026) and from
reports of its use; not yet run against the real service. It needs an account whose name was
verified. Uncertain: the exact words of `status`, and how soon after a power-off a release is taken.
What a server costs is told only of one that exists.
"""

from __future__ import annotations

from typing import Any

from sovdeck.remote.http_json import JsonApi, RequestRefused, strange_answer
from sovdeck.remote.rent.parsing import ProviderAnswer, ProviderId, parse_as
from sovdeck.remote.rent.provider import (
    Instance,
    InstanceAddress,
    InstanceState,
    Offer,
    Order,
    Requirements,
)
from sovdeck.remote.secret import Secret

BASE = "https://api.autodl.com"
_PRO = "/api/v1/dev/instance/pro/"
_IMAGE = "base-image-l2t43iu6uk"  # CUDA 11.8, Ubuntu 20.04; the engine brings its own Python
_LEAST_CUDA = 118
_PAGE, _MAX_PAGES = 50, 20
_THOUSANDTHS = 1000
_SYSTEM_DISK_GB = 30  # what every server has before it is expanded
# Their specification ids with the memory of the card, as the documents list them.
_SPECIFICATIONS = (
    ("v-48g-350w", "RTX 3090", 48.0),
    ("v-48g", "RTX 4090", 48.0),
    ("4090D", "RTX 4090D", 24.0),
    ("v-32g-p", "RTX 4080", 32.0),
    ("5090-p", "RTX 5090", 32.0),
    ("pro6000-p", "RTX PRO 6000", 96.0),
    ("h800", "H800", 80.0),
)
_STATES: dict[str, InstanceState] = {
    "creating": "starting",
    "starting": "starting",
    "booting": "starting",
    "restarting": "starting",
    "running": "running",
    "shutting_down": "running",
    "shutdown": "stopped",
    "releasing": "gone",
    "released": "gone",
}


class AutoDLAccount:
    """Implements `sovdeck.remote.rent.provider.Provider`."""

    name = "autodl"
    currency = "CNY"
    can_stop = True
    page = "https://www.autodl.com/console/instance/list"

    def __init__(self, api: JsonApi) -> None:
        self._api = api

    def list_offers(self, wanted: Requirements) -> list[Offer]:
        """Return the cards that can be asked for; neither price nor stock is told beforehand."""
        return [
            Offer(self.name, gpu, memory, None, self.currency, request={"specification": each})
            for each, gpu, memory in _SPECIFICATIONS
            if memory >= wanted.gpu_memory
        ]

    def create(self, order: Order) -> str:
        """Create a server; its password is made by AutoDL."""
        body = {
            "req_gpu_amount": 1,
            "expand_system_disk_by_gb": max(0, order.disk - _SYSTEM_DISK_GB),
            "gpu_spec_uuid": order.offer.request["specification"],
            "image_uuid": _IMAGE,
            "cuda_v_from": _LEAST_CUDA,
            "instance_name": order.name,
        }
        answer = self._ask("POST", "create", body, repeatable=False)
        return parse_as(_Created, answer, self.name).data

    def list_instances(self) -> list[Instance]:
        """Return all servers of the account, page by page."""
        found: list[Instance] = []
        for page in range(1, _MAX_PAGES + 1):
            answer = self._ask("POST", "list", {"page_index": page, "page_size": _PAGE})
            rows = parse_as(_List, answer, self.name).data.list
            found += [Instance(row.uuid, row.name or "", _state(row.status)) for row in rows]
            if len(rows) < _PAGE:
                break
        return found

    def find_instance(self, instance_id: str) -> Instance | None:
        """Return one server with its address and price; None when there is none."""
        listed = [one for one in self.list_instances() if one.id == instance_id]
        if not listed or listed[0].state != "running":
            return listed[0] if listed else None
        answer = self._ask("GET", "snapshot", query={"instance_uuid": instance_id})
        shot = parse_as(_SnapshotAnswer, answer, self.name).data
        address = None
        if shot.proxy_host and shot.ssh_port:
            password = Secret(shot.root_password) if shot.root_password else None
            address = InstanceAddress(shot.proxy_host, shot.ssh_port, "root", password)
        price = None if shot.payg_price is None else shot.payg_price / _THOUSANDTHS
        return Instance(instance_id, listed[0].name, "running", price, address)

    def stop(self, instance_id: str) -> None:
        """Power a server off; its disks stay for 15 days."""
        self._ask("POST", "power_off", {"instance_uuid": instance_id})

    def start(self, instance_id: str) -> None:
        """Power a server on with its GPU, where that is free."""
        self._ask("POST", "power_on", {"instance_uuid": instance_id, "payload": "gpu"})

    def destroy(self, instance_id: str) -> None:
        """Release a server with its disks; it must have been powered off."""
        found = self.find_instance(instance_id)
        if found is None or found.state == "gone":
            return
        if found.state != "stopped":
            self.stop(instance_id)
        self._ask("POST", "release", {"instance_uuid": instance_id})

    def read_balance(self) -> float | None:
        """Return what is left in the account, in CNY."""
        answer = _checked(self._api.ask("POST", "/api/v1/dev/wallet/balance", {}))
        return parse_as(_Balance, answer, self.name).data.assets / _THOUSANDTHS

    def read_charges(self, instance_id: str) -> float | None:
        """Return None: only the account's total is told."""
        return None

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        query: dict[str, str] | None = None,
        repeatable: bool = True,
    ) -> Any:
        return _checked(
            self._api.ask(method, _PRO + path, body, query=query, repeatable=repeatable)
        )


def _checked(answer: Any) -> Any:
    """The answer; RequestRefused where its own code, not HTTP's, says no."""
    if not isinstance(answer, dict):
        raise strange_answer("autodl", "answer")
    code = answer.get("code")
    if code != "Success":
        status = 401 if str(code).startswith("Authorize") else 400
        raise RequestRefused("autodl", status, str(answer.get("msg", ""))[:200])
    return answer


def _state(status: str) -> InstanceState:
    return _STATES.get(status.lower(), "starting")


class _Created(ProviderAnswer):
    data: ProviderId


class _Row(ProviderAnswer):
    uuid: str
    name: str | None = None
    status: str = ""


class _Rows(ProviderAnswer):
    list: tuple[_Row, ...] = ()


class _List(ProviderAnswer):
    data: _Rows


class _Snapshot(ProviderAnswer):
    proxy_host: str | None = None
    ssh_port: int | None = None
    root_password: str | None = None
    payg_price: float | None = None


class _SnapshotAnswer(ProviderAnswer):
    data: _Snapshot


class _Assets(ProviderAnswer):
    assets: float


class _Balance(ProviderAnswer):
    data: _Assets
