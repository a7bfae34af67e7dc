"""Evaluate honestly: scores with intervals, and comparisons that may say "these rows cannot tell"."""

from helpers.evaluate import candidates, metrics, rules, statistics
from helpers.evaluate.baselines import majority, tfidf
from helpers.evaluate.results import Results
from helpers.evaluate.runner import run
from helpers.evaluate.statistics import compare, compare_many

__all__ = [
    "Results",
    "candidates",
    "compare",
    "compare_many",
    "majority",
    "metrics",
    "rules",
    "run",
    "statistics",
    "tfidf",
]
