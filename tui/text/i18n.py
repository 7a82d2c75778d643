"""Which language the app uses, and catalogue text in that language for a widget."""

from __future__ import annotations

from typing import Any

from textual.message_pump import MessagePump

from sovdeck.engine.contract.catalogue import Language, Text, hint, text


def language_of(node: MessagePump) -> Language:
    """The language of the app that `node` belongs to; English outside a localised app."""
    language: Language = getattr(node.app, "language", "en")
    return language


def translate(node: MessagePump, key: str, /, **facts: Any) -> str:
    """The text of catalogue entry `key` in the language of the node's app."""
    return text(key, **facts).get(language_of(node))


def translate_hint(node: MessagePump, key: str, /, **facts: Any) -> str:
    """The hint of catalogue entry `key` in the language of the node's app."""
    return hint(key, **facts).get(language_of(node))


def translate_text(node: MessagePump, message: Text) -> str:
    """Text that came from elsewhere (a parameter, a problem) in the app's language."""
    return message.get(language_of(node))
