"""Real small jobs with a known fault, and healthy ones: ``python tests/planted_faults.py --seeds 1 2`` prints a table.

A fault is planted where people make it: in the rows, in the settings, in the call, in the trainer's code
(``planted_trainer``) or in the server (``planted_api``). Everything else is the kit's own path on the sample data.
"""

from __future__ import annotations

import argparse
import json
import pickle
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from running_api import Api

from helpers import jobs

TOP = Path(__file__).resolve().parents[1]
SAMPLE = TOP / "data" / "sample"
INSTRUCTIONS = "Sort the customer's review. Answer with one word, positive or negative."
QUICK = {"n_epochs": 8, "batch_size": 8}

Row = dict[str, Any]
Request = Callable[[str, Row], dict[str, Any]]


def as_trained(model: str, row: Row) -> dict[str, Any]:
    """A call like the training rows."""
    return {"model": model, "messages": row["messages"][:-1], "max_tokens": 200, "temperature": 0}


@dataclass(frozen=True)
class Case:
    """A job and a call. ``fault`` is the code that a diagnosis should name first; empty: healthy."""

    name: str
    fault: str
    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    settings: dict[str, Any] = field(default_factory=lambda: dict(QUICK))
    in_training: str = ""
    in_serving: str = ""
    request: Request = as_trained


def rows(task: str, split: str, count: int, seed: int) -> tuple[Row, ...]:
    lines = (SAMPLE / task / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line) for line in random.Random(f"{task}/{split}/{seed}").sample(lines, count))


def with_answer(row: Row, answer: str) -> Row:
    return {"messages": [*row["messages"][:-1], {"role": "assistant", "content": answer}]}


def told(some: tuple[Row, ...]) -> tuple[Row, ...]:
    """With instructions before each question."""
    return tuple({"messages": [{"role": "system", "content": INSTRUCTIONS}, *row["messages"]]} for row in some)


def framed(some: tuple[Row, ...]) -> tuple[Row, ...]:
    """With the same words around each question."""
    return tuple(
        {"messages": [{"role": "user", "content": f"Review: {ask['content']}\nSentiment:"}, said]}
        for ask, said in (row["messages"] for row in some)
    )


def shuffled(some: tuple[Row, ...], seed: int) -> tuple[Row, ...]:
    """The answers, dealt out anew."""
    answers = [row["messages"][-1]["content"] for row in some]
    random.Random(seed).shuffle(answers)
    return tuple(with_answer(row, answer) for row, answer in zip(some, answers, strict=True))


def contradicted(some: tuple[Row, ...]) -> tuple[Row, ...]:
    """A fifth of the rows a second time, with the other answer."""
    other = {"positive": "negative", "negative": "positive"}
    again = [with_answer(row, other[row["messages"][-1]["content"]]) for row in some[: len(some) // 5]]
    return (*some, *again)


def cases(seed: int) -> Iterator[Case]:
    """Twelve faults, one more, and six healthy jobs."""
    train, held_out = rows("two_way", "train", 40, seed), rows("two_way", "validation", 40, seed)
    triage, triage_held = rows("triage", "train", 32, seed), rows("triage", "validation", 30, seed)
    voice, voice_held = rows("brand_voice", "train", 24, seed), rows("brand_voice", "validation", 20, seed)
    healthy = Case("labels, quick", "", train, held_out)
    thorough = replace(healthy, name="labels, thorough", settings={**QUICK, "n_epochs": 5, "recipe": "thorough"})
    system = replace(healthy, name="instructions", train=told(train), validation=told(held_out))
    form = replace(healthy, name="framed questions", train=framed(train), validation=framed(held_out))
    fields = Case("fields as JSON", "", triage, triage_held)
    text = Case("free text", "", voice, voice_held, {"n_epochs": 5, "batch_size": 4})
    yield from (healthy, thorough, system, form, fields, text)

    def plant(name: str, fault: str, of: Case = healthy, **changed: Any) -> Case:
        return replace(of, name=name, fault=fault, **changed)

    def bare(model: str, row: Row) -> dict[str, Any]:
        return as_trained(model, row) | {"messages": row["messages"][1:-1]}

    def unframed(model: str, row: Row) -> dict[str, Any]:
        return as_trained(model, row) | {"messages": train[0]["messages"][:-1]}

    yield plant("another template in training", "template", in_training="template")
    yield plant("end token not graded", "end_token", in_training="end_token")
    yield plant("rate 100 times too small", "rate_too_low", settings={**QUICK, "learning_rate_multiplier": 0.01})
    yield plant("rate 100 times too large", "rate_too_high", settings={**QUICK, "learning_rate_multiplier": 100})
    yield plant("labels shuffled", "answers_do_not_fit", train=shuffled(train, seed))
    yield plant("the base model called", "wrong_model", request=lambda _, row: as_trained("smollm2-135m-instruct", row))
    yield plant("instructions left out of the call", "system_prompt", system, request=bare)
    yield plant("one pass, large batches", "too_few_steps", settings={"n_epochs": 1, "batch_size": 16})
    yield plant("rows with two answers", "contradictions", train=contradicted(train))
    yield plant("prompts in the loss", "loss_on_prompts", in_training="loss_on_prompts")
    yield plant("adapter not loaded", "adapter_ignored", in_serving="adapter_ignored")
    yield plant("question without its frame", "question_form", form, request=unframed)
    yield plant(
        "answers cut off", "answers_cut", fields, request=lambda *of: as_trained(*of) | {"max_tokens": 8}
    )  # fmt: skip


def planted_api(home: Path) -> Api:
    """A local API that plants what ``home/fault.txt`` says."""
    home.mkdir(parents=True)
    (home / "fault.txt").write_text("")
    return Api(home, wrapper=[sys.executable, str(TOP / "tests" / "planted_api.py")])


def written(path: Path, some: tuple[Row, ...]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    return path


def look(api: Api, case: Case, seed: int, folder: Path) -> jobs.Diagnosis:
    """Train the case's job (once for each job) and diagnose it."""
    client, plant = api.client(timeout=600), api.home / "fault.txt"
    plant.write_text(case.in_training)
    train, validation = (written(folder / f"{name}.jsonl", getattr(case, name)) for name in ("train", "validation"))
    suffix = case.in_training.replace("_", "-")
    file = jobs.upload(client, train).id
    job = jobs.start(client, file, seed=seed, suffix=suffix, hyperparameters=case.settings)
    jobs.watch(client, job.id, every=0.5)
    plant.write_text(case.in_serving)
    request = case.request(jobs.answering(client, job.id), case.train[0])
    found = jobs.diagnose(client, job.id, request, validation=validation)  # measured here only, not at each pass
    plant.write_text("")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", nargs="+", default=[], help="names of cases")
    parser.add_argument("--keep", type=Path, help="a folder for the figures, to try other thresholds on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        api = planted_api(Path(place) / "home").start()
        try:
            for seed in options.seeds:
                for case in cases(seed):
                    if not options.only or case.name in options.only:
                        line(api, case, seed, Path(place), options.keep)
        finally:
            api.stop()


def line(api: Api, case: Case, seed: int, folder: Path, keep: Path | None = None) -> bool:
    """Print one line of the table; returns whether the fault was named first, or nobody was accused."""
    began = time.monotonic()
    found = look(api, case, seed, folder)
    named = [one.name for one in found.findings]
    right = (named[:1] or [""]) == [case.fault]
    seconds = time.monotonic() - began
    print(f"{seed} | {case.name:34} | {'right' if right else 'WRONG'} | {named} | {seconds:.0f} s", flush=True)
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{seed}-{case.name.replace(' ', '_').replace(',', '')}.pickle").write_bytes(
            pickle.dumps((case.fault, found))
        )
    return right


if __name__ == "__main__":
    main()
