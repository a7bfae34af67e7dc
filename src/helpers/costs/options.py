"""Ways to do the job: what names one, and which are worth comparing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Literal

from helpers import facts
from helpers.errors import CostError
from helpers.facts import FactRow

KINDS = ("prompt", "few-shot", "tuned", "own")

THIS_MACHINE = "this-machine"


@dataclass(frozen=True)
class Option:
    """One way to do the job.

    Attributes:
        kind: ``"prompt"``, ``"few-shot"`` (prompting with worked examples), ``"tuned"`` (at a provider) or ``"own"``
            (an open model tuned and served on ``this-machine``, or on a rented GPU, a ``hosting`` item).
        provider: whose price list.
        model: the model's id there; for ``"own"`` the machine.
        caching: whether prompts are laid out so that their opening is cached.
    """

    kind: Literal["prompt", "few-shot", "tuned", "own"]
    provider: str
    model: str
    caching: bool = True

    @property
    def id(self) -> str:
        """A text that :meth:`parse` reads: ``kind:provider/model`` and ``:uncached``."""
        return f"{self.kind}:{self.provider}/{self.model}" + ("" if self.caching else ":uncached")

    @property
    def label(self) -> str:
        """What tables and charts call it."""
        if self.kind == "own":
            machine = "this machine" if self.model == THIS_MACHINE else facts.hosting(self.model)["label"]
            return f"fine-tune: open model on {machine}"
        name = (facts.tuning_price if self.kind == "tuned" else facts.price)(self.model, self.provider)["label"]
        way = {"prompt": "prompt", "few-shot": "few-shot prompt", "tuned": "fine-tune"}[self.kind]
        return f"{way}: {name}" + ("" if self.caching else ", nothing cached")

    @classmethod
    def parse(cls, text: str | Option) -> Option:
        """An option from its :attr:`id`.

        Raises:
            CostError: not the id of an option.
        """
        if isinstance(text, Option):
            return text
        bare = text.removesuffix(":uncached")
        kind, colon, rest = bare.partition(":")
        provider, slash, model = rest.partition("/")
        if kind not in KINDS or not (colon and slash and provider and model):
            raise CostError(
                "This is not an option.",
                got=repr(text),
                fix=f"Write kind:provider/model with a kind of {', '.join(KINDS)}; costs.options() lists some.",
            )
        return cls(kind, provider, model, bare == text)


def options(on: date | None = None, *, every: bool = False) -> list[Option]:
    """Ways to do the job that are worth comparing.

    The short list, of what can be had on that day: the cheapest small frontier model prompted with and without caching
    and with worked examples, one rival, at each provider that lets somebody tune the model that is cheapest to train
    among those that are most open and have a complete price, and the reader's own machine or a rented GPU. Everything
    in it comes from the tables.

    Args:
        on: the day whose facts count; today by default.
        every: True for all that the tables know.
    """
    day = on or facts.today()
    cheapest = facts.cheapest_target(day)
    first = (cheapest["provider"], cheapest["model"])
    small = [(row["provider"], row["model"]) for row in facts.prompted(day) if row["kind"] == "small frontier"]
    rivals = [pair for pair in small if pair != first]
    prompts = [Option("prompt", *first), Option("prompt", *first, caching=False), Option("few-shot", *first)]
    prompts += [Option("prompt", *pair) for pair in (rivals if every else rivals[:1])]
    rented = [(row["provider"], row["item"]) for row in facts.rows("hosting") if row["kind"] == "rented GPU"]
    own = [Option("own", "local", THIS_MACHINE)]
    own += [Option("own", *one) for one in (rented if every else rented[:1])]
    return prompts + _tuned(day, every) + own


def _tuned(day: date, every: bool) -> list[Option]:
    rows = [row for row in facts.rows("tunable") if row["method"] == "supervised" and row["provider"] != "local"]
    rows = [row for row in rows if row["from"] <= day]
    if not every:
        best: dict[str, FactRow] = {}
        for row in rows:
            current = best.get(row["provider"])
            if not facts.standing(row["model"], row["provider"], day).mark and (
                current is None or _preference(row, day) < _preference(current, day)
            ):
                best[row["provider"]] = row
        rows = list(best.values())
    return [Option("tuned", row["provider"], row["model"]) for row in rows]


def _preference(row: FactRow, day: date) -> tuple[int, int, float, float]:
    """What is most open first, then complete prices, then the cheapest training, then the cheapest input."""
    door = list(facts.WHO).index(facts.standing(row["model"], row["provider"], day).state)
    prices = [row["train"], row["input"], row["output"]]
    prices += [facts.hosting(row[item])["usd"] for item in ("hosting", "storage") if row[item]]
    return (door, prices.count(None), math.inf if row["train"] is None else row["train"], row.get("input", math.inf))
