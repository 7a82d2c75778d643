"""The dataset folder: upstream's layout, made once, redone only where something changed."""

from __future__ import annotations

import ast
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from deferred_encoders import defer, defer_synthesizer

from sovdeck.engine.contract import events
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.prepare.loudness import training_signals
from sovdeck.engine.prepare.pipeline import PreparedDataset, prepare

Make = Callable[..., tuple[RunSpec, Layout]]


class Recorder:
    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, type_: str, stage: str | None = None, **payload: Any) -> None:
        events.check_event(type_, payload)
        assert stage == "prepare"
        self.seen.append((type_, payload))

    def steps(self) -> list[tuple[int, int]]:
        return [(p["step"], p["total"]) for kind, p in self.seen if kind == "step"]


def run(made: tuple[RunSpec, Layout], encoder: Any, base: Any, **more: Any) -> PreparedDataset:
    spec, layout = made
    emit = more.pop("emit", Recorder())
    return prepare(
        spec,
        layout,
        encoders=defer(encoder),
        synthesizer=defer_synthesizer(base),
        emit=emit,
        **more,
    )


def test_the_folder_is_upstreams(dataset: Make, encoder: Any, base: Any) -> None:
    emit = Recorder()
    prepared = run(dataset(), encoder, base, emit=emit)
    folder = prepared.folder
    assert folder.name == "ATRI" and folder.parent.name == "logs"
    text = (folder / "2-name2text.txt").read_text(encoding="utf-8")
    assert text.endswith("\n")
    rows = [line.split("\t") for line in text.splitlines()]
    assert [row[0] for row in rows] == [f"clip{n}.wav" for n in range(4)]
    assert all(len(row) == 4 and ast.literal_eval(row[2]) is None for row in rows)
    assert rows[2][3] == "また明日。" and rows[2][1].startswith("m a [ t a UNK")
    table = (folder / "6-name2semantic.tsv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "item_name\tsemantic_audio"
    for line, item in zip(table[1:], prepared.items, strict=True):
        name, tokens = line.split("\t")
        assert name == item.name and len(tokens.split(" ")) == item.tokens
        features = torch.load(folder / "4-cnhubert" / f"{name}.pt", weights_only=True)
        assert features.shape[:2] == (1, 8) and features.dtype == torch.float32
        assert not features.requires_grad and item.tokens == features.shape[2] // 2
        with wave.open(str(folder / "5-wav32k" / name)) as wav:
            assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (32000, 1, 2)
            assert (folder / "5-wav32k" / name).stat().st_size == 44 + 2 * wav.getnframes()
            assert item.seconds == pytest.approx(wav.getnframes() / 32000)
    assert emit.steps() == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert not list(folder.rglob(".new-*"))


def test_a_second_prepare_makes_nothing_again(dataset: Make, encoder: Any, base: Any) -> None:
    first = run(dataset(), encoder, base)
    emit = Recorder()
    second = run(dataset(), encoder, base, emit=emit)
    assert (encoder.calls, base.calls, second.remade) == (4, 4, 0)
    assert first.digest == second.digest and emit.steps() == [(4, 4)]


class Killed(BaseException):
    """Stands for the signal that ends a process between two instructions."""


def test_a_killed_prepare_goes_on_where_it_was(
    dataset: Make, encoder: Any, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = type(encoder).features

    def dies_at_third(self: Any, wav: torch.Tensor) -> torch.Tensor:
        if self.calls == 2:
            raise Killed
        return whole(self, wav)

    monkeypatch.setattr(type(encoder), "features", dies_at_third)
    made = dataset()
    with pytest.raises(Killed):
        run(made, encoder, base)
    monkeypatch.setattr(type(encoder), "features", whole)
    index = Path(made[1].features("ATRI")) / "sovdeck-index.jsonl"
    index.write_bytes(index.read_bytes() + b'{"name": "clip2.wav", "tex')  # a torn last line
    prepared = run(made, encoder, base)
    assert encoder.calls == 4 and prepared.remade == 2 and len(prepared.items) == 4


def test_one_changed_line_redoes_one_text(dataset: Make, encoder: Any, base: Any) -> None:
    made = dataset()
    before = run(made, encoder, base)
    source = Path(made[1].dataset("ATRI")) / "ATRI.list"
    source.write_text(source.read_text("utf-8").replace("また明日", "またあとで"), "utf-8")
    after = run(made, encoder, base)
    assert after.remade == 1 and (encoder.calls, base.calls) == (4, 4)
    assert after.digest != before.digest
    assert "a ] t o d e" in (after.folder / "2-name2text.txt").read_text("utf-8")


def test_one_changed_recording_redoes_one_clip(dataset: Make, encoder: Any, base: Any) -> None:
    made = dataset()
    run(made, encoder, base)
    wav = Path(made[1].dataset("ATRI")) / "wavs" / "clip1.wav"
    samples, rate = soundfile.read(wav)
    soundfile.write(wav, samples[::-1], rate)
    prepared = run(made, encoder, base)
    assert prepared.remade == 1 and (encoder.calls, base.calls) == (5, 5)


def test_a_lost_file_is_made_again(dataset: Make, encoder: Any, base: Any) -> None:
    made = dataset()
    prepared = run(made, encoder, base)
    (prepared.folder / "4-cnhubert" / "clip3.wav.pt").unlink()
    assert run(made, encoder, base).remade == 1 and encoder.calls == 5


def test_another_encoder_or_codebook_is_noticed(dataset: Make, encoder: Any, base: Any) -> None:
    made = dataset()
    run(made, encoder, base)
    with torch.no_grad():
        base.quantizer.vq.layers[0]._codebook.embed.mul_(-1)
    run(made, encoder, base)
    assert (encoder.calls, base.calls) == (4, 8)
    with torch.no_grad():
        encoder.model.scale.mul_(2)
    run(made, encoder, base)
    assert (encoder.calls, base.calls) == (8, 12)


def test_faults_are_events_and_the_rest_goes_on(dataset: Make, encoder: Any, base: Any) -> None:
    made = dataset()
    source = Path(made[1].dataset("ATRI")) / "ATRI.list"
    source.write_text(
        source.read_text("utf-8") + "gone.wav|A|ja|あ\nwavs/clip0.wav|A|xx|あ\n", "utf-8"
    )
    emit = Recorder()
    prepared = run(made, encoder, base, emit=emit)
    assert [p.key for p in prepared.problems] == [
        "engine.data.missing",
        "engine.data.unknown_language",
    ]
    assert [p["code"] for kind, p in emit.seen if kind == "warning"] == [
        p.key for p in prepared.problems
    ]
    assert len(prepared.items) == 4
    with pytest.raises(Problem) as stopped:
        run(made, encoder, base, strict=True)
    assert stopped.value.exit_code is ExitCode.DATA and stopped.value.facts["count"] == 2


def test_features_that_are_not_numbers_leave_an_item_out(
    dataset: Make, encoder: Any, base: Any
) -> None:
    whole = encoder.features
    encoder.features = lambda wav: whole(wav) * (float("nan") if encoder.calls == 1 else 1)
    prepared = run(dataset(), encoder, base)
    assert [p.key for p in prepared.problems] == ["engine.data.no_features"]
    assert len(prepared.items) == 3
    assert not (prepared.folder / "5-wav32k" / prepared.problems[0].facts["name"]).exists()


def test_half_precision_that_overflows_is_heard_again_in_single(
    dataset: Make, encoder: Any, base: Any
) -> None:
    with torch.no_grad():
        encoder.model.half().scale.fill_(6e4)  # times a level above 1: past half's 65504
    prepared = run(dataset(), encoder, base)
    assert len(prepared.items) == 4 and prepared.problems == () and encoder.calls == 8
    assert encoder.model.scale.dtype == torch.float16


def test_nothing_usable_is_a_problem(dataset: Make, encoder: Any, base: Any) -> None:
    made = dataset()
    (Path(made[1].dataset("ATRI")) / "ATRI.list").write_text("a|b\n", "utf-8")
    with pytest.raises(Problem) as nothing:
        run(made, encoder, base)
    assert nothing.value.key == "engine.data.nothing_left"


def test_user_words_reach_the_phones(dataset: Make, encoder: Any, base: Any) -> None:
    made = dataset()
    before = run(made, encoder, base)
    words = Path(made[1].dataset("ATRI")) / "words.txt"
    words.write_text("明日{あす}  # not あした\n", "utf-8")
    after = run(made, encoder, base)
    assert after.remade == 4 and encoder.calls == 4  # every text is read anew, no audio is
    assert before.items[2].phones != after.items[2].phones


def test_levels_follow_upstreams_arithmetic(tmp_path: Path) -> None:
    wav = np.array([0.0, 0.25, -0.5, 0.5, 0.1] * 800, np.float32)
    soundfile.write(tmp_path / "a.wav", wav, 32000, subtype="FLOAT")
    stored, heard = training_signals(tmp_path / "a.wav")
    # 0.5 -> (0.5/0.5*0.475 + 0.25) * 32768 = 23756.8, truncated toward zero on both sides
    assert stored[:5].tolist() == [0, 11878, -23756, 23756, 4751]
    assert stored.dtype == np.int16 and heard.dtype == np.float32 and heard.size == 2000
    soundfile.write(tmp_path / "loud.wav", wav * 4, 32000, subtype="FLOAT")
    stored, _ = training_signals(tmp_path / "loud.wav")
    assert stored.max() == 32767 and stored.min() == -32768  # clipped, never wrapped round


def test_the_codebook_is_fitted_once_and_repeatably(dataset: Make, encoder: Any, base: Any) -> None:
    made = dataset()
    first = run(made, encoder, base, fit_seed=7)
    book = base.quantizer.vq.layers[0]._codebook
    centres = book.embed.clone()
    assert book.inited.item() == 1 and first.codebook_use == 1.0
    assert book.cluster_size.sum() == sum(item.tokens for item in first.items)
    rows = (first.folder / "6-name2semantic.tsv").read_text("utf-8").splitlines()[1:]
    used = {token for row in rows for token in row.split("\t")[1].split()}
    assert len(used) == 16  # every code says something
    with torch.no_grad():
        book.embed.normal_()
    again = run(made, encoder, base, fit_seed=7)
    assert torch.equal(book.embed, centres) and again.digest == first.digest


def test_with_the_real_models(dataset: Make) -> None:
    from sovdeck.engine.models.frozen.content_encoder import ContentEncoder
    from sovdeck.engine.models.sovits.config import SovitsConfig
    from sovdeck.engine.models.sovits.synthesizer import Synthesizer

    torch.manual_seed(0)
    config = SovitsConfig.tiny()
    content = ContentEncoder.untrained(0, hidden=config.ssl_dim)
    base = Synthesizer(config).eval()
    made = dataset()
    prepared = run(made, content, base, fit_seed=1)
    assert len(prepared.items) == 4 and prepared.codebook_use is not None
    again = run(made, content, base)
    assert again.remade == 0 and again.digest == prepared.digest
