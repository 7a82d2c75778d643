"""The form of the Speak screen: weights, reference clip, text, parameters. Pure.

Fields the person has not touched follow what is known of the voice: the pair an audition chose,
else the newest weights; the best reference of a usable length, its text and its language.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.reference_segment import is_reference_length
from sovdeck.engine.contract.voice_assets import ReferenceClip
from sovdeck.tui.state.speech_models import AuditionState, SpeakDraft, TakeRow, VoiceAssetsState

FORM_FIELDS = tuple(
    f"infer.{name}"
    for name in (
        "text_lang",
        "slice",
        "speed",
        "pitch",
        "pause_s",
        "ref_text",
        "ref_lang",
        "no_ref_text",
        "temperature",
        "top_k",
        "top_p",
        "repetition_penalty",
        "seed",
        "verify",
        "max_rerolls",
    )
)


def first_usable(clips: Sequence[ReferenceClip]) -> ReferenceClip | None:
    """The first clip, which is the best, of a length that a reference may have."""
    return next((clip for clip in clips if is_reference_length(clip.seconds)), None)


class SpeakForm:
    """Values of the form, and which of them the person has touched."""

    def __init__(self) -> None:
        self.key = ""
        self.text = ""
        self.values: dict[str, Any] = {}  # full names, also those that equal the default
        self.clip = ""
        self.aux_references: list[str] = []
        self._weights: dict[str, str] = {}
        self._touched: set[str] = set()
        self._known_clips: frozenset[str] | None = None
        self._changed_fields: list[str] = []

    def copy(self) -> SpeakForm:
        """A copy, for a take that has to wait."""
        return deepcopy(self)

    def set_voice(
        self, key: str, assets: VoiceAssetsState | None, audition: AuditionState | None
    ) -> bool:
        """Use a voice and what is known of it; True when it is another voice than before."""
        voice_changed = key != self.key
        if voice_changed:
            self.key, self.clip, self.aux_references = key, "", []
            self._weights, self._known_clips = {}, None
            self._touched -= {"gpt", "sovits", "clip"}
        if assets is not None:
            chosen = audition.chosen if audition is not None else None
            for kind, weights, at in (("gpt", assets.gpt, 0), ("sovits", assets.sovits, 1)):
                names = [weight.name for weight in weights]
                best = chosen[at] if chosen is not None and chosen[at] in names else None
                if self._weights.get(kind) not in names or kind not in self._touched:
                    self._weights[kind] = best or (names[-1] if names else "")
            self._update_clips(assets)
        return voice_changed

    def _update_clips(self, assets: VoiceAssetsState) -> None:
        paths = [clip.path for clip in assets.references]
        self.aux_references = [path for path in self.aux_references if path in paths]
        if self._known_clips is not None:
            new = next((c for c in assets.references if c.path not in self._known_clips), None)
            if new is not None:
                self._known_clips = None
                self.select_reference(new)
        if self.clip not in paths or "clip" not in self._touched:
            best = first_usable(assets.references)
            if best is None:
                self.clip = ""
            elif best.path != self.clip:
                self._set_reference(best)

    def weight(self, kind: str) -> str:
        """The chosen weight file of `kind` (gpt or sovits); empty where none is known."""
        return self._weights.get(kind, "")

    def select_weight(self, kind: str, name: str) -> None:
        """Choose a weight file; it stays chosen."""
        self._weights[kind] = name
        self._touched.add(kind)

    def select_reference(self, clip: ReferenceClip) -> None:
        """Choose a reference clip, with its text and its language."""
        self._touched.add("clip")
        self._set_reference(clip)

    def expect_new_clip(self, assets: VoiceAssetsState | None) -> None:
        """A clip is being uploaded: the next new one becomes the reference."""
        clips = assets.references if assets is not None else ()
        self._known_clips = frozenset(clip.path for clip in clips)

    def _set_reference(self, clip: ReferenceClip) -> None:
        self.clip = clip.path
        if clip.path in self.aux_references:
            self.aux_references.remove(clip.path)
        self._fill_in("infer.ref_text", clip.text)
        if clip.language in PARAMS["infer.ref_lang"].choices:
            self._fill_in("infer.ref_lang", clip.language)
            if "infer.text_lang" not in self._touched:
                self._fill_in("infer.text_lang", clip.language)

    def toggle_aux_reference(self, path: str) -> None:
        """Average this clip's timbre in, or no more; the reference itself is in already."""
        if path in self.aux_references:
            self.aux_references.remove(path)
        elif path != self.clip:
            self.aux_references.append(path)

    def set_value(self, name: str, value: Any) -> None:
        """A field has another value; a value that the form itself filled in touches nothing."""
        if self.values.get(name, PARAMS[name].default) != value:
            self.values[name] = value
            self._touched.add(name)

    def _fill_in(self, name: str, value: Any) -> None:
        if self.values.get(name, PARAMS[name].default) != value:
            self.values[name] = value
            self._changed_fields.append(name)

    def pop_changed_fields(self) -> list[str]:
        """Fields that the form has filled in since the last call."""
        changed, self._changed_fields = self._changed_fields, []
        return changed

    def params(self) -> dict[str, Any]:
        """What is sent: only what differs from the table's defaults, without the prefix."""
        given = {
            "text": self.text.strip(),
            "gpt_weight": self.weight("gpt"),
            "sovits_weight": self.weight("sovits"),
            "ref_audio": self.clip,
            "aux_refs": tuple(self.aux_references),
            **{name.split(".", 1)[1]: value for name, value in self.values.items()},
        }
        return {k: v for k, v in given.items() if v != PARAMS[f"infer.{k}"].default}

    def draft(self, *, rerender: bool = False) -> SpeakDraft:
        """The request; `rerender` keeps the last take's delivery, not speed, tone and timbre."""
        server, voice = self.key.rsplit("/", 1)
        rerender_params = {"rerender_last": True} if rerender else {}
        return SpeakDraft(server, voice, {**self.params(), **rerender_params})

    def restore_take(self, take: TakeRow) -> None:
        """Restore everything a take was made with, but not that it was a re-rendering."""
        params = take.draft.params
        self.text = str(params.get("text", ""))
        for kind in ("gpt", "sovits"):
            self.select_weight(kind, str(params.get(f"{kind}_weight", "")))
        self.clip = str(params.get("ref_audio", ""))
        self.aux_references = list(params.get("aux_refs", ()))
        self._touched |= {"clip", "infer.text_lang"}
        for name in FORM_FIELDS:
            self._fill_in(name, params.get(name.split(".", 1)[1], PARAMS[name].default))
        if take.seed is not None:
            self._fill_in("infer.seed", take.seed)
