"""Rough costs of a run where nothing was measured yet: time, memory, disk.

Every number here is an estimate (parameters.md 2.3 for sizes, single-core timings of the
models for the CPU, users' reports for GPUs) and is shown as one; a measured rate replaces it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sovdeck.engine.contract.spec import TINY_PRESETS

GIB = 1 << 30
_MB = 1_000_000

# Relative seconds of a step; 1 is a GPU like the RTX 3090.
_GPU_TIME_FACTORS = (
    (r"B200|GB200|H200|H100|GH200", 0.5),
    (r"A100|5090|4090|L40|6000 Ada|PRO 6000", 0.7),
    (r"3090|4080|5080|A6000|A40|A10G?\b|5070|V100", 1.0),
    (r"4070|3080|2080|A5000|A4000|5060|L4\b", 1.4),
    (r"T4|1080|3060|4060|2070|P100|1070", 2.2),
)
_UNKNOWN_GPU_TIME_FACTOR = 1.5


@dataclass(frozen=True)
class _Costs:
    """What a stage of a preset takes.

    `export` and `state` are bytes of an exported file and of a resumable state; `time` and
    `activations` are seconds and activation memory of a step, relative to v2; `networks_gib` is
    what networks, gradients and moments take.
    """

    export: int
    state: int
    time: float = 1.0
    networks_gib: float = 2.5
    activations: float = 1.0


_SOVITS_COSTS = {
    "v2": _Costs(85 * _MB, 1180 * _MB),
    "v2Pro": _Costs(135 * _MB, 1730 * _MB, 1.2, 3.2, 1.1),
    "v2ProPlus": _Costs(173 * _MB, 1960 * _MB, 1.5, 3.6, 1.4),
    "tiny": _Costs(1 * _MB, 8 * _MB),
    "tinyPro": _Costs(1 * _MB, 12 * _MB),
}
_SOVITS_COSTS["auto"] = _SOVITS_COSTS["v2Pro"]
_GPT_COSTS = {name: _Costs(155 * _MB, 930 * _MB) for name in _SOVITS_COSTS}
_GPT_COSTS |= {name: _Costs(1 * _MB, 8 * _MB) for name in TINY_PRESETS}
# What writing and hashing a file takes, on the disks that providers have.
_WRITE_BYTES_PER_SECOND = 250 * _MB
_READ_BYTES_PER_SECOND = 800 * _MB
# Seconds of one core, from `make rehearsal` and the networks alone. Opening is Python, torch and
# transformers; what grows with the sound is a pair: of each clip, and of each second of it.
_OPENING_S, _OPENING_TINY_S = 6.0, 5.0
_BUILD_S = {"sovits": 1.5, "gpt": 0.7}  # the networks of a stage, from their files
_OPTIMISER_S = {"sovits": 1.1, "gpt": 0.16}  # of an update, however many clips it has
_TRAIN_CLIP_S = {"sovits": (2.2, 0.03), "gpt": (0.0, 0.27)}
_TINY_OPTIMISER_S = {"sovits": 0.035, "gpt": 0.012}
_TINY_TRAIN_CLIP_S = {"sovits": (0.01, 0.0045), "gpt": (0.0025, 0.0011)}
_FIRST_UPDATE_S = {"sovits": 1.8, "gpt": 0.3}  # beside what any takes: moments are made
_LOSS_CLIP_S = {"sovits": (0.4, 0.03), "gpt": (0.0, 0.09)}
_RESYNTHESIS_CLIP_S = (0.1, 0.25)
_SPEECH_CLIP_S = (0.5, 0.9)  # GPT's tokens and their decoding, in equal parts
_SPEAKER_LOAD_S, _TEXT_ENCODER_LOAD_S = 6.0, 3.0  # all that speaks, once
_PREPARE_LOAD_S = 5.0  # the encoders, once
_PREPARE_S, _SPEAKER_VECTOR_S = 0.25, 0.25  # of a second of recordings; what v2Pro needs more
_LOSS_CLIP_GPU_S, _FIRST_GPU_S = 0.1, 0.6  # a clip; the first kernels of a kind
_SENTENCE_GPU_S = 8.0 / 3
_FIXED_LOSS_CLIPS, SAMPLES = 4, 3
# What the process takes beside a stage: Python with its libraries, and what speaks samples.
_PROCESS_BYTES = int(0.9 * GIB)
_TINY_PROCESS_BYTES = int(0.6 * GIB)
_SPEAKER_BYTES, _TEXT_ENCODER_BYTES = int(1.3 * GIB), int(1.4 * GIB)
_FEATURE_BYTES_PER_SECOND = 64_000 + 154_000  # wave and content features in single precision
_KEPT_STATES = 2
# The end of an epoch is saved when writing the state takes no more of the time since the last one.
STATE_TIME_SHARE = 0.04


def update_seconds(
    stage: str,
    preset: str,
    batch: int,
    micro_batches: float,
    clip_seconds: float,
    gpu_name: str | None,
    cores: int,
) -> float:
    """Seconds of one optimiser update; `gpu_name` None: on the CPU.

    It has `micro_batches` times `batch` clips of this mean length. Both stages read whole clips;
    SoVITS spends nearly all its time on slices of one length, GPT in proportion.
    """
    if preset in TINY_PRESETS:
        clips = micro_batches * batch * _of_clip(_TINY_TRAIN_CLIP_S[stage], clip_seconds)
        return (_TINY_OPTIMISER_S[stage] + clips) * (1.0 if gpu_name is None else 0.5)
    relative = _SOVITS_COSTS[preset].time if stage == "sovits" else 1.0
    if gpu_name is None:
        clips = micro_batches * batch * _of_clip(_TRAIN_CLIP_S[stage], clip_seconds)
        return (_OPTIMISER_S[stage] + clips) * relative / _speedup(cores)
    base, per_clip = (0.25, 0.05) if stage == "sovits" else (0.08, 0.02)
    return micro_batches * (base + per_clip * batch) * relative * gpu_time_factor(gpu_name)


def first_update_seconds(stage: str, preset: str, gpu_name: str | None, cores: int) -> float:
    """Seconds that the first update of all takes beside what any takes."""
    if preset in TINY_PRESETS:
        return 0.0
    return _FIRST_GPU_S if gpu_name is not None else _FIRST_UPDATE_S[stage] / _speedup(cores)


def opening_seconds(preset: str) -> float:
    """Seconds from the start of the process to its first stage."""
    return _OPENING_TINY_S if preset in TINY_PRESETS else _OPENING_S


def build_seconds(stage: str, preset: str) -> float:
    """Seconds to build the networks of a stage with the weights that it starts from."""
    return 0.5 if preset in TINY_PRESETS else _BUILD_S[stage]


def fixed_loss_seconds(
    stage: str, preset: str, clip_seconds: float, gpu_name: str | None, cores: int
) -> float:
    """Seconds to measure the loss of a few training clips, as is done before and after."""
    return loss_seconds(stage, preset, _FIXED_LOSS_CLIPS, clip_seconds, gpu_name, cores)


def loss_seconds(
    stage: str, preset: str, clips: int, clip_seconds: float, gpu_name: str | None, cores: int
) -> float:
    """Seconds to measure the loss of so many clips of this mean length."""
    if preset in TINY_PRESETS:
        return 0.05 * clips
    if gpu_name is not None:
        return (_FIRST_GPU_S if clips else 0.0) + _LOSS_CLIP_GPU_S * clips
    relative = _SOVITS_COSTS[preset].time if stage == "sovits" else 1.0
    return clips * _of_clip(_LOSS_CLIP_S[stage], clip_seconds) * relative / _speedup(cores)


def sample_seconds(
    stage: str, preset: str, sound_seconds: float, gpu_name: str | None, cores: int
) -> float:
    """Seconds of one sample of so much sound, with what speaks it loaded."""
    if stage == "gpt":
        return sentence_seconds(preset, sound_seconds, gpu_name, cores)
    if preset in TINY_PRESETS:
        return 0.1
    if gpu_name is not None:
        return _SENTENCE_GPU_S
    relative = _SOVITS_COSTS[preset].time
    return _of_clip(_RESYNTHESIS_CLIP_S, sound_seconds) * relative / _speedup(cores)


def sentence_seconds(preset: str, sound_seconds: float, gpu_name: str | None, cores: int) -> float:
    """Seconds to speak a sentence of so much sound, through the whole path."""
    if preset in TINY_PRESETS:
        return 0.5
    if gpu_name is not None:
        return _SENTENCE_GPU_S
    return _of_clip(_SPEECH_CLIP_S, sound_seconds) / _speedup(cores)


def speaker_load_seconds(preset: str, *, chinese: bool) -> float:
    """Seconds to load all that speaks a sample, the text encoder where that is Chinese."""
    if preset in TINY_PRESETS:
        return 1.0
    return _SPEAKER_LOAD_S + (_TEXT_ENCODER_LOAD_S if chinese else 0.0)


def pack_seconds(size: int) -> float:
    """Seconds to write and hash a zip of `size` bytes."""
    return 0.5 + _write_seconds(size) + _read_seconds(size)


def export_seconds(stage: str, preset: str) -> float:
    """Seconds to write and hash the file of one voice."""
    return 0.2 if preset in TINY_PRESETS else _write_seconds(_costs(stage, preset).export)


def state_seconds(stage: str, preset: str) -> float:
    """Seconds to write and hash a resumable state."""
    return 0.2 if preset in TINY_PRESETS else _write_seconds(_costs(stage, preset).state)


def resume_seconds(stage: str, preset: str) -> float:
    """Seconds to verify a resumable state and to read it."""
    return 0.2 if preset in TINY_PRESETS else 2 * _read_seconds(_costs(stage, preset).state)


def compare_seconds(stage: str, preset: str) -> float:
    """Seconds to read a voice file and what it started from, to tell what has changed."""
    return 0.1 if preset in TINY_PRESETS else 2 * _read_seconds(_costs(stage, preset).export)


def timed_saves(
    stage: str, preset: str, seconds: float, epochs: int, saves: int, interval: float
) -> int:
    """States beside `saves`: by the clock each `interval` seconds (0: none), of cheap epochs."""
    if not interval or not epochs:
        return 0
    cheap = max(seconds / epochs, state_seconds(stage, preset) / STATE_TIME_SHARE)
    return max(0, int(seconds / min(interval, cheap)) - saves)


def _costs(stage: str, preset: str) -> _Costs:
    return (_SOVITS_COSTS if stage == "sovits" else _GPT_COSTS)[preset]


def _read_seconds(size: int) -> float:
    return size / _READ_BYTES_PER_SECOND


def _of_clip(cost: tuple[float, float], seconds: float) -> float:
    each, per_second = cost
    return each + per_second * seconds


def _write_seconds(size: int) -> float:
    return size / _WRITE_BYTES_PER_SECOND


def _speedup(cores: int) -> float:
    """How much quicker networks compute on so many cores of a CPU than on one."""
    return float(max(1, min(cores, 8)) ** 0.8)


def prepare_seconds(audio_seconds: float, preset: str, gpu_name: str | None, cores: int) -> float:
    """Seconds to prepare features, the loading of the encoders included."""
    if gpu_name is not None:
        return 20 + audio_seconds * 0.02 * gpu_time_factor(gpu_name)
    if preset in TINY_PRESETS:
        return 1.5 + audio_seconds * 0.03 / max(1, min(cores, 4))
    per_second = _PREPARE_S + (0.0 if preset == "v2" else _SPEAKER_VECTOR_S)
    return _PREPARE_LOAD_S + audio_seconds * per_second / max(1, min(cores, 4))


def gpu_time_factor(gpu_name: str) -> float:
    """Seconds of a step on this GPU, relative to an RTX 3090."""
    return next(
        (factor for name, factor in _GPU_TIME_FACTORS if re.search(name, gpu_name)),
        _UNKNOWN_GPU_TIME_FACTOR,
    )


def memory_bytes(stage: str, preset: str, batch: int, seconds: float, phones: int) -> int:
    """Bytes a step takes with `batch` clips of the longest clip's `seconds` and `phones`."""
    if preset in TINY_PRESETS:
        return GIB // 2
    if stage == "sovits":  # networks, gradients and moments; then a slice and the whole clip
        costs = _SOVITS_COSTS[preset]
        clips_gib = batch * (0.3 + 0.045 * seconds) * costs.activations
        return int((costs.networks_gib + clips_gib) * GIB)
    length = seconds * 25 + phones
    attention = 24 * 16 * length**2 * 4 * 2.5
    return int(1.7 * GIB + batch * (attention + 24 * length * 2048 * 4 * 6))


def process_bytes(preset: str, gpu_name: str | None, *, speaks: bool, chinese: bool) -> int:
    """Bytes that a run takes on its device beside the stage that trains.

    On a CPU the process itself; everywhere what speaks samples, with the text encoder where
    something is Chinese.
    """
    base = 0
    if gpu_name is None:
        base = _TINY_PROCESS_BYTES if preset in TINY_PRESETS else _PROCESS_BYTES
    if not speaks or preset in TINY_PRESETS:
        return base
    return base + _SPEAKER_BYTES + (_TEXT_ENCODER_BYTES if chinese else 0)


def export_bytes(stage: str, preset: str) -> int:
    """Bytes of an exported file."""
    return _costs(stage, preset).export


def state_bytes(stage: str, preset: str) -> int:
    """Bytes of a resumable state."""
    return _costs(stage, preset).state


def stage_disk_bytes(
    stage: str, preset: str, saves: int, export_each: bool, keep_all: bool, timed_saves: int = 0
) -> int:
    """Bytes a stage writes: exported files, and resumable states as `keep_all` decides.

    `timed_saves` are states between the ends of epochs.
    """
    costs = _costs(stage, preset)
    states = saves + timed_saves if keep_all else min(saves + timed_saves, _KEPT_STATES)
    # A state is written beside the old ones before those go.
    return costs.export * (saves if export_each else 1) + costs.state * (states + 1)


def feature_disk_bytes(audio_seconds: float) -> int:
    """Bytes of the prepared features of `audio_seconds` of recordings."""
    return int(audio_seconds * _FEATURE_BYTES_PER_SECOND)
