"""What `bench` found on one machine, as a JSON row that laptop, server and people exchange."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sovdeck.engine.contract.catalogue import Language, text
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.measured import BENCH_CLIP_S, Measurement

ROW_VERSION = 1
MAX_ROW_BYTES = 64_000
_MAX_FIGURES, _MAX_TEXT = 200, 120
_TOKENS_PER_SECOND = 25  # of speech


@dataclass(frozen=True)
class Figure:
    """One number: `name` and `unit` are keys of the catalogue, `detail` says of what."""

    name: str
    value: float
    unit: str
    detail: str = ""


@dataclass(frozen=True)
class BenchRow:
    """All figures of one machine. made: Unix seconds; sizes: "full" or "tiny".

    machine: see `sovdeck.engine.runtime.machine`. updates: seconds of training updates.
    """

    made: int
    sizes: str
    machine: Mapping[str, Any]
    figures: tuple[Figure, ...]
    updates: tuple[Measurement, ...]

    @property
    def device(self) -> str:
        """Name of the GPU, or of the processor where there is none."""
        on_gpu = self.machine.get("device_kind") == "cuda"
        return str(self.machine.get("device" if on_gpu else "cpu", ""))

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """Its updates, and a sentence as its tokens a second and its decoder come to."""
        tokens = self._figure("tokens", "batch 1")
        decode = self._figure("decode", "")
        if tokens is None or decode is None:
            return self.updates
        seconds = BENCH_CLIP_S * (_TOKENS_PER_SECOND / tokens + 1 / decode)
        preset = "v2" if self.sizes == "full" else "tiny"
        return (*self.updates, Measurement("speech", preset, 1, seconds))

    def _figure(self, name: str, detail: str) -> float | None:
        """The first such figure above zero whose detail begins so; None without one."""
        found = (one for one in self.figures if one.name == name and one.value > 0)
        return next((one.value for one in found if one.detail.startswith(detail)), None)

    def as_json(self) -> dict[str, Any]:
        """The row as JSON values."""
        return {"v": ROW_VERSION, **asdict(self)}

    def canonical(self) -> bytes:
        """The bytes that a signature is made of: the same for the same row everywhere."""
        return json.dumps(
            self.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=True
        ).encode()

    @classmethod
    def parse(cls, raw: Any) -> BenchRow | None:
        """Read a row from a server or a file, bounded and clean; None for anything else."""
        if not isinstance(raw, Mapping) or raw.get("v") != ROW_VERSION:
            return None
        machine, made = raw.get("machine"), raw.get("made")
        if not isinstance(machine, Mapping) or not isinstance(made, int):
            return None
        lists = [raw.get(name) for name in ("figures", "updates")]
        if not all(isinstance(each, list) and len(each) <= _MAX_FIGURES for each in lists):
            return None
        figures = [_parse_figure(each) for each in lists[0] or ()]
        updates = [Measurement.parse(each) for each in lists[1] or ()]
        return cls(
            made,
            "full" if raw.get("sizes") == "full" else "tiny",
            {_clean(key): _clean(value) for key, value in list(machine.items())[:40]},
            tuple(one for one in figures if one is not None),
            tuple(one for one in updates if one is not None),
        )

    def format_rows(self, language: Language) -> list[list[str]]:
        """One line a figure: what, of what, how much."""
        return [
            [
                text(f"engine.bench.{one.name}").get(language),
                one.detail,
                format_bytes(int(one.value)) if one.unit == "bytes" else f"{one.value:.4g}",
                "" if one.unit == "bytes" else text(f"engine.bench.unit_{one.unit}").get(language),
            ]
            for one in self.figures
        ]


# Names of figures and units, each with a sentence in the catalogue.
FIGURES = (
    "core_score",
    "front_end",
    "bert",
    "tokens",
    "decode",
    "first_sound",
    "updates",
    "peak_memory",
)
UNITS = ("score", "characters_s", "tokens_s", "times_real", "seconds", "updates_s", "bytes")


def _parse_figure(raw: Any) -> Figure | None:
    if not isinstance(raw, Mapping):
        return None
    name, value, unit = raw.get("name"), raw.get("value"), raw.get("unit")
    if name not in FIGURES or unit not in UNITS or not isinstance(value, (int, float)):
        return None
    if not math.isfinite(value):
        return None
    return Figure(name, float(value), unit, str(_clean(raw.get("detail", ""))))


def _clean(value: Any) -> Any:
    """A number, true, false or none as it is; all else as short printable text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return "".join(char for char in str(value)[:_MAX_TEXT] if char.isprintable())
