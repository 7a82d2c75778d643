"""Generation rules on the tiny model: cache, batches, ends and limits."""

from __future__ import annotations

import pytest
import torch
from gpt_fill import arr, fill, ints

from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.generate import generate, generate_batch
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.models.gpt.step import MIN_TOKENS
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic

GREEDY = Sampling(top_k=1)


def text(length: int, salt: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    return ints("x", 0, 732, length, salt=salt), 0.5 * arr("bert", 1024, length, salt=salt)


def uncached(model: Text2Semantic, tokens: torch.Tensor, prompt: int) -> torch.Tensor:
    """Logits (S + 1, V) of one teacher-forced pass behind the tiny text."""
    phones, bert = text(7)
    batch = (phones[None], torch.tensor([7]), tokens[None], torch.tensor([len(tokens)]))
    with torch.no_grad():
        return model(*batch, bert[None]).logits[0, prompt:]


@pytest.mark.parametrize("salt", [0, 1])
def test_cache_changes_nothing(salt: int) -> None:
    model = Text2Semantic(GptConfig.tiny()).eval()
    fill(model, salt)
    prompt = ints("prompt", 0, 1024, 5, salt=salt)
    plain = Sampling(top_k=1, repetition_penalty=1.0)
    tokens = generate(model, *text(7), prompt, sampling=plain, max_tokens=30)
    logits = uncached(model, torch.cat((prompt, tokens)), prompt=5)
    expected = logits[: len(tokens)]
    expected[:MIN_TOKENS, -1] = -torch.inf
    assert tokens.tolist() == expected.argmax(-1).tolist()


def test_a_row_of_a_batch_is_the_row_alone(tiny: Text2Semantic) -> None:
    texts = [text(7), text(12, salt=1), text(3, salt=2)]
    prompt = ints("prompt", 0, 1024, 5)
    together = generate_batch(
        tiny,
        [t[0] for t in texts],
        [t[1] for t in texts],
        prompt,
        sampling=GREEDY,
        max_tokens=40,
    )
    for one, row in zip(texts, together, strict=True):
        alone = generate(tiny, *one, prompt, sampling=GREEDY, max_tokens=40)
        assert row.tolist() == alone.tolist()


def eager_to_end(monkeypatch: pytest.MonkeyPatch, ends: dict[int, int]) -> Text2Semantic:
    """A model whose text with `n` phones wants EOS from its token number `ends[n]` on."""
    from sovdeck.engine.models.gpt import step as module

    model = Text2Semantic(GptConfig.tiny()).eval()
    fill(model)
    real = module.decode_token

    def decode_token(model, token, position, cache):
        logits = real(model, token, position, cache)
        hidden = cache.mask
        lengths = [20] if hidden is None else (hidden[..., :20] == 0).flatten(1).sum(1).tolist()
        for row, phones in enumerate(lengths):
            logits[row, -1] = 1e4 if position.item() + 1 >= ends[phones] else -1e4
        return logits

    monkeypatch.setattr(module, "decode_token", decode_token)
    return model


def test_rows_end_one_by_one_and_keep_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    model = eager_to_end(monkeypatch, {20: 14, 5: 24, 9: 18})
    texts = [text(20), text(5, salt=1), text(9, salt=2)]
    rows = generate_batch(
        model, [t[0] for t in texts], [t[1] for t in texts], sampling=GREEDY, max_tokens=60
    )
    assert [len(row) for row in rows] == [14, 24, 18]
    assert not any((row == 1024).any() for row in rows)
    monkeypatch.undo()
    for one, row in zip(texts, rows, strict=True):
        alone = generate(model, *one, sampling=GREEDY, max_tokens=len(row))
        assert row.tolist() == alone.tolist()


def test_at_least_eleven_tokens_are_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    model = eager_to_end(monkeypatch, {20: 0})
    assert len(generate(model, *text(20), sampling=GREEDY)) == MIN_TOKENS == 11


def test_the_limit_loses_no_token(tiny: Text2Semantic) -> None:
    long = generate(tiny, *text(7), sampling=GREEDY, max_tokens=30)
    for limit in (1, 10, 11, 12, 29):
        short = generate(tiny, *text(7), sampling=GREEDY, max_tokens=limit)
        assert short.tolist() == long[:limit].tolist()


def test_a_seed_gives_the_same_take_again(tiny: Text2Semantic) -> None:
    def take(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return generate(
            tiny, *text(7), sampling=Sampling(), generator=generator, max_tokens=30
        ).tolist()

    assert take(1) == take(1)
    assert take(1) != take(2)


def test_a_row_means_the_same_in_any_training_batch(tiny: Text2Semantic) -> None:
    phones, bert = text(12)
    short, short_bert = text(7, salt=1)
    tokens = ints("y", 0, 1024, 2, 20)
    padded = torch.nn.functional.pad
    with torch.no_grad():
        both = tiny(
            torch.stack((phones, padded(short, (0, 5)))),
            torch.tensor([12, 7]),
            tokens,
            torch.tensor([20, 13]),
            torch.stack((bert, padded(short_bert, (0, 5)))),
        )
        alone = tiny(
            short[None], torch.tensor([7]), tokens[1:, :13], torch.tensor([13]), short_bert[None]
        )
    torch.testing.assert_close(both.logits[1, :14], alone.logits[0], rtol=1e-5, atol=1e-5)


def test_config_survives_upstreams_spelling() -> None:
    for config in (GptConfig.v2(), GptConfig.tiny()):
        assert GptConfig.from_dict(config.to_upstream()) == config
        assert GptConfig.from_dict(config.to_upstream()["model"]) == config
    assert GptConfig.v2().to_upstream()["data"]["max_sec"] == 54
    with pytest.raises(KeyError):
        GptConfig.from_dict({"model": {}})
    with pytest.raises(ValueError, match="last of"):
        GptConfig(eos=5)


def test_a_tiny_step_is_quick() -> None:
    """The end-to-end demo trains this on one CPU thread; the bound is generous, the aim 60 ms."""
    import time

    model = Text2Semantic(GptConfig.tiny())
    phones, bert = ints("x", 0, 732, 4, 60), arr("bert", 4, 1024, 60)
    tokens = ints("y", 0, 1024, 4, 110)
    lengths = (torch.full((4,), 60), torch.full((4,), 110))
    best = float("inf")
    for _ in range(4):
        started = time.process_time()
        model(phones, lengths[0], tokens, lengths[1], bert).loss.backward()
        best = min(best, time.process_time() - started)
    assert best < 0.3
