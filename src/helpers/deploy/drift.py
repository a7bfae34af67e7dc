"""Is the traffic still what the model was trained on? Three checks on what programs sent and what the model answered.

Labels are mostly missing in production, so nothing here measures quality: drift says when to measure it again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from helpers.errors import DeployError
from helpers.formatting import percent, plural
from helpers.records import Example
from helpers.statistics import holm

MIN_ROWS = 20
MIX_SHIFT = 0.10
"""Share of messages that would have to change label before the mix counts as different in practice."""
LENGTH_SHIFT = 1.25
"""Factor between median lengths, either way, that counts as different in practice."""


@dataclass(frozen=True)
class Drift:
    """What the checks found.

    Attributes:
        table: one row a check: ``check``, ``training`` (what is wanted, for valid JSON), ``now``, ``p_value``
            (Holm-corrected over the checks), ``alarm`` and a ``sentence``.
        labels: share of each label in training and now; for a chart.
        lengths: median characters of the inputs in training and now.
        alarm: whether any check alarms.
    """

    table: pd.DataFrame
    labels: pd.DataFrame
    lengths: tuple[float, float]
    alarm: bool

    def __str__(self) -> str:
        return "\n".join(f"{'!' if line.alarm else '✓'} {line.sentence}" for line in self.table.itertuples())


def drift(
    training: Sequence[Example], questions: Sequence[str], answers: Sequence[str], *, field: str = "category",
    least_valid: float = 0.97, alpha: float = 0.05,
) -> Drift:  # fmt: skip
    """Hold recent traffic against the training rows.

    A check alarms when the change is larger than chance (``alpha``, Holm-corrected) *and* large enough to matter.

    Args:
        training: the rows that the model was tuned on.
        questions: what programs sent lately.
        answers: what the model said, one a question.
        field: the JSON field whose mix of values is watched.
        least_valid: share of answers that must be JSON objects with this field.
        alpha: error rate of a false alarm over all checks.

    Raises:
        DeployError: fewer than 20 rows on either side, not one answer a question, or no training row with the field.
    """
    if len(questions) != len(answers) or min(len(questions), len(training)) < MIN_ROWS:
        raise DeployError(
            "Too little to compare.",
            got=f"{len(training)} training rows, {len(questions)} questions, {len(answers)} answers",
            fix=f"Give at least {MIN_ROWS} rows on both sides, and one answer a question.",
        )
    before = [label for row in training if (label := _label(row.answer, field)) is not None]
    if not before:
        raise DeployError(
            f"No training answer is a JSON object with the field {field!r}: there is no mix to compare with.",
            got=f"{len(training)} training rows, the first answer {training[0].answer[:80]!r}",
            fix="Pass field= with a field that the training answers have.",
        )
    now = [_label(answer, field) for answer in answers]
    checks = [
        _validity(now, least_valid),
        _mix(before, [label for label in now if label is not None]),
        _length([len(row.question) for row in training], [len(question) for question in questions]),
    ]
    corrected = holm([check["p_value"] for check in checks])
    for check, p_value in zip(checks, corrected, strict=True):
        matters = check.pop("matters")
        check |= {"p_value": p_value, "alarm": bool(matters and p_value < alpha)}
        check["sentence"] += _judged(check["alarm"], matters, len(questions))
    table = pd.DataFrame(checks)[["check", "training", "now", "p_value", "alarm", "sentence"]]
    return Drift(table, _shares(before, now), (checks[2]["training"], checks[2]["now"]), bool(table["alarm"].any()))


def _judged(alarm: bool, matters: bool, rows: int) -> str:
    """Why there is an alarm, or none in spite of a difference that would matter."""
    if alarm:
        return " Alarm: that is large enough to matter, and more than chance."
    return f" That could be chance on {plural(rows, 'row')}: no alarm." if matters else ""


def _label(answer: str, field: str) -> str | None:
    """The field's value as text; None when the answer is not a JSON object with it."""
    try:
        parsed: Any = json.loads(answer)
    except (ValueError, TypeError):  # no JSON, or no answer at all
        return None
    return json.dumps(parsed[field]).strip('"') if isinstance(parsed, dict) and field in parsed else None


def _validity(now: Sequence[str | None], least: float) -> dict[str, Any]:
    valid = sum(label is not None for label in now)
    share = valid / len(now)
    p_value = stats.binomtest(valid, len(now), least, alternative="less").pvalue
    sentence = f"{valid} of {len(now)} answers ({percent(share)}) are valid JSON; {percent(least)} are wanted."
    return _check("valid JSON", least, share, p_value, share < least, sentence)


def _mix(before: Sequence[str], now: Sequence[str]) -> dict[str, Any]:
    """Chi-squared statistic with a permutation p-value: exact enough where labels are rare."""
    names = sorted({*before, *now})
    counts = np.array([[Counter(side)[name] for name in names] for side in (before, now)])
    if not now or len(names) < 2:
        return _check("label mix", 0.0, 0.0 if now else 1.0, 1.0, False, "There are no two labels to compare.")
    shares = counts / counts.sum(axis=1, keepdims=True)
    shift = float(np.abs(shares[0] - shares[1]).sum() / 2)
    p_value = _permuted(counts)
    unseen = [name for name in names if name not in set(before)]
    most = max(names, key=lambda name: abs(shares[1][names.index(name)] - shares[0][names.index(name)]))
    was, is_now = (shares[side][names.index(most)] for side in (0, 1))
    sentence = (
        f"The mix of labels differs by {100 * shift:.0f} points in all, most of all {most}: "
        f"{percent(was)} in training, {percent(is_now)} now."
    )
    if unseen:
        sentence += f" Never seen in training: {', '.join(unseen[:5])}."
    return _check("label mix", 0.0, shift, p_value, shift > MIX_SHIFT, sentence)


def _permuted(counts: np.ndarray, resamples: int = 2000) -> float:
    """Chance of a chi-squared at least this large when both sides come from one mix (margins fixed)."""
    margins = counts.sum(axis=1), counts.sum(axis=0)
    expected = np.outer(*margins) / counts.sum()
    drawn = stats.random_table(*margins).rvs(resamples, random_state=0)
    as_large = ((drawn - expected) ** 2 / expected).sum(axis=(1, 2)) >= (
        (counts - expected) ** 2 / expected
    ).sum() - 1e-9
    return float((as_large.sum() + 1) / (resamples + 1))


def _length(before: Sequence[int], now: Sequence[int]) -> dict[str, Any]:
    was, is_now = float(np.median(before)), float(np.median(now))
    p_value = float(stats.mannwhitneyu(before, now).pvalue)
    ratio = max(is_now, 1.0) / max(was, 1.0)
    sentence = f"Messages have {is_now:.0f} characters (median); in training they had {was:.0f}."
    return _check("input length", was, is_now, p_value, not 1 / LENGTH_SHIFT <= ratio <= LENGTH_SHIFT, sentence)


def _shares(before: Sequence[str], now: Sequence[str | None]) -> pd.DataFrame:
    sides = {"training": list(before), "now": ["(no valid JSON)" if label is None else label for label in now]}
    shares = {side: pd.Series(labels, dtype=object).value_counts(normalize=True) for side, labels in sides.items()}
    return pd.DataFrame(shares).fillna(0.0).sort_values("training", ascending=False).rename_axis("label").reset_index()


def _check(name: str, training: float, now: float, p_value: float, matters: bool, sentence: str) -> dict[str, Any]:
    return {
        "check": name, "training": training, "now": now, "p_value": float(p_value), "matters": bool(matters),
        "sentence": sentence,
    }  # fmt: skip
