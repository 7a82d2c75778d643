"""Foreign text into every reader: nothing is raised but Problem, nothing takes a second.

What once broke a reader stands in corpus.json, and comes first in every run.
"""

from __future__ import annotations

import gc
import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyFailure
from hypothesis.strategies import integers
from mutations import foreign, vary
from parsers import PARSERS
from reading import Parser

from sovdeck.engine.contract.problem import Problem

CORPUS = Path(__file__).with_name("corpus.json")
LIMIT_S = 1.0
LONGEST_SHOWN = 400
VARIANTS = 10  # inputs out of one draw of hypothesis, which takes as long as reading many


def feed(parser: Parser, data: bytes) -> str:
    """What is wrong with how `parser` takes `data`; "" for nothing."""
    began = time.thread_time()
    try:
        parser.read(data)
    except Problem as problem:
        problem.sentence("zh")
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return f"{type(error).__name__}: {error}"[:LONGEST_SHOWN]
    seconds = time.thread_time() - began
    if seconds <= LIMIT_S:
        return ""
    # Once more: the memory of a million inputs is cleared up in somebody's time.
    gc.collect()
    began = time.thread_time()
    with suppress(Problem):
        parser.read(data)
    again = time.thread_time() - began
    return f"{again:.1f} s" if again > LIMIT_S else ""


def kept(parser: Parser) -> list[bytes]:
    """What once broke this reader."""
    found = json.loads(CORPUS.read_text(encoding="utf-8"))
    return [text.encode("latin-1") for text in found.get(parser.name, [])]


def fuzz(parser: Parser, count: int, number: int, report: Callable[[bytes, str], None]) -> int:
    """Feed `count` inputs that follow from `number`; returns how many were fed.

    report: hears of the smallest input that is taken wrongly, and how.
    """
    fed = 0
    worst: list[tuple[bytes, str]] = []

    @seed(number)
    @settings(
        max_examples=max(1, count // VARIANTS),
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(foreign(parser.samples), integers(0, 1 << 32))
    def several(drawn: bytes, variants: int) -> None:
        nonlocal fed
        rng = random.Random(variants)
        near = (vary(rng.choice((drawn, *parser.samples)), rng) for _ in range(VARIANTS - 1))
        for data in (drawn, *near):
            fed += 1
            if wrong := feed(parser, data):
                worst.append((data, wrong))
                raise AssertionError(wrong)

    feed(parser, parser.samples[0])  # what is loaded for it first is not its time
    for data in (*parser.samples, *kept(parser)):
        fed += 1
        if wrong := feed(parser, data):
            report(data, wrong)
    try:
        several()
    except AssertionError:
        report(*worst[-1])  # the last one that was shrunk
    except FlakyFailure:
        data, wrong = worst[0]
        report(data, f"{wrong}, but not a second time")
    return fed


if __name__ == "__main__":
    import sys

    for each in PARSERS:
        if len(sys.argv) > 2 and sys.argv[2] not in each.name:
            continue
        start = time.monotonic()
        n = fuzz(each, int(sys.argv[1]), 1, lambda data, why: print("   ", why, repr(data)[:700]))
        print(each.name, n, round(time.monotonic() - start, 1), flush=True)
