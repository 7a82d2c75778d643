"""Reading a transformers model from a local folder, never from the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.contract.problem import ExitCode, Problem

WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def check_folder(folder: str | Path, name: str) -> Path:
    """Return `folder` when it holds a model; Problem naming what is missing otherwise."""
    folder = Path(folder)
    if not folder.is_dir():
        raise Problem("engine.pretrained.no_folder", ExitCode.CONFIG, name=name, folder=str(folder))
    missing = [] if (folder / "config.json").is_file() else ["config.json"]
    if not any((folder / file).is_file() for file in WEIGHTS):
        missing.append(" or ".join(WEIGHTS))
    if missing:
        raise Problem(
            "engine.pretrained.incomplete", ExitCode.CONFIG,
            name=name, folder=str(folder), files=", ".join(missing),
        )  # fmt: skip
    return folder


def load_model(kind: type[Any], folder: str | Path, name: str, **options: Any) -> Any:
    """`kind.from_pretrained(folder)` without the network.

    Problem when the files do not load, or lack weights, which transformers would draw at random.
    """
    folder = check_folder(folder, name)
    try:
        model, report = kind.from_pretrained(
            str(folder), local_files_only=True, output_loading_info=True, **options
        )
    except Exception as error:  # noqa: BLE001  transformers raises a dozen types for bad files
        why = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise Problem(
            "engine.pretrained.damaged", ExitCode.CONFIG, name=name, folder=str(folder), why=why
        ) from error
    # Only pre-training uses the embedding of masked frames.
    missing = sorted(key for key in report["missing_keys"] if key != "masked_spec_embed")
    if missing:
        why = f"{len(missing)} weights are missing, first {missing[0]}"
        raise Problem(
            "engine.pretrained.damaged", ExitCode.CONFIG, name=name, folder=str(folder), why=why
        )
    return model.eval()
