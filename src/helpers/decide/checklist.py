"""The checklist: questions and options, read from ``checklist.toml``, and the check of a set of answers.

Answers are a plain mapping from question id to option value; a question that is missing or None is unanswered.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from helpers.decide import hosts
from helpers.errors import DecisionError


@dataclass(frozen=True)
class Option:
    """One possible answer.

    Attributes:
        value: what is stored.
        label: what the reader clicks.
        help: one line under the label; may be empty.
        says: the answer as a clause, for reasons ("the prompt is long").
        leans: +1 speaks for tuning, -1 for prompting, 0 for neither.
        holds: of an option that names a device: billions of parameters of the largest model that fits there.
    """

    value: str
    label: str
    help: str
    says: str
    leans: int
    holds: float | None = None


@dataclass(frozen=True)
class Question:
    """One question with its options in natural order, why it matters, and a source that makes the point.

    An ``optional`` one adds steps to a verdict and moves none: leaving it open takes no confidence away.
    """

    id: str
    group: str
    text: str
    why: str
    source: str
    options: tuple[Option, ...]
    optional: bool = False

    def option(self, value: str) -> Option:
        """The option with this value (which :func:`checked` has vouched for)."""
        return next(option for option in self.options if option.value == value)

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(option.value for option in self.options)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("helpers.decide").joinpath("checklist.toml").read_text(encoding="utf-8"))


def version() -> int:
    """The checklist's version; answer files carry the version that they were written for."""
    return int(_table()["version"])


def groups() -> dict[str, str]:
    """Group id to title, in order."""
    return {group["id"]: group["title"] for group in _table()["group"]}


@cache
def questions() -> dict[str, Question]:
    """Question id to question, in the order in which they are asked.

    The question about the host also offers the hosts that only the facts name: one that was added there is no "other".
    """
    return {row["id"]: Question(**{**row, "options": _options(row)}) for row in _table()["question"]}


def _options(row: dict[str, Any]) -> tuple[Option, ...]:
    listed = tuple(Option(**option) for option in row["options"])
    if row["id"] != "host":
        return listed
    named = {option.value for option in listed}
    more = [(host, hosts.name(host)) for host in hosts.that_train() if host not in named]
    added = (Option(host, name, "", f"you are tied to {name}", 0) for host, name in more)
    return (*listed[:-1], *added, listed[-1])  # "another one" stays the last


def article() -> list[dict[str, Any]]:
    """The article's two lists: ``list`` ("prompting" or "tuning"), ``says``, and the ``question``, ``options`` and
    ``rule`` (a function that ``helpers.decide.RULES`` lists) in which each item lives on."""
    return _table()["article"]


def problems(answers: Mapping[str, Any]) -> list[str]:
    """What in ``answers`` the checklist does not know, each as a sentence; empty when all fits."""
    found = []
    for name, value in answers.items():
        question = questions().get(name)
        if question is None:
            found.append(f"{name!r} is not a question of the checklist")
        elif value is not None and value not in question.values:
            found.append(f"{name} = {value!r} is not one of {', '.join(question.values)}")
    return found


def checked(answers: Mapping[str, Any]) -> dict[str, str]:
    """The answers that were given, in the checklist's order.

    Raises:
        DecisionError: something is not a question or not an option; all such problems at once.
    """
    if not isinstance(answers, Mapping):
        raise DecisionError(
            "The answers are not a mapping from question to option.",
            got=f"a {type(answers).__name__}",
            fix="Pass a dict such as {'gap': 'behaviour'}.",
        )
    found = problems(answers)
    if found:
        raise DecisionError(
            "The answers do not fit the checklist.",
            got="; ".join(found),
            fix=f"The questions are {', '.join(questions())}.",
        )
    return {name: answers[name] for name in questions() if answers.get(name) is not None}


def unanswered(answers: Mapping[str, Any]) -> list[str]:
    """Ids of questions without an answer, in order."""
    return [name for name in questions() if answers.get(name) is None]


LEANS = {1: "speaks for tuning", -1: "speaks for prompting", 0: "speaks for neither side"}


def leaning(question: str, value: str) -> str:
    """For which side an answer speaks, as a sentence.

    Args:
        question: its id.
        value: one of its options' values.
    """
    return f"It {LEANS[questions()[question].option(value).leans]}."
