"""Claims about prompts: behaviour, length, consistency, and the plateau as a signal."""

from __future__ import annotations

from helpers import evaluate, statistics
from helpers.evaluate import Results
from helpers.evaluate import consistency as repeats
from helpers.trial import verdicts
from helpers.trial.bench import CALLS, Bench, prompts, triage_scores
from helpers.trial.finding import UNTESTED, Finding, mark

TUNED = "tuned, question only"
EXPLAINED = "+ 8 examples"
WARMTH = 0.7
DRAWS = 3


def ladder(bench: Bench) -> Results:
    """Every prompt of the ladder and the tuned model on the same validation rows."""
    rivals = [*prompts(bench).values(), bench.triage_model().candidate(TUNED)]
    return bench.ask(rivals, bench.validation, triage_scores())


def behaviour(bench: Bench) -> Finding:
    """The bare question to the tuned model, against prompts that explain the task."""
    results = ladder(bench)
    explained = [results.compare(TUNED, name, "all_fields") for name in ("instructions", EXPLAINED)]
    bare = results.compare(TUNED, "question only", "all_fields")
    table = results.table("all_fields")
    shown = ["question only", "instructions", EXPLAINED, TUNED]
    said = explained[1]
    return Finding(
        claim="behaviour",
        verdict=verdicts.behaviour(explained, bare),
        because=f"Without a word of explanation the tuned model gets {_share(said.score_a)} completely right; the "
        f"explained prompt gets {_share(said.score_b)}",
        details=(*(one.sentence for one in explained), bare.sentence),
        marks=(
            *(mark("all fields right", name, *table.loc[name, ["score", "low", "high"]]) for name in shown),
            *(mark("valid JSON", name, float(results.scores(name, "valid_json").mean())) for name in shown),
        ),
        axis="share of answers",
        reading="Bars are 95 % intervals. The prompted rivals are the same small model, which is weak at prompts.",
    )


def prompt_length(bench: Bench) -> Finding:
    """Tokens that a call sends, and whether the answers suffer."""
    results = ladder(bench)
    sent = {name: _column(results, name, "prompt_tokens") for name in (TUNED, "instructions", EXPLAINED)}
    tokens = statistics.compare(
        sent[TUNED], sent[EXPLAINED], a=TUNED, b=EXPLAINED, metric="prompt tokens", unit="tokens", better="lower"
    )
    quality = results.compare(TUNED, EXPLAINED, "all_fields")
    means = {name: statistics.score_interval(values) for name, values in sent.items()}
    short, long = means[TUNED].value, means[EXPLAINED].value
    return Finding(
        claim="prompt_length",
        verdict=verdicts.prompt_length(tokens, quality),
        because=f"A call of the tuned model sends {short:.0f} tokens, the explained prompt {long:.0f}: "
        f"{long / short:.0f} times as many",
        details=(tokens.sentence, quality.sentence),
        marks=tuple(mark("prompt", name, *one) for name, one in means.items()),
        axis="prompt tokens a call (mean)",
        reading="Tokens as the local API counts them, the question among them.",
        numbers={
            "short": short,
            "long": long,
            "question": float(_column(results, "question only", "prompt_tokens").mean()),
            "answer": float(_column(results, TUNED, "completion_tokens").mean()),
        },
    )


def consistency(bench: Bench) -> Finding:
    """The same questions several times, with chance in the answers."""
    rivals = [prompts(bench)[EXPLAINED], bench.triage_model().candidate(TUNED)]
    asked = bench.validation[: bench.sizes.draws]
    explained, tuned = (
        repeats.over_repeats(
            bench.client, rival, asked, store=bench.store, times=DRAWS, temperature=WARMTH, concurrency=CALLS,
            progress=False,
        )
        for rival in rivals
    )  # fmt: skip
    comparison = statistics.compare(
        tuned.agreement, explained.agreement, a=TUNED, b=EXPLAINED, metric="agreement of repeated answers", unit="share"
    )
    return Finding(
        claim="consistency",
        verdict=verdicts.by_direction(comparison),
        because=f"Asked again, the tuned model gives the same answer {_share(tuned.estimate.value)} of the time, the "
        f"explained prompt {_share(explained.estimate.value)}",
        details=(comparison.sentence, tuned.sentence, explained.sentence),
        marks=(mark("agreement", EXPLAINED, *explained.estimate), mark("agreement", TUNED, *tuned.estimate)),
        axis="share of pairs of answers that agree",
        reading=f"Each question {DRAWS} times at temperature {WARMTH}; at temperature 0 this model repeats itself "
        "exactly, tuned or not.",
    )


def plateau(bench: Bench) -> Finding:
    """Has the ladder of prompts flattened out, and does tuning gain after it?"""
    results = ladder(bench)
    history = {name: results.scores(name, "fields_right") for name in prompts(bench)}
    signal = evaluate.plateau_of(history)
    best = max(history, key=lambda name: history[name].mean())
    comparison = results.compare(TUNED, best, "fields_right")
    verdict = verdicts.plateau(signal.state, comparison)
    said = {
        "plateaued": "The prompts had stopped getting better",
        "still rising": "The prompts were still getting better",
    }.get(signal.state, "These rows cannot tell whether the prompts had stopped getting better")
    gained = {1: "tuning gained on the best of them", 0: "nor whether tuning gained", -1: "tuning lost against them"}
    joint = "yet" if verdict == UNTESTED and verdicts.told(comparison) else "and"
    table = results.table("fields_right")
    return Finding(
        claim="plateau",
        verdict=verdict,
        because=f"{said}, {joint} {gained[verdicts.told(comparison)]}",
        details=(signal.sentence, comparison.sentence),
        marks=tuple(
            mark("tuned" if name == TUNED else "prompts, in the order tried", name, *line)
            for name, line in zip(table.index, table[["score", "low", "high"]].itertuples(index=False), strict=True)
        ),
        axis="share of fields right",
        reading="A plateau is called when none of the last three prompts can be two points better than the best before "
        "them. A teaching model's plateau is no reason to tune another model.",
    )


def _column(results: Results, name: str, column: str):
    rows = results.rows
    return rows[rows["candidate"] == name].sort_values("row")[column].to_numpy(dtype=float)


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
