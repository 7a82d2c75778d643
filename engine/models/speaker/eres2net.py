"""ERes2NetV2: mel features to a vector that says who is speaking (arXiv:2406.02167).

Attribute names are the state-dict keys of 3D-Speaker's weights.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.models.speaker.blocks import AttentiveFusion, SplitBlock
from sovdeck.engine.models.speaker.config import SpeakerConfig

_STRIDES = (1, 2, 2, 2)


class ERes2NetV2(nn.Module):
    """Log mel features (B, T, bands) to a speaker vector (B, `config.vector`).

    The vector is the last feature map, averaged over time. The embedding layer `seg_1` belongs
    to the weight file and is not used here: GPT-SoVITS conditions on what comes before it.
    """

    def __init__(self, config: SpeakerConfig) -> None:
        super().__init__()
        self.config = config
        planes, expansion = config.planes, config.expansion
        self.conv1 = nn.Conv2d(1, config.channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(config.channels)
        inputs, stages = config.channels, []
        for number, (width, blocks, stride) in enumerate(
            zip(planes, config.blocks, _STRIDES, strict=True)
        ):
            stage = nn.Sequential()
            for block in range(blocks):
                stage.append(
                    SplitBlock(
                        config, inputs, width, stride if block == 0 else 1, fused=number >= 2
                    )
                )
                inputs = width * expansion
            stages.append(stage)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.layer3_ds = nn.Conv2d(
            planes[2] * expansion, planes[3] * expansion, 3, 2, padding=1, bias=False
        )
        self.fuse34 = AttentiveFusion(planes[3] * expansion)
        self.seg_1 = nn.Linear(2 * config.vector, config.embedding)  # mean and deviation

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, T, bands) -> (B, channels * bands // 8), channel-major."""
        x = F.relu(self.bn1(self.conv1(features.transpose(1, 2)[:, None])))  # (B, C, F, T)
        third = self.layer3(self.layer2(self.layer1(x)))
        fused = self.fuse34(self.layer4(third), self.layer3_ds(third))
        return fused.flatten(1, 2).mean(-1)
