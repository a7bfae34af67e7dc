"""A run keeps within a free tier's limits: it waits for the minute, stops for the day, and says when it may go on.

What was sent is remembered for the account, not for a run: in one file of the kit's home, so that two notebooks, or one
that was started again, share the allowance. The windows slide. A host that counts by the calendar allows at least that.
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import openai

from helpers import providers, tokens
from helpers.errors import AllowanceError, AssetError
from helpers.evaluate.inference.spending import CHARACTERS_A_TOKEN, Price
from helpers.formatting import plural
from helpers.project import kit_home
from helpers.providers import FreeTier

MINUTE, DAY = 61.0, 86_460.0
"""Seconds of the windows, a little more than a host counts: a call may take longer on its way than the one before."""
LONGEST_WAIT = 120.0
"""A day's allowance that is free again after so many seconds is waited for; else the run stops."""
ROOM = 1.2
"""How many tokens a host may count for one of ours, until its own counts are known."""


class Clock:
    """The time of day in seconds, and waiting; tests put in one of their own."""

    def now(self) -> float:
        return time.time()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Until so much time has passed, or ``stop`` is set.

        Args:
            seconds: at most so long.
            stop: set by another thread to end the wait.
        """
        stop.wait(seconds)


CLOCK = Clock()


def pace_of(client: openai.OpenAI, price: Price | None, requests: Sequence[Any]) -> Pace | None:
    """The pace for these requests; None where no free tier's limits apply: another host, or an account that pays.

    Args:
        client: from ``connect``.
        price: of the host, where the reader's account pays.
        requests: what is to be sent; their models say whether the tier covers them.
    """
    tier = providers.free_tier(client, {request.model for request in requests}) if price is None else None
    return Pace(tier) if tier else None


@dataclass(frozen=True)
class Plan:
    """What some requests take at a free tier.

    Attributes:
        calls, tokens: how many; tokens of prompts and answers at most.
        minutes: of running, at least; None: no limit a minute is known.
        days: on how many the run has to be started; None: no limit a day is known.
    """

    tier: FreeTier
    calls: int
    tokens: int
    minutes: int | None
    days: int | None

    @property
    def sentence(self) -> str:
        """All of it in words, with date and source of the limits."""
        return self.told(plural(self.calls, "call"), "at least")

    def told(self, what: str, bound: str) -> str:
        """The sentence for other words than "80 calls" and "at least".

        Args:
            what: what is to be asked.
            bound: stands before the minutes; "up to about" where not all of these calls may be needed.
        """
        said = (
            f"{what} with up to {self.tokens:,} tokens at {self.tier.host}, free of charge "
            f"within {self.tier.limits} ({self.tier.cite})"
        )
        if not (self.minutes or self.days):
            return f"{said}. Look your account's limits up and give them: LIMITS = {{…}}."
        took = f"{bound} {plural(self.minutes, 'minute')}" if self.minutes else "a time that is not known"
        spread = f", on {plural(self.days or 1, 'day')}: run it again each day, it goes on where it stopped"
        return f"{said}: {took}{spread * ((self.days or 1) > 1)}."


class Pace:
    """Lets calls of one host through as fast as its free tier allows. Safe for several threads and processes."""

    def __init__(self, tier: FreeTier) -> None:
        self.tier, self.limits = tier, tier.limits
        self.waiting = ""
        self.room = ROOM
        self.path = kit_home() / "free_tiers.sqlite"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._sent() as sent:
            sent.execute("CREATE TABLE IF NOT EXISTS sent (id INTEGER PRIMARY KEY, host, at REAL, tokens REAL)")

    def too_long(self, request: Any) -> str:
        """Why this request can never be sent within the limits; empty for all others."""
        for name in ("tokens_per_minute", "tokens_per_day"):
            limit = getattr(self.limits, name)
            if limit is not None and self.tokens(request) > limit:
                return f"the prompt and its answer need more than the {_allows(name, limit)} of {self.tier.host}"
        return ""

    def admit(self, request: Any, stop: threading.Event) -> int:
        """Wait until this request may be sent, and count it; 0 when ``stop`` was set meanwhile.

        Args:
            request: what is to be sent.
            stop: set by another thread to end the wait.

        Returns:
            A ticket for :meth:`settle`.

        Raises:
            AllowanceError: the day's allowance is used up.
        """
        wanted = self.tokens(request)
        while not stop.is_set():
            with self._sent() as sent:
                wait, why = self._wait(sent, wanted)
                if wait <= 0:
                    self.waiting = ""
                    row = (self.tier.host, CLOCK.now(), wanted)
                    return sent.execute("INSERT INTO sent (host, at, tokens) VALUES (?, ?, ?)", row).lastrowid
            if wait > LONGEST_WAIT:
                raise self._used_up(why, wait)
            self.waiting = f"waiting {wait:.0f} s: {why}"
            CLOCK.wait(wait, stop)
        return 0

    def settle(self, ticket: int, request: Any, prompt_tokens: int | None) -> None:
        """Count a call with the tokens that the host counted for its prompt. Its answer counts with all of
        ``max_tokens``: some hosts count what was asked for, not what came.

        Args:
            ticket: from :meth:`admit`.
            request: what was sent.
            prompt_tokens: as the host counted; None where it did not say.
        """
        if prompt_tokens is None:
            return
        self.room = max(self.room, prompt_tokens / max(1, self._own(request)))
        with self._sent() as sent:
            sent.execute("UPDATE sent SET tokens = ? WHERE id = ?", (prompt_tokens + request.max_tokens, ticket))

    def tokens(self, request: Any) -> int:
        """The most that one request is likely to count."""
        return math.ceil(self.room * self._own(request)) + request.max_tokens

    def plan(self, requests: Sequence[Any]) -> Plan:
        """How long these requests will take within the limits; what the last day's calls have used is counted."""
        calls, wanted, limits = len(requests), sum(self.tokens(one) for one in requests), self.limits
        with self._sent() as sent:
            today = "SELECT COUNT(*), TOTAL(tokens) FROM sent WHERE host = ? AND at > ?"
            calls_today, tokens_today = sent.execute(today, (self.tier.host, CLOCK.now() - DAY)).fetchone()
        by_calls = _parts(calls + calls_today, limits.requests_per_day)
        minutes = max(_parts(calls, limits.requests_per_minute), _parts(wanted, limits.tokens_per_minute))
        days = max(by_calls, _parts(wanted + tokens_today, limits.tokens_per_day))
        return Plan(self.tier, calls, wanted, math.ceil(minutes) or None, math.ceil(days) or None)

    def _own(self, request: Any) -> float:
        schema = len(str(request.schema)) / CHARACTERS_A_TOKEN if request.schema else 0
        try:
            return schema + tokens.counter(request.model).examples([(request.messages, ())])[0]
        except AssetError:  # a vocabulary that could not be fetched
            return schema + sum(len(str(m.get("content"))) for m in request.messages) / CHARACTERS_A_TOKEN

    def _wait(self, sent: sqlite3.Connection, wanted: float) -> tuple[float, str]:
        """Seconds until no limit forbids a call of so many tokens, and which limit makes it wait longest."""
        now, limits = CLOCK.now(), self.limits
        sent.execute("DELETE FROM sent WHERE host = ? AND at <= ?", (self.tier.host, now - DAY))
        rows = sent.execute("SELECT at, tokens FROM sent WHERE host = ? ORDER BY at", (self.tier.host,)).fetchall()
        waits = [(0.0, "")]
        for name, limit in vars(limits).items():
            if limit is not None:
                by_tokens, window = name.startswith("tokens"), MINUTE if name.endswith("minute") else DAY
                counted = rows if by_tokens else [(at, 1) for at, _ in rows]
                waits.append((_until(counted, wanted if by_tokens else 1, limit, window, now), _allows(name, limit)))
        return max(waits)

    def _used_up(self, why: str, wait: float) -> AllowanceError:
        again = datetime.fromtimestamp(CLOCK.now() + wait)
        return AllowanceError(
            f"The day's allowance at {self.tier.host} is used up.",
            got=why,
            fix=f"Run this again from {again:%Y-%m-%d %H:%M} on: it goes on where it stopped. Answers already received "
            "are kept and not requested again.",
        )

    @contextmanager
    def _sent(self):
        with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as sent:
            sent.execute("BEGIN IMMEDIATE")  # look and count in one go, whoever else does the same
            yield sent
            sent.execute("COMMIT")


def _until(rows: Sequence[tuple[float, float]], wanted: float, limit: float, window: float, now: float) -> float:
    """Seconds until so much more fits into a window that slides; ``rows`` are times and sizes, oldest first."""
    inside = [(at, size) for at, size in rows if at > now - window]
    used, wait = sum(size for _, size in inside), 0.0
    for at, size in inside:
        if used + wanted <= limit:
            break
        used, wait = used - size, at + window - now
    return wait


def _allows(name: str, limit: float) -> str:
    return f"{limit:,.0f} {name.replace('_per_', ' a ')}"


def _parts(wanted: float, limit: float | None) -> float:
    return wanted / limit if limit else 0.0
