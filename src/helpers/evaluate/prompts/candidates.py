"""What a candidate sends: instructions, worked examples, the question."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from helpers.records import Candidate, Example

INSTRUCTIONS = ("system", "developer")


def messages(candidate: Candidate, example: Example) -> list[dict[str, Any]]:
    """The messages for one question: system, fixed shots, nearest shots (the most similar last), the question.

    The row's own instructions are kept unless the candidate brings its own. The ideal answer is never sent, and a row
    is never its own nearest shot.

    Args:
        candidate: whose prompt.
        example: the row that asks; its ideal answer is left out.
    """
    sent = [{"role": "system", "content": candidate.system}] if candidate.system else []
    if not candidate.system:
        sent += [dict(message) for message in example.prompt if message["role"] in INSTRUCTIONS]
    for shot in (*candidate.shots, *nearest(candidate.pool, example, candidate.nearest)):
        sent += _turns(shot.messages)
    return sent + _turns(example.prompt)


def nearest(pool: tuple[Example, ...], example: Example, count: int) -> list[Example]:
    """The ``count`` rows of ``pool`` whose questions are most like this one, the most similar last.

    Similarity is the cosine of TF-IDF over words and word pairs. Rows with the very same question are passed over.

    Args:
        pool: training rows that may be shown.
        example: the row that asks.
        count: how many; 0 shows none.
    """
    if count <= 0 or not pool:
        return []
    questions = tuple(row.question for row in pool)
    vectorizer, index = _index(questions)
    similarity = (index @ vectorizer.transform([example.question]).T).toarray().ravel()
    order = np.argsort(-similarity, kind="stable")
    picked = [pool[i] for i in order if questions[i] != example.question][:count]
    return picked[::-1]


@lru_cache(maxsize=8)
def _index(questions: tuple[str, ...]) -> tuple[TfidfVectorizer, csr_matrix]:
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\w+")
    return vectorizer, vectorizer.fit_transform([*questions, "a"])[:-1]  # "a": a pool without a single word is no error


def _turns(chat: tuple[Any, ...]) -> list[dict[str, Any]]:
    """The messages without instructions and without the training weight, which no chat endpoint takes."""
    return [
        {key: value for key, value in message.items() if key != "weight"}
        for message in chat
        if message["role"] not in INSTRUCTIONS
    ]


def digest(value: Any) -> str:
    """A short hash of a JSON value, the same in every process."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=dict)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
