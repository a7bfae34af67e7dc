"""A shelf of open models that the local API serves and trains in addition to its own small one.

Each is pinned (id, revision, sha256 of every file), and what it needs on this machine is known before it is fetched::

    from helpers import open_models
    open_models.table()                                        # what there is, what it needs, what fits
    open_models.forecast("qwen3-0.6b", tokens=40_000, epochs=6).sentence
    open_models.fetch("qwen3-0.6b")                            # said beforehand, resumed where it broke, checked

From then on ``model="qwen3-0.6b"`` works in chat requests and in jobs of the local API. ``KIT_MODEL_SOURCE`` names a
mirror, a company's address or a folder to fetch from. In a terminal: ``python -m helpers.open_models``.

``models.toml`` is the list, ``entries`` reads it, ``sizing`` predicts, ``fetching`` fetches (a file: ``downloading``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.open_models.entries import File, OpenModel, on_shelf, shelf
from helpers.open_models.fetching import announcement, damaged, fetch, fetched, folder, home
from helpers.open_models.sizing import Forecast, Needs, forecast, machine_rates, memory_of_this_machine, needs

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "File",
    "Forecast",
    "Needs",
    "OpenModel",
    "announcement",
    "damaged",
    "fetch",
    "fetched",
    "folder",
    "forecast",
    "home",
    "machine_rates",
    "memory_of_this_machine",
    "needs",
    "on_shelf",
    "shelf",
    "table",
]


def table() -> pd.DataFrame:
    """The shelf as a table: sizes in 10^9 (parameters, bytes), and whether a model fits this machine and is here."""
    import pandas as pd

    memory = memory_of_this_machine()
    return pd.DataFrame(
        {
            "model": model.name,
            "parameters, 10^9": round(model.parameters / 1e9, 2),
            "download, GB": round(model.download / 1e9, 1),
            "to answer, GB": round(needs(model).prompt / 1e9, 1),
            "to tune quick, GB": round(needs(model).quick / 1e9, 1),
            "thorough, GB": round(needs(model).thorough / 1e9, 1),
            "fits here": _fits(needs(model), memory),
            "licence": model.licence,
            "hashes": "pinned" if model.pinned else "first use",
            "here": bool(folder(model.name)),
        }
        for model in shelf()
    ).set_index("model")


def _fits(needed: Needs, memory: int) -> str:
    if needed.prompt > memory:
        return "no"
    tuned = [recipe for recipe in ("quick", "thorough") if getattr(needed, recipe) <= memory]
    return ", ".join(["answers", *tuned])
