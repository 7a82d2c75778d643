"""What a server was rented for: a voice, its recordings on this laptop, and how it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.settings import convert_train_params


@dataclass(frozen=True)
class RentedVoice:
    """The voice that is rented for.

    list_file, wavs: its list and the folder of its recordings on this laptop; None without one.
    params: of the training, by name.
    """

    voice: str
    list_file: Path
    wavs: Path | None
    preset: str
    params: Mapping[str, ParamValue]

    def to_record(self) -> dict[str, object]:
        """Return it as a JSON object; paths are absolute, so that it holds in any folder."""
        return {
            "voice": self.voice,
            "list_file": str(self.list_file.absolute()),
            "wavs": None if self.wavs is None else str(self.wavs.absolute()),
            "preset": self.preset,
            "params": dict(self.params),
        }


def parse_rented_voice(record: object) -> RentedVoice | None:
    """Return what `to_record` wrote; None for anything else."""
    if not isinstance(record, dict):
        return None
    voice, list_file, preset = record.get("voice"), record.get("list_file"), record.get("preset")
    wavs, params = record.get("wavs"), record.get("params")
    if not (isinstance(voice, str) and isinstance(list_file, str) and isinstance(preset, str)):
        return None
    if not (wavs is None or isinstance(wavs, str)) or not isinstance(params, dict):
        return None
    try:
        values = convert_train_params(params)
    except Problem:  # of a version that knows other parameters
        return None
    return RentedVoice(voice, Path(list_file), Path(wavs) if wavs else None, preset, values)
