"""``/v1/embeddings``: sentence embeddings of the model that the kit's classifiers use."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect

from helpers import assets
from helpers.local_api.engine.embed import BATCH, MAX_TOKENS, MODEL, WIDTH, Embedder
from helpers.local_api.http.body import read_request
from helpers.local_api.http.errors import ApiError
from helpers.local_api.http.schemas.embeddings import EmbeddingRequest

TITLE = "all-MiniLM-L6-v2, sentence embeddings"
MAX_LETTERS = 100 * MAX_TOKENS
"""No text that fits is longer, so a longer one is refused without a look at its tokens."""


def router() -> APIRouter:
    """The routes of this file."""
    routes, model = APIRouter(), Model()

    @routes.post("/embeddings")
    async def create(request: Request) -> dict[str, Any]:
        asked = await read_request(request, EmbeddingRequest)
        if asked.model != MODEL:
            raise ApiError(
                404,
                f"The model {asked.model[:200]!r} does not embed here; {MODEL!r} does.",
                param="model",
                code="model_not_found",
            )
        if asked.dimensions not in (None, WIDTH):
            raise ApiError(400, f"{MODEL} has {WIDTH} dimensions, no other number.", param="dimensions")
        tokens = [ids async for ids in model.in_batches(request, model.tokens, asked.input)]
        _refuse_long(asked.input, tokens)
        vectors = [vector async for vector in model.in_batches(request, model.vectors, tokens)]
        return _told(vectors, asked.encoding_format, sum(map(len, tokens)))

    return routes


class Model:
    """The model, loaded when it is first asked for, in a thread of its own: who waits for it holds up nobody else."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embeddings")
        self._embedder: Embedder | None = None

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text; of one that is longer than the model reads, no more than show that it is."""
        short = ["" if len(text) > MAX_LETTERS else text for text in texts]
        return [ids[: MAX_TOKENS + 1] for ids in self._loaded().tokens(short)]

    def vectors(self, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """Unit vectors of one batch, float32 (texts, 384)."""
        return self._loaded().vectors(tokens)

    async def in_batches(
        self, request: Request, work: Callable[[Sequence[Any]], Sequence[Any]], things: Sequence[Any]
    ) -> AsyncIterator[Any]:
        """What comes of each thing, in order. Batches of several requests take turns: a long list holds nobody up.

        Args:
            request: whose client may hang up meanwhile; that ends the work.
            work: a batch of things in, as many results out; runs in the model's thread.
            things: texts, or token ids of texts.

        Raises:
            ClientDisconnect: the client has hung up.
        """
        loop = asyncio.get_running_loop()
        for start in range(0, len(things), BATCH):
            if await request.is_disconnected():
                raise ClientDisconnect
            for made in await loop.run_in_executor(self._thread, work, things[start : start + BATCH]):
                yield made

    def _loaded(self) -> Embedder:
        """
        Raises:
            ApiError: the weights are not on this machine, or damaged; nothing is downloaded for a request.
        """
        if self._embedder is None:
            folder = assets.whole_embedder()
            if folder is None:
                raise ApiError(
                    503,
                    f"The weights of {MODEL} are not on this machine, or damaged. Fetch them, about 90 MB: "
                    "python -m helpers.assets --all",
                    kind="server_error",
                    code="model_unavailable",
                )
            self._embedder = Embedder(folder)
        return self._embedder


def _refuse_long(texts: Sequence[str], tokens: Sequence[Sequence[int]]) -> None:
    """
    Raises:
        ApiError: 400, texts that the model would not read to their end; all of them are counted.
    """
    long = [
        place
        for place, (text, ids) in enumerate(zip(texts, tokens, strict=True))
        if len(text) > MAX_LETTERS or len(ids) > MAX_TOKENS
    ]
    if long:
        raise ApiError(
            400,
            f"{len(long)} of {len(texts)} texts are too long, input[{long[0]}] the first "
            f"({len(texts[long[0]]):,} characters): {MODEL} reads {MAX_TOKENS} tokens. Shorten them, or embed their "
            "parts.",
            param="input",
            code="context_length_exceeded",
        )


def _told(vectors: Sequence[np.ndarray], encoding: str | None, tokens: int) -> dict[str, Any]:
    def shown(vector: np.ndarray) -> list[float] | str:
        if encoding == "base64":
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return vector.tolist()

    data = [{"object": "embedding", "index": place, "embedding": shown(vector)} for place, vector in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": MODEL, "usage": usage}
