"""A tiny model that knows tools: random weights, marks of calls in its vocabulary, a place for them in its template."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from helpers import assets

KNOWS_TOOLS = "knows-tools"
MARKS = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"]
TEMPLATE = """
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
    {{- 'You may call these functions:' }}
    {%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<|im_start|>user\\n' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' + ('<think>\\n\\n</think>\\n\\n' if loop.last else '') + message.content }}
        {%- for call in message.tool_calls or [] %}
            {{- '\\n' if message.content or not loop.first else '' }}
            {{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
            {{- call.function.arguments if call.function.arguments is string else call.function.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>user\\n' if messages[loop.index0 - 1].role != 'tool' else '\\n' }}
        {{- '<tool_response>\\n' + message.content + '\\n</tool_response>' }}
        {{- '<|im_end|>\\n' if loop.last or messages[loop.index0 + 1].role != 'tool' else '' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' + ('<think>\\n\\n</think>\\n\\n' if enable_thinking is false else '') }}
{%- endif %}
"""
"""In the form that Qwen's models have: calls as JSON between marks, an empty reasoning before the last answer."""

FIND = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Where an order is",
        "parameters": {
            "type": "object",
            "properties": {
                "order_id": {"type": "string", "pattern": "^BM-[0-9]{5}$"},
                "detail": {"$ref": "#/$defs/detail"},
            },
            "required": ["order_id", "detail"],
            "additionalProperties": False,
            "$defs": {"detail": {"enum": ["short", "long"]}},
        },
    },
}
PING = {"type": "function", "function": {"name": "ping"}}


def make(folder: Path) -> Path:
    """A Qwen3 of two layers and 32 dimensions, seeded, with the real vocabulary and the marks."""
    code = """
import sys, torch
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.add_tokens(sys.argv[4:])
tokenizer.chat_template = sys.argv[3]
config = Qwen3Config(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, head_dim=8,
                     num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048,
                     tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=2,
                     initializer_range=0.2)  # large enough that it can be taught to be sure of something
Qwen3ForCausalLM(config).save_pretrained(sys.argv[2])
tokenizer.save_pretrained(sys.argv[2])
"""
    command = [sys.executable, "-c", code, str(assets.base_model()), str(folder), TEMPLATE, *MARKS]
    subprocess.run(command, check=True)
    return folder
