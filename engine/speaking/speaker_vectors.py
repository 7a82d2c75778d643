"""Who a reference clip sounds like, as v2Pro is told; each clip is heard once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.models.speaker.encoder import SpeakerEncoder
from sovdeck.engine.speaking.reference import ReferenceAudio

_MAX_CACHED = 64  # vectors of 80 kB


class SpeakerVectors:
    """Speaker vectors of references, kept by the content of their files."""

    def __init__(self, encoder: SpeakerEncoder) -> None:
        self._encoder = encoder
        self._cached: OrderedDict[str, Tensor] = OrderedDict()

    def of(self, references: Sequence[ReferenceAudio]) -> list[Tensor]:
        """One vector (1, S) a reference; Problem naming a clip that is too short for one."""
        return [self._vector(reference) for reference in references]

    def _vector(self, reference: ReferenceAudio) -> Tensor:
        found = self._cached.get(reference.digest)
        if found is None:
            try:
                found = self._encoder.vector(reference.speaker_wave())
            except ValueError as error:
                raise Problem(
                    "engine.speaking.no_speaker_vector",
                    ExitCode.DATA,
                    file=str(reference.path),
                    why=str(error),
                ) from error
        self._cached[reference.digest] = found
        self._cached.move_to_end(reference.digest)
        if len(self._cached) > _MAX_CACHED:
            self._cached.popitem(last=False)
        return found
