"""``POST /v1/embeddings``: texts to embed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.functional_validators import BeforeValidator

from helpers.local_api.http.schemas.fields import Strict


def _as_texts(value: Any) -> Any:
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and texts and all(type(one) in (int, list) for one in texts):
        raise ValueError("must be a text or a list of texts: tokens of another model mean nothing here")
    return texts


class EmbeddingRequest(Strict):
    """``POST /v1/embeddings``."""

    model: str
    input: Annotated[
        list[Annotated[str, Field(min_length=1)]], BeforeValidator(_as_texts), Field(min_length=1, max_length=2048)
    ]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    user: str | None = None
