"""What is read in a chat completion: an answer, a refusal, or why it is neither."""

from __future__ import annotations

from typing import Any

from helpers.evaluate.inference.store import Reply

THOUGHT = "it was still thinking when max_tokens was used up: choose a model that answers at once, or allow more tokens"
"""No answer is no wrong answer: models that think first need room that short answers do not."""


def read(completion: Any) -> Reply:
    """The reply in a chat completion. A refusal is an answer; a filter at the host that lets nothing through is not."""
    try:
        choice = completion.choices[0]
        text, refusal = choice.message.content, getattr(choice.message, "refusal", None)
        finish = str(choice.finish_reason or "")
    except (AttributeError, IndexError, TypeError):
        return Reply(missing=f"not a chat completion: {str(completion)[:200]}")
    if not text and finish == "length" and _thought(choice.message):
        return Reply(missing=THOUGHT)
    if text is None and refusal is None and finish != "length":
        return Reply(missing=f"no text came back (finish_reason {finish or 'none'})")
    usage = completion.usage
    details = usage and usage.prompt_tokens_details
    return Reply(
        text=_whole(text if text is not None else refusal or ""),
        finish_reason="refusal" if text is None and refusal else finish,
        prompt_tokens=usage and usage.prompt_tokens,
        completion_tokens=usage and usage.completion_tokens,
        cached_tokens=details and details.cached_tokens,
    )


def _thought(message: Any) -> bool:
    """Whether a message shows what the model thought before its answer; hosts call that by one of two names."""
    return any(getattr(message, name, None) for name in ("reasoning_content", "reasoning"))


def _whole(text: str) -> str:
    """The text with half characters (an emoji cut in two) replaced: nothing could be stored or printed with them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
