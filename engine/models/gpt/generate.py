"""Autoregressive generation: prefill once, then one token a step over the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sovdeck.engine.models.gpt import masks
from sovdeck.engine.models.gpt.cache import Cache, KVCache, allocate_store
from sovdeck.engine.models.gpt.decoder import GrowingDecoder, TokenDecoder
from sovdeck.engine.models.gpt.graphs import DecodeGraphs
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.models.gpt.step import DecodeState
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic

# Called between steps: how many tokens were drawn, and what reads those of the first text (s,).
AfterTokens = Callable[[int, Callable[[], Tensor]], None]


def generate(
    model: Text2Semantic,
    phones: Tensor,
    bert: Tensor,
    prompt: Tensor | None = None,
    *,
    sampling: Sampling,
    generator: torch.Generator | None = None,
    max_tokens: int = 1500,
    graphs: DecodeGraphs | None = None,
    after_tokens: AfterTokens | None = None,
) -> Tensor:
    """Generate for one text: phones (L,), bert (1024, L), prompt (P,) -> tokens (S,), no EOS.

    What `after_tokens` raises ends the generation.
    Stops at EOS or after `max_tokens`. Every generated token is returned: upstream loses the
    first one when it stops at the limit, because its step index is one less than its count.
    """
    return generate_batch(
        model,
        [phones],
        [bert],
        prompt,
        sampling=sampling,
        generators=[generator],
        max_tokens=max_tokens,
        graphs=graphs,
        after_tokens=after_tokens,
    )[0]


@torch.inference_mode()
def generate_batch(
    model: Text2Semantic,
    phones: Sequence[Tensor],
    bert: Sequence[Tensor],
    prompt: Tensor | None = None,
    *,
    sampling: Sampling,
    generators: Sequence[torch.Generator | None] | None = None,
    max_tokens: int = 1500,
    graphs: DecodeGraphs | None = None,
    after_tokens: AfterTokens | None = None,
) -> list[Tensor]:
    """Generate for B texts after a shared prompt: lists of (L_b,), (1024, L_b) -> of (S_b,).

    Every row equals that row generated alone. `generators` are on the CPU, one a row (None:
    torch's own), so that a seed draws the same beside whatever text and on every device.
    Finished rows leave the batch, so later steps cost less. Without a prompt the audio block
    starts empty. `graphs` decodes by steps captured on the GPU of `model`.
    """
    device = model.ar_predict_layer.weight.device
    if prompt is None:
        prompt = torch.empty(0, dtype=torch.long)
    prompt = prompt.to(device).expand(len(phones), -1)  # (B, P)
    x, keys = embed_left_padded(model, phones, bert)
    filled = x.shape[1] + prompt.shape[1]
    padding = None if len({len(each) for each in phones}) == 1 else keys
    decoder: TokenDecoder
    if graphs is not None:
        decoder = graphs.open(len(phones), filled, max_tokens, padding, sampling)
    else:
        cache = allocate_cache(model, x, filled + max_tokens, padding)
        state = DecodeState.allocate(len(phones), model.config.vocab_size, max_tokens, 1, device)
        decoder = GrowingDecoder(model, state, cache, sampling)
    decoder.state.start(prompt, sampling)
    if generators is None:
        generators = [None] * len(phones)
    decoder.fill_noise(generators, 0, 1)
    decoder.draw(prefill(model, x, keys, prompt, decoder.prefill_cache))
    return _decode(decoder, generators, max_tokens, after_tokens)


def _decode(
    decoder: TokenDecoder,
    generators: Sequence[torch.Generator | None],
    max_tokens: int,
    after_tokens: AfterTokens | None,
) -> list[Tensor]:
    """From the first token to the last one of every row."""
    texts = list(range(len(generators)))  # index of the text of each row of the shrinking batch
    generated: dict[int, Tensor] = {}
    done = 1
    while done < max_tokens:
        ended = decoder.read_ended()
        if all(ended):
            break
        if after_tokens is not None:
            after_tokens(done, lambda: _collect(decoder.state, {0: 0})[0])
        kept = decoder.choose_rows(ended)
        if kept is not None:
            dropped = {row: texts[row] for row in range(len(texts)) if row not in kept}
            generated |= _collect(decoder.state, dropped)
            decoder.keep_rows(kept)
            texts = [texts[row] for row in kept]
        count = min(decoder.block, max_tokens - done)
        decoder.fill_noise([generators[text] for text in texts], done, count)
        decoder.advance(count)
        done += count
    generated |= _collect(decoder.state, dict(enumerate(texts)))
    return [generated[text] for text in range(len(generators))]


def _collect(state: DecodeState, texts: dict[int, int]) -> dict[int, Tensor]:
    """The tokens (S,) of these rows up to their ends, by the text of each row."""
    lengths = state.length.tolist()
    return {text: state.history[row, : lengths[row]].clone() for row, text in texts.items()}


def embed_left_padded(
    model: Text2Semantic, phones: Sequence[Tensor], bert: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Embed each text by itself, then pad on the left: (B, L, C) and valid keys (B, L).

    The last phone of every text so stands right before the audio, and positions stay true.
    """
    weight = model.bert_proj.weight
    L = max(len(p) for p in phones)
    x = weight.new_zeros(len(phones), L, weight.shape[0])
    for row, (p, b) in enumerate(zip(phones, bert, strict=True)):
        embedded = model.embed_text(
            p.to(weight.device).unsqueeze(0), b.to(weight.device, weight.dtype).unsqueeze(0)
        )
        x[row, L - len(p) :] = embedded[0]
    lengths = torch.tensor([len(p) for p in phones], device=weight.device)
    return x, masks.left_padded_mask(lengths, L)


def allocate_cache(
    model: Text2Semantic, x: Tensor, positions: int, padding: Tensor | None = None
) -> KVCache:
    """A growing cache for the text x (B, L, C) and all else, `positions` in all.

    padding: valid keys (B, L) of the text where the texts differ in length.
    """
    config = model.config
    like = x.new_empty(0, dtype=model.cache_dtype or x.dtype)
    head_dim = config.hidden_dim // config.head
    store = allocate_store(config.n_layer, x.shape[0], config.head, positions, head_dim, like)
    if padding is None:
        return KVCache(store)
    mask = store.new_zeros(x.shape[0], 1, 1, positions)
    masks.hide(mask, padding)
    return KVCache(store, mask)


def prefill(model: Text2Semantic, x: Tensor, keys: Tensor, prompt: Tensor, cache: Cache) -> Tensor:
    """Text (B, L, C) with valid keys (B, L) and prompt (B, P) through the network at once.

    Returns the logits (B, V) of the last position.
    """
    B, L, _ = x.shape
    P = prompt.shape[1]
    if P:
        x = torch.cat((x, model.embed_audio(prompt)), dim=1)  # (B, L + P, C)
    keys = torch.cat((keys, keys.new_ones(B, P)), dim=1)  # audio is never padded
    mask = masks.with_padding(masks.prefix_mask(L, P, x.device), keys)
    cache.reserve(L + P)
    x = model.h(x, mask, cache)
    logits: Tensor = model.ar_predict_layer(x[:, -1]).float()
    return logits
