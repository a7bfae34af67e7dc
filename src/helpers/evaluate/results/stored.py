"""Results as a project file holds them, and as an older kit kept them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from helpers.errors import EvaluationError
from helpers.evaluate.results.rows import typed
from helpers.facts.names import TEACHING_BELOW, size_in_name


def read(value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``Results`` from what ``Results.to_json`` gave, by name.

    Raises:
        EvaluationError: the value is something else.
    """
    try:
        rows = pd.DataFrame(value["rows"]["data"], columns=value["rows"]["columns"])
        rest = {key: value[key] for key in ("metrics", "split", "row_ids", "openings", "notes")}
        scales = {name: tuple(scale) for name, scale in value.get("scales", {}).items()}
        candidates = {name: _with_a_role(about) for name, about in value["candidates"].items()}
        rows = typed(rows, rest["metrics"])
    except (KeyError, TypeError, ValueError) as error:
        raise EvaluationError("These are not stored results.", got=f"{type(error).__name__}: {error}") from error
    return {"rows": rows, "candidates": candidates, **rest, "scales": scales, "versions": value.get("versions", {})}


def _with_a_role(about: Mapping[str, Any]) -> dict[str, Any]:
    """A stored candidate as it is kept now: an older kit kept a word of the reader's and no identity."""
    if "role" in about:
        return dict(about)
    kinds = {"baseline": "no language model", "tuned": "tuned"}
    small = (size := size_in_name(about["model"])) is not None and size < TEACHING_BELOW
    role = kinds.get(about["kind"], "teaching" if small else about["yardstick"])
    known_by = "kept by an older version of the kit, which took the reader's word"
    return {**about, "role": role, "known_by": known_by, "id": "", "host": "", "parameters": size}
