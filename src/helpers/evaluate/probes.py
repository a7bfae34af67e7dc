"""What did tuning break? The same small set of other questions, before and after."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pandas as pd

from helpers.errors import EvaluationError
from helpers.evaluate.metrics import Metric
from helpers.evaluate.metrics.text_rules import broken, check_rules
from helpers.evaluate.results.results import Results
from helpers.evaluate.runs.runner import run as run_candidates
from helpers.records import Candidate, Comparison, Example

PROBES = Path(__file__).resolve().parents[3] / "data" / "sample" / "probes" / "probes.jsonl"

kept = Metric("kept", lambda answer, example: float(not broken(example.extra["rules"], answer)))
"""1 when an answer keeps all rules of its probe, else 0."""


def load(path: Path | str = PROBES) -> list[Example]:
    """The probes: each example's ``extra`` holds its ``id``, ``kind`` and ``rules``.

    Raises:
        EvaluationError: a file that cannot be read, or a probe without kind, question, answer or usable rules.
    """
    probes = []
    try:
        for line, text in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
            row = json.loads(text)
            extra = {"id": row["id"], "kind": row["kind"], "rules": check_rules(row["rules"])}
            probes.append(Example(tuple(row["messages"]), extra=extra, line=line))
    except (OSError, ValueError, KeyError, TypeError, EvaluationError) as error:
        raise EvaluationError(
            f"The probes in {path} cannot be used (line {len(probes) + 1}).", got=f"{type(error).__name__}: {error}"
        ) from error
    return probes


def run(
    client: openai.OpenAI, before: Candidate, after: Candidate, *, store: Path | str,
    probes: Sequence[Example] | None = None, **options: Any,
) -> Results:  # fmt: skip
    """Ask both models all probes; both candidates should have no instructions and about 100 ``max_tokens``.

    Args:
        client: from ``helpers.providers.connect``.
        before: the model before the step.
        after: the model after it.
        store: file of the answer store: what is in it is not asked again.
        probes: questions that both should still answer; the kit's own by default.
        options: as in ``evaluate.run``.
    """
    return run_candidates(client, [before, after], probes or load(), [kept], store=store, split="probes", **options)


@dataclass(frozen=True)
class Damage:
    """Before and after.

    Attributes:
        comparison: after against before over all probes, with its sentence.
        table: a DataFrame, one line a kind: ``probes``, ``before`` and ``after`` (probes answered well), ``lost``,
            ``gained``.
        lost: the probes that were answered well before and not after: ``id``, ``kind``, ``question``, ``before``,
            ``after``.
        changed: share of all probes whose answer is another text than before.
        sentence: whether the tuning does anything at all, and what it broke.
    """

    comparison: Comparison
    table: pd.DataFrame
    lost: pd.DataFrame
    changed: float
    sentence: str


def damage(results: Results, before: str, after: str, probes: Sequence[Example] | None = None) -> Damage:
    """What the step from ``before`` to ``after`` broke, from the results of :func:`run`.

    Args:
        results: from :func:`run`.
        before: that candidate's name.
        after: the other's.
        probes: those that were asked; the kit's own by default.

    Raises:
        EvaluationError: the results are of other probes, or lack a candidate.
    """
    probes = list(probes or load())
    if len(probes) != len(results.row_ids):
        raise EvaluationError(
            "The results are not of these probes.", got=f"{len(results.row_ids)} rows for {len(probes)} probes"
        )
    rows = pd.DataFrame(
        {
            "id": [probe.extra["id"] for probe in probes],
            "kind": [probe.extra["kind"] for probe in probes],
            "question": [probe.question for probe in probes],
            "before": results.answers(before),
            "after": results.answers(after),
            "kept_before": results.scores(before, kept.name),
            "kept_after": results.scores(after, kept.name),
        }
    ).dropna(subset=["kept_before", "kept_after"])
    is_lost, is_gained = rows.kept_before > rows.kept_after, rows.kept_before < rows.kept_after
    by_kind = rows.assign(lost=is_lost, gained=is_gained).groupby("kind", sort=False)
    table = by_kind.agg(
        probes=("id", "size"), before=("kept_before", "sum"), after=("kept_after", "sum"), lost=("lost", "sum"),
        gained=("gained", "sum"),
    ).astype(int)  # fmt: skip
    comparison = results.compare(after, before, kept.name)
    changed = _changed(rows["before"], rows["after"])
    lost = rows.loc[is_lost, ["id", "kind", "question", "before", "after"]].reset_index(drop=True)
    return Damage(comparison, table, lost, changed, f"{_effect(changed, len(rows))} {comparison.sentence}")


def adapter_effect(results: Results, base: str, tuned: str) -> str:
    """Is the adapter doing anything? Says how many answers differ from the base model's **on the same prompt**.

    Both candidates must send the same messages, or the prompt's effect is taken for the tuning's.

    Args:
        results: in which both were measured.
        base: that candidate's name.
        tuned: the other's.

    Raises:
        EvaluationError: no row that both answered.
    """
    both = pd.DataFrame({"base": results.answers(base), "tuned": results.answers(tuned)}).dropna()
    if both.empty:
        raise EvaluationError("No row was answered by both.", fix="Measure more rows.")
    return _effect(_changed(both["base"], both["tuned"]), len(both))


def _changed(before: pd.Series, after: pd.Series) -> float:
    return float((before.str.strip() != after.str.strip()).mean())


def _effect(changed: float, rows: int) -> str:
    count = round(changed * rows)
    if count == 0:
        return (
            f"The tuned model gave the base model's answer on each of {rows} prompts: the tuning does nothing. Check "
            "that the tuned model's own id was asked, and that its training loss fell."
        )
    return f"The tuning does something: {count} of {rows} answers to the same prompts differ from before."
