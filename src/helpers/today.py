"""One day for the whole kit, so that every price, verdict and prompt can be looked at as of another one."""

from __future__ import annotations

import os
from datetime import date

from helpers.errors import FactsError


def today() -> date:
    """The day on which facts are looked at: today, or ``$KIT_TODAY`` (an ISO date) to see a lesson as of a day.

    Raises:
        FactsError: ``$KIT_TODAY`` is not an ISO date.
    """
    frozen = os.environ.get("KIT_TODAY")
    if not frozen:
        return date.today()
    try:
        return date.fromisoformat(frozen)
    except ValueError:
        raise FactsError(
            "The environment variable KIT_TODAY is not a date.", got=repr(frozen), fix="Write it as YYYY-MM-DD."
        ) from None
