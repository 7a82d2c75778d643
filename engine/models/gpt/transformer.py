"""Post-norm transformer layers with upstream's parameter names."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.models.dropout import Dropout, apply_dropout
from sovdeck.engine.models.gpt.cache import Cache
from sovdeck.engine.models.gpt.config import GptConfig


def project(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Linear layer `x @ weight.T + bias`, (B, T, C_in) -> (B, T, C_out).

    One token on a CPU is bound by reading the weight; without the bias in the same call torch
    takes the matrix-vector kernel, which reads it once (about 1.15 times as fast).
    """
    if x.device.type == "cpu" and x.shape[1] == 1 and not torch.is_grad_enabled():
        return F.linear(x, weight) + bias
    return F.linear(x, weight, bias)


def softmax_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float
) -> Tensor:
    """Attention of q (B, nh, T, hs) over k, v (B, nh, T_keys, hs) with dropout of its weights.

    `mask` broadcasts to (B, nh, T, T_keys), as in `attend`. With dropout torch has no fused kernel
    on a CPU, and in its plain one the random numbers take most of the time.
    """
    if q.device.type != "cpu" or dropout == 0 or mask is None or mask.dtype == torch.bool:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    # In place and by adding: nothing to compute in the backward pass, and nothing is copied.
    return apply_dropout(scores.add_(mask).softmax(-1), dropout) @ v


class Projection(nn.Linear):
    """A linear layer with the faster kernel for one token, see `project`."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C_in) -> (B, T, C_out)."""
        return project(x, self.weight, self.bias)


def attend(
    qkv: Tensor,
    head: int,
    mask: Tensor | None,
    cache: Cache | None = None,
    layer: int = 0,
    dropout: float = 0.0,
) -> Tensor:
    """Multi-head attention of q, k, v side by side (B, T, 3C) -> (B, T, C).

    With a cache, the T positions also attend to all before them. `mask` is boolean (True =
    attended to), or is added to the scores.
    """
    B, T, C = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
    each = qkv.view(B, T, 3, head, C // head).permute(0, 2, 3, 1, 4)  # (B, 3, nh, T, hs)
    q, k, v = each.unbind(1)
    if cache is not None:
        k, v = cache.append(layer, each[:, 1:])
        q = q.to(k.dtype)  # the cache may hold fewer bits than the layers
    y = softmax_attention(q, k, v, mask, dropout)
    return y.to(qkv.dtype).transpose(1, 2).reshape(B, T, C)


class SelfAttention(nn.Module):
    """Multi-head attention; `in_proj_weight` packs q, k, v in this order."""

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        width = config.hidden_dim
        self.head = config.head
        self.dropout = config.dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = Projection(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self, x: Tensor, mask: Tensor | None, cache: Cache | None = None, layer: int = 0
    ) -> Tensor:
        """(B, T, C) -> (B, T, C). `mask` broadcasts to (B, nh, T, T_keys), see `attend`."""
        qkv = project(x, self.in_proj_weight, self.in_proj_bias)
        dropout = self.dropout if self.training else 0.0
        out: Tensor = self.out_proj(attend(qkv, self.head, mask, cache, layer, dropout))
        return out


class TransformerLayer(nn.Module):
    """x = LN1(x + Attn(x)); x = LN2(x + W2 relu(W1 x)), dropout after each part."""

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        width = config.hidden_dim
        self.self_attn = SelfAttention(config)
        self.linear1 = Projection(width, config.linear_units)
        self.linear2 = Projection(config.linear_units, width)
        self.norm1 = nn.LayerNorm(width, eps=1e-5)
        self.norm2 = nn.LayerNorm(width, eps=1e-5)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, x: Tensor, mask: Tensor | None, cache: Cache | None = None, layer: int = 0
    ) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        x = self.norm1(x + self.dropout(self.self_attn(x, mask, cache, layer)))
        hidden = self.dropout(F.relu(self.linear1(x)))
        out: Tensor = self.norm2(x + self.dropout(self.linear2(hidden)))
        return out


class Transformer(nn.Module):
    """The stack of layers; post-norm, so there is no norm after the last one."""

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.n_layer))

    def forward(self, x: Tensor, mask: Tensor | None, cache: Cache | None = None) -> Tensor:
        """(B, T, C) -> (B, T, C); with a cache, `x` holds only the positions reserved in it."""
        for number, layer in enumerate(self.layers):
            x = layer(x, mask, cache, number)
        return x
