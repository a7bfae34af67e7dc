"""Ollama's ``Modelfile`` of an exported model: the template of training in Go's language, and what else must be equal.

Ollama has defaults of its own that change answers: a short context, a temperature, in older versions a penalty on
repeated words (in JSON nearly every word repeats), and, where no template is given, the one of its list that looks
most like the file's. So all of these are written down. Sources, read 2026-11-30: ``docs/modelfile.mdx``,
``docs/template.md``, ``parser/parser.go`` and ``template/template.go`` of its repository.
"""

from __future__ import annotations

from pathlib import Path

from helpers.errors import AssetError
from helpers.local_api.engine.text.template import END, JINJA, START, context_length, exported

MAX_CONTEXT = 8192
"""Tokens of context that are asked for at most; each costs memory from the start (the sample's base: 23 kB)."""
TEMPLATE = (
    "{{- range .Messages }}"
    + START
    + '{{ if eq .Role "developer" }}system{{ else }}{{ .Role }}{{ end }}\n{{ .Content }}'
    + END
    + "\n{{ end }}"
    + START
    + "assistant\n"
)
"""The kit's chat template (:mod:`helpers.local_api.engine.text.template`) in Go's template language. Messages
of the same role that follow each other are joined by Ollama before it comes here; no training row of one question and
one answer has any."""


def modelfile(model: str, base: Path, weights: str = "model.gguf") -> str:
    """The text of the ``Modelfile`` that lies beside the file of weights.

    Args:
        model: its id, for readers.
        base: the base model's folder.
        weights: name of the file of weights.

    Raises:
        AssetError: the model was trained with another template than the kit's.
    """
    if JINJA not in exported(base):
        raise AssetError(
            "The model's chat template cannot be written for Ollama here.",
            got=f"the template of {base.name}",
            fix="Export it merged; Ollama reads such a folder (FROM FOLDER in a Modelfile).",
        )
    return f'''# {model}: ollama create mine -f Modelfile
FROM ./{weights}
TEMPLATE """{TEMPLATE}"""
PARAMETER stop "{END}"
PARAMETER stop "<|endoftext|>"
PARAMETER num_ctx {min(MAX_CONTEXT, context_length(base))}
PARAMETER temperature 0
PARAMETER repeat_penalty 1
'''
