"""Continuous batching: requests join and leave the batches in flight between any two tokens.

Requests that wait are batched: those for the same adapter that begin alike run together, and what they share is
computed once. Beginnings are also kept for a while, so that the next request with the same instructions starts where
they end (``cached_tokens``). New requests are read between two steps of those in flight, so a long answer never holds
up the others; and all answers of one adapter take their steps together, whatever they began with.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from helpers.local_api.engine.adapters import AdapterFiles
from helpers.local_api.engine.batch import Answer, Batch
from helpers.local_api.engine.scheduler import COST_OF_A_BATCH, ROOM_FOR_UNLIKE, Plan, PrefixCache, common, plan

if TYPE_CHECKING:
    from torch import Tensor

    from helpers.local_api.engine.inference import Runner

MAX_ROWS = 128
"""Answers in flight at once; more wait."""
KV_BYTES = 1024 * 2**20
"""Memory for the keys and values of answers in flight, prefixes apart. (One answer alone may have more.)"""
GATHER_S = 0.008
"""How long an idle engine waits for companions of the first request."""

Inbox = queue.SimpleQueue[Answer | AdapterFiles | None]
"""What reaches the computing thread: requests to answer, adapters to forget, and None, which only wakes it."""


class ContinuousBatcher:
    """Computes the answers, turn by turn. Used by one thread, in torch's inference mode.

    Args:
        runner: the model.
        inbox: where requests come from.
        stops: ids of the tokens that end an answer.

    Attributes:
        batches: those in flight.
    """

    def __init__(self, runner: Runner, inbox: Inbox, stops: frozenset[int]) -> None:
        self.runner, self._inbox, self._stops = runner, inbox, stops
        self._prefixes = PrefixCache(runner.bytes_per_token)
        self._waiting: deque[Answer] = deque()
        self._numbers = count()
        self.batches: list[Batch] = []

    def turn(self) -> None:
        """Take in what came, then give every answer in flight one token; waits where there is nothing to do."""
        self._receive()
        while self._admit():
            pass
        for batch in self.batches:
            self._guarded([batch.answers], self._take, batch)
        self._make_room()
        self.batches = [batch for batch in self.batches if batch.answers]
        for together in self._stepping_together():
            self._guarded([batch.answers for batch in together], self._step, together)
        self.batches = [batch for batch in self.batches if batch.answers]

    def _receive(self) -> None:
        """Take what came in; with nothing in flight, wait for it, and for its companions."""
        if not self._waiting and not self.batches:
            self._sort(self._inbox.get())
            time.sleep(GATHER_S)
        while not self._inbox.empty():
            self._sort(self._inbox.get())

    def _sort(self, item: Answer | AdapterFiles | None) -> None:
        if isinstance(item, Answer):
            item.number = next(self._numbers)
            self._waiting.append(item)
        elif item is not None:
            self._prefixes.forget(item)
            self.runner.forget(item)

    def _admit(self) -> bool:
        """Start the oldest waiting request with those that go with it; False: nothing waits, or there is no room."""
        self._waiting = deque(answer for answer in self._waiting if not answer.generation.cancelled)
        flying = self._flying()
        budget = self._max_kv_tokens() - sum(answer.kv_tokens for answer in flying)
        slots = MAX_ROWS - len(flying)
        if not self._waiting or slots < 1 or (flying and self._waiting[0].kv_tokens > budget):
            return False
        alone = Plan([self._waiting[0]], 0, None, 0)
        chosen = plan(list(self._waiting), self._prefixes, slots, budget) if self.runner.shares else alone
        self._waiting = deque(answer for answer in self._waiting if answer not in chosen.members)
        self._guarded([chosen.members], self._start, chosen)
        return True

    def _start(self, chosen: Plan) -> None:
        members, runner = chosen.members, self.runner
        adapter = members[0].adapter
        runner.use(adapter)
        company = self._company(chosen) if runner.shares else None
        shared = len(company.prefix_ids) if company else chosen.length
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
            self.batches.append(Batch(adapter, tuple(members[0].ids[:shared]), members, rows, logits))

    def _company(self, chosen: Plan) -> Batch | None:
        """The batch in flight whose beginning they all have, if going on from there costs them little or nothing."""
        shortest = min(len(answer.ids) for answer in chosen.members)
        fitting = [
            batch
            for batch in self.batches
            if batch.adapter is chosen.members[0].adapter
            and (chosen.length - len(batch.prefix_ids)) * len(chosen.members) <= COST_OF_A_BATCH
            and len(batch.prefix_ids) < shortest
            and self._fits(batch, chosen.members)
            and all(common(batch.prefix_ids, tuple(answer.ids)) == len(batch.prefix_ids) for answer in chosen.members)
        ]
        return max(fitting, key=lambda batch: len(batch.prefix_ids), default=None)

    def _fits(self, batch: Batch, members: Sequence[Answer]) -> bool:
        shared = len(batch.prefix_ids)
        needed = [answer.kv_tokens for answer in batch.answers] + [answer.kv_tokens - shared for answer in members]
        return len(needed) * max(needed) <= ROOM_FOR_UNLIKE * self._max_kv_tokens()

    def _prefix(self, chosen: Plan) -> Tensor:
        """Keys and values of what the members share: from the cache as far as it is known, else computed and kept."""
        if not chosen.length:
            return self.runner.no_prefix
        known = chosen.entry.kv[:, :, :, : chosen.known] if chosen.entry else self.runner.no_prefix
        if chosen.known == chosen.length:
            return known
        ids = chosen.members[0].ids[: chosen.length]
        rows = self.runner.rows(known)
        self.runner.read(rows, [ids[chosen.known :]])
        return self._prefixes.keep(chosen.members[0].adapter, ids, rows.whole(0))

    def _take(self, batch: Batch) -> None:
        """Give each answer its next token and let those that are over go. One that fails is no matter of the others."""
        for answer, logits in zip(batch.answers, batch.logits, strict=True):
            _on_its_own(answer, answer.mask, logits)
        likeliest = batch.logits.argmax(-1).tolist()
        for answer, token, logits in zip(batch.answers, likeliest, batch.logits, strict=True):
            if not answer.over:
                _on_its_own(answer, answer.take, token, logits, self._stops)
        batch.let_go([n for n, answer in enumerate(batch.answers) if answer.over])

    def _make_room(self) -> None:
        """Let answers step aside that have outgrown the memory: the longest of a batch that all its rows would need
        room for, and the youngest where those of all batches do not fit together."""
        for batch in self.batches:
            while len(batch.answers) > 1 and not self._fits(batch, ()):
                self._step_aside(batch, max(batch.answers, key=lambda answer: answer.kv_tokens))
        while sum(answer.kv_tokens for answer in self._flying()) > self._max_kv_tokens():
            growing = [(batch, answer) for batch in self.batches for answer in batch.answers if not answer.limited]
            if not growing or len(self._flying()) == 1:
                return
            self._step_aside(*max(growing, key=lambda one: one[1].number))

    def _step_aside(self, batch: Batch, answer: Answer) -> None:
        batch.let_go([batch.answers.index(answer)])
        answer.step_aside()
        self._waiting = deque(sorted([*self._waiting, answer], key=lambda waiting: waiting.number))

    def _stepping_together(self) -> list[list[Batch]]:
        """The batches in flight, those of one adapter side by side where the model can run them in one pass."""
        groups: dict[Any, list[Batch]] = {}
        for batch in self.batches:
            groups.setdefault(batch.adapter if self.runner.shares else id(batch), []).append(batch)
        return list(groups.values())

    def _step(self, batches: list[Batch]) -> None:
        """Run the next pass for batches of one adapter."""
        self.runner.use(batches[0].adapter)
        tokens = [token for batch in batches for token in batch.tokens]
        logits = self.runner.step([batch.rows for batch in batches], tokens)
        for batch, own in zip(batches, logits.split([len(batch.answers) for batch in batches]), strict=True):
            batch.logits = own

    def answers(self) -> list[Answer]:
        """All that have not ended: waiting and in flight."""
        return [*self._waiting, *self._flying()]

    def _flying(self) -> list[Answer]:
        return [answer for batch in self.batches for answer in batch.answers]

    def _max_kv_tokens(self) -> int:
        return KV_BYTES // self.runner.bytes_per_token

    def _guarded(self, groups: Sequence[list[Answer]], work: Callable[[Any], None], subject: Any) -> None:
        """Run; what goes wrong is told to those concerned, and the others go on."""
        try:
            work(subject)
        except Exception as error:
            for answers in groups:
                for answer in answers:
                    answer.fail(error)
                answers.clear()


def _on_its_own(answer: Answer, work: Callable[..., None], *arguments: Any) -> None:
    """Run what concerns one answer only: what goes wrong is told to it alone."""
    try:
        work(*arguments)
    except Exception as error:
        answer.fail(error)
