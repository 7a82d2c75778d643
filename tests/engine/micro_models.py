"""Configurations of a few thousand parameters that hold every block, one for each version."""

from __future__ import annotations

from dataclasses import replace

from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.sovits.config import SovitsConfig

SSL = 8  # channels of the content features

SOVITS = SovitsConfig(
    inter_channels=8,
    hidden_channels=8,
    filter_channels=8,
    n_heads=2,
    n_layers=1,
    n_layers_content=1,
    resblock_kernel_sizes=(3,),
    resblock_dilation_sizes=((1, 3),),
    upsample_initial_channel=32,
    gin_channels=8,
    ssl_dim=SSL,
    codebook_size=16,
    ref_channels=8,
    mrte_channels=8,
    mrte_heads=2,
    posterior_layers=1,
    flow_count=1,
    flow_layers=1,
    segment_frames=4,
    scale_channels=(2, 4, 4, 4, 4, 4),
    period_channels=(2, 2, 4, 4, 4),
    periods=(2, 3),
)
SOVITS_PRO = replace(
    SOVITS,
    version="v2Pro",
    gin_channels=12,
    p_dropout=0.0,
    periods=(2, 3, 5),
    speaker_numbers=6,
)
GPT = GptConfig(hidden_dim=16, head=2, n_layer=1, bert_dim=4)
# Weight files do not hold the width of BERT, so what is written must have the real one.
GPT_IN_FILES = replace(GPT, bert_dim=1024)
