"""What was measured: one line an answer, one line a candidate, and the comparisons between them.

One class, a table and what is asked of it; so it stays whole, though the file has more than 350 lines.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from helpers import facts, statistics
from helpers.errors import EvaluationError
from helpers.evaluate import metrics as scoring
from helpers.evaluate.results import stored
from helpers.evaluate.results.rows import COUNTS, TEXTS, row_ids, rows_hash
from helpers.facts.names import base_of
from helpers.formatting import plural
from helpers.records import PROMPTED, Better, Comparison, Example, Measurement

USUAL: tuple[str, Better] = ("share", "higher")
"""Unit and direction of most metrics: a share of rows that are right."""
MAX_REASONS = 3
"""Reasons for missing answers that a sentence names."""


@dataclass
class Results:
    """Answers and scores of some candidates on some rows.

    Attributes:
        rows: a DataFrame, one line an answer: ``candidate``, ``row`` (0-based place of the example), ``answer`` (None
            when missing), ``expected``, ``missing`` (the reason, or empty), ``finish_reason``, one column a metric
            (``nan`` when missing or not applicable), ``prompt_tokens``, ``completion_tokens``, ``cached_tokens``,
            ``seconds`` and ``usd`` of the call, ``confidence`` (0 to 1, of those that say how sure they are).
        candidates: name → ``id`` (a hash of host, model, prompt and decoding), ``model``, ``host``, ``role`` (see
            ``records.Role``), ``known_by`` (how the role is known), ``parameters`` (billions, or None), and where there
            is a prompt its hash, ``prompt``, and ``tries``, how many prompts it is the best of; of a cascade
            ``handed_on``, the share of rows that went to its second part; ``at_once``, how many calls were under way
            together at most, which a host's seconds depend on.
        metrics: names of the metrics; the first one is the headline.
        split: what the rows were called: "validation", "test" …
        row_ids: a hash an example, so that only scores of the very same rows are ever compared.
        openings: how often new answers were asked for on these rows under this split's name.
        notes: what a reader of the table must know.
        scales: metric → its unit and the direction that is better, where that is not a share of which more is better.
        versions: metric → its version, of those that have one (see ``metrics.Metric``).
    """

    rows: pd.DataFrame
    candidates: dict[str, dict[str, Any]]
    metrics: list[str]
    split: str
    row_ids: list[str]
    openings: int = 0
    notes: list[str] = field(default_factory=list)
    scales: dict[str, tuple[str, Better]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    # --- reading ---

    def scores(self, candidate: str, metric: str | None = None) -> np.ndarray:
        """One score a row, in the rows' order; ``nan`` where there is none.

        Args:
            candidate: its name.
            metric: None: the headline.
        """
        return self._of(candidate)[self._metric(metric)].to_numpy(dtype=float)

    def answers(self, candidate: str) -> list[str | None]:
        """One answer a row, in the rows' order; None where there is none."""
        return [None if pd.isna(answer) else answer for answer in self._of(candidate)["answer"]]

    def table(self, metric: str | None = None, level: float = 0.95) -> pd.DataFrame:
        """One line a candidate.

        ``score`` is the mean of ``metric`` over the ``rows`` answered, with ``low`` to ``high`` (Wilson for
        right/wrong, bootstrap otherwise); then the means of the other metrics; ``missing`` answers; answers ``cut_off``
        at ``max_tokens``; mean tokens a call, median seconds a call, USD for 1,000 calls; where there is a cascade, the
        share of rows ``handed_on``.

        Args:
            metric: None: the headline.
            level: confidence of the intervals.
        """
        headline = self._metric(metric)
        return pd.DataFrame([self._line(name, headline, level) for name in self.candidates]).set_index("candidate")

    def _line(self, name: str, headline: str, level: float) -> dict[str, Any]:
        rows, about = self._of(name), self.candidates[name]
        score = statistics.score_interval(rows[headline].to_numpy(dtype=float), level=level)
        return {
            "candidate": name,
            "model": about["model"],
            "role": about["role"],
            "rows": int(rows[headline].notna().sum()),
            "score": score.value,
            "low": score.low,
            "high": score.high,
            **{other: rows[other].mean() for other in self.metrics if other != headline},
            "missing": int((rows["missing"] != "").sum()),
            "cut_off": int((rows["finish_reason"] == "length").sum()),
            "prompt_tokens": rows["prompt_tokens"].mean(),
            "cached_tokens": rows["cached_tokens"].mean(),
            "completion_tokens": rows["completion_tokens"].mean(),
            "seconds": rows["seconds"].median(),
            "usd_per_1000": rows["usd"].mean() * 1000,
            **({"handed_on": about["handed_on"]} if "handed_on" in about else {}),
        }

    def missing(self) -> pd.Series:
        """How many answers are missing, by candidate and reason."""
        gone = self.rows[self.rows["missing"] != ""]
        return gone.groupby(["candidate", "missing"], sort=False).size().rename("answers")

    @property
    def decides(self) -> bool:
        """Whether the headline says which rows are right: only then is it evidence, or worth a chart of scores."""
        return self.scale()[0] == USUAL[0]

    def why_nothing(self, candidates: Sequence[str] | None = None) -> str:
        """Why not a single answer came, its reasons grouped; empty when at least one did.

        Args:
            candidates: whose answers; None: everybody's.
        """
        rows = self.rows if candidates is None else self.rows[self.rows["candidate"].isin(candidates)]
        if (rows["missing"] == "").any() or rows.empty:
            return ""
        reasons = rows["missing"].value_counts()
        said = "; ".join(f"{plural(count, 'time')}: {reason}" for reason, count in reasons.head(MAX_REASONS).items())
        more = f"; {len(reasons) - MAX_REASONS} more reasons" * (len(reasons) > MAX_REASONS)
        return f"None of the {len(rows)} prompts was answered. {said}{more}."

    def answered(self) -> str:
        """How many answers came, as a phrase for a caption: candidates that lack some, or were cut off, are named."""
        total, short = len(self.row_ids), []
        for name, line in self.table().iterrows():
            if line["missing"]:
                short.append(f"{name}: {total - line['missing']} of {total} answered")
            if line["cut_off"]:
                short.append(f"{name}: {line['cut_off']} of {total} cut off")
        return f"{total} {self.split} rows, {'; '.join(short) or 'all answered by all'}"

    def macro_f1(self, candidate: str, field: str | None = None, level: float = 0.95) -> statistics.Estimate:
        """F1 averaged over the labels of the ideal answers, over the answered rows: see :func:`metrics.macro_f1`.

        Args:
            candidate: its name.
            field: the field of a JSON answer that holds the label; None: the whole answer is the label.
            level: confidence of the interval.
        """
        rows = self._of(candidate)
        rows = rows[rows["missing"] == ""]
        return scoring.macro_f1(rows["answer"].tolist(), rows["expected"].tolist(), field, level)

    def label_table(self, field: str | None = None) -> pd.DataFrame:
        """One line a candidate: ``accuracy`` of the label and its ``macro_f1`` with ``low`` to ``high``.

        The two part ways when labels are uneven: always giving the most frequent one is often right, and its macro-F1
        is poor.

        Args:
            field: the field of a JSON answer that holds the label; None: the whole answer is the label.
        """
        lines = []
        for name in self.candidates:
            rows = self._of(name)
            rows = rows[rows["missing"] == ""]
            pairs = zip(rows["answer"], rows["expected"], strict=True)
            right = [scoring.label_of(answer, field) == scoring.label_of(wanted, field) for answer, wanted in pairs]
            f1 = self.macro_f1(name, field)
            accuracy = float(np.mean(right)) if right else math.nan
            lines.append(
                {"candidate": name, "accuracy": accuracy, "macro_f1": f1.value, "low": f1.low, "high": f1.high}
            )
        return pd.DataFrame(lines).set_index("candidate")

    def winner(self, metric: str | None = None) -> str:
        """The prompted candidate with the best score; of equals the one tried first.

        Raises:
            EvaluationError: no prompted candidate has a score.
        """
        means = {name: np.nanmean(s) for name, s in self.history(metric=metric).items() if not np.isnan(s).all()}
        if not means:
            raise EvaluationError("No prompted candidate has a score.", fix="Measure some prompts first.")
        return max(means, key=lambda name: means[name])

    def pairs(
        self, a: str, b: str, examples: Sequence[Example], most: int = 12
    ) -> tuple[list[Example], list[str], list[str]]:
        """Rows on which the two gave different answers, with *a*'s and *b*'s answers: what a rater or judge is shown.

        Args:
            a: one candidate's name.
            b: the other's.
            examples: the rows that were measured, in their order.
            most: how many rows at most, taken evenly over the file.

        Raises:
            EvaluationError: other rows than those measured, or none with two different answers.
        """
        if row_ids(examples) != self.row_ids:
            raise EvaluationError("These are not the rows that were measured.", got=f"{len(examples)} rows")
        answers = zip(examples, self.answers(a), self.answers(b), strict=True)
        found = [(row, x, y) for row, x, y in answers if None not in (x, y) and x.strip() != y.strip()]
        if not found:
            raise EvaluationError(f"{a} and {b} gave no two different answers to the same row.")
        chosen = [found[i] for i in np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int)]
        rows, of_a, of_b = zip(*chosen, strict=True)
        return list(rows), list(of_a), list(of_b)

    # --- comparing ---

    def compare(
        self, a: str, b: str, metric: str | None = None, *, clusters: Sequence[Hashable] | None = None,
        level: float = 0.95,
    ) -> Comparison:  # fmt: skip
        """*a* against *b* on the rows that both answered.

        Args:
            a: one candidate's name.
            b: the other's.
            metric: None: the headline.
            clusters: a label a row; rows with one label (one customer, one document) count as one draw.
            level: confidence of the interval.
        """
        name = self._metric(metric)
        unit, better = self.scale(name)
        return statistics.compare(
            self.scores(a, name), self.scores(b, name), a=a, b=b, metric=name, unit=unit, better=better,
            clusters=clusters, level=level,
        )  # fmt: skip

    def compare_all(
        self, reference: str, metric: str | None = None, *, clusters: Sequence[Hashable] | None = None,
        level: float = 0.95,
    ) -> list[Comparison]:  # fmt: skip
        """``reference`` against every other candidate that answered two of its rows or more, with Holm's correction.

        Args:
            reference: the name of the candidate that all others are compared with.
            metric: None: the headline.
            clusters: a label a row; rows with one label (one customer, one document) count as one draw.
            level: confidence of the intervals.
        """
        name = self._metric(metric)
        scores = {candidate: self.scores(candidate, name) for candidate in self.candidates}
        own = ~np.isnan(self.scores(reference, name))
        scores = {who: s for who, s in scores.items() if who == reference or (own & ~np.isnan(s)).sum() >= 2}
        unit, better = self.scale(name)
        return statistics.compare_many(
            scores, reference, metric=name, unit=unit, better=better, clusters=clusters, level=level
        )

    def history(self, names: Sequence[str] | None = None, metric: str | None = None) -> dict[str, np.ndarray]:
        """Scores by candidate in the order tried, as ``plateau`` wants them; by default all prompted candidates.

        A cascade is no prompt that was tried, though a prompted model answers a part of its rows.

        Args:
            names: which candidates, in this order; all prompted ones by default.
            metric: None: the headline.
        """
        prompted = [n for n, about in self.candidates.items() if about["role"] in PROMPTED and "handed_on" not in about]
        return {name: self.scores(name, metric) for name in names or prompted}

    def tries(self) -> dict[str, int]:
        """How many prompts stand behind each of :meth:`history`: more than one where a search found the prompt."""
        return {name: self.candidates[name].get("tries", 1) for name in self.history()}

    def scale(self, metric: str | None = None) -> tuple[str, Better]:
        """Unit of a metric and the direction that is better."""
        return self.scales.get(self._metric(metric), USUAL)

    def measure(self, metric: str | None = None) -> str:
        """What evidence calls a metric: by its name and its version, so that other rules are another measure."""
        name = self._metric(metric)
        return f"{name} ({self.versions[name]})" if name in self.versions else name

    def measurements(self) -> tuple[Measurement, ...]:
        """What was measured, as evidence: one record a candidate and metric that has a score."""
        day, rows = facts.today().isoformat(), rows_hash(self.row_ids)
        found = []
        for metric in self.metrics:
            unit, better = self.scale(metric)
            for name, about in self.candidates.items():
                scores = self.scores(name, metric)
                score = statistics.score_interval(scores)
                if np.isnan(score.low):  # nothing was answered, or one row without an interval
                    continue
                found.append(
                    Measurement(
                        candidate=about["id"], name=name, model=about["model"], host=about["host"], role=about["role"],
                        known_by=about["known_by"], metric=self.measure(metric), split=self.split, rows=rows,
                        n=int((~np.isnan(scores)).sum()), score=score.value, low=score.low, high=score.high, day=day,
                        unit=unit, better=better, headline=metric == self.metrics[0], parameters=about["parameters"],
                        base=base_of(about["model"]) if about["role"] == "tuned" else "",
                        openings=self.openings, prompt_tokens=self._mean(name, "prompt_tokens"),
                        answer_tokens=self._mean(name, "completion_tokens"),
                    )
                )  # fmt: skip
        return tuple(found)

    # --- keeping ---

    def merge(self, other: Results) -> Results:
        """Both together. Where both hold a candidate, the other's is taken.

        Raises:
            EvaluationError: they were measured on different rows or splits, or by other rules under one name.
        """
        if self.row_ids != other.row_ids or self.split != other.split:
            raise EvaluationError(
                "Results on different rows cannot be compared.",
                got=f"{len(self.row_ids)} {self.split} rows and {len(other.row_ids)} {other.split} rows",
                fix="Measure all candidates on the same examples and split.",
            )
        if other_rules := [n for n in self.metrics if n in other.metrics and self.measure(n) != other.measure(n)]:
            raise EvaluationError(
                "Results by different rules cannot be compared.",
                got=", ".join(other_rules),
                fix="Measure all candidates again: stored answers are only scored again.",
            )
        mine = self.rows[~self.rows["candidate"].isin(list(other.candidates))]
        names = list(dict.fromkeys([*self.metrics, *other.metrics]))
        rows = pd.concat([mine, other.rows], ignore_index=True)
        rows = rows[[*TEXTS[:1], "row", *TEXTS[1:], *names, *COUNTS]]
        notes = list(dict.fromkeys([*self.notes, *other.notes]))
        return Results(
            rows, self.candidates | other.candidates, names, self.split, self.row_ids,
            max(self.openings, other.openings), notes, self.scales | other.scales,
            self.versions | other.versions,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """A JSON value for the project file. It holds answers and ideal answers, never the questions."""
        rows = json.loads(self.rows.to_json(orient="split", index=False, double_precision=15))
        return {
            "rows": rows, "candidates": self.candidates, "metrics": self.metrics, "split": self.split,
            "row_ids": self.row_ids, "openings": self.openings, "notes": self.notes, "scales": self.scales,
            "versions": self.versions,
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Results:
        """The results that :meth:`to_json` gave.

        Raises:
            EvaluationError: the value is something else.
        """
        return cls(**stored.read(value))

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return self.table().to_html(float_format="{:.3g}".format) + (f"<ul>{notes}</ul>" if notes else "")

    # --- small parts ---

    def _of(self, candidate: str) -> pd.DataFrame:
        if candidate not in self.candidates:
            raise EvaluationError(
                f"There is no candidate {candidate!r} in these results.", got=", ".join(self.candidates)
            )
        return self.rows[self.rows["candidate"] == candidate].sort_values("row")

    def _mean(self, candidate: str, count: str) -> float | None:
        """Mean of a column of counts over a candidate's calls, to a tenth; None where nothing was counted."""
        mean = self._of(candidate)[count].mean()
        return None if math.isnan(mean) else round(float(mean), 1)

    def _metric(self, metric: str | None) -> str:
        if metric is not None and metric not in self.metrics:
            raise EvaluationError(f"There is no metric {metric!r} in these results.", got=", ".join(self.metrics))
        return metric or self.metrics[0]
