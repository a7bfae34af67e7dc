"""Would the archive's editor take this for ours? A small classifier that has read archive copy and prompted copy.

TF-IDF over words, word pairs and punctuation, with logistic regression: it knows habits of wording and nothing else.

* It tells the archive from *these* prompted copies. Copy of another kind may pass because it resembles neither.
* What it goes by may be shallow: length, commas, a favourite word. ``ours`` and ``theirs`` name what it goes by most.
* A copy that passes is not good, and one that fails is not bad. It says whether wording looks like the archive's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline

from helpers.errors import EvaluationError
from helpers.formatting import plural
from helpers.statistics import Estimate, score_interval

FOLDS = 5
MARKS = {
    ".": "a full stop", ",": "a comma", ";": "a semicolon", ":": "a colon", "!": "an exclamation mark",
    "?": "a question mark", "-": "a hyphen", "–": "a dash", "—": "a dash", "'": "an apostrophe", "’": "an apostrophe",
    '"': "a quotation mark", "“": "a quotation mark", "”": "a quotation mark", "(": "a bracket", ")": "a bracket",
}  # fmt: skip
"""What punctuation is called in a sentence, where it would be taken for the sentence's own."""


@dataclass(frozen=True)
class Editor:
    """A trained classifier.

    Attributes:
        accuracy: how often it is right about a text that it has not read (five-fold, balanced classes: 0.5 is chance),
            with its interval.
        ours, theirs: the terms that speak most for the archive and most against it.
        sentence: what it can do, in words.
    """

    pipeline: Pipeline
    accuracy: Estimate
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    sentence: str

    @property
    def goes_by(self) -> tuple[str, str]:
        """``ours`` and ``theirs``, each as a sentence."""
        ours, theirs = (", ".join(map(_in_words, terms)) for terms in (self.ours, self.theirs))
        return f"What speaks for the archive: {ours}.", f"What speaks against it: {theirs}."

    def takes(self, texts: Sequence[str | None]) -> np.ndarray:
        """1 for each text that it takes for the archive's, else 0; ``nan`` for a missing one."""
        said = np.full(len(texts), np.nan)
        there = [place for place, text in enumerate(texts) if text is not None]
        if there:
            said[there] = self.pipeline.predict([texts[place] for place in there])
        return said


def train_editor(ours: Sequence[str], theirs: Sequence[str]) -> Editor:
    """Learn to tell archive copy from prompted copy. Use none of the texts that it is to judge afterwards.

    Args:
        ours: texts of the archive.
        theirs: texts that models wrote when they were prompted.

    Raises:
        EvaluationError: fewer than ten texts of either kind.
    """
    if min(len(ours), len(theirs)) < 2 * FOLDS:
        raise EvaluationError(
            f"An editor needs {2 * FOLDS} texts of either kind to learn from.",
            got=f"{len(ours)} of the archive, {len(theirs)} others",
            fix="Give it training rows and answers to validation rows.",
        )
    texts, labels = [*ours, *theirs], np.array([1] * len(ours) + [0] * len(theirs))
    terms = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, token_pattern=r"\w+|[^\w\s]")
    pipeline = make_pipeline(terms, LogisticRegression(class_weight="balanced", C=10, max_iter=1000))
    right = (cross_val_predict(pipeline, texts, labels, cv=FOLDS) == labels).astype(float)
    pipeline.fit(texts, labels)
    accuracy = _balanced(right, labels)
    names, weights = terms.get_feature_names_out(), pipeline[-1].coef_[0]
    order = np.argsort(weights)
    told, listed = _terms(names, order[::-1]), _terms(names, order)
    sentence = (
        f"The editor has read {plural(len(ours), 'text')} of the archive and {plural(len(theirs), 'prompted text')}. "
        f"It is right about {100 * accuracy.value:.0f} % of texts that it has not read (50 % would be chance)."
    )
    return Editor(pipeline, accuracy, told, listed, sentence)


def _balanced(right: np.ndarray, labels: np.ndarray) -> Estimate:
    """Mean of the two classes' shares of right answers; the interval is that of the mean of two independent shares."""
    one, other = score_interval(right[labels == 1]), score_interval(right[labels == 0])
    middle = (one.value + other.value) / 2
    low = middle - np.hypot(one.value - one.low, other.value - other.low) / 2
    high = middle + np.hypot(one.high - one.value, other.high - other.value) / 2
    return Estimate(middle, float(low), float(high))


def _in_words(term: str) -> str:
    """A word or a pair of them in quotation marks, punctuation by its name."""
    parts = term.split()
    if not MARKS.keys() & set(parts):
        return f"“{term}”"
    return " before ".join(MARKS.get(part, f"“{part}”") for part in parts)


def _terms(names: np.ndarray, order: np.ndarray, most: int = 8) -> tuple[str, ...]:
    return tuple(str(name) for name in names[order[:most]])
