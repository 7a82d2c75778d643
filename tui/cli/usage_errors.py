"""What is wrong with a command line, in the catalogue's words instead of argparse's English."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

# argparse knows no other way to say which mistake it found; what is not here stays as it is.
_MISTAKES = {
    "no_choice": re.compile(
        r"argument (?P<option>.+?): invalid choice: (?P<value>.+?) \(choose from (?P<choices>.+)\)"
    ),
    "lacking": re.compile(r"the following arguments are required: (?P<names>.+)"),
    "one_needed": re.compile(r"one of the arguments (?P<names>.+) is required"),
    "no_value": re.compile(r"argument (?P<option>.+?): expected .*arguments?"),
    "no_value_taken": re.compile(
        r"argument (?P<option>.+?): ignored explicit argument (?P<value>.+)"
    ),
    "bad_value": re.compile(r"argument (?P<option>.+?): invalid \S+ value: (?P<value>.+)"),
    "out_of_range": re.compile(
        r"argument (?P<option>.+?): (?P<value>.+) is not from (?P<low>\S+) to (?P<high>\S+)"
    ),
    "not_together": re.compile(
        r"argument (?P<option>.+?): not allowed with argument (?P<other>.+)"
    ),
    "ambiguous": re.compile(r"ambiguous option: (?P<value>.+?) could match (?P<choices>.+)"),
}


def describe_mistake(message: str, words: Callable[..., str]) -> str:
    """A message of argparse as `words` (a catalogue key and its facts) says it."""
    for key, pattern in _MISTAKES.items():
        found = pattern.fullmatch(message)
        if found is None:
            continue
        facts = found.groupdict()
        if "value" in facts:
            facts["value"] = facts["value"].strip("'\"")
        if key == "no_choice":
            choices = [choice.strip().strip("'\"") for choice in facts.pop("choices").split(",")]
            near = find_near(facts["value"], choices)
            if near:
                return words("no_choice_near", near=near, **facts)
            facts["choices"] = ", ".join(choices)
        return words(key, **facts)
    return message


def describe_unknown(unknown: list[str], options: Iterable[str], words: Callable[..., str]) -> str:
    """What is said of words that a command does not take."""
    first = unknown[0].partition("=")[0]
    near = find_near(first, options) if first.startswith("--") else ""
    if near:
        return words("no_option_near", value=first, near=near)
    return words("too_much", words=" ".join(unknown))


def find_near(typed: str, choices: Iterable[str]) -> str:
    """The choice that was probably meant; empty when none is near."""
    return next(iter(get_close_matches(typed, list(choices), 1, 0.65)), "")
