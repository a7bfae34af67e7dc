"""What the requests of several endpoints have in common: strictness, fields, and parameters that change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.functional_validators import AfterValidator

from helpers.local_api.http.errors import ApiError, shortened

MAX_PAIRS = 16
"""Of metadata, as at OpenAI."""


class Strict(BaseModel):
    """A request or a part of one: ``"3"`` is no number, unknown fields are refused, and so are NaN and infinity."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def _short_pairs(pairs: dict[str, str]) -> dict[str, str]:
    if len(pairs) > MAX_PAIRS:
        raise ValueError(f"at most {MAX_PAIRS} pairs")
    for key, value in pairs.items():
        if len(key) > 64 or len(value) > 512:
            raise ValueError(f"{key[:64]!r}: a key has at most 64 characters, a value at most 512")
    return pairs


Metadata = Annotated[dict[str, str], AfterValidator(_short_pairs)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""Of a function or a schema, as at OpenAI."""
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
TopLogprobs = Annotated[int, Field(ge=0, le=20)]
TokenLimit = Annotated[int, Field(ge=1)]

ANY = object()
"""Every value of a parameter passes: no answer depends on it."""
WAYS_OUT: Mapping[str, str] = {
    "tools": " /v1/chat/completions takes tools, for models whose chat template has a place for them.",
    "functions": " Declare them as 'tools'.",
    "previous_response_id": " It stores no responses: send the earlier messages and output items as 'input'.",
    "store": " It stores no responses, which is what leaving 'store' away means here.",
}


class WithNeutral(Strict):
    """A request that lets pass what changes nothing, and refuses what would have to be ignored.

    Attributes:
        neutral: OpenAI's further parameters, each with the values that pass: ``()``: none but null, :data:`ANY`: all.
    """

    neutral: ClassVar[Mapping[str, Any]]

    @model_validator(mode="before")
    @classmethod
    def without_neutral(cls, data: Any) -> Any:
        """Drop a foreign parameter whose value changes nothing.

        Raises:
            ApiError: 400, one of them has a value that would change something.
        """
        if not isinstance(data, dict):
            return data
        for name in [name for name in data if name in cls.neutral]:
            value, neutral = data[name], cls.neutral[name]
            if value is not None and neutral is not ANY and value not in neutral:
                only = f"; only {', '.join(map(repr, neutral))} or null is" if neutral else ""
                asked = f"{name!r} = {shortened(value)}"
                message = f"Unsupported parameter: {asked} cannot be honoured by this local API{only}."
                raise ApiError(400, message + WAYS_OUT.get(name, ""), param=name, code="unsupported_parameter")
        return {name: value for name, value in data.items() if name not in cls.neutral}
