"""Each provider's documented interface, in one vocabulary: offers, servers, money, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.http_json import JsonApi, RequestRefused
from sovdeck.remote.rent.accounts import SIMULATED_KEY
from sovdeck.remote.rent.provider import PROVIDER_NAMES, Offer, Order, Provider, Requirements
from sovdeck.remote.rent.providers.autodl import AutoDLAccount
from sovdeck.remote.rent.providers.lambda_cloud import LambdaAccount
from sovdeck.remote.rent.providers.runpod import RunPodAccount
from sovdeck.remote.rent.providers.vast import VastAccount
from sovdeck.tui.cli.demo.simulated_cloud import SimulatedCloud

ProviderOver = Callable[[str, SimulatedCloud], Provider]
ACCOUNTS: dict[str, Any] = {
    one.name: one for one in (AutoDLAccount, LambdaAccount, RunPodAccount, VastAccount)
}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI sovdeck"
PRICES = {"runpod": [0.69, 0.34], "vast": [0.21, 0.38], "lambda": [0.75]}


def create(provider: Provider, name: str = "sovdeck-anna-3f2a9c-until-20271130T0400") -> str:
    offer = provider.list_offers(Requirements())[0]
    return provider.create(Order(offer, name, PUBLIC_KEY, 40))


@pytest.mark.parametrize("name", PRICES)
def test_offers_have_price_and_memory_and_only_what_can_be_had(
    name: str, provider_over: ProviderOver
) -> None:
    provider = provider_over(name, SimulatedCloud())
    offers = provider.list_offers(Requirements(gpu_memory=10))
    assert [offer.price_per_hour for offer in offers] == PRICES[name]
    assert all(offer.memory >= 23 and offer.gpu for offer in offers)
    assert provider.list_offers(Requirements(gpu_memory=100)) == []


def test_autodl_offers_have_no_price_until_the_server_exists(provider_over: ProviderOver) -> None:
    cloud = SimulatedCloud()
    provider = provider_over("autodl", cloud)
    offers = provider.list_offers(Requirements(gpu_memory=40))
    assert {offer.price_per_hour for offer in offers} == {None}
    assert all(offer.memory >= 40 for offer in offers) and len(offers) == 4
    number = create(provider)
    cloud.sleep(1000)
    found = provider.find_instance(number)
    assert found is not None and found.price_per_hour == 1.98
    assert found.address is not None and found.address.password is not None
    assert "pw" not in repr(found)


@pytest.mark.parametrize("name", PROVIDER_NAMES)
def test_a_server_from_its_start_to_its_end(name: str, provider_over: ProviderOver) -> None:
    cloud = SimulatedCloud()
    provider = provider_over(name, cloud)
    number = create(provider)
    first = provider.find_instance(number)
    assert first is not None and first.state == "starting" and first.is_billing
    cloud.sleep(1000)
    running = provider.find_instance(number)
    assert running is not None and running.state == "running" and running.address is not None
    assert running.name == "sovdeck-anna-3f2a9c-until-20271130T0400"
    assert running.address.ssh_line.startswith("ssh -p ")
    if provider.can_stop:
        provider.stop(number)
        stopped = provider.find_instance(number)
        assert stopped is not None and stopped.state == "stopped" and not stopped.is_billing
        provider.start(number)
        cloud.sleep(1000)
        again = provider.find_instance(number)
        assert again is not None and again.state == "running"
        assert name == "lambda" or again.address != running.address
    else:
        with pytest.raises(Problem, match="cannot stop"):
            provider.stop(number)
    provider.destroy(number)
    provider.destroy(number)  # twice is no error
    assert provider.find_instance(number) is None and cloud.billing() == []


@pytest.mark.parametrize("name", PROVIDER_NAMES)
def test_every_server_of_a_large_account_is_listed(name: str, provider_over: ProviderOver) -> None:
    cloud = SimulatedCloud()
    for number in range(40):
        cloud.create(f"other-{number}", 1.0)
    cloud.sleep(100)
    names = {one.name for one in provider_over(name, cloud).list_instances()}
    assert names == {f"other-{number}" for number in range(40)}


@pytest.mark.parametrize("name", PROVIDER_NAMES)
def test_a_wrong_key_is_one_sentence_without_the_key(
    name: str, provider_over: ProviderOver
) -> None:
    provider = provider_over(name, SimulatedCloud(key="another"))
    with pytest.raises(RequestRefused) as refused:
        provider.list_instances()
    assert refused.value.key == "remote.rent.bad_key"
    said = refused.value.sentence() + repr(refused.value)
    assert SIMULATED_KEY not in said and name in said
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("name", PROVIDER_NAMES)
def test_an_offer_that_is_gone_is_a_refusal(name: str, provider_over: ProviderOver) -> None:
    cloud = SimulatedCloud(gone_offers=True)
    with pytest.raises(RequestRefused):
        create(provider_over(name, cloud))
    assert cloud.creations == []


def test_what_the_accounts_hold(provider_over: ProviderOver) -> None:
    assert provider_over("vast", SimulatedCloud()).read_balance() == 12.5
    assert provider_over("autodl", SimulatedCloud()).read_balance() == 51.23
    cloud = SimulatedCloud()
    provider = provider_over("runpod", cloud)
    number = create(provider)
    cloud.instances[number].billed = 1.25
    assert provider.read_charges(number) == 1.25
    assert provider.read_charges("another") == 0


def test_a_key_goes_only_over_tls_or_to_this_computer() -> None:
    with pytest.raises(Problem, match="neither https nor on this computer"):
        JsonApi("runpod", "http://api.example.net", dict)
    JsonApi("runpod", "https://api.example.net", dict)
    JsonApi("runpod", "http://127.0.0.1:9", dict)


def test_haste_is_slowed_down_and_a_long_wait_is_said(provider_over: ProviderOver) -> None:
    cloud = SimulatedCloud()
    provider = provider_over("runpod", cloud)
    faults = iter(["429", "429", "", "429", "429", "429", "429"])
    cloud.draw_fault = lambda: next(faults)  # type: ignore[method-assign]
    before = cloud.now
    assert provider.list_instances() == []
    assert cloud.now - before >= 6  # twice what Retry-After asked for
    with pytest.raises(RequestRefused) as tired:
        provider.list_instances()
    assert tired.value.key == "remote.rent.too_many"


@pytest.mark.parametrize("name", PROVIDER_NAMES)
@pytest.mark.parametrize("answer", ["x", 1, [1], {"data": ""}, {"id": ""}, {"data": {}}])
def test_a_creation_that_names_no_server_is_a_sentence(name: str, answer: object) -> None:
    class OddApi:
        def ask(self, method: str, path: str, *_: object, **__: object) -> object:
            known = {"data": [{"name": "sovdeck", "public_key": PUBLIC_KEY}]}
            return known if path.endswith("/ssh-keys") else answer

    request = {
        "offer": 5,
        "specification": "s",
        "gpu": "g",
        "cloud": "c",
        "type": "t",
        "region": "r",
    }
    offer = Offer(name, "L4", 24.0, 1.0, "USD", request=request)
    with pytest.raises(Problem):
        ACCOUNTS[name](OddApi()).create(Order(offer, "sovdeck-a", PUBLIC_KEY, 40))
