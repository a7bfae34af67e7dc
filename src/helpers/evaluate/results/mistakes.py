"""The rows that a candidate got wrong: which they are, in which fields, and which label was taken for which."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from helpers.errors import EvaluationError
from helpers.evaluate import metrics as scoring
from helpers.evaluate.metrics import Metric
from helpers.evaluate.results.results import USUAL, Results
from helpers.evaluate.results.rows import row_ids
from helpers.records import Example

OTHER, INVALID, MISSING = "(another label)", "(not valid)", "(no answer)"
"""Columns of :func:`confusion`: an answer with a label that no ideal answer has; one that is not JSON with the field;
and none at all."""

NOT_A_FIELD = ("all_fields", "valid_json")
Verdict = Literal["right", "wrong", "missing", "not asked for"]


@dataclass(frozen=True)
class WrongRow:
    """A row that a candidate did not get right; where no answer counts, ``missing`` says why."""

    example: Example
    answer: str | None
    missing: str = ""


@dataclass(frozen=True)
class FieldMark:
    """One field of a JSON answer beside the ideal one, both as text; empty where there is none."""

    name: str
    ideal: str
    answer: str
    verdict: Verdict


def wrong_rows(
    results: Results, candidate: str, examples: Sequence[Example], metric: str | None = None
) -> list[WrongRow]:
    """The rows without the full score, and those without an answer, in the rows' order.

    Args:
        results: in which the candidate was measured.
        candidate: its name.
        examples: the rows that were measured, in their order.
        metric: one that says right or wrong; the headline when None.

    Raises:
        EvaluationError: other rows than those measured, no such candidate or metric, or a metric of likeness or length.
    """
    if row_ids(examples) != results.row_ids:
        raise EvaluationError("These are not the rows that were measured.", got=f"{len(examples)} rows")
    name = metric or results.metrics[0]
    scores = results.scores(candidate, name)
    if results.scale(name) != USUAL:
        raise EvaluationError(f"{name} does not say which rows are wrong.", fix=_another_metric(results))
    reasons = _of(results, candidate)["missing"]
    rows = zip(examples, results.answers(candidate), reasons, scores, strict=True)
    return [WrongRow(row, answer, missing) for row, answer, missing, score in rows if missing or score < 1]


def _another_metric(results: Results) -> str:
    known = [name for name in results.metrics if results.scale(name) == USUAL]
    return (
        f"Name another one: metric={known[0]!r}." if known else "Measure with exact_match, or another yes-or-no metric."
    )


def field_marks(row: WrongRow) -> list[FieldMark]:
    """Every field of the ideal answer and of the candidate's, compared; empty unless both are JSON objects."""
    wanted, got = scoring.parsed(row.example.answer), scoring.parsed(row.answer or "")
    if not isinstance(wanted, dict) or not isinstance(got, dict):
        return []
    return [
        FieldMark(
            name, _spoken(wanted[name]) if name in wanted else "", _spoken(got[name]) if name in got else "",
            _verdict(name, row, wanted, got),
        )
        for name in dict.fromkeys([*wanted, *got])
    ]  # fmt: skip


def _verdict(name: str, row: WrongRow, wanted: dict, got: dict) -> Verdict:
    if name not in wanted:
        return "not asked for"
    if name not in got:
        return "missing"
    return "right" if scoring.field(name)(row.answer, row.example) == 1 else "wrong"


def confusion(results: Results, candidate: str, field: str | None = None) -> pd.DataFrame:
    """How often each label of the ideal answers (lines) was answered with which label (columns).

    The most frequent label stands first; :data:`OTHER`, :data:`INVALID` and :data:`MISSING` are the last columns, where
    there are any.

    Args:
        results: in which the candidate was measured.
        candidate: its name.
        field: the field of a JSON answer that holds the label; None: the whole answer is the label.

    Raises:
        EvaluationError: no such candidate, or no ideal answer holds one label (in that field).
    """
    rows = _of(results, candidate)
    wanted = [scoring.label_of(text, field) for text in rows["expected"]]
    _check_labels(rows["expected"], wanted, field)
    labels = [label for label, _ in Counter(filter(None, wanted)).most_common()]
    answers = zip(rows["answer"], rows["missing"], strict=True)
    got = [MISSING if missing else _answered(answer, field, labels) for answer, missing in answers]
    pairs = Counter(zip(wanted, got, strict=True))
    others = [name for name in (OTHER, INVALID, MISSING) if name in got]
    counts = [[pairs[label, answer] for answer in [*labels, *others]] for label in labels]
    names = labels if field is None else _names(labels)
    return pd.DataFrame(counts, index=pd.Index(names, name="ideal"), columns=[*names, *others])


def _answered(answer: str, field: str | None, labels: Collection[str]) -> str:
    label = scoring.label_of(answer, field)
    return INVALID if label is None else label if label in labels else OTHER


def _check_labels(expected: Sequence[str], labels: Sequence[str | None], field: str | None) -> None:
    values = [value for text in expected if isinstance(value := scoring.parsed(text), dict)]
    fields = ", ".join(dict.fromkeys(name for value in values for name in value))
    if field is None and any(len(value) != 1 for value in values):
        raise EvaluationError("The ideal answers have several fields.", got=fields, fix="Name one: field='…'.")
    if not any(labels):
        raise EvaluationError(f"No ideal answer has the field {field!r}.", got=fields or "no JSON objects")


def _names(labels: Sequence[str]) -> list[str]:
    """Labels without JSON's quotes, unless two would then be called the same (``"12"`` and ``12``)."""
    names = [_spoken(json.loads(label)) for label in labels]
    return names if len(set(names)) == len(names) else list(labels)


def field_losses(results: Results, fields: Sequence[str | Metric]) -> pd.DataFrame:
    """Which field fails, one line a candidate: each field's share of right rows, then the field that costs most rows.

    ``costs_most`` is wrong in ``wrong`` of the answered ``rows``; in ``alone`` of them it is the only wrong field, so
    that a mended field would win so many rows.

    Args:
        results: in which those fields were measured.
        fields: metrics of single fields, or their names; ``all_fields`` and ``valid_json`` are passed over.

    Raises:
        EvaluationError: no field is left, or one was not measured.
    """
    names = [name for one in fields if (name := one if isinstance(one, str) else one.name) not in NOT_A_FIELD]
    if not names:
        raise EvaluationError("No field is named.", got=", ".join(results.metrics), fix="Pass metrics of fields.")
    return pd.DataFrame([_loss(results, name, names) for name in results.candidates]).set_index("candidate")


def _loss(results: Results, candidate: str, names: Sequence[str]) -> dict[str, Any]:
    scores = pd.DataFrame({name: results.scores(candidate, name) for name in names})
    wrong = scores < 1
    most = wrong.sum().idxmax()
    alone = wrong[most] & (wrong.sum(axis=1) == 1)
    lost = int(wrong[most].sum())
    return {
        "candidate": candidate, "rows": int(scores.notna().any(axis=1).sum()), **scores.mean(),
        "costs_most": most if lost else None, "wrong": lost, "alone": int(alone.sum()),
    }  # fmt: skip


def _of(results: Results, candidate: str) -> pd.DataFrame:
    results.scores(candidate)  # refuses a name that is not there
    return results.rows[results.rows["candidate"] == candidate].sort_values("row")


def _spoken(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
