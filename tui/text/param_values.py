"""Values of parameters as a person reads them: choices, ranges and units in the app's language.

Files and command lines take the values as they are; what stands there is shown beside the word.
"""

from __future__ import annotations

from textual.message_pump import MessagePump

from sovdeck.engine.contract.param import Param, format_value
from sovdeck.engine.contract.speak_table import LANGUAGE_MODES
from sovdeck.tui.text.i18n import translate

SWITCH = ("on", "off")
_LANGUAGES = ("zh", "en", "ja", "yue", "ko")  # what a list of recordings may name


def param_choices(param: Param) -> tuple[str, ...]:
    """What a parameter can be set to, where that is a few words; empty for what is typed."""
    return SWITCH if param.kind == "bool" else param.choices


def choice_labels(node: MessagePump, param: Param) -> dict[str, str]:
    """A word for each choice of a parameter."""
    return {choice: _label(node, param, choice) for choice in param_choices(param)}


def value_text(node: MessagePump, param: Param, value: object) -> str:
    """A value, as it is chosen or typed."""
    shown = format_value(value)
    return _label(node, param, shown) if shown in param_choices(param) else shown


def range_text(node: MessagePump, param: Param) -> str:
    """The values that are allowed: words with what is written in files, or the range."""
    shown = []
    for choice, label in choice_labels(node, param).items():
        shown.append(choice if label == choice else f"{label} ({choice})")
    text = " | ".join(shown) or param.range_text()
    return f"{text} | auto" if param.auto else text


def unit_text(node: MessagePump, param: Param) -> str:
    """The unit of a parameter; empty where it has none."""
    return translate(node, f"tui.choices.unit_{param.unit}") if param.unit else ""


def language_text(node: MessagePump, code: str) -> str:
    """The language of a clip or of a piece of a text; a code we do not know as it is."""
    return translate(node, f"tui.choices.language_{code}") if code in _LANGUAGES else code


def _label(node: MessagePump, param: Param, choice: str) -> str:
    group = "lang_" if set(param.choices) <= set(LANGUAGE_MODES) and param.choices else ""
    return translate(node, f"tui.choices.{group}{choice}")
