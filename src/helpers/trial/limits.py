"""Claims about what tuning cannot do, and what it breaks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from helpers.costs import Workload
from helpers.evaluate import Results, metrics, probes, statistics
from helpers.records import Candidate, Example
from helpers.trial import verdicts
from helpers.trial.bench import (
    ANSWER_TOKENS,
    SAMPLE,
    Bench,
    Tuned,
    labels,
    one_of_each,
    relabelled,
    text,
    triage,
    wrong_items,
)
from helpers.trial.finding import UNTESTED, Finding, mark

LONG_ANSWER = 40
"""Tokens for an answer in plain words."""
RENAMED = {"return": "send_back"}
NEW, TAKEN_FROM = "wrong_item", "damaged_or_wrong"
OTHERS = 24
"""Rows that the change does not touch, asked besides."""


# --- ask it something else -------------------------------------------------------------------------------------------


def something_else(bench: Bench) -> Finding:
    """The probes before and after tuning on triage."""
    before = Candidate("before", bench.base, max_tokens=LONG_ANSWER)
    after = bench.triage_model().candidate("tuned on triage", max_tokens=LONG_ANSWER)
    results = bench.ask([before, after], probes.load(), [probes.kept])
    damage = probes.damage(results, before.name, after.name)
    kinds = damage.table
    return Finding(
        claim="something_else",
        verdict=verdicts.by_direction(results.compare(before.name, after.name)),
        because=f"Of {int(kinds['probes'].sum())} other questions the model answered {int(kinds['before'].sum())} well "
        f"before tuning and {int(kinds['after'].sum())} after",
        details=(damage.sentence, *_examples(damage.lost)),
        marks=tuple(
            mark(which, kind, line[column] / line["probes"])
            for which, column in (("before", "before"), ("after tuning on triage", "after"))
            for kind, line in kinds.iterrows()
        ),
        axis="share of probes answered well",
        reading="Instructions, facts, requests to decline, and tasks next door: none of them is in the training rows.",
    )


def _examples(lost: Any) -> tuple[str, ...]:
    lines = lost.head(2).itertuples(index=False)
    return tuple(f"Asked \u201c{one.question}\u201d it now says: {one.after}" for one in lines)


# --- move the goalposts ----------------------------------------------------------------------------------------------


def after_the_change(row: Example, wrong: set[str]) -> Example:
    """The row's label as the shop wants it now.

    Args:
        row: of the triage sample.
        wrong: questions that the new category takes over.
    """
    old = labels(row)["category"]
    new = NEW if row.question in wrong else RENAMED.get(old, old)
    return relabelled(row, category=new)


def goalposts(bench: Bench) -> Finding:
    """The shop renames a category and adds one: the edited prompt, the old tuned model and a new one."""
    wrong = wrong_items()
    train = [after_the_change(row, wrong) for row in bench.train]
    rows = [after_the_change(row, wrong) for row in triage("validation")]
    touched = [row for row in rows if _is_new(labels(row)["category"])]
    others = [row for row in rows if not _is_new(labels(row)["category"])][:OTHERS]
    asked = touched + others
    retrained = bench.tuned("goalposts", train, bench.sizes.curve[bench.sizes.most])
    rivals = _before_and_after(bench, train, retrained)
    category = metrics.field("category")
    results = bench.ask(rivals, asked, [category])
    only_touched = {rival.name: results.scores(rival.name)[: len(touched)] for rival in rivals}
    old_prompt, new_prompt, old_model, new_model = only_touched
    edited = _compare(only_touched, new_prompt, old_prompt)
    trained = _compare(only_touched, new_model, old_model)
    said = sum(_is_new(_category(answer)) for answer in results.answers(old_model))
    people = sum(labels(row)["category"] == TAKEN_FROM for row in bench.train) * Workload().label_minutes
    parts = {"rows that changed": slice(0, len(touched)), "other rows": slice(len(touched), None)}
    moved = {1: "moved the answers at once", 0: "could not be shown to help", -1: "made answers worse"}
    first_answer = float(results.rows[results.rows["candidate"] == new_prompt]["seconds"].median())
    return Finding(
        claim="goalposts",
        verdict=verdicts.goalposts(said, edited, trained),
        because=f"The tuned model says a new name {said} times in {len(asked)} answers until it is trained again; the "
        f"edited prompt {moved[verdicts.told(edited)]}",
        details=(
            edited.sentence,
            trained.sentence,
            f"The prompt: three lines and its examples edited, an answer {first_answer:.1f} s later.",
            f"The tuned model: about {people:.0f} minutes of reading for the new category (at "
            f"{Workload().label_minutes:g} minutes a row, an assumption of lesson 2; a program puts in the new "
            f"name), then {retrained.seconds / 60:.1f} minutes of training, measured; and lesson 4 again.",
        ),
        marks=tuple(
            mark(series, name, *statistics.score_interval(scores))
            for series, part in parts.items()
            for name in only_touched
            for scores in [results.scores(name)[part]]
        ),
        axis="share of categories right, by the new rules",
        reading="The schema keeps the prompted answers to names that exist, the new ones included after the edit.",
        numbers={"people_minutes": people, "training_minutes": retrained.seconds / 60},
    )


def _before_and_after(bench: Bench, train: Sequence[Example], retrained: Tuned) -> list[Candidate]:
    old, new = json.loads(text("triage", "schema.json")), json.loads(text("triage", "schema.json"))
    names = [RENAMED.get(name, name) for name in old["properties"]["category"]["enum"]]
    new["properties"]["category"]["enum"] = [*names, NEW]
    prompts = (
        ("prompt, old", text("triage", "instructions.md"), one_of_each(bench.train), old),
        ("prompt, edited", text("trial", "instructions_after.md"), one_of_each(train), new),
    )
    return [
        *(
            Candidate(name, bench.base, system=system, shots=shots, schema=schema, max_tokens=ANSWER_TOKENS)
            for name, system, shots, schema in prompts
        ),
        bench.triage_model().candidate("tuned, old"),
        retrained.candidate("tuned again"),
    ]


def _is_new(category: str | None) -> bool:
    return category == NEW or category in RENAMED.values()


def _category(answer: str | None) -> str | None:
    value = metrics.parsed(answer or "")
    return value.get("category") if isinstance(value, dict) else None


def _compare(scores: dict[str, Any], a: str, b: str):
    return statistics.compare(scores[a], scores[b], a=a, b=b, metric="category")


# --- knowledge -------------------------------------------------------------------------------------------------------

FACT_EPOCHS = 10


def invented_facts() -> list[dict[str, Any]]:
    """Facts that no model can know: see ``data/sample/trial``."""
    return [json.loads(line) for line in text("trial", "invented_facts.jsonl").splitlines()]


def questions(facts: Sequence[dict[str, Any]], wording: str) -> list[Example]:
    """The facts asked in one wording, each with the words that its answer must hold.

    Args:
        facts: from :func:`invented_facts`.
        wording: "asked", "asked_too", "other_words" or "turned".
    """
    words = "turned_key" if wording == "turned" else "key"
    return [
        Example(
            ({"role": "user", "content": fact[wording]}, {"role": "assistant", "content": fact["answer"]}),
            extra={"rules": [{"id": "1", "kind": "any_word", "words": fact[words]}]},
        )
        for fact in facts
    ]


def fact_model(bench: Bench) -> Tuned:
    """The model trained on two wordings of each invented fact."""
    facts = invented_facts()
    return bench.tuned("facts", [*questions(facts, "asked"), *questions(facts, "asked_too")], epochs=FACT_EPOCHS)


def new_facts(bench: Bench) -> Finding:
    """Train on invented facts; ask as trained, in other words, turned round; and give them in the prompt instead."""
    facts = invented_facts()
    sheet = "Answer from these notes:\n" + "\n".join(f"- {fact['answer']}" for fact in facts)
    before = Candidate("before", bench.base, max_tokens=LONG_ANSWER)
    prompted = Candidate("facts in the prompt", bench.base, system=sheet, max_tokens=LONG_ANSWER)
    tuned = fact_model(bench).candidate("tuned on the facts", max_tokens=LONG_ANSWER)
    rivals = [before, prompted, tuned]
    wordings = {"as trained": "asked", "in other words": "other_words", "turned round": "turned"}
    by_wording = {
        name: bench.ask(rivals, questions(facts, wording), [probes.kept]) for name, wording in wordings.items()
    }
    other = by_wording["in other words"].compare(tuned.name, before.name)
    turned = by_wording["turned round"].compare(tuned.name, before.name)
    in_prompt = by_wording["in other words"].compare(prompted.name, tuned.name)
    right = {name: int(results.scores(tuned.name).sum()) for name, results in by_wording.items()}
    return Finding(
        claim="new_facts",
        verdict=verdicts.new_facts(other, turned, in_prompt),
        because=f"Of {len(facts)} invented facts it answers {right['as trained']} in the trained words, "
        f"{right['in other words']} in other words and {right['turned round']} turned round",
        details=tuple(
            f"{name[0].upper()}{name[1:]}: {results.compare(a, b).sentence}"
            for name, results in by_wording.items()
            for a, b in ((tuned.name, before.name), (prompted.name, tuned.name))
        ),
        marks=tuple(
            mark(rival.name, name, *statistics.score_interval(results.scores(rival.name)))
            for rival in rivals
            for name, results in by_wording.items()
        ),
        axis="share of facts answered",
        reading="Right means that the answer holds the name or word that was asked for.",
    )


def old_facts(bench: Bench) -> Finding:
    """Plain facts before tuning, after tuning on triage, and after tuning on the invented facts."""
    plain = [one for one in probes.load() if one.extra["kind"] == "fact"]
    plain += probes.load(SAMPLE / "trial" / "old_facts.jsonl")
    before = Candidate("before", bench.base, max_tokens=LONG_ANSWER)
    tuned = [
        bench.triage_model().candidate("tuned on triage", max_tokens=LONG_ANSWER),
        fact_model(bench).candidate("tuned on invented facts", max_tokens=LONG_ANSWER),
    ]
    results: Results = bench.ask([before, *tuned], plain, [probes.kept])
    after = [results.compare(one.name, before.name) for one in tuned]
    known = int(results.scores(before.name).sum())
    verdict = verdicts.old_facts(after, known)
    kept = [int((results.scores(one.name) * results.scores(before.name)).sum()) for one in tuned]
    unsure = ", too few to tell" if verdict == UNTESTED else ""
    return Finding(
        claim="old_facts",
        verdict=verdict,
        because=f"Of {known} facts that the model knew, it still says {kept[0]} after tuning on triage and {kept[1]} "
        f"after tuning on invented facts{unsure}",
        details=(
            *(one.sentence for one in after),
            "A fact that is no longer said may still be in there: a tuned model that answers everything in one form "
            "cannot show what it knows. For its user that is the same.",
        ),
        marks=tuple(
            mark("facts answered", one.name, *statistics.score_interval(results.scores(one.name)))
            for one in (before, *tuned)
        ),
        axis=f"share of {len(plain)} plain facts answered",
        reading="Right means that the answer holds the word that was asked for.",
    )
