"""Sentence embeddings: the model behind ``/v1/embeddings``, and a program of its own for the kit's classifiers.

``python -m helpers.local_api.engine.embed FOLDER OUT.npy < texts.json``: ``FOLDER`` holds all-MiniLM-L6-v2, standard
input a JSON list of texts; ``OUT.npy`` gets a float32 array of shape (texts, 384), one unit vector a text, in the same
order. So torch loads here and never in a notebook's kernel.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

MODEL = "all-minilm-l6-v2"
"""Its id at the API."""
MAX_TOKENS = 256
"""What the model was trained on; the rest of a longer text is not read."""
WIDTH = 384
"""Numbers of a vector."""
BATCH = 32


class Embedder:
    """all-MiniLM-L6-v2, loaded from ``folder``."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer
        from transformers import AutoModel

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        loaded = AutoModel.from_pretrained(folder, local_files_only=True, trust_remote_code=False, use_safetensors=True)
        self._model = loaded.eval()

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, all of them, the two marks around it included."""
        return [one.ids for one in self._tokenizer.encode_batch(list(texts))]

    def vectors(self, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """Unit vectors of one batch, float32 (texts, 384): the mean of the last layer over a text's own tokens, of
        which the first 256 are read."""
        import torch

        read = [ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]] for ids in tokens]
        ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(one) for one in read], batch_first=True)
        mask = torch.arange(ids.shape[1]) < torch.tensor([len(one) for one in read])[:, None]
        with torch.inference_mode():
            hidden = self._model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        weight = mask.unsqueeze(-1)
        mean = (hidden * weight).sum(1) / weight.sum(1)
        return torch.nn.functional.normalize(mean, dim=1).numpy()


def embed(folder: Path, texts: Sequence[str]) -> np.ndarray:
    """Unit vectors of any number of texts.

    Args:
        folder: of all-MiniLM-L6-v2.
        texts: of each the first 256 tokens are read.

    Returns:
        float32 (texts, 384), in the order of the texts.
    """
    embedder = Embedder(folder)
    vectors = np.zeros((len(texts), WIDTH), dtype=np.float32)
    by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # batches of like lengths pad little
    for start in range(0, len(texts), BATCH):
        places = by_length[start : start + BATCH]
        vectors[places] = embedder.vectors(embedder.tokens([texts[place] for place in places]))
    return vectors


if __name__ == "__main__":
    np.save(sys.argv[2], embed(Path(sys.argv[1]), json.load(sys.stdin)))
