"""Several drafts of each text, of which code keeps one: what rules can test, they can choose, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from helpers.errors import EvaluationError
from helpers.evaluate.prompts.candidates import digest
from helpers.evaluate.results.results import Results

PASSES_THEN_RULES = ("rules_and_facts", "rules_kept")
PAID = ["prompt_tokens", "completion_tokens", "cached_tokens", "usd"]


def best_of(drafts: Sequence[Results], by: Sequence[str] = PASSES_THEN_RULES) -> Results:
    """The best draft of each row, for every candidate; of equals the earliest.

    Args:
        drafts: the same candidates on the same rows, each from ``evaluate.run`` with a ``sample`` of its own and a
            temperature above 0 (at 0 all drafts are one).
        by: metrics; the first one decides, the others break its ties. Only such as look at no ideal answer, for in use
            there is none: those of :func:`~helpers.evaluate.free_text.measures` for rules and facts are of that kind.

    Returns:
        Results whose candidates are called "…, best of 4". Tokens and USD are those of all drafts of a row, since all
        are paid; seconds are those of the slowest, since they can be asked at once.

    Raises:
        EvaluationError: fewer than two drafts; other candidates, rows or metrics in one of them; a metric in ``by``
            that was not measured.
    """
    _check(drafts, by)
    first, count = drafts[0], len(drafts)
    name_of = {name: f"{name}, best of {count}" for name in first.candidates}
    rows = _picked(drafts, by)
    rows["candidate"] = rows["candidate"].map(name_of)
    about = {
        name_of[name]: known | {"id": digest([known["id"], count, *by])[:16]}
        for name, known in first.candidates.items()
    }
    openings = max(one.openings for one in drafts)
    return replace(first, rows=rows[list(first.rows)], candidates=about, openings=openings, notes=[])


def _picked(drafts: Sequence[Results], by: Sequence[str]) -> pd.DataFrame:
    """One line a candidate and row; a missing draft is worse than any other."""
    key = ["candidate", "row"]
    every = pd.concat([one.rows for one in drafts], ignore_index=True)
    scores = every[list(by)].fillna(-1.0)
    best_first = every.loc[scores.sort_values(list(by), ascending=False, kind="stable").index]
    picked = best_first.groupby(key, sort=False).head(1).set_index(key).sort_index()
    all_drafts = every.groupby(key)
    picked[PAID] = all_drafts[PAID].sum(min_count=1)
    picked["seconds"] = all_drafts["seconds"].max()
    return picked.reset_index()


def _check(drafts: Sequence[Results], by: Sequence[str]) -> None:
    if len(drafts) < 2:
        raise EvaluationError(
            "There is nothing to choose between.", got=f"{len(drafts)} drafts", fix="Make two or more."
        )
    if any(_asked(one) != _asked(drafts[0]) for one in drafts):
        raise EvaluationError(
            "These drafts are not of the same candidates, rows and metrics.",
            fix="Make them by the same evaluate.run, with another sample each.",
        )
    known = drafts[0].metrics
    if not by or set(by) - set(known):
        raise EvaluationError(
            "Drafts are chosen by metrics that were measured.",
            got=", ".join(by) or "none",
            fix=f"Take some of {', '.join(known)}.",
        )


def _asked(results: Results) -> tuple:
    ids = {name: about["id"] for name, about in results.candidates.items()}
    return ids, results.row_ids, [results.measure(name) for name in results.metrics], results.split
