"""Who speaks in an item, as v2Pro is told: one vector a clip in `7-sv_cn`."""

from __future__ import annotations

import soundfile
import torch

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.audio.resample import resample
from sovdeck.engine.contract.dataset.items import DatasetItem
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder
from sovdeck.engine.models.speaker.features import SAMPLE_RATE as SPEAKER_RATE
from sovdeck.engine.prepare.cache_index import cache_key
from sovdeck.engine.prepare.dataset_folder import DatasetFolder, replace_tensor


def speaker_key(made_from_audio: str, encoder_id: str) -> str:
    """What the vector of an item is made from: its stored wave, and the network."""
    return cache_key(made_from_audio, encoder_id)


def make_speaker_vector(item: DatasetItem, encoder: SpeakerEncoder, folder: DatasetFolder) -> None:
    """Write the vector (1, S) of the item's stored 32 kHz wave, as loud as it lies there.

    Problem naming the item when its wave is too short or the vector is not finite; upstream
    would train such a clip with zeros.
    """
    samples, rate = soundfile.read(folder.wav(item.name), dtype="float32")
    try:
        if rate != SPEECH_SAMPLE_RATE or samples.ndim != 1:
            raise ValueError(f"{rate} Hz, {samples.ndim} channels")
        wav = torch.from_numpy(resample(samples, SPEECH_SAMPLE_RATE, SPEAKER_RATE))
        vector = encoder.vector(wav)
    except ValueError as error:
        raise Problem(
            "engine.data.no_speaker",
            ExitCode.DATA,
            line=item.line,
            name=item.name,
            why=str(error),
        ) from error
    # Upstream keeps half precision on a GPU and single on a CPU.
    replace_tensor(folder.speaker(item.name), vector.half() if vector.is_cuda else vector)
