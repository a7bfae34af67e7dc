"""Rivals that need no language model: what the most frequent answer and a plain text classifier reach.

A tuned model that does not beat them has not earned its cost.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence

from sklearn.base import ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline

from helpers.errors import EvaluationError
from helpers.evaluate.candidates import digest
from helpers.evaluate.metrics import NOT_JSON, Metric, parsed
from helpers.evaluate.results import Results, check_metrics, row_ids, score_replies
from helpers.evaluate.store import Reply
from helpers.records import Example


def majority(
    train: Sequence[Example], examples: Sequence[Example], metrics: Sequence[Metric], *, split: str = "validation"
) -> Results:
    """Always the most frequent answer of the training rows (of each field, where answers are JSON objects).

    Raises:
        EvaluationError: no training rows, no examples or no metrics.
    """
    _check(train, examples, metrics)
    return _measure("majority", "most frequent answer", train, examples, metrics, split, closed=[])


def tfidf(
    train: Sequence[Example], examples: Sequence[Example], metrics: Sequence[Metric], *,
    fields: Sequence[str] | None = None, split: str = "validation",
) -> Results:  # fmt: skip
    """TF-IDF and logistic regression on the question's text, fitted on the training rows.

    Where answers are JSON objects there is one classifier for each field with a closed set of values; open fields (an
    order number) are given their most frequent value.

    Args:
        fields: the fields with a closed set of values; None: those whose values occur three times each on average.

    Raises:
        EvaluationError: no training rows, no examples or no metrics, or a field that no training row has.
    """
    _check(train, examples, metrics)
    values = _objects(train)
    if values is None:
        closed = [""]
    elif fields is None:
        closed = [name for name in _names(values) if _is_closed([value.get(name) for value in values])]
    else:
        closed = list(fields)
        if unknown := [name for name in closed if name not in _names(values)]:
            raise EvaluationError("The training answers lack a field.", got=", ".join(unknown))
    return _measure("tf-idf", "TF-IDF + logistic regression", train, examples, metrics, split, closed)


def _measure(
    name: str, model: str, train: Sequence[Example], examples: Sequence[Example], metrics: Sequence[Metric], split: str,
    closed: Sequence[str],
) -> Results:  # fmt: skip
    values = _objects(train)
    targets = {"": [row.answer for row in train]}
    if values is not None:
        targets = {key: [json.dumps(value.get(key)) for value in values] for key in _names(values)}
    questions = [row.question for row in train]
    models = {key: _fit(questions, wanted, classify=key in closed) for key, wanted in targets.items()}
    replies = [_answer(models, example, as_object=values is not None) for example in examples]
    about = {
        "id": digest([name, model, row_ids(train), sorted(closed)])[:16], "model": model, "host": "this notebook",
        "role": "no language model", "known_by": "plain code", "parameters": None,
    }  # fmt: skip
    return score_replies(name, about, examples, replies, metrics, split=split)


def _fit(questions: list[str], wanted: list[str], *, classify: bool) -> ClassifierMixin:
    if not classify or len(set(wanted)) == 1:
        # The order of first appearance breaks ties, so that the same rows always give the same baseline.
        common = Counter(wanted).most_common(1)[0][0]
        return DummyClassifier(strategy="constant", constant=common).fit(questions, wanted)
    text = FeatureUnion(
        [
            ("words", TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\w+")),
            ("letters", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)),
        ]
    )
    # C=100 was best of 1, 10 and 100 in five-fold cross-validation on the sample task (category: 52, 63 and 66 %).
    return make_pipeline(text, LogisticRegression(C=100, max_iter=3000)).fit(questions, wanted)


def _answer(models: dict[str, ClassifierMixin], example: Example, *, as_object: bool) -> Reply:
    started = time.perf_counter()
    guesses = {key: str(model.predict([example.question])[0]) for key, model in models.items()}
    text = json.dumps({key: json.loads(guess) for key, guess in guesses.items()}) if as_object else guesses[""]
    return Reply(
        text, finish_reason="stop", prompt_tokens=0, completion_tokens=0, cached_tokens=0,
        seconds=time.perf_counter() - started,
    )  # fmt: skip


def _objects(train: Sequence[Example]) -> list[dict] | None:
    """The answers as JSON objects, or None when they are not all objects."""
    values = [parsed(row.answer) for row in train]
    return values if all(value is not NOT_JSON and isinstance(value, dict) for value in values) else None


def _names(values: Sequence[dict]) -> list[str]:
    return list(dict.fromkeys(name for value in values for name in value))


def _is_closed(values: Sequence[object]) -> bool:
    """Whether a field's values come back: three times each on average, ``null`` aside."""
    there = [json.dumps(value) for value in values if value is not None]
    return len(there) >= 3 * len(set(there)) > 0


def _check(train: Sequence[Example], examples: Sequence[Example], metrics: Sequence[Metric]) -> None:
    check_metrics(metrics)
    if not train or not examples:
        raise EvaluationError(
            "A baseline needs rows to learn from and rows to be measured on.",
            got=f"{len(train)} and {len(examples)}",
        )
