"""A rung of the ladder: instructions that a model rewrites from its mistakes, by the library GEPA.

Agrawal and others, "GEPA: Reflective Prompt Evolution Can Outperform Reinforcement Learning", arXiv 2507.19457.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gepa
import numpy as np
import openai
from gepa.strategies.instruction_proposal import InstructionProposalSignature as Proposal

from helpers.errors import EvaluationError, KitError
from helpers.evaluate.inference.requests import Request
from helpers.evaluate.inference.spending import CHARACTERS_A_TOKEN
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.metrics import Metric
from helpers.evaluate.prompt_search import search
from helpers.evaluate.prompt_search.search import Purse, Search, Try
from helpers.evaluate.runs.runner import requests_of
from helpers.formatting import plural
from helpers.records import Candidate, Example

FEW_PROPOSALS = 3
PART = "instructions"
REFLECTION_TEMPERATURE = 1.0
"""Warm, so that the same mistakes may give another idea; each draw is kept, so a repeated search draws the same."""

TEMPLATE = """\
An assistant works by these instructions:
```
<curr_param>
```

Below are tasks that it was given, what it answered, and how good that was:
```
<side_info>
```

Write better instructions. Find out from the mistakes which rules the ideal answers follow, and state them: the form of
an answer, which label applies when, facts that the assistant cannot know. Keep what works already. Rules must hold for
tasks that are not shown here: do not copy tasks or answers word for word. Give only the new instructions, between ```
marks."""

Row = tuple[int | None, Example]
"""A training row; rows to score by carry their place."""


def optimise(
    client: openai.OpenAI, candidate: Candidate, pool: Sequence[Example], metrics: Sequence[Metric], *,
    budget_calls: int, reflection_model: str = "", minibatch: int = 8, part: int = 24, seed: int = 1,
    reflection_tokens: int = 2000, **asking: Any,
) -> Search:  # fmt: skip
    """Let a model rewrite the instructions from its mistakes: GEPA, within a budget of calls.

    The pool is divided in two. Again and again a prompt answers a few rows of the one part, the reflection model reads
    tasks, answers and ideal answers and proposes new instructions, and where these do better on the same rows, they are
    scored on the other part, which chooses. Validation rows have no part in it. The same arguments ask the same again,
    so a search that was interrupted goes on from the store.

    Args:
        client: from ``helpers.providers.connect``.
        candidate: the prompt to begin with. Its instructions are rewritten, all else stays.
        pool: training rows; never validation or test rows.
        metrics: the first one chooses; the others tell the reflection model what was wrong.
        budget_calls: the most calls that the search may take, reflections among them.
        reflection_model: the model that rewrites, at the same host; the candidate's own if none is named. One of under
            a billion parameters cannot do it.
        minibatch: rows that are reflected on together. With few of them the telling one is rarely among them.
        part: rows to score by; at most half of the pool.
        seed: the same one divides the pool and draws the rows in the same way.
        reflection_tokens: cap on a reply of the reflection model, its thinking included.
        asking: ``store``, ``concurrency``, ``price`` (for two models one each), ``spend_limit_usd``, ``progress``, as
            for ``evaluate.run``. The limit is that of the whole search, and so is the forecast that is shown first.

    Returns:
        The candidate, which counts in ``evaluate.plateau`` for as many prompts as were tried, and the record of them.

    Raises:
        EvaluationError: no instructions to begin with, a budget for less than one proposal, too few rows, or a metric
            of which more is not better.
        ConsentError: the forecast is above the limit, or the price is not known: nothing was asked. Or the limit was
            reached on the way: run again with a higher one to go on from there.
        HostError: as ``evaluate.run``; run again to go on from there.
    """
    search.check(candidate, pool, metrics)
    if not candidate.system:
        raise EvaluationError(
            f"{candidate.name} has no instructions to begin with.",
            fix="Write what you would tell a new colleague: `INSTRUCTIONS` in the parameters cell of your project, "
            "`system` of the candidate in code.",
        )
    scored, told = search.divide(pool, part, seed, candidate.shots)
    minibatch = min(minibatch, len(told))
    round_calls = 2 * minibatch + 1 + len(scored)
    if budget_calls < (least := len(scored) + round_calls):
        raise EvaluationError(
            "The budget is too small for a single proposal.", got=plural(budget_calls, "call"),
            fix=f"Allow at least {least}, {len(scored) + 10 * round_calls} for a real search ({search.CALLS_SETTING}).",
        )  # fmt: skip
    reflecting = Request(reflection_model or candidate.model, (), REFLECTION_TEMPERATURE, reflection_tokens)
    purse = Purse(client, _expected(candidate, reflecting, scored, told, minibatch, budget_calls), **asking)
    adapter = _Adapter(purse, candidate, scored, metrics, reflecting)
    try:
        gepa.optimize(
            seed_candidate={PART: candidate.system}, trainset=[(None, row) for row in told],
            valset=list(enumerate(scored)), adapter=adapter, reflection_minibatch_size=minibatch, seed=seed,
            # the second: rounds on rows that are right, and asked before, take no calls and would never end
            stop_callbacks=lambda state: purse.calls + round_calls > budget_calls or state.i >= budget_calls,
            logger=_Silence(),
        )  # fmt: skip
    except _Halt as halt:
        raise halt.error from None
    return adapter.found(pool)


def _expected(
    candidate: Candidate, reflecting: Request, scored: Sequence[Example], told: Sequence[Example], minibatch: int,
    budget: int,
) -> list[tuple[int, Sequence[Request]]]:  # fmt: skip
    """The search at its dearest: every prompt as long as the reflection model can write, no proposal accepted."""
    longest = "x" * int(reflecting.max_tokens * CHARACTERS_A_TOKEN)
    calls = requests_of(replace(candidate, system=longest), [*scored, *told], 0)
    answer = Reply("x" * int(candidate.max_tokens * CHARACTERS_A_TOKEN))
    rows = sorted(told, key=lambda row: len(row.question + row.answer))[-minibatch:]
    reflection = _reflection(reflecting, longest, [_record(row, answer, "") for row in rows], 0)
    reflections = (budget - len(scored)) // (minibatch + 1)
    return [(reflections, [reflection]), (budget - reflections, calls)]


class _Halt(BaseException):
    """Carries an error through GEPA, which survives every ``Exception`` of a reflection and would go on."""

    def __init__(self, error: KitError) -> None:
        self.error = error


class _Silence:
    def log(self, message: str) -> None:
        """GEPA reports every step; the record of tries says it shorter."""


class _Adapter:
    """What GEPA asks for: answers with scores, mistakes in words, new instructions. Keeps the record of tries."""

    def __init__(
        self, purse: Purse, first: Candidate, scored: Sequence[Example], metrics: Sequence[Metric], reflecting: Request
    ) -> None:
        self.purse, self.first, self.metrics, self.reflecting = purse, first, metrics, reflecting
        self.rows = len(scored)
        self.tries: dict[str, np.ndarray] = {}
        self.reflections = 0

    def evaluate(
        self, batch: list[Row], candidate: dict[str, str], capture_traces: bool = False
    ) -> gepa.EvaluationBatch:
        text, rows = candidate[PART], [row for _, row in batch]
        replies = self._ask(requests_of(replace(self.first, system=text), rows, 0))
        scores = [search.score(self.metrics[0], reply, row) for reply, row in zip(replies, rows, strict=True)]
        kept = self.tries.setdefault(text, np.full(self.rows, np.nan))
        for (place, _), score in zip(batch, scores, strict=True):
            if place is not None:
                kept[place] = score
        traces = list(zip(rows, replies, strict=True))
        return gepa.EvaluationBatch([reply.text for reply in replies], scores, traces)

    def make_reflective_dataset(
        self, candidate: dict[str, str], batch: gepa.EvaluationBatch, components: list[str]
    ) -> dict[str, list[dict[str, str]]]:
        return {PART: [_record(row, reply, _judged(row, reply, self.metrics)) for row, reply in batch.trajectories]}

    def propose_new_texts(
        self, candidate: dict[str, str], dataset: Mapping[str, Sequence[Mapping[str, Any]]], components: list[str]
    ) -> dict[str, str]:
        self.reflections += 1
        [reply] = self._ask([_reflection(self.reflecting, candidate[PART], dataset[PART], self.reflections)])
        text = "" if reply.missing else Proposal.output_extractor(reply.text.strip())["new_instruction"]
        return {PART: text} if text and text not in self.tries else {}

    def _ask(self, requests: Sequence[Request]) -> list[Reply]:
        try:
            return self.purse.ask(requests)
        except KitError as error:
            raise _Halt(error) from error

    def found(self, pool: Sequence[Example]) -> Search:
        names = ["first prompt", *(f"proposal {n}" for n in range(1, len(self.tries)))]
        tries = [
            Try(replace(self.first, name=name, system=text), scores, search.copied(text, pool, self.first.system))
            for name, (text, scores) in zip(names, self.tries.items(), strict=True)
        ]
        proposals, notes = len(tries) - 1, []
        if proposals < self.reflections:
            notes.append(
                f"{self.reflections - proposals} of {plural(self.reflections, 'reflection')} gave no new instructions."
            )
        if proposals < FEW_PROPOSALS:
            notes.append(f"Only {plural(proposals, 'proposal')} fitted into the budget: that is hardly a search.")
        return search.found(f"{self.first.name}, optimised", self.first, tries, self.metrics[0], self.purse, notes)


def _reflection(reflecting: Request, text: str, records: Sequence[Mapping[str, str]], draw: int) -> Request:
    """The request for new instructions; ``draw`` tells repeated ones apart."""
    prompt = Proposal.prompt_renderer(
        {"current_instruction_doc": text, "dataset_with_feedback": records, "prompt_template": TEMPLATE}
    )
    return replace(reflecting, messages=[{"role": "user", "content": prompt}], sample=draw)


def _record(row: Example, reply: Reply, judged: str) -> dict[str, str]:
    turns = [message for message in row.prompt if message["role"] not in ("system", "developer")]
    task = row.question if len(turns) == 1 else "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)
    return {"Task": task, "Answer": reply.text or "(none came)", "Judgement": f"{judged} Ideal answer: {row.answer}"}


def _judged(row: Example, reply: Reply, metrics: Sequence[Metric]) -> str:
    """Right or not by the first metric, and what the others say of it."""
    first, *others = metrics
    score = search.score(first, reply, row)
    if score >= 1:
        return "Right."
    wrong = [metric.name for metric in others if metric.better == "higher" and metric(reply.text, row) == 0]
    said = "Wrong" if score == 0 else f"{first.name} {score:.2f} of 1"
    return f"{said} ({', '.join(wrong)})." if wrong else f"{said}."
