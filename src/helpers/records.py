"""The nouns that the rooms hand to each other: small frozen dataclasses without behaviour of their own.

Anything that only one room needs stays in that room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["teaching", "target", "tuned", "no language model"]
"""What a score says about a reader's real options. It follows from what is known of the model (``providers.models``):

* "teaching": a prompted model under one billion parameters, or one that nothing is known of. It teaches mechanics; its
  scores are never evidence that prompting has lost;
* "target": a prompted model that the reader could really use;
* "tuned": a model that was fine-tuned on this task;
* "no language model": a classifier, a pattern, plain code.
"""

Better = Literal["higher", "lower", "neither"]
"""Which direction of a metric is better; "neither" for one that only describes (an answer's length)."""

PROMPTED = ("teaching", "target")
"""The roles of a model that was only prompted."""


@dataclass(frozen=True)
class Example:
    """One input and its ideal output, in chat shape.

    Attributes:
        messages: chat messages as dictionaries; the last one is the assistant's ideal answer.
        tools: tool schemas that the row declares, if any.
        extra: the row's other columns (label, group, id …), untouched.
        line: 1-based line of the file that it came from; 0 when it came from memory.
    """

    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0

    @property
    def prompt(self) -> tuple[Mapping[str, Any], ...]:
        """All messages before the final ideal answer."""
        return self.messages[:-1]

    @property
    def question(self) -> str:
        """Text of the last user message; empty when there is none."""
        return next((str(m["content"]) for m in reversed(self.messages) if m.get("role") == "user"), "")

    @property
    def answer(self) -> str:
        """Text of the ideal answer; empty when it has none (a tool call)."""
        return str(self.messages[-1].get("content") or "") if self.messages else ""


@dataclass(frozen=True)
class Candidate:
    """One rival: a prompt and a model.

    Attributes:
        name: what tables and charts call it.
        model: the model's id at the host.
        system: instructions sent as the system message; empty sends none.
        shots: worked examples placed before the question, as question/answer turns.
        nearest: how many shots to pick per question from ``pool`` by similarity (0: none).
        pool: rows to pick nearest shots from: the training rows, never test rows.
        schema: JSON schema that constrains the answer, or None.
        temperature: 0 is greedy.
        max_tokens: cap on the answer's length, in tokens.
        tuned: whether the model was fine-tuned on this task.
        declared: what the reader says that the model is, "target" or "teaching". It counts only for a model that
            nothing is known of: see :data:`Role`.
        tries: how many prompts this one is the best of, where a search found it on training rows.
    """

    name: str
    model: str
    system: str = ""
    shots: tuple[Example, ...] = ()
    nearest: int = 0
    pool: tuple[Example, ...] = ()
    schema: Mapping[str, Any] | None = None
    temperature: float = 0.0
    max_tokens: int = 64
    tuned: bool = False
    declared: Literal["", "teaching", "target"] = ""
    tries: int = 1


@dataclass(frozen=True)
class Measurement:
    """One candidate, one metric, named rows: the unit of evidence. Nothing is joined by ``name``: that is for readers.

    Attributes:
        candidate: id of the candidate: a hash of host, model, prompt and decoding. Empty where an older kit kept none.
        name: what tables and charts call it.
        model: the model's id at the host; for plain code, what it is.
        host: where it answers: a name of ``providers.hosts()``, an address, or "this notebook" for plain code.
        role: see :data:`Role`.
        known_by: how the role is known, in words: "its name says 8 billion parameters", "declared by you".
        metric: name of the metric; of one with rules a hash of these, too: other rules are another measure.
        split: what the rows were called: "validation", "test" …
        rows: hash of the rows, in any order. Empty where an older kit kept none.
        n: rows that were answered.
        score, low, high: mean over these rows with its 95 % interval, in ``unit``.
        day: ISO date of the measurement.
        unit: "share" (0 to 1), "likeness" (0 to 1, no reason for a decision), or the unit of the number ("words", "s").
        better: which direction is better.
        headline: whether this is the metric that its run was about.
        parameters: of the model, in billions; None where that is not known.
        base: of a tuned model, what it was tuned from.
        openings: how often new answers had been asked for on these rows by then, when they were called "test".
        prompt_tokens, answer_tokens: of a prompt and of an answer, mean over the calls; None where nobody counted.
    """

    candidate: str
    name: str
    model: str
    host: str
    role: Role
    known_by: str
    metric: str
    split: str
    rows: str
    n: int
    score: float
    low: float
    high: float
    day: str
    unit: str = "share"
    better: Better = "higher"
    headline: bool = True
    parameters: float | None = None
    base: str = ""
    openings: int = 0
    prompt_tokens: float | None = None
    answer_tokens: float | None = None

    @property
    def id(self) -> str:
        """Which measurement this is: candidate, rows and metric."""
        return f"{self.candidate}/{self.rows}/{self.metric}"


@dataclass(frozen=True)
class Comparison:
    """Two candidates on the same rows.

    ``difference`` is *a* minus *b* in the metric's own unit (a share of rows for right/wrong metrics), with the paired
    interval ``low`` to ``high`` at ``level``. ``sentence`` says it in words, "these rows cannot tell" included.
    ``unit`` and ``better`` are those of :class:`Measurement`. ``a`` and ``b`` are names for readers; ``a_id`` and
    ``b_id`` are the ids of the two measurements, empty for a comparison that is no evidence (of two seeds, of
    agreements).
    """

    a: str
    b: str
    metric: str
    n: int
    score_a: float
    score_b: float
    difference: float
    low: float
    high: float
    level: float
    p_value: float
    sentence: str
    unit: str = "share"
    better: Better = "higher"
    a_id: str = ""
    b_id: str = ""


@dataclass(frozen=True)
class PlateauTest:
    """Whether prompting one model has stopped getting better, on named rows.

    Attributes:
        state: "plateaued", "still rising" or "cannot tell".
        candidates: ids of the prompts, in the order tried.
        model, host, role: whose prompts these were.
        metric, rows: what they were measured by and on (a hash, as in :class:`Measurement`).
        tries: how many prompts were tried.
        worth: the smallest gain worth having, as a share.
        sentence: the finding in words.
        day: ISO date.
    """

    state: Literal["plateaued", "still rising", "cannot tell"]
    model: str
    host: str
    role: Role
    metric: str
    rows: str
    candidates: tuple[str, ...] = ()
    tries: int = 0
    worth: float = 0.02
    sentence: str = ""
    day: str = ""


@dataclass(frozen=True)
class DataSummary:
    """Counts of the data report: good training rows, errors, warnings, test rows that leaked into training, and rows of
    the validation split, whether they were asked or not."""

    rows: int | None = None
    errors: int = 0
    warnings: int = 0
    leaks: int = 0
    validation: int | None = None


@dataclass(frozen=True)
class CostForecast:
    """The bill: from how many calls a month tuning is cheaper, and how probably it is at the reader's volume."""

    probability: float | None = None
    break_even_calls: float | None = None
    sentence: str = ""


@dataclass(frozen=True)
class DataGain:
    """What twice as many rows would bring, as a share with its interval; None where the curve cannot tell."""

    gain_from_doubling: float | None = None
    low: float | None = None
    high: float | None = None
    sentence: str = ""
    state: str = ""


@dataclass(frozen=True)
class Evidence:
    """All that was measured and that a verdict may rest on; a field left None or empty was not measured.

    Attributes:
        measurements: in the order in which they were made.
        comparisons: of measurements on the same rows by the same metric.
        plateaus: the newest test of each model.
        data: counts of the data report.
        cost: the bill.
        learning_curve: what more data would bring.
        not_measured: what is missing, in words.
        project: name of the reader's own project, whose next steps are taken in ``your_project``; empty in the lessons.
        task: that project's kind of task; empty where it is not known.
        about: what that project's rows are and what was asked of them, as pairs of a title and a text.
    """

    measurements: tuple[Measurement, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    plateaus: tuple[PlateauTest, ...] = ()
    data: DataSummary | None = None
    cost: CostForecast | None = None
    learning_curve: DataGain | None = None
    not_measured: tuple[str, ...] = ()
    project: str = ""
    task: str = ""
    about: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Verdict:
    """A decision that can explain itself.

    Attributes:
        choice: the code of the recommendation (see ``helpers.decide.CHOICES``).
        headline: the recommendation in one plain sentence.
        confidence: "low", "medium" or "high".
        reasons: each a sentence tied to an answer, a measurement or a fact row.
        blockers: what stands in the way of tuning.
        what_would_change_it: the nearest flips, each found by changing one input.
        next_steps: what to do now, linked to lessons.
        not_measured: missing evidence, named.
        allows_training: whether the journey may go on to training without ``TRAIN_ANYWAY``.
    """

    choice: str
    headline: str
    confidence: Literal["low", "medium", "high"]
    reasons: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    what_would_change_it: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    not_measured: tuple[str, ...] = ()
    allows_training: bool = False
