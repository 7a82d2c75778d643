"""Samples at each save: three fixed sentences as wav files, each with a `sample` event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import soundfile
import torch

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, encode_wav
from sovdeck.engine.audio.spectrogram import spectrogram
from sovdeck.engine.contract.atomic_io import is_disk_full, write_atomic
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.runtime import rng
from sovdeck.engine.runtime.oom import is_out_of_memory
from sovdeck.engine.training.context import RunContext
from sovdeck.engine.training.features import TrainingClip
from sovdeck.engine.training.sovits_data import load_speakers

SpeakSample = Callable[[Path, str, Path], float]
"""speak(gpt_file, text, out) writes a wav and returns its seconds."""

SAMPLE_COUNT = 3
_MAX_SECONDS = 8.0


def resynthesise(
    context: RunContext, model: Synthesizer, clips: Sequence[TrainingClip], epoch: int
) -> None:
    """Speak the clips' own tokens: SoVITS alone, before there is a GPT to choose tokens."""
    model.eval()
    device = context.device.torch_device

    def decode_clip(clip: TrainingClip, out: Path) -> float:
        samples, _ = soundfile.read(clip.wav, dtype="float32")
        reference = spectrogram(torch.from_numpy(samples)[None]).to(device)
        codes = torch.tensor(clip.tokens, device=device)[None, None]
        phones = torch.tensor(clip.phones, device=device)[None]
        vectors = load_speakers([clip])
        speakers = None if vectors is None else [vectors.to(device)]
        wav = model.decode(codes, phones, [reference], speakers=speakers)
        spoken = wav[0, 0].float().cpu().numpy()
        write_atomic(out, encode_wav(spoken))
        return len(spoken) / SPEECH_SAMPLE_RATE

    with rng.forked(device), torch.no_grad():
        for number, clip in enumerate(_choose_clips(clips), 1):
            if context.stop.is_set:  # everything is saved, and somebody waits
                break
            torch.manual_seed(number)
            _write_sample(context, "sovits", epoch, number, clip, decode_clip)
    model.train()


def speak_clips(
    context: RunContext, speak: SpeakSample, gpt: Path, clips: Sequence[TrainingClip], epoch: int
) -> None:
    """Speak the clips' texts through the whole path."""
    with rng.forked(context.device.torch_device):
        for number, clip in enumerate(_choose_clips(clips), 1):
            if context.stop.is_set:
                break
            _write_sample(
                context,
                "gpt",
                epoch,
                number,
                clip,
                lambda sample_clip, out: speak(gpt, sample_clip.text, out),
            )


def _write_sample(
    context: RunContext,
    stage: str,
    epoch: int,
    number: int,
    clip: TrainingClip,
    write: Callable[[TrainingClip, Path], float],
) -> None:
    """Let `write` make one sample and emit its event. One that fails is only a warning."""
    folder = Path(context.layout.run(context.spec.run).path) / "samples"
    out = folder / f"{stage}-e{epoch}-{number}.wav"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        seconds = write(clip, out)
    except Problem as problem:
        context.emit("warning", stage, **problem.as_json())
    except (OSError, RuntimeError) as error:
        if not is_disk_full(error) and not is_out_of_memory(error):
            raise
        notice = Problem(
            "engine.training.sample_lost", ExitCode.DATA, file=out.name, why=str(error)[:200]
        )
        context.emit("warning", stage, **notice.as_json())
    else:
        context.emit(
            "sample",
            stage,
            path=context.relative_path(out),
            text=clip.text,
            seconds=seconds,
            epoch=epoch,
        )


def _choose_clips(clips: Sequence[TrainingClip]) -> list[TrainingClip]:
    """The same clips at every save; long ones would hold the training up.

    Where all are long, the shortest one.
    """
    fitting = [clip for clip in clips if clip.seconds <= _MAX_SECONDS]
    return fitting[:SAMPLE_COUNT] or sorted(clips, key=lambda clip: clip.seconds)[:1]
