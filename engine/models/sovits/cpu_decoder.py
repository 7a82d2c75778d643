"""The HiFi-GAN decoder with packed weights for a CPU: the same sums, without reordering data.

A plain `conv1d` reorders its input, its output and its weight for oneDNN and back at each
call; in bfloat16 that takes longer than the convolution. Here every weight is folded and
reordered once, activations stay channels-last from end to end, and what follows a convolution
(leaky ReLU, the residual sum) is done while its result is still in the cache.

oneDNN compiles code for each new shape, which in bfloat16 takes seconds for a new length of
sentence. So bfloat16 decodes in windows of a few fixed lengths that overlap by the receptive
field: the same sums, and code that is compiled already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.models.onednn_support import has_onednn_kernels
from sovdeck.engine.models.sovits.decoder import LAST_SLOPE, SLOPE, Decoder, ResidualBlock
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.weight_norm import effective_weight

_CHANNELS_LAST = torch.channels_last
# Frames of a window. Two of one length overlap enough up to where the next length begins.
_WINDOW_FRAMES = (96, 61, 44)


def pack_decoder(model: Synthesizer, dtype: torch.dtype) -> bool:
    """Let `model` decode in float32 or bfloat16 with packed weights; it cannot train afterwards.

    False where the kernels are missing, and then nothing was changed.
    """
    if model.ssl_proj.weight.device.type != "cpu" or not has_onednn_kernels(dtype):
        return False
    model.dec = PackedDecoder(model.dec, dtype)  # type: ignore[assignment]
    return True


class PackedDecoder(nn.Module):
    """`Decoder` in `dtype`: latent (B, C, T) and timbre (B, G, 1) -> wave (B, 1, N) float32."""

    def __init__(self, source: Decoder, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.receptive_frames = source.receptive_frames
        self.cond = source.cond
        self.conv_pre = _PackedConvolution(source.conv_pre, dtype)
        self.ups = [_PackedUpsampling(up, dtype) for up in source.ups]
        blocks: Any = source.resblocks  # torch types the parts of a module list as bare modules
        self.resblocks = [_PackedResidualBlock(block, dtype) for block in blocks]
        self.conv_post = _PackedConvolution(source.conv_post, dtype)

    def forward(self, z: Tensor, timbre: Tensor) -> Tensor:
        """Latent (B, C, T) and timbre (B, G, 1) -> wave (B, 1, N) float32."""
        if self.dtype is torch.float32:
            return self._decode(z, timbre)
        size = next((size for size in _WINDOW_FRAMES if size <= z.shape[-1]), z.shape[-1])
        return decode_in_windows(
            lambda part: self._decode(part, timbre), z, size, self.receptive_frames
        )

    def _decode(self, z: Tensor, timbre: Tensor) -> Tensor:
        x = self.conv_pre(z.to(self.dtype)[:, :, None].contiguous(memory_format=_CHANNELS_LAST))
        x.add_(self.cond(timbre)[:, :, None])
        per_stage = len(self.resblocks) // len(self.ups)
        for i, up in enumerate(self.ups):
            x = up(F.leaky_relu_(x, SLOPE))  # (B, C, 1, T')
            active = F.leaky_relu(x, SLOPE)  # the first operation of every block
            first, *others = self.resblocks[i * per_stage : (i + 1) * per_stage]
            total = first(x, active)
            for block in others:
                total.add_(block(x, active))
            x = total.div_(per_stage)
        wave: Tensor = self.conv_post(F.leaky_relu_(x, LAST_SLOPE))
        return wave[:, :, 0].float().tanh()


def decode_in_windows(
    decode: Callable[[Tensor], Tensor], z: Tensor, size: int, receptive_frames: int
) -> Tensor:
    """`decode` of z (B, C, T) in windows of `size` frames, T >= size: the same as at once.

    A latent frame influences `receptive_frames` on either side, so that much of each window is
    dropped where another one continues; the ends of the sentence are ends of windows.
    """
    T = z.shape[-1]
    if size <= 2 * receptive_frames or size == T:
        return decode(z)
    starts = [*range(0, T - size, size - 2 * receptive_frames), T - size]
    waves, done = [], 0
    for start in starts:
        wave = decode(z[:, :, start : start + size])
        hop = wave.shape[-1] // size
        end = T if start == starts[-1] else start + size - receptive_frames
        waves.append(wave[:, :, (done - start) * hop : (end - start) * hop])
        done = end
    return torch.cat(waves, dim=-1)


class _PackedConvolution:
    """A convolution (B, C, 1, T) -> (B, H, 1, T), with a leaky ReLU behind it where `slope` is."""

    def __init__(self, source: Any, dtype: torch.dtype, slope: float | None = None) -> None:
        weight = _fold_weight_norm(source, dtype)
        self._bias = None if source.bias is None else source.bias.detach().to(dtype)
        self._geometry = ([0, *source.padding], [1, 1], [1, *source.dilation], 1)
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self._geometry)
        self._activation = ("none", [], "") if slope is None else ("leaky_relu", [slope], "")
        self._kernel: Any = torch.ops.mkldnn._convolution_pointwise.default
        self._add_kernel: Any = torch.ops.mkldnn._convolution_pointwise_.binary

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = self._kernel(x, self._weight, self._bias, *self._geometry, *self._activation)
        return out

    def add_to(self, total: Tensor, x: Tensor) -> None:
        """`total` (B, H, 1, T) += this of x."""
        arguments = (x, self._weight, self._bias, *self._geometry)
        self._add_kernel(total, *arguments, "add", 1.0, None, [], None)


class _PackedUpsampling:
    """A transposed convolution (B, C, 1, T) -> (B, H, 1, T * stride)."""

    def __init__(self, source: Any, dtype: torch.dtype) -> None:
        weight = _fold_weight_norm(source, dtype)
        self._bias = source.bias.detach().to(dtype)
        self._geometry = ([0, *source.padding], [0, 0], [1, *source.stride], [1, 1], 1)
        reorder = torch.ops.mkldnn._reorder_convolution_transpose_weight
        self._weight = reorder(weight, *self._geometry)
        self._kernel: Any = torch.ops.mkldnn._convolution_transpose_pointwise.default

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = self._kernel(x, self._weight, self._bias, *self._geometry, "none", [], "")
        return out


class _PackedResidualBlock:
    """One `ResidualBlock`."""

    def __init__(self, source: ResidualBlock, dtype: torch.dtype) -> None:
        self._pairs = [
            (_PackedConvolution(dilated, dtype, SLOPE), _PackedConvolution(plain, dtype))
            for dilated, plain in zip(source.convs1, source.convs2, strict=True)
        ]

    def __call__(self, x: Tensor, active: Tensor) -> Tensor:
        """`active` is the leaky ReLU of x; both stay as they are."""
        x = x.clone(memory_format=torch.preserve_format)
        for number, (dilated, plain) in enumerate(self._pairs):
            plain.add_to(x, dilated(F.leaky_relu(x, SLOPE) if number else active))
        return x


def _fold_weight_norm(conv: Any, dtype: torch.dtype) -> Tensor:
    """The kernel of a convolution over time, weight norm folded, as one over (1, time)."""
    weight = effective_weight(conv) if hasattr(conv, "weight_v") else conv.weight
    return weight.detach().to(dtype)[:, :, None].contiguous(memory_format=_CHANNELS_LAST)
