"""What a model's name says: its base, and how large it is."""

from __future__ import annotations

import re

TEACHING_BELOW = 1.0
"""Billions of parameters under which a prompted model is a teaching model. A judgement: such models follow instructions
badly and copy well, so prompting looks hopeless beside tuning, the reverse of what a large model shows."""

_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)(b|m)(?![a-z0-9])")
"""A size in a model's name: ``0.6b``, ``135m``, ``8x7b``."""

_MIN_MILLIONS = 10
"""``1m`` in a name is a context of a million tokens, not a model of one million parameters."""


def is_tuned(model: str) -> bool:
    """Whether a model's id says that it was fine-tuned, as OpenAI's and the local API's do."""
    return model.startswith("ft:")


def base_of(model: str) -> str:
    """The base model in a tuned model's id (``ft:BASE:suffix``); any other id is returned as it is."""
    return model.split(":")[1] if is_tuned(model) else model


def size_in_name(model: str) -> float | None:
    """Billions of parameters that a model's name says: ``Qwen3-0.6B`` 0.6, ``smollm2-135m`` 0.135, ``8x7b`` 56.

    Of several the largest counts (``30b-a3b`` has 30 billion parameters and uses 3 at a time).
    """
    sizes = []
    for experts, number, unit in _SIZE.findall(model.lower().replace("_", "-")):
        if unit == "m" and float(number) < _MIN_MILLIONS:
            continue
        sizes.append(float(number) * (int(experts) if experts else 1) / (1 if unit == "b" else 1000))
    return max(sizes, default=None)
