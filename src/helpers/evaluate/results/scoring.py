"""From replies to results: every metric asked about every answer of one candidate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from helpers.errors import EvaluationError
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.metrics import COLUMNS, Metric
from helpers.evaluate.results.results import USUAL, Results
from helpers.evaluate.results.rows import row_ids, typed
from helpers.records import Example


def score_replies(
    name: str, about: Mapping[str, str], examples: Sequence[Example], replies: Sequence[Reply],
    metrics: Sequence[Metric], *, split: str, usd: Sequence[float] | None = None,
    confidence: Sequence[float] | None = None,
) -> Results:  # fmt: skip
    """The results of one candidate from its replies, one an example, with what each cost and how sure it was.

    Args:
        name: the candidate's.
        about: what is known of it: model, host, role and so on.
        examples: the rows that were asked.
        replies: one an example.
        metrics: the first one is the headline.
        split: what the rows are called, such as "validation".
        usd: what each reply cost; None where nothing is known.
        confidence: how sure each answer is, 0 to 1; None where nothing is known.
    """
    lines = [
        {
            "candidate": name,
            "row": row,
            "answer": reply.text,
            "expected": example.answer,
            "missing": reply.missing,
            "finish_reason": reply.finish_reason,
            **{metric.name: _score(metric, reply, example) for metric in metrics},
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "cached_tokens": reply.cached_tokens,
            "seconds": reply.seconds,
            "usd": usd[row] if usd else 0.0,
            "confidence": math.nan if confidence is None else confidence[row],
        }  # fmt: skip
        for row, (example, reply) in enumerate(zip(examples, replies, strict=True))
    ]
    names = [metric.name for metric in metrics]
    scales = {m.name: (m.unit, m.better) for m in metrics if (m.unit, m.better) != USUAL}
    versions = {m.name: m.version for m in metrics if m.version}
    rows = typed(pd.DataFrame(lines), names)
    return Results(rows, {name: dict(about)}, names, split, row_ids(examples), scales=scales, versions=versions)


def check_metrics(metrics: Sequence[Metric]) -> None:
    """Pass when there are metrics, each with a name of its own that is no other column's.

    Raises:
        EvaluationError: no metric, a name twice, or the name of another column.
    """
    names = [metric.name for metric in metrics]
    if not names or len(set(names)) < len(names) or set(names) & COLUMNS:
        raise EvaluationError(
            "Metrics need distinct names, and there must be at least one.",
            got=", ".join(names) or "none",
            fix="Drop duplicates; rename any that has the name of a column of Results.rows or Results.table().",
        )


def _score(metric: Metric, reply: Reply, example: Example) -> float:
    score = None if reply.text is None or reply.missing else metric(reply.text, example)
    return math.nan if score is None else float(score)
