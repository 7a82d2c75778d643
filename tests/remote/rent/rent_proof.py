"""Seeded journeys of renting, with faults: `make rent-proof` runs a thousand of them.

Each journey creates a server for a voice, waits for it, trains for some virtual hours, pulls (or
cannot), and ends it as agreed. Requests meet faults, servers die or hang, the laptop may die at any
moment; then the person looks at `rent ls` once the time is over. At the end nothing may bill, and
nothing may have been destroyed that was not home, or whose name nobody typed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.http_json import JsonApi
from sovdeck.remote.rent.accounts import SIMULATED_KEY
from sovdeck.remote.rent.leases import Lease, LeaseBook, new_lease
from sovdeck.remote.rent.provider import EndAction, Order, Provider, Requirements
from sovdeck.remote.rent.providers.autodl import AutoDLAccount
from sovdeck.remote.rent.providers.lambda_cloud import LambdaAccount
from sovdeck.remote.rent.providers.runpod import RunPodAccount
from sovdeck.remote.rent.providers.vast import VastAccount
from sovdeck.remote.rent.rental import (
    Clock,
    create_server,
    end_server,
    find_unended,
    wait_until_ready,
)
from sovdeck.remote.rent.rented_voice import RentedVoice
from sovdeck.tui.cli.demo.cloud_server import serve_cloud
from sovdeck.tui.cli.demo.provider_answers import ANSWERS
from sovdeck.tui.cli.demo.simulated_cloud import SimulatedCloud

ANNA = RentedVoice("Anna", Path("anna.list").absolute(), None, "v2", {})
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI sovdeck"
PROVIDERS: dict[str, Callable[[JsonApi], Provider]] = {
    "runpod": RunPodAccount,
    "vast": VastAccount,
    "lambda": LambdaAccount,
    "autodl": AutoDLAccount,
}
HOURS = 6.0


class LaptopDied(BaseException):
    """The process ended here, without a chance to do anything."""


@dataclass
class Outcome:
    """One journey. ways: what happened on it; broken: the promises it broke, for the table."""

    seed: int
    provider: str
    ways: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    requests: int = 0


class Journey:
    """One person, one laptop that may die, one account."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random.Random(seed)
        self.name = self.random.choice(list(PROVIDERS))
        self.outcome = Outcome(seed, self.name)
        self.cloud = SimulatedCloud(
            seed,
            fault_rate=self.random.choice((0.0, 0.05, 0.2)),
            start_s=self.random.choice((60.0, 300.0, 1200.0)),
            stale_s=self.random.choice((0.0, 60.0)),
            death_rate=0.1,
            gone_offers=self.random.random() < 0.05,
        )
        self.began = self.cloud.now
        self.dies_at = (
            self.began + self.random.uniform(0, HOURS * 3600)
            if self.random.random() < 0.35
            else float("inf")
        )
        self.book = LeaseBook(folder / f"{seed}.jsonl")
        self.may_be_destroyed: set[str] = set()

    def sleep(self, seconds: float) -> None:
        """Virtual time for laptop and cloud, and the server's own watch."""
        self.cloud.sleep(seconds)
        for lease in self.book.read():
            instance = self.cloud.instances.get(lease.instance)
            watched = self.name != "lambda" and "armed" in self.outcome.ways
            late = watched and self.cloud.now > lease.expires_at
            if late and instance is not None and instance.since is not None:
                self.cloud.set_wanted(instance, "stopped")
                self.outcome.ways.append("stopped by its own watch")
        if self.cloud.now >= self.dies_at:
            self.dies_at = float("inf")
            raise LaptopDied

    def run(self) -> Outcome:
        with serve_cloud(self.name, self.cloud) as base:
            scheme = "" if self.name == "autodl" else "Bearer "
            api = JsonApi(
                self.name, base, lambda: {"Authorization": scheme + SIMULATED_KEY}, sleep=self.sleep
            )
            provider: Provider = PROVIDERS[self.name](api)
            try:
                self._rent(provider)
            except LaptopDied:
                self.outcome.ways.append("laptop died")
            except Problem as problem:
                self._note(problem)
            self._look_later(provider)
        self.outcome.requests = self.cloud.requests
        self._judge()
        return self.outcome

    def _rent(self, provider: Provider) -> None:
        clock = Clock(lambda: self.cloud.now, self.sleep)
        offer = provider.list_offers(Requirements())[0]
        end: EndAction = self.random.choice(("stop", "destroy")) if provider.can_stop else "destroy"
        lease = new_lease(offer, ANNA, clock.now(), HOURS, end)
        order = Order(offer, lease.name, PUBLIC_KEY, 40)
        lease = create_server(provider, order, lease, self.book, clock)
        try:
            wait_until_ready(provider, lease, clock)
        except Problem as problem:
            self._note(problem)
            self.may_be_destroyed.add(lease.name)  # nothing was made there
            end_server(provider, lease, self.book, "destroy", clock, confirmed=True)
            return
        if self.random.random() < 0.9:
            self.outcome.ways.append("armed")
        for _ in range(self.random.randint(10, 60)):  # training, and pulling each save
            self.sleep(300)
        if self.random.random() < 0.3:  # a slip, which has to be refused
            try:
                end_server(provider, lease, self.book, "destroy", clock)
            except Problem as problem:
                self._note(problem)
        self._bring_home_and_end(provider, lease, clock)

    def _bring_home_and_end(self, provider: Provider, lease: Lease, clock: Clock) -> None:
        if self.random.random() < 0.15:
            self.outcome.ways.append("not pulled")
            if provider.can_stop:
                end_server(provider, lease, self.book, "stop", clock)
            return
        lease = self.book.change(lease.name, home_at=clock.now())
        self.may_be_destroyed.add(lease.name)
        end_server(provider, lease, self.book, lease.end, clock)
        self.outcome.ways.append(f"ended: {lease.end}")

    def _look_later(self, provider: Provider) -> None:
        """`rent ls` after the agreed time, perhaps several times, by a person who answers it."""
        clock = Clock(lambda: self.cloud.now, self.sleep)
        self.cloud.sleep(max(0.0, self.began + HOURS * 3600 + 3600 - self.cloud.now))
        for _ in range(6):
            try:
                self.sleep(600)
                for one in find_unended([provider], self.book, clock.now()):
                    self.outcome.ways.append("found by rent ls")
                    lease = self._lease_of(one.instance.id, one.instance.name)
                    if provider.can_stop:
                        end_server(provider, lease, self.book, "stop", clock)
                    else:  # it is pulled now, and then its name is typed
                        self.may_be_destroyed.add(lease.name)
                        end_server(provider, lease, self.book, "destroy", clock, confirmed=True)
            except LaptopDied:
                self.outcome.ways.append("laptop died")
            except Problem as problem:
                self._note(problem)

    def _lease_of(self, instance_id: str, name: str) -> Lease:
        return self.book.change(name, instance=instance_id, ended_at=None)

    def _note(self, problem: Problem) -> None:
        self.outcome.ways.append(problem.key.rsplit(".", 1)[-1])
        if not problem.hint.en or not problem.hint.zh:
            self.outcome.broken.append(f"no next step: {problem.key}")

    def _judge(self) -> None:
        cloud, broken = self.cloud, self.outcome.broken
        if cloud.billing():
            broken.append("left billing")
        if set(cloud.destroyed) - self.may_be_destroyed:
            broken.append("destroyed before it was home")
        if len(cloud.creations) > 1:
            broken.append("a second server")
        for lease in self.book.read():
            instance = cloud.instances.get(lease.instance)
            told = lease.cost_at(cloud.now)
            if instance is not None and told is not None and instance.billed > told + 0.01:
                broken.append("charged more than shown")


def run_journeys(seeds: Sequence[int]) -> list[Outcome]:
    """Run the journeys of these seeds, one after another."""
    with tempfile.TemporaryDirectory() as folder:
        return [Journey(seed, Path(folder)).run() for seed in seeds]


def print_table(outcomes: Sequence[Outcome]) -> None:
    """Each promise with its trials and failures; each way that was met; seeds to replay."""
    promises = (
        "left billing",
        "destroyed before it was home",
        "a second server",
        "charged more than shown",
        "no next step",
    )
    for promise in promises:
        failed = [
            one.seed for one in outcomes if any(each.startswith(promise) for each in one.broken)
        ]
        print(f"{promise:32} {len(outcomes):6} trials {len(failed):4} failures {failed[:8]}")
    ways = Counter(way for one in outcomes for way in set(one.ways))
    for way, count in ways.most_common():
        print(f"  {count:6} {way}")
    print(f"  {sum(one.requests for one in outcomes)} requests, providers: {', '.join(ANSWERS)}")


def main() -> int:
    """Run the journeys that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journeys", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    outcomes = run_journeys(range(args.seed, args.seed + args.journeys))
    print_table(outcomes)
    if args.json:
        args.json.write_text(json.dumps([vars(one) for one in outcomes], indent=1))
    return 1 if any(one.broken for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
