"""Prices of a tuned model: its id is not known before the training, but what it costs to ask has to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import openai

from helpers import providers
from helpers.errors import ConsentError
from helpers.evaluate.inference.spending import Price, Spending


def require(client: openai.OpenAI, tuned: Mapping[str, float] | None) -> None:
    """Pass when the models that this host will have trained can be asked afterwards: before the training is paid for.

    Args:
        client: of the host that trains.
        tuned: ``TUNED_PRICE`` of the parameters cell, in USD per million tokens; None where the host is free.

    Raises:
        ConsentError: no price, and a host that is not known to be free.
        EvaluationError: a price that is not a number from 0 up.
    """
    free = providers.is_free(client)
    if not tuned and not free:
        raise ConsentError(
            f"There is no price for calling the tuned model at {providers.host_of(client).name}.",
            got="TUNED_PRICE = None, and the host is not known to be free",
            fix='Set TUNED_PRICE = {"input": …, "output": …} in USD per million tokens; zeros if it is free. '
            "Nothing was started.",
        )
    Spending(tuned, 0.0, local=free).rates("the tuned model")


def with_tuned(
    price: Price | None, tuned: Mapping[str, float] | None, model: str, trained: Sequence[str]
) -> dict[str, Mapping[str, float]] | None:
    """One price a model, now that the tuned ones have names; None where no price was given (a free host).

    Args:
        price: ``PRICE``, of ``model`` or already one a model; None where it is the price of another host.
        tuned: ``TUNED_PRICE``.
        model: ``MODEL``.
        trained: ids of the checkpoints, and of the model that they were trained from: unless ``price`` has a price of
            its own for that one, it is taken to cost no more than they do.
    """
    by_model = any(isinstance(value, Mapping) for value in (price or {}).values())
    given = dict(price) if by_model else {model: price} if price else {}
    return (dict.fromkeys(trained, tuned) if tuned else {}) | given or None
