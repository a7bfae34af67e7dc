"""Has prompting stopped improving, and does its winner hold on fresh rows? Tests, not feelings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from helpers import ledger, statistics
from helpers.errors import EvaluationError
from helpers.evaluate.results.results import Results
from helpers.formatting import amount, number
from helpers.records import Role

NO_MEASURE = (
    "Cannot tell: free text without rules or rating. Likeness to the ideal answer finds odd rows and decides nothing. "
    "Write rules that a good answer keeps (RULES), or compare answers blind (show.rater)."
)


@dataclass(frozen=True)
class Plateau:
    """What a series of prompts says about trying more of them.

    Attributes:
        state: "plateaued", "still rising" or "cannot tell".
        role: whose prompts these were; a teaching model's say nothing about the model that a reader would use.
        sentence: the finding in words.
        tries: how many prompts were tried.
        incumbent: the best prompt before the last few.
        gains: for each of the last few, its gain over the incumbent: ``name``, ``gain``, ``low``, ``high``.
        worth: the smallest gain worth having.
        rows: rows that all of these prompts answered.
    """

    state: str
    role: Role
    sentence: str
    tries: int
    incumbent: str
    gains: tuple[dict[str, Any], ...]
    worth: float
    rows: int


def plateau(
    results: Results, *, worth: float = 0.02, last: int = 3, metric: str | None = None, level: float = 0.95
) -> Plateau:
    """Whether the last few prompts of a ladder still gained anything: :func:`plateau_of` on the results of one model.

    It "cannot tell" where the metric is no share of right rows (free text without rules or a rating is compared by
    likeness, which finds odd rows and no more), and where no prompt was answered.

    Args:
        results: a ladder of one model, on development rows.
        worth: the smallest gain worth having, as a share: 0.02 is two points.
        last: how many of the latest prompts must have gained nothing.
        metric: None: the headline.
        level: confidence of the bounds, before the correction for several prompts.

    Raises:
        EvaluationError: the results hold prompts of several models, or as :func:`plateau_of`.
    """
    about = prompted_model(results)
    if results.scale(metric)[0] != ledger.COMPARED_UNIT:
        return Plateau("cannot tell", about["role"], NO_MEASURE, len(results.history()), "", (), worth, 0)
    if why := results.why_nothing(list(results.history())):
        return Plateau("cannot tell", about["role"], why, 0, "", (), worth, 0)
    return plateau_of(
        results.history(metric=metric), worth=worth, last=last, role=about["role"], level=level, tries=results.tries()
    )


def prompted_model(results: Results) -> dict[str, Any]:
    """What is known of the one model whose prompts these are.

    Raises:
        EvaluationError: prompts of several models, or none.
    """
    asked = {(about["host"], about["model"]): about for name, about in results.candidates.items()
             if name in results.history()}  # fmt: skip
    if len(asked) != 1:
        raise EvaluationError(
            "A plateau is about the prompts of one model.",
            got=", ".join(model for _, model in asked) or "no prompts",
            fix="Measure each model's ladder in a run of its own.",
        )
    return next(iter(asked.values()))


def plateau_of(
    history: Mapping[str, ArrayLike],
    *,
    worth: float = 0.02,
    last: int = 3,
    role: Role = "teaching",
    level: float = 0.95,
    tries: Mapping[str, int] | None = None,
) -> Plateau:
    """Whether the last few prompts still gained anything over the best one before them.

    * "plateaued": for each of the last few, the upper bound of its gain is below ``worth``;
    * "still rising": one of them is better than the incumbent, Holm's correction included, and by ``worth`` or more;
    * "cannot tell": neither can be shown on these rows, or too few prompts were tried.

    The incumbent was picked as the best of several, which flatters it. So the upper bounds allow for every prompt among
    which it was picked (Bonferroni): the more were tried, the harder it is to call a plateau. A prompt that a search
    found counts for all that the search tried, in both corrections.

    A prompt without a single answer is left out.

    Args:
        history: prompt's name → one score a row (0 to 1), in the order tried, all on the same **development** rows, as
            ``Results.history`` gives them.
        worth: the smallest gain worth having, as a share: 0.02 is two points.
        last: how many of the latest prompts must have gained nothing.
        role: of the model whose prompts these are; of a teaching model's the sentence says what they cannot show.
        level: confidence of the bounds, before the correction for several prompts.
        tries: prompt's name → how many prompts it is the best of; 1 where nothing is said.

    Raises:
        EvaluationError: scores of different rows, ``worth`` or ``last`` not above zero, or no prompts.
    """
    names = list(history)
    if not names or worth <= 0 or last < 1:
        raise EvaluationError(
            "A plateau needs prompts, a gain worth having above zero, and at least one last prompt.",
            got=f"{len(names)} prompts, worth {worth}, last {last}",
        )
    scores = np.array([np.asarray(history[name], dtype=float) for name in names])
    answered = ~np.isnan(scores).all(axis=1)
    names, scores = [name for name, some in zip(names, answered, strict=True) if some], scores[answered]
    scores = scores[:, ~np.isnan(scores).any(axis=0)]
    rows, counts = scores.shape[1], [(tries or {}).get(name, 1) for name in names]
    if len(names) <= last or rows < 2:
        few = f"{len(names)} prompts with answers are too few to speak of a plateau: try at least {last + 1}."
        sentence = few if len(names) <= last else "Fewer than two rows were answered by all prompts: measure more rows."
        return Plateau("cannot tell", role, sentence, sum(counts), "", (), worth, rows)
    earlier = len(names) - last
    best = int(np.argmax(scores[:earlier].mean(axis=1)))
    later = zip(names[earlier:], scores[earlier:], strict=True)
    gains = tuple(_gain(name, of_name - scores[best], sum(counts[:earlier]), level) for name, of_name in later)
    state, sentence = _judge(gains, names[best], counts, rows, worth, level)
    if role == "teaching":
        sentence += " This is the teaching model: it says nothing about prompts for the model that you would use."
    return Plateau(state, role, sentence, sum(counts), names[best], gains, worth, rows)


@dataclass(frozen=True)
class SecondLook:
    """A winner's score where it was picked, and on rows that had no part in the picking.

    Attributes:
        name: the prompt.
        picked: its score on the rows that it was picked on: flattered, because it is the best of several.
        fresh: its score on fresh rows: this is the one to quote.
        change: fresh minus picked, with its interval where both are right/wrong scores (else ``nan``).
        sentence: the finding in words.
    """

    name: str
    picked: statistics.Estimate
    fresh: statistics.Estimate
    change: statistics.Estimate
    sentence: str


def second_look(picked: Results, fresh: Results, name: str, metric: str | None = None) -> SecondLook:
    """Whether the best of several prompts keeps its score on fresh rows.

    The best of several is partly the luckiest. The same prompt on rows that had no part in picking it is not.

    Args:
        picked: results on the rows by which the prompt was picked.
        fresh: results on other rows.
        name: the prompt's.
        metric: None: the headline.

    Raises:
        EvaluationError: the two share rows, or one of them has no score of this prompt.
    """
    if shared := set(picked.row_ids) & set(fresh.row_ids):
        raise EvaluationError(
            "Fresh rows must not be among those that the prompt was picked on.",
            got=f"{len(shared)} shared rows",
            fix="Take other validation rows.",
        )
    before, after = ((s := r.scores(name, metric))[~np.isnan(s)] for r in (picked, fresh))
    if not len(before) or not len(after):
        raise EvaluationError(f"{name} has no score on one of the two sets of rows.", fix="Measure it on both.")
    one, other = statistics.score_interval(before), statistics.score_interval(after)
    change, share = other.value - one.value, statistics.is_right_or_wrong(np.concatenate([before, after]))
    interval = statistics.Interval(math.nan, math.nan)
    if share:
        interval = statistics.newcombe(int(after.sum()), len(after), int(before.sum()), len(before))
    return SecondLook(
        name, one, other, statistics.Estimate(change, *interval),
        _second_look(name, one, other, interval, sum(picked.tries().values()), (len(before), len(after)), share),
    )  # fmt: skip


def _second_look(
    name: str, picked: statistics.Estimate, fresh: statistics.Estimate, change: statistics.Interval, tries: int,
    rows: tuple[int, int], share: bool,
) -> str:  # fmt: skip
    unit = " %" if share else ""
    said = [number(value, share) for value in (picked.value, fresh.value, fresh.low, fresh.high)]
    text = (
        f"“{name}”, the best of {tries} prompts, scored {said[0]}{unit} on the {rows[0]} rows that it was picked on "
        f"and {said[1]}{unit} on {rows[1]} fresh ones (95 % interval {said[2]} to {said[3]})."
    )
    if change.high < 0:
        return text + " It was picked partly for its luck: quote the fresh score."
    if change.low > 0:
        return text + " The fresh rows seem easier. Quote the fresh score all the same: nothing was picked on them."
    return text + " These rows do not show that the first score was flattered; the fresh one is still the one to quote."


def _gain(name: str, difference: np.ndarray, earlier: int, level: float) -> dict[str, Any]:
    """A gain with its bounds: the upper one is one-sided and allows for the ``earlier`` prompts; and a p-value."""
    one_sided = 1 - 2 * (1 - level) / earlier
    interval = _interval(difference, max(one_sided, level))
    right_or_wrong = bool(np.isin(difference, (-1.0, 0.0, 1.0)).all())
    wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
    p_value = statistics.mcnemar(wins, losses) if right_or_wrong else statistics.sign_flip(difference)
    return {"name": name, "gain": float(difference.mean()), "low": interval.low, "high": interval.high, "p": p_value}


def _interval(difference: np.ndarray, level: float) -> statistics.Interval:
    if np.isin(difference, (-1.0, 0.0, 1.0)).all():
        wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
        return statistics.paired_difference(wins, losses, len(difference), level)
    found = statistics.paired_bootstrap(difference, np.zeros_like(difference), level=level)
    return statistics.Interval(found.low, found.high)


def _judge(
    gains: tuple[dict[str, Any], ...], incumbent: str, counts: list[int], rows: int, worth: float, level: float
) -> tuple[str, str]:
    tries, last = sum(counts), len(gains)
    widest = max(gains, key=lambda gain: gain["high"])
    if widest["high"] < worth:
        return "plateaued", (
            f"Prompting has plateaued on these {rows} rows: after {tries} prompts, none of the last {last} can be more "
            f"than {amount(max(widest['high'], 0))} better than “{incumbent}”, and {amount(worth)} would be worth "
            "having."
        )
    repeated = [gain["p"] for gain, count in zip(gains, counts[-last:], strict=True) for _ in range(count)]
    adjusted = statistics.holm(repeated)[np.cumsum(counts[-last:]) - 1]
    risen = [g for g, p in zip(gains, adjusted, strict=True) if p < 1 - level and g["gain"] >= worth]
    if risen:
        best = max(risen, key=lambda gain: gain["gain"])
        return "still rising", (
            f"Prompting is still rising: “{best['name']}” beats “{incumbent}” by {amount(best['gain'])} on {rows} rows "
            f"({tries} prompts tried). Try more prompts before anything else."
        )
    top, needed = max(gains, key=lambda gain: gain["gain"]), _rows_for(gains, worth, rows)
    stands = f"is {amount(-top['gain'])} worse than" if top["gain"] < 0 else f"gained {amount(top['gain'])} over"
    who = "it" if widest is top else f"“{widest['name']}”"
    return "cannot tell", (
        f"These {rows} rows cannot tell whether prompting has plateaued: the best of the last {last} prompts, "
        f"“{top['name']}”, {stands} “{incumbent}”; {who} may be up to {amount(widest['high'])} better. "
        f"To rule out {amount(worth)} takes about {needed:,} rows."
    )


def _rows_for(gains: tuple[dict[str, Any], ...], worth: float, rows: int) -> int:
    """Rows at which the upper bounds would fall below ``worth`` if the true gains were zero."""
    half = max(gain["high"] - gain["gain"] for gain in gains)
    return max(rows + 1, math.ceil(rows * (half / worth) ** 2 / 100) * 100)
