"""A sure classifier answers, a model gets the rest: how much is answered how well, and what that costs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from helpers import statistics
from helpers.errors import EvaluationError
from helpers.evaluate.prompts.candidates import digest
from helpers.evaluate.results.results import Results
from helpers.formatting import plural

STEPS = 10


def coverage(results: Results, name: str, metric: str | None = None, *, level: float = 0.95) -> pd.DataFrame:
    """How good the surest answers are: "answer the sure 60 %, hand on the rest".

    Rows that are equally sure are answered together, so a step may hold more rows than its tenth. Choose a threshold on
    validation rows, then use it on others: the best of many thresholds is partly luck.

    Args:
        results: of rows whose answers have a confidence.
        name: a candidate that says how sure it is: one of ``without_llm``.
        metric: None: the headline.
        level: confidence of the interval.

    Returns:
        One line a tenth of the rows, by ``answered`` (share of the rows): ``rows``, the ``threshold`` (the least
        confidence, 0 to 1, that is answered), the ``score`` of the answered rows with ``low`` to ``high``.

    Raises:
        EvaluationError: no such candidate or metric, or one without confidences.
    """
    sure, scores = _confidence(results, name), results.scores(name, metric)
    ordered = np.sort(sure)[::-1]
    lines = {}
    for step in range(1, STEPS + 1):
        threshold = ordered[math.ceil(step * len(sure) / STEPS) - 1]
        answered = sure >= threshold
        score = statistics.score_interval(scores[answered], level=level)
        lines[float(answered.mean())] = (int(answered.sum()), float(threshold), *score)
    frame = pd.DataFrame.from_dict(lines, orient="index", columns=["rows", "threshold", "score", "low", "high"])
    return frame.rename_axis("answered")


def cascade(results: Results, first: str, then: str, threshold: float, *, name: str = "") -> Results:
    """A candidate "first, then the other": where ``first`` is at least so sure it answers, else ``then`` does.

    Nothing is asked: both have answered all rows already. It costs what ``then`` cost on the rows handed on, and on
    these rows it takes the time of both. Its role is that of ``then``: with a target model's answers in it, it is a
    target candidate; but no prompt that was tried, so no plateau counts it.

    Args:
        results: both candidates on the same rows; see ``Results.merge``.
        first: one that says how sure it is: of ``without_llm``.
        then: the one that answers the other rows.
        threshold: the least confidence, 0 to 1, with which ``first`` answers. Choose it on other rows: ``coverage``.
        name: what tables call it.

    Returns:
        Results of the one new candidate, to be merged. The share of rows that went to ``then`` is in
        ``candidates[name]["handed_on"]`` and a column of its table; a note says it with the price.

    Raises:
        EvaluationError: no such candidates, one that says not how sure it is, or a threshold outside 0 to 1.
    """
    if not 0 <= threshold <= 1:
        raise EvaluationError("A threshold is a confidence between 0 and 1.", got=str(threshold))
    hands_on = _confidence(results, first) < threshold
    ours, theirs = (results._of(one).reset_index(drop=True) for one in (first, then))
    handed = theirs.assign(seconds=theirs["seconds"] + ours["seconds"], usd=theirs["usd"] + ours["usd"])
    name = name or f"{first}, then {then}"
    rows = pd.concat([ours[~hands_on], handed[hands_on]]).sort_values("row", ignore_index=True).assign(candidate=name)
    about, share = results.candidates[then], float(hands_on.mean())
    new = {
        "id": digest([results.candidates[first]["id"], about["id"], threshold])[:16], "model": about["model"],
        "host": about["host"], "role": about["role"], "parameters": about["parameters"], "handed_on": share,
        "known_by": f"{100 * share:.0f} % of its answers are {then}'s ({about['known_by']})",
    }  # fmt: skip
    found = Results(
        rows, {name: new}, list(results.metrics), results.split, results.row_ids,
        results.openings, scales=dict(results.scales), versions=dict(results.versions),
    )  # fmt: skip
    found.notes = [f"{name}: {100 * share:.0f} % of {len(rows)} rows are passed on; {_price(rows['usd'])}."]
    return found


def _price(usd: pd.Series) -> str:
    if unknown := int(usd.isna().sum()):
        return f"the host did not say what {plural(unknown, 'call')} cost"
    return f"${1000 * usd.mean():.4g} for 1,000 rows"


def _confidence(results: Results, name: str) -> np.ndarray:
    sure = results._of(name)["confidence"].to_numpy(dtype=float)
    if np.isnan(sure).any():
        raise EvaluationError(
            f"{name} does not say how sure it is.", fix="Take a candidate of evaluate.without_llm: they all do."
        )
    return sure
