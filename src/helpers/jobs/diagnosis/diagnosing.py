"""It trained, but nothing changed: what is wrong?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import pandas as pd

from helpers import data, tokens
from helpers.errors import ConsentError, DataError, JobError
from helpers.formatting import host_called, plural
from helpers.jobs.diagnosis.comparing import is_free_text
from helpers.jobs.diagnosis.figures import recited
from helpers.jobs.diagnosis.findings import RECITES, Finding, findings
from helpers.jobs.diagnosis.symptoms import REFUSALS, Answer, Recital, Symptoms, ask, belonging, curve_of, spread
from helpers.jobs.results import answering
from helpers.jobs.retry import patiently, plain, reason
from helpers.jobs.running import look
from helpers.providers import LOCAL, host_of, is_free
from helpers.records import Example

ROWS = 10
"""Training rows that are recited."""
HELD_OUT = 40
"""Validation rows that are asked, where the job has any."""
ROOM = 16
"""Tokens that an answer may have beyond half as much again as the longest ideal one, so that it can be seen to stop."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found; printed, it tells all of it.

    Attributes:
        findings: the faults, the likeliest cause first; empty where nothing is wrong.
        sentence: the outcome in one sentence.
        recited: one line a training row that was asked: ``question``, ``training answer``, ``tuned``, ``base``.
        symptoms: all the figures.
    """

    findings: tuple[Finding, ...]
    sentence: str
    recited: pd.DataFrame = field(compare=False)
    symptoms: Symptoms = field(repr=False)

    def table(self) -> pd.DataFrame:
        """The findings as a table, the likeliest first."""
        lines = [(one.what, one.evidence, one.next_step) for one in self.findings]
        return pd.DataFrame(lines, columns=["what is wrong", "evidence", "what to do"], index=range(1, len(lines) + 1))

    def __str__(self) -> str:
        told = [
            f"{number}. {one.what}\n   {one.evidence}\n   → {one.next_step}"
            for number, one in enumerate(self.findings, 1)
        ]
        return "\n".join([self.sentence, *told])


def diagnose(
    client: openai.OpenAI,
    job_id: str,
    request: Mapping[str, Any] | None = None,
    *,
    training: str | Path | None = None,
    validation: str | Path | None = None,
    may_cost: bool = False,
) -> Diagnosis:
    """Why a finished job seems to have changed nothing, by its own answers to its own training rows.

    The tuned model, its base, and the model that your program calls, where that has another name, are asked ten
    training rows, greedily; the tuned model up to forty validation rows, too. With the loss curve, the settings and the
    training file the answers tell apart: another model called, another system prompt or form of question than in
    training, answers cut off, another chat template, an adapter that the server ignores, a learning rate far too high
    or too low, too few steps, an end token that was not learned, prompts in the loss, contradictory rows, answers that
    do not belong to their questions. On this machine the local API's own records are read, too (what training saw,
    token by token; how far the weights moved); at other hosts template, end token and loss mask can only be inferred
    from what is answered.

    Thresholds were measured on planted faults with the kit's base model (see ``findings``). At another host
    and for a larger model they are a first guess.

    Args:
        client: from ``providers.connect``.
        job_id: a job that has succeeded.
        request: what your program sends and is disappointed by, as the keywords of ``chat.completions.create``:
            ``model``, ``messages``, ``max_tokens``. Without it only the job is looked at, not the call.
        training: your copy of the training file, where the host does not give it back.
        validation: your copy of the validation file; without one, and where the host does not give it back, no held-out
            row is asked.
        may_cost: that up to seventy short calls may be billed, at a host where calls are not free.

    Raises:
        JobError: the job has not succeeded, its model is not deployed, or its training file cannot be had.
        ConsentError: the host's calls may cost money, and ``may_cost`` does not allow it.
        HostError: the host does not answer, or refuses the key.
    """
    model = answering(client, job_id)
    found = look(client, job_id)
    rows = _rows(client, found.job.training_file, training)
    held_out = _held_out(client, found.job.validation_file, validation)
    asked, unseen = spread(rows, ROWS), spread(held_out, HELD_OUT)
    if not asked:
        raise JobError("No training row has an answer in words.", fix="Rows of tool calls alone cannot be recited yet.")
    limit = _limit(found.job.model, [*asked, *unseen])
    _ask_before_paying(client, 3 * len(asked) + len(unseen), limit, may_cost)
    recitals = _recitals(client, model, found.job.model, asked, limit)
    settings = found.job.hyperparameters.to_dict() if found.job.hyperparameters else {}
    seen = Symptoms(
        model=model,
        names=_names(client, found.job),
        base=found.job.model,
        settings=settings,
        curve=curve_of(found.metrics, _steps(found.metrics, settings, len(rows))),
        rows=tuple(rows),
        recitals=recitals,
        held_out=tuple(zip(unseen, ask(client, model, unseen, limit), strict=True)),
        inside=_inside(client, job_id),
        request=request or {},
        called=_of_another_name(client, (request or {}).get("model", model), model, asked, limit),
    )
    faults = findings(seen)
    return Diagnosis(faults, _sentence(faults, seen), _recited_table(recitals), seen)


def _rows(client: openai.OpenAI, file_id: str, path: str | Path | None) -> list[Example]:
    try:
        content = Path(path) if path else patiently(client, lambda c: c.files.content(file_id).read())
        return data.read(content)
    except openai.APIStatusError as error:
        raise JobError(
            "The training file cannot be had from the host.",
            got=reason(error),
            fix="Name your own copy: jobs.diagnose(…, training=PATH).",
        ) from None


def _held_out(client: openai.OpenAI, file_id: str | None, path: str | Path | None) -> list[Example]:
    """The validation rows; none where the job has none or the host does not give them back."""
    if not file_id and not path:
        return []
    try:
        return _rows(client, file_id or "", path)
    except (JobError, DataError):
        return []


def _limit(model: str, rows: Sequence[Example]) -> int:
    longest = max(tokens.counter(model).texts([row.answer for row in rows]))
    return longest + longest // 2 + ROOM


def _ask_before_paying(client: openai.OpenAI, calls: int, limit: int, may_cost: bool) -> None:
    host = host_of(client)
    if is_free(client) or may_cost or not host.leaves_machine:
        return
    raise ConsentError(
        f"A diagnosis makes up to {plural(calls, 'call')} to {host_called(host.name)}, each with at most {limit} "
        "answer tokens, and that may be billed.",
        fix="Allow it with jobs.diagnose(…, may_cost=True); nothing was asked.",
    )


def _recitals(client: openai.OpenAI, model: str, base: str, rows: Sequence[Example], limit: int) -> tuple[Recital, ...]:
    tuned = ask(client, model, rows, limit)
    before: Sequence[Answer | None]
    try:
        before = ask(client, base, rows, limit)
    except REFUSALS:
        before = [None] * len(rows)
    return tuple(Recital(*one) for one in zip(rows, tuned, before, strict=True))


def _of_another_name(
    client: openai.OpenAI, called: str, model: str, rows: Sequence[Example], limit: int
) -> tuple[Answer, ...]:
    """What the request's model answers, should it not be called as the job's is: a name may stand for it."""
    try:
        return () if called == model else ask(client, called, rows, limit)
    except REFUSALS:
        return ()


def _names(client: openai.OpenAI, job: Any) -> tuple[str, ...]:
    points = patiently(client, lambda c: list(c.fine_tuning.jobs.checkpoints.list(job.id, limit=100)))
    named = [point.fine_tuned_model_checkpoint for point in sorted(points, key=lambda point: point.step_number)]
    return tuple(name for name in [job.fine_tuned_model, *named] if name)


def _steps(metrics: pd.DataFrame, settings: Mapping[str, Any], rows: int) -> int:
    """Optimiser steps of the job: as its last event tells, else worked out from its settings; 0 where neither does."""
    if len(metrics):
        return int(metrics["step"].iloc[-1])
    batch, epochs = settings.get("batch_size"), settings.get("n_epochs")
    return -(-rows // batch) * epochs if isinstance(batch, int) and isinstance(epochs, int) else 0


def _inside(client: openai.OpenAI, job_id: str) -> Mapping[str, Any] | None:
    """The local API's checkup of the job; None at other hosts, and from a server that an older kit started."""
    if host_of(client).name != LOCAL.name:
        return None
    try:
        return plain(client, 60).get(f"/fine_tuning/jobs/{job_id}/checkup", cast_to=object)
    except openai.NotFoundError:
        return None


def _sentence(faults: Sequence[Finding], seen: Symptoms) -> str:
    told = recited(seen)
    share = belonging(seen.held_out)
    if share is not None:
        told += f"; on {plural(len(seen.held_out), 'held-out row')} an answer is closer to its own question's ideal "
        told += f"answer than to another's {100 * share:.0f} % of the time (50 % would be chance)"
    if faults:
        return f"Most likely: {faults[0].what} {told}."
    half_lost = seen.recited < RECITES and any(is_free_text(one.example.answer) for one in seen.recitals)
    free = " Free text need not come back word for word: read the rows." * half_lost
    return f"Nothing is wrong with this job that this look can see: {told}.{free}"


def _recited_table(recitals: Sequence[Recital]) -> pd.DataFrame:
    lines = [
        {
            "question": one.example.question,
            "training answer": one.example.answer,
            "tuned": one.tuned.text,
            "base": one.base.text if one.base else None,
        }
        for one in recitals
    ]
    return pd.DataFrame(lines)
