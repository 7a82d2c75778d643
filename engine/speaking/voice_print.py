"""Whose voice it is: a speaker embedding with the weights of the package resemblyzer.

Only the weight file of that package is read (a GE2E encoder: three LSTM layers over 40 mel
bands); the package itself wants a compiler and librosa. Cosines of one speaker were 0.78 and
above, of two speakers mostly below 0.7.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from engine.audio.resample import resample
from engine.contract.problem import ExitCode, Problem
from engine.speaking.marks import voiced
from engine.speaking.sound import RATE
from engine.text.packaged import packaged

PACKAGE, FILE = "resemblyzer", "pretrained.pt"
_HZ = 16_000
_WINDOW, _HOP, _BANDS = 400, 160, 40
_WIDTH = 256
_FRAMES = 160  # of one look at the voice: 1.6 s
_STEP = round(_HZ / 1.3 / _HOP)  # 1.3 looks a second
_LEAST = 0.75  # of the last look must be filled
_LEVEL = 10 ** (-30 / 20)  # quieter speech is raised to this RMS, as when the weights were made
_KEPT_SILENCE = 18  # frames of 10 ms on each side of speech


class _Encoder(nn.Module):
    """(B, T, 40) mel powers -> (B, 256) of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_BANDS, _WIDTH, num_layers=3, batch_first=True)
        self.linear = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, mels: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(mels)
        return nn.functional.normalize(self.linear(hidden[-1]).relu(), dim=1)


class SpeakerPrint:
    """A `marks.VoicePrint`. Problem when the weight file is missing or another one."""

    def __init__(self, file: Path) -> None:
        self._encoder = _Encoder().eval()
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
            state = {
                name: tensor
                for name, tensor in content["model_state"].items()
                if name.startswith(("lstm.", "linear."))
            }
            self._encoder.load_state_dict(state)
        except Exception as error:  # noqa: BLE001  torch has a dozen for a damaged file
            why = f"{type(error).__name__}: {error}".splitlines()[0][:120]
            raise Problem(
                "engine.similarity.unusable", ExitCode.CONFIG, file=str(file), why=why
            ) from error
        self._bands = melscale_fbanks(
            _WINDOW // 2 + 1, 0.0, _HZ / 2, _BANDS, _HZ, norm="slaney", mel_scale="slaney"
        )

    @torch.inference_mode()
    def embed(self, samples: np.ndarray, /) -> np.ndarray:
        """(256,) of unit length for samples (N,) at 32 kHz; zeros for silence."""
        spoken = _spoken(np.asarray(samples, dtype=np.float32))
        if not len(spoken):
            return np.zeros(_WIDTH, np.float32)
        wav = resample(spoken, RATE, _HZ)
        wav = wav * max(1.0, _LEVEL / float(np.sqrt(np.square(wav).mean())))
        starts = _looks(len(wav))
        missing = (starts[-1] + _FRAMES) * _HOP - len(wav)
        mel = self._mel(torch.from_numpy(np.pad(wav, (0, max(0, missing)))))
        looks = torch.stack([mel[start : start + _FRAMES] for start in starts])
        return nn.functional.normalize(self._encoder(looks).mean(dim=0), dim=0).numpy()

    def _mel(self, wav: Tensor) -> Tensor:
        """(N,) -> (T, 40) mel powers."""
        spectrum = torch.stft(
            wav, _WINDOW, _HOP, window=torch.hann_window(_WINDOW), pad_mode="constant",
            return_complex=True,
        )  # fmt: skip
        return spectrum.abs().square().T @ self._bands


def find_weights(given: Path | None, pretrained: Path) -> Path:
    """`given`, else below pretrained/, else the installed package's; Problem without any."""
    places = [given] if given is not None else [pretrained / PACKAGE / FILE]
    if given is None:
        with suppress(PackageNotFoundError):  # the file below pretrained/ is enough
            places.append(packaged(PACKAGE, f"{PACKAGE}/{FILE}"))
    for place in places:
        if place.is_file():
            return place
    raise Problem("engine.similarity.no_weights", ExitCode.CONFIG, file=str(places[0]))


def _looks(samples: int) -> list[int]:
    """First frames of the looks at a wave of so many samples; always at least one."""
    frames = -(-(samples + 1) // _HOP)
    starts = list(range(0, max(1, frames - _FRAMES + _STEP + 1), _STEP))
    filled = (samples - starts[-1] * _HOP) / (_FRAMES * _HOP)
    return starts[:-1] if filled < _LEAST and len(starts) > 1 else starts


def _spoken(samples: np.ndarray) -> np.ndarray:
    """Samples at 32 kHz without what is silent for long."""
    speech = voiced(samples)
    if not len(speech):
        return samples[:0]
    near = (
        np.convolve(np.pad(speech, _KEPT_SILENCE), np.ones(2 * _KEPT_SILENCE + 1), mode="valid") > 0
    )
    kept = np.repeat(near, RATE // 100)
    return samples[: len(kept)][kept]
