"""All voices of a work folder behind one server: loaded when asked for, within a budget.

A voice is called by its name, or with one of its named references: `Anna:happy`.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.service import SpeechService
from sovdeck.engine.speaking.voice_loader import VoiceLoader

_SEPARATOR = ":"


class VoicePool:
    """Opens the services of voices; `default` speaks where no name says otherwise.

    `list_names` is asked each time, so that a voice trained meanwhile is there. Of the loaded
    ones the least recently used goes when all together need more than `budget` bytes.
    """

    def __init__(
        self,
        open_service: Callable[[str], SpeechService],
        list_names: Callable[[], list[str]],
        default: str,
        budget: int | None = None,
    ) -> None:
        self.default = default
        self._open_service = open_service
        self._list_names = list_names
        self._budget = budget
        self._lock = threading.RLock()
        self._services: dict[str, SpeechService] = {}
        self._loaded: OrderedDict[str, int] = OrderedDict()  # bytes, the last used one last
        self._in_use: Counter[str] = Counter()
        self._default_reference: dict[str, Any] = {}

    def names(self) -> list[str]:
        """Names of all voices, the default first."""
        return [self.default, *(name for name in self._list_names() if name != self.default)]

    def list_callable(self) -> list[str]:
        """What a request may call a voice: the names, and each with its named references."""
        return [
            called
            for name in self.names()
            for called in (
                name,
                *(f"{name}{_SEPARATOR}{one}" for one in self.loader(name).reference_names()),
            )
        ]

    def has(self, called: str) -> bool:
        """Whether a voice is called so, whatever its reference."""
        return called.partition(_SEPARATOR)[0] in self.names()

    def loader(self, name: str) -> VoiceLoader:
        """The files of a voice; it is not loaded for this."""
        return self.service(name).loader

    def find_reference(self, called: str) -> tuple[str, dict[str, Any]]:
        """Return the voice of `Anna:happy`, and the params of its reference; {} for its own.

        Problem when there is no such voice or reference.
        """
        name, separator, reference = called.partition(_SEPARATOR)
        if name not in self.names():
            raise self.unknown(called)
        if not separator:
            return name, dict(self._default_reference) if name == self.default else {}
        try:
            return name, self.loader(name).named_reference(reference)
        except KeyError:
            raise self.unknown(called) from None

    def set_default_reference(self, reference: dict[str, Any]) -> None:
        """Let the default voice speak with these `infer` params of a clip where none is named."""
        self._default_reference = reference

    def choose_default(self, name: str) -> None:
        """Let another voice speak where no name says otherwise."""
        if name != self.default:
            self.default, self._default_reference = name, {}

    def unknown(self, called: str) -> Problem:
        """What says that no voice is called so."""
        known = ", ".join(self.list_callable()[:20])
        return Problem("engine.http.no_voice", ExitCode.CONFIG, voice=called[:80], known=known)

    @contextmanager
    def use(self, name: str) -> Iterator[SpeechService]:
        """The service of a voice; loaded already, or by its first take, within the budget."""
        service = self.service(name)
        with self._lock:
            self._in_use[name] += 1
            self._evict(name, service)
        try:
            yield service
        finally:
            with self._lock:
                self._in_use[name] -= 1

    def loaded(self) -> list[str]:
        """Names of the voices in memory, the last used one last."""
        return list(self._loaded)

    def service(self, name: str) -> SpeechService:
        """The service of a voice, loaded or not; it speaks through `use` alone."""
        with self._lock:
            if name not in self._services:
                if name not in self.names():
                    raise self.unknown(name)
                self._services[name] = self._open_service(name)
            return self._services[name]

    def _evict(self, name: str, service: SpeechService) -> None:
        self._loaded[name] = service.weight_bytes()
        self._loaded.move_to_end(name)
        if self._budget is None:
            return
        for other in list(self._loaded):
            if sum(self._loaded.values()) <= self._budget:
                return
            if other != name and not self._in_use[other]:
                self._services[other].unload()
                del self._loaded[other]
