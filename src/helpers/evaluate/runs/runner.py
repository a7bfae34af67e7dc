"""Measure candidates on examples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import openai

from helpers import providers
from helpers.errors import EvaluationError
from helpers.evaluate.inference import clipping
from helpers.evaluate.inference.requests import Request, ask
from helpers.evaluate.inference.spending import Price, Spending, one_each
from helpers.evaluate.inference.store import AnswerStore, Reply
from helpers.evaluate.metrics import Metric
from helpers.evaluate.prompts.candidates import digest, messages
from helpers.evaluate.results.results import Results
from helpers.evaluate.results.rows import row_ids, rows_hash
from helpers.evaluate.results.scoring import check_metrics, score_replies
from helpers.formatting import plural
from helpers.providers import connect, identity, models
from helpers.records import Candidate, Example


def run(
    client: openai.OpenAI,
    candidates: Sequence[Candidate],
    examples: Sequence[Example],
    metrics: Sequence[Metric],
    *,
    store: Path | str,
    concurrency: int = 8,
    split: str = "validation",
    price: Price | None = None,
    spend_limit_usd: float = 0.0,
    progress: bool = True,
    sample: int = 0,
) -> Results:
    """Ask every candidate about every example and score the answers.

    Answers are kept in ``store`` as they come: an interrupted run goes on where it stopped and a repeated one is free.
    A failed call is missing, with its reason, and is asked again by the next run. Each time that new answers are asked
    for on rows called "test", that is counted and shown.

    Args:
        client: from ``helpers.providers.connect``.
        candidates: rivals with names of their own.
        examples: rows with ideal answers.
        metrics: from ``helpers.evaluate.metrics``; the first one is the headline.
        store: an SQLite file; made when missing.
        concurrency: calls under way at the same time. A server that batches (the local API) likes more.
        split: what the rows are called. Of rows called "test" it is counted how often they were opened.
        price: USD per million tokens, ``{"input": …, "output": …}``, or for several models one such mapping each;
            needed unless the host is known to be free (``providers.costs_nothing``: this kit's own API, a model server
            of this machine, a free tier). At a host with a free tier, a price says that the account pays.
        spend_limit_usd: the most that this run may cost; nothing is sent when the forecast is above it.
        progress: show a bar and print the notes; what is missing is printed in any case.
        sample: which draw of a sampled answer: 0 is the first, and another number asks afresh.

    Raises:
        EvaluationError: no candidates, examples or metrics, names that are used twice, or one price for several models.
        ConsentError: the forecast is above the limit, or the price is not known.
        HostError: the host refuses the key or the model, or is gone; run again to go on from there.
        AllowanceError: the day's allowance at a free tier is used up; the message says when to run again.
    """
    _check(candidates, examples)
    check_metrics(metrics)
    asked = {candidate.model for candidate in candidates}
    spending = Spending(price, spend_limit_usd, local=providers.costs_nothing(client, price, asked))
    spending.cover(asked)
    requests = [requests_of(candidate, examples, sample) for candidate in candidates]
    host = identity(client)
    openings = _open(store, split, examples, host, [request for some in requests for request in some])
    replies = _ask_in_order(
        client, requests, store=store, concurrency=concurrency, price=price, spend_limit_usd=spend_limit_usd,
        progress=progress,
    )  # fmt: skip
    known = {model: models.known(client, model) for model in {candidate.model for candidate in candidates}}
    parts = [
        score_replies(
            candidate.name,
            _about(candidate, host, known[candidate.model]) | {"at_once": min(concurrency, len(examples))},
            examples,
            answered,
            metrics,
            split=split,
            usd=[_cost(spending, candidate.model, reply) for reply in answered],
        )  # fmt: skip
        for candidate, answered in zip(candidates, replies, strict=True)
    ]
    results = reduce(Results.merge, parts)
    results.openings = openings
    gaps = _gaps(results)
    results.notes = [*_notes(results, candidates), *gaps]
    if said := results.notes if progress else gaps:  # what is missing is said in any case
        print("\n".join(said))
    return results


def run_elsewhere(
    targets: Sequence[tuple[str, str]], candidates: Sequence[Candidate], examples: Sequence[Example],
    metrics: Sequence[Metric], *, declared: str = "", may_train_on_prompts: str = "", **options: Any,
) -> list[Results]:  # fmt: skip
    """The same prompts, asked of other models on the same rows: one Results a target, to be merged.

    Args:
        targets: pairs of a host (its name or address, as ``providers.connect`` takes it) and a model's id there.
        candidates: the prompts; each is called by its name and the target's model.
        examples: rows with ideal answers, the same for all targets.
        metrics: as for :func:`run`; the first one is the headline.
        declared: what the reader says of these models, where nothing is known: see ``Candidate``.
        may_train_on_prompts: as for ``providers.connect``.
        options: as for :func:`run`; ``store`` is needed. A ``price`` for several paid models is one mapping each.

    Raises:
        EvaluationError: as :func:`run`.
        ConsentError: as :func:`run`, or a host that trains on prompts without the reader's word.
        HostError: as :func:`run`.
    """
    clients = [(connect(host, may_train_on_prompts=may_train_on_prompts), model) for host, model in targets]
    price = options.get("price")
    one_each(price, [model for client, model in clients if not providers.costs_nothing(client, price, [model])])
    found = []
    for client, model in clients:
        asked = [replace(one, name=f"{one.name}, {model}", model=model, declared=declared) for one in candidates]
        found.append(run(client, asked, examples, metrics, **options))
    return found


def requests_of(candidate: Candidate, examples: Sequence[Example], sample: int = 0) -> list[Request]:
    """What ``candidate`` sends, one request an example and in their order.

    Args:
        candidate: whose prompt, model and decoding.
        examples: rows that ask; their ideal answers are left out.
        sample: which draw of a sampled answer; 0 is the first.
    """
    return [
        Request(
            candidate.model,
            messages(candidate, example),
            candidate.temperature,
            candidate.max_tokens,
            candidate.schema,
            sample,
        )  # fmt: skip
        for example in examples
    ]


def _ask_in_order(client: openai.OpenAI, requests: list[list[Request]], **options) -> list[list[Reply]]:
    """One candidate after another, and within each those next to each other that begin alike: hosts then reuse the
    part of the prompt that they have just read."""
    places = [(c, r) for c, some in enumerate(requests) for r in range(len(some))]
    places.sort(key=lambda place: (place[0], json.dumps(requests[place[0]][place[1]].messages, default=dict)))
    replies = dict(zip(places, ask(client, [requests[c][r] for c, r in places], **options), strict=True))
    return [[replies[c, r] for r in range(len(some))] for c, some in enumerate(requests)]


def _open(store: Path | str, split: str, examples: Sequence[Example], host: str, requests: list[Request]) -> int:
    keys = [request.key(host) for request in requests]
    with AnswerStore(store) as kept:
        new = len(kept.get(keys)) < len(set(keys))
        return kept.open_split(split, rows_hash(row_ids(examples)), digest(sorted(keys)) if new else None)


def _about(candidate: Candidate, host: str, known: models.Known) -> dict[str, Any]:
    """What the results remember of a candidate; ``prompt`` is a hash of all that it sends beside the question."""
    rows = [
        [list(row.messages) for row in some] for some in (candidate.shots, candidate.pool if candidate.nearest else ())
    ]
    prompt = digest([candidate.system, *rows, candidate.nearest, candidate.schema])[:12]
    role, known_by = models.role(candidate, known)
    return {
        "id": digest([host, candidate.model, prompt, candidate.temperature, candidate.max_tokens])[:16],
        "model": candidate.model, "host": host, "role": role, "known_by": known_by, "parameters": known.parameters,
        "prompt": prompt, "tries": candidate.tries,
    }  # fmt: skip


def _cost(spending: Spending, model: str, reply: Reply) -> float:
    if reply.prompt_tokens is None or reply.completion_tokens is None:
        return float("nan")
    return spending.cost(model, reply.prompt_tokens, reply.cached_tokens or 0, reply.completion_tokens)


def _check(candidates: Sequence[Candidate], examples: Sequence[Example]) -> None:
    names = [candidate.name for candidate in candidates]
    if not names or len(set(names)) < len(names):
        raise EvaluationError("Candidates need distinct names.", got=", ".join(names) or "no candidates")
    if not examples:
        raise EvaluationError("There are no examples to measure on.")
    if unanswered := [str(example.line or place) for place, example in enumerate(examples, 1) if not example.answer]:
        raise EvaluationError(
            f"{plural(len(unanswered), 'example')} without the text of an ideal answer.",
            got=f"rows {', '.join(unanswered[:10])}",
            fix="Metrics compare texts: measure data.task(rows).fitting(rows); data.cases turns tool calls into texts.",
        )


def _notes(results: Results, candidates: Sequence[Candidate]) -> list[str]:
    """What a reader of the table must know before believing it."""
    notes, measured = [], set(results.row_ids)
    if results.split == "test" and results.openings > 1:
        notes.append(
            f"The test rows have now been opened {results.openings} times: each look at them makes the winner seem a "
            "little better than it is. Fresh rows would show."
        )
    for candidate in candidates:
        seen = measured & set(row_ids([*candidate.shots, *candidate.pool]))
        if seen:
            notes.append(
                f"{candidate.name}: {plural(len(seen), 'measured row')} also among its worked examples. Its score is "
                "too good to be true: take shots from the training rows."
            )
    return notes + _chatter(results, candidates)


CHATTER = 0.05
"""Such a share of answers with the right label inside other words is worth a note."""


def _chatter(results: Results, candidates: Sequence[Candidate]) -> list[str]:
    """Prompts whose answers name the right label in a sentence: they count as wrong, and the reader should know why."""
    if not {"label_accuracy", "label_inside"} <= set(results.metrics):
        return []
    means = results.rows.groupby("candidate", sort=False)[["label_accuracy", "label_inside"]].mean()
    wordy = (means["label_inside"] - means["label_accuracy"]).loc[lambda gap: gap >= CHATTER]
    labels, told = set(results.rows["expected"]), {candidate.name: candidate.system for candidate in candidates}
    notes = []
    for name, gap in wordy.items():
        listed = all(label in told[name] for label in labels)
        do = "Show examples" if listed else "Ask for the label alone (the rung that lists the labels does)"
        notes.append(
            f"{name}: {100 * gap:.0f} % of the answers have the right label inside other words and count as wrong. "
            f"{do}, or force it with a schema."
        )
    return notes


def _gaps(results: Results) -> list[str]:
    """Which answers are missing or cut off."""
    total, notes = len(results.row_ids), []
    for name, line in results.table().to_dict("index").items():
        if why := results.why_nothing([name]):
            notes.append(f"{name}: {why}")
        elif line["missing"]:
            notes.append(f"{name}: {line['missing']} of {total} answers are missing (see .missing()).")
        reasons = results.rows.loc[results.rows["candidate"] == name, "missing"]
        if clipped := int(reasons.str.startswith((clipping.REASON, clipping.REFUSED)).sum()):
            way_out = clipping.way_out(results.candidates[name]["host"])
            known = any(way_out in note for note in notes)
            what = f"{name}: {plural(clipped, 'prompt')} did not fit the host's context."
            notes.append(what if known else f"{what} {way_out}")
        if line["cut_off"]:
            notes.append(f"{name}: {plural(line['cut_off'], 'answer')} cut off at max_tokens.")
    return notes
