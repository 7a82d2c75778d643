"""The weights a voice speaks with: the pair the user selected, else the last trained ones.

`logs/NAME/chosen.json` holds the selection, `trained.json` the last export in each weight folder,
the latest folder last. Epochs alone do not decide: a voice whose training was restarted has older
files with higher numbers, and it may have weights of several GPT-SoVITS versions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.foreign_values import (
    read_facts,
    read_optional_facts,
    text_facts,
    to_text,
)
from sovdeck.engine.contract.layout import (
    VERSIONS,
    WEIGHT_FOLDERS,
    Layout,
    weight_epoch,
    weight_name,
)
from sovdeck.engine.contract.problem import ExitCode, Problem

_SELECTION_FILE = "chosen.json"
_TRAINED_FILE = "trained.json"
# What trained.json called v2's folders when it knew no others.
_OLD_KEYS = {"gpt": "GPT_weights", "sovits": "SoVITS_weights"}


def list_weight_files(folder: Path) -> list[Path]:
    """Exported weights in a folder, in the order of epoch and step."""
    if not folder.is_dir():
        return []
    named = ((weight_epoch(path.name), path) for path in folder.iterdir())
    found = [((hit[0], hit[1] or 0), path) for hit, path in named if hit is not None]
    return [path for _, path in sorted(found)]


def list_voice_weights(layout: Layout, voice: str, stage: str) -> list[Path]:
    """Exported weights of a voice in all versions; `stage`: "gpt" or "sovits".

    The version that was trained last comes last, each version in the order of epochs.
    """
    features = Path(layout.features(voice))
    folder_of = layout.gpt_weights if stage == "gpt" else layout.sovits_weights
    return [
        path
        for version in _versions_by_training(features)
        for path in list_weight_files(Path(folder_of(voice, version)))
    ]


def list_voices(layout: Layout) -> list[str]:
    """Voices that can speak: those with a GPT and a SoVITS weight, by name."""
    work = Path(layout.work)
    named: dict[str, set[str]] = {"gpt": set(), "sovits": set()}
    for folder, (stage, _) in WEIGHT_FOLDERS.items():
        if (work / folder).is_dir():
            named[stage] |= {p.name for p in (work / folder).iterdir() if list_weight_files(p)}
    return sorted(named["gpt"] & named["sovits"])


def find_newest_weight(features: Path, folder: Path) -> Path:
    """The last trained weight in `folder` of a voice with these `features`; Problem for none."""
    weights = list_weight_files(folder)
    if not weights:
        raise no_weights(PurePosixPath(folder))
    return _last_trained(features, weights)


def no_weights(folder: PurePosixPath) -> Problem:
    """What to say of a voice without weights, which would lie in `folder`."""
    return Problem(
        "engine.pack.no_voice", ExitCode.DATA, folder=folder.parent.name, voice=folder.name
    )


def write_selection(features: Path, gpt: str, sovits: str) -> None:
    """Store the selected pair, each by its listed name (`layout.weight_name`)."""
    write_atomic(features / _SELECTION_FILE, json.dumps({"gpt": gpt, "sovits": sovits}).encode())


def read_selection(features: Path) -> tuple[str, str] | None:
    """Listed names of the selected pair (GPT, SoVITS); None without a selection."""
    path = features / _SELECTION_FILE
    try:
        names = read_facts(path)
    except FileNotFoundError:
        return None
    gpt, sovits = text_facts(path, names, "gpt", "sovits")
    return gpt, sovits


def select_weight(features: Path, weights: Sequence[Path]) -> Path:
    """The selected one of `weights`, else the last trained one.

    `weights` are those of one stage as `list_voice_weights` lists them, not none. A selection made
    before the newest of them was trained no longer counts: that one was not in the audition.
    """
    newest_version = [path for path in weights if path.parent == weights[-1].parent]
    names = read_selection(features)
    if names is None:
        return _last_trained(features, newest_version)
    made = (features / _SELECTION_FILE).stat().st_mtime
    found = [path for path in weights if weight_name(path) in names]
    fresh = all(path.stat().st_mtime <= made for path in weights)
    return found[0] if found and fresh else _last_trained(features, newest_version)


def write_last_trained(features: Path, weight: Path) -> None:
    """Store that training has just exported `weight`."""
    trained = _read_trained(features)
    folder = weight.parent.parent.name
    trained.pop(folder, None)  # the latest is the last
    trained[folder] = weight.name
    write_atomic(features / _TRAINED_FILE, json.dumps(trained).encode())


def _last_trained(features: Path, weights: Sequence[Path]) -> Path:
    """The one of a folder's `weights` that was exported last; by epoch where that is not stored."""
    name = _read_trained(features).get(weights[-1].parent.parent.name)
    return next((path for path in weights if path.name == name), weights[-1])


def _versions_by_training(features: Path) -> list[str]:
    """All versions, the one that was trained last at the end."""
    trained = [WEIGHT_FOLDERS[folder][1] for folder in _read_trained(features)]
    last = {version: place for place, version in enumerate(trained)}
    return sorted(VERSIONS, key=lambda version: last.get(version, -1))


def _read_trained(features: Path) -> dict[str, str]:
    names = read_optional_facts(features / _TRAINED_FILE)
    named = {_OLD_KEYS.get(key, key): to_text(name) for key, name in names.items()}
    return {folder: name for folder, name in named.items() if folder in WEIGHT_FOLDERS}
