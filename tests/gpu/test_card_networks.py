"""Every network forward and backward: the card against the processor, in each number format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from card import Card, speaker_numbers
from torch import Tensor

from benchmarks.synthetic import fill, gpt_batch, sovits_batch
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.weight_norm import fold_weight_norm
from sovdeck.engine.runtime.device import Precision, best_format
from sovdeck.engine.runtime.nvml import query_gpu

# Relative distance, as a norm, of outputs and of all gradients together.
_SCALE = 2.0**16  # of means, as training scales them: fp16's small gradients are zero otherwise
BOUNDS = {"fp32": 1e-4, "tf32": 5e-3, "fp16": 2e-2, "bf16": 6e-2}


@dataclass
class Outcome:
    output: Tensor
    gradients: list[Tensor]


def run_gpt(card: Card, device: torch.device, precision: Precision) -> Outcome:
    model = Text2Semantic(card.gpt)
    fill(model, "model.")
    model = model.to(device).eval()  # no dropout
    batch = gpt_batch(2, 20, 60, bert_dim=card.gpt.bert_dim).to(device)
    with precision.autocast():
        output = model(
            batch.phones, batch.phone_lengths, batch.tokens, batch.token_lengths, batch.bert
        )
    output.loss.backward()
    return _outcome(output.logits, model)


def run_generator(
    card: Card, device: torch.device, precision: Precision, version: str = "v2"
) -> Outcome:
    config = card.sovits(version)
    model = Synthesizer(config)
    fill(model)
    model = model.to(device).eval()
    batch = sovits_batch(2, 70, 20, config.ssl_dim, config.inter_channels, speaker_numbers(config))
    batch = batch.to(device)
    with precision.autocast():
        output = model(
            batch.ssl,
            batch.spec,
            batch.lengths,
            batch.text,
            batch.text_lengths,
            speaker=batch.speaker,
            posterior_noise=batch.noise,
            slice_uniform=batch.uniform,
        )
    (output.wav.float().square().mean() * _SCALE).backward()
    return _outcome(output.wav, model)


def run_generator_pro(card: Card, device: torch.device, precision: Precision) -> Outcome:
    return run_generator(card, device, precision, "v2Pro")


def run_discriminator(card: Card, device: torch.device, precision: Precision) -> Outcome:
    model = Discriminator(card.sovits())
    fill(model)
    model = model.to(device).eval()
    torch.manual_seed(0)
    wave = (0.1 * torch.randn(2, 1, 20_480)).to(device)
    with precision.autocast():
        scores = torch.cat([score.flatten(1).float() for score, _ in model(wave)], dim=1)
    (scores.square().mean() * _SCALE).backward()
    return _outcome(scores, model)


RUNS: dict[str, Callable[[Card, torch.device, Precision], Outcome]] = {
    "gpt": run_gpt,
    "generator": run_generator,
    "generator-v2Pro": run_generator_pro,
    "discriminator": run_discriminator,
}


def _outcome(output: Tensor, model: torch.nn.Module) -> Outcome:
    gradients = [p.grad.float().cpu() for p in model.parameters() if p.grad is not None]
    return Outcome(output.detach().float().cpu(), gradients)


def distance(ours: list[Tensor], theirs: list[Tensor]) -> float:
    apart = sum(float((a - b).double().square().sum()) for a, b in zip(ours, theirs, strict=True))
    return float((apart / sum(float(b.double().square().sum()) for b in theirs)) ** 0.5)


@pytest.fixture(scope="module")
def on_processor(card: Card) -> Callable[[str], Outcome]:
    kept: dict[str, Outcome] = {}

    def outcome(name: str) -> Outcome:
        if name not in kept:
            kept[name] = RUNS[name](card, torch.device("cpu"), Precision("fp32", "cpu"))
        return kept[name]

    return outcome


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("name", RUNS)
def test_outputs_and_gradients_are_the_processors(
    name: str, precision: str, card: Card, on_processor: Callable[[str], Outcome]
) -> None:
    if precision == "tf32" and not card.is_gpu:
        pytest.skip("a processor has no TF32")
    if precision in ("fp16", "bf16") and card.is_gpu:
        best = best_format(torch.cuda.get_device_capability(card.device.index), card.device.name)
        if best == "fp32" or (precision == "bf16" and best == "fp16"):
            pytest.skip(f"the card does not compute in {precision}")
    expected = on_processor(name)
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        chosen = Precision("fp32" if precision == "tf32" else precision, card.device.kind)
        found = RUNS[name](card, card.torch, chosen)
    finally:
        torch.backends.cudnn.allow_tf32 = False
        torch.set_float32_matmul_precision("highest")
    apart = {
        "output": distance([found.output], [expected.output]),
        "gradients": distance(found.gradients, expected.gradients),
    }
    card.note(f"{name} {precision}", apart)
    assert found.output.isfinite().all()
    assert max(apart.values()) <= BOUNDS[precision], apart


def test_tokens_are_the_processors(card: Card) -> None:
    """TF32 is allowed here, as it is by default: extraction itself must forbid it."""
    config = card.sovits()
    model = Synthesizer(config)
    fill(model)
    features = torch.randn(2, config.ssl_dim, 400, generator=torch.Generator().manual_seed(1))
    expected = model.extract_tokens(features)
    torch.backends.cudnn.allow_tf32 = True
    try:
        found = model.to(card.torch).extract_tokens(features.to(card.torch)).cpu()
    finally:
        torch.backends.cudnn.allow_tf32 = False
    assert torch.equal(found, expected)


@pytest.mark.parametrize("speed", [1.0, 0.8, 1.3])
def test_windows_and_folded_weights_decode_the_whole(speed: float, card: Card) -> None:
    from sovdeck.engine.models.sovits.cpu_decoder import decode_in_windows

    config = card.sovits()
    model = Synthesizer(config)
    fill(model)
    model = model.to(card.torch).eval()
    made = torch.Generator().manual_seed(2)
    z = torch.randn(1, config.inter_channels, int(160 / speed), generator=made).to(card.torch)
    timbre = torch.randn(1, config.gin_channels, 1, generator=made).to(card.torch)
    with torch.inference_mode():
        whole = model.dec(z, timbre)
        parts = decode_in_windows(
            lambda part: model.dec(part, timbre), z, 61, model.dec.receptive_frames
        )
        fold_weight_norm(model.dec)
        folded = model.dec(z, timbre)
    assert (parts - whole).abs().max() <= 2e-5
    assert (folded - whole).abs().max() <= 1e-6


@pytest.mark.card_only
def test_the_driver_and_torch_agree_on_the_memory(card: Card) -> None:
    properties: Any = torch.cuda.get_device_properties(card.device.index)
    found = query_gpu(str(properties.uuid)) or {}
    _, total = torch.cuda.mem_get_info(card.device.index)
    card.note("memory_total", {"nvml": found.get("gpu_total"), "cuda": total})
    if "gpu_total" in found:  # not on cards that share the machine's memory
        assert abs(found["gpu_total"] - total) <= 0.03 * total
