"""Speaker similarity: an embedding with the weights of the package resemblyzer.

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

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.audio.resample import resample
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.metrics import find_voiced_frames
from sovdeck.engine.text.package_data import package_file

PACKAGE, WEIGHT_FILE = "resemblyzer", "pretrained.pt"
_SAMPLE_RATE = 16_000
_FFT_SIZE, _HOP_LENGTH, _MEL_BANDS = 400, 160, 40
_EMBEDDING_SIZE = 256
_WINDOW_FRAMES = 160  # of one window: 1.6 s
_WINDOW_STEP = round(_SAMPLE_RATE / 1.3 / _HOP_LENGTH)  # 1.3 windows a second
_MIN_FILLED = 0.75  # of the last window must be filled
_MIN_RMS = 10 ** (-30 / 20)  # quieter speech is raised to this RMS, as when the weights were made
_KEPT_SILENCE = 18  # frames of 10 ms on each side of speech


class _Encoder(nn.Module):
    """(B, T, 40) mel powers -> (B, 256) of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_MEL_BANDS, _EMBEDDING_SIZE, num_layers=3, batch_first=True)
        self.linear = nn.Linear(_EMBEDDING_SIZE, _EMBEDDING_SIZE)

    def forward(self, mels: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(mels)
        return nn.functional.normalize(self.linear(hidden[-1]).relu(), dim=1)


class ResemblyzerEmbedder:
    """A `metrics.SpeakerEmbedder`. Problem when the weight file is missing or another one."""

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
        self._mel_filters = melscale_fbanks(
            _FFT_SIZE // 2 + 1,
            0.0,
            _SAMPLE_RATE / 2,
            _MEL_BANDS,
            _SAMPLE_RATE,
            norm="slaney",
            mel_scale="slaney",
        )

    @torch.inference_mode()
    def embed(self, samples: np.ndarray, /) -> np.ndarray:
        """(256,) of unit length for samples (N,) at 32 kHz; zeros for silence."""
        speech = _drop_silence(np.asarray(samples, dtype=np.float32))
        if not len(speech):
            return np.zeros(_EMBEDDING_SIZE, np.float32)
        wav = resample(speech, SPEECH_SAMPLE_RATE, _SAMPLE_RATE)
        wav = wav * max(1.0, _MIN_RMS / float(np.sqrt(np.square(wav).mean())))
        starts = _window_starts(len(wav))
        missing = (starts[-1] + _WINDOW_FRAMES) * _HOP_LENGTH - len(wav)
        mel = self._mel(torch.from_numpy(np.pad(wav, (0, max(0, missing)))))
        windows = torch.stack([mel[start : start + _WINDOW_FRAMES] for start in starts])
        return nn.functional.normalize(self._encoder(windows).mean(dim=0), dim=0).numpy()

    def _mel(self, wav: Tensor) -> Tensor:
        """(N,) -> (T, 40) mel powers."""
        spectrum = torch.stft(
            wav,
            _FFT_SIZE,
            _HOP_LENGTH,
            window=torch.hann_window(_FFT_SIZE),
            pad_mode="constant",
            return_complex=True,
        )
        return spectrum.abs().square().T @ self._mel_filters


def find_embedder_weights(given: Path | None, pretrained: Path) -> Path:
    """Find `given`, else the file below pretrained/, else the package's; Problem without any."""
    candidates = [given] if given is not None else [pretrained / PACKAGE / WEIGHT_FILE]
    if given is None:
        with suppress(PackageNotFoundError):  # the file below pretrained/ is enough
            candidates.append(package_file(PACKAGE, f"{PACKAGE}/{WEIGHT_FILE}"))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise Problem("engine.similarity.no_weights", ExitCode.CONFIG, file=str(candidates[0]))


def _window_starts(samples: int) -> list[int]:
    """First frames of the windows over a wave of so many samples; always at least one."""
    frames = -(-(samples + 1) // _HOP_LENGTH)
    starts = list(range(0, max(1, frames - _WINDOW_FRAMES + _WINDOW_STEP + 1), _WINDOW_STEP))
    filled = (samples - starts[-1] * _HOP_LENGTH) / (_WINDOW_FRAMES * _HOP_LENGTH)
    return starts[:-1] if filled < _MIN_FILLED and len(starts) > 1 else starts


def _drop_silence(samples: np.ndarray) -> np.ndarray:
    """Samples at 32 kHz without what is silent for long."""
    speech = find_voiced_frames(samples)
    if not len(speech):
        return samples[:0]
    near = (
        np.convolve(np.pad(speech, _KEPT_SILENCE), np.ones(2 * _KEPT_SILENCE + 1), mode="valid") > 0
    )
    kept = np.repeat(near, SPEECH_SAMPLE_RATE // 100)
    return samples[: len(kept)][kept]
