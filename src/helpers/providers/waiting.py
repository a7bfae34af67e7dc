"""How long a host asks to wait before the next call."""

from __future__ import annotations

import contextlib
import email.utils
import time

import openai


def asked_to_wait(error: Exception) -> float | None:
    """Seconds that the host asks to wait, 0 or more; None where it does not, or not so that it can be read.

    ``Retry-After`` is a number of seconds or a date; a date is held against the host's own ``Date``, for its clock may
    not be ours. ``retry-after-ms``, which OpenAI's SDK reads too, is the more exact one.
    """
    if not isinstance(error, openai.APIStatusError):
        return None
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        with contextlib.suppress(ValueError):
            return max(0.0, float(headers.get(name, "")) / unit)
    with contextlib.suppress(ValueError, OverflowError):  # a date that no calendar has
        then, now = (email.utils.parsedate_tz(headers.get(name, "")) for name in ("retry-after", "date"))
        if then:
            return max(0.0, email.utils.mktime_tz(then) - (email.utils.mktime_tz(now) if now else time.time()))
    return None
