"""Scenarios by somebody who had not seen the rules: how far the kit agrees, and where it does not, both reasons."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from decide_cases import Scenario, cases, evidence_from

from helpers.decide import decide, flips, questions

CASES = cases("decide_strangers.toml")
TRAINING = ("worth_a_trial", "tune_yourself", "tune_at_provider", "move_off")


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


NOTHING_TUNED = (
    "No tuned model has been measured yet. When this table was written the kit had one verdict for trying and for "
    "doing; now a trial comes first, with its price and the gain that would count."
)
DISAGREEMENTS = [
    Disagreement(
        "two answers and no prompt",
        kit="not_enough",
        mine="No prompt has been written: writing one is the first step whatever else is answered.",
        kits="One deciding question is open: is it clear what a good answer is? If it is not, 20 ideal answers come "
        "before a prompt; the flips say that any other answer leads to the prompt. A click, so it is asked first.",
        borderline=True,
    ),
    *(
        Disagreement(name, kit="worth_a_trial", mine=mine, kits=NOTHING_TUNED)
        for name, mine in (
            ("captions in a small language", "A first run is worth its few dollars."),
            ("only one approved host, and nobody's table knows it", "The case for tuning stands."),
            ("completion inside a keystroke", "Only a small model beside the desk answers fast enough."),
        )
    ),
]
BY_NAME = {entry.case: entry for entry in DISAGREEMENTS}
AGREEMENT = "8 of 12 as expected, 1 another defensible verdict, 3 another verdict"


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


# ------------------------------------------------------------------ what the stranger found missing, and stays mended


def case_of(name: str) -> Scenario:
    return next(case for case in CASES if case.name == name)


def verdict_of(name: str, **other_answers: str):
    case = case_of(name)
    return decide({**case.answers, **other_answers}, case.evidence, case.today)


WORDING = "stuck at four broken records in a hundred"
ONE_HOST = "only one approved host, and nobody's table knows it"
PERHAPS = "three points, perhaps"
APPROVAL = "would have to be approved for your data first"


def test_a_plateau_of_wording_leads_to_the_techniques_that_are_untried():
    verdict = verdict_of(WORDING)
    for technique in ("structured outputs", "worked examples", "caching", "prompt optimiser"):
        assert technique in verdict.headline and technique in verdict.next_steps[0]
    assert any("plateaued" in reason for reason in verdict.reasons)
    assert any("structured outputs" in blocker for blocker in verdict.blockers)
    tried = [flip for flip in verdict.what_would_change_it if "techniques are untried" in flip]
    assert any("worth a trial" in flip for flip in tried)


def test_a_lead_over_a_prompt_of_plain_instructions_is_no_reason_to_train():
    case = case_of("two batches a year, nine points")
    assert decide(case.answers, case.evidence, case.today).allows_training
    verdict = decide({**case.answers, "techniques": "none"}, case.evidence, case.today)
    assert verdict.choice == "improve_prompt"
    assert any("+9.0 points" in reason for reason in verdict.reasons)


@pytest.mark.parametrize("techniques", ["some", "most"])
def test_techniques_are_always_named_when_a_measured_plateau_leads_to_tuning(techniques):
    case = case_of(WORDING)
    answers = {**case.answers, "techniques": techniques}
    verdict = decide(answers, case.evidence, case.today)
    says = questions()["techniques"].option(techniques).says
    assert verdict.choice == "worth_a_trial"
    assert any(says in reason for reason in verdict.reasons)
    assert any(says.lower() in one.lower() for one in verdict.blockers) == (techniques == "some")
    assert ("still untried" in verdict.next_steps[0]) == (techniques == "some")
    to_the_prompt = [flip for flip in flips(answers, case.evidence, case.today) if flip.input == "techniques"]
    assert [flip.choice for flip in to_the_prompt] == ["improve_prompt"]


def test_nothing_is_said_about_tuning_while_techniques_are_unanswered():
    case = case_of(WORDING)
    answers = {name: value for name, value in case.answers.items() if name != "techniques"}
    verdict = decide(answers, case.evidence, case.today)
    assert verdict.choice == "not_enough" and questions()["techniques"].text in verdict.next_steps[0]


@pytest.mark.parametrize("host", ["other", "none", "openai", "mistral"])
def test_a_host_that_the_kit_names_comes_with_the_approval_that_it_needs(host):
    verdict = verdict_of(ONE_HOST, host=host)
    named = f"Fine-tuning is worth a trial (Nebius Token Factory, which {APPROVAL})"
    assert verdict.headline.startswith(named)
    assert f"Nebius Token Factory {APPROVAL}." in verdict.blockers
    assert any(step.startswith("Send no row to Nebius Token Factory before") for step in verdict.next_steps)
    assert any("Ask your own host first" in step for step in verdict.next_steps) == (host == "other")


def test_no_approval_is_asked_for_the_readers_own_host_or_for_data_that_may_leave():
    for verdict in (verdict_of(ONE_HOST, host="bedrock"), verdict_of(ONE_HOST, privacy="may_leave")):
        assert verdict.choice == "worth_a_trial"
        assert "approved for" not in " ".join((verdict.headline, *verdict.blockers, *verdict.next_steps))


@pytest.mark.parametrize(
    ("difference", "low", "high", "settled"),
    [(0.03, -0.01, 0.07, False), (0.0, -0.02, 0.02, False), (0.0, -0.015, 0.015, True), (-0.04, -0.07, -0.01, True)],
)
def test_an_interval_from_nothing_to_a_gain_worth_having_is_not_settled(difference, low, high, settled):
    lead = {"difference": difference, "low": low, "high": high, "n": 1400}
    target = {"score": 0.87, "low": 0.83, "high": 0.90, "n": 1400}
    plateau = {"state": "plateaued", "yardstick": "target"}
    evidence = evidence_from({"target": target, "plateau": plateau, "tuned_vs_target": lead})
    case = case_of(PERHAPS)
    verdict = decide(case.answers, evidence, case.today)
    assert verdict.choice == "keep_prompting"
    assert (verdict.confidence == "high") == settled
    assert any("more test rows" in step for step in verdict.next_steps) == (not settled)
    assert any("1,400" in reason for reason in verdict.reasons)


def test_keep_prompting_names_the_measured_plateau():
    assert "Measured: the prompts of the target model have plateaued." in verdict_of(PERHAPS).reasons


@pytest.mark.parametrize("case", [case for case in CASES if case.answers.get("gap")], ids=lambda case: case.name)
@pytest.mark.parametrize("quality", ["unknown", "mixed"])
def test_doubtful_examples_come_with_the_step_that_mends_them(case, quality):
    verdict = decide({**case.answers, "quality": quality}, case.evidence, case.today)
    says = questions()["quality"].option(quality).says
    assert any(says.lower() in one.lower() for one in verdict.blockers)
    assert sum("have the examples read" in step for step in verdict.next_steps) == 1


def test_a_customer_is_not_told_about_newcomers():
    closing = "the tune that wins, at the door that closes"
    newcomer, customer = verdict_of(closing, tuned_now="no"), verdict_of(closing)
    assert any("not open to new customers" in one for one in newcomer.blockers)
    assert not any("new customers" in one for one in customer.blockers)
    assert "The end of fine-tuning at OpenAI is announced, for its customers too." in customer.blockers


def test_counts_have_separators():
    said = " ".join(verdict_of(ONE_HOST).reasons)
    assert "3,000 good training rows" in said and "3000" not in said


def test_the_price_of_many_rows_is_said_in_plain_figures():
    teaching = {"score": 0.2, "low": 0.19, "high": 0.21, "n": 200_000}
    case = case_of("fault notes behind an air gap")
    step = decide(case.answers, evidence_from({"teaching": teaching}), case.today).next_steps[0]
    assert re.search(r"about \d,\d{3} cents", step) and "e+" not in step
