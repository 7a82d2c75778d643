"""What lies on the desk in the Speak room: weights, clip, text, settings. Pure.

What the person has not touched follows what is known of the voice: the pair an audition chose,
else the newest weights; the best reference, its words and its language.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from engine.contract.params import PARAMS
from tui.state.speech import Audition, ReferenceClip, Shelf, SpeakDraft, Take

FIELDS = tuple(
    f"infer.{name}"
    for name in (
        "text_lang", "slice", "speed", "pause_s", "ref_text", "ref_lang", "no_ref_text",
        "temperature", "top_k", "top_p", "repetition_penalty", "seed", "verify", "max_rerolls",
    )
)  # fmt: skip


class SpeakDesk:
    def __init__(self) -> None:
        self.key = ""
        self.text = ""
        self.values: dict[str, Any] = {}  # full names, also those that equal the default
        self.clip = ""
        self.extra: list[str] = []
        self._weights: dict[str, str] = {}
        self._touched: set[str] = set()
        self._known_clips: frozenset[str] | None = None
        self._news: list[str] = []

    def copy(self) -> SpeakDesk:
        """All that lies here now, for a take that has to wait."""
        return deepcopy(self)

    def begin(self, key: str, shelf: Shelf | None, audition: Audition | None) -> bool:
        """Take up a voice and what is known of it; True when the voice is another than before."""
        another = key != self.key
        if another:
            self.key, self.clip, self.extra = key, "", []
            self._weights, self._known_clips = {}, None
            self._touched -= {"gpt", "sovits", "clip"}
        if shelf is not None:
            chosen = audition.chosen if audition is not None else None
            for kind, weights, at in (("gpt", shelf.gpt, 0), ("sovits", shelf.sovits, 1)):
                names = [weight.name for weight in weights]
                best = chosen[at] if chosen is not None and chosen[at] in names else None
                if self._weights.get(kind) not in names or kind not in self._touched:
                    self._weights[kind] = best or (names[-1] if names else "")
            self._follow_clips(shelf)
        return another

    def _follow_clips(self, shelf: Shelf) -> None:
        paths = [clip.path for clip in shelf.references]
        self.extra = [path for path in self.extra if path in paths]
        if self._known_clips is not None:
            new = next((c for c in shelf.references if c.path not in self._known_clips), None)
            if new is not None:
                self._known_clips = None
                self.imitate(new)
        if self.clip not in paths or "clip" not in self._touched:
            best = shelf.references[0] if shelf.references else None
            if best is None:
                self.clip = ""
            elif best.path != self.clip:
                self._lay(best)

    def weight(self, kind: str) -> str:
        return self._weights.get(kind, "")

    def take_weight(self, kind: str, name: str) -> None:
        self._weights[kind] = name
        self._touched.add(kind)

    def imitate(self, clip: ReferenceClip) -> None:
        """Take this clip as the reference, with its words and its language."""
        self._touched.add("clip")
        self._lay(clip)

    def await_clip(self, shelf: Shelf | None) -> None:
        """A clip is on its way: the next one that is new is taken as the reference."""
        clips = shelf.references if shelf is not None else ()
        self._known_clips = frozenset(clip.path for clip in clips)

    def _lay(self, clip: ReferenceClip) -> None:
        self.clip = clip.path
        if clip.path in self.extra:
            self.extra.remove(clip.path)
        self._renew("infer.ref_text", clip.text)
        if clip.language in PARAMS["infer.ref_lang"].choices:
            self._renew("infer.ref_lang", clip.language)
            if "infer.text_lang" not in self._touched:
                self._renew("infer.text_lang", clip.language)

    def toggle_extra(self, path: str) -> None:
        """Average this clip's timbre in, or no more; the reference itself is in already."""
        if path in self.extra:
            self.extra.remove(path)
        elif path != self.clip:
            self.extra.append(path)

    def set(self, name: str, value: Any) -> None:
        """A field holds another value; what the desk itself has put there touches nothing."""
        if self.values.get(name, PARAMS[name].default) != value:
            self.values[name] = value
            self._touched.add(name)

    def _renew(self, name: str, value: Any) -> None:
        if self.values.get(name, PARAMS[name].default) != value:
            self.values[name] = value
            self._news.append(name)

    def take_news(self) -> list[str]:
        """Fields whose value the desk has changed since this was last asked."""
        news, self._news = self._news, []
        return news

    def params(self) -> dict[str, Any]:
        """What is sent: only what differs from the table's defaults, without the prefix."""
        given = {
            "text": self.text.strip(),
            "gpt_weight": self.weight("gpt"),
            "sovits_weight": self.weight("sovits"),
            "ref_audio": self.clip,
            "aux_refs": tuple(self.extra),
            **{name.split(".", 1)[1]: value for name, value in self.values.items()},
        }
        return {k: v for k, v in given.items() if v != PARAMS[f"infer.{k}"].default}

    def draft(self, *, again: bool = False) -> SpeakDraft:
        """`again` keeps the last take's delivery: only speed and timbre may differ."""
        server, voice = self.key.rsplit("/", 1)
        more = {"rerender_last": True} if again else {}
        return SpeakDraft(server, voice, {**self.params(), **more})

    def put_back(self, take: Take) -> None:
        """Lay out everything a take was made with, but not that it was a re-rendering."""
        params = take.draft.params
        self.text = str(params.get("text", ""))
        for kind in ("gpt", "sovits"):
            self.take_weight(kind, str(params.get(f"{kind}_weight", "")))
        self.clip = str(params.get("ref_audio", ""))
        self.extra = list(params.get("aux_refs", ()))
        self._touched |= {"clip", "infer.text_lang"}
        for name in FIELDS:
            self._renew(name, params.get(name.split(".", 1)[1], PARAMS[name].default))
        if take.seed is not None:
            self._renew("infer.seed", take.seed)
