"""Models of tests as what loads them when they are needed, counting how often that is."""

from __future__ import annotations

from typing import Any

from sovdeck.engine.models.deferred import DeferredModel
from sovdeck.engine.models.digest import model_digest
from sovdeck.engine.prepare.frozen_encoders import (
    DeferredContentEncoder,
    DeferredTextEncoder,
    FrozenEncoders,
)


def defer_synthesizer(model: Any) -> DeferredModel[Any]:
    """`model` behind the digest of what it is now."""
    return DeferredModel(lambda: model_digest(model), lambda: model)


def defer(content: Any, text: Any = None, speaker: Any = None) -> FrozenEncoders:
    """The encoders given, each behind the digest of its `model`."""

    def parts(encoder: Any) -> tuple[Any, Any]:
        return lambda: model_digest(encoder.model), lambda: encoder

    return FrozenEncoders(
        DeferredContentEncoder(*parts(content)),
        None if text is None else DeferredTextEncoder(*parts(text)),
        None if speaker is None else DeferredModel(*parts(speaker)),
    )
