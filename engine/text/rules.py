"""Tables of rules with which a language writes figures and signs into its words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sovdeck.engine.text.aligned import AlignedText

DIGITS = "0123456789"
_MAX_KEPT = 4096  # combinations of signs whose rules are remembered


class Rule(NamedTuple):
    """`replace` for each match of `pattern`.

    It is tried only where the text has a character of every set of `signs`, and one of `words`
    when there are any: most texts have few signs, and looking for them is cheap.
    """

    signs: tuple[frozenset[str], ...]
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    replace: Callable[[re.Match[str]], str]


def rule(
    signs: str | tuple[str, ...],
    pattern: str,
    replace: Callable[[re.Match[str]], str],
    words: str | tuple[str, ...] = "",
) -> Rule:
    """Return a rule whose `\\d` and `\\w` mean ASCII alone; `words` in one are cut at blanks."""
    sets = (signs,) if isinstance(signs, str) else signs
    needed = tuple(frozenset(letters) for letters in sets if letters)
    found = tuple(words.split()) if isinstance(words, str) else words
    return Rule(needed, found, re.compile(pattern, re.ASCII), replace)


class RuleTable:
    """Rules in their order, each of which sees what those before have left.

    Every set of signs has a bit, so that one number says which sets a text has a sign of, and
    which rules are to be tried is worked out once for each such number.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        sets = list(dict.fromkeys(letters for one in self._rules for letters in one.signs))
        self._bits: dict[str, int] = {}
        for number, letters in enumerate(sets):
            for letter in letters:
                self._bits[letter] = self._bits.get(letter, 0) | 1 << number
        self._needed = [
            sum(1 << sets.index(one) for one in set(rule.signs)) for rule in self._rules
        ]
        self._tried: dict[int, tuple[tuple[int, Rule], ...]] = {}

    def apply(self, text: AlignedText) -> AlignedText:
        """Return `text` after all rules."""
        written, done = text.text, -1
        tried = self._rules_for(written)
        while True:
            for number, (_, words, pattern, replace) in tried:
                if number <= done:
                    continue
                if words:
                    for word in words:
                        if word in written:
                            break
                    else:
                        continue
                changed = text.sub(pattern, replace)
                if changed is not text:
                    text, written, done = changed, changed.text, number
                    tried = self._rules_for(written)
                    break
            else:
                return text

    def _rules_for(self, written: str) -> tuple[tuple[int, Rule], ...]:
        """Return the rules for whose sets of signs `written` has one each."""
        bits, found = self._bits, 0
        for letter in frozenset(written):
            if letter in bits:
                found |= bits[letter]
        tried = self._tried.get(found)
        if tried is None:
            tried = tuple(
                (number, self._rules[number])
                for number, needed in enumerate(self._needed)
                if needed & found == needed
            )
            if len(self._tried) < _MAX_KEPT:
                self._tried[found] = tried
        return tried
