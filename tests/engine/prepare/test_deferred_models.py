"""What is not needed is not loaded: a resume with nothing to prepare, a voice without Chinese."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import soundfile
import torch
from deferred_encoders import defer, defer_synthesizer
from prepare_signals import tone

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.interop.set_manifest import pin_file
from sovdeck.engine.models.frozen.content_encoder import ContentEncoder
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder
from sovdeck.engine.prepare.frozen_encoders import encoders_of_set
from sovdeck.engine.prepare.pipeline import prepare

Make = Callable[..., tuple[RunSpec, Layout]]


def no_polyphones(*_: Any) -> Any:
    raise AssertionError("no clip is Chinese, and the model of polyphones is loaded")


def loaded(dataset: tuple[RunSpec, Layout], encoder: Any, base: Any) -> set[str]:
    """Names of the models that preparing loads."""
    encoders = defer(encoder, object(), SpeakerEncoder.random(1))
    synthesizer = defer_synthesizer(base)
    prepare(*dataset, encoders=encoders, synthesizer=synthesizer, emit=lambda *_, **__: None)
    models = {**vars(encoders), "synthesizer": synthesizer}
    return {name for name, model in models.items() if model.is_loaded}


def test_a_resume_with_nothing_to_prepare_loads_nothing(
    dataset: Make, encoder: Any, base: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("sovdeck.engine.prepare.pipeline.open_polyphones", no_polyphones)
    made = dataset()
    # No clip is Chinese, so not even the first pass asks for the text encoder.
    assert loaded(made, encoder, base) == {"content", "speaker", "synthesizer"}
    assert loaded(made, encoder, base) == set()
    wav = Path(made[1].dataset("ATRI")) / "wavs" / "clip1.wav"
    soundfile.write(wav, tone(1.5, hz=300), 24000, subtype="PCM_16")
    assert loaded(made, encoder, base) == {"content", "speaker", "synthesizer"}
    (Path(made[1].features("ATRI")) / "7-sv_cn" / "clip1.wav.pt").unlink()
    assert loaded(made, encoder, base) == {"speaker"}


def test_an_encoder_is_known_by_its_files_without_reading_them(
    tmp_path: Path, monkeypatch: Any
) -> None:
    encoder = tmp_path / "chinese-hubert-base"
    ContentEncoder.untrained(3, hidden=16).model.save_pretrained(encoder)
    for path in encoder.iterdir():
        pin_file(tmp_path, path.relative_to(tmp_path).as_posix(), "https://hub.example")
    monkeypatch.setattr("sovdeck.engine.interop.set_manifest.file_sha256", None)
    encoders = encoders_of_set(tmp_path, "v2", "cpu", takes_speaker=False)
    on_gpu = encoders_of_set(tmp_path, "v2", "cuda", takes_speaker=False)
    assert encoders.content.identity != on_gpu.content.identity, "features differ by precision"
    assert not encoders.content.is_loaded and encoders.text is None
    assert encoders.content.features(torch.randn(1, 800)).shape[1] == 16
    assert encoders.content.is_loaded
