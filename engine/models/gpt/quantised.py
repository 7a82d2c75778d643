"""The GPT packed for speaking on a CPU, where reading the weights is what takes the time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.gpt.transformer import SelfAttention

PRECISIONS = ("fp32", "bf16", "int8")


class HalfLinear(nn.Module):
    """A linear layer that reads its weight as float16 and calculates in float32.

    Files of GPT-SoVITS hold float16, so nothing is rounded: half the reading, equal results
    up to the order of the sum.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self._packed: Any = torch.ops.quantized.linear_prepack_fp16(
            weight.detach().float(), bias.detach().float()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C_in) float32 -> (B, T, C_out)."""
        out: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self._packed)
        return out


class Int8Linear(nn.Module):
    """Weights as int8 with one scale a row; activations are rounded to 8 bits on the way."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        full = weight.detach().float()
        scale = full.abs().amax(dim=1).clamp(min=1e-12) / 127  # (C_out,)
        zero = torch.zeros(len(scale), dtype=torch.long)
        rounded = torch.quantize_per_channel(full, scale, zero, 0, torch.qint8)
        self._packed: Any = torch.ops.quantized.linear_prepack(rounded, bias.detach().float())

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C_in) float32 -> (B, T, C_out)."""
        # reduce_range: without VNNI, sums of full 8-bit products would overflow 16 bits.
        out: Tensor = torch.ops.quantized.linear_dynamic(x, self._packed, not _HAS_VNNI)
        return out


_ENGINES = ("x86", "fbgemm")  # those with a kernel for float16 weights
_HAS_VNNI = bool(torch.cpu._is_vnni_supported())


class PackedAttention(SelfAttention):
    """Self-attention whose projections are packed too."""

    def __init__(self, source: SelfAttention, kind: type[HalfLinear] | type[Int8Linear]) -> None:
        nn.Module.__init__(self)
        self.head, self.dropout = source.head, source.dropout
        self.packed = kind(source.in_proj_weight, source.in_proj_bias)
        self.out_proj = kind(source.out_proj.weight, source.out_proj.bias)  # type: ignore[assignment]

    def in_proj(self, x: Tensor) -> Tensor:
        out: Tensor = self.packed(x)
        return out


def lower(model: Text2Semantic, precision: str) -> Text2Semantic:
    """Change `model` in place to one of PRECISIONS and return it; it can only speak afterwards.

    On a CPU with the kernels for it fp32 reads float16 weights without rounding; a model whose
    weights do not fit into float16 stays as it is. int8 needs a CPU and keeps its cache in
    bfloat16. KeyError for another name.
    """
    if precision not in PRECISIONS:
        raise KeyError(precision)
    if precision == "bf16":
        return model.to(torch.bfloat16).eval()
    if precision == "int8":
        model.cache_dtype = torch.bfloat16
        return _packed(model, Int8Linear)
    return _packed(model, HalfLinear) if _fits_half(model) else model


def _packed(model: Text2Semantic, kind: type[HalfLinear] | type[Int8Linear]) -> Text2Semantic:
    layers: Any = model.h.layers  # torch types the parts of a module list as bare modules
    for layer in layers:
        layer.self_attn = PackedAttention(layer.self_attn, kind)
        layer.linear1 = kind(layer.linear1.weight, layer.linear1.bias)
        layer.linear2 = kind(layer.linear2.weight, layer.linear2.bias)
    return model.eval()


def _fits_half(model: Text2Semantic) -> bool:
    """Whether the kernel is there, and float16 holds every weight of the layers exactly."""
    weights = [weight for weight in model.h.parameters() if weight.dim() > 1]
    return (
        torch.backends.quantized.engine in _ENGINES
        and model.bert_proj.weight.device.type == "cpu"
        and all(bool((weight.half().float() == weight).all()) for weight in weights)
    )
