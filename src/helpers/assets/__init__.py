"""Files that the kit needs and git does not carry: fetched once, pinned by sha256, kept under ``.local/assets``.

``python -m helpers.assets`` fetches what every lesson needs and says beforehand how many megabytes that is; with
``--all`` also the sentence embeddings, which else are fetched when first used. Each file has several mirrors; whichever
answers, the bytes are the same or they are refused. To work without any network, put the files named in ``pinned.py``
into a folder, with their subfolders or without, and point ``KIT_ASSETS_FROM`` at it.
"""

from helpers.assets.fetching import folder
from helpers.assets.kept import base_model, embedder, have_embedder, missing, vocabularies, whole_embedder
from helpers.assets.pinned import BASE_WEIGHTS, EMBEDDER, EMBEDDER_FOLDER, VOCABULARIES, Asset, Url, Wheel

__all__ = [
    "BASE_WEIGHTS",
    "EMBEDDER",
    "EMBEDDER_FOLDER",
    "VOCABULARIES",
    "Asset",
    "Url",
    "Wheel",
    "base_model",
    "embedder",
    "folder",
    "have_embedder",
    "missing",
    "vocabularies",
    "whole_embedder",
]
