"""Autoregressive generation: prefill once, then one token a step over the cache."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.models.gpt import masks
from engine.models.gpt.cache import KVCache
from engine.models.gpt.sampling import Sampling, draw, filter_logits, penalise, seen_tokens
from engine.models.gpt.text2semantic import Text2Semantic

# EOS is forbidden for this many first tokens (compat SPEC 5.7, step 1).
MIN_TOKENS = 11


def generate(
    model: Text2Semantic,
    phones: Tensor,
    bert: Tensor,
    prompt: Tensor | None = None,
    *,
    sampling: Sampling,
    generator: torch.Generator | None = None,
    max_tokens: int = 1500,
) -> Tensor:
    """Speak one text: phones (L,), bert (1024, L), prompt (P,) -> new tokens (S,), no EOS.

    Stops at EOS or after `max_tokens`. Every generated token is returned: upstream loses the
    first one when it stops at the limit, because its step index is one less than its count.
    """
    return generate_batch(
        model, [phones], [bert], prompt,
        sampling=sampling, generator=generator, max_tokens=max_tokens,
    )[0]  # fmt: skip


@torch.inference_mode()
def generate_batch(
    model: Text2Semantic,
    phones: Sequence[Tensor],
    bert: Sequence[Tensor],
    prompt: Tensor | None = None,
    *,
    sampling: Sampling,
    generator: torch.Generator | None = None,
    max_tokens: int = 1500,
) -> list[Tensor]:
    """Speak B texts after one shared prompt: lists of (L_b,) and (1024, L_b) -> list of (S_b,).

    Greedy rows equal the rows spoken alone. A finished row leaves the batch, so later steps
    cost less. Without a prompt the audio block starts empty.
    """
    device = model.ar_predict_layer.weight.device
    if prompt is None:
        prompt = torch.empty(0, dtype=torch.long)
    prompt = prompt.to(device).expand(len(phones), -1)  # (B, P)
    P = prompt.shape[1]
    x, keys = embed_left_padded(model, phones, bert)
    cache = new_cache(model, x, P + max_tokens)
    logits, seen_keys = prefill(model, x, keys, prompt, cache)
    # Attention without a mask is quicker, and texts of one length have no padding to hide.
    padding = None if bool(keys.all()) else seen_keys

    seen = seen_tokens(prompt, model.config.vocab_size)
    rows = list(range(len(phones)))  # which text each row of the shrinking batch speaks
    history = torch.empty(len(phones), max_tokens, dtype=torch.long, device=device)
    spoken = [history[row, :0] for row in rows]
    for step in range(max_tokens):
        if step < MIN_TOKENS:
            logits = logits[:, :-1]
        logits = penalise(logits, seen[:, : logits.shape[1]], sampling.repetition_penalty)
        token = draw(filter_logits(logits, sampling), generator)  # (B, 1)
        history[:, step : step + 1] = token
        seen.scatter_(1, token, True)

        ended = is_end(token, logits, model.config.eos)  # (B,)
        if ended.any():
            for row in ended.nonzero().flatten().tolist():
                spoken[rows[row]] = history[row, :step].clone()
            going = (~ended).nonzero().flatten()
            if going.numel() == 0:
                return spoken
            rows = [rows[row] for row in going.tolist()]
            cache.keep(going)
            token, history, seen = token[going], history[going], seen[going]
            padding = None if padding is None else padding[going]
        if step + 1 < max_tokens:
            logits = decode_one(model, token, P + step, padding, cache)
    for row, text in enumerate(rows):
        spoken[text] = history[row]
    return spoken


def embed_left_padded(
    model: Text2Semantic, phones: Sequence[Tensor], bert: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Embed each text by itself, then pad on the left: (B, L, C) and valid keys (B, L).

    The last phone of every text so stands right before the audio, and positions stay true.
    """
    weight = model.bert_proj.weight
    lengths = torch.tensor([len(p) for p in phones], device=weight.device)
    L = int(lengths.max())
    x = weight.new_zeros(len(phones), L, weight.shape[0])
    for row, (p, b) in enumerate(zip(phones, bert, strict=True)):
        embedded = model.embed_text(
            p.to(weight.device).unsqueeze(0), b.to(weight.device, weight.dtype).unsqueeze(0)
        )
        x[row, L - len(p) :] = embedded[0]
    return x, masks.valid_left_padded(lengths, L)


def new_cache(model: Text2Semantic, x: Tensor, more: int) -> KVCache:
    """Room for the text x (B, L, C) and `more` audio positions."""
    config = model.config
    head_dim = config.hidden_dim // config.head
    like = x.new_empty(0, dtype=model.cache_dtype or x.dtype)
    return KVCache(config.n_layer, x.shape[0], config.head, x.shape[1] + more, head_dim, like)


def prefill(
    model: Text2Semantic, x: Tensor, keys: Tensor, prompt: Tensor, cache: KVCache
) -> tuple[Tensor, Tensor]:
    """Text (B, L, C) with valid keys (B, L) and prompt (B, P) through the network at once.

    Returns the logits (B, V) of the last position and the valid keys of the whole cache.
    """
    B, L, _ = x.shape
    P = prompt.shape[1]
    if P:
        x = torch.cat((x, model.embed_audio(prompt)), dim=1)  # (B, L + P, C)
    room = keys.new_ones(B, cache.capacity - L)
    keys = torch.cat((keys, room), dim=1)  # (B, capacity): audio is never padded
    mask = masks.with_padding(masks.prefix_mask(L, P, x.device), keys[:, : L + P])
    x = model.h(x, mask, cache)
    return model.ar_predict_layer(x[:, -1]).float(), keys


def decode_one(
    model: Text2Semantic, token: Tensor, position: int, keys: Tensor | None, cache: KVCache
) -> Tensor:
    """Token (B, 1) at this audio position -> logits (B, V) of the next one.

    `keys` (B, capacity) hides the padding of a batch; None where there is none.
    """
    x = model.embed_audio(token, position)  # (B, 1, C)
    mask = None
    if keys is not None:
        # Added to the scores, not true or false: torch would turn it into this in each layer.
        seen = keys[:, None, None, : cache.length + 1]  # (B, 1, 1, T)
        mask = torch.zeros(seen.shape, dtype=cache.store.dtype, device=x.device)
        mask.masked_fill_(~seen, -torch.inf)
    x = model.h(x, mask, cache)
    logits: Tensor = model.ar_predict_layer(x[:, -1]).float()
    return logits


def is_end(token: Tensor, penalised: Tensor, eos: int) -> Tensor:
    """(B,): the drawn token is EOS, or EOS is the likeliest though another one was drawn."""
    return (token[:, 0] == eos) | (penalised.argmax(dim=-1) == eos)
