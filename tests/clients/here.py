"""Where the local API is, for the scripts beside this one: each is run with its client's own Python."""

import json
import os
from typing import Literal

from pydantic import BaseModel

BASE_URL, KEY, ROWS = os.environ["BASE_URL"], os.environ["KEY"], os.environ["ROWS"]
MODEL, TOOL_MODEL, TRAINED = os.environ["MODEL"], os.environ["TOOL_MODEL"], os.environ["TRAINED"]
TURNS = ("My parcel is late.", "It was sent on Monday.", "What should I do?")
QUESTION = "My kettle is broken and I want my money back."


class Ticket(BaseModel):
    """What a customer's message is about."""

    category: Literal["delivery", "refund"]
    urgent: bool


def tell(**what) -> None:
    """What the script saw, for the test to judge."""
    print(json.dumps(what))


def refusal_of(ask) -> str:
    """What the client says when ``ask`` is refused."""
    try:
        return f"not refused: {ask()}"
    except Exception as error:
        return str(error)
