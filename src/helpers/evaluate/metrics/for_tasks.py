"""Which metrics measure which kind of task, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from helpers.data.tasks import Task, task
from helpers.errors import EvaluationError
from helpers.evaluate.metrics.json_answers import every_field, field, valid_json
from helpers.evaluate.metrics.labels import label_accuracy, label_inside
from helpers.evaluate.metrics.metric import Metric
from helpers.evaluate.metrics.text import CHECKS, exact_match, length, similarity
from helpers.evaluate.metrics.text_rules import rule_check
from helpers.evaluate.metrics.tool_calls import right_calls, right_tools, valid_arguments
from helpers.records import Example

COLUMNS = frozenset(
    ("candidate", "row", "answer", "expected", "missing", "finish_reason", "prompt_tokens", "completion_tokens",
     "cached_tokens", "seconds", "usd", "confidence", "model", "role", "rows", "score", "low", "high", "cut_off",
     "usd_per_1000", "handed_on")
)  # fmt: skip
"""Names that ``Results.rows`` and ``Results.table`` give to columns of their own."""
TAKEN = COLUMNS | {"all_fields", "valid_json"}
"""These, and the names of the metrics beside the fields'."""


def _column(name: str) -> str:
    """The metric's name for a field: the field's own, unless that is taken."""
    return f"field {name}" if name in TAKEN else name


def default(examples: Sequence[Example], rules: Any = None) -> list[Metric]:
    """A sensible set for rows of this kind; the first one is the headline. See :func:`for_task`.

    Args:
        examples: all rows: they say which kind of task it is.
        rules: as for :func:`for_task`.
    """
    return for_task(task(examples), rules)


def for_task(about: Task, rules: Any = None) -> list[Metric]:
    """The measure for a kind of task; the first metric is the headline.

    Labels: right or wrong. JSON: all fields right, then each field, optional keys understood. Tool calls: names and
    arguments. Free text and conversations: by the reader's ``rules``. Without rules the first metric is likeness, which
    finds odd rows: it feeds no plateau and no verdict.

    Args:
        about: from ``data.task``.
        rules: for free text: a name of :data:`CHECKS`, a TOML file or list of rules (see :mod:`text_rules`), a metric,
            or a list of metrics; None has none.

    Raises:
        EvaluationError: rules that cannot be used, or for a kind of task that is not free text.
    """
    if rules is not None:
        if about.kind not in ("text", "turns"):
            raise EvaluationError(
                f"RULES are for free text; these rows are {about.kind}.", fix='Set RULES = None, or TASK = "text".'
            )
        return [*_text_metrics(rules), similarity, length]
    if about.kind == "labels":
        return [label_accuracy, label_inside(about.labels), exact_match]
    if about.kind == "fields":
        names = {name: field(name, optional=name in about.optional) for name in (*about.required, *about.optional)}
        named = [replace(one, name=_column(name)) for name, one in names.items()]
        return [every_field(about.required), *named, valid_json()] if names else [every_field()]
    if about.kind == "tools":
        return [right_calls, right_tools, valid_arguments]
    return [similarity, length]


def _text_metrics(rules: Any) -> list[Metric]:
    if isinstance(rules, Metric):
        return [rules]
    if isinstance(rules, list | tuple) and rules and all(isinstance(one, Metric) for one in rules):
        return list(rules)
    if isinstance(rules, str) and rules in CHECKS:
        return [CHECKS[rules]]
    if isinstance(rules, str) and not rules.endswith(".toml"):
        raise EvaluationError(
            "There is no such check for free text.", got=repr(rules),
            fix=f"Use {', '.join(map(repr, CHECKS))}, or a TOML file of rules.",
        )  # fmt: skip
    return [rule_check(rules)]
