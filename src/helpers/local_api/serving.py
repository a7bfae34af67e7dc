"""Base models, tuned models and the engines that run them; nothing is loaded before somebody asks for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from helpers import assets
from helpers.errors import AssetError
from helpers.local_api.constrain import SchemaError
from helpers.local_api.generate import (
    ContextLengthError,
    Engine,
    EngineClosedError,
    Event,
    Generation,
    GenerationRequest,
)
from helpers.local_api.refusal import Refusal
from helpers.local_api.schemas import ChatRequest
from helpers.local_api.store import Model, Store


@dataclass(frozen=True)
class Base:
    """A base model: its id, its name to readers, and where its folder is (fetched first when it is missing)."""

    id: str
    title: str
    folder: Callable[[], Path]


DEFAULT = Base("smollm2-135m-instruct", "SmolLM2-135M-Instruct (from 4-bit weights)", assets.base_model)


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
            Base(name, f"{folder.name} (a folder of this machine)", lambda folder=folder: folder)
            for name, folder in further
        ]
        self.bases: Mapping[str, Base] = {base.id: base for base in (DEFAULT, *named)}
        self.started_at = int(time.time())
        self._engines: dict[str, Engine] = {}
        self._loaded: set[str] = set()
        self._loading = threading.Lock()

    def tuned(self, model_id: str) -> Model:
        """The tuned model of this name.

        Raises:
            Refusal: 404, there is none.
        """
        model = self._store.get("models", model_id)
        if model is None:
            raise Refusal(
                404,
                f"The model {model_id[:200]!r} does not exist here. GET /v1/models lists what does.",
                param="model",
                code="model_not_found",
            )
        return model

    def submit(self, asked: ChatRequest, listener: Callable[[Event], None]) -> Generation:
        """Start answering; the listener hears texts and the end. Blocks while a model is loaded: call it in a thread.

        Raises:
            Refusal: the model does not exist, cannot be loaded, or cannot take this request.
        """
        tuned = None if asked.model in self.bases else self.tuned(asked.model)
        base = tuned.base if tuned else asked.model
        try:
            with self._loading:
                engine = self._engine(base)
                if tuned and tuned.id not in self._loaded:
                    engine.load_adapter(tuned.id, self._store.home / tuned.folder)
                    self._loaded.add(tuned.id)
            return engine.submit(_generation(asked, tuned.id if tuned else None), listener)
        except EngineClosedError as error:  # it failed to load, out of memory perhaps: the next request tries afresh
            self._engines.pop(base, None)
            raise Refusal(503, f"{error} Send the request again.", kind="server_error") from None
        except AssetError as error:
            raise Refusal(503, f"The model {asked.model} cannot be loaded: {error}", kind="server_error") from None
        except ContextLengthError as error:
            raise Refusal(400, str(error), param="messages", code="context_length_exceeded") from None
        except SchemaError as error:
            raise Refusal(400, str(error), param="response_format", code="invalid_schema") from None

    def forget(self, names: Iterable[str], base: str) -> None:
        """Deleted models answer no more, and leave the memory."""
        with self._loading:
            self._loaded.difference_update(names)
            if base in self._engines:
                for name in names:
                    self._engines[base].unload_adapter(name)

    def stop(self) -> None:
        for engine in self._engines.values():
            engine.close()

    def _engine(self, base: str) -> Engine:
        if base not in self._engines:
            if base not in self.bases:  # tuned in an earlier run that was started with --model
                raise AssetError(
                    f"Its base model {base!r} is not served.", fix="Start the API with --model NAME=FOLDER."
                )
            self._engines[base] = Engine(self.bases[base].folder())
        return self._engines[base]


def _generation(asked: ChatRequest, adapter: str | None) -> GenerationRequest:
    wanted, schema = asked.response_format, None
    if wanted and wanted.type != "text":
        schema = wanted.json_schema.schema_ if wanted.json_schema else "json_object"
    return GenerationRequest(
        messages=[{"role": message.role, "content": message.text} for message in asked.messages],
        adapter=adapter,
        temperature=1.0 if asked.temperature is None else asked.temperature,
        top_p=1.0 if asked.top_p is None else asked.top_p,
        max_tokens=asked.max_completion_tokens or asked.max_tokens,
        stop=asked.stop,
        seed=asked.seed,
        schema=schema,
    )
