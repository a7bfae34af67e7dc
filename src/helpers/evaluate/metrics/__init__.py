"""What makes an answer good: small callables ``metric(answer, example) -> float | None``, each with a ``name``.

``None`` means that the metric does not apply to this row. 1 is right and 0 is wrong unless the metric says otherwise::

    metric        Metric itself, and how an answer is read before it is scored: as JSON, as a label
    labels        the right label, and macro-F1
    text          the same text, likeness, length, the number at the end
    json_answers  valid JSON, single fields, all fields
    tool_calls    the right tools, the right arguments
    text_rules    rules that text must keep, as data
    for_tasks     which of these measure which kind of task

Other rooms take them from here: ``from helpers.evaluate.metrics import Metric, field``.
"""

from helpers.evaluate.metrics.for_tasks import COLUMNS, default, for_task
from helpers.evaluate.metrics.json_answers import all_fields, every_field, field, valid_json
from helpers.evaluate.metrics.labels import label_accuracy, label_inside, macro_f1
from helpers.evaluate.metrics.metric import DIAGNOSIS, NOT_JSON, Metric, label_of, parsed
from helpers.evaluate.metrics.text import (
    CHECKS,
    exact_match,
    final_number,
    last_number,
    length,
    similarity,
    suggest_check,
)
from helpers.evaluate.metrics.text_rules import rule_check
from helpers.evaluate.metrics.tool_calls import right_calls, right_tools, valid_arguments

__all__ = [
    "CHECKS",
    "COLUMNS",
    "DIAGNOSIS",
    "NOT_JSON",
    "Metric",
    "all_fields",
    "default",
    "every_field",
    "exact_match",
    "field",
    "final_number",
    "for_task",
    "label_accuracy",
    "label_inside",
    "label_of",
    "last_number",
    "length",
    "macro_f1",
    "parsed",
    "right_calls",
    "right_tools",
    "rule_check",
    "similarity",
    "suggest_check",
    "valid_arguments",
    "valid_json",
]
