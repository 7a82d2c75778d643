"""Widths and depths of the speaker network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SpeakerConfig:
    """Every size of an ERes2NetV2. The defaults are 3D-Speaker's `w24s4ep4`."""

    mel_bands: int = 80
    channels: int = 64  # after the first convolution; each stage doubles its planes
    base_width: int = 24  # channels of one split are planes * base_width // 64
    scale: int = 4  # splits of a block
    expansion: int = 4  # output channels of a block are planes * expansion
    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    embedding: int = 192

    @classmethod
    def tiny(cls) -> SpeakerConfig:
        """The same blocks, a hundred times quicker: for tests and demonstrations."""
        return cls(channels=4, blocks=(1, 1, 1, 1))

    @property
    def planes(self) -> tuple[int, int, int, int]:
        """Planes of the four stages."""
        first = self.channels
        return first, 2 * first, 4 * first, 8 * first

    @property
    def vector(self) -> int:
        """Numbers of a speaker vector: channels times frequencies of the last stage (20,480)."""
        return self.planes[-1] * self.expansion * (self.mel_bands // 8)
