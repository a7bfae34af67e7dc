"""Sentence embeddings of texts: computed in a process of its own, kept by the text's hash."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from helpers import assets
from helpers.errors import AssetError
from helpers.project import kit_home

WIDTH = 384
PER_SECOND = 40
"""Texts of the sample's length, on one slow core: for the forecast."""
SAID_FROM = 2000
"""So many new texts take a minute: that is said before."""

_failed = ""
"""Why the embeddings could not be had in this session: the network is not asked again and again."""


def embed(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of all-MiniLM-L6-v2, and what each took.

    Nothing leaves the machine. The weights (about 90 MB) are fetched when they are missing; vectors are kept in
    ``embeddings`` below the kit's home, by the text's hash. The model reads the first 256 tokens of a text.

    Returns:
        A float32 array (texts, 384), and the seconds a text as it was computed (loading the model shared out).

    Raises:
        AssetError: the weights cannot be had, or the process that computes ended badly.
    """
    names = [_name(text) for text in texts]
    known = _kept(names)
    new = {name: text for name, text in zip(names, texts, strict=True) if name not in known}
    if new:
        found = _computed(list(new.values()))
        fresh = dict(zip(new, found, strict=True))
        _keep(fresh)
        known |= fresh
    vectors = [known[name][0] for name in names]
    return np.array(vectors, dtype=np.float32).reshape(-1, WIDTH), np.array([known[name][1] for name in names])


def _name(text: str) -> str:
    whole = f"{assets.EMBEDDER[0].sha256}\n{text}"
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()  # half a pair of UTF-16 is a text, too


def _computed(texts: list[str]) -> list[tuple[np.ndarray, float]]:
    folder = _model()
    if len(texts) >= SAID_FROM:
        print(f"Embedding {len(texts):,} texts: about {len(texts) / PER_SECOND / 60:.0f} minutes, once.", flush=True)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "vectors.npy"
        command = [sys.executable, "-m", "helpers.local_api.engine.embed", str(folder), str(out)]
        done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True)
        if done.returncode:
            raise AssetError(
                "The sentence embeddings could not be computed.",
                got=(done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1],
                fix="Run `python -m helpers.doctor`; it checks the packages that they need.",
            )
        vectors = np.load(out, allow_pickle=False)
    each = (time.perf_counter() - started) / len(texts)
    return [(vector, each) for vector in vectors]


def _model() -> Path:
    global _failed
    if _failed and not assets.have_embedder():
        raise AssetError(_failed)
    try:
        return assets.embedder()
    except (AssetError, OSError) as error:
        _failed = str(error)
        raise AssetError(_failed) from error


# --- kept vectors: where they cannot be read or written, all is computed again ----------------------------------------


@contextlib.contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    place = kit_home() / "embeddings" / "vectors.sqlite"
    place.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(place, timeout=60)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS vectors (name TEXT PRIMARY KEY, vector BLOB, seconds REAL)")
        yield connection


def _kept(names: Sequence[str]) -> dict[str, tuple[np.ndarray, float]]:
    found = {}
    with contextlib.suppress(sqlite3.Error, OSError), _database() as kept:
        for name in names:
            row = kept.execute("SELECT vector, seconds FROM vectors WHERE name = ?", (name,)).fetchone()
            if row and len(row[0]) == 4 * WIDTH:
                found[name] = np.frombuffer(row[0], dtype="<f4"), row[1]
    return found


def _keep(vectors: dict[str, tuple[np.ndarray, float]]) -> None:
    rows = [(name, vector.astype("<f4").tobytes(), seconds) for name, (vector, seconds) in vectors.items()]
    with contextlib.suppress(sqlite3.Error, OSError), _database() as kept:
        kept.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
