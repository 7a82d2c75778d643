"""A model that is loaded when it is first needed: most resumes and most sentences need few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

ModelT = TypeVar("ModelT")


class DeferredModel(Generic[ModelT]):
    """Loads its model at the first `get` and keeps it.

    `identity` tells it from other models, number format included, without loading it.
    """

    def __init__(self, identity: Callable[[], str], load: Callable[[], ModelT]) -> None:
        self._find_identity = identity
        self._load = load
        self._identity: str | None = None
        self._model: ModelT | None = None

    @property
    def identity(self) -> str:
        """Changes when the model would compute something else."""
        if self._identity is None:
            self._identity = self._find_identity()
        return self._identity

    @property
    def is_loaded(self) -> bool:
        """Whether `get` was called."""
        return self._model is not None

    def get(self) -> ModelT:
        """The model itself."""
        if self._model is None:
            self._model = self._load()
        return self._model
