"""A causal language model taken apart: embeddings, a stack of decoder layers, a final norm, a head.

Training runs the lower layers once and the upper ones often; serving gives each layer its own idea of attention. Both
need to walk the stack themselves. Whether a model can be walked is tried and compared when it is opened, not guessed.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from helpers.errors import AssetError


def device() -> torch.device:
    """The accelerator where there is one, else the CPU."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def weights_dtype(where: torch.device, training: bool) -> torch.dtype:
    """The type that a base model's weights are held in.

    On a CPU fp32, exactly. On an accelerator bf16; where it has none, fp16 to answer and fp32 to train, because fp16
    gradients would need scaling. (Accelerators: built from torch's documentation; tests run the types on a CPU.)

    Args:
        where: the device that the model runs on.
        training: whether gradients will go through it.
    """
    if where.type == "cpu":
        return torch.float32
    has_bf16 = (
        torch.cuda.is_bf16_supported(including_emulation=False)
        if where.type == "cuda"
        else where.type != "mps" or torch.backends.mps.is_macos_or_newer(14, 0)
    )
    return torch.bfloat16 if has_bf16 else torch.float32 if training else torch.float16


class Transformer:
    """A loaded model.

    Attributes:
        model: the ``transformers`` model, in evaluation mode, without gradients.
        layers: its decoder layers, lowest first.
        walkable: whether :meth:`walk` gives what the model's own ``forward`` gives.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model.eval().requires_grad_(False)
        body = getattr(model, "model", None)
        parts = ("embed_tokens", "layers", "rotary_emb", "norm")
        self.body = body
        self.walkable = all(hasattr(body, part) for part in parts) and self._is_plain() and self._walks_right()

    @property
    def layers(self) -> nn.ModuleList:
        """The decoder layers, lowest first."""
        return self.body.layers

    @property
    def head(self) -> Tensor:
        """The output matrix, (vocabulary, width)."""
        return self.model.lm_head.weight

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of its weights."""
        return self.model.dtype

    def embed(self, ids: Tensor) -> Tensor:
        """What goes into the lowest layer, (rows, tokens, width), from ids (rows, tokens)."""
        return self.body.embed_tokens(ids)

    def walk(self, hidden: Tensor, positions: Tensor, first: int = 0, last: int | None = None, **how: Any) -> Tensor:
        """Run some of the layers.

        No mask is made: the attention that the model was set to decides what a token sees.

        Args:
            hidden: (rows, tokens, width).
            positions: (rows or 1, tokens).
            first: number of the first layer to run.
            last: the layer before which it stops; None: the topmost one runs, too.
            how: what that attention needs to know.
        """
        rotary = self.body.rotary_emb(hidden, position_ids=positions)
        for layer in self.layers[first:last]:
            hidden = layer(hidden, attention_mask=None, position_embeddings=rotary, position_ids=positions, **how)
        return hidden

    def normed(self, hidden: Tensor) -> Tensor:
        """The final norm, ready for :attr:`head`."""
        return self.body.norm(hidden)

    def _is_plain(self) -> bool:
        kinds = set(getattr(self.model.config, "layer_types", None) or ["full_attention"])
        head = getattr(self.model, "lm_head", None)
        return kinds == {"full_attention"} and isinstance(head, nn.Linear) and head.bias is None

    @torch.no_grad()
    def _walks_right(self) -> bool:
        """Compare on a few tokens: scaled embeddings, capped logits and other surprises show here."""
        ids = torch.arange(3, 11, device=self.device)[None] % self.model.config.vocab_size
        try:
            own = self.normed(self.walk(self.embed(ids), torch.arange(8, device=self.device)[None])) @ self.head.T
        except (TypeError, ValueError, AttributeError, RuntimeError):
            return False
        theirs = self.model(input_ids=ids, use_cache=False).logits
        near = 1e-3 if theirs.dtype == torch.float32 else 0.1
        return torch.allclose(own, theirs, atol=near, rtol=near)


def open_model(folder: Path, training: bool = False) -> Transformer:
    """Load a causal language model (safetensors only, no code from its folder is run).

    Args:
        folder: in Hugging Face's layout.
        training: whether it is loaded to be trained; see :func:`weights_dtype`.

    Raises:
        AssetError: the folder holds no such model.
    """
    logging.disable_progress_bar()
    where = device()
    dtype = weights_dtype(where, training)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise AssetError(
            "The base model cannot be loaded.",
            got=str(error),
            fix="Fetch it again: python -m helpers.assets, or python -m helpers.open_models NAME",
        ) from error
    transformer = Transformer(model.to(where))
    gc.collect()
    return transformer
