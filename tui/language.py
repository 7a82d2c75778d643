"""Which language the screen speaks, and how a widget says a sentence of the catalogue."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from textual.message_pump import MessagePump

from engine.contract.catalogue import Language, Text, hint, text


@runtime_checkable
class Speaker(Protocol):
    """An app that has chosen a language."""

    language: Language


def language_of(node: MessagePump) -> Language:
    app = node.app
    return app.language if isinstance(app, Speaker) else "en"


def say(node: MessagePump, key: str, /, **facts: Any) -> str:
    """The sentence of `key` in the language of the node's app."""
    return text(key, **facts).get(language_of(node))


def say_hint(node: MessagePump, key: str, /, **facts: Any) -> str:
    return hint(key, **facts).get(language_of(node))


def tell(node: MessagePump, words: Text) -> str:
    """A sentence that came from elsewhere (a parameter, a problem) in the app's language."""
    return words.get(language_of(node))
