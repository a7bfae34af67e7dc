"""Base models, tuned models and the engines that run them; nothing is loaded before somebody asks for it."""

from __future__ import annotations

import json
import math
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from helpers import assets
from helpers.errors import AssetError, KitError
from helpers.local_api.constrain import SchemaError
from helpers.local_api.embed import MODEL as EMBEDDING_MODEL
from helpers.local_api.generate import (
    ContextLengthError,
    Engine,
    EngineClosedError,
    Event,
    Generation,
    GenerationRequest,
    UnknownAdapterError,
)
from helpers.local_api.refusal import Refusal
from helpers.local_api.schemas import ChatRequest
from helpers.local_api.store import Model, Store


@dataclass(frozen=True)
class Base:
    """A base model: its id, its name to readers, where its folder is (fetched first when it is missing), and how many
    numbers its weights hold."""

    id: str
    title: str
    folder: Callable[[], Path]
    parameters: int


DEFAULT = Base("smollm2-135m-instruct", "SmolLM2-135M-Instruct (from 4-bit weights)", assets.base_model, 134_515_008)
"""Its size is written down, so that a list of models fetches nothing."""


def parameters(folder: Path) -> int:
    """How many numbers the weights in this folder hold, read from the heads of its safetensors files."""
    count = 0
    for file in sorted(folder.glob("*.safetensors")):
        with open(file, "rb") as opened:
            (size,) = struct.unpack("<Q", opened.read(8))
            tensors = json.loads(opened.read(size))
        count += sum(math.prod(tensor["shape"]) for name, tensor in tensors.items() if name != "__metadata__")
    return count


class Serving:
    """What can answer a chat request.

    Args:
        store: knows the tuned models.
        further: more base models, as pairs of id and local folder.
        shutdown_date: the day that is announced as the end of every model; none is when not given.
    """

    def __init__(
        self, store: Store, further: Iterable[tuple[str, Path]] = (), shutdown_date: date | None = None
    ) -> None:
        self.shutdown_date = shutdown_date
        self._store = store
        named = [
            Base(name, f"{folder.name} (a folder of this machine)", lambda folder=folder: folder, parameters(folder))
            for name, folder in further
        ]
        self.bases: Mapping[str, Base] = {base.id: base for base in (DEFAULT, *named)}
        self.started_at = int(time.time())
        self._engines: dict[str, Engine] = {}
        self._loading = threading.Lock()

    def tuned(self, model_id: str) -> Model:
        """The tuned model of this name.

        Raises:
            Refusal: 404, there is none; 400, it embeds texts and writes none.
        """
        if model_id == EMBEDDING_MODEL:
            raise Refusal(
                400,
                f"{model_id} embeds texts (POST /v1/embeddings); it neither chats nor can be tuned here.",
                param="model",
                code="model_not_supported",
            )
        model = self._store.get("models", model_id)
        if model is None:
            raise Refusal(
                404,
                f"The model {model_id[:200]!r} does not exist here. GET /v1/models lists what does.",
                param="model",
                code="model_not_found",
            )
        return model

    def submit(self, asked: ChatRequest, *listeners: Callable[[Event], None]) -> list[Generation]:
        """Start as many answers as there are listeners, which hear texts and the end. Blocks while a model is loaded:
        call it in a thread.

        A seed is the first answer's own; each further one counts on from it.

        Raises:
            Refusal: the model does not exist, cannot be loaded, or cannot take this request.
        """
        try:
            with self._loading:
                tuned = None if asked.model in self.bases else self.tuned(asked.model)
                engine = self._engine(tuned.base if tuned else asked.model)
                if tuned and not engine.has_adapter(tuned.id):
                    engine.load_adapter(tuned.id, self._store.home / tuned.folder)
            request = _generation(asked, engine.read(_messages(asked)), tuned.id if tuned else None)
            return _submit_all(engine, request, listeners)
        except KitError as error:
            raise refusal_of(error) from None

    def forget(self, names: Iterable[str], base: str) -> None:
        """Deleted models answer no more, and leave the memory."""
        with self._loading:
            if base in self._engines:
                for name in names:
                    self._engines[base].unload_adapter(name)

    def stop(self) -> None:
        for engine in self._engines.values():
            engine.close()

    def _engine(self, base: str) -> Engine:
        """The engine of a base model; a new one where it has failed, out of memory perhaps."""
        if base not in self.bases:  # tuned in an earlier run that was started with --model
            raise AssetError(f"Its base model {base!r} is not served.", fix="Start the API with --model NAME=FOLDER.")
        if base not in self._engines or self._engines[base].failed:
            self._engines[base] = Engine(self.bases[base].folder())
        return self._engines[base]


def refusal_of(error: KitError) -> Refusal:
    """How a client is told what an engine said, before its answer or in the middle of it."""
    match error:
        case ContextLengthError():
            return Refusal(400, str(error), param="messages", code="context_length_exceeded")
        case SchemaError():
            return Refusal(400, str(error), param="response_format", code="invalid_schema")
        case UnknownAdapterError():  # deleted at this very moment
            return Refusal(404, str(error), param="model", code="model_not_found")
        case EngineClosedError() | AssetError():
            return Refusal(503, f"The model cannot answer now: {error}", kind="server_error")
    return Refusal(400, str(error))


def _submit_all(
    engine: Engine, request: GenerationRequest, listeners: Sequence[Callable[[Event], None]]
) -> list[Generation]:
    generations: list[Generation] = []
    try:
        for n, listener in enumerate(listeners):
            seed = None if request.seed is None else request.seed + n
            generations.append(engine.submit(replace(request, seed=seed), listener))
    except KitError:
        for generation in generations:
            generation.cancel()
        raise
    return generations


def _messages(asked: ChatRequest) -> list[Mapping[str, str]]:
    return [{"role": message.role, "content": message.text} for message in asked.messages]


def _generation(asked: ChatRequest, prompt_ids: Sequence[int], adapter: str | None) -> GenerationRequest:
    wanted, schema = asked.response_format, None
    if wanted and wanted.type != "text":
        schema = wanted.json_schema.schema_ if wanted.json_schema else "json_object"
    return GenerationRequest(
        prompt_ids=prompt_ids,
        adapter=adapter,
        temperature=1.0 if asked.temperature is None else asked.temperature,
        top_p=1.0 if asked.top_p is None else asked.top_p,
        max_tokens=asked.max_completion_tokens or asked.max_tokens,
        stop=asked.stop,
        seed=asked.seed,
        schema=schema,
        likeliest=asked.likeliest,
    )
