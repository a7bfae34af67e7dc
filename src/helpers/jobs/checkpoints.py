"""What a job left on the way, and which of it to use.

Where ``keep: "best"`` was asked for (local API), the job itself has kept the pass with the lowest validation loss. Loss
is a mean over tokens, and can go on rising while answers still get better. So the rule here is another: every
checkpoint that can be called answers the same validation rows, and the one with the highest score is used; of equal
ones that with the lower validation loss, then the later one. Test rows are never used for this.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import openai
import pandas as pd
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from helpers.errors import JobError
from helpers.jobs.results import answering, listed_checkpoints
from helpers.jobs.retry import patiently
from helpers.jobs.running import look

LAST = "last step"
"""Name of a job's own model where the host lists no checkpoints."""


@dataclass(frozen=True)
class Checkpoints:
    """A job's checkpoints, first one first.

    Attributes:
        losses: name ("step 40") → validation loss in nats a token, of those where the host tells one.
        models: name → what to call, of those that can be called; the last one is the job's own model, unless the job
            has kept its best pass: then each is a checkpoint.
        sentence: where validation loss was lowest, and what cannot be called.
    """

    losses: Mapping[str, float]
    models: Mapping[str, str]
    sentence: str


@dataclass(frozen=True)
class Best:
    """The checkpoint to use: its name, what to call, and why in one sentence."""

    name: str
    model: str
    sentence: str


def checkpoints(client: openai.OpenAI, job_id: str) -> Checkpoints:
    """The checkpoints of a job that has succeeded, with what can be called: each is asked for one token.

    Args:
        client: the host where it ran.
        job_id: a job that has succeeded.

    Raises:
        JobError: as :func:`helpers.jobs.answering`.
        HostError: as :func:`helpers.jobs.answering`.
    """
    points = listed_checkpoints(client, job_id)
    calls = {point.id for point in points[:-1] if _answers(client, point.fine_tuned_model_checkpoint)}
    final, settings = answering(client, job_id), look(client, job_id).job.hyperparameters
    if settings and (settings.model_extra or {}).get("keep") == "best":  # the job's own model is one of these
        final = points[-1].fine_tuned_model_checkpoint
    return callable_by_name(final, points, calls)


def callable_by_name(final: str, points: Sequence[FineTuningJobCheckpoint], calls: Collection[str]) -> Checkpoints:
    """What can be called of a job, by the names of its checkpoints ("step 40").

    Args:
        final: what the job's own model is called.
        points: its checkpoints as the host lists them, first step first; the last one goes by ``final``.
        calls: ids of those before it that answer.
    """
    names = [f"step {point.step_number}" for point in points] or [LAST]
    losses = {name: loss for name, point in zip(names, points, strict=False) if (loss := _loss(point)) is not None}
    by_name = zip(names, points[:-1], strict=False)
    earlier = {name: point.fine_tuned_model_checkpoint for name, point in by_name if point.id in calls}
    models = {**earlier, names[-1]: final}
    return Checkpoints(losses, models, f"{_lowest(names, losses)} {_callable(names, models)}".strip())


def passes(client: openai.OpenAI, job_id: str) -> pd.DataFrame:
    """The models that a job left on its way over the training rows, to choose one by what one cares about.

    Columns: ``epoch`` (passes done; by the step where the job tells its number of epochs, else counted from 1),
    ``step``, ``loss`` (on all validation rows, nats a token; ``nan`` where the host does not say), ``model`` (what to
    call). Hosts may keep only the last few checkpoints. Where none has a name to call, there is one line: the job's own
    model.

    Args:
        client: the host where it ran.
        job_id: a job that has succeeded.

    Raises:
        JobError: the job has not succeeded, or no checkpoint can be called and its model is not deployed.
        HostError: the host does not answer, or refuses the key.
    """
    job = look(client, job_id).job
    points = listed_checkpoints(client, job_id)
    steps, epochs = [point.step_number for point in points], job.hyperparameters and job.hyperparameters.n_epochs
    told = isinstance(epochs, int)
    lines = [
        {
            "epoch": round(epochs * point.step_number / steps[-1], 2) if told else place,  # the last step ends the job
            "step": point.step_number,
            "loss": point.metrics.full_valid_loss if point.metrics else None,
            "model": point.fine_tuned_model_checkpoint,
        }
        for place, point in enumerate(points, 1)
    ]
    last = lines[-1] if lines else {"epoch": epochs if told else 1}
    can_be_called = [line for line in lines if line["model"]] or [last | {"model": answering(client, job_id)}]
    return pd.DataFrame(can_be_called, columns=["epoch", "step", "loss", "model"]).astype({"loss": float})


def best_checkpoint(found: Checkpoints, scores: Mapping[str, float]) -> Best:
    """The checkpoint with the highest validation score; of equal ones that with the lower loss, then the later one.

    Args:
        found: from :func:`checkpoints`.
        scores: name → mean score on the same *validation* rows, higher is better; ``nan`` where nothing was answered.
            Empty where there is no score that may decide (likeness of free text): then the last one is used.

    Raises:
        JobError: a checkpoint has no entry in ``scores``.
    """
    scores = dict(scores)  # a column of a table is welcome, too
    if missing := [name for name in found.models if scores and name not in scores]:
        raise JobError(
            "Not every checkpoint was scored.",
            got=f"no score of {', '.join(missing)}",
            fix="Measure them all on the same validation rows: one candidate for each entry of models, with its name.",
        )
    names = [name for name in found.models if not math.isnan(scores.get(name, math.nan))]
    if not names:
        *_, (name, model) = found.models.items()
        return Best(name, model, f"{name} is used, the last one: there is no score to choose by.")
    top = max(scores[name] for name in names)
    equal = [name for name in names if scores[name] == top]
    order = list(found.models)
    best = min(equal, key=lambda name: (found.losses.get(name, math.inf), -order.index(name)))
    return Best(best, found.models[best], _why(found, best, scores, equal))


def _answers(client: openai.OpenAI, model: str | None) -> bool:
    """Whether a model answers: it is asked for one token, because hosts list checkpoints that they do not serve."""
    if not model:
        return False
    hello = [{"role": "user", "content": "Hello"}]
    try:
        patiently(client, lambda c: c.chat.completions.create(model=model, messages=hello, max_tokens=1))
    except (openai.NotFoundError, openai.BadRequestError):
        return False
    return True


def _why(found: Checkpoints, best: str, scores: Mapping[str, float], equal: list[str]) -> str:
    if len(found.models) == 1:
        return f"{best} is used: it is the only one that can be called."
    said = (
        f"{best} is used: it has the highest validation score ({scores[best]:.3f}) of {len(found.models)} checkpoints"
    )
    if len(equal) > 1:
        why = "the lowest loss" if best in found.losses else "the latest"
        said += f", equal to {len(equal) - 1} more, and {why} of these"
    by_loss = min(found.losses, key=found.losses.get) if found.losses else best
    return f"{said}; loss would have chosen {by_loss}." if by_loss not in (best, *equal) else f"{said}."


def _loss(point: FineTuningJobCheckpoint) -> float | None:
    """Over all validation rows where the host tells it, else over the few of that step."""
    whole, few = point.metrics.full_valid_loss, point.metrics.valid_loss
    return few if whole is None else whole


def _lowest(names: list[str], losses: Mapping[str, float]) -> str:
    if not losses:
        return "The host gives no validation loss."
    best = min(losses, key=losses.get)
    end = f", {losses[names[-1]]:.3f} at the end" if names[-1] in losses and best != names[-1] else ""
    return f"Validation loss was lowest at {best} of {names[-1].removeprefix('step ')} ({losses[best]:.3f}){end}."


def _callable(names: list[str], models: Mapping[str, str]) -> str:
    if names == [LAST]:
        return "The host lists no checkpoints: the job's last model is used."
    if not (silent := [name for name in names if name not in models]):
        return ""
    return f"Of {len(names)} checkpoints {len(silent)} cannot be called at this host ({', '.join(silent)})."
