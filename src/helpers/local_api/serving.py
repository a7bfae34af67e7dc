"""Base models, tuned models and the engines that run them; nothing is loaded before somebody asks for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import assets
from helpers.errors import AssetError, KitError
from helpers.local_api.refusal import Refusal
from helpers.local_api.schemas import ChatRequest
from helpers.local_api.store import Model, Store

if TYPE_CHECKING:
    from helpers.local_api.generate import Engine


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
    """

    def __init__(self, store: Store, further: Iterable[tuple[str, Path]] = ()) -> None:
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

    def answer(self, asked: ChatRequest) -> Answer:
        """Start answering. Blocks while a model is loaded: call it in a thread.

        Raises:
            Refusal: the model does not exist, cannot be had, or cannot take this request.
        """
        base_id, adapter = asked.model, None
        if asked.model not in self.bases:
            tuned = self.tuned(asked.model)
            base_id, adapter = tuned.base, tuned
        try:
            engine = self._engine(base_id)
            if adapter:
                self._load(engine, adapter)
            return Answer(engine.submit(_generation(asked, adapter and adapter.id)))
        except (AssetError, FileNotFoundError) as error:
            raise Refusal(503, f"The model {asked.model} cannot be loaded: {error}", kind="server_error") from None
        except KitError as error:
            raise Refusal(400, str(error), param="messages", code="invalid_value") from None

    def stop(self) -> None: ...
    def forget(self, names, base) -> None: ...


class Answer: ...
