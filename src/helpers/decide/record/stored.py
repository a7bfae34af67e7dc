"""Evidence in its JSON shape: as records and projects hold it now, and as an older kit kept it.

An older kit joined scores and comparisons by their names in a table, and kept no hash of the rows. Its scores are read
and shown; its comparisons are not, because nobody can say any more between whom they were. What is missing is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from helpers.facts.names import TEACHING_BELOW, size_in_name
from helpers.records import Comparison, CostForecast, DataGain, DataSummary, Evidence, Measurement, PlateauTest

OLDER = ("prompt_scores", "plateau")
"""Keys that only an older kit wrote."""

NO_IDENTITY = (
    "prompt scores of an older version of the kit, which kept no hash of their rows, cannot be compared with anything: "
    "run lesson 00_should_you_fine_tune again (answers of hosts are kept)"
)
NO_PAIRS = (
    "comparisons of an older version of the kit, which joined candidates by their names, do not count: run lesson "
    "04_evaluate again (answers of hosts are kept)"
)
NO_MODEL = (
    "a plateau test of an older version of the kit does not say whose prompts it was made on: run lesson "
    "00_should_you_fine_tune again"
)


def evidence_from(content: Mapping[str, Any]) -> Evidence:
    """Evidence from its JSON shape, a newer or an older one.

    Raises:
        TypeError, ValueError, AttributeError, KeyError: it is of no shape that any version wrote.
    """
    if unknown := set(content) - {one.name for one in fields(Evidence)} - set(OLDER):
        raise ValueError(f"unknown evidence: {', '.join(sorted(unknown))}")
    pairs = [Comparison(**one) for one in content.get("comparisons") or ()]
    missing = list(content.get("not_measured") or ())
    measurements = [Measurement(**one) for one in content.get("measurements") or ()]
    if scores := content.get("prompt_scores"):
        measurements += [_measurement(one) for one in scores]
        missing.append(NO_IDENTITY)
    if any(not pair.a_id for pair in pairs):
        missing.append(NO_PAIRS)
    if content.get("plateau"):
        missing.append(NO_MODEL)
    return Evidence(
        measurements=tuple(measurements),
        comparisons=tuple(pair for pair in pairs if pair.a_id),
        plateaus=tuple(
            PlateauTest(**{**t, "candidates": tuple(t["candidates"])}) for t in content.get("plateaus") or ()
        ),
        data=_read(DataSummary, content.get("data")),
        cost=_read(CostForecast, content.get("cost")),
        learning_curve=_read(DataGain, content.get("learning_curve")),
        not_measured=tuple(dict.fromkeys(missing)),
        project=content.get("project") or "",
        task=content.get("task") or "",
        about=tuple((str(title), str(said)) for title, said in content.get("about") or ()),
    )


def _read(kind: type, value: Mapping[str, Any] | None) -> Any:
    return None if value is None else kind(**value)


def _measurement(score: Mapping[str, Any]) -> Measurement:
    """A prompt score of an older kit, under the role that its model's name allows."""
    size = size_in_name(score["model"])
    small = size is not None and size < TEACHING_BELOW
    role = "teaching" if small else {"target": "target", "teaching": "teaching"}[score["yardstick"]]
    return Measurement(
        candidate="", name=score["name"], model=score["model"], host="", role=role,
        known_by="declared by you to an older version of the kit", metric=score.get("metric") or "score",
        split=score.get("split") or "", rows="", n=score["n"], score=score["score"], low=score["low"],
        high=score["high"], day="", parameters=size,
    )  # fmt: skip
