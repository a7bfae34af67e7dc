"""Does the model say the same there? The same rows, asked of this kit's API and of another server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from helpers import jobs, tokens
from helpers.errors import DeployError
from helpers.formatting import plural
from helpers.records import Example

if TYPE_CHECKING:
    import openai

ROWS = 10
ROOM = 16
"""Tokens that an answer may have beyond twice the longest ideal one: a model that does not stop there shows."""


@dataclass(frozen=True)
class SameAnswers:
    """Answers of two servers to the same rows.

    Attributes:
        same: how many are equal, white space at their ends aside.
        asked: how many rows were asked.
        sentence: both in words.
        table: one line a row: ``question``, ``here``, ``there``, ``same``, and ``ended here`` and ``ended there``
            ("stop"; "length" is an answer that did not end by itself).
    """

    same: int
    asked: int
    sentence: str
    table: pd.DataFrame = field(compare=False)

    def __str__(self) -> str:
        different = [f"{line.question!r}\n  here:  {line.here!r}\n  there: {line.there!r}"
                     for line in self.table.itertuples() if not line.same]  # fmt: skip
        return "\n".join([self.sentence, *different])


def same_answers(
    here: openai.OpenAI, model: str, there: openai.OpenAI, their_model: str, rows: Sequence[Example], count: int = ROWS
) -> SameAnswers:
    """Ask the first rows of both servers, greedily, and compare what they say.

    A difference in one of ten is no fault: 16-bit weights round otherwise than 32-bit ones, and where two tokens are
    nearly as likely the other one may win. Most answers different, or answers without an end, are: another chat
    template, another tokenizer, or a server's own sampling.

    Args:
        here: where the model was trained.
        model: its id there.
        there: the other server: ``connect("http://127.0.0.1:8080/v1")``, ``connect("ollama")`` …
        their_model: what it calls the model.
        rows: rows with ideal answers, whose length sets the limit: validation rows, for example.
        count: how many of them are asked.

    Raises:
        DeployError: there are no rows, or a server refuses the model.
        HostError: a server does not answer.
    """
    asked = list(rows[:count])
    if not asked:
        raise DeployError("No row to ask about.", fix="Give rows, such as data.read(…)[:10].")
    limit = ROOM + 2 * max(tokens.counter(model).texts([row.answer for row in asked]))
    ours, theirs = (_said(client, name, asked, limit) for client, name in ((here, model), (there, their_model)))
    lines = [
        {"question": row.question, "here": one.text, "there": other.text,
         "same": one.text.strip() == other.text.strip(), "ended here": one.finish, "ended there": other.finish}
        for row, one, other in zip(asked, ours, theirs, strict=True)
    ]  # fmt: skip
    table = pd.DataFrame(lines)
    same = int(table["same"].sum())
    return SameAnswers(same, len(asked), f"{same} of {plural(len(asked), 'answer')} are the same there.", table)


def _said(client: openai.OpenAI, model: str, rows: Sequence[Example], limit: int) -> Sequence[jobs.Answer]:
    try:
        return jobs.ask(client, model, rows, limit)
    except jobs.REFUSALS as error:
        raise DeployError(
            f"The server at {client.base_url} does not answer for {model!r}.",
            got=jobs.reason(error),
            fix="List what it has with client.models.list().",
        ) from None
