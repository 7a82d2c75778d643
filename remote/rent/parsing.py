"""Answers of a provider become typed values in one place, or one sentence."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sovdeck.remote.http_json import strange_answer

Model = TypeVar("Model", bound=BaseModel)
# Of a server that was created; without one nobody could end it.
ProviderId = Annotated[str, Field(min_length=1)]


class ProviderAnswer(BaseModel):
    """A part of an answer; what is not named in it is left out, since providers add fields.

    NaN and infinity, which the reader of JSON takes, are no number of anything.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


def parse_as(model: type[Model], answer: Any, provider: str) -> Model:
    """Return `answer` as `model`; Problem `remote.rent.strange` naming the first field in it."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "answer"
        raise strange_answer(provider, place[:60]) from None
