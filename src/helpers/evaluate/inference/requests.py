"""Send requests to a host, many at a time, and keep every answer as it comes.

Rate limits hold all senders back together and for as long as the host asks. What cannot be answered is missing, with
its reason. What no later row could survive either (a refused key, an unknown model, a host that is gone) stops the run
with an error; what has come by then is kept, and the next run goes on from there.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openai
from tqdm import tqdm

from helpers import providers
from helpers.errors import AllowanceError, HostError, StopHere
from helpers.evaluate.inference.clipping import cut
from helpers.evaluate.inference.failures import TIMEOUT, message, reason
from helpers.evaluate.inference.pace import Pace, pace_of
from helpers.evaluate.inference.reading import read
from helpers.evaluate.inference.spending import Price, Spending
from helpers.evaluate.inference.store import AnswerStore, Reply
from helpers.evaluate.prompts.candidates import digest
from helpers.providers import identity
from helpers.providers.waiting import asked_to_wait

LONGEST_WAIT = 120.0
"""A host that asks for a longer pause, in seconds, ends the run: it can be taken up later."""
TICK_SECONDS = 1.0
"""Between two looks at the clock while no answer comes."""


def progress_bar(total: int, shown: bool, **look: Any) -> tqdm:
    """A bar that counts calls, on standard output in a notebook: stderr is painted there like an error.

    Args:
        total: how many calls there will be.
        shown: False gives a bar that shows nothing.
        look: more settings of ``tqdm``, such as ``desc``.
    """
    shown_in = sys.stdout if os.environ.get("JPY_SESSION_NAME") else None
    return tqdm(total=total, unit="call", disable=not shown, file=shown_in, mininterval=0.5, **look)


@dataclass(frozen=True)
class Request:
    """One call.

    Attributes:
        model: the model's id at the host.
        messages: as the chat completions API takes them, each with a ``role`` and a ``content``.
        temperature: 0 is greedy; above 0 ``sample`` is sent as the seed.
        max_tokens: cap on the answer's length, in tokens.
        schema: JSON schema that the host is asked to keep the answer to, or None.
        sample: tells repeated draws of the same question apart; 0 is the first.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    temperature: float = 0.0
    max_tokens: int = 64
    schema: Mapping[str, Any] | None = None
    sample: int = 0

    def key(self, host: str) -> str:
        """A hash of all that shapes the answer: 32 hexadecimal digits, under which the store keeps the reply.

        Args:
            host: what ``providers.identity`` calls it: one model's id means different models at different hosts.
        """
        decoding = [self.temperature, self.max_tokens, self.schema, self.sample]
        return digest([host, self.model, list(self.messages), *decoding])


def ask(
    client: openai.OpenAI,
    requests: Sequence[Request],
    *,
    store: Path | str,
    concurrency: int = 8,
    price: Price | None = None,
    spend_limit_usd: float = 0.0,
    progress: bool | tqdm = True,
) -> list[Reply]:
    """One reply a request, in the same order; those in the store are not asked again, and no request is sent twice.

    Args:
        client: from ``helpers.providers.connect``. Its own retries are turned off: they are counted here.
        requests: may name several models, and one request several times.
        store: an SQLite file; made when missing. Each answer is in it as soon as it has come.
        concurrency: calls under way at the same time, each in a thread of its own.
        price: USD per million tokens; None for a host that is known to be free. See ``spending.Price``.
        spend_limit_usd: the most that these requests may cost, in USD. Nothing is sent when the forecast is above it;
            replies that would exceed it on the way are missing.
        progress: show a bar, and say what the calls will cost or how long a free tier takes; or a bar of the caller's,
            which these calls move on.

    Raises:
        ConsentError: the forecast is above the limit, or a host that is not known to be free has no price.
        EvaluationError: the store cannot be used, or the price is not a number, or one price for several models.
        HostError: the host refuses the key or the model, or is gone.
        AllowanceError: the day's allowance at a free tier is used up; a later run goes on from there.
        StopHere: interrupted; the calls under way were finished and kept.
    """
    host = identity(client)
    keys = [request.key(host) for request in requests]
    with AnswerStore(store) as kept:
        replies = kept.get(keys)
        todo = {key: request for key, request in zip(keys, requests, strict=True) if key not in replies}
        if todo:
            asked = list(todo.values())
            free = providers.costs_nothing(client, price, {request.model for request in asked})
            spending, pace = Spending(price, spend_limit_usd, local=free), pace_of(client, price, asked)
            forecast = spending.consent(asked, host)
            if progress and (pace or spending.forecast(asked) > 0):
                print(pace.plan(asked).sentence if pace else forecast)
            try:
                replies |= _Sender(client, host, spending, pace).send(todo, kept, concurrency, progress)
            except KeyboardInterrupt:
                done = f"{len(kept.get(todo))} of {len(todo)} answers are kept"
                raise StopHere(f"You stopped; {done}. Run this again to go on with the others.") from None
        replies |= _without_cut_prompts(dict(zip(keys, requests, strict=True)), replies, kept)
    return [replies[key] for key in keys]


def _without_cut_prompts(
    requests: Mapping[str, Request], replies: Mapping[str, Reply], kept: AnswerStore
) -> dict[str, Reply]:
    """Replies to prompts that the host cut, as missing; the store forgets them, so that the next run asks again."""
    found: dict[str, Reply] = {}
    for model in {request.model for request in requests.values()}:
        keys = [key for key, request in requests.items() if request.model == model]
        reasons = cut(model, [requests[key].messages for key in keys], [replies[key] for key in keys])
        found |= {keys[place]: replace(replies[keys[place]], text=None, missing=why) for place, why in reasons.items()}
    kept.drop(found)
    return found


class _Stopped(Exception):
    """The run has ended; this call was not made."""


class _Sender:
    def __init__(self, client: openai.OpenAI, host: str, spending: Spending, pace: Pace | None) -> None:
        self.client = client.with_options(max_retries=0, timeout=TIMEOUT)
        self.host, self.spending, self.pace = host, spending, pace
        self.stop = threading.Event()
        self.fatal: HostError | None = None
        self.lost = 0  # calls in a row that ended in a broken connection
        self.resume_at = 0.0  # no sender starts a call before this moment
        self.refused_options: dict[str, set[str]] = {}

    def send(
        self, todo: dict[str, Request], kept: AnswerStore, concurrency: int, progress: bool | tqdm
    ) -> dict[str, Reply]:
        replies: dict[str, Reply] = {}
        self.concurrency = concurrency
        theirs = isinstance(progress, tqdm)
        counting = nullcontext(progress) if theirs else progress_bar(len(todo), progress)
        with ThreadPoolExecutor(concurrency) as pool, counting as bar:
            calls = {pool.submit(self._answer, key, request, kept): key for key, request in todo.items()}
            left = set(calls)
            try:
                while left:
                    done, left = wait(left, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
                    for call in done:
                        replies[calls[call]] = call.result()
                        bar.update()
                    bar.set_postfix_str(self.pace.waiting if self.pace else "", refresh=False)
                    bar.refresh()  # its clock ticks while a call takes long
            except _Stopped:
                pass
            finally:  # also on an interrupt: calls under way finish and are kept, the others are not made
                self.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
        if self.fatal:
            raise self.fatal
        return replies

    def _answer(self, key: str, request: Request, kept: AnswerStore) -> Reply:
        reply = self._try(request)
        kept.put(key, reply)
        return reply

    def _try(self, request: Request) -> Reply:
        """Call until there is an answer, a reason why there is none, or an end of the run."""
        if self.pace and (never := self.pace.too_long(request)):
            return Reply(missing=never)
        for attempt in itertools.count(1):
            self._wait()
            arguments = self._arguments(request)
            try:
                with self.spending.reserved(request) as allowed:
                    if not allowed:
                        return Reply(missing="the run's spending limit was reached")
                    ticket = self._admit(request)
                    started = time.monotonic()  # not before: what other calls have reserved is waited for above
                    reply = self._call(request, arguments)
            except openai.APIError as error:
                if self._adapted(arguments, error):
                    continue
                self._end_if_hopeless(request.model, error)
                why, attempts = reason(error)
                if attempt >= attempts:
                    if self.pace and isinstance(error, openai.RateLimitError):  # limits not known, or shared
                        said = f"{self.host} keeps turning calls away: today's allowance seems used up."
                        self._end(said, error, "Run it again tomorrow.")
                    self._lose(error)
                    return Reply(missing=why)
                self._hold(error, attempt)
            else:
                self.lost = 0
                if self.pace:
                    self.pace.settle(ticket, request, reply.prompt_tokens)
                return replace(reply, seconds=time.monotonic() - started)
        raise AssertionError("unreachable")

    def _admit(self, request: Request) -> int:
        """Wait until a free tier lets this call through; ends the run where that is not today."""
        if self.pace is None:
            return 0
        try:
            ticket = self.pace.admit(request, self.stop)
        except AllowanceError as error:
            self.fatal, ticket = error, 0
            self.stop.set()
        if not ticket:
            raise _Stopped
        return ticket

    def _call(self, request: Request, arguments: dict[str, Any]) -> Reply:
        """One attempt, its cost counted: at its worst where the host did not say, or may have billed a broken call."""
        cost = self.spending.worst(request)
        try:
            reply = read(self.client.chat.completions.create(**arguments))
            if reply.prompt_tokens is not None and reply.completion_tokens is not None:
                cached = reply.cached_tokens or 0
                cost = self.spending.cost(request.model, reply.prompt_tokens, cached, reply.completion_tokens)
            return reply
        except openai.APIError as error:
            never_sent = type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")
            if never_sent or not isinstance(error, openai.APIConnectionError):
                cost = 0.0
            raise
        finally:
            self.spending.add(cost)

    def _arguments(self, request: Request) -> dict[str, Any]:
        refused = self.refused_options.get(request.model, set())
        arguments: dict[str, Any] = {"model": request.model, "messages": list(request.messages)}
        arguments["max_completion_tokens" if "max_tokens" in refused else "max_tokens"] = request.max_tokens
        if "temperature" not in refused:
            arguments["temperature"] = request.temperature
        if "seed" not in refused and request.temperature > 0:
            arguments["seed"] = request.sample
        if request.schema is not None:
            schema = {"name": "answer", "strict": True, "schema": dict(request.schema)}
            arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
        return arguments

    def _adapted(self, arguments: dict[str, Any], error: openai.APIError) -> bool:
        """Reasoning models refuse ``max_tokens``, a temperature or a seed: learn it once a model, and ask again."""
        option, model = error.param, arguments["model"]
        known = option in ("max_tokens", "temperature", "seed") and option in arguments
        if not known or not isinstance(error, openai.BadRequestError):
            return False
        refused = self.refused_options.setdefault(model, set())
        if option != "max_tokens" and option not in refused:  # max_tokens is only renamed
            warnings.warn(f"{model} refuses {option}: it is left at the host's default.", stacklevel=2)
        refused.add(option)
        return True

    def _end_if_hopeless(self, model: str, error: openai.APIError) -> None:
        """End the run on what no other row would survive."""
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError | openai.NotFoundError):
            variable = providers.host_of(self.client).key_variable
            key = f"the key (in {variable})" if variable else "the key"
            self._end(f"{self.host} refuses {model}.", error, f"Check the model's id and {key}, then run again.")
        if error.code == "insufficient_quota":
            self._end(f"{self.host} says that the account's credit is used up.", error, "Top it up, then run again.")
        if (wait := asked_to_wait(error)) is not None and wait > LONGEST_WAIT:
            self._end(f"{self.host} asks for a pause of {wait:.0f} s.", error, "Run again later.")

    def _lose(self, error: openai.APIError) -> None:
        """One lost row is bad luck; as many in a row as there are senders means that the host is gone."""
        if not isinstance(error, openai.APIConnectionError) or isinstance(error, openai.APITimeoutError):
            return
        self.lost += 1
        if self.lost >= max(self.concurrency, 5):
            self._end(f"{self.host} does not answer any more.", error, "Start it, then run again.")

    def _end(self, what: str, error: openai.APIError, fix: str) -> None:
        self.fatal = HostError(
            what, got=message(error), fix=f"{fix} Answers already received are kept and not requested again."
        )
        self.stop.set()
        raise _Stopped

    def _hold(self, error: openai.APIError, attempt: int) -> None:
        """Back off: a rate limit holds all senders back, any other trouble this one only."""
        wait = max(asked_to_wait(error) or 0.0, min(30.0, 0.5 * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25))
        if isinstance(error, openai.RateLimitError):
            self.resume_at = max(self.resume_at, time.monotonic() + wait)
        elif self.stop.wait(wait):
            raise _Stopped

    def _wait(self) -> None:
        """Wait for the end of a shared pause."""
        while (left := self.resume_at - time.monotonic()) > 0:
            if self.stop.wait(left):
                break
        if self.stop.is_set():
            raise _Stopped
