"""Who speaks next: each client in turn for a sentence; who has left costs nothing."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from sovdeck.engine.speaking.http.speech_queue import QueueFull, SpeechJob, SpeechQueue
from sovdeck.engine.speaking.listener import ListenerGone


class Spoken:
    """Jobs of a few sentences each, and the order in which they were spoken."""

    def __init__(self, jobs: SpeechQueue) -> None:
        self.jobs = jobs
        self.order: list[str] = []
        self.ends: dict[str, list[BaseException | None]] = {}
        self.begin = threading.Event()
        self.ended = threading.Semaphore(0)
        self.count = 0

    def sentences(self, name: str, count: int) -> Generator[None, None, None]:
        assert self.begin.wait(60)
        for number in range(count):
            self.order.append(f"{name}{number}")
            yield

    def add(self, name: str, client: str, count: int = 3, **options: Any) -> None:
        def end(error: BaseException | None) -> None:
            self.ends.setdefault(name, []).append(error)
            self.ended.release()

        steps = options.pop("steps", None) or self.sentences(name, count)
        self.jobs.add(SpeechJob(client, steps, end, **options))
        self.count += 1

    def finish(self, count: int | None = None) -> list[str]:
        self.begin.set()
        for _ in range(self.count if count is None else count):
            assert self.ended.acquire(timeout=60)
        return self.order


@pytest.fixture
def spoken() -> Iterator[Spoken]:
    made = Spoken(SpeechQueue(limit=6, limit_a_client=4))
    yield made
    made.begin.set()
    made.jobs.close()


def test_a_long_text_delays_another_client_by_a_sentence(spoken: Spoken) -> None:
    spoken.add("a", "reader", 20)
    spoken.add("b", "chat", 1)
    order = spoken.finish()
    assert order.index("b0") <= 2 and len(order) == 21


def test_clients_alternate_and_each_keeps_its_order(spoken: Spoken) -> None:
    for name in ("a", "b", "c"):
        spoken.add(name, "reader", 2)
    spoken.add("x", "chat", 3)
    order = spoken.finish()
    assert [one for one in order if one[0] != "x"] == ["a0", "a1", "b0", "b1", "c0", "c1"]
    assert order.index("x2") <= 6


def test_who_left_is_not_spoken_for_and_frees_a_place(spoken: Spoken) -> None:
    there = threading.Event()
    there.set()
    spoken.add("a", "one", 1)
    for name in ("b", "c", "d"):
        spoken.add(name, "one", 2, is_wanted=there.is_set)
    with pytest.raises(QueueFull):
        spoken.add("e", "one")
    there.clear()
    spoken.add("e", "one", 1)
    assert spoken.finish(2) == ["a0", "e0"]
    assert set(spoken.ends) == {"a", "e"}


def test_who_leaves_in_the_middle_is_not_spoken_on(spoken: Spoken) -> None:
    left = threading.Event()

    def sentences() -> Generator[None, None, None]:
        assert spoken.begin.wait(60)
        spoken.order.append("a0")
        left.set()
        yield
        spoken.order.append("a1")
        yield

    spoken.add("a", "one", steps=sentences(), is_wanted=lambda: not left.is_set())
    spoken.add("b", "two", 1)
    assert spoken.finish(1) == ["a0", "b0"]


def test_beyond_the_bound_it_says_when_to_ask_again(spoken: Spoken) -> None:
    for number in range(4):
        spoken.add(f"a{number}", "one", 1)
    with pytest.raises(QueueFull) as of_one_client:
        spoken.add("more", "one")
    spoken.add("b", "two", 1)
    spoken.add("c", "three", 1)
    with pytest.raises(QueueFull) as of_all:
        spoken.add("more", "four")
    assert 1 <= of_one_client.value.retry_after_s <= of_all.value.retry_after_s <= 120
    spoken.finish(6)
    spoken.add("d", "one", 1)
    spoken.finish(1)


def test_a_failure_is_its_own_and_the_queue_goes_on(spoken: Spoken) -> None:
    def fail(error: BaseException) -> Generator[None, None, None]:
        yield
        raise error

    spoken.add("a", "one", steps=fail(MemoryError("full")))
    spoken.add("b", "two", steps=fail(ListenerGone()))
    spoken.add("c", "one", 1)
    spoken.finish()
    assert isinstance(spoken.ends["a"][0], MemoryError)
    assert isinstance(spoken.ends["b"][0], ListenerGone) and spoken.ends["c"] == [None]


def test_a_listener_that_takes_nothing_is_left_out_until_it_does(spoken: Spoken) -> None:
    space = threading.Event()
    spoken.add("slow", "one", 1, is_ready=space.is_set)
    spoken.add("b", "two", 2)
    assert spoken.finish(1) == ["b0", "b1"]
    space.set()
    spoken.jobs.wake()
    assert spoken.finish(1)[-1] == "slow0"


@pytest.mark.parametrize("seed", range(5))
def test_clients_that_leave_at_random_take_no_turn_from_the_others(seed: int) -> None:
    """Sixteen clients, half of which leave; a turn is counted, not timed."""
    clients, texts, sentences = 16, 3, 3
    draw = random.Random(seed)
    jobs = SpeechQueue()
    spoken = Spoken(jobs)
    left: dict[str, threading.Event] = {}
    after_leaving: list[str] = []

    def speak(name: str) -> Generator[None, None, None]:
        assert spoken.begin.wait(60)
        for number in range(sentences):
            if left[name].is_set():
                after_leaving.append(name)
            spoken.order.append(f"{name} {number}")
            leaving = draw.choice(list(left)[: clients // 2 * texts])
            if draw.random() < 0.5:
                left[leaving].set()
            yield
        spoken.order.append(f"{name} saved")

    for client in range(clients):
        for text in range(texts):
            name = f"{client} {text}"
            gone = left[name] = threading.Event()
            wanted = lambda gone=gone: not gone.is_set()  # noqa: E731
            spoken.add(name, str(client), steps=speak(name), is_wanted=wanted)
    staying = range(clients // 2, clients)
    order = [line.split() for line in spoken.finish(len(staying) * texts)]
    jobs.close()
    assert not after_leaving and sum(gone.is_set() for gone in left.values()) > 4
    for number in staying:
        turns = [at for at, one in enumerate(order) if one[0] == str(number)]
        assert len(turns) == texts * (sentences + 1)
        for before, after in itertools.pairwise([-1, *turns]):
            between = [one[0] for one in order[before + 1 : after]]
            assert len(between) == len(set(between)), "somebody spoke twice in between"


def test_closing_ends_after_the_sentence_that_is_spoken() -> None:
    jobs = SpeechQueue()
    spoken = Spoken(jobs)
    spoken.add("a", "one", 1000)
    spoken.begin.set()
    jobs.close()
    assert len(spoken.order) < 1000
