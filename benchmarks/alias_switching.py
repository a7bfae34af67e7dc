"""The alias under load: two requests a second for a minute on the real local model, ``production`` moved five times.

Each answer must come, and must be, word for word, what the version that the alias named gives to that question: no
failed request, no answer of half a switch. Compared with the same load without a switch.

Run it with ``python benchmarks/alias_switching.py``; it tunes a small model first and takes about five minutes.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import machine
import numpy as np

from helpers import data, deploy, jobs
from helpers.project import Project
from helpers.providers import LOCAL, connect

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample" / "triage"
SECONDS, A_SECOND, SWITCHES = 60, 2, 5
QUESTIONS = 8
TRAIN_ROWS, EPOCHS = 120, 4


@dataclass
class Answer:
    """One request: which version the alias named when it was sent, what came back, and after how long."""

    question: str
    model: str
    text: str
    seconds: float


def main() -> int:
    """Print both runs; the exit status is 1 when a request failed or an answer was of no version."""
    print(machine.describe())
    client, project = connect("local"), Project("alias-benchmark")
    rows = data.read(SAMPLE / "train.jsonl")[:TRAIN_ROWS]
    file = jobs.upload(client, data.write(rows, project.folder / "train.jsonl"))
    tuned = jobs.watch(client, jobs.start(client, file.id, suffix="alias", hyperparameters={"n_epochs": EPOCHS}).id)
    versions = [LOCAL.default_model, tuned.fine_tuned_model]
    questions = [row.question for row in data.read(SAMPLE / "validation.jsonl")[:QUESTIONS]]
    expected = {(model, question): ask(client, model, question) for model in versions for question in questions}
    differ = sum(expected[versions[0], question] != expected[versions[1], question] for question in questions)
    print(f"the two versions answer {differ} of {QUESTIONS} questions differently")
    bad = 0
    for switches in (0, SWITCHES):
        answers, failed = load(client, project, versions, questions, switches)
        mixed = sum(one.text != expected[one.model, one.question] for one in answers)
        waited = np.array([one.seconds for one in answers])
        by_version = {model: sum(one.model == model for one in answers) for model in versions}
        print(f"{switches} switches: {len(answers)} answers, {failed} failed, {mixed} of no version; "
              f"median {np.median(waited):.2f} s, 95th percentile {np.quantile(waited, 0.95):.2f} s; "
              f"by version {list(by_version.values())}", flush=True)  # fmt: skip
        bad += failed + mixed + int(switches > 0 and 0 in by_version.values())
    return int(bad > 0)


def ask(client, model: str, question: str) -> str:
    said = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}], temperature=0, max_tokens=32
    )
    return said.choices[0].message.content


def load(client, project: Project, versions: list[str], questions: list[str], switches: int):
    """Requests at a steady pace while the alias moves; (answers, how many failed)."""
    deploy.promote(project, versions[0], "local")
    requests = SECONDS * A_SECOND
    moves = {round((number + 1) * requests / (switches + 1)) for number in range(switches)}
    once = client.with_options(max_retries=0)  # a request that failed and was repeated would be hidden

    def one(number: int) -> Answer:
        question, alias, began = questions[number % len(questions)], deploy.current(project), time.monotonic()
        return Answer(question, alias.model, ask(once, alias.model, question), time.monotonic() - began)

    with ThreadPoolExecutor(32) as pool:
        began, sent = time.monotonic(), []
        for number in range(requests):
            if number in moves:
                other = versions[deploy.current(project).model == versions[0]]
                deploy.promote(project, other, "local")
            sent.append(pool.submit(one, number))
            time.sleep(max(0.0, began + (number + 1) / A_SECOND - time.monotonic()))
    answers = [done.result() for done in sent if done.exception() is None]
    return answers, len(sent) - len(answers)


if __name__ == "__main__":
    sys.exit(main())
