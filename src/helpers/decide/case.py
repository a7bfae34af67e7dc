"""A case: answers and measurements brought together, with the rule that a measurement beats an answer.

Measurements are told apart by their ids and compared on the same rows by the same metric only. A teaching model's
prompted scores never count as evidence about prompting, unless it must run on a device that holds nothing larger.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from helpers.decide.checklist import questions
from helpers.facts.names import TEACHING_BELOW
from helpers.formatting import percent
from helpers.records import PROMPTED, Comparison, DataSummary, Evidence, Measurement, PlateauTest

BUCKETS = ((1000, "1000_plus"), (200, "200_999"), (50, "50_199"), (10, "10_49"), (0, "under_10"))
PLATEAU = {
    "plateaued": ("plateau", "the prompts of the target model have plateaued"),
    "still rising": ("improving", "the prompts of the target model are still rising"),
}
"""State of a plateau test on a target model: the answer that it gives to the question on effort, and its words."""

USUAL_WORTH = "2"
"""The smallest gain worth having where the reader names none, in points. Training, hosting and retraining are not done
for less."""

USUAL_ROWS = 200
"""Rows to price a measurement for when nothing was measured yet: as many as the sample has."""


def _one_step_more(bucket: str) -> str:
    """The next larger bucket of rows: half of a reader's rows may stand in the splits that nothing is trained on."""
    steps = [name for _, name in BUCKETS]
    return steps[max(0, steps.index(bucket) - 1)]


def is_by_rules_alone(one: Measurement) -> bool:
    """Whether a measurement of free text looks at no question (with facts the metric is another one).

    Args:
        one: its metric is followed by the version of the rules, "all_rules (b3889780)".
    """
    return one.metric.split(" (")[0] == "all_rules"


def is_by_rules(one: Measurement) -> bool:
    """Whether a measurement is the main one of free text with rules; where no project says its task, that is lesson 7.

    Args:
        one: as for :func:`is_by_rules_alone`.
    """
    return one.headline and (is_by_rules_alone(one) or one.metric.split(" (")[0] == "rules_and_facts")


@dataclass(frozen=True)
class Lead:
    """One measurement minus another, by the same metric on the same rows, with its paired interval, in shares."""

    of: Measurement
    over: Measurement
    difference: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Case:
    """What the rules look at.

    Attributes:
        answers: what the reader answered (already checked).
        evidence: what was measured.
        today: the day on which life dates are read.
    """

    answers: Mapping[str, str]
    evidence: Evidence
    today: date

    # ------------------------------------------------------------------ answers and measurements

    @cached_property
    def measured(self) -> dict[str, tuple[str, str]]:
        """Questions that a measurement answers: id to (option, the measurement in words)."""
        found: dict[str, tuple[str, str]] = {}
        if self.data.rows is not None:
            bucket = next(name for least, name in BUCKETS if self.data.rows >= least)
            found["examples"] = (bucket, f"the data report counts {self.data.rows:,} good training rows")
        if self.data.errors:
            found["quality"] = ("mixed", f"the data report counts {self.data.errors:,} errors")
        if self.prompted:
            found["evaluation"] = ("fixed_set", "prompts were scored on a fixed split")
            if self.answers.get("effort", "none") == "none":
                tries = len({one.candidate for one in self.prompted})  # each once, on however many rows
                found["effort"] = ("days", "1 prompt was scored" if tries == 1 else f"{tries:,} prompts were scored")
        if self.targets:
            best = self.best_target
            found["models_tried"] = ("measured", f"{best.model} was prompted and scored {percent(best.score)}")
        if self.plateau in PLATEAU:
            found["effort"] = PLATEAU[self.plateau]
        return found

    @cached_property
    def effective(self) -> dict[str, str]:
        """Answers after measurements have had their say; the smallest gain worth having need not be answered."""
        return {"worth": USUAL_WORTH, **self.answers, **{name: value for name, (value, _) in self.measured.items()}}

    def says(self, question: str, *options: str) -> bool:
        """Whether the effective answer to ``question`` is one of ``options``.

        Args:
            question: its id.
            options: values of that question's options.
        """
        return self.effective.get(question) in options

    def knows(self, question: str) -> bool:
        return question in self.effective

    @cached_property
    def disagreements(self) -> list[str]:
        """Where an answer and a measurement differ: both, in one sentence each."""
        found = []
        for name, (value, words) in self.measured.items():
            answer = self.answers.get(name)
            if answer is None or answer == value or (name == "effort" and answer == "none"):
                continue
            if name == "examples" and answer == _one_step_more(value):
                continue
            option = questions()[name].option(answer)
            found.append(f"You answered that {option.says}, but {words}. The measurement counts.")
        return found

    @property
    def worth(self) -> float:
        """The smallest gain worth having, as a share."""
        return int(self.effective["worth"]) / 100

    @cached_property
    def device_holds(self) -> float | None:
        """Billions of parameters that the device holds on which the model must run; None: any model may be used."""
        answer = self.answers.get("latency")
        return questions()["latency"].option(answer).holds if answer else None

    # ------------------------------------------------------------------ which measurements count, and as what

    @cached_property
    def deciding(self) -> list[Measurement]:
        """Measurements by one metric, a share of right rows that runs were about: the one by which both tuned and
        prompted models were measured, if there is such a one; of several, the newest."""
        roles: dict[str, set[str]] = {}
        for one in self._shares:
            roles.setdefault(one.metric, set()).add(self.counts_as(one))
        newest = {one.metric: at for at, one in enumerate(self._shares)}
        metric = max(
            newest,
            key=lambda name: ({"target", "tuned"} <= roles[name], "target" in roles[name], newest[name]),
            default="",
        )
        return [one for one in self._shares if one.metric == metric]

    @cached_property
    def _shares(self) -> list[Measurement]:
        return [m for m in self.evidence.measurements if m.unit == "share" and m.better == "higher" and m.headline]

    def counts_as(self, one: Measurement) -> str:
        """The role of a measurement for this decision; empty when it has none.

        Under one billion parameters a prompted model is never a target, whoever called it one. On a device that holds
        nothing larger it is one for that device, and models that do not fit have no part in the decision. Without a
        language model free text is another row's, which keeps every rule and answers nothing.
        """
        if one.role == "no language model":
            return "" if is_by_rules_alone(one) else one.role
        if self.device_holds is not None:
            fits = one.parameters is not None and one.parameters <= self.device_holds
            return "" if not fits else "target" if one.role in PROMPTED else one.role
        if one.role == "target" and one.parameters is not None and one.parameters < TEACHING_BELOW:
            return "teaching"
        return one.role

    def _counting_as(self, *roles: str) -> list[Measurement]:
        return [m for m in self.deciding if self.counts_as(m) in roles]

    @cached_property
    def prompted(self) -> list[Measurement]:
        return self._counting_as(*PROMPTED)

    @cached_property
    def teaching(self) -> list[Measurement]:
        return self._counting_as("teaching")

    @cached_property
    def targets(self) -> list[Measurement]:
        return self._counting_as("target")

    @cached_property
    def tuned(self) -> list[Measurement]:
        return self._counting_as("tuned")

    @cached_property
    def code(self) -> list[Measurement]:
        """Rivals without a language model."""
        return self._counting_as("no language model")

    # ------------------------------------------------------------------ one set of rows to decide on

    @cached_property
    def rows(self) -> str | None:
        """Hash of the rows on which the decision is made: those that a tuned model and a target answered, if there are
        any; else those of a target, of any prompt, of anything. Of several, test rows, then the most, then the newest.
        """
        of_targets, of_tuned = {m.rows for m in self.targets if m.rows}, {m.rows for m in self.tuned if m.rows}
        everything = [{m.rows for m in self.targets}, {m.rows for m in self.prompted}, {m.rows for m in self.deciding}]
        for wanted in (of_targets & of_tuned, of_targets, *everything):
            places = [(m.split == "test", m.n, at) for at, m in enumerate(self.deciding) if m.rows in wanted]
            if places:
                return self.deciding[max(places)[2]].rows
        return None

    def _here(self, some: Iterable[Measurement]) -> list[Measurement]:
        return [one for one in some if one.rows == self.rows]

    @cached_property
    def best_target(self) -> Measurement:
        """The best prompted target on the rows that decide; there must be one."""
        return max(self._here(self.targets), key=lambda one: one.score)

    @cached_property
    def best_code(self) -> Measurement | None:
        """The best rival without a language model, on the rows that decide if it was measured there."""
        return max(self._here(self.code) or self.code, key=lambda one: one.score, default=None)

    @cached_property
    def judged(self) -> Measurement | None:
        """The tuned model that is judged: of each base's newest run the middle one of its seeds, of these the best."""
        newest: dict[tuple[str, str], list[Measurement]] = {}
        for one in self._here(self.tuned):
            run = newest.setdefault((one.host, one.base), [])
            if run and run[-1].openings != one.openings:  # a later look at these rows: another version, no other seed
                run.clear()
            run.append(one)
        middles = []
        for seeds in newest.values():
            middle = statistics.median_low([one.score for one in seeds])
            middles.append(next(one for one in seeds if one.score == middle))
        return max(middles, key=lambda one: one.score, default=None)

    @cached_property
    def _pairs(self) -> dict[tuple[str, str], Comparison]:
        return {(c.a_id, c.b_id): c for c in self.evidence.comparisons}

    def lead_of(self, one: Measurement, over: Measurement) -> Lead | None:
        """One against the other, or None where they were not compared on the same rows.

        Args:
            one: a measurement.
            over: the one that it is compared with, on the same rows by the same metric.
        """
        if found := self._pairs.get((one.id, over.id)):
            ends = (found.difference, found.low, found.high)
        elif found := self._pairs.get((over.id, one.id)):
            ends = (-found.difference, -found.high, -found.low)
        else:
            return None
        return Lead(one, over, *(round(end, 6) for end in ends), found.n)  # 188 - 168 of 200 rows are ten points

    def _least_lead(self, rivals: Iterable[Measurement]) -> Lead | None:
        if self.judged is None:
            return None
        leads = filter(None, (self.lead_of(self.judged, rival) for rival in self._here(rivals)))
        return min(leads, key=lambda lead: lead.difference, default=None)

    @cached_property
    def lead(self) -> Lead | None:
        """Tuned against the prompted target that it beats least, or None when no such pair was measured."""
        return self._least_lead(self.targets)

    @cached_property
    def lead_over_code(self) -> Lead | None:
        """Tuned against the rival without a language model that it beats least."""
        return self._least_lead(self.code)

    @cached_property
    def code_against_target(self) -> Lead | None:
        """The best rival without a language model against the best prompted target, on the rows that decide."""
        if not self.targets or self.best_code is None:
            return None
        return self.lead_of(self.best_code, self.best_target)

    @cached_property
    def on_other_rows(self) -> Measurement | None:
        """A tuned model that was measured, but on rows that no target answered, or by another metric; None when that is
        not so."""
        if not self.targets or self.judged is not None:
            return None
        tuned = [one for one in self._shares if self.counts_as(one) == "tuned"]
        return max(tuned, key=lambda one: (one.split == "test", one.n), default=None)

    @cached_property
    def rival_elsewhere(self) -> Measurement | None:
        """A target that did not answer the rows on which the tuned model is judged, and might beat it there; none where
        the tuned model has lost already."""
        if self.judged is None or not self.targets or (self.lead is not None and self.lead.high < 0):
            return None
        here = {(one.host, one.model) for one in self._here(self.targets)}
        others = [m for m in self.targets if (m.host, m.model) not in here and m.high >= self.judged.score]
        return max(others, key=lambda one: one.score, default=None)

    @cached_property
    def parts_for_code(self) -> list[Lead]:
        """Metrics other than the deciding one (the fields of an answer) in which a rival without a language model beats
        the best prompted target."""
        if not self.targets:
            return []
        without_a_model = [m for m in self.evidence.measurements if m.role == "no language model"]
        found = []
        for other in self.evidence.measurements:
            if other.candidate != self.best_target.candidate or other.rows != self.best_target.rows or other.headline:
                continue
            leads = filter(None, (self.lead_of(rival, other) for rival in without_a_model))
            found += [lead for lead in leads if lead.low > 0]
        return found

    # ------------------------------------------------------------------ what a record shows

    def shown(self) -> list[tuple[Measurement, str]]:
        """Each run's main metric, and what the measurement counts as in this decision, in words."""
        device = self.device_holds is not None
        words = {"teaching": "teaching only", "target": "target for that device" if device else "target",
                 "": "no part: it does not fit the device, or its size is not known"}  # fmt: skip
        copied = words | {"": "no part: it repeats a training text, which is about another row"}
        roles = ((one, self.counts_as(one)) for one in self.evidence.measurements if one.headline)
        return [(one, (copied if one.role == "no language model" else words).get(role, role)) for one, role in roles]

    # ------------------------------------------------------------------ the rest of the evidence

    @cached_property
    def plateau_test(self) -> PlateauTest | None:
        """The newest plateau test of the best target's prompts."""
        if not self.targets:
            return None
        best = self.best_target
        tests = [t for t in self.evidence.plateaus
                 if (t.host, t.model, t.metric) == (best.host, best.model, best.metric)]  # fmt: skip
        return tests[-1] if tests else None

    @property
    def plateau(self) -> str:
        """State of that test; empty when there is none."""
        return self.plateau_test.state if self.plateau_test else ""

    @property
    def data(self) -> DataSummary:
        return self.evidence.data or DataSummary()

    @cached_property
    def cheaper(self) -> float | None:
        """Probability that tuning is cheaper, or None when the sums were not done."""
        return self.evidence.cost.probability if self.evidence.cost else None

    @property
    def rows_measured(self) -> int:
        """Rows of the largest prompt score; 200, as in the sample, when there is none."""
        return max((one.n for one in self.prompted), default=USUAL_ROWS)

    @property
    def rows_to_choose_by(self) -> int:
        """The same without test rows, on which no prompt is chosen, where prompts were scored on others."""
        return max((one.n for one in self.prompted if one.split != "test"), default=self.rows_measured)

    @cached_property
    def ladder(self) -> tuple[Measurement, ...]:
        """One model's prompts on the same rows, which are no test rows: of several such ladders the longest, then the
        one on the most rows."""
        ladders: dict[tuple[str, str, str], list[Measurement]] = {}
        for one in self.prompted:
            if one.split != "test":
                ladders.setdefault((one.host, one.model, one.rows), []).append(one)
        return tuple(max(ladders.values(), key=lambda rungs: (len(rungs), rungs[0].n), default=()))

    @property
    def unused_rows(self) -> int:
        """Validation rows that no target was asked about; 0 where that is not known."""
        asked = max((one.n for one in self.targets if one.split != "test"), default=0)
        return max(0, (self.data.validation or 0) - asked)
