"""jieba's dictionary and its model of words that are in no dictionary, loaded once."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, NamedTuple

# A position in a word (B, M, E or S) with a part of speech.
State = tuple[str, str]
_UNSEEN = -3.14e100  # jieba's log of a probability that was never seen
_REMEMBERED = 4096  # stretches of unknown characters: a book repeats its names


class Segmenter(NamedTuple):
    """jieba's tokenizer, and its tagger over the same dictionary."""

    tokenizer: Any
    tagger: Any


@cache
def load_segmenter() -> Segmenter:
    """Read jieba's dictionary and models.

    The set-up of jieba would trust a cache in the shared /tmp, and read the dictionary three times:
    for the tokenizer, for the tagger, and for a tagger of its own that nothing here asks.
    """
    with _without_module("pkg_resources"):  # slow, warns, and jieba opens its files without it
        import jieba
    tokenizer = jieba.Tokenizer()
    with tokenizer.get_dict_file() as file:
        entries = file.read().decode("utf-8")
    jieba.dt.get_dict_file = tokenizer.get_dict_file = io.BytesIO  # what follows finds no words
    try:
        from jieba import posseg

        tagger = posseg.POSTokenizer(tokenizer)
    finally:
        del jieba.dt.get_dict_file, tokenizer.get_dict_file
    tokenizer.FREQ, tokenizer.total, tagger.word_tag_tab = _read_entries(entries)
    tokenizer.initialized = True
    posseg.viterbi = _remember(posseg)
    return Segmenter(tokenizer, tagger)


def _remember(posseg: Any) -> Callable[..., tuple[float, Iterable[State]]]:
    """Make of `find_states` what jieba's tagger calls, with its own model."""

    @lru_cache(maxsize=_REMEMBERED)
    def find(letters: str) -> tuple[float, tuple[State, ...]]:
        return find_states(
            letters, posseg.char_state_tab_P, posseg.start_P, posseg.trans_P, posseg.emit_P
        )

    return lambda letters, *model: find(letters)


def find_states(
    letters: str,
    states: Mapping[str, Iterable[State]],
    starts: Mapping[State, float],
    steps: Mapping[State, Mapping[State, float]],
    emissions: Mapping[State, Mapping[str, float]],
) -> tuple[float, tuple[State, ...]]:
    """Return the likeliest states of `letters` and their log probability, as jieba's viterbi does.

    The same sums in the same order, so that ties fall alike, in a third of the time.
    """
    first = letters[0]
    scores = {
        state: starts[state] + emissions[state].get(first, _UNSEEN)
        for state in states.get(first, steps)
    }
    origins: list[dict[State, State]] = []
    for letter in letters[1:]:
        before = [(state, score, steps[state]) for state, score in scores.items() if steps[state]]
        found = _step(letter, states.get(letter, steps), before, emissions)
        if not found:  # none of the letter's states can follow
            reachable = {state for _, _, following in before for state in following}
            found = _step(letter, reachable, before, emissions)
        scores = {state: score for state, (score, _) in found.items()}
        origins.append({state: origin for state, (_, origin) in found.items()})
    score, state = max((score, state) for state, score in scores.items())
    route = [state]
    for origin in reversed(origins):
        state = origin[state]
        route.append(state)
    return score, tuple(reversed(route))


def _step(
    letter: str,
    states: Iterable[State],
    before: Iterable[tuple[State, float, Mapping[State, float]]],
    emissions: Mapping[State, Mapping[str, float]],
) -> dict[State, tuple[float, State]]:
    """Return the best score and origin of each of `states` that can follow those before."""
    found = {}
    for state in states:
        seen = emissions[state].get(letter, _UNSEEN)
        ways = [
            (score + following[state] + seen, origin)
            for origin, score, following in before
            if state in following
        ]
        if ways:
            found[state] = max(ways)
    return found


@contextmanager
def _without_module(name: str) -> Iterator[None]:
    """Let imports of the module `name` fail inside, unless it is there already."""
    hidden = name not in sys.modules
    if hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules[name]


def _read_entries(entries: str) -> tuple[dict[str, int], int, dict[str, str]]:
    """Frequencies of words, 0 for what only begins some; the sum of all lines; parts of speech."""
    fields = entries.replace("\n", " ").rstrip(" ").split(" ")  # word, count, tag, word, ...
    words, numbers = fields[::3], list(map(int, fields[1::3]))
    counts = dict(zip(words, numbers, strict=True))
    # Of tags there are a few dozen.
    tags = dict(zip(words, map(sys.intern, fields[2::3]), strict=True))
    for word in tags:
        beginning = word[:-1]
        # Those of what stands there already are there, or come with it.
        while beginning and beginning not in counts:
            counts[beginning] = 0
            beginning = beginning[:-1]
    return counts, sum(numbers), tags
