"""LoRA in ``peft``'s layout, with arithmetic that suits a CPU.

``peft`` computes ``W x + s B (A x)`` with four small operations and two more passes over every activation, forward and
backward. Here the adapter is added into a copy of the weights once a step (1 % of a step's arithmetic), so that the
forward pass is a plain product; backward needs four thin products. Loss and gradients stay the same up to rounding.

Where bf16 products are asked for, both factors of a product are rounded to bf16; what is added up, remembered between
steps and passed from layer to layer stays fp32.
"""

from __future__ import annotations

import os
import shutil
import warnings
from copy import copy
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.tuners.lora import Linear as PeftLinear
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

RANK = 16
ALPHA = 32


class _MergedLinear(torch.autograd.Function):
    """``x @ merged.T`` where merged = W + s B A: gradients for x, A and B, none for W."""

    @staticmethod
    def forward(ctx, x: Tensor, merged: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        ctx.scale, ctx.dtype = scale, x.dtype
        x = x.to(merged.dtype)
        ctx.save_for_backward(x, merged, a, b)
        product = F.linear(x, merged).to(ctx.dtype)
        return product if bias is None else product.add_(bias)

    @staticmethod
    def backward(ctx, grad: Tensor):
        x, merged, a, b = ctx.saved_tensors
        grad, small_a, small_b = (tensor.to(merged.dtype) for tensor in (grad, a, b))
        flat_x, flat_grad = x.flatten(0, -2), grad.flatten(0, -2)
        through_b = (flat_grad @ small_b).mul_(ctx.scale)
        to_a = through_b.T @ flat_x
        to_b = flat_grad.T @ (flat_x @ small_a.T).mul_(ctx.scale)
        to_x = (grad @ merged).to(ctx.dtype) if ctx.needs_input_grad[0] else None
        return to_x, None, None, to_a.to(a.dtype), to_b.to(b.dtype), None


def adapted(model: PreTrainedModel, layers: list[int] | None, seed: int) -> PeftModel:
    """Put a fresh LoRA adapter around every Linear layer of a model, in place; the output matrix stays as it is.

    Args:
        model: the base model.
        layers: indices of the decoder layers to adapt; None: all.
        seed: of the random start of the A matrices.
    """
    torch.manual_seed(seed)
    head = model.get_output_embeddings()
    linear = {n.rsplit(".", 1)[-1] for n, m in model.named_modules() if isinstance(m, nn.Linear) and m is not head}
    config = LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=0.0,
        target_modules=sorted(linear),
        layers_to_transform=layers,
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():  # peft asks transformers by an older name
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        return get_peft_model(model, config)


def save_adapter(peft: PeftModel, base_name: str, folder: Path) -> None:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors``: aside first, then renamed into place.

    Args:
        peft: the adapted model.
        base_name: the base model's name, for ``adapter_config.json``: its folder is nobody else's business.
        folder: what was there is replaced.
    """
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        # False: only A and B; "auto" would ask the hub whether the vocabulary grew
        state = get_peft_model_state_dict(peft, save_embedding_layers=False)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
        save_file(tensors, aside / "adapter_model.safetensors", metadata={"format": "pt"})
        config = copy(peft.peft_config["default"])
        config.base_model_name_or_path, config.inference_mode = base_name, True
        config.save_pretrained(aside)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


class Adapter:
    """A trainable LoRA adapter put into a model.

    Args:
        model: the base model; its Linear layers are wrapped in place.
        layers: indices of the decoder layers to adapt; None: all.
        base_name: the base model's name, for ``adapter_config.json``.
        seed: of the random start of the A matrices.
        products: the type that activations and weights are multiplied in.
    """

    def __init__(
        self, model: PreTrainedModel, layers: list[int] | None, base_name: str, seed: int, products: torch.dtype
    ) -> None:
        self.base_name = base_name
        self.peft = adapted(model, layers, seed)
        self.config = self.peft.peft_config["default"]
        self.modules = [m for m in self.peft.modules() if isinstance(m, PeftLinear)]
        for module in self.modules:
            module.merged_weight = torch.empty_like(module.base_layer.weight, dtype=products)
            module.forward = _forward_of(module)
        self.merge()

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The A and B matrices, in a fixed order."""
        return [p for m in self.modules for p in (m.lora_A["default"].weight, m.lora_B["default"].weight)]

    @torch.no_grad()
    def merge(self) -> None:
        """Take the current A and B into the weights that the forward pass uses. Call after each optimiser step."""
        for m in self.modules:
            a, b = m.lora_A["default"].weight, m.lora_B["default"].weight
            m.merged_weight.copy_(torch.addmm(m.base_layer.weight.to(b.dtype), b, a, alpha=m.scaling["default"]))

    def save(self, folder: Path) -> None:
        """Write the adapter as it is: see :func:`save_adapter`."""
        save_adapter(self.peft, self.base_name, folder)


def _forward_of(module: PeftLinear):
    """A stand-in for the module's ``forward``: one product with the merged weight."""
    a, b, scale = module.lora_A["default"].weight, module.lora_B["default"].weight, module.scaling["default"]

    def forward(x: Tensor) -> Tensor:
        return _MergedLinear.apply(x, module.merged_weight, module.base_layer.bias, a, b, scale)

    return forward
