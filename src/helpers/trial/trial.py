"""One claim after another, each finding kept under a hash of all that shapes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from helpers.errors import EvaluationError
from helpers.evaluate.prompts.candidates import digest
from helpers.project import kit_home, write_atomically
from helpers.trial import amount, limits, prompting, sums
from helpers.trial.bench import SAMPLE, SHORT, WHOLE, Bench
from helpers.trial.finding import LEFT_OUT, VERDICTS, Claim, Finding, claims

if TYPE_CHECKING:
    import openai

MEASURED: Mapping[str, Callable[[Bench], Finding]] = {
    "behaviour": prompting.behaviour,
    "prompt_length": prompting.prompt_length,
    "consistency": prompting.consistency,
    "plateau": prompting.plateau,
    "few_rows": amount.few_rows,
    "hundreds": amount.hundreds,
    "quality": amount.quality,
    "something_else": limits.something_else,
    "goalposts": limits.goalposts,
    "new_facts": limits.new_facts,
    "old_facts": limits.old_facts,
}
COUNTED: Mapping[str, Callable[[Trial], Finding]] = {
    "cheap_training": lambda trial: sums.cheap_training(trial.bench),
    "hours_to_days": lambda trial: sums.hours_to_days(trial.bench),
    "four_dollars": lambda trial: sums.four_dollars(),
    "dearer_calls": lambda trial: sums.dearer_calls(),
    "shorter_saves": lambda trial: sums.shorter_saves(trial.run("prompt_length").numbers),
    "hosts": lambda trial: sums.hosts(),
}
"""Never kept: the tables and the day change, and counting takes no time."""
WHOLE_RUN, SHORT_RUN = 10.0, 4.0
"""A run takes about so many times its largest job: in the long form all jobs together train 4.4 times its tokens, and
the answers take about as long again. A rough guess, for the reader's plans."""
USED_SAMPLES = ("triage", "trial", "probes")
CODE = tuple(sorted(Path(__file__).parent.glob("*.py")))


class Trial:
    """The experiments of one run.

    Args:
        client: from ``helpers.providers.connect("local")``.
        first: test only so many claims, from the top, on few rows (the automatic test does); "all" for the real run.

    Raises:
        EvaluationError: ``first`` is neither "all" nor a count of claims.
    """

    def __init__(self, client: openai.OpenAI, first: str | int = "all") -> None:
        self.chosen = _first(first)
        whole = len(self.chosen) == len(claims())
        self.folder = kit_home() / "trial" / ("whole" if whole else "short")
        self.bench = Bench(client, self.folder, WHOLE if whole else SHORT)
        self.found: dict[str, Finding] = {}

    def run(self, claim: str) -> Finding:
        """Test one claim, or read what an earlier run with the same inputs found.

        Raises:
            EvaluationError: there is no such claim.
        """
        if claim not in {one.id for one in claims()}:
            raise EvaluationError(f"There is no claim {claim!r}.", fix=f"Use one of {', '.join(MEASURED | COUNTED)}.")
        if claim not in {one.id for one in self.chosen}:
            return Finding(claim, LEFT_OUT)
        if claim not in self.found:
            self.found[claim] = self._measured(claim) if claim in MEASURED else COUNTED[claim](self)
        return self.found[claim]

    def forecast(self) -> str:
        """How long this run will take here and now: a probe of the largest job, scaled to all jobs and answers."""
        ids = [one.id for one in self.chosen if one.id in MEASURED]
        missing = [name for name in ids if not self._kept(name).exists()]
        if not missing:
            return "Everything that is measured is kept from an earlier run: seconds."
        times = WHOLE_RUN if self.bench.sizes == WHOLE else SHORT_RUN
        minutes = times * self.bench.seconds_of_main_job() / 60
        return (
            f"About {minutes:.0f} minutes for a first run on this machine, as busy as it is now. {len(missing)} of "
            f"{len(ids)} experiments are still to do; what an interrupted one has finished is not done again."
        )

    def table(self) -> pd.DataFrame:
        """One line a claim that was tested: what it says, its verdict, the finding."""
        says = {one.id: one.says for one in claims()}
        lines = [(says[one.claim], one.verdict, one.because) for one in self.found.values()]
        return pd.DataFrame(lines, columns=["the article says", "verdict", "what was found"])

    def tally(self) -> dict[str, int]:
        """How many claims got each verdict."""
        given = [one.verdict for one in self.found.values()]
        return {verdict: given.count(verdict) for verdict in VERDICTS}

    def _measured(self, claim: str) -> Finding:
        kept = self._kept(claim)
        if kept.exists():
            return Finding.from_json(json.loads(kept.read_text(encoding="utf-8")))
        finding = MEASURED[claim](self.bench)
        write_atomically(kept, json.dumps(finding.to_json(), ensure_ascii=False, indent=1) + "\n")
        return finding

    def _kept(self, claim: str) -> Path:
        return self.folder / "findings" / f"{claim}-{self._inputs(claim)}.json"

    def _inputs(self, claim: str) -> str:
        """A hash of the claim, the sizes, the base model, the sample files and the code of the experiments."""
        files = [path for room in USED_SAMPLES for path in sorted((SAMPLE / room).iterdir())]
        contents = [path.read_text(encoding="utf-8") for path in (*files, *CODE)]
        return digest([claim, self.bench.base, asdict(self.bench.sizes), contents])


def _first(first: str | int) -> tuple[Claim, ...]:
    every = claims()
    if str(first) == "all":
        return every
    if not str(first).isdigit() or not 0 < int(first) < len(every):
        raise EvaluationError(
            "How many claims are tested is a number or 'all'.",
            got=repr(first),
            fix=f"Use 'all' or 1 to {len(every) - 1}.",
        )
    return every[: int(first)]
