"""The base models of this machine: the one that the kit brings, and those of the shelf that have been fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from helpers import assets, open_models
from helpers.errors import AssetError


@dataclass(frozen=True)
class Base:
    """A base model: its id, its name to readers, where its folder is (fetched first when it is missing), and how many
    numbers its weights hold."""

    id: str
    title: str
    folder: Callable[[], Path]
    parameters: int


DEFAULT = Base("smollm2-135m-instruct", "SmolLM2-135M-Instruct (from 4-bit weights)", assets.base_model, 134_515_008)
"""Its size is written down, so that a list of models fetches nothing."""


def fetched() -> list[Base]:
    """The shelf's models on this machine, the default one apart."""
    return [
        Base(model.name, model.title, partial(_folder_of, model.name), model.parameters)
        for model in open_models.fetched()
        if model.name != DEFAULT.id
    ]


def _folder_of(name: str) -> Path:
    folder = open_models.folder(name)
    if folder is None:
        raise AssetError(f"The files of {name} are not whole.", fix=how_to_get(name))
    return folder


def is_on_shelf(name: str) -> bool:
    """Whether the kit knows an open model of this name, fetched or not."""
    return any(model.name == name for model in open_models.shelf())


def how_to_get(name: str) -> str:
    """What to do about a model that is not here."""
    if is_on_shelf(name):
        return f"It stands on the shelf: fetch it with `python -m helpers.open_models {name}`, then ask again."
    return "GET /v1/models lists what does."


def will_not_fit(name: str, recipe: str) -> str:
    """Why a fetched model of the shelf cannot be tuned in this machine's memory, or nothing.

    Args:
        name: the model's.
        recipe: ``"quick"`` or ``"thorough"``; the latter needs more.
    """
    model = next((one for one in open_models.shelf() if one.name == name and one.name != DEFAULT.id), None)
    memory = open_models.memory_of_this_machine()
    if model is None or getattr(open_models.needs(model), recipe) <= memory:
        return ""
    needed = getattr(open_models.needs(model), recipe)
    fitting = [one.name for one in open_models.shelf() if getattr(open_models.needs(one), recipe) <= memory]
    return (
        f"Tuning {name} ({recipe}) needs about {needed / 1e9:.1f} GB of memory, this machine has {memory / 1e9:.1f}; "
        f"these would fit: {', '.join(fitting) or 'none of the shelf'}"
    )
