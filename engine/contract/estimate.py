"""Rough costs of a run where nothing was measured yet: time, memory, disk.

Every figure here is an estimate (parameters.md 2.3 for sizes, single-core timings of the
models for the CPU, users' reports for GPUs) and is shown as one; a measured rate replaces it.
"""

from __future__ import annotations

import re

GIB = 1 << 30
_MB = 1_000_000

# Relative seconds of a step; 1 is a card like the RTX 3090.
_CARDS = (
    (r"B200|GB200|H200|H100|GH200", 0.5),
    (r"A100|5090|4090|L40|6000 Ada|PRO 6000", 0.7),
    (r"3090|4080|5080|A6000|A40|A10G?\b|5070|V100", 1.0),
    (r"4070|3080|2080|A5000|A4000|5060|L4\b", 1.4),
    (r"T4|1080|3060|4060|2070|P100|1070", 2.2),
)
_UNKNOWN_CARD = 1.5

# Exported file, resumable state: bytes each.
_SIZES = {
    ("v2", "sovits"): (85 * _MB, 1180 * _MB),
    ("v2", "gpt"): (155 * _MB, 930 * _MB),
    ("tiny", "sovits"): (1 * _MB, 8 * _MB),
    ("tiny", "gpt"): (1 * _MB, 8 * _MB),
}
_FEATURE_BYTES_A_SECOND = 64_000 + 154_000  # wave and content features in single precision
_KEPT_STATES = 2


def update_seconds(stage: str, preset: str, batch: int, micro: float, card: str | None,
                   cores: int) -> float:  # fmt: skip
    """Seconds of one optimiser update of `micro` micro-batches; `card` None: the CPU."""
    if preset == "tiny":
        return micro * 0.03 * (batch + 1) * (1.0 if card is None else 0.5)
    if card is None:
        return (
            micro
            * batch
            * (2.8 if stage == "sovits" else 3.1)
            / float(max(1, min(cores, 8)) ** 0.8)
        )
    base, each = (0.25, 0.05) if stage == "sovits" else (0.08, 0.02)
    return micro * (base + each * batch) * card_factor(card)


def prepare_seconds(audio_seconds: float, preset: str, card: str | None, cores: int) -> float:
    """Seconds to make features; loading the encoders included."""
    if card is not None:
        return 20 + audio_seconds * 0.02 * card_factor(card)
    each = 0.03 if preset == "tiny" else 0.25
    return 10 + audio_seconds * each / max(1, min(cores, 4))


def card_factor(card: str) -> float:
    return next((factor for name, factor in _CARDS if re.search(name, card)), _UNKNOWN_CARD)


def memory_bytes(stage: str, preset: str, batch: int, seconds: float, phones: int) -> int:
    """Memory of a step over `batch` clips as long as the longest."""
    if preset == "tiny":
        return GIB // 2
    if stage == "sovits":  # networks, gradients and moments; then a slice and the whole clip
        return int((2.5 + batch * (0.3 + 0.045 * seconds)) * GIB)
    length = seconds * 25 + phones
    attention = 24 * 16 * length**2 * 4 * 2.5
    return int(1.7 * GIB + batch * (attention + 24 * length * 2048 * 4 * 6))


def stage_disk(stage: str, preset: str, saves: int, export_each: bool, keep_all: bool) -> int:
    """Bytes a stage writes: exported files, and resumable states by the policy."""
    export, state = _SIZES[preset, stage]
    states = saves if keep_all else min(saves, _KEPT_STATES)
    # A state is written beside the old ones before those go.
    return export * (saves if export_each else 1) + state * (states + 1)


def feature_disk(audio_seconds: float) -> int:
    return int(audio_seconds * _FEATURE_BYTES_A_SECOND)
