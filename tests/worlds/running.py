"""Lives through a world: does what its steps say, with the real notebooks against a planted server.

A notebook is changed in its parameters only. What a reader does by hand is done in the project file: the checklist's
answers, and the calculator's numbers. What lessons 1 and 3 leave is written without running them; their models answer
at the planted server.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from lessons import NOTEBOOKS, execute
from nbclient.exceptions import CellExecutionError
from worlds.server import PlantedHost

from helpers import assets, costs, data, evaluate
from helpers.costs import Workload
from helpers.project import Project, kit_home
from helpers.providers import local
from helpers.show.panels import calculator

TOP = Path(__file__).resolve().parents[2]
TODAY = "2026-11-29"
"""The day whose prices and life dates count in every world."""
SAMPLE = TOP / "data" / "sample"
TRIAGE = SAMPLE / "triage"
REVIEWS, COLUMNS = SAMPLE / "two_way" / "reviews.csv", {"question": "review", "answer": "label"}
SHARES = {"train": 0.5, "validation": 0.25, "test": 0.25}
PROJECT = "world"
TEACHING = "smollm2-135m-instruct"
FREE = {
    "input": 0,
    "output": 0,
}  # a price must be said: no table names this server, and it might be a proxy to a paid host
"""The lessons' own model, which they ask where a step names no other."""
TOY = {"bare": 0.00, "instructions": 0.02, "examples": 0.05, "schema": 0.08, "nearest": 0.10}
"""How good it is on the triage sample, where a world says nothing of it."""
MEMORY = Path("/dev/shm")
"""Where a system keeps files in memory: every answer is written to disk at once, which takes longer than to ask."""


@dataclass(frozen=True)
class World:
    """One table of ``worlds.toml``; see its head for what the fields mean."""

    name: str
    base: str
    route: str
    steps: tuple[str, ...]
    models: Mapping[str, Mapping[str, float]]
    expect: tuple[str, ...]
    why: str
    answers: Mapping[str, str]
    story: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    server: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, int] = field(default_factory=dict)
    expect_midway: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a world ended with.

    Attributes:
        choices: the verdict of each lesson 6, the last one last; of ``your_project`` the record's.
        record: ``record.json``.
        answered: how often the server answered, by model, kind of prompt and split.
        seconds: what each notebook took.
    """

    choices: tuple[str, ...]
    record: Mapping[str, Any]
    answered: Mapping[tuple[str, str, str], int]
    seconds: Mapping[str, float]

    @property
    def choice(self) -> str:
        return self.choices[-1]

    @property
    def headline(self) -> str:
        return self.record["verdict"]["headline"]


def worlds() -> list[World]:
    """All worlds of ``worlds.toml``, their answers complete."""
    tables = tomllib.loads((Path(__file__).parent / "worlds.toml").read_text(encoding="utf-8"))
    bases = tables["bases"]
    return [World(**{**one, "answers": bases[one["base"]] | one.get("answers", {})}) for one in tables["world"]]


def live(world: World) -> Outcome:
    """Go through all of a world's steps."""
    with own_home() as home:
        life = Life(world, home)
        try:
            return life.project_notebook() if world.route == "your_project" else life.lessons()
        finally:
            life.host.close()


@contextlib.contextmanager
def own_home() -> Iterator[Path]:
    """A home of its own on a fixed day, without keys and without short cuts."""
    home = Path(tempfile.mkdtemp(prefix="kit-world-", dir=MEMORY if MEMORY.is_dir() else None))
    (home / "assets").symlink_to(assets.folder())
    shared = kit_home() / "embeddings"  # the same texts in every world: their vectors are computed once
    shared.mkdir(parents=True, exist_ok=True)
    (home / "embeddings").symlink_to(shared)
    plain = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY") and name != "KIT_BRIEF"}
    own = {"KIT_HOME": str(home), "KIT_TODAY": TODAY, "KIT_STAY_LOCAL": "1"}
    with mock.patch.dict(os.environ, plain | own, clear=True):
        try:
            yield home
        finally:
            local.stop()  # lesson 0 looks whether the local API answers, and so starts it
            shutil.rmtree(home, ignore_errors=True)


class Life:
    """A world on its way."""

    def __init__(self, world: World, home: Path) -> None:
        self.world, self.project = world, Project(PROJECT)
        self.project.set("checklist", {"first": dict(world.answers)})
        self.seconds: dict[str, float] = {}
        self.again: dict[str, Any] = {}
        if world.route == "your_project":
            self.host = self.reviews_host()
        else:
            files = {split: TRIAGE / f"{split}.jsonl" for split in SHARES}
            asked = files | {"train": leaky_train(files, world.data.get("leaks", 0), home)}
            self.host = self.triage_host(files, asked["train"])
            self.lesson_1(asked)

    def reviews_host(self) -> PlantedHost:
        """A server that knows the reviews, split as the notebook splits them."""
        rows = data.read(REVIEWS, columns=COLUMNS)
        parts = data.split(rows, sizes=SHARES, seed=1, label=evaluate.label_of(rows))
        splits = {"validation": parts.validation, "test": parts.test}
        return PlantedHost({TEACHING: TOY, **self.world.models}, [parts.train], splits, self.world.server)

    def triage_host(self, files: Mapping[str, Path], leaky: Path) -> PlantedHost:
        """A server that knows the triage sample; prompts show rows of its training file, or of the leaky one."""
        splits = {split: data.read(files[split]) for split in ("validation", "test")}
        pools = [data.read(files["train"]), data.read(leaky)]
        return PlantedHost({TEACHING: TOY, **self.world.models}, pools, splits, self.world.server)

    # What is no notebook of ours ------------------------------------------------------------------------------------

    def lesson_1(self, files: Mapping[str, Path]) -> None:
        """What lesson 1 leaves: where the splits are, and what the data report counts."""
        self.project.keep_splits(files)
        report = data.check(files["train"], provider="local", validation=files["validation"], test=files["test"])
        leaks = int(report.problems["code"].isin(["leak", "near_leak"]).sum())
        counts = {"errors": report.count("error"), "warnings": report.count("warning"), "leaks": leaks}
        self.project.keep("evidence", "data", {"rows": len(data.read(files["train"])), **counts})

    def lesson_3(self, model: str) -> None:
        """What lesson 3 leaves: a job whose model answers."""
        self.project.set("jobs", {"ids": [self.host.add_tuned(model)]})

    def bill(self, step: str) -> dict[str, Any]:
        """What the reader enters into the calculator, and how unsure they are of it: lesson 6's parameters."""
        if not (told := re.search(r"bill with ([\d,]+) calls", step)):
            return {}
        calls = int(told[1].replace(",", ""))
        kept = self.project.get(calculator.KEY) or {"workload": Workload().to_dict()}
        workload = Workload.from_dict(kept["workload"]).to_dict() | {"calls_per_month": calls}
        state = kept | {"format": calculator.FORMAT, "workload": workload}
        if "GPU rented by the hour" in step:
            state |= {"options": rented_and_prompted(), "pair": rented_and_prompted()}
        self.project.set(calculator.KEY, state)
        return {"NOT_SURE": {"calls_per_month": (calls / 2, calls * 2), "label_minutes": (1, 6)}}

    # The route through the lessons ----------------------------------------------------------------------------------

    def lessons(self) -> Outcome:
        choices = [choice for step in self.world.steps if (choice := self.step(step))]
        return self.outcome(choices)

    def step(self, step: str) -> str | None:
        """Do one step; lesson 6 gives its choice."""
        match step.split(":")[0].split(" on ")[0].split():
            case ["lesson", "0"]:
                self.lesson_0(step)
            case ["lesson", "3"]:
                self.lesson_3(named("trains", step)[0])
            case ["lesson", "4", *_]:
                self.lesson_4(step)
            case ["restart", *_]:
                self.host.come_back()
            case ["lesson", "6"]:
                self.run("06_decide", {"PROJECT": PROJECT, **self.bill(step)})
                return self.project.require("verdict")["choice"]
            case ["copy", *_] | ["lesson", "1"]:
                pass  # done before the first step, for the server to know the rows
            case _:
                raise ValueError(f"What is to be done at {step!r}?")
        return None

    def lesson_0(self, step: str) -> None:
        rows, model = int(re.search(r"(\d+) validation rows", step)[1]), named("lesson 0 on", step)[0]
        self.run("00_should_you_fine_tune", self.asking(model) | {"ROWS": rows, "FRESH": 0})

    def lesson_4(self, step: str) -> None:
        """Run it on the models that the step names; "again" without any runs it as before.

        The first prompted model is MODEL, the others are TARGETS. A target whose host dies is one of these, so that
        what was asked before it has been answered.
        """
        if models := named("tuned", step):
            self.lesson_3(models[0])
        prompted = named("prompted", step) + named("target", step) + re.findall(r"([\w.-]+) on the same rows", step)
        if "the host dies" in step:
            prompted.insert(0, TEACHING)
        if rows := re.search(r"(\d+) test rows", step):
            targets = [(self.host.base_url, model) for model in prompted[1:]]
            self.again = self.asking(*prompted[:1]) | {"TARGETS": targets, "ROWS": int(rows[1]), "TUNED_PRICE": FREE}
        try:
            self.run("04_evaluate", self.again)
        except CellExecutionError:
            if not self.host.gone:
                raise

    def asking(self, model: str = TEACHING) -> dict[str, Any]:
        declared = self.world.roles.get(model, "")
        return {"PROJECT": PROJECT, "HOST": self.host.base_url, "MODEL": model, "DECLARED": declared, "PRICE": FREE}

    # The route through your_project ---------------------------------------------------------------------------------

    def project_notebook(self) -> Outcome:
        """One run of the notebook does all steps; lesson 6 is for what it does not ask, the bill."""
        steps = "; ".join(self.world.steps)
        own = {
            "DATA": os.path.relpath(REVIEWS, NOTEBOOKS), "COLUMNS": COLUMNS, "SHARES": SHARES,
            "ANSWERS": dict(self.world.answers), "ROWS": int(re.search(r"(\d+) validation rows", steps)[1]),
            "TRAIN_AT": self.host.base_url, "MAY_UPLOAD_TO": "local", "TRAIN_ANYWAY": bool(named("tuned", steps)),
            "TUNED_PRICE": FREE,
        }  # fmt: skip
        self.run("your_project", self.asking(named("lesson 0 on", steps)[0]) | own)
        choices = [self.record()["verdict"]["choice"]]
        if unsure := self.bill(steps):
            self.run("06_decide", {"PROJECT": PROJECT, **unsure})
            choices.append(self.project.require("verdict")["choice"])
        return self.outcome(choices)

    # Running --------------------------------------------------------------------------------------------------------

    def run(self, notebook: str, parameters: Mapping[str, Any]) -> None:
        began = time.monotonic()
        execute(NOTEBOOKS / f"{notebook}.ipynb", lambda _: None, parameters)
        self.seconds[f"{len(self.seconds) + 1} {notebook}"] = time.monotonic() - began

    def record(self) -> dict[str, Any]:
        return json.loads((self.project.folder / "record.json").read_text(encoding="utf-8"))

    def outcome(self, choices: list[str]) -> Outcome:
        return Outcome(tuple(choices), self.record(), self.host.answered, self.seconds)


def leaky_train(files: Mapping[str, Path], leaks: int, home: Path) -> Path:
    """A copy of the training file with the first test rows copied into it; the file itself where none are."""
    if not leaks:
        return files["train"]
    lines = files["train"].read_text().splitlines() + files["test"].read_text().splitlines()[:leaks]
    train = home / "train.jsonl"
    train.write_text("\n".join(lines) + "\n")
    return train


def named(role: str, step: str) -> list[str]:
    """The models that a step names behind a word such as "tuned" or "target"."""
    return [name.rstrip(".") for name in re.findall(rf"\b{role} ((?:ft:)?[\w.-]+(?::\w+)?)", step)]


def rented_and_prompted() -> list[str]:
    """Ids of the cheapest rented GPU and the cheapest prompt, as a reader would pick them in the calculator."""
    table = costs.compare(Workload())
    table = table[table["total"].notna()]
    rented = table[(table["kind"] == "own") & ~table["option"].str.endswith("this-machine")]
    prompted = table[table["kind"].isin(("prompt", "few-shot"))]
    return [rented["option"].iloc[0], prompted["option"].iloc[0]]
