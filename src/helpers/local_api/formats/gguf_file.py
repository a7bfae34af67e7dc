"""One file that llama.cpp, Ollama and LM Studio read: weights, vocabulary and chat template as GGUF.

Written with ``gguf``, llama.cpp's own library, for models of the Llama architecture without biases, with a byte-level
BPE vocabulary that is cut as GPT-2's or SmolLM's is. Matrices are stored as fp16, the norms' vectors as fp32: so does
llama.cpp's converter by default with weights that are not bf16, and an export's are fp32. Other models are refused with
that converter's command.

Compared with what the converter of llama-cpp-python 0.3.36 makes of the kit's base: all 272 tensors are the same
bytes, and so are tokens, merges, their kinds and the chat template. It also writes the file's kind and size, the
version of a quantisation that there is none of, and a token for unknown texts that this vocabulary does not need. One
difference shows in answers: it knows SmolLM's vocabulary and has each digit cut off beforehand (``smollm``). The
base's own ``tokenizer.json`` does not, so neither did training, and two blanks before a digit are other tokens there.
Here what ``tokenizer.json`` says is written (``gpt-2``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from helpers.errors import AssetError
from helpers.local_api.engine.text.template import ChatTemplate, context_length, exported

ARCHITECTURE = "LlamaForCausalLM"
PLAIN = {"attention_bias": False, "mlp_bias": False, "hidden_act": "silu"}
"""The only settings of a Llama model that are written here (llama.cpp itself also reads biases)."""
DIGITS = {"type": "Digits", "individual_digits": True}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
SPLITTERS = {"gpt-2": [BYTES], "smollm": [DIGITS, BYTES]}
"""llama.cpp's name for how a text is cut before BPE, and the same in the words of ``tokenizer.json``."""


def write_gguf(weights: Mapping[str, np.ndarray], base: Path, name: str, to: Path) -> None:
    """Write one ``.gguf`` file.

    Args:
        weights: by their names in Hugging Face's layout.
        base: the base model's folder: configuration and vocabulary.
        name: the model's name, for readers.
        to: the file.

    Raises:
        AssetError: the model is of another kind.
    """
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    vocabulary = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))
    splitter = _refuse_others(config, vocabulary)
    writer = gguf.GGUFWriter(to, "llama")
    writer.add_name(name)
    _add_shape(writer, config, context_length(base))
    _add_vocabulary(writer, vocabulary, splitter, config["vocab_size"], ChatTemplate(base))
    writer.add_chat_template(exported(base))
    _add_weights(writer, weights, config)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _refuse_others(config: Mapping[str, Any], vocabulary: Mapping[str, Any]) -> str:
    """llama.cpp's name of the splitter.

    Raises:
        AssetError: this is no plain Llama with a byte-level BPE vocabulary that is known here.
    """
    strange = [] if config["architectures"] == [ARCHITECTURE] else [", ".join(config["architectures"])]
    strange += [f"{name} {config[name]!r}" for name, plain in PLAIN.items() if config.get(name, plain) != plain]
    if _rope(config).get("rope_type", "default") != "default":
        strange.append(f"rope_type {_rope(config)['rope_type']!r}")
    cut = vocabulary["pre_tokenizer"] or {}
    steps = [_essence(step) for step in cut.get("pretokenizers", [cut])]
    splitter = next((name for name, known in SPLITTERS.items() if known == steps), "")
    if vocabulary["model"]["type"] != "BPE" or vocabulary["normalizer"] or not splitter:
        strange.append(f"the tokenizer's {vocabulary['model']['type']} with {[step.get('type') for step in steps]}")
    if strange:
        raise AssetError(
            "Only a Llama model with a byte-level BPE vocabulary can be written as GGUF here.",
            got="; ".join(strange),
            fix='Export it with kind="merged", then use llama.cpp\'s own converter: '
            "python convert_hf_to_gguf.py FOLDER --outfile model.gguf",
        )
    return splitter


def _essence(step: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in step.items() if key != "trim_offsets"}  # of offsets, not of tokens


def _rope(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """In the words of transformers 5; older files have ``rope_theta`` and ``rope_scaling``."""
    older = {"rope_theta": config.get("rope_theta", 10000.0), **(config.get("rope_scaling") or {})}
    return config.get("rope_parameters") or older


def _width(config: Mapping[str, Any]) -> int:
    """Of an attention head."""
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def _add_shape(writer: gguf.GGUFWriter, config: Mapping[str, Any], context: int) -> None:
    writer.add_context_length(context)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(_width(config))
    writer.add_value_length(_width(config))
    writer.add_rope_dimension_count(_width(config))
    writer.add_rope_freq_base(_rope(config)["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


def _add_vocabulary(
    writer: gguf.GGUFWriter, vocabulary: Mapping[str, Any], splitter: str, size: int, template: ChatTemplate
) -> None:
    """The tokens in their order; places without one are named and never used."""
    names = {number: token for token, number in vocabulary["model"]["vocab"].items()}
    added = {token["id"]: token for token in vocabulary["added_tokens"]}
    kinds = {number: gguf.TokenType.CONTROL if one["special"] else gguf.TokenType.USER_DEFINED
             for number, one in added.items()}  # fmt: skip
    names |= {number: token["content"] for number, token in added.items()}
    normal = dict.fromkeys(names, gguf.TokenType.NORMAL) | kinds
    merges = vocabulary["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitter)
    writer.add_token_list([names.get(number, f"[PAD{number}]") for number in range(size)])
    writer.add_token_types([normal.get(number, gguf.TokenType.UNUSED) for number in range(size)])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(template.start)
    writer.add_eos_token_id(template.end)
    writer.add_pad_token_id(template.end)
    writer.add_add_bos_token(False)  # the chat template writes every mark itself
    writer.add_add_space_prefix(False)


def _add_weights(writer: gguf.GGUFWriter, weights: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> None:
    """Under llama.cpp's names; matrices in 16 bits, the norms' vectors in 32."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for name, weight in weights.items():
        there = names.get_name(name, try_suffixes=(".weight",))
        if there is None:
            raise AssetError("A weight has no place in llama.cpp's Llama models.", got=name, fix="Export it merged.")
        module = name.split(".")[-2]
        if module in heads:
            weight = _interleaved(weight, heads[module])
        writer.add_tensor(there, weight.astype(np.float16 if weight.ndim > 1 else np.float32))


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows as llama.cpp rotates them: neighbours belong together, where Hugging Face pairs a head's two halves."""
    halves = weight.reshape(heads, 2, -1, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)
