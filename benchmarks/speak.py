"""How fast a full-size voice speaks on one CPU thread, in CPU-seconds.

    python -m benchmarks.speak [--rounds 3] [--tokens 100] [--json]

Random weights of GPT-SoVITS v2 size: speed does not depend on what they learned, agreement of
tokens does, so treat agreement here as a lower bound of nothing and repeat it on a real voice.
Variants are interleaved round by round; the median and the spread are reported. CPU-seconds are
those of the process, so a busy machine slows them less than it slows the clock.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.models.frozen.content import ContentEncoder
from engine.models.gpt.config import GptConfig
from engine.models.gpt.generate import generate_batch
from engine.models.gpt.quantised import PRECISIONS, lower
from engine.models.gpt.sampling import Sampling
from engine.models.gpt.text2semantic import Text2Semantic
from engine.models.sovits.config import SovitsConfig
from engine.models.sovits.synthesizer import Synthesizer
from engine.speaking.pipeline import Speaker
from engine.speaking.request import SpeakRequest
from engine.speaking.sound import RATE, wav_bytes

PHONES, PROMPT = 100, 150
TEN = (
    "おはようございます。今日はいい天気です。散歩に行きましょう。公園には花が咲いています。"
    "鳥も鳴いています。お茶を飲みませんか。この本は面白いです。明日は雨かもしれません。"
    "電車で帰りましょう。また会いましょう。"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=100, help="tokens a row in each timing")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    gpt, sovits = Text2Semantic(GptConfig.v2()).eval(), _synthesizer()
    report = {
        "torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability(),
        "tokens_a_cpu_second": _tokens(gpt, args.rounds, args.tokens),
        "decode_cpu_seconds_of_10_s": _decode(sovits, args.rounds),
        "ten_sentences": _first_audio(gpt, sovits),
    }  # fmt: skip
    if args.json:
        print(json.dumps(report))
        return
    for part, figures in report.items():
        print(part, figures if isinstance(figures, str) else "")
        if isinstance(figures, dict):
            for name, figure in figures.items():
                print(f"  {name:24} {figure}")


def _tokens(gpt: Text2Semantic, rounds: int, count: int) -> dict[str, Any]:
    models = {name: lower(copy.deepcopy(gpt), name) for name in PRECISIONS}
    phones, bert = torch.randint(0, 732, (PHONES,)), torch.randn(1024, PHONES)
    prompt = torch.randint(0, 1024, (PROMPT,))
    spoken: dict[str, list[int]] = {}

    def speak(name: str, batch: int) -> float:
        generator = torch.Generator().manual_seed(1)
        rows, seconds = _timed(
            lambda: generate_batch(
                models[name],
                [phones] * batch,
                [bert] * batch,
                prompt,
                sampling=Sampling(),
                generator=generator,
                max_tokens=count,
            )  # fmt: skip
        )
        if batch == 1:
            spoken[name] = rows[0].tolist()
        return sum(map(len, rows)) / seconds

    runs = {f"{n}, batch {b}": (n, b) for n in PRECISIONS for b in (1, 4)}
    figures = _interleaved({key: lambda k=key: speak(*runs[k]) for key in runs}, rounds)
    for name in PRECISIONS[1:]:
        figures[f"{name} leaves fp32 at token"] = _parting(spoken["fp32"], spoken[name])
    return figures


def _decode(sovits: Synthesizer, rounds: int) -> dict[str, Any]:
    codes, text = torch.randint(0, 1024, (1, 1, 250)), torch.randint(0, 732, (1, PHONES))
    spec = torch.rand(1, 1025, 250)
    noise = torch.randn(1, sovits.config.inter_channels, 500)
    waves: dict[str, torch.Tensor] = {}

    def decode(name: str) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16"):
            waves[name], seconds = _timed(lambda: sovits.decode(codes, text, [spec], noise=noise))
        return seconds

    figures = _interleaved({n: lambda n=n: decode(n) for n in ("fp32", "bf16")}, rounds)
    error = (waves["bf16"].float() - waves["fp32"]).norm() / waves["fp32"].norm()
    return {**figures, "bf16 relative error": round(error.item(), 5)}


def _first_audio(gpt: Text2Semantic, sovits: Synthesizer) -> dict[str, Any]:
    speaker = Speaker(gpt, sovits, ContentEncoder.random(0, hidden=sovits.config.ssl_dim))
    t = np.arange(4 * RATE) / RATE
    started = 0.0
    heard: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "reference.wav"
        clip.write_bytes(wav_bytes((0.3 * np.sin(2 * np.pi * 220 * t)).astype(np.float32)))
        request = SpeakRequest(
            text="はい、わかりました。", ref_audio=clip, text_lang="all_ja", slice="zh_period",
            ref_text="今日はいい天気です", ref_lang="all_ja", seed=1, max_tokens=25,
        )  # fmt: skip
        speaker.speak(request)  # dictionaries and the reference are read once
        started = time.process_time()
        take = speaker.speak(
            SpeakRequest(**{**vars(request), "text": TEN}),
            lambda _: heard.append(time.process_time() - started),
        )
    return {
        "pieces": len(take.pieces), "first audio, CPU s": round(heard[0], 2),
        "all, CPU s": round(heard[-1], 2), "share": round(heard[0] / heard[-1], 3),
    }  # fmt: skip


def _synthesizer() -> Synthesizer:
    model = Synthesizer(SovitsConfig.v2()).eval()
    for name, buffer in model.named_buffers():
        if name.endswith("embed"):
            buffer.normal_()
        elif name.endswith("inited"):
            buffer.fill_(1)
    return model


def _interleaved(variants: dict[str, Callable[[], float]], rounds: int) -> dict[str, Any]:
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            found[name].append(run())
    return {
        name: f"{statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f}, n={rounds})"
        for name, each in found.items()
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def _parting(a: list[int], b: list[int]) -> Any:
    """First token at which two takes differ; "never" when they do not."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), "never")


if __name__ == "__main__":
    main()
