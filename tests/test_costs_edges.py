"""Bills at their edges: what is left to a default, where a bound lies, which day counts, what stands beside a sum."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest
from test_costs_bills import page_row

from helpers import costs
from helpers.costs import choosing
from helpers.costs.calls import call_usd
from helpers.costs.comparing import BreakEven
from helpers.costs.cost import Cost, remarks_on
from helpers.costs.curves import _axis, _is_full, _within
from helpers.costs.options import _tuned
from helpers.costs.training import training_usd
from helpers.costs.workload import BOUNDS
from helpers.errors import CostError

TODAY, NEW_YEAR = date(2026, 11, 23), date(2027, 1, 1)
LUNA, SOL, NOVA = "prompt:openai/gpt-6-luna", "prompt:openai/gpt-6-sol", "tuned:bedrock/amazon.nova-micro-v1:0"
FLASH = "prompt:google/gemini-3.8-flash"
"""Its price doubles on New Year's Day."""
SEEK = "prompt:deepseek/deepseek-flash"
"""Its cache takes a beginning of any length, as far as is known."""
HERE, RENTED = "own:local/this-machine", "own:huggingface/huggingface-l4x1"
MILLION = 1_000_000


def parts(option: str, **numbers: float) -> dict[str, float | None]:
    return costs.total_cost(costs.Workload(**numbers), option, TODAY).parts


def remarks(option: str, **numbers: float) -> str:
    return "; ".join(costs.total_cost(costs.Workload(**numbers), option, TODAY).remarks)


# --- what is left to a default ---


def test_the_small_shops_own_bills_by_hand():
    """20,000 calls a month for a year. A prompt of 900 tokens in and 30 out, its 800 too few for OpenAI's cache."""
    each = (900 * 0.10 + 30 * 0.50) / MILLION
    people = {"setting up": 6 * 40, "review": 12 * 1 * 40}
    nothing = dict.fromkeys(costs.PARTS, 0.0)
    prompted = nothing | people | {"inference": 240_000 * each, "evaluation": 12 * 200 * each}
    assert parts(LUNA) == pytest.approx(prompted) and parts(LUNA)["inference"] == pytest.approx(25.20)
    tuned = (100 * 0.035 + 30 * 0.14) / MILLION
    assert parts(NOVA) == pytest.approx(
        nothing | people | {
            "training": 3 * 500 * 130 * 3 / MILLION, "inference": 240_000 * tuned, "storage": 12 * 1.95,
            "evaluation": 12 * 200 * tuned, "labelling": 500 * 2 / 60 * 40, "setting up": (6 + 16) * 40,
        }
    )  # fmt: skip
    hours = 3 * 0.1 + (240_000 + 12 * 200) * 0.3 / 3600
    own = {"electricity": hours * 65 / 1000 * costs.Workload().usd_per_kwh, "hosting": 0}
    assert parts(HERE) == pytest.approx(nothing | own | {
        "labelling": 500 * 2 / 60 * 40, "setting up": 22 * 40, "review": 480})  # fmt: skip
    assert parts(RENTED)["hosting"] == pytest.approx(720 * 12 * 0.80)
    few = (2_100 * 0.10 - 2_000 * 0.8 * 0.09 + 2_000 * 0.2 * 0.025 + 30 * 0.50) / MILLION
    assert parts("few-shot:openai/gpt-6-luna")["inference"] == pytest.approx(240_000 * few), "1,200 tokens of examples"
    assert parts("tuned:tinker/Qwen3-8B", stored_gb=5)["storage"] == pytest.approx(5 * 0.10 * 12), "by the gigabyte"
    assert parts("tuned:tinker/Qwen3-8B")["storage"] == pytest.approx(0.1 * 0.10 * 12)


def test_what_is_not_said_of_a_call_is_no_cache_and_no_batch():
    row = page_row("openai", input=4.0, cached=0.4, cache_write=5.0, output=8.0, batch_input=2.0, batch_output=4.0)
    assert call_usd(row, MILLION, MILLION) == 12.0 == costs.one_call_cost(row, MILLION, MILLION, on=TODAY).total
    assert call_usd(row, MILLION, 0, prefix=MILLION) == 5.0, "a beginning that no call finds is written each time"
    assert costs.one_call_cost(row, MILLION, MILLION, batch=True, on=TODAY).total == 6.0
    parted = costs.one_call_cost(row, MILLION, MILLION, MILLION, on=TODAY).parts
    assert parted == pytest.approx({"input": 0.4, "output": 8.0}), "all of the prompt was read from the cache"
    free = page_row("openai", input=0.0, output=0.0, batch_input=0.0, batch_output=0.0)
    assert call_usd(free, 100, 100, batch=1) == 0.0
    for lacking in ({"batch_input": None}, {"batch_output": None}):
        half = page_row("openai", **{"input": 4.0, "output": 8.0, "batch_input": 2.0, "batch_output": 4.0} | lacking)
        assert call_usd(half, MILLION, MILLION, batch=1) == 12.0, "half a batch price is none"
    for lacking in ({"input": None}, {"output": None}):
        assert call_usd(page_row("openai", **{"input": 4.0, "output": 8.0} | lacking), 1, 1) is None


def test_what_is_not_said_of_a_job_is_one_evaluation_of_no_validation_file():
    """Together bills validation tokens at each evaluation, at $0.34 a million for this model."""
    row, day = "Qwen3.5-9B", TODAY
    for cost in (
        costs.training_cost(row, 1e9, 1, "together", day, validation_tokens=MILLION),
        costs.job_estimate(row, 1e9, "together", epochs=1, validation_tokens=MILLION, on=day).high,
    ):
        assert cost.total == pytest.approx(1_001 * 0.34)
    for cost in (
        costs.training_cost(row, 1e9, 1, "together", day),
        costs.job_estimate(row, 1e9, "together", epochs=1, on=day).low,
    ):
        assert cost.total == pytest.approx(1_000 * 0.34, abs=1e-7), "not a token more"
    assert costs.training_cost("gpt-4o-mini", MILLION, 1, on=day).total == 3.0, "at OpenAI, where nobody says it"
    here = costs.job_estimate("smollm2-135m-instruct", 1000, "local", on=day)
    assert here.epochs == 1 and "the server chooses" in here.epochs_note
    assert costs.job_estimate("gpt-4o-mini", 1000, epochs=2, on=day).epochs_note == "as asked"


def test_the_smallest_charge_is_paid_once_up_to_it_and_no_more_from_it_on():
    row = page_row("mistral", train=1.0)
    usd = [training_usd(row, tokens * MILLION, 1, 0, 1, None) for tokens in (0, 3.9, 4, 4.5)]
    assert usd == [4.0, 4.0, 4.0, 4.5]


def test_an_option_caches_and_the_list_is_short_where_nothing_is_said():
    assert costs.Option("prompt", "openai", "gpt-6-luna").id == LUNA
    short, whole = costs.options(TODAY), costs.options(TODAY, every=True)
    assert short == costs.options(TODAY, every=False) and set(short) < set(whole)
    first = [one for one in short if one.model == "gpt-6-luna"]
    assert [(one.kind, one.caching) for one in first] == [("prompt", True), ("prompt", False), ("few-shot", True)]
    others = [one for one in short if one.kind in ("prompt", "few-shot") and one not in first]
    own = [one for one in short if one.kind == "own"]
    assert len(others) == 1 and [one.id for one in own] == [HERE, RENTED], "one rival, this machine, one rented"
    assert sum(one.kind == "own" for one in whole) > 2 and all(one in whole for one in short)
    providers = [one.provider for one in short if one.kind == "tuned"]
    assert len(providers) == len(set(providers)), "of each provider one model"
    first_day = date(2026, 4, 16)  # of Nova Micro's row
    assert [NOVA in [one.id for one in _tuned(first_day - timedelta(days), True)] for days in (0, 1)] == [
        True, False]  # fmt: skip


@pytest.mark.parametrize("text", ["prompt", "prompt:openai", "prompt:/m", "prompt:openai/", "tell:openai/m", ":a/b"])
def test_an_option_is_a_kind_a_provider_and_a_model(text: str):
    with pytest.raises(CostError, match="not an option"):
        costs.Option.parse(text)


# --- where a bound lies ---


@pytest.mark.parametrize("name", [one.name for one in dataclasses.fields(costs.Workload)])
def test_a_number_of_a_workload_may_be_its_bounds_and_nothing_beyond(name: str):
    shares = {"cache_hit_rate": (0, 1), "batch_share": (0, 1)}
    known = shares | {"months": (1, 600), "epochs": (1, 1000), "hosted_hours_per_month": (0, 744)}
    assert set(BOUNDS) == set(known), "31 days of 24 hours; no job lasts longer than 50 years"
    least, most = known.get(name, (0, 1e12))
    free = {"tokens_in": 1e12} if name == "cacheable" else {"cacheable": 0}
    for value in (least, most):
        assert getattr(costs.Workload(**{name: value} | {k: v for k, v in free.items() if k != name}), name) == value
    for value in (least - 0.5, most + 0.5):
        with pytest.raises(CostError, match=name):
            costs.Workload(**free | {name: value})


def test_a_prompt_may_be_the_same_as_a_whole():
    assert costs.Workload(tokens_in=900, cacheable=900).cacheable == 900
    with pytest.raises(CostError, match=r"cacheable \(900.5\) is a part of tokens_in \(900\)"):
        costs.Workload(tokens_in=900, cacheable=900.5)


@pytest.mark.parametrize(
    ("call", "taken", "refused"),
    [
        (lambda n: costs.training_cost("gpt-4o-mini", n, 1, on=TODAY), 0, -1),
        (lambda n: costs.training_cost("gpt-4o-mini", 9, n, on=TODAY), 1, 0.9),
        (costs.predicted_epochs, 1, 0.9),
        (lambda n: costs.one_call_cost("gpt-6-luna", 10, 10, n, on=TODAY), 10, 10.5),
        (lambda n: costs.job_estimate("gpt-4o-mini", (n, 1000), epochs=1, on=TODAY), 1000, 1000.5),
        (lambda n: costs.probability_cheaper(costs.Workload(), NOVA, LUNA, {}, TODAY, n), 2, 1.9),
        (lambda n: costs.probability_cheaper(costs.Workload(), NOVA, LUNA, {"months": (n, 12)}, TODAY, 2), 12, 12.5),
        (lambda n: costs.probability_cheaper(costs.Workload(), NOVA, LUNA, {"tokens_in": (n, 9)}, TODAY, 2), 0, -1),
        (lambda n: costs.sensitivity(costs.Workload(), NOVA, LUNA, TODAY, n), 1, 0.9),
    ],
)
def test_the_last_number_that_is_taken_and_the_first_that_is_not(call: Callable, taken: float, refused: float):
    call(taken)
    with pytest.raises(CostError):
        call(refused)


def test_a_machine_that_is_just_full_is_not_too_slow():
    """36 s a call: 720 hours are 72,000 calls."""
    for calls, full in ((72_000, False), (72_001, True)):
        assert ("TOO MUCH" in remarks(HERE, calls_per_month=calls, seconds_per_call=36)) == full
    assert "needs 2,000.0 machine-hours a month of 1440" in remarks(HERE, calls_per_month=7.2e6, seconds_per_call=1,
                                                                   replicas=2)  # fmt: skip
    assert "TOO MUCH" not in remarks(HERE, seconds_per_call=0), "an answer in no time is never too much"
    slow = costs.Workload(seconds_per_call=36)
    for calls, full in ((72_000, False), (72_001, True)):
        assert _is_full(BreakEven("above", calls, "", (1, 1), (0, 2)), HERE, slow) == full
        assert not _is_full(BreakEven("below", calls, "", (1, 1), (0, 2)), HERE, slow)
        assert not _is_full(BreakEven("above", calls, "", (1, 1), (0, 2)), LUNA, slow)


def test_an_estimate_does_not_exceed_a_limit_that_it_meets():
    job = costs.job_estimate("gpt-4o-mini", MILLION, epochs=1, on=TODAY)
    assert job.high.total == 3.0 and not job.exceeds(3.0) and job.exceeds(2.99)
    assert "$3.00 for 1 epoch (" in job.sentence, "one sum where both ends are the same"


# --- which day counts ---


def told(cost: Cost) -> tuple:
    return cost.what, cost.total, cost.remarks


JOB = costs.Workload()
BY_DAY: dict[str, Callable] = {
    "total_cost": lambda **on: told(costs.total_cost(JOB, FLASH, **on)),
    "bills": lambda **on: [one["total"] for one in costs.bills(JOB, [FLASH], **on)[0]],
    "compare": lambda **on: costs.compare(JOB, [FLASH], **on)["total"].tolist(),
    "break_even": lambda **on: costs.break_even(JOB, NOVA, FLASH, **on),
    "probability_cheaper": lambda **on: costs.probability_cheaper(JOB, NOVA, FLASH, {}, n=2, **on),
    "unsure": lambda **on: costs.unsure(JOB, (NOVA, FLASH), **on)[1],
    "sensitivity": lambda **on: costs.sensitivity(JOB, NOVA, FLASH, **on)["saving_now"].tolist(),
    "curves": lambda **on: costs.curves(JOB, [FLASH, NOVA], (NOVA, FLASH), **on),
    "one_call_cost": lambda **on: told(costs.one_call_cost("gemini-3.8-flash", 1000, 10, **on)),
    "ladder_cost": lambda **on: told(costs.ladder_cost(model="gemini-3.8-flash", **on)),
    "training_cost": lambda **on: told(costs.training_cost("gpt-4o-mini", 1000, 1, **on)),
    "job_estimate": lambda **on: told(costs.job_estimate("gpt-4o-mini", 1000, epochs=1, **on).low),
    "options": lambda **on: [one.id for one in costs.options(**on)],
    "article_training": lambda **on: costs.article_training(**on)["state"].tolist(),
    "tuned_against_base": lambda **on: costs.tuned_against_base(**on)["answers"].tolist(),
    "short_against_cached": lambda **on: costs.short_against_cached((900,), prompted="gemini-3.8-flash", **on)
    .iloc[0].tolist(),
}  # fmt: skip


@pytest.mark.parametrize("call", BY_DAY.values(), ids=BY_DAY)
def test_the_day_that_is_named_counts_and_else_today(call: Callable, monkeypatch: pytest.MonkeyPatch):
    later = date(2027, 1, 14)  # prices have doubled, and the tuned GPT-4o mini answers no more
    monkeypatch.setenv("KIT_TODAY", str(TODAY))
    assert call() == call(on=TODAY) != call(on=later)
    monkeypatch.setenv("KIT_TODAY", str(later))
    assert call() == call(on=later)


def test_a_price_is_old_from_the_ninety_first_day_on():
    row = page_row("openai", input=1.0, output=1.0)
    said = [" ".join(remarks_on([row], TODAY + timedelta(days))) for days in (90, 91)]
    assert said[0] == "" and said[1] == f"read 91 days before {TODAY + timedelta(91)}: check again at {row.source}"


@pytest.mark.parametrize(("days", "marked"), [(126, False), (127, True), (128, True)])
def test_what_ends_on_the_jobs_last_day_ends_before_it_is_done(days: int, marked: bool):
    """Llama at Bedrock ends on 2027-03-30, 127 days on; a month has 30."""
    job, llama = costs.Workload(months=days / 30), "tuned:bedrock/meta.llama3-1-8b-instruct-v1:0"
    assert ("ends on 2027-03-30" in costs.bills(job, [llama], TODAY)[0][0]["mark"]) == marked
    assert ("is marked: ends on 2027-03-30" in costs.break_even(job, llama, LUNA, TODAY).sentence) == marked


# --- what stands beside a sum ---


@pytest.mark.parametrize(
    ("option", "numbers", "said", "unsaid"),
    [
        (LUNA, {"tokens_in": 2000, "cacheable": 1023}, "1,023 tokens is too short", "1,024 tokens or more"),
        (LUNA, {"tokens_in": 2000, "cacheable": 1024}, "1,024 tokens or more", "too short"),
        ("few-shot:openai/gpt-6-luna", {}, "1,024 tokens or more", "too short"),
        (LUNA, {"cacheable": 0}, "", "cache"),
        (LUNA + ":uncached", {}, "", "cache"),
        (LUNA, {"batch_share": 0.5}, "", "no batch price"),
        (SEEK, {"batch_share": 0.5}, "no batch price is known", "no price for cached"),
        (SEEK, {}, "assumed to be cached", "no batch price"),
        (HERE, {"batch_share": 0.5}, "machine-hours", "no batch price"),
        ("tuned:together/Qwen3.5-9B", {"replicas": 2}, "2 deployments up 720 hours a month", "machine-hours"),
        (NOVA, {}, "", "deployment"),
        (RENTED, {}, "machine-hours a month of 720", "deployment"),
        (HERE, {}, "training, evaluation and calls stand under electricity", "deployment"),
        (RENTED, {}, "machine-hours", "stand under electricity"),
    ],
)
def test_what_is_said_beside_a_bill(option: str, numbers: dict, said: str, unsaid: str):
    found = remarks(option, **numbers)
    assert said in found and unsaid not in found


def test_nothing_cached_is_billed_as_fresh_even_where_any_beginning_could_be():
    each = (900 * 0.15 + 30 * 0.60) / MILLION
    assert parts(SEEK + ":uncached")["inference"] == pytest.approx(240_000 * each, rel=1e-9)
    held = (100 * 0.15 + 800 * (0.8 * 0.003 + 0.2 * 0.15) + 30 * 0.60) / MILLION
    assert parts(SEEK)["inference"] == pytest.approx(240_000 * held, rel=1e-9)
    thought = parts(SEEK + ":uncached", reasoning_tokens=70)["inference"]
    assert thought == pytest.approx(240_000 * (900 * 0.15 + 100 * 0.60) / MILLION), "billed as output"


def test_a_bill_of_nothing_has_no_date_and_none_shows_its_rows():
    empty = Cost("a walk", {})
    assert (empty.total, empty.as_of, str(empty), empty.to_dict()["as_of"]) == (0, None, "a walk: $0.00", None)
    cost = costs.one_call_cost("gpt-6-luna", 1, 1, on=TODAY)
    assert "rows" not in repr(cost) and cost.to_dict()["as_of"] == str(cost.as_of)
    gap = Cost("a job", {"a": None, "b": 2.5})
    assert str(gap) == "a job: unknown, at least $2.50 (no price for a)"
    assert str(Cost("a job", {"a": None})) == "a job: unknown (no price for a)"


@pytest.mark.parametrize(
    ("usd", "text"),
    [(1000, "$1,000"), (999.99, "$999.99"), (999.996, "$1,000"), (1.05, "$1.05"), (0.5, "$0.50"), (0.0949, "$0.095"),
     (0.0123, "$0.012"), (-0.5, "-$0.50"), (-2000, "-$2,000"), (1, "$1.00")],
)  # fmt: skip
def test_dollars_at_their_edges(usd: float, text: str):
    assert costs.dollars(usd) == text


# --- how sure ---


def test_percentiles_are_those_of_the_bills_that_were_drawn():
    """Each draw again by hand, by the same seed: a share of calls from 0 to 1 waits for the cheaper batch."""
    free = dict(examples=0, tuning_hours=0, machine_watts=0, training_hours=0)
    job = costs.Workload(**free)
    found = costs.probability_cheaper(job, HERE, LUNA, {"batch_share": (0.2, 0.8)}, TODAY, n=101, seed=5)
    drawn = Random(5)
    shares = [0.2 + 0.6 * drawn.random() for _ in range(101)]
    savings = [parts(LUNA, batch_share=share, **free) for share in shares]
    own = sum(parts(HERE, **free).values())
    totals = [sum(one.values()) - own for one in savings]
    assert found.saving == pytest.approx(np.quantile(totals, [0.05, 0.5, 0.95])) and found.probability == 1
    assert "in all of 101 draws" in found.sentence


def test_a_range_that_begins_at_one_is_drawn_by_its_logarithm():
    free = costs.Workload(examples=0, tuning_hours=0, machine_watts=0, evaluation_rows=0, prompt_hours=0,
                          review_hours_per_month=0)  # fmt: skip
    usd = costs.probability_cheaper(free, HERE, LUNA, {"calls_per_month": (1, 10_000)}, TODAY).saving[1]
    assert usd == pytest.approx(12 * 100 * 105 / MILLION, rel=0.2), "half of the draws lie below 100 calls"


def test_options_that_cost_the_same_save_nothing_and_are_cheaper_in_none():
    found = costs.probability_cheaper(costs.Workload(), LUNA, LUNA, {"months": (1, 9)}, TODAY, n=50)
    assert found.probability == 0 and "in none of 50 draws" in found.sentence and "it saves $0.00" in found.sentence
    cents = costs.Workload(calls_per_month=100, months=1, evaluation_rows=0)
    near = costs.probability_cheaper(cents, LUNA, SOL, {}, TODAY, n=2)
    assert 0 < near.saving[1] < 1 and near.probability == 1 and "it saves $0." in near.sentence
    assert f"{costs.probability_cheaper(cents, SOL, LUNA, {}, TODAY, n=2).saving[1]:.3f}" == f"{-near.saving[1]:.3f}"


def test_a_beginning_is_never_longer_than_its_prompt_in_a_draw_and_may_be_as_long():
    for prompt, held in ((2000, 2000), (2000, 4000), (3000, 2000)):
        ranges = {"tokens_in": (prompt, prompt), "cacheable": (held, held)}
        job = dict(tokens_in=prompt, cacheable=min(held, prompt))
        drawn = costs.probability_cheaper(costs.Workload(tokens_in=5000), HERE, LUNA, ranges, TODAY, n=2)
        assert drawn.saving[1] == pytest.approx(sum(parts(LUNA, **job).values()) - sum(parts(HERE, **job).values()))


def test_a_flip_is_a_change_of_the_cheaper_one_and_a_tie_is_no_lead():
    """Two options that cost the same now, and in every number's half and double."""
    same = costs.sensitivity(costs.Workload(), LUNA, "prompt:anthropic/claude-haiku-5-5", TODAY)
    assert (same["saving_now"] == 0).all() and not same[same["saving_low"] + same["saving_high"] == 0]["flips"].any()
    cents = costs.Workload(calls_per_month=100, months=1, evaluation_rows=0)
    assert not costs.sensitivity(cents, LUNA, SOL, TODAY)["flips"].any(), "cheaper by cents is cheaper"
    table = costs.sensitivity(costs.Workload(), NOVA, SOL, TODAY, factor=1)
    assert (table["low"] == table["high"]).all() and table.index.tolist() == list(range(len(table)))
    assert table.columns.tolist()[0] == "input"


# --- a calculator and its chart ---


def test_a_slider_starts_at_the_least_and_stays_within_what_a_workload_takes():
    for name, dial in choosing.DIALS.items():
        least, most = costs.workload.bounds(name)
        low, high = (10**dial.low, 10**dial.high) if dial.powers else (dial.low, dial.high)
        assert high <= most and (low == least if not dial.powers else low <= 10), name
        assert dial.powers or high % 10 == 0, "a slider ends at a round number"
    for one in ("tokens_out", "cacheable"):
        assert choosing.DIALS[one].low == 0, "an answer of one token, and a prompt with nothing in common"


def one_bill(option: str, total: float, **more: object) -> dict:
    kind = option.partition(":")[0]
    zero = dict.fromkeys(costs.PARTS, 0.0) | {"inference": total}
    return {"option": option, "label": option, "kind": kind, "state": "open", "mark": "", "total": total,
            "per_month": total, "per_call": total} | zero | more  # fmt: skip


def test_what_teaches_most_is_three_prompts_two_tuned_and_one_hosted():
    prompts = [one_bill(f"prompt:a/{n}", n) for n in range(5)]
    tuned = [one_bill(f"tuned:a/{n}", 10 + n) for n in range(4)]
    hosted = [one_bill(f"tuned:h/{n}", 90 + n, hosting=0.5) for n in range(3)]
    uncached = one_bill("prompt:a/0:uncached", 0)
    closed = one_bill("tuned:c/0", 1, state="ended")
    unknown = one_bill("tuned:u/0", math.nan)
    ticked = choosing.compared_first([uncached, *prompts, closed, unknown, *tuned, *hosted])
    assert ticked == {"prompt:a/0", "prompt:a/1", "prompt:a/2", "tuned:a/0", "tuned:a/1", "tuned:h/0", HERE}
    assert choosing.default_pair([closed, unknown, *tuned, *prompts]) == ("tuned:a/0", "prompt:a/0")
    assert choosing.default_pair([closed, unknown, *prompts]) == (None, "prompt:a/0")
    marked = one_bill("tuned:e/0", 5, state="existing customers only", mark="existing customers only")
    assert choosing.cheapest([closed, marked, *prompts], 12).endswith("tuned:e/0, $5.00 (existing customers only).")
    assert choosing.cheapest([unknown], 12) == ""


def test_amounts_of_nothing_of_one_dollar_and_of_nobody_knows():
    bills = [one_bill("prompt:a/0", 1.0), one_bill("tuned:a/0", math.nan, inference=0.0, training=math.nan, review=0.5)]
    heads, cells = choosing.amounts(bills)
    assert heads == ["total", "a month", "a call", "inference", "review", "training"], "the largest that is known first"
    assert cells[0] == ["$1.00", "$1.00", "$1.00", "$1.00", "$0", "$0"]
    assert cells[1] == ["unknown", "unknown", "unknown", "$0", "$0.50", "unknown"]


def test_how_sure_names_what_it_moves_by_half_and_double():
    job = costs.Workload()
    ranges = {"calls_per_month": (10_000, 40_000), "label_minutes": (1, 4), "tuning_hours": (8, 32), "months": (6, 24)}
    found, said = costs.unsure(job, (NOVA, SOL), TODAY)
    assert found == costs.probability_cheaper(job, NOVA, SOL, ranges, TODAY)
    assert said.startswith("If calls a month, minutes to make an example, hours for tuning, months may each be half")
    longest = costs.Workload(months=600)
    assert costs.unsure(longest, (NOVA, SOL), TODAY)[0] == costs.probability_cheaper(
        longest, NOVA, SOL, ranges | {"months": (300, 600)}, TODAY), "no job lasts longer"  # fmt: skip


@pytest.mark.parametrize(
    ("volume", "meet", "first", "last"),
    [
        (20_000, None, 1e3, 1e6), (5, None, 10, 1e3), (0, None, 10, 1e3),
        (20_000, 2.5e6, 1e3, 1e8), (20_000, 3, 1, 1e6), (1_000, 0.5, 1, 1e4), (20_000, 9.9e7, 1e3, 1e9),
        (20_000, 1e8, 1e3, 1e6),
    ],
)  # fmt: skip
def test_a_chart_reaches_ten_times_below_and_above_the_volume_and_the_break_even(volume, meet, first, last):
    """From one call on, and never out to a break-even of a hundred million calls or more."""
    finding = meet and BreakEven("above", meet, "", (1, 1), (0, 2))
    axis = _axis(costs.Workload(calls_per_month=volume), finding)
    assert (len(axis), axis[0], axis[-1]) == (25, first, last)
    assert axis[12] == pytest.approx(math.sqrt(first * last), rel=0.01), "even steps of a logarithm"


def test_a_line_ends_at_what_a_machine_can_answer():
    axis = [1.0, 10.0, 100.0]
    for most, reached in {None: axis, 0.5: [], 1: [], 10: [1, 10], 50: [1, 10, 50], 100: axis, 1000: axis}.items():
        assert _within(axis, most) == reached


def test_a_star_is_drawn_where_the_chart_reaches_and_points_are_told_to_a_hundredth_of_a_cent():
    job = costs.Workload()
    drawn = costs.curves(job, [NOVA, SOL], (NOVA, SOL), TODAY)
    assert all(usd == round(usd, 4) for one in drawn.curves for usd in one.usd)
    chosen = costs.curves(job, [NOVA, SOL], on=TODAY)
    assert chosen == drawn, "the pair is chosen where none is named"
    none = costs.curves(job, [NOVA, SOL], (NOVA, None), TODAY)
    assert none.star is None and "star" not in none.sentence and "Choose a tuned option" in none.title
    turned = costs.curves(job, [NOVA, SOL], (SOL, NOVA), TODAY)
    assert turned.star == pytest.approx(drawn.star) and "only below" in turned.title
    far = dataclasses.replace(job, tuning_hours=1e7)
    assert costs.curves(far, [NOVA, SOL], (NOVA, SOL), TODAY).star is None, "beyond a hundred million calls"
    never = costs.curves(job, [NOVA, LUNA], (NOVA, "tuned:azure/gpt-4o-mini-2024-07-18"), TODAY)
    assert "cannot be told" in never.title and "star" not in never.sentence


# --- files ---


def test_a_file_of_unlike_rows_is_told_to_a_tenth_of_a_token(tmp_path: Path):
    """Three rows whose tokens cannot be shared out evenly; eight of them are worked examples."""
    file = tmp_path / "train.jsonl"
    rows = [[{"role": "user", "content": "Where is it?" + " Really?" * n}, {"role": "assistant", "content": "Here."}]
            for n in (0, 0, 1)]  # fmt: skip
    file.write_text("".join(json.dumps({"messages": one}) + "\n" for one in rows))
    found, job = costs.count(file), costs.Workload.from_files(file)
    mean = found.low / 3
    assert mean % 1 and job.tokens_per_example == round(mean, 1) and job.shots_tokens == round(8 * mean)
    assert job.cacheable == 0 and job.tokens_in == job.tuned_tokens_in == round(found.prompt)
    assert job.validation_tokens == 0 and costs.Workload.from_files(file, file).validation_tokens == found.low
    assert f"3 rows, {found.low:,} to {found.high:,} tokens" in found.sentence and found.high - found.low == 9
    file.write_text(json.dumps({"messages": rows[0][1:]}) + "\n")
    with pytest.raises(CostError, match="train.jsonl, line 1 is not a chat example"):
        costs.count(file)


# --- the article ---


def test_how_long_its_file_would_have_taken_by_hand():
    """Azure's example: 2 million tokens in 135 minutes, so 1.5 million in 101.25."""
    table = costs.training_durations().set_index("provider")
    assert table.loc["azure", "article_minutes"] == pytest.approx(101.25)
    assert table.loc["azure", "tokens_per_second"] == pytest.approx(2e6 / 8_100)
    assert table.loc["nebius", "article_minutes"] == pytest.approx(6.25)
    assert table.attrs["cite"][0].startswith("gpt-4.1-2025-04-14, 135 minutes: ")


def test_a_thousand_calls_of_long_prompts_by_hand():
    usual = costs.short_against_cached(on=TODAY)
    assert usual["long_prompt"].tolist() == list(range(100, 6001, 100))
    seek = costs.short_against_cached((50, 1000), prompted="deepseek-flash", on=TODAY)
    assert seek["prompted_fresh"].tolist() == pytest.approx([(n * 0.15 + 30 * 0.60) / 1000 for n in (50, 1000)])
    held = (60 * 0.15 + 940 * 0.003 + 30 * 0.60) / 1000
    assert seek["prompted_cached"].tolist() == pytest.approx([seek["prompted_fresh"][0], held], rel=1e-9)
    assert seek["tuned"].tolist() == pytest.approx([(100 * 0.30 + 30 * 1.20) / 1000] * 2)
    assert len(seek.attrs["cite"]) == 2 and len(usual.attrs["cite"]) == 3, "a cache whose minimum is known is cited"
    assert seek.attrs["sentence"].endswith("costs no more from 50 to 1,000 tokens.")
    far = costs.short_against_cached((60_000,), on=TODAY)
    assert far.attrs["sentence"].endswith("costs no more at no length here.")
