"""The GPT in fewer bits, for speaking on a CPU, where reading the weights is what takes time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.gpt.transformer import SelfAttention

PRECISIONS = ("fp32", "bf16", "int8")

# Up to so many rows reading int8 weights is what counts; for a whole prompt the multiplication
# is, which bfloat16 does faster.
_FEW = 16


class Int8Linear(nn.Module):
    """Weights as int8 with one scale a row; activations and sums stay bfloat16 and float32."""

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        scale = weight.float().abs().amax(dim=1).clamp(min=1e-12) / 127  # (C_out,)
        rounded = (weight.float() / scale.unsqueeze(1)).round().to(torch.int8)
        self.register_buffer("weight", rounded.contiguous())
        self.register_buffer("scale", scale.to(torch.bfloat16))
        self.register_buffer("bias", bias.detach().to(torch.bfloat16))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C_in) bfloat16 -> (B, T, C_out)."""
        rows = x.reshape(-1, x.shape[-1])
        if len(rows) > _FEW:
            weight = self.weight.to(x.dtype) * self.scale.unsqueeze(1)
            return nn.functional.linear(x, weight, self.bias)
        out = torch._weight_int8pack_mm(rows, self.weight, self.scale)
        return (out + self.bias).view(*x.shape[:-1], -1)


class Int8Attention(SelfAttention):
    """Self-attention whose packed projection is int8 too."""

    def __init__(self, source: SelfAttention) -> None:
        nn.Module.__init__(self)
        self.head, self.dropout = source.head, source.dropout
        self.packed = Int8Linear(source.in_proj_weight, source.in_proj_bias)
        self.out_proj = Int8Linear(source.out_proj.weight, source.out_proj.bias)

    def in_proj(self, x: Tensor) -> Tensor:
        out: Tensor = self.packed(x)
        return out


def lower(model: Text2Semantic, precision: str) -> Text2Semantic:
    """Change `model` in place to one of PRECISIONS and return it; it can only speak afterwards.

    int8 keeps embeddings, norms and the output layer in bfloat16 and needs a CPU. KeyError for
    another name.
    """
    if precision not in PRECISIONS:
        raise KeyError(precision)
    if precision == "fp32":
        return model
    if precision == "int8":
        for layer in model.h.layers:  # quantised from full precision, before the rest is lowered
            layer.self_attn = Int8Attention(layer.self_attn)
            layer.linear1 = Int8Linear(layer.linear1.weight, layer.linear1.bias)
            layer.linear2 = Int8Linear(layer.linear2.weight, layer.linear2.bias)
    return model.to(torch.bfloat16).eval()
