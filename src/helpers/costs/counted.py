"""What a file of chat examples is in numbers, as a bill needs them: rows, tokens, prompt and answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers import tokens
from helpers.errors import CostError


@dataclass(frozen=True)
class Counted:
    """A training or validation file, counted for one model.

    Attributes:
        rows: examples.
        low: tokens of all of them.
        high: the same with what the provider may add to each; equal to ``low`` where its rule is known.
        prompt: mean tokens of an example before its answer.
        answer: mean tokens of the answer's text.
        vocabulary: with which they were counted.
        exact: whether that is the named model's own.
    """

    rows: int
    low: int
    high: int
    prompt: float
    answer: float
    vocabulary: str
    exact: bool

    @property
    def band(self) -> tuple[int, int]:
        """Low and high, as :func:`helpers.costs.job_estimate` takes them."""
        return self.low, self.high

    @property
    def sentence(self) -> str:
        """All of it in words."""
        count = f"{self.low:,}" if self.low == self.high else f"{self.low:,} to {self.high:,}"
        whose = (
            "the model's own vocabulary"
            if self.exact
            else "a stand-in: this model's own vocabulary is not available here"
        )
        band = "" if self.low == self.high else "; a range, because the provider's rule is not public"
        return f"{self.rows:,} rows, {count} tokens ({self.vocabulary}, {whose}{band})."


def count(path: str | Path, model: str | None = None) -> Counted:
    """Count a JSONL file of chat examples for a model, in one pass.

    Args:
        path: the file, in UTF-8.
        model: whose vocabulary to count with; a present OpenAI model by default.

    Raises:
        CostError: a line that is not a chat example with an answer, or no line at all.
        AssetError: the vocabulary is not on this machine and could not be fetched.
    """
    counter = tokens.counter(model)
    rows = total = before = answers = 0
    with open(path, encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            messages, tools = _example(line, f"{Path(path).name}, line {number}")
            rows += 1
            silent = {**messages[-1], "content": "", "tool_calls": None}
            parts = [(messages, tools), (messages[:-1], tools), ([silent], ())]
            whole, prompt, marks = counter.examples(parts)
            total, before, answers = total + whole, before + prompt, answers + whole - prompt - marks
    if not rows:
        raise CostError(f"{Path(path).name} contains no examples.", fix="Prepare the data first (lesson 01).")
    extra = 0 if counter.vocabulary == "smollm2" else tokens.PER_EXAMPLE_BAND[1] * rows
    return Counted(rows, total, total + extra, before / rows, answers / rows, counter.vocabulary, counter.exact)


def numbers(train: str | Path, validation: str | Path | None, instructions: str, model: str | None) -> dict[str, float]:
    """What files tell of a workload, by its names: see :meth:`helpers.costs.Workload.from_files`.

    Args:
        train: JSONL file of chat examples.
        validation: the same for the validation file, or None.
        instructions: the prompt of a model that was not tuned; "" for none.
        model: whose vocabulary to count with; a present OpenAI model when None.
    """
    file = count(train, model)
    told = tokens.counter(model).example([{"role": "system", "content": instructions}]) if instructions else 0
    found = {
        "examples": file.rows,
        "tokens_per_example": round(file.low / file.rows, 1),
        "tuned_tokens_in": round(file.prompt),
        "tokens_in": round(file.prompt) + told,
        "cacheable": told,
        "tokens_out": round(file.answer),
        "shots_tokens": round(8 * file.low / file.rows),
    }
    if validation:
        found["validation_tokens"] = count(validation, model).low
    return found


def _example(line: str, where: str) -> tuple[list[dict[str, Any]], list[Any]]:
    try:
        row = json.loads(line)
        messages, tools = row["messages"], row.get("tools") or []
        fine = len(messages) > 1 and all(isinstance(message, dict) for message in messages)
    except (ValueError, TypeError, KeyError, AttributeError):
        fine = False
    if not fine:
        raise CostError(f"{where} is not a chat example with an answer.", fix="Check the file first (lesson 01).")
    return messages, tools
