"""Reading logs/NAME: what is complete, what a stage leaves out and says so, what is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from micro_stage import Record
from micro_voice import CPU, make_clips

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training.builders import build_gpt_stage, build_sovits_stage
from sovdeck.engine.training.context import RunContext
from sovdeck.engine.training.features import (
    gpt_exclusion,
    hold_out,
    read_features,
    select_clips,
    sovits_exclusion,
)
from sovdeck.engine.training.gpt_data import load_gpt_batch
from sovdeck.engine.training.initial_weights import (
    is_written,
    open_initial_weights,
    random_synthesizer,
    write_initial_weights,
)
from sovdeck.engine.training.sovits_data import load_sovits_batch
from sovdeck.engine.voice.reference_clip import read_reference, write_reference


def prepared(folder: Path, seconds: list[float], phones: int = 30) -> Path:
    """A folder as upstream lays it out, with noise for sound."""
    for part in ("3-bert", "4-cnhubert", "5-wav32k"):
        (folder / part).mkdir(parents=True)
    chance = np.random.default_rng(1)
    texts, tokens = [], ["item_name\tsemantic_audio"]
    for number, length in enumerate(seconds):
        name = f"c{number:02d}.wav"
        samples = int(length * 32000)
        noise = (chance.standard_normal(samples) * 3000).astype(np.int16)
        soundfile.write(folder / "5-wav32k" / name, noise, 32000, subtype="PCM_16")
        frames = samples // 640
        features = torch.from_numpy(chance.standard_normal((1, 32, max(1, frames - 1)))).float()
        # Upstream saves some with a graph still attached.
        torch.save(features.requires_grad_(), folder / "4-cnhubert" / f"{name}.pt")
        texts.append(f"{name}\t{'a ' * phones}\tNone\ttext {number}")
        codes = " ".join(str(code) for code in chance.integers(0, 1024, frames // 2))
        tokens.append(f"{name}\t{codes}")
    (folder / "2-name2text.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    (folder / "6-name2semantic.tsv").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return folder


def test_a_folder_becomes_clips(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "Mei", [2.0, 3.0, 1.5])
    (folder / "4-cnhubert" / "c01.wav.pt").unlink()
    features = read_features(folder)
    assert [clip.name for clip in features.clips] == ["c00.wav", "c02.wav"]
    assert [left.name for left in features.incomplete] == ["c01.wav"]
    first = features.clips[0]
    assert (first.frames, first.seconds, len(first.phones)) == (100, 2.0, 30)
    assert len(first.tokens) == 50 and first.bert is None


def test_the_digest_follows_the_data(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "Mei", [2.0, 3.0])
    before = read_features(folder).digest
    assert read_features(folder).digest == before
    text = (folder / "2-name2text.txt").read_text().replace("a a", "b a", 1)
    (folder / "2-name2text.txt").write_text(text)
    assert read_features(folder).digest != before


def test_nothing_prepared_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(Problem) as problem:
        read_features(tmp_path / "Mei")
    assert "prepare" in problem.value.hint.en


def test_each_stage_leaves_out_what_it_cannot_use(tmp_path: Path) -> None:
    clips = read_features(prepared(tmp_path / "a", [0.64, 0.7, 54.5, 2.0])).clips
    kept, left = select_clips(clips, sovits_exclusion)
    assert [clip.name for clip in kept] == ["c01.wav", "c03.wav"]
    assert [one.name for one in left] == ["c00.wav", "c02.wav"]
    assert "0.64 s" in left[0].reason.en and "0.64 秒" in left[0].reason.zh
    clips = read_features(prepared(tmp_path / "b", [1.0, 10.0, 20.0], phones=40)).clips
    kept, left = select_clips(clips, gpt_exclusion)
    assert [clip.name for clip in kept] == ["c01.wav"]
    assert "40.0 phones a second" in left[0].reason.en and "2.0 phones" in left[1].reason.en


def test_what_is_held_out_does_not_move(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "c", 60)
    training, held = hold_out(clips)
    assert len(held) == 3 and not set(training) & set(held)
    fewer_training, fewer = hold_out(clips[:44])
    assert len(fewer) == 2 and len(fewer_training) == 42
    assert {clip.name for clip in fewer} & {clip.name for clip in held}
    assert hold_out(clips[:9]) == (tuple(clips[:9]), ())


def test_sovits_batches_pad_as_upstream(tmp_path: Path) -> None:
    clips = read_features(prepared(tmp_path / "a", [1.0, 1.5])).clips
    batch = load_sovits_batch(clips, 8, torch.Generator().manual_seed(1))
    assert batch.clips == ("c01.wav", "c00.wav")  # longest first
    assert batch.ssl.shape == (2, 32, 76) and batch.spec.shape == (2, 1025, 76)
    assert batch.wav.shape == (2, 1, 76 * 640) and batch.lengths.tolist() == [75, 50]
    # One frame of features is missing at the end, and the last one is repeated.
    assert torch.equal(batch.ssl[0, :, 74], batch.ssl[0, :, 73])
    assert batch.ssl[0, :, 75].abs().sum() == 0 and not batch.ssl.requires_grad
    assert batch.fractions == (1.0, 1.0) and batch.select_rows(0, 1).fractions == (0.5, 0.6)


def test_gpt_batches_read_bert_and_refuse_a_wrong_length(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "a", [2.0, 3.0])
    torch.save(torch.ones(4, 30, dtype=torch.float16), folder / "3-bert" / "c00.wav.pt")
    clips = read_features(folder).clips
    batch = load_gpt_batch(clips, 4)
    assert batch.bert[0].sum() == 120 and batch.bert[1].sum() == 0
    assert batch.tokens.shape == (2, 75) and batch.tokens[0, 50:].unique().tolist() == [1024]
    torch.save(torch.ones(4, 29), folder / "3-bert" / "c00.wav.pt")
    with pytest.raises(Problem) as problem:
        load_gpt_batch(clips, 4)
    assert problem.value.facts["name"] == "c00.wav"


def make_context(work: Path, record: Record, **params: ParamValue) -> RunContext:
    spec = RunSpec("r1", "Mei", "tiny", params=params)
    return RunContext(spec, Layout.at(work.as_posix()), record, StopFlag(), CPU)


def test_left_out_clips_are_announced_in_both_languages(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "logs" / "Mei", [1.0] * 8 + [0.3])
    record = Record()
    run_context = make_context(tmp_path, record)
    base = open_initial_weights(run_context.spec, run_context.layout)
    assert not is_written(base)
    base = write_initial_weights(base, random_synthesizer(base))
    assert is_written(open_initial_weights(run_context.spec, run_context.layout))
    build_sovits_stage(run_context, base, read_features(folder))
    (notice,) = record.of("warning")
    assert "1 of 9" in notice["message"]["en"] and "c08.wav: 0.30 s" in notice["message"]["en"]
    assert "0.30 秒" in notice["message"]["zh"]


def test_a_batch_that_is_too_large_names_the_one_that_works(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "logs" / "Mei", [2.0] * 9)
    run_context = make_context(tmp_path, Record(), **{"gpt.batch_size": 9})
    base = open_initial_weights(run_context.spec, run_context.layout)
    base = write_initial_weights(base, random_synthesizer(base))
    with pytest.raises(Problem) as problem:
        build_gpt_stage(run_context, base, read_features(folder), lambda *_: 0.0)
    assert problem.value.facts["largest"] == 2
    assert "gpt.batch_size = 9" in problem.value.message.en


@pytest.mark.parametrize("schedule", ["fixed", "upstream"])
def test_nothing_but_left_out_clips_is_a_sentence(schedule: str, tmp_path: Path) -> None:
    folder = prepared(tmp_path / "logs" / "Mei", [0.3] * 3)
    run_context = make_context(tmp_path, Record(), **{"train.schedule": schedule})
    base = open_initial_weights(run_context.spec, run_context.layout)
    base = write_initial_weights(base, random_synthesizer(base))
    with pytest.raises(Problem) as problem:
        build_sovits_stage(run_context, base, read_features(folder))
    assert problem.value.key == "engine.training.few_clips"


def test_a_base_from_nothing_is_kept(tmp_path: Path) -> None:
    run_context = make_context(tmp_path, Record())
    base = write_initial_weights(
        open_initial_weights(run_context.spec, run_context.layout),
        random_synthesizer(open_initial_weights(run_context.spec, run_context.layout)),
    )
    again = open_initial_weights(
        RunSpec("r2", "Mei", "tiny", params={"train.seed": 7}), run_context.layout
    )
    assert again == base  # another seed later may not change what tokens mean
    first, second = base.build_synthesizer().state_dict(), again.build_synthesizer().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


class Item:
    def __init__(self, name: str, seconds: float, language: str = "ja") -> None:
        self.name, self.seconds, self.language = name, seconds, language
        self.text = f"text of {name}"


@pytest.mark.parametrize("fault", ["missing", "other shape"])
def test_a_base_that_lacks_weights_is_refused(tmp_path: Path, fault: str) -> None:
    run_context = RunContext(
        RunSpec("r1", "Mei", "tiny"), Layout.at(tmp_path.as_posix()), Record(), StopFlag(), CPU
    )
    unmade = open_initial_weights(run_context.spec, run_context.layout)
    base = write_initial_weights(unmade, random_synthesizer(unmade))
    path = base.folder / "sovits.pt"
    state = torch.load(path, weights_only=True)
    for name in [name for name in state if name.startswith("enc_q.")]:
        del state[name]  # what a small voice file leaves out
    torch.save(state, path)
    base.build_synthesizer()
    weight = state.pop("dec.conv_pre.weight")
    if fault == "other shape":
        state["dec.conv_pre.weight"] = weight[:1]
    torch.save(state, path)
    with pytest.raises(Problem) as problem:
        base.build_synthesizer()
    assert problem.value.key == "engine.training.base_unfit"
    assert problem.value.facts["names"] == "dec.conv_pre.weight"


def test_the_reference_is_the_clip_nearest_to_six_seconds(tmp_path: Path) -> None:
    prepared(tmp_path, [2.0, 5.0, 9.0])
    items = [Item(f"c{n:02d}.wav", s) for n, s in enumerate((2.0, 5.0, 9.0))]
    reference = write_reference(tmp_path, items)
    assert reference.clips == ("c01.wav",) and read_reference(tmp_path) == reference
    samples, rate = soundfile.read(tmp_path / "reference" / "reference.wav")
    assert len(samples) / rate == 5.0


def test_short_clips_are_joined_into_a_reference(tmp_path: Path) -> None:
    prepared(tmp_path, [1.5, 1.0, 1.8])
    items = [Item("c00.wav", 1.5), Item("c01.wav", 1.0, "en"), Item("c02.wav", 1.8)]
    reference = write_reference(tmp_path, items)
    assert reference.clips == ("c00.wav", "c02.wav")
    assert reference.text == "text of c00.wav text of c02.wav"
    samples, rate = soundfile.read(tmp_path / "reference" / "reference.wav")
    assert len(samples) / rate == pytest.approx(3.6)


def test_too_little_for_a_reference(tmp_path: Path) -> None:
    prepared(tmp_path, [1.0])
    with pytest.raises(Problem) as problem:
        write_reference(tmp_path, [Item("c00.wav", 1.0)])
    assert problem.value.facts["longest"] == "1.0"
