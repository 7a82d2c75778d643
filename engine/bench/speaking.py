"""What speaking costs on this machine, part by part."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, encode_wav
from sovdeck.engine.bench.timing import Stopwatch
from sovdeck.engine.contract.bench_row import Figure
from sovdeck.engine.models.frozen.content_encoder import ContentEncoder
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.cpu_weights import set_precision
from sovdeck.engine.models.gpt.generate import generate_batch
from sovdeck.engine.models.gpt.graphs import DecodeGraphs
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.cpu_decoder import pack_decoder
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.weight_norm import fold_weight_norm
from sovdeck.engine.runtime.device import Device
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.text.reader import read_text

_TEXTS = {
    "zh": "今天天气很好，我们一起去公园散步吧，顺便看看那里的花开了没有。",
    "en": "The weather is lovely today, so let us take a walk in the park together.",
    "ja": "今日はとてもいい天気なので、一緒に公園を散歩しましょう。",
}
_PHONES, _PROMPT = 60, 100
_SECONDS_DECODED = 10
_SMALL_OPERATIONS = 20_000


def core_score() -> Figure:
    """Thousands of small operations that one core starts in a second.

    A GPU that is not given captured steps waits for just that.
    """
    x = torch.zeros(1)
    started = time.perf_counter()
    for _ in range(_SMALL_OPERATIONS):
        x.add_(1.0)
    taken = time.perf_counter() - started
    return Figure("core_score", _SMALL_OPERATIONS / taken / 1000, "score")


def front_end(watch: Stopwatch) -> Iterator[Figure]:
    """Characters a second that are turned into phones, in three languages."""
    for language, sentence in _TEXTS.items():
        # A new sentence each time: what was read before may be kept.
        numbers = iter(range(1000))
        taken = watch.seconds(lambda s=sentence, n=numbers: read_text(f"{s}{next(n)}", "auto"))
        yield Figure("front_end", len(sentence) / taken, "characters_s", language)


def bert(watch: Stopwatch, device: Device, *, tiny: bool) -> Figure:
    """Characters a second of the Chinese text encoder."""
    from transformers import BertConfig, BertModel

    sizes = (
        BertConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
        if tiny
        else BertConfig(
            vocab_size=21128,
            hidden_size=1024,
            num_hidden_layers=22,  # of 24; the last two are never needed
            num_attention_heads=16,
            intermediate_size=4096,
        )
    )
    model = BertModel(sizes, add_pooling_layer=False).eval().to(device.torch_device)
    ids = torch.randint(0, 1000, (1, 32), device=device.torch_device)
    with torch.inference_mode():
        taken = watch.seconds(lambda: model(ids))
    return Figure("bert", 30 / taken, "characters_s")


def tokens(watch: Stopwatch, gpt: Text2Semantic, count: int) -> Iterator[Figure]:
    """GPT tokens a second in batches of one and four; on a GPU captured and not."""
    on_gpu = gpt.bert_proj.weight.device.type == "cuda"
    phones = torch.randint(0, gpt.config.phoneme_vocab_size, (_PHONES,))
    features = torch.zeros(gpt.config.bert_dim, _PHONES)
    prompt = torch.randint(0, gpt.config.eos, (_PROMPT,))
    ways = {"": None} if not on_gpu else {"": DecodeGraphs(gpt), "not captured": None}
    for batch in (1, 4):
        for way, graphs in ways.items():
            made = 0

            def speak(batch: int = batch, graphs: DecodeGraphs | None = graphs) -> None:
                nonlocal made
                rows = generate_batch(
                    gpt,
                    [phones] * batch,
                    [features] * batch,
                    prompt,
                    sampling=Sampling(),
                    generators=[torch.Generator().manual_seed(row) for row in range(batch)],
                    max_tokens=count,
                    graphs=graphs,
                )
                made = sum(len(row) for row in rows)

            taken = watch.seconds(speak)
            detail = " ".join(filter(None, (f"batch {batch}", way)))
            yield Figure("tokens", made / taken, "tokens_s", detail)


def decode(watch: Stopwatch, sovits: Synthesizer) -> Figure:
    """Seconds of speech that the decoder makes in a second."""
    device = sovits.ssl_proj.weight.device
    count = 25 * _SECONDS_DECODED
    codes = torch.randint(0, sovits.config.codebook_size, (1, 1, count), device=device)
    phones = torch.randint(0, sovits.config.n_phones, (1, _PHONES), device=device)
    spectrogram = torch.rand(1, sovits.config.spec_bins, 250, device=device)
    speaker = torch.rand(1, sovits.config.speaker_numbers, device=device)
    takes = [speaker] if sovits.config.takes_speaker else None
    taken = watch.seconds(lambda: sovits.decode(codes, phones, [spectrogram], speakers=takes))
    return Figure("decode", _SECONDS_DECODED / taken, "times_real", sovits.config.version)


def first_sound(watch: Stopwatch, gpt: Text2Semantic, sovits: Synthesizer) -> Figure:
    """Seconds from a request to the first samples of its first sentence, reference known."""
    encoder = ContentEncoder.untrained(hidden=sovits.config.ssl_dim)
    speaker = SpeechPipeline(gpt, sovits, encoder.to(sovits.ssl_proj.weight.device))
    t = np.arange(4 * SPEECH_SAMPLE_RATE) / SPEECH_SAMPLE_RATE
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "reference.wav"
        clip.write_bytes(encode_wav((0.3 * np.sin(2 * np.pi * 220 * t)).astype(np.float32)))
        request = SpeakRequest(
            text="はい、わかりました。",
            ref_audio=clip,
            text_lang="all_ja",
            ref_text="今日はいい天気です",
            ref_lang="all_ja",
            seed=1,
            max_tokens=50,  # two seconds, as that sentence takes
        )
        seeds = iter(range(1000))
        taken = watch.seconds(lambda: speaker.speak(replace(request, seed=next(seeds))))
    return Figure("first_sound", taken, "seconds")


def speaking_networks(device: Device, *, tiny: bool) -> tuple[Text2Semantic, Synthesizer]:
    """A pair of v2 with random weights, prepared as a voice that is spoken with."""
    torch.manual_seed(0)
    gpt = Text2Semantic(GptConfig.tiny() if tiny else GptConfig.v2())
    for parameter in gpt.parameters():  # as files hold them, so that they are packed alike
        parameter.data = parameter.data.half().float()
    with torch.no_grad():
        # Random weights would end after a few tokens or never.
        gpt.ar_predict_layer.weight[gpt.config.eos].zero_()
    sovits = Synthesizer(SovitsConfig.tiny() if tiny else SovitsConfig.v2()).eval()
    for name, buffer in sovits.named_buffers():
        if name.endswith("embed"):
            buffer.normal_()
        elif name.endswith("inited"):
            buffer.fill_(1)
    sovits = sovits.to(device.torch_device)
    pack_decoder(sovits, torch.float32)
    for part in (sovits.dec, sovits.flow):
        fold_weight_norm(part)
    return set_precision(gpt.to(device.torch_device).eval(), "fp32"), sovits
