"""What a voice sounds like at each save: three fixed sentences, announced with their files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import soundfile
import torch

from engine.audio.spectrogram import spectrogram
from engine.contract.problem import Problem
from engine.models.sovits.synthesizer import Synthesizer
from engine.training.features import RATE, Clip
from engine.training.room import Room

Speak = Callable[[Path, str, Path], float]
"""speak(gpt_file, text, out) writes a wav and returns its seconds."""

COUNT = 3
_MOST_SECONDS = 8.0


def resynthesise(room: Room, model: Synthesizer, clips: Sequence[Clip], epoch: int) -> None:
    """Speak the clips' own tokens: SoVITS alone, before there is a GPT to choose tokens."""
    model.eval()
    with torch.random.fork_rng(), torch.no_grad():
        for number, clip in enumerate(_chosen(clips), 1):
            torch.manual_seed(number)
            samples, _ = soundfile.read(clip.wav, dtype="float32")
            reference = spectrogram(torch.from_numpy(samples)[None]).to(room.device.torch)
            codes = torch.tensor(clip.tokens, device=room.device.torch)[None, None]
            phones = torch.tensor(clip.phones, device=room.device.torch)[None]
            wav = model.decode(codes, phones, [reference])[0, 0].float().cpu()
            out = _place(room, "sovits", epoch, number)
            out.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(out, wav.clamp(-1, 1).numpy(), RATE, subtype="PCM_16")
            _announce(room, "sovits", out, clip.text, len(wav) / RATE, epoch)
    model.train()


def speak_each(room: Room, speak: Speak, gpt: Path, clips: Sequence[Clip], epoch: int) -> None:
    """Speak the clips' texts through the whole path. A sample that fails is only a warning."""
    with torch.random.fork_rng():
        for number, clip in enumerate(_chosen(clips), 1):
            out = _place(room, "gpt", epoch, number)
            out.parent.mkdir(parents=True, exist_ok=True)
            try:
                seconds = speak(gpt, clip.text, out)
            except Problem as problem:
                room.emit("warning", "gpt", **problem.as_json())
                continue
            _announce(room, "gpt", out, clip.text, seconds, epoch)


def _chosen(clips: Sequence[Clip]) -> list[Clip]:
    """The same clips at every save; long ones would hold the training up."""
    fitting = [clip for clip in clips if clip.seconds <= _MOST_SECONDS] or list(clips)
    return fitting[:COUNT]


def _place(room: Room, stage: str, epoch: int, number: int) -> Path:
    folder = Path(room.layout.run(room.spec.run).path) / "samples"
    return folder / f"{stage}-e{epoch}-{number}.wav"


def _announce(room: Room, stage: str, out: Path, text: str, seconds: float, epoch: int) -> None:
    room.emit("sample", stage, path=room.relative(out), text=text, seconds=seconds, epoch=epoch)
