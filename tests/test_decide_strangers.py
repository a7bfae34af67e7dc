"""Scenarios by somebody who had not seen the rules: how far the kit agrees, and where it does not, both reasons."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from decide_cases import Scenario, cases

from helpers.decide import decide

CASES = cases("decide_strangers.toml")
TRAINING = ("tune_yourself", "tune_at_provider", "move_off")


@dataclass(frozen=True)
class Disagreement:
    """One case where the kit does not say what the stranger expected.

    Attributes:
        case: the scenario's name.
        kit: the kit's verdict.
        words: what the kit says although the stranger forbids it.
        mine: the stranger's reason.
        kits: the kit's reason, as it gives it.
        borderline: whether the stranger calls the kit's verdict defensible (``also_fine``).
    """

    case: str
    kit: str
    mine: str
    kits: str
    words: tuple[str, ...] = ()
    borderline: bool = False


DISAGREEMENTS = [
    Disagreement(
        "stuck at four broken records in a hundred",
        kit="tune_yourself",
        mine="The plateau is one of wording: the reader says that examples, schema, caching and optimisers are all "
        "untried. A schema takes a day and ends records that do not parse. The answer is not even quoted as a doubt.",
        kits="Prompting a target model has stopped getting better where consistency or size counts (low confidence).",
    ),
    Disagreement(
        "only one approved host, and nobody's table knows it",
        kit="tune_at_provider",
        words=("provider (Nebius",),
        mine="The verdict is fine, the address is not: data may go to approved hosts only, the reader's is not in the "
        "table, and the kit names another without a word about approval. Ask the reader's own host whether it tunes.",
        kits="Nebius Token Factory is open to anyone with an account and lets the weights be taken along.",
    ),
    Disagreement(
        "two answers and no prompt",
        kit="not_enough",
        mine="No prompt has been written: writing one is the first step whatever else is answered.",
        kits="One deciding question is open: is it clear what a good answer is?",
        borderline=True,
    ),
]
BY_NAME = {entry.case: entry for entry in DISAGREEMENTS}
AGREEMENT = "9 of 12 as expected, 1 another defensible verdict, 1 right verdict with wrong words, 1 another verdict"


def forbidden(case: Scenario) -> tuple[str, ...]:
    """The words that the case forbids and the kit says all the same."""
    verdict = decide(case.answers, case.evidence, case.today)
    said = " ".join((verdict.headline, *verdict.reasons, *verdict.next_steps, *verdict.blockers)).lower()
    return tuple(words for words in case.must_not_say if words.lower() in said)


def grade(case: Scenario) -> str:
    """How the kit's verdict stands to the stranger's."""
    choice = decide(case.answers, case.evidence, case.today).choice
    if choice == case.expect:
        return "right verdict with wrong words" if forbidden(case) else "as expected"
    return "another defensible verdict" if choice in case.also_fine else "another verdict"


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in BY_NAME], ids=lambda case: case.name)
def test_the_kit_agrees(case):
    verdict = decide(case.answers, case.evidence, case.today)
    assert verdict.choice == case.expect, f"{verdict.headline}\na stranger: {case.why}"
    assert forbidden(case) == ()
    assert verdict.allows_training == (verdict.choice in TRAINING)
    assert verdict.next_steps


@pytest.mark.parametrize("case", [c for c in CASES if c.name in BY_NAME], ids=lambda case: case.name)
def test_a_disagreement_is_still_the_one_that_is_written_down(case):
    entry = BY_NAME[case.name]
    assert grade(case) != "as expected", "mended: take it out of DISAGREEMENTS and count it in AGREEMENT"
    assert decide(case.answers, case.evidence, case.today).choice == entry.kit
    assert forbidden(case) == entry.words
    assert entry.borderline == (grade(case) == "another defensible verdict")


def test_agreement_is_reported():
    """Shown by ``pytest -rP``; the sentence is asserted, so that it cannot go stale."""
    grades = [grade(case) for case in CASES]
    order = ("another defensible verdict", "right verdict with wrong words", "another verdict")
    parts = [f"{grades.count('as expected')} of {len(CASES)} as expected"]
    report = ", ".join(parts + [f"{grades.count(name)} {name}" for name in order if name in grades])
    print(report)
    assert report == AGREEMENT
    assert set(BY_NAME) == {case.name for case, g in zip(CASES, grades, strict=True) if g != "as expected"}


def test_the_table_is_what_it_claims():
    assert len(CASES) == 12 == len({case.name for case in CASES})
    assert all(case.why for case in CASES)
    assert all(("Borderline" in case.why) == bool(case.also_fine) for case in CASES)
    assert len({case.expect for case in CASES}) >= 7
