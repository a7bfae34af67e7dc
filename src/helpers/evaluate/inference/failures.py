"""What a failed call means: why there is no answer, and how often to try again."""

from __future__ import annotations

import openai

from helpers.evaluate.inference.clipping import refused

ATTEMPTS = 8
"""Tries for a call that a rate limit turned away."""
ATTEMPTS_BROKEN = 5
"""Tries for a call that ended in a broken connection or an error at the host."""
TIMEOUT = 600.0
"""Seconds for one answer, as the SDK has it: a slow laptop that is sent 32 long prompts at once needs minutes."""


def reason(error: openai.APIError) -> tuple[str, int]:
    """Why there is no answer, and after how many attempts to say so (1: at once)."""
    if isinstance(error, openai.APITimeoutError):
        return f"no answer within {TIMEOUT:.0f} s", 2
    if isinstance(error, openai.APIConnectionError):
        return f"connection broken: {error.__cause__ or error}", ATTEMPTS_BROKEN
    if isinstance(error, openai.RateLimitError):
        return f"rate limit: {message(error)}", ATTEMPTS
    if isinstance(error, openai.APIStatusError):
        if error.status_code < 500 and (too_long := refused(error.body)):
            return too_long, 1
        passing = error.status_code >= 500 or error.status_code in (408, 409)
        return f"{error.status_code}: {message(error)}", ATTEMPTS_BROKEN if passing else 1
    return f"not a chat completion: {message(error)}", 1


def message(error: openai.APIError) -> str:
    """What the host says, in 300 characters at most."""
    body = error.body
    text = body.get("message") if isinstance(body, dict) else None
    return str(text or error)[:300]
