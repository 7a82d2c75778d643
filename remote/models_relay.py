"""The pretrained set fetched once on this computer, for servers that cannot reach the web."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.contract.pretrained_set import FILES, HUBS
from engine.contract.problem import ExitCode, Problem
from remote.transfer.part_file import disk_errors
from remote.transfer.prefix_hash import file_digest
from remote.transfer.progress import Progress, Report
from remote.transfer.relay import fetch
from remote.transfer.tuning import Tuning

# SHA-256 of each file as it was first fetched: a copy that rotted on disk is fetched again.
SUMS = "fetched.json"


def gather(
    folder: Path,
    sources: Sequence[str],
    *,
    report: Report,
    cancel: threading.Event,
    bandwidth: float | None = None,
    tuning: Tuning | None = None,
) -> dict[str, Path]:
    """Every file of the set below `folder`, by its name there; what is whole is not fetched again.

    `sources` are asked before the public hubs. Raises Problem; what came is kept, and the next
    call goes on from it.
    """
    sums = _sums(folder)
    found: dict[str, Path] = {}
    for number, file in enumerate(FILES):
        path = folder / file.name
        known = sums.get(file.name)
        if known is None or not path.is_file() or file_digest(path) != known:
            place = f"{number + 1}/{len(FILES)} {path.name}"

            def told(progress: Progress, place: str = place) -> None:
                report(replace(progress, phase=f"{progress.phase} {place}"))

            urls = [f"{base.rstrip('/')}/{file.upstream}" for base in (*sources, *HUBS)]
            done = fetch(
                urls, path, sha256=known, report=told, cancel=cancel, bandwidth=bandwidth,
                tuning=tuning,
            )  # fmt: skip
            sums[file.name] = done.sha256
            with disk_errors(folder):
                (folder / SUMS).write_text(json.dumps(sums, indent=1), encoding="utf-8")
        found[file.name] = path
    return found


def _sums(folder: Path) -> dict[str, str]:
    try:
        raw = json.loads((folder / SUMS).read_text(encoding="utf-8"))
        return {str(name): str(value) for name, value in raw.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError):  # torn: everything is fetched or compared anew
        return {}
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem(
            "remote.transfer.cannot_read", ExitCode.DATA, path=str(folder), why=why
        ) from error
