"""OpenAI's own names of voices and models, which clients send that were told no other."""

from __future__ import annotations

_VOICES = frozenset(
    ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx")
    + ("sage", "shimmer", "verse", "default")
)
_MODELS = ("tts-", "gpt-", "default")


def is_stock_name(called: str) -> bool:
    """Whether a name asks for no voice of ours in particular: the default one is meant."""
    return called.lower() in _VOICES or called.lower().startswith(_MODELS)
