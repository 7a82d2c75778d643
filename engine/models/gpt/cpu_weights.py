"""The GPT with packed weights for a CPU, where reading the weights takes most of the time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sovdeck.engine.models.gpt.cache import Cache
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.gpt.transformer import TransformerLayer, attend
from sovdeck.engine.models.onednn_support import has_onednn_kernels

PRECISIONS = ("fp32", "bf16", "int8")


class Float16Linear(nn.Module):
    """A linear layer that reads its weight as float16 and calculates in float32.

    Files of GPT-SoVITS hold float16, so nothing is rounded: half the reading, equal results
    up to the order of the sum. `relu` is applied in the same pass.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, relu: bool = False) -> None:
        super().__init__()
        ops = torch.ops.quantized
        self._packed: Any = ops.linear_prepack_fp16(weight.detach().float(), bias.detach().float())
        self._kernel: Any = (
            ops.linear_relu_dynamic_fp16 if relu else ops.linear_dynamic_fp16
        ).default

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C_in) float32 -> (B, T, C_out)."""
        out: Tensor = self._kernel(x, self._packed)
        return out


class BFloat16Linear(nn.Module):
    """Weight and sums in bfloat16, the weight reordered once for the kernel."""

    def __init__(self, weight: Tensor, bias: Tensor, *, relu: bool = False) -> None:
        super().__init__()
        ops = torch.ops.mkldnn
        self._packed = ops._reorder_linear_weight(weight.detach().bfloat16(), 1)
        self._bias = bias.detach().bfloat16()
        self._activation = "relu" if relu else "none"
        self._kernel: Any = ops._linear_pointwise.default

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C_in) bfloat16 -> (B, T, C_out)."""
        out: Tensor = self._kernel(x, self._packed, self._bias, self._activation, [], "")
        return out


class Int8Linear(nn.Module):
    """Weights as int8 with one scale a row; activations are rounded to 8 bits on the way."""

    def __init__(self, weight: Tensor, bias: Tensor, *, relu: bool = False) -> None:
        super().__init__()
        full = weight.detach().float()
        scale = full.abs().amax(dim=1).clamp(min=1e-12) / 127  # (C_out,)
        zero = torch.zeros(len(scale), dtype=torch.long)
        rounded = torch.quantize_per_channel(full, scale, zero, 0, torch.qint8)
        ops = torch.ops.quantized
        self._packed: Any = ops.linear_prepack(rounded, bias.detach().float())
        self._kernel: Any = (ops.linear_relu_dynamic if relu else ops.linear_dynamic).default

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C_in) float32 -> (B, T, C_out)."""
        # reduce_range: without VNNI, sums of full 8-bit products would overflow 16 bits.
        out: Tensor = self._kernel(x, self._packed, not _HAS_VNNI)
        return out


LinearType = type[Float16Linear] | type[BFloat16Linear] | type[Int8Linear]

_FLOAT16_ENGINES = ("x86", "fbgemm")  # those with a kernel for float16 weights
_HAS_VNNI = bool(torch.cpu._is_vnni_supported())


class PackedTransformerLayer(nn.Module):
    """`TransformerLayer` with packed weights, in as few calls a token as possible."""

    def __init__(self, source: TransformerLayer, linear_type: LinearType) -> None:
        super().__init__()
        attention = source.self_attn
        self.head = attention.head
        self.in_proj = linear_type(attention.in_proj_weight, attention.in_proj_bias)
        self.out_proj = linear_type(attention.out_proj.weight, attention.out_proj.bias)
        self.linear1 = linear_type(source.linear1.weight, source.linear1.bias, relu=True)
        self.linear2 = linear_type(source.linear2.weight, source.linear2.bias)
        self.norm1, self.norm2 = source.norm1, source.norm2

    def forward(
        self, x: Tensor, mask: Tensor | None, cache: Cache | None = None, layer: int = 0
    ) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        found = self.out_proj(attend(self.in_proj(x), self.head, mask, cache, layer))
        x = self.norm1(found.add_(x))
        out: Tensor = self.norm2(self.linear2(self.linear1(x)).add_(x))
        return out


def set_precision(model: Text2Semantic, precision: str) -> Text2Semantic:
    """Change `model` in place to one of PRECISIONS and return it; it cannot train afterwards.

    On a CPU with the kernels for it, fp32 stores float16 weights without rounding; a model whose
    weights do not fit into float16 stays as it is. int8 needs a CPU and keeps its cache in
    bfloat16. KeyError for another name.
    """
    if precision not in PRECISIONS:
        raise KeyError(precision)
    on_cpu = model.bert_proj.weight.device.type == "cpu"
    if precision == "bf16":
        model = model.to(torch.bfloat16).eval()
        fast = on_cpu and has_onednn_kernels(torch.bfloat16)
        return _pack_layers(model, BFloat16Linear) if fast else model
    if precision == "int8":
        model.cache_dtype = torch.bfloat16
        return _pack_layers(model, Int8Linear)
    return _pack_layers(model, Float16Linear) if on_cpu and _fits_float16(model) else model


def _pack_layers(model: Text2Semantic, linear_type: LinearType) -> Text2Semantic:
    layers: Any = model.h.layers  # torch types the parts of a module list as bare modules
    model.h.layers = nn.ModuleList(PackedTransformerLayer(layer, linear_type) for layer in layers)
    return model.eval()


def _fits_float16(model: Text2Semantic) -> bool:
    """Whether the kernel is there, and float16 holds every weight of the layers exactly."""
    weights = [weight for weight in model.h.parameters() if weight.dim() > 1]
    return torch.backends.quantized.engine in _FLOAT16_ENGINES and all(
        bool((weight.half().float() == weight).all()) for weight in weights
    )
