"""A server is created once, waited for, and seen to have ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.http_json import RequestRefused
from sovdeck.remote.rent.leases import Lease, LeaseBook, new_lease
from sovdeck.remote.rent.provider import (
    PROVIDER_NAMES,
    EndAction,
    Offer,
    Order,
    Provider,
    Requirements,
)
from sovdeck.remote.rent.rental import (
    Clock,
    create_server,
    end_server,
    find_unended,
    price_offers,
    wait_until_ready,
)
from sovdeck.remote.rent.rented_voice import RentedVoice
from sovdeck.tui.cli.demo.simulated_cloud import SimulatedCloud

ProviderOver = Callable[[str, SimulatedCloud], Provider]
ANNA = RentedVoice("Anna", Path("anna.list").absolute(), None, "v2", {})
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI sovdeck"


class Rented:
    """A provider over its cloud, a book, and a lease to be created."""

    def __init__(self, provider: Provider, cloud: SimulatedCloud, folder: Path) -> None:
        self.provider, self.cloud = provider, cloud
        self.book = LeaseBook(folder / "leases.jsonl")
        self.clock = Clock(lambda: cloud.now, cloud.sleep)

    def create(self, hours: float = 12, end: str = "stop") -> Lease:
        offer = self.provider.list_offers(Requirements())[0]
        lease = new_lease(offer, ANNA, self.clock.now(), hours, end)  # type: ignore[arg-type]
        order = Order(offer, lease.name, PUBLIC_KEY, 40)
        return create_server(self.provider, order, lease, self.book, self.clock)

    def fail_next(self, *faults: str) -> None:
        """The next request that is not a listing of offers meets the faults, one each."""
        left = iter(faults)
        self.cloud.draw_fault = lambda: next(left, "")  # type: ignore[method-assign]


@pytest.fixture
def rented(provider_over: ProviderOver, tmp_path: Path) -> Callable[..., Rented]:
    def make(name: str = "vast", **settings: object) -> Rented:
        cloud = SimulatedCloud(**settings)  # type: ignore[arg-type]
        return Rented(provider_over(name, cloud), cloud, tmp_path)

    return make


@pytest.mark.parametrize("fault", ["lost", "cut", "garbage"])
@pytest.mark.parametrize("name", PROVIDER_NAMES)
def test_a_lost_answer_never_leads_to_a_second_server(
    name: str, fault: str, rented: Callable[..., Rented]
) -> None:
    world = rented(name)
    create = world.provider.create

    def create_with_fault(order: Order) -> str:
        if name == "lambda":  # its key is registered first
            world.fail_next("", "", fault)
        else:
            world.fail_next(fault)
        return create(order)

    world.provider.create = create_with_fault  # type: ignore[method-assign]
    lease = world.create()
    assert world.cloud.creations == [lease.name]
    assert world.cloud.instances[lease.instance].name == lease.name


def test_one_that_is_never_listed_stays_an_open_lease(rented: Callable[..., Rented]) -> None:
    world = rented("runpod")
    world.provider.list_offers(Requirements())
    offer = Offer("runpod", "RTX 4090", 24, 0.69, "USD", request={"gpu": "g", "cloud": "SECURE"})
    lease = new_lease(offer, ANNA, world.clock.now(), 12, "stop")
    world.fail_next("500")
    with pytest.raises(Problem, match="not known whether"):
        create_server(
            world.provider, Order(offer, lease.name, PUBLIC_KEY, 40), lease, world.book, world.clock
        )
    assert world.book.find(lease.name).is_open and world.cloud.creations == []
    ended = end_server(world.provider, world.book.find(lease.name), world.book, "stop", world.clock)
    assert not ended.is_open


@pytest.mark.parametrize("name", PROVIDER_NAMES)
def test_a_refused_offer_leaves_nothing_to_pay_for(
    name: str, rented: Callable[..., Rented]
) -> None:
    world = rented(name, gone_offers=True)
    with pytest.raises(RequestRefused):
        world.create()
    assert [lease.is_open for lease in world.book.read()] == [False]


def test_an_old_address_is_not_believed(rented: Callable[..., Rented]) -> None:
    world = rented("runpod", stale_s=15.0)
    lease = world.create()
    first = wait_until_ready(world.provider, lease, world.clock)
    world.provider.stop(lease.instance)
    world.provider.start(lease.instance)
    seen: list[object] = []
    second = wait_until_ready(
        world.provider,
        lease,
        world.clock,
        lambda one, _: seen.append(one and one.state),
        restarted=True,
    )
    assert second.port == first.port + 1 and "starting" in seen


def test_a_server_that_never_runs_is_said_with_its_remedy(rented: Callable[..., Rented]) -> None:
    world = rented("vast", death_rate=1.0)
    lease = world.create()
    with pytest.raises(Problem) as failed:
        wait_until_ready(world.provider, lease, world.clock)
    assert failed.value.key == "remote.rent.start_failed"
    assert f"rent destroy {lease.name} --confirm {lease.name}" in failed.value.sentence()
    slow = rented("vast", start_s=1e6)
    with pytest.raises(Problem, match="not ready after 30 minutes"):
        wait_until_ready(slow.provider, slow.create(), slow.clock)


@pytest.mark.parametrize("name", PROVIDER_NAMES)
def test_an_end_is_asked_for_until_the_provider_confirms_it(
    name: str, rented: Callable[..., Rented]
) -> None:
    world = rented(name)
    lease = world.create()
    wait_until_ready(world.provider, lease, world.clock)
    world.fail_next("500", "500", "500", "500", "cut", "500")
    action: EndAction = "stop" if world.provider.can_stop else "destroy"
    ended = end_server(world.provider, lease, world.book, action, world.clock, confirmed=True)
    assert world.cloud.billing() == [] and ended.is_open is world.provider.can_stop


def test_one_that_does_not_end_is_said_to_bill(rented: Callable[..., Rented]) -> None:
    world = rented("vast")
    lease = world.create()
    world.cloud.draw_fault = lambda: "500"  # type: ignore[method-assign]
    with pytest.raises(Problem) as left:
        end_server(world.provider, lease, world.book, "stop", world.clock)
    assert left.value.key == "remote.rent.still_billing"
    assert "https://cloud.vast.ai/instances/" in left.value.sentence()
    assert world.book.find(lease.name).is_open


def test_nothing_is_destroyed_before_it_is_home(rented: Callable[..., Rented]) -> None:
    world = rented("vast")
    lease = world.create()
    with pytest.raises(Problem, match="not everything of the voice Anna"):
        end_server(world.provider, lease, world.book, "destroy", world.clock)
    assert world.cloud.destroyed == []
    home = world.book.change(lease.name, home_at=world.clock.now())
    assert not end_server(world.provider, home, world.book, "destroy", world.clock).is_open
    assert world.cloud.destroyed == [lease.name]


def test_servers_that_bill_unasked_are_found_by_anybody(rented: Callable[..., Rented]) -> None:
    world = rented("vast")
    lease = world.create(hours=2)
    world.cloud.create("somebody-elses", 1.0)
    world.cloud.sleep(100)
    assert find_unended([world.provider], world.book, world.clock.now()) == []
    world.cloud.sleep(2 * 3600)
    late = find_unended([world.provider], world.book, world.clock.now())
    assert [one.instance.name for one in late] == [lease.name]
    # Another laptop, which has no lease of it, reads the time out of the name.
    elsewhere = LeaseBook(world.book._path.with_name("other.jsonl"))
    found = find_unended([world.provider], elsewhere, world.clock.now())
    assert [one.instance.name for one in found] == [lease.name]
    assert found[0].expires_at == pytest.approx(lease.expires_at, abs=60)
    world.provider.stop(lease.instance)
    assert find_unended([world.provider], elsewhere, world.clock.now()) == []


def test_offers_are_listed_by_the_price_of_the_voice() -> None:
    offers = [
        Offer("a", "slow", 24, 0.3, "USD"),
        Offer("b", "fast", 24, 0.5, "USD"),
        Offer("c", "fast", 24, None, "CNY"),
    ]
    priced = price_offers(offers, {"slow": 4.0, "fast": 2.0}.__getitem__, 0.5)
    assert [one.offer.provider for one in priced] == ["b", "a", "c"]
    assert priced[0].total == 1.0 and priced[0].bounds == (0.5, 1.5) and priced[2].bounds is None
