"""The rows of ``models.toml``: which models stand on the shelf, and what is known of each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from helpers.errors import AssetError

TABLE = Path(__file__).parent / "models.toml"
BYTES_OF_A_NUMBER = 2
"""On the hub weights are bf16; a file whose size is not written down is guessed from that."""


@dataclass(frozen=True)
class File:
    """One file of a model.

    Attributes:
        sha256: empty: not pinned, see :func:`helpers.open_models.fetch`.
        bytes: its size; 0: not known.
        optional: the revision may not have it.
    """

    name: str
    sha256: str = ""
    bytes: int = 0
    optional: bool = False


@dataclass(frozen=True)
class Shape:
    """What of a model decides how long it trains.

    Attributes:
        parameters: numbers in its weights.
        embedding: those of them in the table of tokens, which is the output matrix, too.
        layers, width: decoder layers, and numbers that a token has between them.
        layered: whether it is run layer by layer; else as a whole.
    """

    parameters: int
    embedding: int
    layers: int
    width: int
    layered: bool


@dataclass(frozen=True)
class OpenModel:
    """A model on the shelf. What each attribute means stands at the head of ``models.toml``."""

    name: str
    title: str
    hub: str
    revision: str
    licence: str
    parameters: int
    embedding: int
    layers: int
    width: int
    cache: int
    context: int
    template: str
    engine: str
    files: tuple[File, ...]
    as_of: date
    source: str
    why: str
    consent: str = ""
    gated: bool = False
    comes_from: str = ""

    @property
    def pinned(self) -> bool:
        """Whether every file has its sha256."""
        return all(file.sha256 for file in self.files)

    @property
    def download(self) -> int:
        """Bytes to download; guessed where a size is not written down."""
        weights = [file for file in self.files if file.name.endswith(".safetensors")]
        known = sum(file.bytes for file in self.files)
        return known if all(file.bytes for file in weights) else known + BYTES_OF_A_NUMBER * self.parameters

    @property
    def layered(self) -> bool:
        """Whether the local engine runs it layer by layer."""
        return self.engine == "layer by layer"

    @property
    def shape(self) -> Shape:
        """What decides how long it trains."""
        return Shape(self.parameters, self.embedding, self.layers, self.width, self.layered)


@cache
def shelf() -> tuple[OpenModel, ...]:
    """All models on the shelf, in the order of the table."""
    return tuple(_model(row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["model"])


def on_shelf(name: str) -> OpenModel:
    """The model of this name.

    Raises:
        AssetError: there is none.
    """
    for model in shelf():
        if model.name == name:
            return model
    known = ", ".join(model.name for model in shelf())
    raise AssetError(f"There is no model {name!r} on the shelf.", fix=f"Choose one of {known}.")


def _model(row: dict[str, Any]) -> OpenModel:
    return OpenModel(**{**row, "files": tuple(File(**file) for file in row["files"])})
