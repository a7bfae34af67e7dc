"""Turn the pinned 4-bit file into fp32 safetensors, once.

``python -m helpers.local_api.formats.convert FILE.gguf FOLDER``. The values stay what 4 bits made them: the
result is "SmolLM2-135M-Instruct (from 4-bit weights)", on every machine the same. ``transformers`` de-quantises the
file itself.
"""

from __future__ import annotations

import sys
from pathlib import Path


def convert(weights: Path, target: Path) -> None:
    """Write a model's weights, configuration and tokenizer as ``transformers`` has them.

    Args:
        weights: the GGUF file.
        target: the folder to write.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {"pretrained_model_name_or_path": str(weights.parent), "gguf_file": weights.name}
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    # A model that still calls itself quantised is refused by save_pretrained; its weights are plain fp32 by now.
    model.hf_quantizer = None
    model.config.__dict__.pop("quantization_config", None)
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(**source).save_pretrained(target)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
