"""What a voice was trained from, by the records that training left."""

from __future__ import annotations

from pathlib import Path

from sovdeck.engine.contract.foreign_values import read_optional_facts, to_text
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.interop.atomic_export import sidecar_path


def recorded_identity(weight: Path) -> str:
    """`InitialWeights.identity` in the note beside a weight file; "" without a note."""
    # A weight of GPT-SoVITS's own has no note, or another program's.
    # Training writes it among what a state must agree in to be continued.
    training = read_optional_facts(sidecar_path(weight)).get("metrics")
    return to_text(training.get("base")) if isinstance(training, dict) else ""


def set_of_newest_run(layout: Layout, voice: str) -> str | None:
    """The pretrained set of the voice's newest run; None from nothing, or where none says so."""
    specs = Path(layout.work).glob("runs/*/spec.json")
    for path in sorted(specs, key=lambda path: -path.stat().st_mtime):
        try:
            spec = RunSpec.from_json(path.read_text(encoding="utf-8", errors="replace"))
        except (OSError, Problem):
            continue  # no run of this version of ours: it tells nothing
        if spec.voice == voice:
            return spec.pretrained
    return None
