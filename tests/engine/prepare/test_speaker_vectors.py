"""`7-sv_cn`: one vector a clip for v2Pro, made once; a clip without one is named and left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from deferred_encoders import defer, defer_synthesizer

from sovdeck.engine.audio.resample import resample
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder
from sovdeck.engine.prepare.pipeline import PreparedDataset, prepare

Make = Callable[..., tuple[RunSpec, Layout]]


class Counted(SpeakerEncoder):
    """The tiny network, counting; `fails` is the call that gives no finite vector."""

    def __init__(self, fails: int | None = None) -> None:
        made = SpeakerEncoder.random(1)
        super().__init__(made.model, made.name, pretrained=False)
        self.calls = 0
        self.fails = fails

    def vector(self, wav: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        if self.calls == self.fails:
            raise ValueError("the speaker vector is not finite")
        return super().vector(wav)


def run(made: Any, encoder: Any, base: Any, speaker: Any, seen: list[Any]) -> PreparedDataset:
    def emit(type_: str, stage: str | None = None, **payload: Any) -> None:
        seen.append((type_, payload))

    spec, layout = made
    return prepare(
        spec,
        layout,
        encoders=defer(encoder, speaker=speaker),
        synthesizer=defer_synthesizer(base),
        emit=emit,
    )


def test_vectors_are_of_the_stored_wave(dataset: Make, encoder: Any, base: Any) -> None:
    speaker = Counted()
    prepared = run(dataset(), encoder, base, speaker, [])
    for item in prepared.items:
        vector = torch.load(prepared.folder / "7-sv_cn" / f"{item.name}.pt", weights_only=True)
        assert vector.shape == (1, 1280) and vector.dtype == torch.float32
        samples, rate = soundfile.read(prepared.folder / "5-wav32k" / item.name, dtype="float32")
        want = SpeakerEncoder.random(1).vector(torch.from_numpy(resample(samples, rate, 16000)))
        assert torch.equal(vector, want)


def test_vectors_are_made_once(dataset: Make, encoder: Any, base: Any) -> None:
    made = dataset()
    without = run(made, encoder, base, None, [])
    assert not list((without.folder / "7-sv_cn").iterdir()), "v2 needs none"
    speaker = Counted()
    first = run(made, encoder, base, speaker, [])
    assert (speaker.calls, encoder.calls) == (4, 4), "what v2 made stays"
    assert first.remade == 4 and first.digest != without.digest
    second = run(made, encoder, base, speaker, [])
    assert (speaker.calls, second.remade, second.digest) == (4, 0, first.digest)
    (first.folder / "7-sv_cn" / "clip1.wav.pt").unlink()
    third = run(made, encoder, base, speaker, [])
    assert (speaker.calls, third.remade) == (5, 1)


def test_a_killed_pass_goes_on_at_its_item(dataset: Make, encoder: Any, base: Any) -> None:
    class Killed(BaseException):
        pass

    class Dies(Counted):
        def vector(self, wav: torch.Tensor) -> torch.Tensor:
            if self.calls == 2:
                raise Killed
            return super().vector(wav)

    made = dataset()
    with pytest.raises(Killed):
        run(made, encoder, base, Dies(), [])
    speaker = Counted()
    run(made, encoder, base, speaker, [])
    assert speaker.calls == 2


def test_a_clip_without_a_vector_is_named_and_left_out(
    dataset: Make, encoder: Any, base: Any
) -> None:
    seen: list[Any] = []
    prepared = run(dataset(), encoder, base, Counted(fails=2), seen)
    assert [item.name for item in prepared.items] == ["clip0.wav", "clip2.wav", "clip3.wav"]
    reported = [
        p for kind, p in seen if kind == "warning" and p["code"] == "engine.data.no_speaker"
    ]
    assert len(reported) == 1
    assert (
        "clip1.wav" in reported[0]["message"]["en"] and "not finite" in reported[0]["message"]["en"]
    )
    assert not (prepared.folder / "7-sv_cn" / "clip1.wav.pt").exists()
    table = Path(prepared.folder / "2-name2text.txt").read_text(encoding="utf-8")
    assert "clip1.wav" not in table
