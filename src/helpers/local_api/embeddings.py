"""``/v1/embeddings``: sentence embeddings of the model that the kit's classifiers use."""

from __future__ import annotations

import base64
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from helpers import assets
from helpers.local_api.embed import BATCH, MODEL, MOST_TOKENS, Embedder
from helpers.local_api.refusal import Refusal
from helpers.local_api.schemas import EmbeddingRequest, read_request

TITLE = "all-MiniLM-L6-v2, sentence embeddings"
MOST_LETTERS = 100 * MOST_TOKENS
"""No text that fits is longer, so that no long one is cut into tokens only to be refused."""


def router() -> APIRouter:
    routes, lazy = APIRouter(), Lazy()

    @routes.post("/embeddings")
    async def create(request: Request) -> dict[str, Any]:
        asked = await read_request(request, EmbeddingRequest)
        if asked.model != MODEL:
            raise Refusal(
                404,
                f"The model {asked.model[:200]!r} does not embed here; {MODEL!r} does.",
                param="model",
                code="model_not_found",
            )
        embedder = await run_in_threadpool(lazy.embedder)
        tokens = await run_in_threadpool(_tokens, embedder, asked.input)
        if asked.dimensions not in (None, embedder.width):
            raise Refusal(400, f"{MODEL} has {embedder.width} dimensions, no other number.", param="dimensions")
        vectors = np.empty((len(tokens), embedder.width), dtype=np.float32)
        for start in range(0, len(tokens), BATCH):
            if await request.is_disconnected():
                raise ClientDisconnect
            vectors[start : start + BATCH] = await run_in_threadpool(lazy.vectors, tokens[start : start + BATCH])
        return _told(vectors, asked.encoding_format, sum(map(len, tokens)))

    return routes


class Lazy:
    """The model, loaded when it is first asked for. Its batches take turns, so that a long list holds nobody up."""

    def __init__(self) -> None:
        self._embedder: Embedder | None = None
        self._turn = threading.Lock()

    def embedder(self) -> Embedder:
        """
        Raises:
            Refusal: the weights are not on this machine; nothing is downloaded for a request.
        """
        with self._turn:
            if self._embedder is None:
                if not assets.have_embedder():
                    raise Refusal(
                        503,
                        f"The weights of {MODEL} are not on this machine. Fetch them, about 90 MB: "
                        "python -m helpers.assets --all",
                        kind="server_error",
                        code="model_unavailable",
                    )
                self._embedder = Embedder(assets.embedder())
            return self._embedder

    def vectors(self, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        embedder = self.embedder()
        with self._turn:
            return embedder.vectors(tokens)


def _tokens(embedder: Embedder, texts: Sequence[str]) -> list[list[int]]:
    """The tokens of each text.

    Raises:
        Refusal: 400, texts that the model would not read to their end; all of them are counted.
    """
    short = [text if len(text) <= MOST_LETTERS else "" for text in texts]
    tokens = embedder.tokens(short)
    long = [place for place, text in enumerate(texts) if not short[place] and text or len(tokens[place]) > MOST_TOKENS]
    if long:
        first = long[0]
        length = f"{len(tokens[first])} tokens" if short[first] else f"{len(texts[first]):,} characters"
        raise Refusal(
            400,
            f"{len(long)} of {len(texts)} texts are too long, input[{first}] with {length}: {MODEL} reads "
            f"{MOST_TOKENS} tokens. Shorten them, or embed their parts.",
            param="input",
            code="context_length_exceeded",
        )
    return tokens


def _told(vectors: np.ndarray, encoding: str | None, tokens: int) -> dict[str, Any]:
    def shown(vector: np.ndarray) -> list[float] | str:
        if encoding == "base64":
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return vector.tolist()

    data = [{"object": "embedding", "index": place, "embedding": shown(vector)} for place, vector in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": MODEL, "usage": usage}
