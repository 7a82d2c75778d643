"""Does it learn: a small voice from nothing on eight clips, then a sentence of them spoken.

    python -m benchmarks.learns [--quick] [--json] [--minutes 55] [--asr FOLDER] [--keep FOLDER]

CPU-minutes are split between the stages. Each figure stands beside the untrained model's. With
`--asr` (a faster-whisper folder; needs that package) a recogniser reads the original clip, the
SoVITS-only path, the whole path and the untrained model; without it those rows are left out
and the tokens the GPT chooses are compared with the clip's own instead.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.audio.spectrogram import spectrogram
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.contract.updates import GPT_ACCUMULATION_STEPS
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.practice.dataset import make_practice_set
from sovdeck.engine.prepare.pipeline import prepare
from sovdeck.engine.runtime.device import Device, Precision
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.speaking.asr import SpeechRecogniser
from sovdeck.engine.speaking.asr_check import check_speech
from sovdeck.engine.speaking.metrics import edit_distance
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.training.batch_schedule import BatchSizes
from sovdeck.engine.training.features import Features, TrainingClip, read_features
from sovdeck.engine.training.gpt_task import GptSettings, GptTask
from sovdeck.engine.training.initial_weights import (
    InitialWeights,
    write_initial_weights,
)
from sovdeck.engine.training.sovits_task import SovitsSettings, SovitsTask
from sovdeck.engine.training.validation import gpt_metrics, sovits_metrics

CLIPS, BATCH, SOVITS_SHARE = 8, 2, 0.93
_CPU = Device("cpu", "CPU", 1 << 34)
# Small where time goes: few channels at full rate, few judges; no dropout, since eight clips are
# to be known by heart. What counts in an hour of one core is the number of updates.
SOVITS = SovitsConfig(
    inter_channels=64,
    hidden_channels=64,
    filter_channels=256,
    n_layers=2,
    n_layers_content=1,
    p_dropout=0.0,
    ref_dropout=0.0,
    upsample_rates=(10, 8, 8),
    upsample_kernel_sizes=(20, 16, 16),
    upsample_initial_channel=128,
    resblock_kernel_sizes=(3, 7),
    resblock_dilation_sizes=((1, 3), (1, 3)),
    gin_channels=64,
    ssl_dim=64,
    ref_channels=64,
    mrte_channels=64,
    mrte_heads=4,
    posterior_layers=4,
    flow_count=2,
    flow_layers=2,
    scale_channels=(4, 8, 16, 16),
    period_channels=(8, 16, 32),
    periods=(3,),
)
GPT = GptConfig(hidden_dim=128, head=4, n_layer=4)
_GREEDY = Sampling(top_k=1, repetition_penalty=1.0)


@dataclass(frozen=True)
class Voice:
    """A pair of networks, its name in the report."""

    name: str
    gpt: Text2Semantic
    sovits: Synthesizer


def main() -> int:
    options = _options()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        work = (options.keep or Path(scratch)).resolve()
        rows = learn(work, options)
    if options.json:
        print(json.dumps(rows))
        return 0
    for row in rows:
        peer = "" if row["peer"] is None else f"   {row['peer']} {row['peer_value']:.4g}"
        print(f"{row['name']:52} {row['value']:10.4g} {row['unit']}{peer}")
    return 0


def learn(work: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    base, features = prepared(work, options.quick)
    device = torch.device("cpu")
    untrained = Voice("untrained", base.build_text2semantic(), base.build_synthesizer())
    trained, updates = trained_voice(base, features, options.minutes * 60)
    clips = features.clips
    rows = [
        _row("SoVITS updates", updates[0], "updates"),
        _row("GPT updates", updates[1], "updates"),
        _row(
            "SoVITS mel distance, no dice",
            sovits_metrics(trained.sovits, clips, device)["mel"],
            "log mel",
            "untrained",
            sovits_metrics(untrained.sovits, clips, device)["mel"],
        ),
    ]
    after, before = (gpt_metrics(voice.gpt, clips, device) for voice in (trained, untrained))
    for name in ("cross_entropy", "accuracy"):
        rows.append(_row(f"GPT {name}, teacher-forced", after[name], "", "untrained", before[name]))
    content = base.encoders("cpu").content
    texts = {item.name: item.text for item in clips}
    clip = min(clips, key=lambda clip: clip.seconds)
    spoken = {
        voice.name: speak(voice, content, clip, texts[clip.name]) for voice in (trained, untrained)
    }
    errors = {
        name: edit_distance([str(t) for t in clip.tokens], [str(t) for t in tokens])
        / len(clip.tokens)
        for name, (tokens, _) in spoken.items()
    }
    rows.append(
        _row(
            "tokens chosen for a training sentence, edits",
            errors["trained"],
            "of the clip's",
            "untrained",
            errors["untrained"],
        )
    )
    original, _ = soundfile.read(clip.wav, dtype="float32")
    sounds = {
        "original clip": original,
        "SoVITS-only path": resynthesised(trained.sovits, clip),
        "whole path": spoken["trained"][1],
        "untrained": spoken["untrained"][1],
    }
    if options.keep:
        for name, samples in sounds.items():
            soundfile.write(work / f"{name.replace(' ', '-')}.wav", samples, SPEECH_SAMPLE_RATE)
    if options.asr is None:
        print("no --asr: the recogniser's rows are left out", file=sys.stderr)
        return rows
    recogniser = SpeechRecogniser(options.asr)
    heard = {
        name: check_speech(recogniser, samples, texts[clip.name], "ja").heard.error
        for name, samples in sounds.items()
    }
    for name, error in heard.items():
        rows.append(
            _row(
                f"phone error heard, {name}",
                error,
                "of phones",
                "original clip",
                heard["original clip"],
            )
        )
    return rows


def prepared(work: Path, quick: bool) -> tuple[InitialWeights, Features]:
    """Eight practice clips as features, and weights from nothing."""
    make_practice_set(work / "data" / "Mei", "Mei", clips=CLIPS)
    spec, layout = RunSpec("learns", "Mei", "tiny"), Layout.at(work.as_posix())
    sizes = (SovitsConfig.tiny(), GptConfig.tiny()) if quick else (SOVITS, GPT)
    folder = Path(layout.features("Mei")) / "base"
    base = InitialWeights(folder, False, *sizes, seed=1234, identity="")
    synthesizer = base.defer_synthesizer(torch.device("cpu"))

    def silent(*_: Any, **__: Any) -> None:
        """Progress of a few seconds of preparation is of no interest here."""

    prepare(
        spec,
        layout,
        encoders=base.encoders("cpu"),
        synthesizer=synthesizer,
        emit=silent,
        fit_seed=base.seed,
    )
    return write_initial_weights(base, synthesizer.get()), read_features(
        Path(layout.features("Mei"))
    )


def trained_voice(
    base: InitialWeights, features: Features, seconds: float
) -> tuple[Voice, tuple[int, int]]:
    """Train both stages for their shares of `seconds` of CPU time."""
    fp32, alone = Precision("fp32", "cpu"), Peers()
    sovits = SovitsTask(
        base.build_synthesizer(),
        base.build_discriminator(),
        features.clips,
        SovitsSettings(BatchSizes(BATCH), text_lr_scale=1.0, learning_rate=1e-3),
        _CPU,
        fp32,
        alone,
    )
    first = run_for(sovits, seconds * SOVITS_SHARE)
    gpt = GptTask(
        base.build_text2semantic(),
        features.clips,
        GptSettings(BatchSizes(2, accumulation_steps=GPT_ACCUMULATION_STEPS), learning_rate=0.01),
        _CPU,
        fp32,
        alone,
    )
    second = run_for(gpt, seconds * (1 - SOVITS_SHARE))
    return Voice("trained", gpt.model, sovits.generator), (first, second)


def run_for(task: Any, seconds: float) -> int:
    """Updates made within `seconds` of CPU time; at least one epoch."""
    begun, updates, epoch = time.process_time(), 0, 0
    while epoch == 0 or time.process_time() - begun < seconds:
        epoch += 1
        task.set_learning_rate(epoch)
        cool(task, (time.process_time() - begun) / seconds)
        for index, update in enumerate(task.epoch_updates(epoch)):
            batches = task.load_batches(epoch, index, update)
            losses = {}
            for phase in task.phases():
                losses |= phase.compute(batches)
                phase.apply()
            updates += 1
        if epoch % 25 == 1:
            spent = time.process_time() - begun
            print(f"{task.name} {spent:6.0f} s {float(losses['total']):.4g}", file=sys.stderr)
    return updates


def cool(task: Any, spent: float) -> None:
    """Lower SoVITS' rates from half of the time on; `spent` is the share that is over."""
    share = min(1.0, max(0.05, 2 * (1 - spent)))
    for name in ("generator_optimizer", "discriminator_optimizer"):
        for group in getattr(task, name).param_groups if hasattr(task, name) else ():
            group["lr"] *= share


def speak(
    voice: Voice, content: Any, clip: TrainingClip, text: str
) -> tuple[list[int], np.ndarray]:
    """A training sentence through text, GPT and SoVITS; the clip lends its timbre only."""
    speaker = SpeechPipeline(voice.gpt, voice.sovits, content)
    take = speaker.speak(
        SpeakRequest(
            text=text,
            ref_audio=clip.wav,
            text_lang="ja",
            no_ref_text=True,
            slice="none",
            sampling=_GREEDY,
            seed=1,
            max_tokens=2 * len(clip.tokens),
            any_length=True,
        )
    )
    tokens = [int(t) for piece in take.chunks for t in piece.tokens]
    return tokens, np.asarray(take.samples, dtype=np.float32)


@torch.no_grad()
def resynthesised(sovits: Synthesizer, clip: TrainingClip) -> np.ndarray:
    """The clip's own tokens through SoVITS."""
    sovits.eval()
    samples, _ = soundfile.read(clip.wav, dtype="float32")
    reference = spectrogram(torch.from_numpy(samples)[None])
    codes, phones = torch.tensor(clip.tokens)[None, None], torch.tensor(clip.phones)[None]
    return sovits.decode(codes, phones, [reference])[0, 0].clamp(-1, 1).numpy()


def _row(
    name: str, value: float, unit: str, peer: str | None = None, peer_value: float | None = None
) -> dict[str, Any]:
    ratio = value / peer_value if peer_value else None
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "peer": peer,
        "peer_value": peer_value,
        "ratio": ratio,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="the tiny preset for seconds")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--minutes", type=float, default=55.0, help="of CPU time, both stages")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--asr", type=Path, help="folder of a Whisper model (CTranslate2)")
    parser.add_argument("--keep", type=Path, help="keep features and sounds in this folder")
    options = parser.parse_args()
    if options.quick:
        options.minutes = 0.2
    return options


if __name__ == "__main__":
    raise SystemExit(main())
