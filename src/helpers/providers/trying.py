"""What a server does with a seed and with a schema: asked in four short calls, since its description may not say."""

from __future__ import annotations

import json
import time
from typing import Any

import openai

QUESTION = "Describe the weather on an invented planet in one sentence."
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["teal", "ochre"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
"""An answer to :data:`QUESTION` that no model gives of itself."""

THINKS = (
    "It used up 24 tokens without a word of an answer: it seems to think before it answers, and the ladder's short "
    "answers leave no room for that, so all would count as cut off. Choose a model that answers at once, or switch its "
    "thinking off at the server."
)


def try_out(client: openai.OpenAI, model: str) -> list[str]:
    """Sentences on what this model's server keeps: a seed, a schema, and how long a short answer takes.

    Four short calls of at most 24 answer tokens; the first may load the model, and does not count for the time.

    Args:
        client: the server; each call may take two minutes and is not repeated.
        model: its id in requests.

    Raises:
        openai.OpenAIError: the server refuses a plain question.
    """
    asked = client.with_options(max_retries=0, timeout=120)
    thinks = not _answer(asked, model)
    started = time.monotonic()
    drawn = [_answer(asked, model, temperature=1.0, seed=7) for _ in range(2)]
    seconds = (time.monotonic() - started) / 2
    return [
        "It keeps a seed: the same draw came twice."
        if drawn[0] == drawn[1]
        else "It keeps no seed: the same draw gave two answers. Sampled answers cannot be had again; the ladder asks "
        "at temperature 0, where this matters less.",
        "It enforces a schema."
        if _keeps_schema(asked, model)
        else "It does not enforce a schema: rungs with one are a wish here, not a guarantee. Read their answers.",
        f"A short answer takes about {seconds:.1f} s.",
        *[THINKS] * thinks,
    ]


def _answer(client: openai.OpenAI, model: str, **options: Any) -> str:
    asked = [{"role": "user", "content": QUESTION}]
    reply = client.chat.completions.create(model=model, messages=asked, max_tokens=24, **options)  # type: ignore[call-overload]
    return reply.choices[0].message.content or ""


def _keeps_schema(client: openai.OpenAI, model: str) -> bool:
    form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
    try:
        answer = json.loads(_answer(client, model, temperature=0.0, response_format=form))
    except (openai.APIStatusError, ValueError):
        return False
    return isinstance(answer, dict) and answer.get("colour") in ("teal", "ochre") and len(answer) == 1
