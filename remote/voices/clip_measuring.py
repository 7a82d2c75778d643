"""Measures the recordings of a dataset on all cores, and remembers what did not change."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.dataset.check import MeasureFile
from sovdeck.engine.contract.dataset.clip import ClipMeasurement
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.problem import Problem

_CACHE_VERSION = 1
# size, modified and changed (both ns): another content under an old time has another `changed`.
FileVersion = tuple[int, int, int]
OnMeasured = Callable[[int], None]


class ClipMeasurer:
    """What each recording of a dataset measured; kept in `cache_folder` for the next program.

    A recording counts as unchanged while its size and times are the same. Call it with a path
    as `MeasureFile` after `measure_all`. Thread-safe, but for one dataset at a time.
    """

    def __init__(self, cache_folder: Path, measure: MeasureFile) -> None:
        """`measure` reads one recording; it is called from several threads."""
        self._folder = cache_folder
        self._measure = measure
        self._known: dict[str, tuple[FileVersion, ClipMeasurement | None]] = {}
        self._problems: dict[str, tuple[FileVersion, Problem]] = {}
        self._opened: set[Path] = set()
        self._lock = threading.Lock()

    def __call__(self, path: Path) -> ClipMeasurement | None:
        """The measurement of one recording; Problem when it is damaged."""
        version, key = _version_of(path), str(path)
        if (bad := self._problems.get(key)) is not None and bad[0] == version:
            raise bad[1]
        found = self._known.get(key)
        if found is None or found[0] != version:
            self._measure_one(path, version)
            return self(path)
        return found[1]

    def measure_all(
        self,
        source: Path,
        paths: Iterable[Path],
        on_measured: OnMeasured = lambda done: None,
        cancel: Callable[[], bool] = lambda: False,
    ) -> None:
        """Measure on all cores what is not known of `paths`, the recordings of the list `source`.

        on_measured: told how many were read so far, in any thread. cancel: asked before each.
        """
        self._open_cache(source)
        paths = list(paths)
        versions = {path: _version_of(path) for path in paths}
        missing = [path for path in paths if not self._knows(str(path), versions[path])]
        if not missing:
            return
        done = 0

        def measure(path: Path) -> None:
            nonlocal done
            if cancel():
                return
            self._measure_one(path, versions[path])
            with self._lock:
                done += 1
            on_measured(done)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(measure, missing):
                pass
        self._save_cache(source, map(str, paths))

    def _knows(self, key: str, version: FileVersion) -> bool:
        found = self._known.get(key) or self._problems.get(key)
        return found is not None and found[0] == version

    def _measure_one(self, path: Path, version: FileVersion) -> None:
        key = str(path)
        try:
            measurement = self._measure(path)
        except Problem as problem:
            self._known.pop(key, None)
            self._problems[key] = version, problem
        else:
            self._problems.pop(key, None)
            self._known[key] = version, measurement

    def _cache_file(self, source: Path) -> Path:
        name = hashlib.sha256(str(source.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
        return self._folder / f"{name[:32]}.json"

    def _open_cache(self, source: Path) -> None:
        if source in self._opened:
            return
        self._opened.add(source)
        try:
            kept = parse_json(self._cache_file(source).read_bytes())
            entries = kept["clips"] if kept["v"] == _CACHE_VERSION else {}
            for key, (version, facts) in entries.items():
                measurement = None if facts is None else ClipMeasurement(*facts)
                self._known.setdefault(str(key), (tuple(version), measurement))
        except FileNotFoundError:
            return
        except (ValueError, TypeError, KeyError, AttributeError):
            return  # torn, or of another time: what it held is measured anew

    def _save_cache(self, source: Path, keys: Iterable[str]) -> None:
        clips: Mapping[str, Any] = {
            key: (known[0], None if known[1] is None else astuple(known[1]))
            for key in keys
            if (known := self._known.get(key)) is not None
        }
        data = json.dumps({"v": _CACHE_VERSION, "clips": clips}).encode()
        write_atomic(self._cache_file(source), data, durable=False, mode=0o600)


def _version_of(path: Path) -> FileVersion:
    try:
        stat = path.stat()
    except OSError:
        return -1, -1, -1  # gone meanwhile: reading it says why
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
