"""From the results of a run to the project's ledger, where every later lesson finds them."""

from __future__ import annotations

import numpy as np

from helpers import facts, ledger
from helpers.evaluate.results.plateau import Plateau, prompted_model
from helpers.evaluate.results.results import Results
from helpers.evaluate.results.rows import rows_hash
from helpers.project import Project
from helpers.records import PlateauTest


def keep(project: Project, results: Results, tested: Plateau | None = None) -> None:
    """Add what was measured to the project's ledger. Nothing is overwritten.

    Args:
        project: whose ledger.
        results: all of their measurements are added.
        tested: the plateau test that was made on these results, by their first metric. One on scores that are no shares
            of right rows (likeness) is not kept: it decides nothing.

    Raises:
        ProjectError: the project file is damaged.
    """
    order = np.argsort(results.row_ids, kind="stable")
    metrics = {results.measure(metric): metric for metric in results.metrics}
    entries = [
        ledger.Entry(measured, results.scores(measured.name, metrics[measured.metric])[order])
        for measured in results.measurements()
    ]
    decides = tested is not None and results.scale()[0] == ledger.COMPARED_UNIT
    ledger.add(project, entries, _as_evidence(results, tested) if decides else None)


def _as_evidence(results: Results, tested: Plateau) -> PlateauTest:
    about = prompted_model(results)
    return PlateauTest(
        state=tested.state, model=about["model"], host=about["host"], role=about["role"], metric=results.measure(),
        rows=rows_hash(results.row_ids), candidates=tuple(results.candidates[name]["id"] for name in results.history()),
        tries=tested.tries, worth=tested.worth, sentence=tested.sentence, day=facts.today().isoformat(),
    )  # fmt: skip
