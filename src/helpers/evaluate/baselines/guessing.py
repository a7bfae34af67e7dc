"""One field, one method: what it answers to new questions, how sure it is, and how often it is right on training rows
that were held out. Whatever is chosen here is chosen by training rows alone.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import FeatureUnion
from threadpoolctl import threadpool_limits

FOLDS = 5
REPEATS, MANY_ROWS = 3, 1000
"""Few rows are parted anew three times: with 240 of them one parting moves the choice of a strength by luck."""
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""scikit-learn's C: the larger, the closer to the training rows."""
MAX_CLASSES = 300
"""A field with more values is open: a classifier with one class a value would take all memory and learn nothing."""
MAX_ROWS_TURNED = 2000
"""Up to so many training rows, TF-IDF is turned into as many dense columns: the same classifier, many times as fast."""
MAX_ROWS_CHOSEN_BY = 1000
"""Of more training rows than that, so many choose the strength: it changes little with their number."""
MAX_TERMS = {"words": 12_000, "letters": 24_000}
"""Of more training rows than that, the most frequent terms: 300 classes then take under two gigabytes."""
LONGEST_TEXT = 4_000
"""Letters of a question that TF-IDF reads; sentence embeddings read fewer."""
BLOCK = 256

Matrix = np.ndarray | csr_matrix


@dataclass(frozen=True)
class Features:
    """Questions as numbers: the training rows' (rows, columns) and, in the same columns, those that are asked."""

    train: Matrix
    asked: Matrix


@dataclass(frozen=True)
class Guess:
    """One method's answers for one field.

    Attributes:
        values: one a question that is asked, as the field is written in an answer.
        sure: how sure it is of each, 0 to 1.
        right: on which share of the training rows it is right, each answered without having been learned from.
    """

    values: list[str]
    sure: np.ndarray
    right: float


def is_closed(values: Sequence[str | None]) -> bool:
    """Whether a field's values come back: twice each on average, None aside, and :data:`MAX_CLASSES` at most."""
    there = [value for value in values if value is not None]
    return len(there) >= 2 * len(set(there)) > 0 and len(set(there)) <= MAX_CLASSES


# --- questions as numbers ------------------------------------------------------------------------------------------


def tfidf(train: Sequence[str], asked: Sequence[str], *, letters: bool = True) -> Features:
    """TF-IDF of words and word pairs and, with ``letters``, of runs of 2 to 5 letters: these see that "delivrd" is
    like "delivered". The vocabulary is the training rows'.

    Args:
        train: training texts.
        asked: texts that are to be answered.
        letters: whether runs of letters count beside words.
    """
    most = MAX_TERMS if len(train) > MAX_ROWS_TURNED else {}
    train, asked = ([text[:LONGEST_TEXT] for text in some] for some in (train, asked))
    by_word = {"ngram_range": (1, 2), "token_pattern": r"(?u)\w+", "max_features": most.get("words")}
    parts = [("words", TfidfVectorizer(sublinear_tf=True, **by_word))]
    if letters:
        by_letter = {"analyzer": "char_wb", "ngram_range": (2, 5), "max_features": most.get("letters")}
        parts.append(("letters", TfidfVectorizer(sublinear_tf=True, **by_letter)))
    text = FeatureUnion(parts)
    # The last text keeps training rows without a single word from being an error; it is no row.
    known = text.fit_transform([*train, "a aa"])[:-1]
    return Features(known.tocsr(), text.transform(asked).tocsr())


def turned(features: Features) -> Features:
    """The same features in as many columns as there are training rows, where these are few.

    A penalised linear classifier knows of the features only the products of rows, and a turn keeps these: it answers
    the same (up to rounding), from hundreds of columns instead of tens of thousands.
    """
    if features.train.shape[0] > MAX_ROWS_TURNED:
        return features
    products = (features.train @ features.train.T).toarray()
    sizes, directions = np.linalg.eigh(products)
    some = sizes > 1e-9 * float(sizes.max())
    if not some.any():  # texts without a single word
        return features
    turn = directions[:, some] / np.sqrt(sizes[some])
    return Features(products @ turn, (features.asked @ features.train.T).toarray() @ turn)


# --- methods --------------------------------------------------------------------------------------------------------


def most_frequent(wanted: Sequence[str], count: int) -> Guess:
    """Always the most frequent value; of equals the first.

    Args:
        wanted: ideal values, one a training row.
        count: rows that are asked.
    """
    common = _common(wanted)
    sure = list(wanted).count(common) / len(wanted)
    values = np.array(wanted, dtype=object)
    right = [values[held] == _common(values[learn]) for learn, held in _folds(wanted)]
    return Guess([common] * count, np.full(count, sure), float(np.mean(np.concatenate(right))))


def plain_code(given: Sequence[str], wanted: Sequence[str], asked: Sequence[str], nothing: str = "null") -> Guess:
    """The reader's own code; ``given`` is what it gives for the training rows, ``asked`` for those that are asked.

    How sure it is: how often it is right on training rows where it finds something, and on those where it finds
    nothing (with one row of each outcome added, so that never wrong on three rows is not certainty).

    Args:
        given: what the code gives for each training row.
        wanted: ideal values, one a training row.
        asked: what it gives for each row that is asked.
        nothing: what stands for "nothing found".
    """
    right = np.array([one == other for one, other in zip(given, wanted, strict=True)])
    found = np.array([one != nothing for one in given])
    sure = {some: (right[found == some].sum() + 1) / ((found == some).sum() + 2) for some in (True, False)}
    return Guess(list(asked), np.array([sure[one != nothing] for one in asked]), float(right.mean()))


def nearest(features: Features, wanted: Sequence[str]) -> Guess:
    """The value of the training row that is most alike; how sure it is: their cosine.

    Args:
        features: of training rows and of those that are asked.
        wanted: ideal values, one a training row.
    """
    asked = _nearest_rows(features.asked, features.train)
    own = _nearest_rows(features.train, features.train, but_itself=True)
    sure = np.clip([likeness for _, likeness in asked], 0, 1)
    right = [wanted[row] == one for (row, _), one in zip(own, wanted, strict=True)]
    return Guess([wanted[row] for row, _ in asked], sure, float(np.mean(right)))


def classifier(features: Features, wanted: Sequence[str]) -> Guess:
    """Logistic regression, its strength chosen by cross-validation on the training rows.

    Args:
        features: of training rows and of those that are asked.
        wanted: ideal values, one a training row.
    """
    answers = np.array(wanted, dtype=object)
    some = np.random.default_rng(0).permutation(len(answers))
    some = some if len(some) <= MAX_ROWS_TURNED else some[:MAX_ROWS_CHOSEN_BY]
    rows, values = features.train[some], answers[some]
    if not isinstance(rows, np.ndarray):
        rows = turned(Features(rows, rows[:0])).train
    with threadpool_limits(1):  # many small fits: on a busy machine two threads wait for each other, ten times as long
        tried = {strength: _right_held_out(rows, values, strength) for strength in STRENGTHS}
        strength = max(STRENGTHS, key=lambda one: tried[one])
        said, sure = _fit(features.train, answers, strength)(features.asked)
    return Guess(list(said), sure, tried[strength])


def _right_held_out(rows: Matrix, wanted: np.ndarray, strength: float) -> float:
    right = [
        _fit(rows[learn], wanted[learn], strength)(rows[held])[0] == wanted[held] for learn, held in _folds(wanted)
    ]
    return float(np.mean(np.concatenate(right)))


def _fit(rows: Matrix, wanted: np.ndarray, strength: float) -> Callable[[Matrix], tuple[np.ndarray, np.ndarray]]:
    """A function from rows to values and their probabilities."""
    labels = sorted(set(wanted))
    if len(labels) == 1:
        return lambda some: (np.full(some.shape[0], labels[0], dtype=object), np.ones(some.shape[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a strength that does not settle loses the comparison
        warnings.simplefilter("ignore", UserWarning)  # "classes … could represent a regression problem": they are texts
        model = LogisticRegression(C=strength, max_iter=1000).fit(rows, [labels.index(value) for value in wanted])

    def predict(some: Matrix) -> tuple[np.ndarray, np.ndarray]:
        if not some.shape[0]:
            return np.array([], dtype=object), np.array([])
        chances = model.predict_proba(some)
        return np.array([labels[place] for place in chances.argmax(axis=1)], dtype=object), chances.max(axis=1)

    return predict


def _nearest_rows(rows: Matrix, pool: Matrix, *, but_itself: bool = False) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []
    rows, pool = _unit(rows), _unit(pool)
    for start in range(0, rows.shape[0], BLOCK):  # in blocks: all products at once may not fit into memory
        likeness = rows[start : start + BLOCK] @ pool.T
        likeness = likeness if isinstance(likeness, np.ndarray) else likeness.toarray()
        if but_itself and pool.shape[0] > 1:
            likeness[np.arange(len(likeness)), np.arange(start, start + len(likeness))] = -2
        best = likeness.argmax(axis=1)
        found += list(zip(best.tolist(), likeness.max(axis=1).tolist(), strict=True))
    return found


def _unit(rows: Matrix) -> Matrix:
    if isinstance(rows, np.ndarray):
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return rows.multiply(1 / np.maximum(lengths, 1e-12)[:, None]).tocsr()


def _folds(wanted: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows held out, in five parts that hold each value alike where there are enough of it."""
    rows = np.arange(len(wanted))
    if len(rows) < 2:
        return [(rows, rows)]  # a single row cannot be held out from itself
    enough = max(Counter(wanted).values()) >= FOLDS
    numbers = {value: number for number, value in enumerate(dict.fromkeys(wanted))}
    found = []
    for seed in range(REPEATS if REPEATS * len(rows) <= MANY_ROWS else 1):
        parting = (StratifiedKFold if enough else KFold)(min(FOLDS, len(rows)), shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "the least populated class has only 3 members"
            found += parting.split(rows, [numbers[value] for value in wanted])
    return found


def _common(wanted: Sequence[str]) -> str:
    return Counter(wanted).most_common(1)[0][0]
