"""The network computes what upstream computes: logits, losses, gradients, tokens, keys."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from gpt_fill import DATA, arr, close, fill, ints
from torch import Tensor

from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.generate import (
    allocate_cache,
    embed_left_padded,
    generate,
    generate_batch,
    prefill,
)
from sovdeck.engine.models.gpt.sampling import Sampling, apply_repetition_penalty, seen_tokens
from sovdeck.engine.models.gpt.step import decode_token
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.training.dpo import dpo_loss, make_rejected

GREEDY = Sampling(top_k=1)


def uneven_batch() -> tuple[Tensor, ...]:
    """phones (3, 14), lengths, tokens (3, 20), lengths, bert (3, 1024, 14)."""
    phones, tokens = ints("gpt_x", 0, 732, 3, 14), ints("gpt_y", 0, 1024, 3, 20)
    bert = 0.5 * arr("gpt_bert", 3, 1024, 14)
    phone_lengths, token_lengths = torch.tensor([14, 9, 12]), torch.tensor([20, 13, 17])
    for row in range(3):
        phones[row, phone_lengths[row] :] = 0
        bert[row, :, phone_lengths[row] :] = 0
        tokens[row, token_lengths[row] :] = 1024
    return phones, phone_lengths, tokens, token_lengths, bert


def even_batch() -> tuple[Tensor, ...]:
    bert = 0.5 * arr("gpt_bert2", 2, 1024, 10)
    return (
        ints("gpt_x2", 0, 732, 2, 10),
        torch.tensor([10, 10]),
        ints("gpt_y2", 0, 1024, 2, 15),
        torch.tensor([15, 15]),
        bert,
    )


def spoken() -> tuple[Tensor, Tensor, Tensor]:
    """phones (16,), bert (1024, 16), prompt (10,)."""
    return (
        ints("inf_x", 0, 732, 1, 16)[0],
        0.5 * arr("inf_bert", 1, 1024, 16)[0],
        ints("inf_prompt", 0, 1024, 1, 10)[0],
    )


def test_keys_and_shapes_are_upstreams_in_order() -> None:
    contract = json.loads((DATA / "vectors/gpt_v2.json").read_text())
    ours = {
        "model." + name: {"shape": list(t.shape), "dtype": str(t.dtype).removeprefix("torch.")}
        for name, t in Text2Semantic(GptConfig.v2()).state_dict().items()
    }
    assert list(ours) == list(contract)
    assert ours == contract


def test_loss_of_upstreams_plain_mode(full: Text2Semantic) -> None:
    with torch.no_grad():
        out = full(*uneven_batch(), upstream_mask=True)
    assert out.loss.item() == pytest.approx(677.8317, rel=1e-5)
    assert out.targets[0, :4].tolist() == [666, 455, 2, 575]
    assert out.logits[0, 0, :4].tolist() == pytest.approx(
        [-0.38829333, -5.3782053, 3.7178483, 4.9712644], abs=2e-4
    )


@pytest.mark.parametrize("upstream_mask", [True, False])
def test_both_masks_agree_when_lengths_do(full: Text2Semantic, upstream_mask: bool) -> None:
    with torch.no_grad():
        out = full(*even_batch(), upstream_mask=upstream_mask)
    assert out.loss.item() == pytest.approx(369.38007, rel=1e-5)
    assert out.accuracy.item() == pytest.approx(1 / 30)


def test_golden_training_arrays(full: Text2Semantic) -> None:
    golden = np.load(DATA / "golden/gpt_train.npz")
    with torch.no_grad():
        uneven = full(*uneven_batch(), upstream_mask=True)
        even = full(*even_batch())
    assert close(uneven.logits, golden["logits"])
    assert (uneven.targets.numpy() == golden["targets"]).all()
    assert uneven.loss.item() == pytest.approx(float(golden["loss"]), rel=1e-5)
    assert uneven.accuracy.item() == pytest.approx(float(golden["acc"]))
    assert close(even.logits[:, [0, 4, 8, 12]], golden["logits_equal_len"])


def test_golden_preference_loss(full: Text2Semantic) -> None:
    golden = np.load(DATA / "golden/gpt_train.npz")
    batch = uneven_batch()
    torch.manual_seed(int(golden["dpo_seed"]))
    rejected = make_rejected(batch[2], batch[3], upstream=True)
    assert (rejected[0].numpy() == golden["reject_y"]).all()
    assert (rejected[1].numpy() == golden["reject_lens"]).all()
    with torch.no_grad():
        phones, phone_lengths, tokens, token_lengths, bert = batch
        loss, _ = dpo_loss(
            full, phones, phone_lengths, tokens, token_lengths, bert, rejected, upstream=True
        )
    assert close(loss.chosen, golden["logp_chosen"])
    assert close(loss.rejected, golden["logp_reject"])
    assert loss.preference.item() == pytest.approx(float(golden["dpo_term"]), rel=1e-5)
    assert loss.cross_entropy.item() == pytest.approx(float(golden["dpo_ce"]), rel=1e-5)
    assert loss.total.item() == pytest.approx(float(golden["dpo_loss"]), rel=1e-5)


def test_golden_gradient_norms(full: Text2Semantic) -> None:
    golden = json.loads((DATA / "golden/gpt_gradnorms.json").read_text())
    # In float64: in float32 one relu at the edge of zero falls to the other side when threads
    # order the sums otherwise, which moves one alpha by 0.25 % and says nothing of the maths.
    exact = copy.deepcopy(full).double()
    phones, phone_lengths, tokens, token_lengths, bert = uneven_batch()
    batch = (phones, phone_lengths, tokens, token_lengths, bert.double())
    exact(*batch, upstream_mask=True).loss.backward()
    norms = {"model." + n: p.grad.norm().item() for n, p in exact.named_parameters()}
    assert set(norms) == set(golden)
    for name, norm in golden.items():
        assert norms[name] == pytest.approx(norm, rel=1e-5), name


def test_greedy_tokens(full: Text2Semantic) -> None:
    phones, bert, prompt = spoken()
    tokens = generate(full, phones, bert, prompt, sampling=GREEDY, max_tokens=12)
    alone = generate(full, phones, bert, None, sampling=GREEDY, max_tokens=12)
    assert len(tokens) == len(alone) == 12
    assert alone[:4].tolist() == [155, 277, 827, 958]


@pytest.mark.long
def test_golden_generation(full: Text2Semantic) -> None:
    golden = np.load(DATA / "golden/gpt_infer.npz")
    phones, bert, prompt = spoken()
    # Upstream stopped at step index 40 and its array holds the prompt and all 41 tokens.
    tokens = generate(full, phones, bert, prompt, sampling=GREEDY, max_tokens=41)
    assert tokens.tolist() == golden["y"][0, 10:].tolist()
    alone = generate(full, phones, bert, sampling=GREEDY, max_tokens=41)
    assert alone.tolist() == golden["y_noprompt"][0].tolist()
    cool = generate(full, phones, bert, prompt, sampling=Sampling(1, 0.6, 0.6, 1.0), max_tokens=41)
    assert cool.tolist() == golden["y_p06_t06_rp1"][0, 10:].tolist()
    second = (ints("inf_xb", 0, 732, 11), 0.5 * arr("inf_bertb", 1024, 11))
    both = generate_batch(
        full, [phones, second[0]], [bert, second[1]], prompt, sampling=GREEDY, max_tokens=40
    )
    assert both[0].tolist() == golden["yb0"][10:].tolist()
    assert both[1].tolist() == golden["yb1"][10:].tolist()


@torch.inference_mode()
def test_golden_raw_logits(full: Text2Semantic) -> None:
    golden = np.load(DATA / "golden/gpt_infer.npz")
    phones, bert, prompt = spoken()
    x, keys = embed_left_padded(full, [phones], [bert])
    cache = allocate_cache(full, x, x.shape[1] + 10 + 13)
    logits = prefill(full, x, keys, prompt.unsqueeze(0), cache)
    tokens = torch.from_numpy(golden["y"])  # prompt and new ones
    raw = [logits]
    for step in range(12):
        at = torch.tensor([10 + step])
        raw.append(decode_token(full, tokens[:, 10 + step, None], at, cache))
    # Upstream penalises in place, so its kept "raw" logits hold the penalty already.
    ours = [
        apply_repetition_penalty(raw[j], seen_tokens(tokens[:, : 10 + j], 1025), 1.35)
        for j in (0, 1, 12)
    ]
    assert close(torch.cat(ours), golden["logits_steps_0_1_12"])


def test_golden_end_of_sentence() -> None:
    golden = np.load(DATA / "golden/gpt_infer.npz")
    model = Text2Semantic(GptConfig.v2()).eval()
    fill(model)
    weight = model.ar_predict_layer.weight
    with torch.no_grad():
        weight[1024] = 1.5 * weight[int(golden["eos_k"])]
    phones, bert, prompt = spoken()
    tokens = generate(model, phones, bert, prompt, sampling=GREEDY, max_tokens=41)
    assert len(tokens) == golden["idx_eos"]
    assert tokens.tolist() == golden["y_eos"][0, 10:].tolist()
