"""What is to be spoken and how: the settings of speaking, with paths and sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.settings import SpeakSettings
from sovdeck.engine.models.gpt.sampling import Sampling


@dataclass(frozen=True)
class SpeakRequest:
    """One text with its reference. Fields are those of `infer.*` in the parameter table.

    Without `ref_text`, or with `no_ref_text`, the clip gives only its timbre.
    `verify` asks for another try, `max_rerolls` at most, where the pipeline has a recogniser.
    `early` speaks a sentence while its tokens still come, unverified, at its own speed and pitch.
    Without `max_tokens` the length of each chunk bounds it, see `pipeline.token_limit`.
    `seed` -1 draws a new seed, which the take records. `any_length` takes a reference outside
    3-10 s too, which the GPT was never trained for: for proof samples, which only must make a
    sound.
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
    pitch: float = 0.0
    pause_s: float = 0.3
    sampling: Sampling = Sampling()
    seed: int = -1
    rerender_last: bool = False
    early: bool = False
    verify: bool = True
    max_rerolls: int = 2
    max_tokens: int | None = None
    any_length: bool = False

    @property
    def as_drawn(self) -> bool:
        """Whether speed and pitch are left as the models draw them."""
        return self.speed == 1.0 and self.pitch == 0.0

    @property
    def prompted(self) -> bool:
        """Whether the reference's words lead the GPT."""
        return bool(self.ref_text.strip()) and not self.no_ref_text

    @classmethod
    def from_params(cls, given: Mapping[str, Any]) -> SpeakRequest:
        """Build from `infer.*` names without the prefix; absent ones take their defaults.

        Problem when a name is unknown, a value is out of range, or text or clip is missing.
        """
        return cls.from_settings(SpeakSettings.from_params(given))

    @classmethod
    def from_settings(cls, settings: SpeakSettings) -> SpeakRequest:
        """Build from converted settings; Problem when text or clip is missing."""
        for name, value in (("text", settings.text), ("ref_audio", settings.ref_audio)):
            if not value.strip():
                raise Problem("engine.speaking.missing", ExitCode.CONFIG, name=f"infer.{name}")
        return cls(
            text=settings.text,
            ref_audio=Path(settings.ref_audio),
            text_lang=settings.text_lang,
            ref_text=settings.ref_text,
            ref_lang=settings.ref_lang,
            aux_refs=tuple(Path(path) for path in settings.aux_refs),
            no_ref_text=settings.no_ref_text,
            slice=settings.slice,
            speed=settings.speed,
            pitch=settings.pitch,
            pause_s=settings.pause_s,
            sampling=Sampling(
                settings.top_k,
                settings.top_p,
                settings.temperature,
                settings.repetition_penalty,
            ),
            seed=settings.seed,
            rerender_last=settings.rerender_last,
            early=settings.early,
            verify=settings.verify,
            max_rerolls=settings.max_rerolls,
        )
