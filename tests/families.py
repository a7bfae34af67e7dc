"""Tiny random models of six architectures, each with a tokenizer and a chat template in its family's manner.

The templates are this kit's own texts: they have the marks, the roles and the quirks of the families (a switch for
reasoning, a system message inside the first question, a date, trimmed texts), not their words.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHATML = """{{- bos_token }}
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}"""

THINKING = """{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {%- set said = message.content.split('</think>')[-1].lstrip('\\n') %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if loop.last %}{{- '<think>\\n\\n</think>\\n\\n' }}{% endif %}
        {{- said + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{% endif %}
{%- endif %}"""

TURNS = """{{ bos_token }}
{%- set before = '' %}
{%- if messages[0]['role'] == 'system' %}
    {%- set before = messages[0]['content'] + '\\n\\n' %}
    {%- set messages = messages[1:] %}
{%- endif %}
{%- for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('user and model take turns') }}
    {%- endif %}
    {{- '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\\n' }}
    {{- before if loop.first else '' }}
    {{- message['content'] | trim + '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{% endif %}"""

HEADERS = """{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""

ROLES = """{%- if messages[0]['role'] != 'system' %}
    {{- '<|start_of_role|>system<|end_of_role|>Today is ' + strftime_now('%B %d, %Y') + '.<|end_of_text|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' + message['content'] + '<|end_of_text|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}"""

MODES = """{%- set mode = '/think' if enable_thinking is not defined or enable_thinking else '/no_think' %}
{%- if messages[0].role == 'system' and ' /think' in messages[0].content %}{% set mode = '/think' %}{% endif %}
{{- '<|im_start|>system\\n## Metadata\\nDate: ' + strftime_now('%d %B %Y') + '\\nMode: ' + mode + '\\n' }}
{%- if messages[0].role == 'system' %}{{- '\\n## Instructions\\n' + messages[0].content.rstrip() }}{% endif %}
{{- '<|im_end|>\\n' }}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<|im_start|>user\\n' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- generation %}
        {{- '<|im_start|>assistant\\n' + ('<think>\\n\\n</think>\\n' if mode == '/no_think' else '') }}
        {{- message.content.lstrip('\\n') + '<|im_end|>\\n' }}
        {%- endgeneration %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' + ('<think>\\n\\n</think>\\n' if mode == '/no_think' else '') }}
{%- endif %}"""


@dataclass(frozen=True)
class Family:
    """How a family's small members are made.

    Attributes:
        marks: special tokens; words: added tokens that are no special ones.
        model, config: names in transformers, and what its config adds to :data:`SHAPE`.
    """

    template: str
    marks: list[str]
    end: str
    model: str
    config: str
    more: dict[str, Any] = field(default_factory=dict)
    bos: str | None = None
    words: list[str] = field(default_factory=list)


IM = ["<|im_start|>", "<|im_end|>"]
THINK = ["<think>", "</think>"]
SHAPE = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "tie_word_embeddings": True, "initializer_range": 0.2,
}  # fmt: skip

FAMILIES = {
    "llama": Family(
        HEADERS, ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], "<|eot_id|>",
        "LlamaForCausalLM", "LlamaConfig", bos="<|begin_of_text|>",
    ),
    "qwen3": Family(
        THINKING, ["<|endoftext|>", *IM], "<|im_end|>", "Qwen3ForCausalLM", "Qwen3Config", {"head_dim": 8}, words=THINK
    ),
    "gemma3": Family(
        TURNS, ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"], "<end_of_turn>", "Gemma3ForCausalLM",
        "Gemma3TextConfig", {"head_dim": 8, "sliding_window": 16, "layer_types": ["sliding_attention"] * 3 + [
            "full_attention"], "query_pre_attn_scalar": 8}, bos="<bos>", words=["\n\n"],
    ),
    "lfm2": Family(
        CHATML, ["<|startoftext|>", *IM], "<|im_end|>", "Lfm2ForCausalLM", "Lfm2Config",
        {"layer_types": ["conv", "full_attention", "conv", "full_attention"]}, bos="<|startoftext|>",
    ),
    "granite": Family(
        ROLES, ["<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>"], "<|end_of_text|>", "GraniteForCausalLM",
        "GraniteConfig", {"embedding_multiplier": 3.0, "logits_scaling": 4.0, "residual_multiplier": 0.5},
    ),
    "smollm3": Family(
        MODES, ["<|begin_of_text|>", "<|end_of_text|>", *IM], "<|im_end|>", "SmolLM3ForCausalLM", "SmolLM3Config",
        words=THINK,
    ),
}  # fmt: skip

TEXTS = [
    "Where is my kettle? It came broken, and I want my money back, all of it, today.",
    'The answer is {"category": "delivery", "order_id": "BM-10042"} and nothing else.',
    "You are a helpful assistant of a shop. Be brief, be kind.\nsystem user assistant model tool",
    "Ein Kessel für die Küche; une bouilloire, s'il vous plaît; 水壶在哪里?",
]


def make(name: str, folder: Path) -> Path:
    """A model of the family: 4 layers, 32 dimensions, a vocabulary of some 600, seeded."""
    import torch
    import transformers
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    family = FAMILIES[name]
    split = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"  # as Llama 3's, Qwen's
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(split), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=560, special_tokens=family.marks, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=family.end, pad_token=family.end,
        **({"bos_token": family.bos} if family.bos else {}),
    )  # fmt: skip
    fast.add_tokens(family.words)
    fast.chat_template = family.template
    fast.save_pretrained(folder)
    torch.manual_seed(3)
    ids = {"eos_token_id": fast.eos_token_id, "pad_token_id": fast.pad_token_id, "bos_token_id": fast.bos_token_id}
    config = getattr(transformers, family.config)(vocab_size=len(fast), **SHAPE, **family.more, **ids)
    model = getattr(transformers, family.model)(config)
    model.to(torch.bfloat16).save_pretrained(folder)  # as on the hub
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"
    return folder
