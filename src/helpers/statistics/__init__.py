"""Is it better, or is it noise? Intervals, paired tests and sentences: numbers in, numbers out, nothing else touched.

A score is one number a row: 1 or 0 for right or wrong, or any real number. ``nan`` means that the row has no answer:
it is left out of every sum, never counted as a zero. Two candidates are always compared on the rows that both answered.

* one share: Wilson (1927). Two independent shares: Newcombe (1998a, method 10).
* two candidates, right/wrong, same rows: exact McNemar test and the Bonett-Price (2012) interval.
* two candidates, any other score, or rows that belong together: paired (cluster) bootstrap with the expanded percentile
  interval of Hesterberg (2015), and a sign-flip test.
* several candidates: Holm (1979).

Intervals are in :mod:`~helpers.statistics.intervals`, p-values in :mod:`~helpers.statistics.significance`, both
together with their sentence in :mod:`~helpers.statistics.comparing`. What needs the standard library alone (Wilson,
power) stands in :mod:`helpers.proportions`, and goes by the same names here.
"""

from helpers.proportions import Interval, normal_quantile, power, rows_needed, wilson
from helpers.statistics.comparing import SHARES, compare, compare_many
from helpers.statistics.intervals import (
    Estimate,
    cohen_kappa,
    newcombe,
    paired_bootstrap,
    paired_difference,
    score_interval,
)
from helpers.statistics.rows import is_right_or_wrong
from helpers.statistics.significance import holm, mcnemar, sign_flip, sign_test, smallest_detectable

__all__ = [
    "SHARES",
    "Estimate",
    "Interval",
    "cohen_kappa",
    "compare",
    "compare_many",
    "holm",
    "is_right_or_wrong",
    "mcnemar",
    "newcombe",
    "normal_quantile",
    "paired_bootstrap",
    "paired_difference",
    "power",
    "rows_needed",
    "score_interval",
    "sign_flip",
    "sign_test",
    "smallest_detectable",
    "wilson",
]
