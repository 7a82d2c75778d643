"""Generation written down plainly, without a cache: what every decoder must give token by token."""

from __future__ import annotations

import torch
from torch import Tensor

from sovdeck.engine.models.gpt import masks
from sovdeck.engine.models.gpt.sampling import (
    Sampling,
    apply_repetition_penalty,
    filter_logits,
    seen_tokens,
)
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic


@torch.inference_mode()
def plain_tokens(
    model: Text2Semantic,
    phones: Tensor,
    bert: Tensor,
    prompt: Tensor,
    sampling: Sampling,
    seed: int,
    max_tokens: int,
) -> list[int]:
    """Every token from one pass over all before it; noise drawn as the product always did."""
    generator = torch.Generator().manual_seed(seed)
    tokens = prompt[None]
    found: list[int] = []
    for step in range(max_tokens):
        text = model.embed_text(phones[None], bert[None])
        x = torch.cat((text, model.embed_audio(tokens)), dim=1)
        mask = masks.prefix_mask(len(phones), tokens.shape[1], x.device)
        logits = model.ar_predict_layer(model.h(x, mask)[:, -1])
        if step < 11:
            logits = logits[:, :-1]
        seen = seen_tokens(tokens, model.config.vocab_size)[:, : logits.shape[1]]
        logits = apply_repetition_penalty(logits, seen, sampling.repetition_penalty)
        probs = filter_logits(logits, sampling.top_k, sampling.top_p, sampling.divisor).softmax(-1)
        noise = torch.empty_like(probs).exponential_(1.0, generator=generator)
        token = int((probs / noise).argmax())
        if model.config.eos in (token, int(logits.argmax())):
            break
        found.append(token)
        tokens = torch.cat((tokens, torch.tensor([[token]])), dim=1)
    return found
