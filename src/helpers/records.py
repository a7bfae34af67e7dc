"""The nouns that the rooms hand to each other: small frozen dataclasses without behaviour of their own.

Anything that only one room needs stays in that room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Yardstick = Literal["teaching", "target"]
"""What a prompted score says about a reader's real options: see :class:`Candidate`."""


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
        yardstick: ``"teaching"`` for a small model that teaches mechanics (its prompted scores are never evidence that
            prompting has lost), ``"target"`` for a model that the reader could really use.
        tuned: whether the model was fine-tuned on this task.
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
    yardstick: Yardstick = "teaching"
    tuned: bool = False


@dataclass(frozen=True)
class Comparison:
    """Two candidates on the same rows.

    ``difference`` is *a* minus *b* in the metric's own unit (a share of rows for right/wrong metrics), with the paired
    interval ``low`` to ``high`` at ``level``. ``sentence`` says it in words, "these rows cannot tell" included.
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


@dataclass(frozen=True)
class Evidence:
    """All that was measured and that a verdict may rest on; a field left None was not measured.

    Attributes:
        data: facts about the reader's data: ``rows`` (good training rows), ``errors``, ``warnings``, ``leaks``.
        prompt_scores: one mapping a prompted candidate: ``name``, ``model``, ``yardstick``, ``metric``, ``score``,
            ``low``, ``high``, ``n``, ``split``.
        plateau: the plateau test's answer: ``state`` ("plateaued" / "still rising" / "cannot tell"), ``yardstick``,
            ``sentence``.
        comparisons: tuned against its rivals on the test rows.
        cost: break-even and probability that tuning is cheaper: ``sentence``, ``break_even_calls``, ``probability``.
        learning_curve: ``sentence`` and ``gain_from_doubling`` with ``low`` and ``high``.
        not_measured: what is missing, in words.
    """

    data: Mapping[str, Any] | None = None
    prompt_scores: tuple[Mapping[str, Any], ...] = ()
    plateau: Mapping[str, Any] | None = None
    comparisons: tuple[Comparison, ...] = ()
    cost: Mapping[str, Any] | None = None
    learning_curve: Mapping[str, Any] | None = None
    not_measured: tuple[str, ...] = ()


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
