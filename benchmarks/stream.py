"""When the first sound of one long sentence is there, and what that costs, in CPU-seconds.

    python -m benchmarks.stream [--rounds 3] [--seconds 12] [--precision fp32] [--json]

Three ways of speaking the same tokens with random weights of GPT-SoVITS v2 size, rounded to the
float16 that every weight file holds, on one CPU thread, interleaved round by round: the sentence
decoded as a whole (what speech by sentences does), in exact windows, and early while its tokens
still come. Medians; the ratios are to the whole.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.cpu_weights import PRECISIONS, set_precision
from sovdeck.engine.models.gpt.generate import generate
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.cpu_decoder import pack_decoder
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.runtime import huge_pages
from sovdeck.engine.speaking.sentence_decoder import EarlyDecoder, SentenceDecoder

TOKENS_PER_SECOND = 25
PHONES, PROMPT = 120, 125


class Sentence:
    """One sentence of a fixed number of tokens, and when its sound came."""

    def __init__(self, seconds: float, precision: str) -> None:
        torch.manual_seed(0)
        self.count = round(seconds * TOKENS_PER_SECOND)
        self.gpt = _gpt(precision)
        self.sovits = Synthesizer(SovitsConfig.v2()).eval()
        for name, buffer in self.sovits.named_buffers():
            if name.endswith("embed"):
                buffer.normal_()
        if not pack_decoder(self.sovits, torch.float32):
            raise SystemExit("this processor has no kernels to decode in fp32")
        huge_pages.move_to_huge_pages()  # as whoever opens a voice on a CPU does
        self.phones = torch.randint(1, 700, (PHONES,))
        self.bert = torch.randn(1024, PHONES)
        self.prompt = torch.randint(0, 1024, (PROMPT,))
        self.spectrogram = torch.rand(1, 1025, 250)

    def whole(self, hear: Callable[[np.ndarray], None]) -> None:
        """All tokens, then all samples."""
        decoder, tokens = self._decoder(), self._draw(None)
        frames = 2 * len(tokens)
        noise = torch.randn(1, decoder.latent_channels, frames)
        for samples in decoder.decode_frames(decoder.latent(tokens, noise), [frames]):
            hear(samples)

    def exact(self, hear: Callable[[np.ndarray], None]) -> None:
        """All tokens, then samples in windows that join to the same."""
        decoder = self._decoder()
        for samples in decoder.decode(self._draw(None)):
            hear(samples)

    def early(self, hear: Callable[[np.ndarray], None]) -> None:
        """Samples while tokens come."""
        decoder = EarlyDecoder(self._decoder(), hear, 1, self.count)
        decoder.finish(self._draw(decoder.add))

    def _decoder(self) -> SentenceDecoder:
        return SentenceDecoder(self.sovits, self.phones, [self.spectrogram], None, seed=1)

    def _draw(self, after_tokens: Callable[[int, Callable[[], Tensor]], None] | None) -> Tensor:
        return generate(
            self.gpt,
            self.phones,
            self.bert,
            self.prompt,
            sampling=Sampling(top_k=1),
            max_tokens=self.count,
            after_tokens=after_tokens,
        )


def _gpt(precision: str) -> Text2Semantic:
    model = Text2Semantic(GptConfig.v2()).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # every exported weight is held by float16
            parameter.copy_(parameter.half())
        model.ar_predict_layer.weight[-1] = 0.0  # a random network must not end before its limit
    return set_precision(model, precision)


def measure(speak: Callable[[Callable[[np.ndarray], None]], None]) -> tuple[float, float, float]:
    """CPU-seconds to the first sound and to the end, and the seconds of sound."""
    first: list[float] = []
    samples = 0
    started = time.process_time()

    def hear(part: np.ndarray) -> None:
        nonlocal samples
        samples += len(part)
        if not first:
            first.append(time.process_time() - started)

    speak(hear)
    return first[0], time.process_time() - started, samples / 32_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12.0, help="length of the sentence")
    parser.add_argument("--precision", default="fp32", choices=PRECISIONS, help="of the GPT")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    args = parser.parse_args()
    torch.set_num_threads(1)
    sentence = Sentence(args.seconds, args.precision)
    ways = {"whole": sentence.whole, "exact": sentence.exact, "early": sentence.early}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    for speak in ways.values():
        measure(speak)  # the first call of a process makes code for each shape
    for _ in range(args.rounds):
        for name, speak in ways.items():
            found[name].append(measure(speak))
    base_first, base_all = (statistics.median(run[i] for run in found["whole"]) for i in (0, 1))
    report: dict[str, Any] = {}
    for name, runs in found.items():
        first, total = (statistics.median(run[i] for run in runs) for i in (0, 1))
        report[name] = {
            "first sound, CPU s": round(first, 2),
            "all, CPU s": round(total, 2),
            "first sound, times whole": round(first / base_first, 3),
            "all, times whole": round(total / base_all, 3),
            "seconds of sound": round(runs[0][2], 2),
            "n": len(runs),
        }
    if args.json:
        print(json.dumps(report))
        return
    for name, figures in report.items():
        print(name, figures)


if __name__ == "__main__":
    main()
