"""The sums of the article that this kit puts to the test, done again on dated prices.

It says: 1,000 examples of 500 tokens cost a few dollars to train on; using a tuned model is slightly more expensive
than its base; shorter prompts then save money; training takes hours to days.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas

from helpers import facts
from helpers.costs.calls import one_call_cost
from helpers.costs.cost import number
from helpers.costs.training import predicted_epochs, training_cost

EXAMPLES, TOKENS_EACH = 1_000, 500
"""The article's training file."""


def article_training(on: date | None = None) -> pandas.DataFrame:
    """The article's training bill at the price it quotes, and at those of models that followed.

    Columns: ``model``, ``usd_per_million``, ``epochs``, ``usd``, ``state`` (whether jobs can still be started),
    ``as_of``, ``how_known``, ``source``. The first row is the article's own sum: one epoch of gpt-3.5-turbo.
    ``attrs["cite"]`` says whence the prices come.
    """
    day = on or facts.today()
    default = predicted_epochs(EXAMPLES).n
    asked = [("gpt-3.5-turbo", 1), ("gpt-3.5-turbo", default), ("gpt-4o-mini", 1), ("gpt-4o-mini", default)]
    rows, cites = [], []
    for model, epochs in asked:
        row = facts.tuning_price(model, "openai", day)
        cost = training_cost(row, EXAMPLES * TOKENS_EACH, epochs, on=day)
        rows.append(
            {
                "model": row["model"],
                "usd_per_million": row["train"],
                "epochs": epochs,
                "usd": cost.total,
                "state": facts.standing(row["model"], "openai", day).state,
                "as_of": row.as_of,
                "how_known": row.how_known,
                "source": row.source,
            }
        )
        cites.append(f"{row['label']}: {row.cite}")
    table = pandas.DataFrame(rows)
    table.attrs["cite"] = list(dict.fromkeys(cites))
    return table


def tuned_against_base(on: date | None = None) -> pandas.DataFrame:
    """How many times its base's price a tuned model costs to call, at OpenAI: ``times_input``, ``times_output``.

    ``answers``: ``"yes"`` while it does on that day, else that it has ended and when.
    """
    day = on or facts.today()
    rows = []
    for tuned in facts.rows("tunable"):
        if tuned["provider"] == "openai" and tuned["base"] and tuned["from"] <= day:
            base = facts.price(tuned["base"], "openai", day)
            rows.append(
                {
                    "model": tuned["model"],
                    "times_input": tuned["input"] / base["input"],
                    "times_output": tuned["output"] / base["output"],
                    "answers": facts.answering(tuned, day).mark or "yes",
                    "as_of": min(tuned.as_of, base.as_of),
                    "source": tuned.source,
                }
            )
    return pandas.DataFrame(rows)


def short_against_cached(
    long_prompts: Sequence[float] = tuple(range(100, 6001, 100)),
    question: float = 60,
    short_prompt: float = 100,
    tokens_out: float = 30,
    tuned: str = "ft:gpt-4o-mini",
    prompted: str | None = None,
    on: date | None = None,
) -> pandas.DataFrame:
    """A short prompt on a tuned model against a long one on a prompted model, cached and not: USD for 1,000 calls.

    Columns: ``long_prompt`` (tokens, the question among them), ``tuned``, ``prompted_fresh``, ``prompted_cached`` (all
    but the question read from the cache, the best case; nothing where that is too short for the provider's cache).
    ``attrs``: ``sentence`` states the finding, ``names`` and ``cite`` say what was compared and whence the prices come.

    Args:
        long_prompts: tokens of the prompted model's prompts, the question among them.
        question: tokens of one question, which no cache holds.
        short_prompt: tokens of the tuned model's prompt.
        tokens_out: tokens of one answer of either.
        tuned: the tuned model, as ``ft:BASE``.
        prompted: id of the prompted model; :func:`helpers.facts.cheapest_target` by default.
        on: the day whose prices count; today by default.

    Raises:
        CostError: numbers that make no sense.
        FactsError: a model or day without a row.
    """
    day = on or facts.today()
    target = facts.cheapest_target(day) if prompted is None else facts.price(prompted, on=day)
    short = one_call_cost(tuned, short_prompt, tokens_out, on=day)
    rows = []
    for tokens in long_prompts:
        held = max(number("long_prompts", tokens) - number("question", question), 0)
        fresh, cached = (one_call_cost(target, tokens, tokens_out, part, on=day).total for part in (0, held))
        rows.append(
            {
                "long_prompt": tokens,
                "tuned": 1000 * short.total,
                "prompted_fresh": 1000 * fresh,
                "prompted_cached": 1000 * cached,
            }
        )
    table = pandas.DataFrame(rows)
    names = (facts.beside_label(short.rows[0], day), facts.beside_label(target, day))
    table.attrs["sentence"] = (
        f"Compared with {short_prompt:,.0f} tokens on “{names[0]}”, a prompt on {names[1]} costs no more "
        f"{_stretches(table['long_prompt'], table['prompted_cached'] <= table['tuned'])}."
    )
    table.attrs["names"] = names
    table.attrs["cite"] = [*(f"{row['label']}: {row.cite}" for row in (*short.rows, target)), *_cite_cache(target)]
    return table


def _cite_cache(price: facts.FactRow) -> list[str]:
    shortest = facts.cached_from(price["provider"], price["model"])
    if shortest is None:
        return []
    return [f"{price['label']} is cached from {shortest['min_tokens']:,.0f} equal opening tokens on: {shortest.cite}"]


def _stretches(lengths: pandas.Series, holds: pandas.Series) -> str:
    """Where something holds along a column, in words: "from 100 to 500 and from 1,100 to 4,500 tokens"."""
    block = (holds != holds.shift()).cumsum()[holds]
    ends = [(part.min(), part.max()) for _, part in lengths[holds].groupby(block)]
    if not ends:
        return "at no length here"
    return " and ".join(f"from {low:,.0f} to {high:,.0f}" for low, high in ends) + " tokens"


def training_durations() -> pandas.DataFrame:
    """How long training took where somebody wrote it down, and how long the article's file (3 epochs) would have taken.

    Columns of the table ``durations`` (``kind`` tells a recorded run from a worked example, which nobody ran),
    ``tokens_per_second``, and ``article_minutes`` at that speed.
    ``attrs["cite"]`` says who wrote it down.
    """
    table = facts.load("durations")
    table["tokens_per_second"] = table["trained_tokens"] / table["minutes"] / 60
    table["article_minutes"] = EXAMPLES * TOKENS_EACH * 3 / table["tokens_per_second"] / 60
    table.attrs["cite"] = [
        f"{row['model']}, {row['minutes']:g} minutes: {'; '.join(filter(None, (row['kind'], row.remark, row.cite)))}"
        for row in facts.rows("durations")
    ]
    return table
