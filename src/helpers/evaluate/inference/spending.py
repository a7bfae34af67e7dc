"""Money during a run: shown before the first call, and never above the reader's limit."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from helpers.errors import ConsentError, EvaluationError
from helpers.formatting import host_called

Price = Mapping[str, float] | Mapping[str, Mapping[str, float]]
"""USD per million tokens: ``{"input": …, "output": …, "cached_input": …}``, or one such mapping a model id. A single
price is for one model: a tuned model, or one that reflects, has another."""

CHARACTERS_A_TOKEN = 3.0
"""For the forecast only. English takes about four and a half characters a token, JSON and other scripts fewer."""


class Spending:
    """Keeps what a run has spent, and what the calls under way could still cost at worst.

    Args:
        price: see :data:`Price`; it does not count at a host that is free, which needs none.
        limit: the most that this run may spend, in USD.
        local: whether the host is known to be free: the kit's own API, or a model server of this machine.
    """

    def __init__(self, price: Price | None, limit: float, local: bool) -> None:
        self.price, self.limit, self.local = price, limit, local
        self.spent = 0.0
        self._under_way = 0.0
        self._changed = threading.Condition()

    def rates(self, model: str) -> dict[str, float]:
        """Input, cached input and output price of a model, in USD per million tokens: zeros where the host is free.

        Args:
            model: its id. A cached token costs what any other does, where the price does not say.

        Raises:
            ConsentError: no price, and a host that is not known to be free.
            EvaluationError: a price that is not a number from 0 up.
        """
        if self.local:
            return {"input": 0.0, "cached_input": 0.0, "output": 0.0}
        price: Any = self.price or {}
        price = price.get(model, {}) if _by_model(price) else price
        if not price:
            raise ConsentError(
                f"There is no price for {model}, and its host is not known to be free.",
                got="another machine, or a server on this one that may forward calls to a paid host",
                fix='Set PRICE = {"input": …, "output": …} in USD per million tokens (TUNED_PRICE for a tuned model); '
                "zeros if it is free.",
            )
        rates = {"cached_input": price.get("input"), **price}
        for kind in ("input", "cached_input", "output"):
            if not isinstance(rates.get(kind), int | float) or not 0 <= rates[kind] < math.inf:
                raise EvaluationError(f"The price of {model} for {kind} is not a number.", got=repr(rates.get(kind)))
        return rates

    def cover(self, models: Iterable[str]) -> None:
        """Pass when each of these models has a price.

        Raises:
            ConsentError: as :meth:`rates`.
            EvaluationError: as :meth:`rates` and :func:`one_each`.
        """
        if not self.local:
            one_each(self.price, models)
        for model in models:
            self.rates(model)

    def forecast(self, requests: Sequence[Any]) -> float:
        """What these requests will cost at most, in USD, if prompts have :data:`CHARACTERS_A_TOKEN`.

        Nothing is taken to be cached, and every answer to use its ``max_tokens``.

        Args:
            requests: ``requests.Request``, or whatever has its ``model``, ``messages``, ``schema`` and ``max_tokens``.

        Raises:
            ConsentError, EvaluationError: as :meth:`cover`.
        """
        self.cover({request.model for request in requests})
        return sum(self._price(r, len(_text(r)) / CHARACTERS_A_TOKEN + 8 * len(r.messages)) for r in requests)

    def consent(self, requests: Sequence[Any], host: str) -> str:
        """The forecast in a sentence.

        Args:
            requests: all that are to be sent.
            host: what the sentence calls it.

        Raises:
            ConsentError: it is above the limit, or a model has no price.
            EvaluationError: as :meth:`cover`.
        """
        forecast, host = self.forecast(requests), host_called(host)
        if forecast > self.limit:
            raise ConsentError(
                f"{len(requests)} calls at {host} would cost up to about ${forecast:.4f}, and the limit of this run is "
                f"${self.limit:.4f}.",
                fix="Raise SPEND_LIMIT_USD to allow it, or measure fewer rows or candidates.",
            )
        return f"{len(requests)} calls at {host}: up to about ${forecast:.4f}, and never more than ${self.limit:.4f}."

    def cost(self, model: str, prompt: float, cached: float, completion: float) -> float:
        """USD for the tokens of one call.

        Args:
            model: its id.
            prompt: tokens of the prompt, the cached ones among them.
            cached: how many of them the host had in its cache.
            completion: tokens of the answer.
        """
        rates = self.rates(model)
        fresh = max(0.0, prompt - cached)
        return (fresh * rates["input"] + cached * rates["cached_input"] + completion * rates["output"]) / 1e6

    @contextmanager
    def reserved(self, request: Any):
        """Hold back the worst case of a call while it is under way; gives False when the limit leaves no room for it.

        Waits for calls of other threads where what they hold back may still leave room. The caller reports the real
        cost with :meth:`add`, or the worst case when it cannot know (a call that timed out may have been billed).
        """
        worst = self.worst(request)
        with self._changed:
            while self.spent + self._under_way + worst > self.limit and self._under_way > 0:
                self._changed.wait()
            allowed = worst == 0 or self.spent + self._under_way + worst <= self.limit
            self._under_way += worst if allowed else 0.0
        try:
            yield allowed
        finally:
            with self._changed:
                self._under_way -= worst if allowed else 0.0
                if self._under_way < 1e-12:
                    self._under_way = 0.0
                self._changed.notify_all()

    def worst(self, request: Any) -> float:
        """The most that one call can cost, in USD: a text has at most as many tokens as bytes."""
        return self._price(request, len(_text(request).encode()) + 16 * (1 + len(request.messages)))

    def add(self, usd: float) -> None:
        """Count what a call did cost."""
        with self._changed:
            self.spent += usd

    def _price(self, request: Any, prompt_tokens: float) -> float:
        return self.cost(request.model, prompt_tokens, 0, request.max_tokens)


def one_each(price: Price | None, models: Iterable[str]) -> None:
    """Pass unless a single price, other than zeros, would be taken for several models.

    Args:
        price: see :data:`Price`.
        models: ids of the models that are to be called.

    Raises:
        EvaluationError: there are several, and their price is one; they are named.
    """
    names = sorted(set(models))
    if len(names) > 1 and price and not _by_model(price) and any(price.values()):
        raise EvaluationError(
            f"PRICE is the price of one model, but {len(names)} are to be called.", got=", ".join(names),
            fix=f'Give each its own: PRICE = {{"{names[0]}": {{"input": …, "output": …}}, …}}.',
        )  # fmt: skip


def _by_model(price: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Mapping) for value in price.values())


def _text(request: Any) -> str:
    return "".join(str(message.get("content") or "") for message in request.messages) + str(request.schema or "")
