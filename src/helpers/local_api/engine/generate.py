"""The engine that answers: it takes requests from any thread, and computes in one of its own.

How they are batched there stands in :mod:`helpers.local_api.engine.continuous_batching`.

torch is imported by the computing thread, when the first request comes (or by :meth:`Engine.warm_up`).
"""

from __future__ import annotations

import gc
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.local_api.engine.adapters import AdapterFiles, read_adapter
from helpers.local_api.engine.batch import Answer
from helpers.local_api.engine.continuous_batching import ContinuousBatcher, Inbox
from helpers.local_api.engine.requests import (
    AnswerEvent,
    ContextLengthError,
    EngineClosedError,
    Generation,
    GenerationRequest,
    UnknownAdapterError,
)
from helpers.local_api.engine.sampling import Chances
from helpers.local_api.engine.text.calls import CallStream
from helpers.local_api.engine.text.constrain import Constrainer
from helpers.local_api.engine.text.detokenizer import Detokenizer
from helpers.local_api.engine.text.template import ChatTemplate, context_length, texts_of, vocabulary_size

log = logging.getLogger(__name__)


class Engine:
    """Answers chat requests on one base model and its adapters.

    Args:
        base_dir: the base model's folder.

    Raises:
        AssetError: the folder has no usable tokenizer or configuration.
    """

    def __init__(self, base_dir: Path) -> None:
        self.base_dir = Path(base_dir)
        self.template = ChatTemplate(self.base_dir)
        self.context = context_length(self.base_dir)
        self.constrainer = Constrainer(self.base_dir, vocabulary_size(self.base_dir), self.template.stops)
        self._adapters: dict[str, AdapterFiles] = {}
        self._inbox: Inbox = queue.SimpleQueue()
        self._closed = False
        self._failed: Exception | None = None
        self._batcher: ContinuousBatcher | None = None  # made by the computing thread
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._door = threading.RLock()  # nothing comes in while it is closed, or after that

    # From any thread ------------------------------------------------------------------------------------------------

    def load_adapter(self, name: str, path: Path) -> None:
        """Make an adapter answer; one that has its name already is replaced.

        Args:
            name: what requests call it.
            path: its folder, in PEFT's layout.

        Raises:
            AssetError: the folder holds no plain LoRA adapter.
        """
        adapter = read_adapter(Path(path))
        self.unload_adapter(name)
        self._adapters[name] = adapter

    def has_adapter(self, name: str) -> bool:
        """Whether an adapter answers under this name."""
        return name in self._adapters

    @property
    def failed(self) -> bool:
        """Whether it has stopped by itself, because its model could not be loaded: it answers nothing any more."""
        return self._failed is not None

    def unload_adapter(self, name: str) -> None:
        """Forget an adapter and what was computed with it; answers in flight are finished. Unknown names are fine."""
        adapter = self._adapters.pop(name, None)
        if adapter is not None:
            self._inbox.put(adapter)

    def warm_up(self) -> None:
        """Load the model now, in the background, rather than at the first request."""
        with self._door:
            if not self._thread.is_alive() and not self._closed:
                self._thread.start()

    def submit(self, request: GenerationRequest, listener: Callable[[AnswerEvent], None] | None = None) -> Generation:
        """Ask for an answer; returns at once.

        Args:
            request: what is asked.
            listener: hears texts, calls and the end, in the engine's thread; None: iterate over what is returned.

        Raises:
            ContextLengthError: before anything is computed.
            UnknownAdapterError: its adapter is not loaded.
            SchemaError: its schema, or that of a tool, cannot be enforced.
            DataError: its messages are nothing that the template can express.
            EngineClosedError: the engine was closed, or has failed.
        """
        answer = self._accept(request)
        answer.generation = Generation(listener)
        with self._door:
            if self._closed:
                raise EngineClosedError("The engine is closed.", got=str(self._failed or ""), fix="Ask again.")
            self._inbox.put(answer)
            self.warm_up()
        return answer.generation

    def close(self) -> None:
        """Stop computing; answers that are not complete end with :class:`EngineClosedError`."""
        with self._door:
            self._closed = True
            self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _accept(self, request: GenerationRequest) -> Answer:
        ids = list(request.prompt_ids) if request.prompt_ids is not None else self.read(request.messages)
        left = self.context - len(ids)
        wanted = request.max_tokens
        if left < 1 or not ids or (wanted or 1) > left:
            answer = f" and the {wanted} of the answer" if wanted else ""
            raise ContextLengthError(
                f"The prompt's {len(ids)} tokens{answer} do not fit the model's context of {self.context} tokens.",
                fix="Shorten the messages or lower max_tokens." if ids else "Send at least one message.",
            )
        adapter = self._adapters.get(request.adapter) if request.adapter else None
        if request.adapter and adapter is None:
            raise UnknownAdapterError(f"No adapter {request.adapter!r} is loaded.", fix="Choose a model that exists.")
        answer = Answer(ids, wanted or left, adapter, request)
        answer.stream = Detokenizer(self.template.tokenizer, request.stop)
        if request.likeliest is not None:
            answer.chances = Chances(self.template.tokenizer, request.likeliest)
        if request.calling is not None:
            answer.calls = CallStream(self.template.tools.form)
            answer.constraint = self.constrainer.calls(request.calling, self.template.tools.form, request.schema)
        elif request.schema is not None:
            answer.constraint = self.constrainer.constraint(request.schema)
        return answer

    def read(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> list[int]:
        """The prompt's token ids. One that is far too long costs neither the time nor the memory of reading it all.

        Args:
            messages: the conversation, in OpenAI's shape.
            tools: those that it declares, in OpenAI's shape.

        Raises:
            ContextLengthError: it does not fit.
            DataError: it is nothing that the template can express.
        """
        texts = texts_of(messages, tools)
        if self.template.exceeds(texts, self.context):
            characters = sum(map(len, texts))
            raise ContextLengthError(
                f"The prompt's {characters:,} characters are more than the model's context of {self.context} tokens.",
                fix="Shorten the messages.",
            )
        return self.template.prompt(messages, tools)

    # In the computing thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with _no_collecting():
                import torch

                from helpers.local_api.engine.inference import Runner

            self._batcher = ContinuousBatcher(Runner(self.base_dir), self._inbox, self.template.stops)
            with torch.inference_mode():
                while not self._closed:
                    self._batcher.turn()
        except Exception as error:  # the model cannot be loaded: whoever waits has to hear it
            log.exception("the engine stopped")
            self._failed = error
        finally:
            self._end_all(self._failed or EngineClosedError("The engine was closed.", fix="Start the local API again."))

    def _end_all(self, error: Exception) -> None:
        """Shut the door, and tell everybody who is inside."""
        with self._door:
            self._closed = True
        answers = self._batcher.answers() if self._batcher else []
        while not self._inbox.empty():
            if isinstance(item := self._inbox.get(), Answer):
                answers.append(item)
        for answer in answers:
            answer.generation.close(error)


@contextmanager
def _no_collecting() -> Iterator[None]:
    """For large imports: nothing of them is garbage, and looking for some takes a sixth of the engine's start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
