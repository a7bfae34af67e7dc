"""Answers that must be JSON, or JSON of a given schema: ``llguidance`` says at each step which tokens may come next."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Literal

import numpy as np
from llguidance import LLMatcher, LLTokenizer

from helpers.errors import KitError

Schema = dict[str, Any] | Literal["json_object"]

ONE_LINE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""JSON as ``json.dumps`` writes it: what the training rows look like, and no room to dawdle in white space."""


class SchemaError(KitError):
    """The schema is malformed, or uses something that cannot be enforced."""


class Constraint:
    """Where one answer stands in its grammar."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    def allowed(self) -> np.ndarray:
        """Which tokens may come next: booleans, (vocabulary,).

        Raises:
            SchemaError: the grammar cannot be followed any further, or at all.
        """
        mask = np.frombuffer(self._matcher.compute_logit_bias(), dtype=np.uint8) != 0
        self._check()  # a matcher that has failed allows the end, whatever the answer lacks
        return mask

    def take(self, token: int) -> None:
        """Move on by one token.

        Raises:
            SchemaError: the grammar cannot be followed any further.
        """
        self._matcher.consume_token(token)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise _refused(self._matcher.get_error(), "further")

    @property
    def complete(self) -> bool:
        """Whether nothing can be added to the answer."""
        return self._matcher.is_stopped()


class Constrainer:
    """Makes constraints for one model's vocabulary. The vocabulary is read when first needed (half a second).

    Args:
        folder: the model's folder, with ``tokenizer.json``.
        vocabulary: rows of the model's output.
        stops: ids of the tokens that end an answer.
    """

    def __init__(self, folder: Path, vocabulary: int, stops: frozenset[int]) -> None:
        self._file, self._vocabulary, self._stops = Path(folder) / "tokenizer.json", vocabulary, sorted(stops)
        self._tokenizer: LLTokenizer | None = None
        self._lock = threading.Lock()

    def constraint(self, schema: Schema) -> Constraint:
        """A fresh constraint.

        Raises:
            SchemaError: the schema is malformed or cannot be enforced; the message says where.
        """
        asked = {"type": "object"} if schema == "json_object" else schema
        try:
            grammar = LLMatcher.grammar_from_json_schema(json.dumps(asked), defaults=ONE_LINE)
        except ValueError as error:
            raise _refused(str(error)) from error
        matcher = LLMatcher(self._vocabulary_of_model(), grammar, log_level=0)
        if matcher.is_error():
            raise _refused(matcher.get_error())
        constraint = Constraint(matcher)
        constraint.allowed()  # some are refused only when they are used
        return constraint

    def _vocabulary_of_model(self) -> LLTokenizer:
        with self._lock:
            if self._tokenizer is None:
                text = self._file.read_text(encoding="utf-8")
                self._tokenizer = LLTokenizer(text, n_vocab=self._vocabulary, eos_token=self._stops)
            return self._tokenizer


def _refused(reason: str, how: str = "") -> SchemaError:
    return SchemaError(
        f"The JSON schema cannot be enforced{how and ' ' + how}.",
        got=reason.split("\n")[0][:300],  # behind it the whole schema comes once more
        fix="Simplify it: types, properties, required, enum, const, items, anyOf, pattern and numeric bounds work.",
    )
