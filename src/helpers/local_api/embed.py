"""Sentence embeddings in a process of their own: ``python -m helpers.local_api.embed FOLDER OUT.npy < texts.json``.

``FOLDER`` holds all-MiniLM-L6-v2, standard input a JSON list of texts; ``OUT.npy`` gets a float32 array of shape
(texts, 384), one unit vector a text, in the same order. So torch loads here and never in a notebook's kernel.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

MOST_TOKENS = 256
"""What the model was trained on; the rest of a longer text is not read."""
BATCH = 32


def embed(folder: Path, texts: list[str]) -> np.ndarray:
    """Unit vectors, (texts, 384): the mean of the last layer over a text's own tokens."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MOST_TOKENS)
    tokenizer.enable_padding()
    model = AutoModel.from_pretrained(folder, local_files_only=True, trust_remote_code=False, use_safetensors=True)
    model.eval()
    vectors = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
    by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # batches of like lengths pad little
    for start in range(0, len(texts), BATCH):
        places = by_length[start : start + BATCH]
        encoded = tokenizer.encode_batch([texts[place] for place in places])
        ids = torch.tensor([one.ids for one in encoded])
        mask = torch.tensor([one.attention_mask for one in encoded])
        with torch.inference_mode():
            hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1)
        mean = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)
        vectors[places] = torch.nn.functional.normalize(mean, dim=1).numpy()
    return vectors


if __name__ == "__main__":
    np.save(sys.argv[2], embed(Path(sys.argv[1]), json.load(sys.stdin)))
