"""Claims about how many examples it takes, and how good they must be."""

from __future__ import annotations

from collections.abc import Sequence

from helpers import evaluate
from helpers.evaluate import Results, metrics, statistics
from helpers.records import Candidate, Example
from helpers.trial import verdicts
from helpers.trial.bench import ANSWER_TOKENS, Bench, fields_right, labels, relabelled, text
from helpers.trial.finding import Finding, mark

SHOTS = 10
"""Up to so many rows all stand in the prompt; of more, the four nearest."""
NEAREST = 4
CLOSED = ("category", "urgency")
"""The fields that the classifier learns, however few rows it is given."""
WRONG_EVERY = 3
"""Every third row gets a wrong category."""


def _sizes(bench: Bench) -> dict[str, int]:
    """The few, those below a hundred, and the most."""
    few, below, *_ = bench.sizes.curve
    return {"few": few, "below": below, "most": bench.sizes.most}


def in_the_prompt(bench: Bench, size: int) -> Candidate:
    """A prompt that uses the first ``size`` training rows: all of them where they are few, else the nearest.

    Args:
        bench: rows and base model of this run.
        size: how many of the training rows.
    """
    rows = bench.train[:size]
    given = {"shots": tuple(rows)} if size <= SHOTS else {"nearest": NEAREST, "pool": tuple(rows)}
    return Candidate(
        f"prompt, {size} rows", bench.base, system=text("triage", "instructions.md"), max_tokens=ANSWER_TOKENS, **given
    )


def curves(bench: Bench) -> Results:
    """Tuned models and prompts that use the same rows, and the textbook classifier, on the same validation rows."""
    sizes = sorted(set(bench.sizes.curve))
    prompted = [in_the_prompt(bench, size) for size in sorted(set(_sizes(bench).values()))]
    tuned = [bench.triage_model(size).candidate(f"tuned, {size} rows") for size in sizes]
    results = bench.ask([*prompted, *tuned], bench.validation, [fields_right])
    for size in sizes:
        plain = evaluate.without_llm(
            bench.train[:size], bench.validation, [fields_right], only=["TF-IDF"], closed=CLOSED, progress=False
        )
        name = f"classifier, {size} rows"
        plain.rows["candidate"], plain.candidates = name, {name: next(iter(plain.candidates.values()))}
        results = results.merge(plain)
    return results


def _curve_marks(results: Results) -> tuple[dict, ...]:
    table = results.table("fields_right")
    lines = zip(table.index, table[["score", "low", "high"]].itertuples(index=False), strict=True)
    return tuple(mark(name.split(",")[0], name, *line, x=int(name.split()[1])) for name, line in lines)


def few_rows(bench: Bench) -> Finding:
    """The same few rows in the prompt and in the model, then many."""
    results, sizes = curves(bench), _sizes(bench)
    few, most = sizes["few"], sizes["most"]
    at_few = results.compare(f"prompt, {few} rows", f"tuned, {few} rows")
    at_many = results.compare(f"tuned, {most} rows", f"prompt, {most} rows")
    words = {1: "prompting is better", 0: "these rows cannot tell", -1: "tuning is better already"}
    then = {1: "tuning is ahead", 0: "these rows cannot tell", -1: "prompting is ahead"}
    return Finding(
        claim="few_rows",
        verdict=verdicts.few_rows(at_few, at_many),
        because=f"With {few} rows {words[verdicts.told(at_few)]}; with {most} rows {then[verdicts.told(at_many)]}",
        details=(at_few.sentence, at_many.sentence),
        marks=_curve_marks(results),
        axis="share of fields right",
        x_axis="training rows (each step is a ratio)",
        reading=f"Up to {SHOTS} rows stand in the prompt as examples; of more, the {NEAREST} nearest to each question. "
        "The classifier is TF-IDF with logistic regression.",
    )


def hundreds(bench: Bench) -> Finding:
    """Below and above a hundred rows: does tuning beat the prompt that has the same rows, and do more rows help?"""
    results, sizes = curves(bench), _sizes(bench)
    low, most = sizes["below"], sizes["most"]
    below = results.compare(f"tuned, {low} rows", f"prompt, {low} rows")
    above = results.compare(f"tuned, {most} rows", f"prompt, {most} rows")
    more = results.compare(f"tuned, {most} rows", f"tuned, {low} rows")
    said = {1: "already beat", 0: "could not be told from", -1: "lost to"}[verdicts.told(below)]
    gain = {1: "and more rows helped further", 0: "and a gain from more rows could not be shown", -1: "more did harm"}
    return Finding(
        claim="hundreds",
        verdict=verdicts.hundreds(below, above, more),
        because=f"{low} rows {said} the prompt that has the same rows, {gain[verdicts.told(more)]}",
        details=(
            below.sentence,
            above.sentence,
            more.sentence,
            f"This run ends at {most} rows: the upper end of the range, 10,000, could not be tested here.",
        ),
        marks=tuple(one for one in _curve_marks(results) if one["series"] != "classifier"),
        axis="share of fields right",
        x_axis="training rows (each step is a ratio)",
        reading="Each point is one model trained once; another seed would move it by a few points.",
    )


def spoiled(rows: Sequence[Example]) -> list[Example]:
    """The rows, every third with the category of a later row that has another one: wrong, but never out of the list."""
    out = []
    for place, row in enumerate(rows):
        later = [labels(other)["category"] for other in (*rows[place + 1 :], *rows[:place])]
        wrong = next(name for name in later if name != labels(row)["category"])
        out.append(relabelled(row, category=wrong) if place % WRONG_EVERY == 0 else row)
    return out


def quality(bench: Bench) -> Finding:
    """Half of the rows, all right, against all of them with a third of the categories wrong."""
    full = list(bench.sizes.curve)[-2]
    half = full // 2
    category = metrics.field("category")
    models = {
        f"{half} rows, all right": bench.triage_model(half),
        f"{full} rows, a third wrong": bench.tuned("spoiled", spoiled(bench.train[:full]), bench.sizes.curve[full]),
        f"{full} rows, all right": bench.triage_model(full),
    }
    results = bench.ask([m.candidate(name) for name, m in models.items()], bench.validation, [category])
    few, doubtful, clean = models
    half_clean, all_clean = results.compare(few, doubtful), results.compare(clean, doubtful)
    said = {1: "better than", 0: "not told apart from", -1: "worse than"}
    estimates = {name: statistics.score_interval(results.scores(name)) for name in models}
    return Finding(
        claim="quality",
        verdict=verdicts.quality(half_clean, all_clean),
        because=f"{half} rows that are all right are {said[verdicts.told(half_clean)]} {full} rows with a third wrong; "
        f"{full} right rows are {said[verdicts.told(all_clean)]} them",
        details=(half_clean.sentence, all_clean.sentence),
        marks=tuple(mark("category right", name, *one) for name, one in estimates.items()),
        axis="share of categories right",
        reading="Wrong rows carry the category of another message; urgency and order number stay right.",
    )
