"""Calls that survive bad days: what may be repeated is repeated, what must happen once happens once.

The SDK repeats a request whose answer was lost, also one that creates something: that makes two jobs out of one. So
its own retries are off here, and a request that creates is repeated only after a look at what is there.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Sequence
from json import JSONDecodeError
from typing import TypeVar

import openai

from helpers.errors import HostError
from helpers.formatting import host_called
from helpers.providers import host_of
from helpers.providers.waiting import asked_to_wait

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds between tries; each pause is twice the one before."""
SETTLING = 2.0
"""Seconds before the last look after a failed try: a request that was given up for lost may still be on its way."""
LONGEST_REQUESTED = 120.0
"""A host that asks for a longer pause than this is taken at its word: the call ends, to be taken up later."""
PATIENCE = 60.0
"""Seconds for which a host may fail before a call gives up."""
ANSWER_SECONDS, MAKE_SECONDS = 30.0, 300.0
"""How long an answer may take, and one that takes a file in."""
FOR_GOOD = (501, 505, 507)
"""Server errors that the next try would meet again: not implemented, no such version, disk full."""

Made = TypeVar("Made")


def plain(client: openai.OpenAI, seconds: float) -> openai.OpenAI:
    """The client without retries of its own, for calls that are repeated here or must not be repeated at all.

    Args:
        client: the host.
        seconds: how long one answer may take; a shorter limit of the client's own stays.
    """
    own = client.timeout
    shorter = isinstance(own, int | float) and own < seconds
    return client.with_options(max_retries=0, timeout=own if shorter else seconds)


def patiently(
    client: openai.OpenAI,
    call: Callable[[openai.OpenAI], Made],
    patience: float = PATIENCE,
    answer_seconds: float | None = None,
) -> Made:
    """The answer of a call that may be repeated, through rate limits, server errors and broken connections.

    Args:
        client: the host.
        call: what is asked.
        patience: seconds for which the host may fail.
        answer_seconds: how long one answer may take (:data:`ANSWER_SECONDS`); a model's on a busy machine needs more.

    Raises:
        HostError: the key is refused, or the host fails for ``patience`` seconds.
        openai.APIStatusError: the host refuses the request itself.
    """
    once = plain(client, answer_seconds or ANSWER_SECONDS)
    gives_up = time.monotonic() + patience
    for attempt in itertools.count():
        try:
            return call(once)
        except (openai.OpenAIError, JSONDecodeError) as error:
            _wait_or_raise(client, error, attempt, gives_up)
    raise AssertionError("unreachable")


def make_once(
    client: openai.OpenAI,
    find: Callable[[openai.OpenAI], Sequence[Made]],
    make: Callable[[openai.OpenAI], Made],
    remove: Callable[[openai.OpenAI, Made], object],
    patience: float = PATIENCE,
) -> Made:
    """What ``find`` finds first, else what ``make`` makes: one, however many answers are lost on the way.

    Args:
        client: the host.
        find: things that are already there and would do as well, oldest first.
        make: asks for a new one.
        remove: takes away one too many: a request that was given up for lost and arrived after all.
        patience: seconds for which the host may fail.

    Raises:
        HostError: as :func:`patiently`.
        openai.APIStatusError: as :func:`patiently`.
    """
    if there := patiently(client, find, patience):
        return there[0]
    once = plain(client, MAKE_SECONDS)
    gives_up = time.monotonic() + patience
    for attempt in itertools.count():
        try:
            made = make(once)
            break
        except (openai.OpenAIError, JSONDecodeError) as error:
            _wait_or_raise(client, error, attempt, gives_up)
        if there := patiently(client, find, patience):
            made = there[0]
            break
    if attempt == 0:
        return made
    time.sleep(SETTLING)
    kept, *too_many = patiently(client, find, patience) or [made]
    for one in too_many:
        with contextlib.suppress(openai.NotFoundError):  # it is gone: the answer to an earlier try was lost
            patiently(client, lambda c, one=one: remove(c, one), patience)
    return kept


def _wait_or_raise(client: openai.OpenAI, error: Exception, attempt: int, gives_up: float) -> None:
    """Sleep before the next try, or raise when there should be none; ``gives_up`` is by ``time.monotonic()``."""
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        host = host_of(client)
        raise HostError(  # not the host's words: some hosts quote the key
            f"{host_called(host.name, first=True)} refuses the key (status {error.status_code}): it is wrong, expired, "
            "or lacks the permission.",
            fix=f"Put a working key into {host.key_variable or 'the variable that you named'} and connect again. "
            "Jobs running at the host go on.",
        ) from None
    if not passing(error):
        raise error
    wait = pause(error, attempt)
    if wait > LONGEST_REQUESTED or time.monotonic() + wait > gives_up:
        raise HostError(
            f"{host_of(client).name} does not answer as expected.",
            got=_short(error),
            fix="What was started there continues. Run this again later; nothing is uploaded or started twice."
            + (f" The host asks to wait {wait:.0f} s." if wait > LONGEST_REQUESTED else ""),
        ) from None
    time.sleep(wait)


def passing(error: Exception) -> bool:
    """Whether the next try may fare better."""
    if isinstance(error, openai.RateLimitError):
        return error.code != "insufficient_quota"
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 425) or (error.status_code >= 500 and error.status_code not in FOR_GOOD)
    return isinstance(error, openai.APIConnectionError | openai.APIResponseValidationError | JSONDecodeError)


def pause(error: Exception, attempt: int) -> float:
    """Seconds to wait: what the host asks for, else twice as long each time, with some chance in it.

    Args:
        error: how the last try ended; a ``Retry-After`` of the host's counts, however long.
        attempt: tries before that one; 0 for the first.
    """
    if (asked := asked_to_wait(error)) is not None:
        return asked
    return min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE) * random.uniform(0.75, 1.0)


def reason(error: openai.APIStatusError) -> str:
    """The host's own words, without the SDK's wrapping and without the key, should the host quote it."""
    body = error.body if isinstance(error.body, dict) else {}
    words = str(body.get("message") or error.message)
    key = error.request.headers.get("authorization", "").removeprefix("Bearer ")
    return words.replace(key, "***") if key else words


def _short(error: Exception) -> str:
    if isinstance(error, openai.APIStatusError):
        return f"status {error.status_code}: {reason(error)[:200]}"
    return "no answer in time" if isinstance(error, openai.APITimeoutError) else type(error).__name__
