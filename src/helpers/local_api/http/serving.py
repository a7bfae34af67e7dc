"""Which model answers a request, and the engines that run them; nothing is loaded before somebody asks for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from helpers.errors import AssetError, KitError
from helpers.local_api.engine.embed import MODEL as EMBEDDING_MODEL
from helpers.local_api.engine.generate import Engine
from helpers.local_api.engine.requests import (
    AnswerEvent,
    ContextLengthError,
    EngineClosedError,
    Generation,
    GenerationRequest,
    UnknownAdapterError,
)
from helpers.local_api.engine.text.constrain import SchemaError, ToolSchemaError
from helpers.local_api.engine.text.template import ChatTemplate
from helpers.local_api.http.base_models import DEFAULT, Base, fetched, how_to_get, is_on_shelf
from helpers.local_api.http.errors import ApiError
from helpers.local_api.http.schemas.chat import ChatRequest, Message, Seen
from helpers.local_api.store.api_store import ApiStore
from helpers.local_api.store.records import Model
from helpers.open_models.sizing import parameters


class Serving:
    """What can answer a chat request.

    Args:
        store: knows the tuned models.
        further: more base models, as pairs of id and local folder.
        shutdown_date: the day that is announced as the end of every model; none is when not given.
    """

    def __init__(
        self, store: ApiStore, further: Iterable[tuple[str, Path]] = (), shutdown_date: date | None = None
    ) -> None:
        self.shutdown_date = shutdown_date
        self._store = store
        self._named = [
            Base(name, f"{folder.name} (a folder of this machine)", lambda folder=folder: folder, parameters(folder))
            for name, folder in further
        ]
        self.started_at = int(time.time())
        self._engines: dict[str, Engine] = {}
        self._tools: dict[str, bool] = {}  # by base model
        self._templates: dict[str, ChatTemplate] = {}  # those that were asked for what they show
        self._loading = threading.Lock()

    @property
    def bases(self) -> Mapping[str, Base]:
        """The base models by their ids: the default one, those of the shelf that have been fetched by now, and those
        that were named when the API was started."""
        return {base.id: base for base in (DEFAULT, *fetched(), *self._named)}

    def base_folder(self, model: str) -> Path:
        """The folder of a base model, fetched first when it is missing.

        Raises:
            KeyError: no base model of this id is served.
            AssetError: it cannot be fetched.
        """
        return self.bases[model].folder()

    def tuned(self, model_id: str) -> Model:
        """The tuned model of this name.

        Raises:
            ApiError: 404, there is none; 400, it embeds texts and writes none.
        """
        if model_id == EMBEDDING_MODEL:
            raise ApiError(
                400,
                f"{model_id} embeds texts (POST /v1/embeddings); it neither chats nor can be tuned here.",
                param="model",
                code="model_not_supported",
            )
        model = self._store.get("models", model_id)
        if model is None:
            raise ApiError(
                404,
                f"The model {model_id[:200]!r} does not exist here. {how_to_get(model_id)}",
                param="model",
                code="model_not_found",
            )
        return model

    def submit(self, asked: ChatRequest, *listeners: Callable[[AnswerEvent], None]) -> list[Generation]:
        """Start as many answers as there are listeners, which hear texts and the end. Blocks while a model is loaded:
        call it in a thread.

        A seed is the first answer's own; each further one counts on from it.

        Args:
            asked: the request.
            listeners: one for each answer; called in the engine's thread, and must return at once.

        Raises:
            ApiError: the model does not exist, cannot be loaded, or cannot take this request.
        """
        try:
            with self._loading:
                tuned = None if asked.model in self.bases else self.tuned(asked.model)
                engine = self._engine(tuned.base if tuned else asked.model)
                if tuned and not engine.has_adapter(tuned.id):
                    engine.load_adapter(tuned.id, self._store.home / tuned.folder)
            if engine.template.tools is None:
                _refuse_tools(asked)
            prompt = engine.read([_message(one) for one in asked.messages], _declared(asked))
            request = _generation(asked, prompt, tuned.id if tuned else None)
            return _submit_all(engine, request, listeners)
        except KitError as error:
            raise api_error_of(error) from None

    def seen(self, asked: Seen) -> dict[str, Any]:
        """What a model sees of a conversation, in words: no weights are loaded for it.

        Raises:
            ApiError: the model does not exist, or its template cannot express this.
        """
        name = asked.model if asked.model in self.bases else self.tuned(asked.model).base
        tools = [tool.model_dump() for tool in asked.tools or ()]
        try:
            template = self._template(name)
            if asked.messages[-1]["role"] == "assistant":
                ids, weights = template.example(asked.messages, tools)
            else:
                ids = template.prompt(asked.messages, tools)
                weights = [0.0] * len(ids)
        except KitError as error:
            raise api_error_of(error) from None
        segments = [
            {"text": template.tokenizer.decode([i for i, _ in some], skip_special_tokens=False), "learned": learned}
            for learned, some in groupby(zip(ids, weights, strict=True), key=lambda one: one[1] > 0)
        ]
        return {
            "object": "chat.seen",
            "model": asked.model,
            "template": "the model's own" if template.own else "the kit's",
            "reasoning_switched_off": bool(template.own and template.own.switched),
            "segments": segments,
            "tokens": len(ids),
            "learned_tokens": sum(weight > 0 for weight in weights),
        }

    def _template(self, base: str) -> ChatTemplate:
        if base not in self._templates:
            found = self.bases.get(base)
            if found is None:
                raise AssetError(f"Its base model {base!r} is not served.", fix=how_to_get(base))
            self._templates[base] = ChatTemplate(found.folder())
        return self._templates[base]

    def knows_tools(self) -> bool:
        """Whether any base model's chat template has a place for tools (the default one's has none)."""
        with self._loading:
            bases = self.bases
            for base in bases.values():
                if base is not DEFAULT and base.id not in self._tools:
                    self._tools[base.id] = _has_place_for_tools(base)
            return any(self._tools.get(name, False) for name in bases)

    def forget(self, names: Iterable[str], base: str) -> None:
        """Deleted models answer no more, and leave the memory.

        Args:
            names: of the tuned models.
            base: the base model of all of them.
        """
        with self._loading:
            if base in self._engines:
                for name in names:
                    self._engines[base].unload_adapter(name)

    def stop(self) -> None:
        """Close every engine; answers that are not complete are told so."""
        for engine in self._engines.values():
            engine.close()

    def _engine(self, base: str) -> Engine:
        """The engine of a base model; a new one where it has failed, out of memory perhaps."""
        found = self.bases.get(base)
        if found is None:  # tuned in an earlier run that was started with --model, or its base is no longer here
            fix = how_to_get(base) if is_on_shelf(base) else "Start the API with --model NAME=FOLDER."
            raise AssetError(f"Its base model {base!r} is not served.", fix=fix)
        if base not in self._engines or self._engines[base].failed:
            self._engines[base] = Engine(found.folder())
        return self._engines[base]


def _has_place_for_tools(base: Base) -> bool:
    try:
        return ChatTemplate(base.folder()).tools is not None
    except AssetError:  # whoever asks it for an answer hears why
        return False


def api_error_of(error: KitError) -> ApiError:
    """How a client is told what an engine said, before its answer or in the middle of it."""
    match error:
        case ContextLengthError():
            return ApiError(400, str(error), param="messages", code="context_length_exceeded")
        case ToolSchemaError():
            return ApiError(400, str(error), param="tools", code="invalid_function_parameters")
        case SchemaError():
            return ApiError(400, str(error), param="response_format", code="invalid_schema")
        case UnknownAdapterError():  # deleted at this very moment
            return ApiError(404, str(error), param="model", code="model_not_found")
        case EngineClosedError() | AssetError():
            return ApiError(503, f"The model cannot answer now: {error}", kind="server_error")
    return ApiError(400, str(error))


def _submit_all(
    engine: Engine, request: GenerationRequest, listeners: Sequence[Callable[[AnswerEvent], None]]
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


def _refuse_tools(asked: ChatRequest) -> None:
    """
    Raises:
        ApiError: 400, the request has tools in it.
    """
    why = f"cannot be expressed in the chat template of {asked.model[:200]}, which has no place for tools: leave it out"
    if asked.tools:
        raise ApiError(400, f"Unsupported parameter: 'tools' {why}.", param="tools", code="unsupported_parameter")
    for n, message in enumerate(asked.messages):
        if message.tool_calls or message.role == "tool":
            what = "'tool_calls'" if message.tool_calls else "the role 'tool'"
            raise ApiError(400, f"Invalid 'messages[{n}]': {what} {why}.", param=f"messages[{n}]", code="invalid_value")


def _message(message: Message) -> dict[str, Any]:
    calls = [call.model_dump() for call in message.tool_calls or ()]
    return {"role": message.role, "content": message.text, **({"tool_calls": calls} if calls else {})}


def _declared(asked: ChatRequest) -> list[dict[str, Any]]:
    return [tool.model_dump() for tool in asked.tools or ()]


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
        calling=asked.calling,
        likeliest=asked.likeliest,
    )
