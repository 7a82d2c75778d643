"""Reading a transformers model from a local folder, never from the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from sovdeck.engine.contract.problem import ExitCode, Problem

# A run's log is ours: what matters of a load is raised below as a sentence.
logging.disable_progress_bar()
logging.set_verbosity_error()

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def check_model_folder(folder: str | Path, name: str) -> Path:
    """Return `folder` when it holds a model; Problem naming what is missing otherwise."""
    folder = Path(folder)
    if not folder.is_dir():
        raise Problem("engine.pretrained.no_folder", ExitCode.CONFIG, name=name, folder=str(folder))
    missing = [] if (folder / "config.json").is_file() else ["config.json"]
    if not any((folder / file).is_file() for file in WEIGHT_FILES):
        missing.append(" or ".join(WEIGHT_FILES))
    if missing:
        raise Problem(
            "engine.pretrained.incomplete",
            ExitCode.CONFIG,
            name=name,
            folder=str(folder),
            files=", ".join(missing),
        )
    return folder


def encoder_dtype(device: str | torch.device) -> torch.dtype:
    """The number format in which a frozen encoder runs: half on a GPU, as upstream (SPEC 1.7).

    Never that of the file: the official ones are stored in half, which a CPU computes ten times
    slower and less exactly.
    """
    return torch.float16 if torch.device(device).type == "cuda" else torch.float32


def load_local_model(
    kind: type[Any], folder: str | Path, name: str, device: str | torch.device, **options: Any
) -> Any:
    """`kind.from_pretrained(folder)` without the network, on a device and in its number format.

    Problem when the files do not load, or lack weights, which transformers would draw at random.
    """
    folder = check_model_folder(folder, name)
    try:
        model, report = kind.from_pretrained(
            str(folder),
            local_files_only=True,
            output_loading_info=True,
            dtype=encoder_dtype(device),
            **options,
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
    return model.to(device).eval()
