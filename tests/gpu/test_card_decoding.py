"""Captured steps on the card: the tokens of the growing cache, and what a capture may break."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from card import Card

from benchmarks.synthetic import fill, integers, normal
from sovdeck.engine.models.gpt.generate import generate, generate_batch
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.runtime.memory_sampler import sample_memory

GREEDY = Sampling(top_k=1)


@pytest.fixture(scope="module")
def model(card: Card) -> Text2Semantic:
    made = Text2Semantic(card.gpt)
    fill(made, "model.")
    return made.to(card.torch).eval()


def text(card: Card, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    bert = 0.5 * normal(f"gpu_bert{length}", card.gpt.bert_dim, length)
    return integers(f"gpu_phones{length}", (length,), 0, 732), bert


def seeded(*seeds: int) -> list[torch.Generator | None]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(), Sampling(15, 0.9, 0.8, 1.35)])
@pytest.mark.parametrize("length", [12, 100, 230])
def test_captured_steps_draw_the_same_tokens(
    length: int, sampling: Sampling, card: Card, model: Text2Semantic
) -> None:
    """230 phones, a prompt and 120 tokens cross the first two cache sizes."""
    prompt, graphs, rows = integers("gpu_prompt", (100,), 0, 1024), card.graphs(model), []
    for way in (None, graphs, graphs):  # twice: the second time nothing is captured any more
        (generator,) = seeded(3)
        tokens = generate(
            model,
            *text(card, length),
            prompt,
            sampling=sampling,
            generator=generator,
            max_tokens=120,
            graphs=way,
        )
        rows.append(tokens.tolist())
    assert graphs.failure is None
    assert rows[0] == rows[1] == rows[2]


def test_a_batch_that_shrinks_draws_what_each_row_draws_alone(
    card: Card, model: Text2Semantic
) -> None:
    texts = [text(card, length) for length in (30, 60, 61, 90)]
    together = generate_batch(
        model,
        [one[0] for one in texts],
        [one[1] for one in texts],
        sampling=Sampling(),
        generators=seeded(0, 1, 2, 3),
        max_tokens=60,
        graphs=card.graphs(model),
    )
    same = 0
    for seed, (one, row) in enumerate(zip(texts, together, strict=True)):
        (generator,) = seeded(seed)
        alone = generate(model, *one, sampling=Sampling(), generator=generator, max_tokens=60)
        same += row.tolist() == alone.tolist()
    # Products of four rows are summed in another order than those of one.
    card.note("batch rows equal to rows alone", same)
    assert same >= 3 if card.is_gpu else same == 4


def test_unwritten_slots_are_not_heard(card: Card, model: Text2Semantic) -> None:
    graphs, rows = card.graphs(model), []
    for _ in range(2):
        tokens = generate(model, *text(card, 40), sampling=GREEDY, max_tokens=60, graphs=graphs)
        rows.append(tokens.tolist())
        assert graphs._memory is not None
        with torch.inference_mode():
            graphs._memory.store.fill_(1e4)
    assert rows[0] == rows[1]


def test_capturing_while_another_thread_asks_for_memory_figures(
    card: Card, model: Text2Semantic
) -> None:
    done, asked = threading.Event(), []

    def ask() -> None:
        while not done.wait(0.01):
            asked.append(sample_memory(card.device))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        graphs = card.graphs(model)
        generate(model, *text(card, 20), sampling=GREEDY, max_tokens=40, graphs=graphs)
    finally:
        done.set()
        thread.join()
    assert graphs.failure is None and asked


@pytest.mark.card_only
def test_a_block_of_steps_waits_for_nothing(card: Card, model: Text2Semantic) -> None:
    graphs = card.graphs(model)
    generate(model, *text(card, 20), sampling=GREEDY, max_tokens=40, graphs=graphs)  # captured now
    with torch.inference_mode():
        decoder = graphs.open(1, 20, 40, None, GREEDY)
        decoder.state.start(torch.empty(1, 0, dtype=torch.long, device=card.torch), GREEDY)
        card.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            decoder.fill_noise([None], 0, 8)
            decoder.advance(8)
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_speed_of_each_way(card: Card, model: Text2Semantic) -> None:
    """Figures for the report; nothing is promised here."""
    ways = {"growing": None, "captured": card.graphs(model)}
    for name, graphs in ways.items():
        for _ in range(2):
            card.synchronize()
            started = time.perf_counter()
            tokens = generate(
                model, *text(card, 50), sampling=GREEDY, max_tokens=200, graphs=graphs
            )
            took = time.perf_counter() - started
        card.note(f"tokens_per_second {name}", round(len(tokens) / took, 1))
    assert len(tokens) > 0
