"""The four providers' HTTP interfaces over one simulated cloud with a virtual clock.

Each request may meet a fault, drawn from a seed: "429", "500" (nothing was done), "lost" (done, but
the answer is a 500), "cut" (done, and the connection ends), "garbage" (done, and no JSON). Bills
are kept by the cloud itself, so that tests can compare them with what a person was told.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

FAULTS = ("429", "500", "lost", "cut", "garbage")
KEY = "sk-planted-5150"


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
    """All servers of one account. fault_rate: of every request; stale_s: an old port is listed."""

    seed: int = 0
    fault_rate: float = 0.0
    start_s: float = 90.0
    stale_s: float = 0.0
    death_rate: float = 0.0
    gone_offers: bool = False
    key: str = KEY
    now: float = 1_800_000_000.0
    instances: dict[str, SimulatedInstance] = field(default_factory=dict)
    creations: list[str] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    requests: int = 0
    # Of a real sshd that stands for every instance, and the keys it takes.
    address: tuple[str, int] | None = None
    authorized_keys: Path | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.lock = threading.RLock()

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        with self.lock:
            self.now += seconds

    def draw_fault(self) -> str:
        self.requests += 1
        return self.random.choice(FAULTS) if self.random.random() < self.fault_rate else ""

    def create(self, name: str, price: float) -> SimulatedInstance:
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
        if instance.gone:
            return "gone"
        if instance.wanted == "stopped":
            return "stopped"
        if self.now < instance.starts_at:
            return "starting"
        return "failed" if instance.dies else "running"

    def set_wanted(self, instance: SimulatedInstance, wanted: str) -> None:
        self.settle(instance)
        if wanted == "running" and instance.wanted == "stopped":
            instance.starts_at = self.now + self.start_s / 2
            instance.port, instance.moved_at = instance.port + 1, self.now
        instance.wanted = wanted
        instance.since = self.now if wanted == "running" else None

    def destroy(self, instance: SimulatedInstance) -> None:
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
        return [one for one in self.instances.values() if one.since is not None]

    def listed(self) -> list[SimulatedInstance]:
        return [
            one for one in self.instances.values() if not one.gone and self.now >= one.listed_at
        ]

    def find(self, number: str) -> SimulatedInstance | None:
        found = self.instances.get(number)
        return None if found is None or found.gone else found

    def endpoint(self, instance: SimulatedInstance) -> tuple[str, int]:
        if self.address is not None:
            return self.address
        stale = self.now < instance.moved_at + self.stale_s
        return "198.51.100.7", instance.port - (1 if stale and instance.moved_at else 0)


class Refused(Exception):
    """An HTTP status and a body that say no."""

    def __init__(self, status: int, body: Any) -> None:
        self.status, self.body = status, body


def answer_runpod(cloud: SimulatedCloud, method: str, path: str, query: Any, body: Any) -> Any:
    words = path.strip("/").split("/")
    if path == "/catalog/gpus":
        assert query["include"] == ["AVAILABILITY"] and query["product"] == ["POD"]
        return {
            "gpus": [
                _runpod_gpu("NVIDIA GeForce RTX 4090", "RTX 4090", 24, 0.69, 0.34),
                _runpod_gpu("NVIDIA A40", "A40", 48, 0.4, 0.35, "NONE"),
                _runpod_gpu("AMD Instinct MI300X", "MI300X", 192, 2.0, 2.0, maker="AMD"),
            ]
        }
    if path == "/billing/pods":
        return {
            "records": [{"podId": i.id, "totalAmount": i.billed} for i in cloud.instances.values()]
        }
    if path == "/pods" and method == "GET":
        return {"pods": [_runpod_pod(cloud, one) for one in cloud.listed()]}
    if path == "/pods":
        missing = {"name", "image", "gpu", "ports", "env"} - set(body)
        if missing or "22/tcp" not in body["ports"] or not body["env"].get("PUBLIC_KEY"):
            raise Refused(422, {"title": "Unprocessable Entity", "status": 422, "detail": "body"})
        if cloud.gone_offers:
            raise Refused(409, {"title": "Conflict", "status": 409, "detail": "no capacity"})
        price = 0.69 if body["cloud"] == "SECURE" else 0.34
        if cloud.authorized_keys is not None:
            with cloud.authorized_keys.open("a", encoding="utf-8") as keys:
                keys.write(body["env"]["PUBLIC_KEY"] + "\n")
        return _runpod_pod(cloud, cloud.create(body["name"], price))
    instance = cloud.find(words[1])
    if instance is None:
        raise Refused(404, {"title": "Not Found", "status": 404, "detail": "no such pod"})
    if method == "DELETE":
        cloud.destroy(instance)
        return None
    if method == "POST" and words[2] == "action":
        cloud.set_wanted(instance, {"stop": "stopped", "start": "running"}[body["action"]])
    return _runpod_pod(cloud, instance)


def _runpod_gpu(
    key: str,
    name: str,
    memory: int,
    secure: float,
    community: float,
    stock: str = "HIGH",
    *,
    maker: str = "NVIDIA",
) -> dict[str, Any]:
    price = {"secure": secure, "community": community}
    return {
        "id": key,
        "name": name,
        "memory": memory,
        "price": price,
        "manufacturer": maker,
        "availability": stock,
    }


def _runpod_pod(cloud: SimulatedCloud, instance: SimulatedInstance) -> dict[str, Any]:
    state = cloud.state(instance)
    direct = None
    if state == "running":
        host, port = cloud.endpoint(instance)
        direct = {"host": host, "port": port, "username": "root", "command": "ssh"}
    names = {"starting": "STARTING", "running": "RUNNING", "stopped": "EXITED", "failed": "ERROR"}
    return {
        "id": instance.id,
        "name": instance.name,
        "status": names[state],
        "cost": instance.price if state == "running" else 0.0,
        "ssh": {"proxy": None, "direct": direct},
    }


def answer_vast(cloud: SimulatedCloud, method: str, path: str, query: Any, body: Any) -> Any:
    words = path.strip("/").split("/")
    assert path.endswith("/")
    if path == "/api/v0/bundles/":
        return {
            "offers": [
                _vast_offer(91, "RTX 3090", 24576, 0.21),
                _vast_offer(92, "RTX 4090", 24564, 0.38),
                _vast_offer(93, "2x4090", 24564, 0.7, count=2),  # a filter that was ignored
            ]
        }
    if path == "/api/v0/users/current/":
        return {"credit": 12.5}
    if words[:3] == ["api", "v0", "asks"]:
        if cloud.gone_offers:
            raise Refused(410, {"success": False, "error": "no_such_ask", "msg": "gone"})
        price = {"91": 0.21, "92": 0.38}[words[3]]
        assert KEY not in body["onstart"] and "ssh-ed25519" in body["onstart"]
        return {"success": True, "new_contract": int(cloud.create(body["label"], price).id)}
    if path == "/api/v1/instances/":
        start = int(query.get("after_token", ["0"])[0])
        rows = cloud.listed()[start : start + 25]
        more = str(start + 25) if len(cloud.listed()) > start + 25 else None
        return {"instances": [_vast_instance(cloud, one) for one in rows], "next_token": more}
    instance = cloud.find(words[3])
    if instance is None:
        raise Refused(404, {"success": False, "msg": "no such instance"})
    if method == "DELETE":
        cloud.destroy(instance)
        return {"success": True}
    if method == "PUT":
        cloud.set_wanted(instance, body["state"])
        return {"success": True}
    return {"instances": _vast_instance(cloud, instance)}


def _vast_offer(number: int, gpu: str, memory: int, price: float, count: int = 1) -> dict[str, Any]:
    return {
        "id": number,
        "gpu_name": gpu,
        "num_gpus": count,
        "gpu_ram": memory,
        "dph_total": price,
        "reliability": 0.991,
        "geolocation": "Sweden, SE",
        "cpu_name": "AMD EPYC",
    }


def _vast_instance(cloud: SimulatedCloud, instance: SimulatedInstance) -> dict[str, Any]:
    state = cloud.state(instance)
    host, port = cloud.endpoint(instance)
    running = state == "running"
    return {
        "id": int(instance.id),
        "label": instance.name,
        # A stopped container has exited; what was wanted tells the two apart.
        "actual_status": {"starting": "loading", "stopped": "exited", "failed": "offline"}.get(
            state, state
        ),
        "intended_status": instance.wanted,
        "dph_total": instance.price,
        "public_ipaddr": host if running else None,
        "ports": {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(port)}]} if running else None,
        "ssh_host": "ssh4.vast.ai",
        "ssh_port": 10600,
    }


def answer_lambda(cloud: SimulatedCloud, method: str, path: str, query: Any, body: Any) -> Any:
    if path == "/instance-types":
        kind = {
            "name": "gpu_1x_a10",
            "description": "1x A10 (24 GB PCIe)",
            "gpu_description": "A10 (24 GB PCIe)",
            "price_cents_per_hour": 75,
            "specs": {"vcpus": 30, "memory_gib": 200, "storage_gib": 1400, "gpus": 1},
        }
        region = {"name": "us-east-1", "description": "Virginia, USA"}
        return {
            "data": {
                "gpu_1x_a10": {"instance_type": kind, "regions_with_capacity_available": [region]}
            }
        }
    if path == "/ssh-keys":
        return {"data": []} if method == "GET" else {"data": {"id": "k1"}}
    if path == "/instance-operations/launch":
        if cloud.gone_offers:
            code = "instance-operations/launch/insufficient-capacity"
            raise Refused(400, {"error": {"code": code, "message": "Not enough capacity"}})
        return {"data": {"instance_ids": [cloud.create(body["name"], 0.75).id]}}
    if path == "/instance-operations/terminate":
        for number in body["instance_ids"]:
            instance = cloud.find(number)
            if instance is None:
                raise Refused(404, {"error": {"code": "x", "message": "no such instance"}})
            cloud.destroy(instance)
        return {"data": {"terminated_instances": []}}
    if path == "/instances":
        return {"data": [_lambda_instance(cloud, one) for one in cloud.listed()]}
    instance = cloud.find(path.rsplit("/", 1)[-1])
    if instance is None:
        raise Refused(404, {"error": {"code": "x", "message": "no such instance"}})
    return {"data": _lambda_instance(cloud, instance)}


def _lambda_instance(cloud: SimulatedCloud, instance: SimulatedInstance) -> dict[str, Any]:
    state = cloud.state(instance)
    names = {"starting": "booting", "running": "active", "failed": "unhealthy"}
    return {
        "id": instance.id,
        "name": instance.name,
        "status": names[state],
        "ip": cloud.endpoint(instance)[0] if state == "running" else None,
        "instance_type": {"name": "gpu_1x_a10", "price_cents_per_hour": 75},
    }


def answer_autodl(cloud: SimulatedCloud, method: str, path: str, query: Any, body: Any) -> Any:
    done = {"code": "Success", "msg": "", "data": None}
    if path == "/api/v1/dev/wallet/balance":
        return {**done, "data": {"assets": 51230, "accumulate": 0, "voucher_balance": 0}}
    operation = path.rsplit("/", 1)[-1]
    if operation == "create":
        if cloud.gone_offers:
            return {"code": "Failed", "msg": "no stock", "data": None}
        return {**done, "data": cloud.create(body["instance_name"], 1.98).id}
    if operation == "list":
        rows = cloud.listed() if body["page_index"] == 1 else []
        names = {"starting": "starting", "running": "running", "stopped": "shutdown"}
        listed = [
            {"uuid": i.id, "name": i.name, "status": names.get(cloud.state(i), "failed")}
            for i in rows
        ]
        return {**done, "data": {"list": listed}}
    number = (body or {}).get("instance_uuid") or query["instance_uuid"][0]
    instance = cloud.find(number)
    if instance is None:
        return {"code": "Failed", "msg": "no such instance", "data": None}
    if operation == "snapshot":
        host, port = cloud.endpoint(instance)
        shot = {"proxy_host": host, "ssh_port": port, "root_password": "pw", "payg_price": 1980}
        return {**done, "data": shot}
    if operation == "release":
        if cloud.state(instance) != "stopped":
            return {"code": "Failed", "msg": "power it off first", "data": None}
        cloud.destroy(instance)
    else:
        cloud.set_wanted(instance, {"power_off": "stopped", "power_on": "running"}[operation])
    return done


ANSWERS = {
    "runpod": answer_runpod,
    "vast": answer_vast,
    "lambda": answer_lambda,
    "autodl": answer_autodl,
}


@contextmanager
def serve_cloud(provider: str, cloud: SimulatedCloud) -> Iterator[str]:
    """Answer as `provider` on this computer; yields the base address."""
    answer = ANSWERS[provider]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            with cloud.lock:
                status, body = self._decide(parts.path, parse_qs(parts.query), raw)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "3")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _decide(self, path: str, query: Any, raw: bytes) -> tuple[int, bytes]:
            if self.headers.get("Authorization", "").removeprefix("Bearer ") != cloud.key:
                return 401, b'{"detail": "bad key"}'
            fault = cloud.draw_fault()
            if fault in ("429", "500"):
                return int(fault), b"{}"
            try:
                made = answer(cloud, self.command, path, query, json.loads(raw or b"null"))
            except Refused as no:
                return no.status, json.dumps(no.body).encode()
            if fault == "cut":
                return 0, b""
            if fault == "garbage":
                return 200, b"<html>maintenance</html>"
            return (500 if fault == "lost" else 200), json.dumps(made).encode()

        do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
