"""``POST /v1/fine_tuning/jobs`` and its estimate: what a job is asked to be."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.functional_validators import AfterValidator, BeforeValidator

from helpers.local_api.http.schemas.fields import Metadata, Strict


def _auto_or_whole(low: int, high: int) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value == "auto" or (type(value) is int and low <= value <= high):
            return value
        raise ValueError(f'must be "auto" or a whole number from {low} to {high}')

    return BeforeValidator(check)


def _auto_or_positive(value: Any) -> Any:
    if value == "auto" or (type(value) in (int, float) and 0 < value <= 1000):
        return value
    raise ValueError('must be "auto" or a number above 0, at most 1000')


class RequestedHyperparameters(Strict):
    """OpenAI's three, within the limits of its specification, and this API's own ``recipe`` and ``keep``.

    ``"quick"`` adapts the upper 40 % of the layers, over cached outputs of the lower ones. ``"thorough"`` adapts all
    layers in about twice the time; on the triage task it had 1.0 points more right fields (95 % interval -1.2 to +3.1).
    Both figures: ``benchmarks/LOG.md``.

    ``keep`` says which pass over the rows the job's model is: ``"last"``, or ``"best"``, the one with the lowest loss
    on all validation rows (of equals the earlier). Each pass stays callable as a checkpoint either way. Loss is not
    always what counts: to choose by a score of your own, see ``helpers.jobs.best_checkpoint``.
    """

    n_epochs: Annotated[Any, _auto_or_whole(1, 50)] = "auto"
    batch_size: Annotated[Any, _auto_or_whole(1, 256)] = "auto"
    learning_rate_multiplier: Annotated[Any, BeforeValidator(_auto_or_positive)] = "auto"
    recipe: Literal["quick", "thorough"] = "quick"
    keep: Literal["last", "best"] = "last"


class Supervised(Strict):
    hyperparameters: RequestedHyperparameters | None = None


class Method(Strict):
    type: str
    supervised: Supervised | None = None

    @model_validator(mode="before")
    @classmethod
    def only_supervised(cls, data: Any) -> Any:
        kind = data.get("type") if isinstance(data, dict) else None
        if isinstance(kind, str) and kind != "supervised":
            raise ValueError(f"type {kind!r} is not supported here: this local API trains 'supervised' only")
        return data


def _name_part(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        raise ValueError("must be 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or digit")
    return value


class CreateJob(Strict):
    """``POST /v1/fine_tuning/jobs``."""

    model: str
    training_file: str
    validation_file: str | None = None
    suffix: Annotated[str, AfterValidator(_name_part)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    metadata: Metadata | None = None
    method: Method | None = None
    hyperparameters: RequestedHyperparameters | None = None
    integrations: Annotated[list[Any], Field(max_length=0)] | None = None

    @model_validator(mode="after")
    def said_once(self) -> CreateJob:
        inner = self.method and self.method.supervised and self.method.supervised.hyperparameters
        if inner and self.hyperparameters and inner != self.hyperparameters:
            raise ValueError("hyperparameters and method.supervised.hyperparameters differ: give one of them")
        return self

    @property
    def asked(self) -> RequestedHyperparameters:
        """The settings, from whichever of the two places they were given in."""
        inner = self.method and self.method.supervised and self.method.supervised.hyperparameters
        return inner or self.hyperparameters or RequestedHyperparameters()
