"""The engine that answers: requests from any thread, one thread that computes.

Requests that wait are batched: those for the same adapter that begin alike run together, and what they share is
computed once. Beginnings are also kept for a while, so that the next request with the same instructions starts where
they end (``cached_tokens``). New requests are read between two steps of those in flight, so a long answer never holds
up the others; and all answers of one adapter take their steps together, whatever they began with.

torch is imported by the computing thread, when the first request comes (or by :meth:`Engine.warm_up`).
"""

from __future__ import annotations

import gc
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.errors import KitError
from helpers.local_api.engine.adapters import AdapterFiles, read_adapter
from helpers.local_api.engine.chances import Chance, Chances
from helpers.local_api.engine.sampling import Sampler
from helpers.local_api.engine.scheduler import COST_OF_A_BATCH, ROOM_FOR_UNLIKE, Plan, PrefixCache, common, plan
from helpers.local_api.engine.text.calls import Call, Calling, CallStream
from helpers.local_api.engine.text.constrain import Constrainer, Constraint, Schema
from helpers.local_api.engine.text.detokenizer import Detokenizer
from helpers.local_api.engine.text.template import ChatTemplate, context_length, texts_of, vocabulary_size

if TYPE_CHECKING:
    from torch import Tensor

    from helpers.local_api.engine.inference import Rows, Runner

MAX_ROWS = 128
"""Answers in flight at once; more wait."""
KV_BYTES = 1024 * 2**20
"""Memory for the keys and values of answers in flight, prefixes apart. (One answer alone may have more.)"""
USUAL_ANSWER = 256
"""Tokens that are reserved at a time for an answer whose length is not limited. Where those of all exceed the memory,
the youngest step aside: they are forgotten, wait, and are read again with all that they had said."""
GATHER_S = 0.008
"""How long an idle engine waits for companions of the first request."""

log = logging.getLogger(__name__)


class ContextLengthError(KitError):
    """The prompt, or the prompt and the answer that was asked for, exceeds the model's context."""


class UnknownAdapterError(KitError):
    """No adapter of this name is loaded."""


class EngineClosedError(KitError):
    """The engine was closed, or could not load its model."""


@dataclass(frozen=True)
class GenerationRequest:
    """What is asked.

    Attributes:
        messages: the conversation; or give ``prompt_ids``.
        prompt_ids: token ids that end where the answer begins.
        adapter: name of a loaded adapter; None: the base model.
        temperature: 0 is greedy.
        top_p: sample from the likeliest tokens that make up this share; 0: from the likeliest one only.
        max_tokens: most tokens of the answer; None: as many as the context has room for.
        stop: strings that end the answer.
        seed: of the sampling; None: another answer each time.
        schema: a JSON schema, or ``"json_object"``.
        calling: which tools the answer may call; None: calls are not looked for.
        likeliest: tell each token's chance, and those of so many of the likeliest at its place (0: its own only); None:
            tell none.
    """

    messages: Sequence[Mapping[str, Any]] = ()
    prompt_ids: Sequence[int] | None = None
    adapter: str | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    seed: int | None = None
    schema: Schema | None = None
    calling: Calling | None = None
    likeliest: int | None = None


@dataclass(frozen=True)
class GenerationResult:
    """An answer.

    Attributes:
        text: without the stop string and without calls.
        finish_reason: ``"stop"`` or ``"length"``.
        prompt_tokens: tokens of the prompt, template included.
        completion_tokens: tokens that the model made, the one that ended the answer included.
        cached_tokens: tokens of the prompt that were not computed for this request, because another had computed them.
        chances: of the tokens that the text is made of, where they were asked for.
        calls: of tools; the last one is cut short where the answer is.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    chances: tuple[Chance, ...] = ()
    calls: tuple[Call, ...] = ()


AnswerEvent = str | Call | GenerationResult | Exception


class Generation:
    """One request on its way: iterate over it for text as it comes (:class:`Piece` where chances were asked for), and
    calls, each when it is complete; then :meth:`result`.

    With a ``listener``, each text and call, and at the end the result or an exception, is handed to it instead, in the
    engine's thread: it must return at once.
    """

    def __init__(self, listener: Callable[[AnswerEvent], None] | None = None) -> None:
        self._events: queue.SimpleQueue[AnswerEvent] = queue.SimpleQueue()
        self._listener = listener or self._events.put
        self._over = threading.Event()
        self._end: GenerationResult | Exception | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Nobody waits for the answer any more: it is dropped at the next step."""
        self.cancelled = True

    def __iter__(self) -> Iterator[str | Call]:
        while isinstance(event := self._events.get(), str | Call):
            yield event
        if isinstance(event, Exception):
            raise event

    def result(self, timeout: float | None = None) -> GenerationResult:
        """Wait for the answer.

        Raises:
            TimeoutError: it did not come in ``timeout`` seconds.
            KitError: what went wrong.
        """
        if not self._over.wait(timeout):
            raise TimeoutError(f"no answer within {timeout} s")
        if isinstance(self._end, Exception):
            raise self._end
        return self._end

    def _say(self, said: str | Call) -> None:
        if said or getattr(said, "chances", ()):
            self._listener(said)

    def _close(self, end: GenerationResult | Exception) -> None:
        self._end = end
        self._over.set()
        self._listener(end)


class _Answer:
    """A request in the engine."""

    def __init__(self, ids: list[int], room: int, adapter: AdapterFiles | None, request: GenerationRequest) -> None:
        self.ids, self.room, self.adapter, self.request = ids, room, adapter, request
        self.asked = len(ids)
        self.number = 0  # its place in the order in which requests came
        self.generation: Generation
        self.stream: Detokenizer
        self.constraint: Constraint | None = None
        self.chances: Chances | None = None
        self.calls: CallStream | None = None
        self.sampler = Sampler(request.temperature, request.top_p, request.seed)
        self.tokens: list[int] = []
        self.shared = self.cached = 0

    @property
    def limited(self) -> bool:
        """Whether its length is known, and all of it reserved."""
        return bool(self.request.max_tokens)

    @property
    def answer_kv_tokens(self) -> int:
        """Tokens to reserve for what is said behind ``ids``."""
        said_before = len(self.ids) - self.asked
        left, said = self.room - said_before, len(self.tokens) - said_before
        return left if self.limited else min(left, USUAL_ANSWER * (1 + said // USUAL_ANSWER))

    @property
    def kv_tokens(self) -> int:
        """Tokens to reserve memory for, the shared beginning apart."""
        return len(self.ids) - self.shared + self.answer_kv_tokens

    def step_aside(self) -> None:
        """Its row is gone: it has to be read again, with what it said."""
        self.ids, self.shared = [*self.ids[: self.asked], *self.tokens], 0

    @property
    def over(self) -> bool:
        """Whether it has been closed: complete, cancelled or failed."""
        return self.generation._over.is_set()

    def mask(self, logits: Tensor) -> None:
        """Forbid what its schema forbids, in the logits of its next token, (vocabulary,)."""
        if self.constraint:
            import torch

            allowed = torch.from_numpy(self.constraint.allowed()).to(logits.device)
            logits.masked_fill_(~allowed[: len(logits)], -torch.inf)

    def take(self, likeliest: int, logits: Tensor, stops: frozenset[int]) -> None:
        """Add the next token; closes the answer when that completes it, or when nobody waits for it any more."""
        if self.generation.cancelled:
            self.generation._close(EngineClosedError("The request was cancelled."))
            return
        token = likeliest if self.sampler.greedy else self.sampler.sample(logits)
        self.tokens.append(token)
        if token in stops:
            self._finish("stop")
            return
        if self.chances:
            self.chances.add(token, logits)
        self._say(self.stream.push(token))
        if self.constraint:
            self.constraint.take(token)
        if self.stream.stopped or (self.constraint and self.constraint.complete):
            self._finish("stop")
        elif len(self.tokens) == self.room:
            self._finish("length")

    def _finish(self, reason: str) -> None:
        self._say(self.stream.finish())
        if self.stream.stopped:
            reason = "stop"
        text, calls = self.stream.text, ()
        if self.calls:
            for said in self.calls.finish():
                self.generation._say(said)
            text, calls = self.calls.text, tuple(self.calls.calls)
        told = tuple(self.chances.told) if self.chances else ()
        result = GenerationResult(text, reason, self.asked, len(self.tokens), self.cached, told, calls)
        self.generation._close(result)

    def _say(self, text: str) -> None:
        if self.calls:
            for said in self.calls.push(text):
                self.generation._say(said)
        else:
            self.generation._say(self.chances.with_text(text) if self.chances else text)

    def fail(self, error: Exception) -> None:
        """Close it, if it is not closed yet, with what went wrong."""
        if not isinstance(error, KitError):
            log.error("an answer failed", exc_info=error)
        if not self.over:
            self.generation._close(error)


class _Batch:
    """Answers in flight that share adapter and prefix."""

    def __init__(self, key: Any, answers: list[_Answer], rows: Rows, logits: Tensor) -> None:
        self.key, self.answers, self.rows, self.logits = key, answers, rows, logits

    def take_in(self, answers: list[_Answer], logits: Tensor) -> None:
        """Answers whose prompts have been read into the batch's rows."""
        import torch

        self.answers += answers
        self.logits = torch.cat([self.logits, logits])

    def let_go(self, gone: Sequence[int]) -> None:
        """Forget these rows, and their answers."""
        if len(gone) == len(self.answers):
            self.answers.clear()
        elif gone:
            self.answers[:] = [self.answers[n] for n in self.rows.drop(gone)]

    @property
    def tokens(self) -> list[int]:
        """The answers' latest, to be run next."""
        return [answer.tokens[-1] for answer in self.answers]


@contextmanager
def _no_collecting() -> Iterator[None]:
    """For large imports: nothing of them is garbage, and looking for some takes a sixth of the engine's start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


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
        self._inbox: queue.SimpleQueue[_Answer | AdapterFiles | None] = queue.SimpleQueue()
        self._closed = False
        self._failed: Exception | None = None
        self._waiting: deque[_Answer] = deque()
        self._numbers = count()
        self._batches: list[_Batch] = []
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._door = threading.RLock()  # nothing comes in while it is closed, or after that

    # From any thread ------------------------------------------------------------------------------------------------

    def load_adapter(self, name: str, path: Path) -> None:
        """Make an adapter answer under ``name``; one that has this name already is replaced.

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

        Raises:
            ContextLengthError: before anything is computed.
            UnknownAdapterError, SchemaError, DataError: the request cannot be answered.
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

    def _accept(self, request: GenerationRequest) -> _Answer:
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
        answer = _Answer(ids, wanted or left, adapter, request)
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

        Raises:
            ContextLengthError, DataError: it does not fit, or is nothing that the template can express.
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

            self._runner: Runner = Runner(self.base_dir)
            self._prefixes = PrefixCache(self._runner.bytes_per_token)
            with torch.inference_mode():
                while not self._closed:
                    self._turn()
        except Exception as error:  # the model cannot be loaded: whoever waits has to hear it
            log.exception("the engine stopped")
            self._failed = error
        finally:
            self._end_all(self._failed or EngineClosedError("The engine was closed.", fix="Start the local API again."))

    def _end_all(self, error: Exception) -> None:
        """Shut the door, and tell everybody who is inside."""
        with self._door:
            self._closed = True
        while not self._inbox.empty():
            if isinstance(item := self._inbox.get(), _Answer):
                self._waiting.append(item)
        for answer in [*self._waiting, *self._flying()]:
            answer.generation._close(error)

    def _turn(self) -> None:
        self._receive()
        while self._admit():
            pass
        for batch in self._batches:
            self._guarded([batch.answers], self._take, batch)
        self._make_room()
        self._batches = [batch for batch in self._batches if batch.answers]
        for together in self._stepping_together():
            self._guarded([batch.answers for batch in together], self._step, together)
        self._batches = [batch for batch in self._batches if batch.answers]

    def _stepping_together(self) -> list[list[_Batch]]:
        """The batches in flight, those of one adapter side by side where the model can run them in one pass."""
        groups: dict[Any, list[_Batch]] = {}
        for batch in self._batches:
            groups.setdefault(batch.key[0] if self._runner.shares else id(batch), []).append(batch)
        return list(groups.values())

    def _receive(self) -> None:
        """Take what came in; with nothing in flight, wait for it, and for its companions."""
        if not self._waiting and not self._batches:
            self._sort(self._inbox.get())
            time.sleep(GATHER_S)
        self._take_all()

    def _take_all(self) -> None:
        while not self._inbox.empty():
            self._sort(self._inbox.get())

    def _sort(self, item: _Answer | AdapterFiles | None) -> None:
        if isinstance(item, _Answer):
            item.number = next(self._numbers)
            self._waiting.append(item)
        elif item is not None:
            self._prefixes.forget(item)
            self._runner.forget(item)

    def _admit(self) -> bool:
        """Start the oldest waiting request with those that go with it; False: nothing waits, or there is no room."""
        self._waiting = deque(answer for answer in self._waiting if not answer.generation.cancelled)
        flying = self._flying()
        budget = self._max_kv_tokens() - sum(answer.kv_tokens for answer in flying)
        slots = MAX_ROWS - len(flying)
        if not self._waiting or slots < 1 or (flying and self._waiting[0].kv_tokens > budget):
            return False
        alone = Plan([self._waiting[0]], 0, None, 0)
        chosen = plan(list(self._waiting), self._prefixes, slots, budget) if self._runner.shares else alone
        self._waiting = deque(answer for answer in self._waiting if answer not in chosen.members)
        self._guarded([chosen.members], self._start, chosen)
        return True

    def _start(self, chosen: Plan) -> None:
        members, runner = chosen.members, self._runner
        adapter = members[0].adapter
        runner.use(adapter)
        company = self._company(chosen) if runner.shares else None
        shared = len(company.key[1]) if company else chosen.length
        rows = company.rows if company else runner.rows(self._prefix(chosen))
        spare = max(answer.answer_kv_tokens for answer in members)
        logits, order = runner.read(rows, [answer.ids[shared:] for answer in members], spare)
        for n, answer in enumerate(members):
            answer.shared = shared
            if not answer.tokens:
                answer.cached = shared if n or company else chosen.known
        members[:] = [members[n] for n in order]
        if len(members) == 1 and runner.shares:  # whoever comes next may go on from here, or share the beginning
            self._prefixes.keep(adapter, members[0].ids, rows.whole(-1))
        if company:
            company.take_in(members, logits)
        else:
            self._batches.append(_Batch((adapter, tuple(members[0].ids[:shared])), members, rows, logits))

    def _company(self, chosen: Plan) -> _Batch | None:
        """The batch in flight whose beginning they all have, if going on from there costs them little or nothing."""
        shortest = min(len(answer.ids) for answer in chosen.members)
        fitting = [
            batch
            for batch in self._batches
            if batch.key[0] is chosen.members[0].adapter
            and (chosen.length - len(batch.key[1])) * len(chosen.members) <= COST_OF_A_BATCH
            and len(batch.key[1]) < shortest
            and self._fits(batch, chosen.members)
            and all(common(batch.key[1], tuple(answer.ids)) == len(batch.key[1]) for answer in chosen.members)
        ]
        return max(fitting, key=lambda batch: len(batch.key[1]), default=None)

    def _fits(self, batch: _Batch, members: Sequence[_Answer]) -> bool:
        shared = len(batch.key[1])
        needed = [answer.kv_tokens for answer in batch.answers] + [answer.kv_tokens - shared for answer in members]
        return len(needed) * max(needed) <= ROOM_FOR_UNLIKE * self._max_kv_tokens()

    def _prefix(self, chosen: Plan) -> Tensor:
        """Keys and values of what the members share: from the cache as far as it is known, else computed and kept."""
        if not chosen.length:
            return self._runner.no_prefix
        known = chosen.entry.kv[:, :, :, : chosen.known] if chosen.entry else self._runner.no_prefix
        if chosen.known == chosen.length:
            return known
        ids = chosen.members[0].ids[: chosen.length]
        rows = self._runner.rows(known)
        self._runner.read(rows, [ids[chosen.known :]])
        return self._prefixes.keep(chosen.members[0].adapter, ids, rows.whole(0))

    def _take(self, batch: _Batch) -> None:
        """Give each answer its next token and let those that are over go. One that fails is no matter of the others."""
        for answer, logits in zip(batch.answers, batch.logits, strict=True):
            _on_its_own(answer, answer.mask, logits)
        likeliest = batch.logits.argmax(-1).tolist()
        for answer, token, logits in zip(batch.answers, likeliest, batch.logits, strict=True):
            if not answer.over:
                _on_its_own(answer, answer.take, token, logits, self.template.stops)
        batch.let_go([n for n, answer in enumerate(batch.answers) if answer.over])

    def _make_room(self) -> None:
        """Let answers step aside that have outgrown the memory: the longest of a batch that all its rows would need
        room for, and the youngest where those of all batches do not fit together."""
        for batch in self._batches:
            while len(batch.answers) > 1 and not self._fits(batch, ()):
                self._step_aside(batch, max(batch.answers, key=lambda answer: answer.kv_tokens))
        while sum(answer.kv_tokens for answer in self._flying()) > self._max_kv_tokens():
            growing = [(batch, answer) for batch in self._batches for answer in batch.answers if not answer.limited]
            if not growing or len(self._flying()) == 1:
                return
            self._step_aside(*max(growing, key=lambda one: one[1].number))

    def _step_aside(self, batch: _Batch, answer: _Answer) -> None:
        batch.let_go([batch.answers.index(answer)])
        answer.step_aside()
        self._waiting = deque(sorted([*self._waiting, answer], key=lambda waiting: waiting.number))

    def _flying(self) -> list[_Answer]:
        return [answer for batch in self._batches for answer in batch.answers]

    def _max_kv_tokens(self) -> int:
        return KV_BYTES // self._runner.bytes_per_token

    def _step(self, batches: list[_Batch]) -> None:
        """Run the next pass for batches of one adapter."""
        self._runner.use(batches[0].key[0])
        tokens = [token for batch in batches for token in batch.tokens]
        logits = self._runner.step([batch.rows for batch in batches], tokens)
        for batch, own in zip(batches, logits.split([len(batch.answers) for batch in batches]), strict=True):
            batch.logits = own

    def _guarded(self, groups: Sequence[list[_Answer]], work: Callable[[Any], None], subject: Any) -> None:
        """Run; what goes wrong is told to those concerned, and the others go on."""
        try:
            work(subject)
        except Exception as error:
            for answers in groups:
                for answer in answers:
                    answer.fail(error)
                answers.clear()


def _on_its_own(answer: _Answer, work: Callable[..., None], *arguments: Any) -> None:
    """Run what concerns one answer only: what goes wrong is told to it alone."""
    try:
        work(*arguments)
    except Exception as error:
        answer.fail(error)
