"""What four providers answer over a simulated cloud, as their published descriptions say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sovdeck.tui.cli.demo.simulated_cloud import CloudRefusal, SimulatedCloud, SimulatedInstance


def answer_runpod(cloud: SimulatedCloud, method: str, path: str, query: Any, body: Any) -> Any:
    """Answer one request as RunPod would; CloudRefusal where it says no."""
    words = path.strip("/").split("/")
    if path == "/catalog/gpus":
        if (query.get("include"), query.get("product")) != (["AVAILABILITY"], ["POD"]):
            raise CloudRefusal(400, {"title": "Bad Request", "status": 400, "detail": "query"})
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
            raise CloudRefusal(
                422, {"title": "Unprocessable Entity", "status": 422, "detail": "body"}
            )
        if cloud.gone_offers:
            raise CloudRefusal(409, {"title": "Conflict", "status": 409, "detail": "no capacity"})
        price = 0.69 if body["cloud"] == "SECURE" else 0.34
        if cloud.authorized_keys is not None:
            with cloud.authorized_keys.open("a", encoding="utf-8") as keys:
                keys.write(body["env"]["PUBLIC_KEY"] + "\n")
        return _runpod_pod(cloud, cloud.create(body["name"], price))
    instance = cloud.find(words[1])
    if instance is None:
        raise CloudRefusal(404, {"title": "Not Found", "status": 404, "detail": "no such pod"})
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
    """Answer one request as Vast.ai would; CloudRefusal where it says no."""
    words = path.strip("/").split("/")
    if not path.endswith("/"):
        raise CloudRefusal(404, {"success": False, "msg": "no such path"})
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
            raise CloudRefusal(410, {"success": False, "error": "no_such_ask", "msg": "gone"})
        price = {"91": 0.21, "92": 0.38}[words[3]]
        if "ssh-ed25519" not in body["onstart"] or cloud.key in body["onstart"]:
            raise CloudRefusal(400, {"success": False, "msg": "onstart"})
        return {"success": True, "new_contract": int(cloud.create(body["label"], price).id)}
    if path == "/api/v1/instances/":
        start = int(query.get("after_token", ["0"])[0])
        rows = cloud.listed()[start : start + 25]
        more = str(start + 25) if len(cloud.listed()) > start + 25 else None
        return {"instances": [_vast_instance(cloud, one) for one in rows], "next_token": more}
    instance = cloud.find(words[3])
    if instance is None:
        raise CloudRefusal(404, {"success": False, "msg": "no such instance"})
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
        "ports": {"22/tcp": [{"HostIp": "::", "HostPort": str(port)}]} if running else None,
        "ssh_host": "ssh4.vast.ai",
        "ssh_port": 10600,
    }


def answer_lambda(cloud: SimulatedCloud, method: str, path: str, query: Any, body: Any) -> Any:
    """Answer one request as Lambda would; CloudRefusal where it says no."""
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
            raise CloudRefusal(400, {"error": {"code": code, "message": "Not enough capacity"}})
        return {"data": {"instance_ids": [cloud.create(body["name"], 0.75).id]}}
    if path == "/instance-operations/terminate":
        for number in body["instance_ids"]:
            instance = cloud.find(number)
            if instance is None:
                raise CloudRefusal(404, {"error": {"code": "x", "message": "no such instance"}})
            cloud.destroy(instance)
        return {"data": {"terminated_instances": []}}
    if path == "/instances":
        return {"data": [_lambda_instance(cloud, one) for one in cloud.listed()]}
    instance = cloud.find(path.rsplit("/", 1)[-1])
    if instance is None:
        raise CloudRefusal(404, {"error": {"code": "x", "message": "no such instance"}})
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
    """Answer one request as AutoDL would; CloudRefusal where it says no."""
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


Answer = Callable[[SimulatedCloud, str, str, Any, Any], Any]
ANSWERS: dict[str, Answer] = {
    "runpod": answer_runpod,
    "vast": answer_vast,
    "lambda": answer_lambda,
    "autodl": answer_autodl,
}
