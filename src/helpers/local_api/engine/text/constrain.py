"""Answers that must be JSON, or JSON of a given schema: ``llguidance`` says at each step which tokens may come next."""

from __future__ import annotations

import json
import threading
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
from llguidance import LLMatcher, LLTokenizer

from helpers.errors import KitError
from helpers.local_api.engine.text.call_form import CallForm
from helpers.local_api.engine.text.calls import Calling, grammar

Schema = dict[str, Any] | Literal["json_object"]

ONE_LINE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""JSON as ``json.dumps`` writes it: what the training rows look like, and no room to dawdle in white space."""


class SchemaError(KitError):
    """The schema is malformed, or uses something that cannot be enforced."""


class ToolSchemaError(SchemaError):
    """The parameters that a tool declares are no schema, or one that cannot be enforced."""


class Constraint:
    """Where one answer stands in its grammar.

    Args:
        matcher: stands at the beginning of the answer.
        fault: the kind of error that is raised where it cannot be followed.
    """

    def __init__(self, matcher: LLMatcher, fault: type[SchemaError] = SchemaError) -> None:
        self._matcher, self._fault = matcher, fault

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
            raise _refused(self._matcher.get_error(), self._fault, how=" further")

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
        return self._started(_json_grammar(schema, SchemaError), SchemaError)

    def calls(self, calling: Calling, form: CallForm, schema: Schema | None) -> Constraint:
        """A fresh constraint for an answer that may call tools.

        Args:
            calling: which ones, and whether it must.
            form: how the model writes a call.
            schema: of an answer that calls nothing; None: free text.

        Raises:
            SchemaError: ``schema`` cannot be enforced.
            ToolSchemaError: the parameters of a tool cannot; the message says of which.
        """
        if schema is not None:
            self.constraint(schema)
        for name, parameters in calling.schemas.items():
            whose = f" of the tool {name!r}"
            self._started(_json_grammar(parameters, ToolSchemaError, whose), ToolSchemaError, whose)
        answer = {"type": "object"} if schema == "json_object" else schema
        lark = grammar(calling, form, answer, ONE_LINE, self._literal)
        return self._started(LLMatcher.grammar_from_lark(lark), ToolSchemaError)

    def _literal(self, text: str) -> str:
        """A text in a Lark grammar; added tokens are no text there, but ``<[ID]>``."""
        tokenizer, parts = self._vocabulary_of_model(), []
        for own, some in groupby(tokenizer.tokenize_str(text), tokenizer.is_special_token):
            ids = list(some)
            parts += [f"<[{i}]>" for i in ids] if own else [json.dumps(tokenizer.decode_bytes(ids).decode())]
        return " ".join(parts)

    def _started(self, grammar: str, fault: type[SchemaError], whose: str = "") -> Constraint:
        matcher = LLMatcher(self._vocabulary_of_model(), grammar, log_level=0)
        if matcher.is_error():
            raise _refused(matcher.get_error(), fault, whose)
        constraint = Constraint(matcher, fault)
        constraint.allowed()  # some are refused only when they are used
        return constraint

    def _vocabulary_of_model(self) -> LLTokenizer:
        with self._lock:
            if self._tokenizer is None:
                text = self._file.read_text(encoding="utf-8")
                self._tokenizer = LLTokenizer(text, n_vocab=self._vocabulary, eos_token=self._stops)
            return self._tokenizer


def _json_grammar(schema: Schema, fault: type[SchemaError], whose: str = "") -> str:
    asked = {"type": "object"} if schema == "json_object" else schema
    try:
        return LLMatcher.grammar_from_json_schema(json.dumps(asked), defaults=ONE_LINE)
    except ValueError as error:
        raise _refused(str(error), fault, whose) from error


def _refused(reason: str, fault: type[SchemaError], whose: str = "", how: str = "") -> SchemaError:
    return fault(
        f"The JSON schema{whose} cannot be enforced{how}.",
        got=reason.split("\n")[0][:300],  # behind it the whole schema comes once more
        fix="Simplify it: types, properties, required, enum, const, items, anyOf, pattern and numeric bounds work.",
    )
