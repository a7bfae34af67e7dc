"""Figures of a job in words, as findings tell them."""

from __future__ import annotations

from helpers.formatting import plural
from helpers.jobs.symptoms import Symptoms


def moved(seen: Symptoms) -> str:
    return f", and the weights moved by {percent(seen.adapter_share)}" if seen.adapter_share is not None else ""


def fell(seen: Symptoms) -> str:
    if seen.curve.first is None or seen.curve.last is None:
        return "unmeasured"
    return f"from {seen.curve.first:.2f} to {seen.curve.last:.2f} nats a token"


def recited(seen: Symptoms) -> str:
    right = sum(one.recited for one in seen.recitals)
    return f"{right} of {plural(len(seen.recitals), 'training row')} came back"


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
