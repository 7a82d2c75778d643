"""What a provider of rented servers answers, to the rows of screen and command line."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any, cast

import screens

from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.hosts.spec import parse_ssh_line
from sovdeck.remote.http_json import AnswerLost
from sovdeck.remote.rent.provider import Instance, Offer, Order, Provider, Requirements
from sovdeck.remote.rent.providers.autodl import AutoDLAccount
from sovdeck.remote.rent.providers.lambda_cloud import LambdaAccount
from sovdeck.remote.rent.providers.runpod import RunPodAccount
from sovdeck.remote.rent.providers.vast import VastAccount
from sovdeck.remote.rent.rental import UnendedServer, find_offers
from sovdeck.tui.cli.commands.rent import _print_offers
from sovdeck.tui.cli.console import Console
from sovdeck.tui.services.live.rentals import _unknown_row

_CONSOLE = Console(json_output=False, language="en")
# What any of them noted with an offer, to create it by.
_REQUEST = {"offer": 5, "specification": "s", "gpu": "g", "cloud": "c", "type": "t", "region": "r"}
_OFFER = Offer("p", "L4", 24.0, 1.0, "USD", request=_REQUEST)
_ORDER = Order(_OFFER, "sovdeck-mei-000000", "ssh-ed25519 A", 60)


def _dumps(answer: object) -> bytes:
    return json.dumps(answer).encode()


_VAST_INSTANCE = {
    "id": 7,
    "label": "sovdeck-mei-0a1b2c-until-20260101T0000",
    "actual_status": "running",
    "dph_total": 0.5,
    "ssh_host": "ssh1.example",
    "ssh_port": 4022,
    "public_ipaddr": "192.0.2.7",
    "ports": {"22/tcp": [{"HostPort": "40022"}]},
}
_VAST_OFFER = {
    "id": 5,
    "gpu_name": "RTX 4090",
    "num_gpus": 1,
    "gpu_ram": 24564.0,
    "dph_total": 0.4,
    "reliability": 0.99,
    "geolocation": "SE",
    "cpu_name": "EPYC",
}
_LAMBDA_INSTANCE = {
    "id": "i",
    "name": "sovdeck-mei-0a1b2c-until-20260101T0000",
    "ip": "192.0.2.7",
    "status": "active",
    "instance_type": {"price_cents_per_hour": 75},
}
_LAMBDA_TYPE = {
    "instance_type": {
        "name": "gpu_1x_a10",
        "description": "1x A10 (24 GB PCIe)",
        "price_cents_per_hour": 75,
        "specs": {"gpus": 1, "storage_gib": 1400},
    },
    "regions_with_capacity_available": [{"name": "us-west-1"}],
}
_RUNPOD_POD = {
    "id": "p",
    "name": "sovdeck-mei-0a1b2c-until-20260101T0000",
    "status": "RUNNING",
    "cost": 0.4,
    "ssh": {"direct": {"host": "192.0.2.7", "port": 40022, "username": "root"}},
}
_RUNPOD_GPU = {
    "id": "NVIDIA L4",
    "name": "L4",
    "memory": 24,
    "price": {"secure": 0.4, "community": 0.3},
    "availability": "High",
}
_RUNPOD_CHARGE = {"podId": "u", "totalAmount": 1.5}
_AUTODL = {
    "list": [{"uuid": "u", "name": "sovdeck-mei-0a1b2c-until-20260101T0000", "status": "running"}],
    "proxy_host": "region-1.example",
    "ssh_port": 40022,
    "root_password": "x",
    "payg_price": 1880,
    "assets": 9000,
}
# Of each provider: an answer to every question that it is asked.
Account = type[VastAccount | LambdaAccount | RunPodAccount | AutoDLAccount]
ANSWERS: tuple[tuple[Account, tuple[bytes, ...]], ...] = (
    (
        VastAccount,
        (
            _dumps({"offers": [_VAST_OFFER], "instances": [_VAST_INSTANCE], "credit": 4.5}),
            _dumps({"instances": _VAST_INSTANCE, "success": True, "new_contract": 7}),
        ),
    ),
    (
        LambdaAccount,
        (
            _dumps({"data": {"gpu_1x_a10": _LAMBDA_TYPE}}),
            _dumps({"data": [_LAMBDA_INSTANCE]}),
            _dumps({"data": _LAMBDA_INSTANCE}),
            _dumps({"data": [{"name": "sovdeck", "public_key": "ssh-ed25519 A"}]})
            + b"\n"
            + _dumps({"data": {"instance_ids": ["i"]}}),
        ),
    ),
    (
        RunPodAccount,
        (
            _dumps({"gpus": [_RUNPOD_GPU], "pods": [_RUNPOD_POD], "records": [_RUNPOD_CHARGE]}),
            _dumps(_RUNPOD_POD),
        ),
    ),
    (
        AutoDLAccount,
        (
            _dumps({"code": "Success", "msg": "", "data": _AUTODL}),
            _dumps({"code": "Success", "msg": "", "data": "u"}),
        ),
    ),
)


class Answers:
    """An interface that answers with one line after another, and at last always with the last."""

    def __init__(self, data: bytes) -> None:
        self._lines = data.split(b"\n")

    def ask(self, *question: Any, **options: Any) -> Any:
        line = self._lines.pop(0) if len(self._lines) > 1 else self._lines[0]
        try:
            return parse_json(line) if line.strip() else {}
        except ValueError:
            raise AnswerLost("provider", "no JSON") from None


def read_with(account: Account) -> Callable[[bytes], set[str]]:
    """A reader of all that a provider can be asked; the questions that were answered."""

    def read(data: bytes) -> set[str]:
        answered = set()
        for question in QUESTIONS:
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    question(account(cast(Any, Answers(data))))
                answered.add(question.__name__)
            except Problem as problem:
                problem.sentence("zh")
        return answered

    return read


def _offers(provider: Provider) -> None:
    _print_offers(find_offers([provider], Requirements(), lambda gpu: 5.0, 0.3).priced, _CONSOLE)


def _show(provider: Provider, instance: Instance | None) -> None:
    if instance is not None:
        screens.show_lease(_unknown_row(UnendedServer(provider, instance, None, None)))
        if instance.address is not None:
            parse_ssh_line(instance.address.ssh_line)


def _instances(provider: Provider) -> None:
    for instance in provider.list_instances():
        _show(provider, instance)


def _instance(provider: Provider) -> None:
    _show(provider, provider.find_instance("u"))


def _order(provider: Provider) -> None:
    provider.create(_ORDER)


def _balance(provider: Provider) -> None:
    provider.read_balance()


def _charges(provider: Provider) -> None:
    provider.read_charges("u")


QUESTIONS = (_offers, _instances, _instance, _order, _balance, _charges)
