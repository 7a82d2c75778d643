"""What a voice sounds like at each save: three fixed sentences, announced with their files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import soundfile
import torch

from engine.audio.spectrogram import spectrogram
from engine.contract.problem import ExitCode, Problem
from engine.models.sovits.synthesizer import Synthesizer
from engine.runtime.durable import is_no_space, write_atomic
from engine.runtime.memory_end import is_out_of_memory
from engine.speaking.sound import wav_bytes
from engine.training.features import RATE, Clip
from engine.training.room import Room

Speak = Callable[[Path, str, Path], float]
"""speak(gpt_file, text, out) writes a wav and returns its seconds."""

COUNT = 3
_MOST_SECONDS = 8.0


def resynthesise(room: Room, model: Synthesizer, clips: Sequence[Clip], epoch: int) -> None:
    """Speak the clips' own tokens: SoVITS alone, before there is a GPT to choose tokens."""
    model.eval()
    device = room.device.torch

    def decoded(clip: Clip, out: Path) -> float:
        samples, _ = soundfile.read(clip.wav, dtype="float32")
        reference = spectrogram(torch.from_numpy(samples)[None]).to(device)
        codes = torch.tensor(clip.tokens, device=device)[None, None]
        phones = torch.tensor(clip.phones, device=device)[None]
        wav = model.decode(codes, phones, [reference])[0, 0].float().cpu().numpy()
        write_atomic(out, wav_bytes(wav))
        return len(wav) / RATE

    with torch.random.fork_rng(), torch.no_grad():
        for number, clip in enumerate(_chosen(clips), 1):
            if room.stop.is_set:  # everything is saved, and somebody waits
                break
            torch.manual_seed(number)
            _announce(room, "sovits", epoch, number, clip, decoded)
    model.train()


def speak_each(room: Room, speak: Speak, gpt: Path, clips: Sequence[Clip], epoch: int) -> None:
    """Speak the clips' texts through the whole path."""
    with torch.random.fork_rng():
        for number, clip in enumerate(_chosen(clips), 1):
            if room.stop.is_set:
                break
            _announce(room, "gpt", epoch, number, clip, lambda one, out: speak(gpt, one.text, out))


def _announce(
    room: Room,
    stage: str,
    epoch: int,
    number: int,
    clip: Clip,
    write: Callable[[Clip, Path], float],
) -> None:
    """Let `write` make one sample and tell of it. One that fails is only a warning."""
    folder = Path(room.layout.run(room.spec.run).path) / "samples"
    out = folder / f"{stage}-e{epoch}-{number}.wav"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        seconds = write(clip, out)
    except Problem as problem:
        room.emit("warning", stage, **problem.as_json())
    except (OSError, RuntimeError) as error:
        if not is_no_space(error) and not is_out_of_memory(error):
            raise
        notice = Problem(
            "engine.training.sample_lost", ExitCode.DATA, file=out.name, why=str(error)[:200]
        )
        room.emit("warning", stage, **notice.as_json())
    else:
        room.emit(
            "sample", stage, path=room.relative(out), text=clip.text, seconds=seconds, epoch=epoch
        )


def _chosen(clips: Sequence[Clip]) -> list[Clip]:
    """The same clips at every save; long ones would hold the training up."""
    fitting = [clip for clip in clips if clip.seconds <= _MOST_SECONDS] or list(clips)
    return fitting[:COUNT]
