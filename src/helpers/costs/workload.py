"""The job whose cost is asked: how much work, how long, who pays attention, on what machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from helpers.costs.cost import HOURS_A_MONTH, problem_with
from helpers.errors import CostError
from helpers.facts import default

FORMAT = "workload 1"

BOUNDS = {
    "cache_hit_rate": (0.0, 1.0),
    "batch_share": (0.0, 1.0),
    "months": (1.0, 600.0),
    "epochs": (1.0, 1000.0),
    "hosted_hours_per_month": (0.0, 744.0),
}
"""What a number may be, where that is not 0 to a million million (beyond any job, and sums stay far from infinity)."""


def bounds(name: str) -> tuple[float, float]:
    """The least and the most that a number of a workload may be."""
    return BOUNDS.get(name, (0.0, 1e12))


def _own(name: str) -> float:
    return float(default(name, "local")["value"])


@dataclass(frozen=True)
class Workload:
    """One job, in numbers. The defaults are a small shop's message triage; every one of them can be changed.

    Attributes:
        calls_per_month: answers needed each month.
        months: how long the job runs.
        tokens_in: tokens of one prompt when prompting: instructions and the question.
        tokens_out: tokens of one answer.
        reasoning_tokens: tokens that a prompted model thinks before it answers, billed as output; 0 when told not to.
        cacheable: those of ``tokens_in`` that open every prompt alike, so that a provider can cache them.
        cache_hit_rate: share of calls that find them in the cache, 0 to 1.
        batch_share: share of calls that may wait for a cheaper overnight batch, 0 to 1.
        shots_tokens: tokens of worked examples that few-shot prompting adds in front, cacheable.
        tuned_tokens_in: tokens of one prompt for the tuned model, which needs fewer instructions.
        examples: training examples.
        tokens_per_example: tokens of one of them, answer included.
        epochs: passes over them.
        validation_tokens: tokens of the validation file.
        evaluations_a_job: how often a job looks at the validation file; some providers bill each time.
        retrainings_per_year: how often to train again after the first time.
        label_minutes: minutes of a person for one good training example.
        prompt_hours: hours to write and measure prompts; counted for every option, since prompts come first.
        tuning_hours: hours to set up tuning, release and watch it; counted for tuned options and own machines.
        review_hours_per_month: hours a month to read samples of the answers.
        people_usd_per_hour: what one of those hours costs.
        evaluation_rows: test rows of one evaluation run.
        evaluations_per_year: evaluation runs a year.
        hosted_hours_per_month: hours a month that a dedicated deployment is up.
        replicas: how many dedicated deployments or machines.
        stored_gb: size of the stored tuned model, in GB.
        training_hours: hours of one training on the reader's own or a rented machine (the engine estimates it).
        seconds_per_call: seconds of one answer on the reader's own machine.
        machine_watts: power of that machine at work.
        usd_per_kwh: price of electricity.
        machine_usd_per_month: what that machine costs a month beside electricity; 0 when it is there anyway.

    Raises:
        CostError: numbers that make no sense, all of them in one message.
    """

    calls_per_month: float = 20_000
    months: float = 12
    tokens_in: float = 900
    tokens_out: float = 30
    reasoning_tokens: float = 0
    cacheable: float = 800
    cache_hit_rate: float = 0.8
    batch_share: float = 0.0
    shots_tokens: float = 1_200
    tuned_tokens_in: float = 100
    examples: float = 500
    tokens_per_example: float = 130
    epochs: float = 3
    validation_tokens: float = 0
    evaluations_a_job: float = 1
    retrainings_per_year: float = 2
    label_minutes: float = 2
    prompt_hours: float = 6
    tuning_hours: float = 16
    review_hours_per_month: float = 1
    people_usd_per_hour: float = 40
    evaluation_rows: float = 200
    evaluations_per_year: float = 12
    hosted_hours_per_month: float = HOURS_A_MONTH
    replicas: float = 1
    stored_gb: float = 0.1
    training_hours: float = 0.1
    seconds_per_call: float = 0.3
    machine_watts: float = field(default_factory=lambda: _own("machine_watts"))
    usd_per_kwh: float = field(default_factory=lambda: _own("electricity_usd_per_kwh"))
    machine_usd_per_month: float = 0

    def __post_init__(self) -> None:
        problems = [problem_with(f.name, getattr(self, f.name), *bounds(f.name)) for f in fields(self)]
        if not any(problems) and self.cacheable > self.tokens_in:
            problems.append(f"cacheable ({self.cacheable:g}) is a part of tokens_in ({self.tokens_in:g}), not more")
        if any(problems):
            raise CostError(
                "This workload is inconsistent: " + "; ".join(filter(None, problems)) + ".", fix="Change those numbers."
            )

    @property
    def file_tokens(self) -> float:
        """Tokens of the training file: one pass over all examples."""
        return self.examples * self.tokens_per_example

    @classmethod
    def from_files(
        cls,
        train: str | Path,
        validation: str | Path | None = None,
        *,
        instructions: str = "",
        model: str | None = None,
        **known: float,
    ) -> Workload:
        """The reader's own job, as far as their files tell it; the rest keeps its default.

        Args:
            train: JSONL file of chat examples: how many, how long, and what a question and an answer are.
            validation: the same for the validation file.
            instructions: the prompt that a model needs which was not tuned; the same before every question.
            model: whose vocabulary to count with; a present OpenAI model by default.
            known: other numbers of the workload, such as ``calls_per_month``.

        Raises:
            CostError: a file that holds no chat examples, or numbers that make no sense.
        """
        counted = import_module("helpers.costs.counted")  # vocabularies: around the core
        found = counted.numbers(train, validation, instructions, model)
        return cls(**{name: float(value) for name, value in (found | known).items()})

    def to_dict(self) -> dict[str, Any]:
        """All numbers as JSON values."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Workload:
        """A workload from :meth:`to_dict`; what is missing keeps its default.

        Raises:
            CostError: another format, names that a workload does not have, or numbers that make no sense.
        """
        if not isinstance(saved, Mapping) or saved.get("format") != FORMAT:
            found = saved.get("format") if isinstance(saved, Mapping) else type(saved).__name__
            raise CostError("This is not a saved workload.", got=repr(found), fix=f"Its format must be {FORMAT!r}.")
        known = {f.name for f in fields(cls)}
        foreign = sorted(str(name) for name in saved if name not in known | {"format"})
        if foreign:
            raise CostError(
                "The saved workload contains names that a workload does not have.",
                got=", ".join(foreign),
                fix="Remove them, or load it with the version of the kit that wrote it.",
            )
        return cls(**{name: value for name, value in saved.items() if name != "format"})
