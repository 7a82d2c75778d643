"""jieba's dictionary and its model of words that are in no dictionary, loaded once."""

from __future__ import annotations

import hashlib
import io
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, NamedTuple

# A position in a word (B, M, E or S) with a part of speech.
State = tuple[str, str]
_UNSEEN = -3.14e100  # jieba's log of a probability that was never seen
# Sums of all frequencies, by content of the dictionary: to add one up takes a tenth of a second.
_KNOWN_TOTALS = {"7197c3211ddd98962b036cdf40324d1ea2bfaa12bd028e68faa70111a88e12a8": 60_101_967}
_SAME_LETTER = re.compile(r"^(.).*\n?(?:\1.*\n?)*", re.MULTILINE)
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
        entries = file.read()
    jieba.dt.get_dict_file = tokenizer.get_dict_file = io.BytesIO  # what follows finds no words
    try:
        from jieba import posseg

        tagger = posseg.POSTokenizer(tokenizer)
    finally:
        del jieba.dt.get_dict_file, tokenizer.get_dict_file
    dictionary = WordList(entries.decode("utf-8"))
    tokenizer.FREQ, tagger.word_tag_tab = dictionary.counts, dictionary.tags
    known = _KNOWN_TOTALS.get(hashlib.sha256(entries).hexdigest())
    tokenizer.total = dictionary.sum_counts() if known is None else known
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


class WordList:
    """jieba's dictionary, of whose 349,000 lines those are read whose first letter is asked for.

    A text of ten thousand characters asks for a third of them, a sentence for a hundredth.
    """

    def __init__(self, lines: str) -> None:
        self._unread: dict[str, list[str]] = {}
        for match in _SAME_LETTER.finditer(lines):
            self._unread.setdefault(match[1], []).append(match.group())
        self._lock = threading.Lock()
        # Frequencies of words, 0 for what only begins some; and parts of speech.
        self.counts: dict[str, int] = _LazyTable(self._read)
        self.tags: dict[str, str] = _LazyTable(self._read)

    def sum_counts(self) -> int:
        """Return the sum of all lines' frequencies."""
        return sum(
            int(line.split(" ")[1])
            for letter in list(self._unread)
            for part in self._unread[letter]
            for line in part.splitlines()
        )

    def _read(self, word: str) -> None:
        """Read the lines that begin with the letter of `word`, unless they have been."""
        letter = word[:1]
        if letter not in self._unread:
            return
        with self._lock:
            if letter in self._unread:  # else another thread has read them meanwhile
                self._add("".join(self._unread[letter]))
                del self._unread[letter]

    def _add(self, lines: str) -> None:
        fields = lines.replace("\n", " ").rstrip(" ").split(" ")  # word, count, tag, word, ...
        words = fields[::3]
        counts = dict(zip(words, map(int, fields[1::3]), strict=True))
        for word in words:
            beginning = word[:-1]
            # Those of what stands there already are there, or come with it.
            while beginning and beginning not in counts:
                counts[beginning] = 0
                beginning = beginning[:-1]
        # Of tags there are a few dozen.
        self.tags.update(zip(words, map(sys.intern, fields[2::3]), strict=True))
        self.counts.update(counts)


class _LazyTable(dict[str, Any]):
    """A dictionary that calls `read` with a key before it is looked up."""

    def __init__(self, read: Callable[[str], None]) -> None:
        super().__init__()
        self._read = read

    def __contains__(self, key: object) -> bool:
        self._read(str(key))
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        self._read(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of `key`, or `default`."""
        self._read(key)
        return super().get(key, default)
