"""The smallest networks that hold every block."""

from __future__ import annotations

from dataclasses import replace

from engine.models.gpt.config import GptConfig
from engine.models.sovits.config import SovitsConfig

MICRO = replace(
    SovitsConfig.tiny(), inter_channels=4, hidden_channels=4, filter_channels=4, n_layers=1,
    upsample_initial_channel=32, gin_channels=4, ssl_dim=4, ref_channels=4, mrte_channels=4,
    posterior_layers=1, flow_count=1, flow_layers=1, codebook_size=8, ref_bins=8, spec_bins=8,
    scale_channels=(4, 4, 4), period_channels=(4, 4),
)  # fmt: skip
MICRO_GPT = replace(GptConfig.tiny(), hidden_dim=8, head=2, n_layer=1, bert_dim=1024)
