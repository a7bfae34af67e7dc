"""LoRA adapters on disk, in PEFT's layout, read without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from helpers.errors import AssetError

UNSUPPORTED = ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "lora_bias", "fan_in_fan_out")


@dataclass(frozen=True, eq=False)
class AdapterFiles:
    """An adapter's numbers.

    Attributes:
        scale: what B A is multiplied by before it is added to a weight.
        pairs: A (rank, in) and B (out, rank) for each adapted module, by the module's name in the base model.
    """

    scale: float
    pairs: dict[str, tuple[np.ndarray, np.ndarray]]


def read_adapter(folder: Path) -> AdapterFiles:
    """Read ``adapter_config.json`` and ``adapter_model.safetensors``.

    Raises:
        AssetError: a file is missing or damaged, or the adapter is not a plain LoRA.
    """
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "adapter_model.safetensors")
        rank, alpha = config["r"], config["lora_alpha"]
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise AssetError(f"The adapter {folder.name} cannot be read.", got=str(error), fix="Train it again.") from error
    strange = [name for name in UNSUPPORTED if config.get(name)]
    ends = (".lora_A.weight", ".lora_B.weight")
    strange += [name for name in tensors if not name.endswith(ends)]
    if config.get("peft_type") != "LORA" or strange:
        raise AssetError(
            f"The adapter {folder.name} is not a plain LoRA.",
            got=", ".join(strange[:5]) or str(config.get("peft_type")),
            fix="Only LoRA matrices on linear layers can be served here.",
        )
    names = {name.removeprefix("base_model.model.").rsplit(".lora_", 1)[0] for name in tensors}
    pairs = {n: tuple(tensors[f"base_model.model.{n}{end}"] for end in ends) for n in sorted(names)}
    return AdapterFiles(alpha / (rank**0.5 if config.get("use_rslora") else rank), pairs)
