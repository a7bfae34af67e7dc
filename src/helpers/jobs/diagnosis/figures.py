"""Figures of a job in words, as findings tell them."""

from __future__ import annotations

from helpers import tokens
from helpers.formatting import plural
from helpers.jobs.diagnosis.comparing import is_free_text
from helpers.jobs.diagnosis.symptoms import Symptoms

MOST_NAMED = 4
"""Fields that are named in a sentence."""


def about(model: str) -> str:
    """ "about " where a model's tokens are counted by another one's vocabulary."""
    return "" if tokens.counter(model).exact else "about "


def moved(seen: Symptoms) -> str:
    return f", and the weights moved by {percent(seen.adapter_share)}" if seen.adapter_share is not None else ""


def fell(seen: Symptoms) -> str:
    if seen.curve.first is None or seen.curve.last is None:
        return "unmeasured"
    return f"from {seen.curve.first:.2f} to {seen.curve.last:.2f} nats a token"


def recited(seen: Symptoms) -> str:
    """How many training rows came back, and of answers with fields, which fields are wrong and how often."""
    right = sum(one.recited for one in seen.recitals)
    return f"{right} of {plural(len(seen.recitals), 'training row')} came back{_how(seen)}"


def _how(seen: Symptoms) -> str:
    if any(is_free_text(one.example.answer) for one in seen.recitals):
        return " nearly word for word"
    return _wrong_fields(seen)


def _wrong_fields(seen: Symptoms) -> str:
    """As `` with every field right (26 of 30 fields are: category is wrong in 3 rows …)``; empty without fields."""
    right, asked = (sum(counts) for counts in zip(*seen.fields.values(), strict=True)) if seen.fields else (0, 0)
    if right == asked:
        return ""
    wrong = {name: times - well for name, (well, times) in seen.fields.items() if well < times}
    often = sorted(wrong, key=lambda name: -wrong[name])
    told = [f"{name} is wrong in {plural(wrong[name], 'row')}" for name in often[:MOST_NAMED]]
    more = f" and {len(often) - MOST_NAMED} more" if len(often) > MOST_NAMED else ""
    return f" with every field right ({right} of {plural(asked, 'field')}: {', '.join(told)}{more})"


def rate(seen: Symptoms) -> str:
    multiplier = seen.settings.get("learning_rate_multiplier")
    told = f"learning_rate_multiplier {multiplier}" if multiplier is not None else "the host tells no learning rate"
    return f"{told}, {plural(seen.curve.steps, 'step')}"


def steps_a_pass(seen: Symptoms) -> str:
    epochs = seen.settings.get("n_epochs")
    passes = epochs if isinstance(epochs, int) and epochs else 1
    return plural(round(seen.curve.steps / passes), "step")


def percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def short(text: str, letters: int = 120) -> str:
    """The beginning of a text, with an ellipsis where it goes on.

    Args:
        text: of any length.
        letters: characters that are kept.
    """
    return text if len(text) <= letters else text[:letters] + "…"


def quoted(text: str) -> str:
    return f"{short(text)!r}" if text else "none"
