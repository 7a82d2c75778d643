"""The small files that lie beside weights, as another program or a torn disk may have left them."""

from __future__ import annotations

from pathlib import Path

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem

SAMPLES = (
    b'{"wav": "a.wav", "text": "x", "language": "ja", "clips": ["a", "b"]}',
    b'{"gpt": "Mei-e1.ckpt", "sovits": "Mei_e1_s2.pth"}',
    b'{"GPT_weights": "Mei-e1.ckpt", "SoVITS_weights": "Mei_e1_s2.pth"}',
    b'{"file": "Mei_e1_s2.pth", "bytes": 5, "sha256": "0", "engine": "1", "version": "v2",'
    b' "base": "pretrained v2", "metrics": {"total": 1.5}}',
    b'{"files": {"a.pth": {"bytes": 5, "mtime_ns": 6, "sha256": "0", "source": "x"}}}',
    b'{"step": 1, "facts": {"a": 1}, "files": {"model": {"bytes": 5, "sha256": "0"}}}',
    b'{"seed": 1, "identity": "x", "sovits": {"version": "v2"}, "gpt": {"layers": 2}}',
    b'{"text": "x", "language": "zh"}',
)
_NAMES = (
    "logs/Mei/reference/reference.json",
    "logs/Mei/chosen.json",
    "logs/Mei/trained.json",
    "logs/Mei/base/base.json",
    "logs/Mei/states/gpt/step-00000001/manifest.json",
    "GPT_weights/Mei/Mei-e1.ckpt.json",
    "SoVITS_weights/Mei/Mei_e1_s2.pth.json",
    "references/Mei/calm.json",
    "pretrained/own/manifest.json",
    "runs/r1/spec.json",
    "takes/Mei/0001.json",
)


def read_beside_weights(work: Path, data: bytes) -> int:
    """Every one of them holds the same bytes; what reads it raises Problem alone.

    Returns how many found in it what they look for.
    """
    # Here: they load torch, which no other reader of the table needs.
    from sovdeck.engine.interop.inspection import _read_sidecar
    from sovdeck.engine.interop.set_manifest import read_manifest
    from sovdeck.engine.models.gpt.config import GptConfig
    from sovdeck.engine.models.sovits.config import SovitsConfig
    from sovdeck.engine.runtime import selected_weights
    from sovdeck.engine.runtime.checkpoint import CheckpointStore
    from sovdeck.engine.speaking.takes import read_chunk_tokens
    from sovdeck.engine.speaking.training_record import recorded_identity, set_of_newest_run
    from sovdeck.engine.speaking.voice_loader import VoiceLoader
    from sovdeck.engine.training.initial_weights import _weights_from_scratch
    from sovdeck.engine.voice.reference_clip import read_reference

    features, same = work / "logs/Mei", work / "same.json"
    if not same.exists():
        for name in _NAMES:
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).symlink_to(same)
    same.write_bytes(data)
    sovits, gpt = work / "SoVITS_weights/Mei/Mei_e1_s2.pth", work / "GPT_weights/Mei/Mei-e1.ckpt"
    for path in (sovits, gpt, work / "references/Mei/calm.wav"):
        path.touch()
    loader, answers = VoiceLoader(work, "Mei"), []
    for read in (
        loader.prepared_reference,
        loader.gpt_weights,
        loader.sovits_weights,
        loader.gpt_path,
        lambda: loader.named_reference("calm"),
        lambda: read_reference(features),
        lambda: selected_weights.read_selection(features),
        lambda: selected_weights.select_weight(features, [sovits]),
        lambda: recorded_identity(sovits),
        lambda: set_of_newest_run(Layout.at(work.as_posix()), "Mei"),
        lambda: _read_sidecar(sovits),
        lambda: read_manifest(work / "pretrained/own"),
        CheckpointStore(features / "states/gpt").find_newest,
        lambda: _weights_from_scratch(features / "base", SovitsConfig(), GptConfig(), 1),
        lambda: read_chunk_tokens(work / "takes/Mei/0001.json"),
    ):
        try:
            answers.append(read())
        except Problem as problem:
            problem.sentence("zh")
    return sum(bool(answer) for answer in answers)
