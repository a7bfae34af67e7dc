"""Would more data help? A power law through the reader's own learning curve, with a band, and no far-away promises.

The score on ``n`` training rows is taken as ``ceiling - a * n**-b`` with ``a >= 0``. Fine-tuning curves on small data
are often flat before they follow a power law (arXiv 2402.02314), so the fit is first tested against the scatter of the
repeats: points that do not follow a power law get "cannot tell", not a forecast. Nor do points that do not rise at all:
a flat start is no evidence that more rows are useless.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from helpers.errors import EvaluationError
from helpers.formatting import amount, number, percent
from helpers.records import Example
from helpers.statistics import Estimate

MIN_RUNS, MIN_SIZES = 6, 5
"""Fewer allow no curve."""
FARTHEST = 4
"""No forecast beyond this many times the largest size measured."""
HAIR = 0.001
"""A tenth of a point: runs on a few hundred rows are never told apart by less."""
EXPONENTS = np.linspace(0.05, 2.0, 60)
DRAWS = 1000


@dataclass(frozen=True)
class Draw:
    """The training rows of one run of a learning curve.

    Attributes:
        name: such as "40-rows-draw-2"; for file names and tables.
        size: how many rows.
        seed: for the job; another one for each repeat.
        rows: drawn at random.
        hyperparameters: so that every size gets about as many training steps.
    """

    name: str
    size: int
    seed: int
    rows: tuple[Example, ...]
    hyperparameters: dict[str, int]


def draw(
    examples: Sequence[Example],
    sizes: Sequence[int],
    repeats: int,
    *,
    steps: int = 120,
    most_epochs: int = 20,
    seed: int = 0,
) -> list[Draw]:
    """Rows for each run: every size, ``repeats`` times, each time drawn afresh, smallest first.

    With as many epochs at each size a small size would also be trained for fewer steps, and the curve would show steps,
    not rows. So epochs follow from ``steps``; ``most_epochs`` keeps the smallest sizes from being learned by heart. A
    batch is a tenth of the rows, 4 at least and 16 at most: small batches would show a large size only once or twice.
    The same arguments draw the same rows in the same order, so that files and jobs are found again. A draw of *all*
    rows differs from its repeats by the job's seed only: there the repeats show less luck than there is.

    Args:
        examples: all training rows.
        sizes: rows of a run.
        repeats: runs of each size.
        steps: optimiser steps that each run should have.
        most_epochs: the most passes over the rows of a small run.
        seed: the same one draws the same rows.

    Raises:
        EvaluationError: a size below 1 or above the number of examples, or no repeat.
    """
    wrong = [size for size in sizes if not 1 <= size <= len(examples)]
    if wrong or not sizes or repeats < 1:
        raise EvaluationError(
            f"{len(examples)} rows cannot be drawn that way.",
            got=f"sizes {wrong or list(sizes)}, {repeats} repeats",
            fix=f"Choose sizes from 1 to {len(examples)} and at least one repeat.",
        )
    draws = []
    for size in sorted(set(sizes)):
        batch = min(size, max(4, min(16, size // 10)))
        epochs = min(most_epochs, max(1, round(steps / math.ceil(size / batch))))
        for repeat in range(1, repeats + 1):
            picked = random.Random(f"{seed}/{size}/{repeat}").sample(range(len(examples)), size)
            rows = tuple(examples[place] for place in sorted(picked))
            settings = {"n_epochs": epochs, "batch_size": batch}
            draws.append(Draw(f"{size}-rows-draw-{repeat}", size, repeat, rows, settings))
    return draws


@dataclass(frozen=True)
class LearningCurve:
    """A fitted curve: ask it with :meth:`predict`, or read its ``sentence``.

    Attributes:
        sizes, scores: the points that it rests on, one a training run.
        state: "more data helps", "more data hardly helps" or "cannot tell".
        sentence: the answer in words.
        gain_from_doubling: score at twice the largest size minus score at the largest, with its band; ``nan`` where the
            points allow no forecast.
        level: of the bands.
    """

    sizes: np.ndarray
    scores: np.ndarray
    state: str
    sentence: str
    gain_from_doubling: Estimate
    level: float
    _fits: np.ndarray  # ceiling, a and b: of the points themselves first, then of each bootstrap draw

    def predict(self, size: float) -> Estimate:
        """The expected score with ``size`` training rows, and its band.

        Raises:
            EvaluationError: ``size`` is below the smallest size measured or beyond four times the largest, or the
                points do not follow a rising power law.
        """
        if not len(self._fits):
            raise EvaluationError(
                "The points do not follow a rising power law.", fix="Measure more sizes or more repeats."
            )
        low, high = self.sizes.min(), FARTHEST * self.sizes.max()
        if not low <= size <= high:
            raise EvaluationError(
                f"The curve answers from {low:.0f} to {high:.0f} rows only: {FARTHEST} times the largest measured.",
                got=f"{size:g}",
                fix="Measure with more rows to look further ahead.",
            )
        return _band(_curve(self._fits, size), self.level)

    def as_evidence(self) -> dict[str, Any]:
        """A JSON value for the project file, as ``records.DataGain`` has it."""
        value, low, high = (None if np.isnan(x) else float(x) for x in self.gain_from_doubling)
        return {"sentence": self.sentence, "state": self.state, "gain_from_doubling": value, "low": low, "high": high}


def fit(
    sizes: Sequence[float], scores: Sequence[float], *, worth: float = 0.02, level: float = 0.9, seed: int = 0
) -> LearningCurve:
    """Fit the curve.

    The band comes from refitting 1,000 times with the residuals' signs flipped at random (wild bootstrap), which keeps
    small sizes as uncertain as they are. All runs are scored on the same rows, so the band covers the luck of sampling
    training rows and of training, not the luck of those test rows.

    Args:
        sizes: training rows, one a run; at least five different ones, with repeats (other rows, another seed).
        scores: the score of each run, 0 to 1, higher is better.
        worth: the smallest gain from doubling the data that would be worth having.
        level: confidence of the band, between 0 and 1.
        seed: the same one flips the same signs.

    Raises:
        EvaluationError: too few runs or sizes, or values out of range.
    """
    x, y = np.asarray(sizes, dtype=float), np.asarray(scores, dtype=float)
    _check(x, y, worth)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    best = _fit_many(x, y[None, :])
    fitted = _curve(best, x[:, None])[:, 0]
    if not _follows(x, y, fitted):
        return _no_forecast(x, y, level, "the scores do not follow a power law (flat start, jump or bad run)")
    top = x.max()
    if not _rises(y, fitted) and fitted[-1] < 1 - worth:
        flat = f"from {x.min():,.0f} to {top:,.0f} rows the score does not rise beyond its scatter"
        return _no_forecast(x, y, level, f"{flat}, and a curve may start flat and rise later")
    # Three fitted values take scatter out of the residuals: put it back before drawing.
    residuals = (y - fitted) * np.sqrt(len(x) / (len(x) - 3))
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(DRAWS, len(x)))
    fits = np.vstack([best, _fit_many(x, fitted + residuals * signs)])
    gain = _band(_curve(fits, 2 * top) - _curve(fits, top), level)
    state, sentence = _answer(gain, int(top), worth, level)
    return LearningCurve(x, y, state, sentence, gain, level, fits)


def _no_forecast(x: np.ndarray, y: np.ndarray, level: float, why: str) -> LearningCurve:
    sentence = (
        f"These {len(x)} runs cannot tell: {why}, so there is no honest forecast. "
        "Look at the points; measure more sizes or repeats."
    )
    unknown = Estimate(np.nan, np.nan, np.nan)
    return LearningCurve(x, y, "cannot tell", sentence, unknown, level, np.empty((0, 3)))


def on_trial(sizes: Sequence[float], scores: Sequence[float], *, worth: float = 0.02, level: float = 0.9) -> str:
    """Whether the forecast can be believed here: the largest size is hidden, forecast from the others, and uncovered.

    The measured score is the mean of the largest size's runs. It has scatter of its own, which the band does not cover,
    so a near miss is no disproof.

    Args:
        sizes: training rows, one a run.
        scores: the score of each run, 0 to 1.
        worth: as for :func:`fit`.
        level: confidence of the forecast's band.

    Raises:
        EvaluationError: all of it is too little for a curve.
    """
    x, y = np.asarray(sizes, dtype=float), np.asarray(scores, dtype=float)
    _check(x, y, worth)
    top = x.max()
    measured = float(y[x == top].mean())
    told = f"Measured with {top:,.0f}: {percent(round(measured, 3), None)}."
    if not _enough(x[x < top]):
        least = f"it takes at least {MIN_RUNS} of {MIN_SIZES} sizes"
        return f"Without the runs of {top:,.0f} rows too few are left for a forecast: {least}. {told}"
    before = fit(x[x < top], y[x < top], worth=worth, level=level)
    if not len(before._fits):
        return f"Without the runs of {top:,.0f} rows the others allow no forecast. {told}"
    if top > FARTHEST * before.sizes.max():
        too_far = f"{top:,.0f} rows are more than {FARTHEST} times the next smaller size"
        return f"{too_far}: no forecast reaches that far. {told}"
    forecast = before.predict(top)
    inside = "inside" if forecast.low <= measured <= forecast.high else "outside"
    band = f"{percent(level, None)} band {number(forecast.low)} to {number(forecast.high)}"
    return (
        f"From the runs up to {before.sizes.max():,.0f} rows, {top:,.0f} rows were forecast to reach "
        f"{percent(round(forecast.value, 3), None)} ({band}). {told} That is {inside} the band."
    )


def _fit_many(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least squares for each row of ``y``: for every exponent a straight line in ``n**-b``, then the best exponent.

    The line may not rise with falling ``n`` (a >= 0), nor promise more than a perfect score (ceiling <= 1).
    """
    best = np.full((len(y), 4), np.inf)  # squared error, ceiling, a, b
    for b in EXPONENTS:
        z = x**-b
        centred = z - z.mean()
        a = np.maximum(0.0, -(y @ centred) / (centred @ centred))
        ceiling = y.mean(axis=1) + a * z.mean()
        above = ceiling > 1
        a = np.where(above, np.maximum(0.0, (1 - y) @ z / (z @ z)), a)
        ceiling = np.where(above, 1.0, ceiling)
        error = ((y - ceiling[:, None] + a[:, None] * z) ** 2).sum(axis=1)
        better = error < best[:, 0]
        best[better] = np.column_stack([error, ceiling, a, np.full(len(y), b)])[better]
    return best[:, 1:]


def _curve(fits: np.ndarray, size: Any) -> np.ndarray:
    ceiling, a, b = fits.T
    return np.clip(ceiling - a * size**-b, 0, 1)


def _band(values: np.ndarray, level: float) -> Estimate:
    low, high = np.quantile(values[1:], [(1 - level) / 2, (1 + level) / 2])
    value = float(values[0])
    return Estimate(value, min(float(low), value), max(float(high), value))


def _follows(x: np.ndarray, y: np.ndarray, fitted: np.ndarray) -> bool:
    """F test of lack of fit: do the sizes' means lie as near to the curve as their repeats lie to each other?

    With fewer than three repeats there is no scatter to test against, and the curve gets the benefit of the doubt.
    """
    groups = [y[x == size] for size in np.unique(x)]
    freedom = len(y) - len(groups)
    if freedom < 3:
        return True
    pure = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    lack = max(0.0, float(((y - fitted) ** 2).sum()) - pure)
    pure = max(pure, freedom * HAIR**2)
    ratio = lack / (len(groups) - 3) / (pure / freedom)
    return float(stats.f.sf(ratio, len(groups) - 3, freedom)) > 0.01


def _rises(y: np.ndarray, fitted: np.ndarray) -> bool:
    """F test of the curve against a flat line."""
    freedom = len(y) - 3
    left = max(float(((y - fitted) ** 2).sum()), freedom * HAIR**2)
    gone = float(((y - y.mean()) ** 2).sum()) - left
    return float(stats.f.sf(max(0.0, gone) / 2 / (left / freedom), 2, freedom)) < 0.05


def _answer(gain: Estimate, top: int, worth: float, level: float) -> tuple[str, str]:
    said = (
        f"doubling from {top:,} to {2 * top:,} rows is expected to gain {amount(gain.value)} "
        f"({percent(level, None)} band {number(gain.low)} to {number(gain.high)})"
    )
    if gain.low >= worth:
        return "more data helps", f"More data helps: {said}."
    if gain.high < worth:
        return "more data hardly helps", f"More data hardly helps: {said}, and {amount(worth)} would be worth having."
    return "cannot tell", (
        f"These runs cannot tell whether more data is worth it: {said}, and {amount(worth)} would be worth having. "
        "More repeats narrow the band."
    )


def _enough(x: np.ndarray) -> bool:
    return len(x) >= MIN_RUNS and len(np.unique(x)) >= MIN_SIZES


def _check(x: np.ndarray, y: np.ndarray, worth: float) -> None:
    problems = []
    if x.ndim != 1 or x.shape != y.shape:
        problems.append(f"one score per size is needed, not {y.shape} for {x.shape}")
    elif not _enough(x):
        least = f"at least {MIN_RUNS} runs of {MIN_SIZES} sizes"
        problems.append(f"{len(x)} runs of {len(np.unique(x))} sizes are too few: {least}")
    if not np.isfinite(x).all() or (x < 1).any():
        problems.append("sizes are counts of rows from 1 up")
    if not np.isfinite(y).all() or (y < 0).any() or (y > 1).any():
        problems.append("scores lie between 0 and 1 (leave failed runs out)")
    if worth <= 0:
        problems.append("the gain worth having is above zero")
    if problems:
        raise EvaluationError("A learning curve cannot be fitted to these.", got="; ".join(problems))
