"""What is to be spoken and how: the speaking parameters of the table, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.contract.params import PARAMS, check
from engine.contract.problem import ExitCode, Problem
from engine.models.gpt.sampling import Sampling


@dataclass(frozen=True)
class SpeakRequest:
    """One text with its reference. Fields are those of `infer.*` in the parameter table.

    Without `ref_text`, or with `no_ref_text`, the clip lends only its timbre.
    `verify` asks for another try, `max_rerolls` at most, where the speaker has a recogniser.
    Without `max_tokens` the length of each piece bounds it, see `pipeline.token_limit`.
    `seed` -1 draws a new seed, which the take records. `any_length` takes a reference outside
    3-10 s too, which the GPT was never trained for: for proofs that only must make a sound.
    """

    text: str
    ref_audio: Path
    text_lang: str = "zh"
    ref_text: str = ""
    ref_lang: str = "zh"
    aux_refs: tuple[Path, ...] = ()
    no_ref_text: bool = False
    slice: str = "4clauses"
    speed: float = 1.0
    pause_s: float = 0.3
    sampling: Sampling = Sampling()
    seed: int = -1
    rerender_last: bool = False
    verify: bool = True
    max_rerolls: int = 2
    max_tokens: int | None = None
    any_length: bool = False

    @property
    def prompted(self) -> bool:
        """Whether the reference's words lead the GPT."""
        return bool(self.ref_text.strip()) and not self.no_ref_text

    @classmethod
    def from_params(cls, given: Mapping[str, Any]) -> SpeakRequest:
        """Build from `infer.*` names without the prefix; absent ones take their defaults.

        Problem when a name is unknown, a value is out of range, or text or clip is missing.
        """
        values = {name: check(f"infer.{name}", value) for name, value in given.items()}
        for name in ("text", "ref_audio"):
            if not str(values.get(name, "")).strip():
                raise Problem("engine.speaking.missing", ExitCode.CONFIG, name=f"infer.{name}")

        def value(name: str) -> Any:
            return values.get(name, PARAMS[f"infer.{name}"].default)

        return cls(
            text=value("text"),
            ref_audio=Path(value("ref_audio")),
            text_lang=value("text_lang"),
            ref_text=value("ref_text"),
            ref_lang=value("ref_lang"),
            aux_refs=tuple(Path(path) for path in value("aux_refs")),
            no_ref_text=value("no_ref_text"),
            slice=value("slice"),
            speed=value("speed"),
            pause_s=value("pause_s"),
            sampling=Sampling(
                value("top_k"), value("top_p"), value("temperature"), value("repetition_penalty")
            ),
            seed=value("seed"),
            rerender_last=value("rerender_last"),
            verify=value("verify"),
            max_rerolls=value("max_rerolls"),
        )
