"""How fast a full-size voice speaks on one CPU thread, in CPU-seconds, beside another program.

    python -m benchmarks.speak [--rounds 3] [--tokens 100] [--peer PYTHON] [--json]

Random weights of GPT-SoVITS v2 size, as exported files, so both sides read the same bytes.
Speed does not depend on what they learned; agreement of the lowered formats does, so repeat
that on a real voice. The peer is gpt-sovits-cpufast in an environment of its own (`make
bench-env`); its greedy tokens must be ours in fp32, or the run fails.
Variants are interleaved round by round; the median and the spread are reported. CPU-seconds are
those of the process, so a busy machine slows them less than it slows the clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, encode_wav
from sovdeck.engine.interop import write_gpt, write_sovits
from sovdeck.engine.models.frozen.content_encoder import ContentEncoder
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.cpu_weights import PRECISIONS, set_precision
from sovdeck.engine.models.gpt.generate import generate_batch
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import VERSIONS, SovitsConfig
from sovdeck.engine.models.sovits.cpu_decoder import pack_decoder
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.speaker.config import SpeakerConfig
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder
from sovdeck.engine.models.speaker.eres2net import ERes2NetV2
from sovdeck.engine.models.speaker.features import SAMPLE_RATE as SPEAKER_SAMPLE_RATE
from sovdeck.engine.runtime import huge_pages
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.weights import load_gpt, load_sovits

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
    parser.add_argument(
        "--peer",
        type=Path,
        default=Path(".bench-speech/bin/python"),
        help="Python of the peer's environment; its rows are left out where it is not there",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name, BenchHosts(Path(name), args.peer) as hosts:
        report = {
            "torch": torch.__version__,
            "cpu": torch.backends.cpu.get_cpu_capability(),
            "tokens_a_cpu_second": _tokens(hosts, args.rounds, args.tokens),
            "decode_cpu_seconds_of_10_s": _decode(hosts, args.rounds),
            "versions_cpu_seconds_of_10_s": _versions(hosts, args.rounds),
            "ten_sentences": _first_audio(hosts),
        }
    if args.json:
        print(json.dumps(report))
        return
    for part, figures in report.items():
        print(part, figures if isinstance(figures, str) else "")
        if isinstance(figures, dict):
            for name, figure in figures.items():
                print(f"  {name:24} {figure}")


class BenchHosts:
    """Exported random weights and fixed inputs in a folder, and the peer that reads them too."""

    def __init__(self, folder: Path, python: Path) -> None:
        gpt, sovits = Text2Semantic(GptConfig.v2()), _synthesizer()
        files = (
            write_gpt(folder, "P", 0, gpt.state_dict(), gpt.config, {}),
            write_sovits(folder, "P", 0, 0, sovits.state_dict(), sovits.config, {}),
        )
        self.gpt, self.sovits = folder / "gpt.ckpt", folder / "sovits.pth"
        for file, path in zip(files, (self.gpt, self.sovits), strict=True):
            file.path.rename(path)
        self.inputs = {
            "phones": torch.randint(0, 732, (PHONES,)),
            "bert": torch.randn(1024, PHONES),
            "prompt": torch.randint(0, 1024, (PROMPT,)),
            "codes": torch.randint(0, 1024, (250,)),
            "spec": torch.rand(1, 1025, 250),
        }
        np.savez(folder / "inputs.npz", **{k: v.numpy() for k, v in self.inputs.items()})
        self._peer: subprocess.Popen[str] | None = None
        if python.is_file():
            worker = Path(__file__).with_name("speech_peer.py")
            self._peer = subprocess.Popen(
                [str(python.absolute()), str(worker), str(folder)],
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )

    def __enter__(self) -> BenchHosts:
        return self

    def __exit__(self, *_: object) -> None:
        if self._peer is not None:
            self._peer.communicate()

    @property
    def has_peer(self) -> bool:
        return self._peer is not None

    def ask_peer(self, **asked: Any) -> dict[str, Any]:
        """One measurement of the peer: its CPU-seconds and what came out."""
        assert self._peer is not None and self._peer.stdin and self._peer.stdout
        self._peer.stdin.write(json.dumps(asked) + "\n")
        self._peer.stdin.flush()
        answer: dict[str, Any] = json.loads(self._peer.stdout.readline())
        return answer


def _tokens(hosts: BenchHosts, rounds: int, count: int) -> dict[str, Any]:
    models = {name: set_precision(load_gpt(hosts.gpt), name) for name in PRECISIONS}
    huge_pages.move_to_huge_pages()  # as whoever opens a voice on a CPU does
    given = hosts.inputs
    spoken: dict[tuple[str, int], list[int]] = {}

    def speak(name: str, batch: int) -> float:
        if name == "peer":
            # It counts one more than it is asked for.
            answer = hosts.ask_peer(tokens=batch, count=count - 1)
            rows, seconds = answer["tokens"], answer["seconds"]
        else:
            found, seconds = _timed(
                lambda: generate_batch(
                    models[name],
                    [given["phones"]] * batch,
                    [given["bert"]] * batch,
                    given["prompt"],
                    sampling=Sampling(top_k=1),
                    max_tokens=count,
                )
            )
            rows = [row.tolist() for row in found]
        spoken[name, batch] = rows[0]
        return batch * count / float(seconds)

    names = [*(["peer"] if hosts.has_peer else []), *PRECISIONS]
    runs = {f"{n}, batch {b}": (n, b) for b in (1, 4) for n in names}
    figures = _interleaved({key: lambda k=key: speak(*runs[k]) for key in runs}, rounds)
    for name, batch in (run for run in spoken if run[0] != "fp32"):
        # The peer drops the last token at its limit in a batch.
        parting = _parting(spoken["fp32", batch], spoken[name, batch])
        figures[f"{name}, batch {batch} leaves fp32 at token"] = parting
        if name == "peer" and parting != "never":
            raise SystemExit(f"the peer's tokens are not ours from token {parting} on")
    return figures


def _decode(hosts: BenchHosts, rounds: int) -> dict[str, Any]:
    given = hosts.inputs
    models = {name: load_sovits(hosts.sovits) for name in ("plain", "fp32", "bf16")}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        if not pack_decoder(models[name], dtype):
            raise SystemExit(f"this processor has no kernels to decode in {name}")
    noise = torch.randn(1, models["fp32"].config.inter_channels, 500)
    waves: dict[str, torch.Tensor] = {}

    def decode(name: str, tokens: int = 250) -> float:
        if name == "peer":
            return float(hosts.ask_peer(decode=True)["seconds"])
        waves[name], seconds = _timed(
            lambda: models[name].decode(
                given["codes"][None, None, :tokens],
                given["phones"][None],
                [given["spec"]],
                noise=noise[:, :, : 2 * tokens],
            )
        )
        return seconds

    names = [*(["peer"] if hosts.has_peer else []), *models]
    # The first call of a process makes code for each shape; after that a sentence costs this.
    first = {f"{name}, first call of all": round(decode(name), 2) for name in names}
    figures = _interleaved({n: lambda n=n: decode(n) for n in names}, rounds)
    error = (waves["bf16"] - waves["fp32"]).norm() / waves["fp32"].norm()
    # No two sentences are of one length: here each is shorter than the one before.
    lengths = {name: iter(range(249, 0, -1)) for name in models}
    fresh = _interleaved({n: lambda n=n: decode(n, next(lengths[n])) for n in models}, rounds)
    figures |= {f"{name}, a new length": figure for name, figure in fresh.items()}
    return {**first, **figures, "bf16 relative error": round(error.item(), 5)}


def _versions(hosts: BenchHosts, rounds: int) -> dict[str, Any]:
    """The same tokens decoded by each version; and the speaker vector of a clip of 5 s."""
    given = hosts.inputs
    models = {version: _synthesizer(SovitsConfig.of(version)) for version in VERSIONS}
    for model in models.values():
        if not pack_decoder(model, torch.float32):
            raise SystemExit("this processor has no kernels to decode in fp32")
    encoder = SpeakerEncoder(ERes2NetV2(SpeakerConfig()), "random", pretrained=False)
    clip = 0.1 * torch.randn(5 * SPEAKER_SAMPLE_RATE)
    noise = torch.randn(1, models["v2"].config.inter_channels, 500)
    vector = torch.rand(1, encoder.numbers)

    def decode(version: str) -> float:
        takes_speaker = models[version].config.takes_speaker
        _, seconds = _timed(
            lambda: models[version].decode(
                given["codes"][None, None],
                given["phones"][None],
                [given["spec"]],
                speakers=[vector] if takes_speaker else None,
                noise=noise,
            )
        )
        return seconds

    runs: dict[str, Callable[[], float]] = {v: lambda v=v: decode(v) for v in models}
    runs["speaker vector of 5 s"] = lambda: _timed(lambda: encoder.vector(clip))[1]
    found = _interleaved_seconds(runs, rounds)
    base = statistics.median(found["v2"])
    ratios = {
        f"{version}, times v2": round(statistics.median(found[version]) / base, 2)
        for version in models
        if version != "v2"
    }
    return {**_figures(found, rounds), **ratios}


def _first_audio(hosts: BenchHosts) -> dict[str, Any]:
    gpt, sovits = set_precision(load_gpt(hosts.gpt), "fp32"), load_sovits(hosts.sovits)
    pack_decoder(sovits, torch.float32)
    huge_pages.move_to_huge_pages()
    speaker = SpeechPipeline(gpt, sovits, ContentEncoder.untrained(0, hidden=sovits.config.ssl_dim))
    t = np.arange(4 * SPEECH_SAMPLE_RATE) / SPEECH_SAMPLE_RATE
    started = 0.0
    heard: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "reference.wav"
        clip.write_bytes(encode_wav((0.3 * np.sin(2 * np.pi * 220 * t)).astype(np.float32)))
        request = SpeakRequest(
            text="はい、わかりました。",
            ref_audio=clip,
            text_lang="all_ja",
            slice="zh_period",
            ref_text="今日はいい天気です",
            ref_lang="all_ja",
            seed=1,
            max_tokens=25,
        )
        speaker.speak(request)  # dictionaries and the reference are read once
        started = time.process_time()
        take = speaker.speak(
            SpeakRequest(**{**vars(request), "text": TEN}),
            lambda _: heard.append(time.process_time() - started),
        )
    return {
        "pieces": len(take.chunks),
        "first audio, CPU s": round(heard[0], 2),
        "all, CPU s": round(heard[-1], 2),
        "share": round(heard[0] / heard[-1], 3),
    }


def _synthesizer(config: SovitsConfig | None = None) -> Synthesizer:
    model = Synthesizer(config or SovitsConfig.v2()).eval()
    for name, buffer in model.named_buffers():
        if name.endswith("embed"):
            buffer.normal_()
        elif name.endswith("inited"):
            buffer.fill_(1)
    return model


def _interleaved(variants: dict[str, Callable[[], float]], rounds: int) -> dict[str, Any]:
    return _figures(_interleaved_seconds(variants, rounds), rounds)


def _interleaved_seconds(
    variants: dict[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            found[name].append(run())
    return found


def _figures(found: dict[str, list[float]], rounds: int) -> dict[str, Any]:
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
