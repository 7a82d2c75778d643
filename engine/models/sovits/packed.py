"""The HiFi-GAN decoder packed for speaking on a CPU: equal sums, without moving data about.

A plain `conv1d` turns its input, its output and its weight into oneDNN's own order and back at
each call; in bfloat16 that takes longer than the convolution. Here every weight is folded and
laid out once, sound stays channels-last from end to end, and what follows a convolution (leaky
ReLU, the residual sum) is done while its result is still in the cache.

oneDNN writes code for each shape it meets, which in bfloat16 takes seconds for a new length of
sentence. So bfloat16 decodes in windows of a few fixed lengths that overlap by what one frame can
reach: the same sums, and code that is there already.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.onednn import has_kernels
from engine.models.sovits.decoder import LAST_SLOPE, SLOPE, Decoder, ResidualBlock
from engine.models.sovits.synthesizer import Synthesizer
from engine.models.weight_norm import effective_weight

_LAST = torch.channels_last
# Frames of a window. Two of one length overlap enough up to where the next length begins.
_WINDOWS = (96, 61, 44)


def pack(model: Synthesizer, dtype: torch.dtype) -> bool:
    """Let `model` decode in float32 or bfloat16 with prepared weights; False where the kernels
    are missing, and then nothing was changed. It can only speak afterwards."""
    if model.ssl_proj.weight.device.type != "cpu" or not has_kernels(dtype):
        return False
    model.dec = PackedDecoder(model.dec, dtype)  # type: ignore[assignment]
    return True


class PackedDecoder(nn.Module):
    """`Decoder` in `dtype`: latent (B, C, T) and timbre (B, G, 1) -> wave (B, 1, N) float32."""

    def __init__(self, source: Decoder, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.reach = reach(source)
        self.cond = source.cond
        self.conv_pre = _Convolution(source.conv_pre, dtype)
        self.ups = [_Upsampling(up, dtype) for up in source.ups]
        blocks: Any = source.resblocks  # torch types the parts of a module list as bare modules
        self.resblocks = [_Residual(block, dtype) for block in blocks]
        self.conv_post = _Convolution(source.conv_post, dtype)

    def forward(self, z: Tensor, timbre: Tensor) -> Tensor:
        if self.dtype is torch.float32:
            return self._whole(z, timbre)
        size = next((size for size in _WINDOWS if size <= z.shape[-1]), z.shape[-1])
        return by_windows(lambda part: self._whole(part, timbre), z, size, self.reach)

    def _whole(self, z: Tensor, timbre: Tensor) -> Tensor:
        x = self.conv_pre(z.to(self.dtype)[:, :, None].contiguous(memory_format=_LAST))
        x.add_(self.cond(timbre)[:, :, None])
        per_stage = len(self.resblocks) // len(self.ups)
        for i, up in enumerate(self.ups):
            x = up(F.leaky_relu_(x, SLOPE))  # (B, C, 1, T')
            active = F.leaky_relu(x, SLOPE)  # what every block begins with
            first, *others = self.resblocks[i * per_stage : (i + 1) * per_stage]
            total = first(x, active)
            for block in others:
                total.add_(block(x, active))
            x = total.div_(per_stage)
        wave: Tensor = self.conv_post(F.leaky_relu_(x, LAST_SLOPE))
        return wave[:, :, 0].float().tanh()


def by_windows(decode: Callable[[Tensor], Tensor], z: Tensor, size: int, reach: int) -> Tensor:
    """`decode` of z (B, C, T) in windows of `size` frames, T >= size: as if it were done at once.

    A frame sounds `reach` frames into its neighbours, so that much of each window is left out
    where another one goes on; the ends of the sentence are ends of windows.
    """
    T = z.shape[-1]
    if size <= 2 * reach or size == T:
        return decode(z)
    starts = [*range(0, T - size, size - 2 * reach), T - size]
    waves, done = [], 0
    for start in starts:
        wave = decode(z[:, :, start : start + size])
        hop = wave.shape[-1] // size
        end = T if start == starts[-1] else start + size - reach
        waves.append(wave[:, :, (done - start) * hop : (end - start) * hop])
        done = end
    return torch.cat(waves, dim=-1)


def reach(decoder: Decoder) -> int:
    """How many frames to either side of it a latent frame is heard."""
    ups: Any = decoder.ups  # torch types the parts of a module list as bare modules
    frames, rate = _half(decoder.conv_pre), 1.0
    per_stage = len(decoder.resblocks) // len(ups)
    for i, up in enumerate(ups):
        frames += up.kernel_size[0] / up.stride[0] / rate
        rate *= up.stride[0]
        blocks: Any = decoder.resblocks[i * per_stage : (i + 1) * per_stage]
        frames += max(
            sum(_half(conv) for conv in (*block.convs1, *block.convs2)) for block in blocks
        ) / rate  # fmt: skip
    return math.ceil(frames + _half(decoder.conv_post) / rate)


def _half(conv: Any) -> float:
    return float(conv.dilation[0] * (conv.kernel_size[0] - 1) / 2)


class _Convolution:
    """A convolution (B, C, 1, T) -> (B, H, 1, T), with a leaky ReLU behind it where `slope` is."""

    def __init__(self, source: Any, dtype: torch.dtype, slope: float | None = None) -> None:
        weight = _folded(source, dtype)
        self._bias = None if source.bias is None else source.bias.detach().to(dtype)
        self._how = ([0, *source.padding], [1, 1], [1, *source.dilation], 1)
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self._how)
        self._after = ("none", [], "") if slope is None else ("leaky_relu", [slope], "")
        self._run: Any = torch.ops.mkldnn._convolution_pointwise.default
        self._run_adding: Any = torch.ops.mkldnn._convolution_pointwise_.binary

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = self._run(x, self._weight, self._bias, *self._how, *self._after)
        return out

    def add_to(self, total: Tensor, x: Tensor) -> None:
        """`total` (B, H, 1, T) += this of x."""
        facts = (x, self._weight, self._bias, *self._how)
        self._run_adding(total, *facts, "add", 1.0, None, [], None)


class _Upsampling:
    """A transposed convolution (B, C, 1, T) -> (B, H, 1, T * stride)."""

    def __init__(self, source: Any, dtype: torch.dtype) -> None:
        weight = _folded(source, dtype)
        self._bias = source.bias.detach().to(dtype)
        self._how = ([0, *source.padding], [0, 0], [1, *source.stride], [1, 1], 1)
        reorder = torch.ops.mkldnn._reorder_convolution_transpose_weight
        self._weight = reorder(weight, *self._how)
        self._run: Any = torch.ops.mkldnn._convolution_transpose_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = self._run(x, self._weight, self._bias, *self._how, "none", [], "")
        return out


class _Residual:
    """One `ResidualBlock`."""

    def __init__(self, source: ResidualBlock, dtype: torch.dtype) -> None:
        self._pairs = [
            (_Convolution(dilated, dtype, SLOPE), _Convolution(plain, dtype))
            for dilated, plain in zip(source.convs1, source.convs2, strict=True)
        ]

    def __call__(self, x: Tensor, active: Tensor) -> Tensor:
        """`active` is the leaky ReLU of x; both stay as they are."""
        x = x.clone(memory_format=torch.preserve_format)
        for number, (dilated, plain) in enumerate(self._pairs):
            plain.add_to(x, dilated(F.leaky_relu(x, SLOPE) if number else active))
        return x


def _folded(conv: Any, dtype: torch.dtype) -> Tensor:
    """The kernel of a convolution over time, weight norm folded, as one over (1, time)."""
    weight = effective_weight(conv) if hasattr(conv, "weight_v") else conv.weight
    return weight.detach().to(dtype)[:, :, None].contiguous(memory_format=_LAST)
