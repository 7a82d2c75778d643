"""Prior encoder: quantised content and phones to the distribution of the latent."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.models.sovits.attention import Encoder
from sovdeck.engine.models.sovits.config import SovitsConfig


class CrossAttention(nn.Module):
    """Content frames attend to phones: multi-head attention over 1x1 convolutions."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.conv_q = nn.Conv1d(channels, channels, 1)
        self.conv_k = nn.Conv1d(channels, channels, 1)
        self.conv_v = nn.Conv1d(channels, channels, 1)
        self.conv_o = nn.Conv1d(channels, channels, 1)
        for conv in (self.conv_q, self.conv_k, self.conv_v):
            nn.init.xavier_uniform_(conv.weight)

    def forward(self, x: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Attend: x (B, C, T), text (B, C, L), boolean text_mask (B, 1, L) -> (B, C, T)."""
        q, k, v = (
            conv(y).unflatten(1, (self.heads, -1)).transpose(-2, -1)  # (B, nh, T or L, d)
            for conv, y in ((self.conv_q, x), (self.conv_k, text), (self.conv_v, text))
        )
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=text_mask[:, None])
        return self.conv_o(out.transpose(-2, -1).flatten(1, 2))


class TimbreFusion(nn.Module):
    """Content, phones and timbre into one sequence (upstream calls it MRTE)."""

    def __init__(self, config: SovitsConfig) -> None:
        super().__init__()
        hidden, width = config.hidden_channels, config.mrte_channels
        self.cross_attention = CrossAttention(width, config.mrte_heads)
        self.c_pre = nn.Conv1d(hidden, width, 1)
        self.text_pre = nn.Conv1d(hidden, width, 1)
        self.c_post = nn.Conv1d(width, hidden, 1)

    def forward(
        self, content: Tensor, mask: Tensor, text: Tensor, text_mask: Tensor, timbre: Tensor
    ) -> Tensor:
        """Fuse content (B, H, T), text (B, H, L) and timbre (B, W, 1) -> (B, H, T)."""
        content = self.c_pre(content * mask)
        text = self.text_pre(text * text_mask)
        x = self.cross_attention(content * mask, text * text_mask, text_mask)
        return self.c_post((x + content + timbre) * mask)


class PriorEncoder(nn.Module):
    """Quantised content (B, ssl, T) and phones (B, L) -> mean and log deviation (B, C, T')."""

    def __init__(self, config: SovitsConfig) -> None:
        super().__init__()

        def encoder(layers: int) -> Encoder:
            return Encoder(
                config.hidden_channels,
                config.filter_channels,
                config.n_heads,
                layers,
                config.kernel_size,
                config.p_dropout,
                config.attention_window,
            )

        self.ssl_proj = nn.Conv1d(config.ssl_dim, config.hidden_channels, 1)
        self.encoder_ssl = encoder(config.n_layers_content)
        self.encoder_text = encoder(config.n_layers)
        self.text_embedding = nn.Embedding(config.n_phones, config.hidden_channels)
        self.mrte = TimbreFusion(config)
        self.encoder2 = encoder(config.n_layers_content)
        self.proj = nn.Conv1d(config.hidden_channels, 2 * config.inter_channels, 1)

    def forward(
        self,
        content: Tensor,
        mask: Tensor,
        phones: Tensor,
        phone_mask: Tensor,
        timbre: Tensor,
        *,
        speed: float = 1.0,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """-> mean, log deviation (B, C, T'), mask (B, 1, T').

        T' is T unless `speed` differs from 1; then it is `int(T / speed) + 1`.
        """
        x = self.encoder_ssl(self.ssl_proj(content * mask) * mask, mask)
        text = self.text_embedding(phones).transpose(1, 2)  # (B, H, L)
        text = self.encoder_text(text, phone_mask)
        x = self.mrte(x, mask, text, phone_mask, timbre)
        x = self.encoder2(x, mask)
        if speed != 1:
            frames = int(x.shape[-1] / speed) + 1
            x = F.interpolate(x, size=frames, mode="linear")
            mask = F.interpolate(mask.to(x.dtype), size=frames, mode="nearest").bool()
        mean, log_std = (self.proj(x) * mask).chunk(2, dim=1)
        return mean, log_std, mask


def init_embedding(embedding: nn.Embedding) -> None:
    """Draw phone embeddings of about unit length: the encoder does not scale them."""
    with torch.no_grad():
        embedding.weight.normal_(0.0, embedding.embedding_dim**-0.5)
