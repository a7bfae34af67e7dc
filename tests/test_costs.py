"""Properties of the sums, wrong input, and what is said beside a number."""

from __future__ import annotations

import cProfile
import dataclasses
import json
import math
import pstats
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import FunctionType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import costs, facts, tokens
from helpers.costs.workload import bounds
from helpers.errors import CostError, FactsError, KitError

TODAY = date(2026, 11, 23)
EVERY = [option.id for option in costs.options(TODAY, every=True)]
PRICED = [one for one in EVERY if costs.total_cost(costs.Workload(), one, TODAY).total is not None]
TUNED = [one for one in PRICED if one.startswith(("tuned", "own"))]
PROMPTED = [one for one in PRICED if one.startswith(("prompt", "few-shot"))]
LUNA = "prompt:openai/gpt-6-luna"
MINI = "tuned:openai/gpt-4o-mini-2024-07-18"
NOVA = "tuned:bedrock/amazon.nova-micro-v1:0"

MOST = {"calls_per_month": 1e8, "months": 120, "epochs": 50, "people_usd_per_hour": 500, "replicas": 50,
        "retrainings_per_year": 52, "evaluations_per_year": 400, "tokens_in": 400_000}  # fmt: skip


def numbers(name: str) -> st.SearchStrategy[float]:
    least, most = bounds(name)
    return st.floats(least, min(most, MOST.get(name, 1e5)), allow_nan=False)


@st.composite
def workloads(draw: Callable) -> costs.Workload:
    values = {field.name: draw(numbers(field.name)) for field in dataclasses.fields(costs.Workload)}
    return costs.Workload(**values | {"cacheable": values["tokens_in"] * draw(st.floats(0, 1))})


def both_sizes(*strategies: st.SearchStrategy) -> Callable:
    """The same property 200 times in every run, 10,000 times in ``make soak``."""

    def decorate(check: Callable) -> tuple[Callable, Callable]:
        quick = settings(max_examples=200, deadline=None)(given(*strategies)(check))
        twin = FunctionType(check.__code__, globals(), f"{check.__name__}_soak")
        long = pytest.mark.soak(settings(max_examples=10_000, deadline=None)(given(*strategies)(twin)))
        return quick, long

    return decorate


@both_sizes(workloads(), st.sampled_from(EVERY), st.floats(1, 1e6))
def _never_falls(workload: costs.Workload, option: str, more: float) -> None:
    busier = dataclasses.replace(workload, calls_per_month=workload.calls_per_month + more)
    a, b = (costs.total_cost(w, option, TODAY) for w in (workload, busier))
    assert b.known >= a.known * (1 - 1e-12)
    assert all(usd is None or usd >= 0 for usd in a.parts.values())


@both_sizes(workloads(), st.sampled_from(EVERY))
def _total_is_the_sum_of_its_parts(workload: costs.Workload, option: str) -> None:
    cost = costs.total_cost(workload, option, TODAY)
    assert tuple(cost.parts) == costs.PARTS
    if cost.unknown:
        assert cost.total is None
    else:
        assert cost.total == math.fsum(cost.parts.values())
    row = costs.compare(workload, [option], TODAY).iloc[0]
    parts = [row[part] for part in costs.PARTS]
    assert math.isnan(row["total"]) == bool(cost.unknown) == any(math.isnan(part) for part in parts)
    assert cost.unknown or row["total"] == math.fsum(parts)


@both_sizes(workloads(), st.sampled_from(TUNED), st.sampled_from(PROMPTED))
def _both_cost_the_same_at_the_break_even(workload: costs.Workload, tuned: str, prompted: str) -> None:
    found = costs.break_even(workload, tuned, prompted, TODAY)

    def bills(calls: float) -> tuple[float, float]:
        at = dataclasses.replace(workload, calls_per_month=calls)
        return tuple(costs.total_cost(at, one, TODAY).total for one in (tuned, prompted))

    if found.calls is None:
        few, many = bills(0), bills(1e9)
        slack = 1e-9 * max(*few, *many)
        assert found.state in ("always", "never")
        if found.state == "never":
            assert few[0] >= few[1] - slack and many[0] >= many[1] - slack
        else:
            assert few[0] <= few[1] + slack and many[0] <= many[1] + slack
    elif found.calls <= 1e12:
        a, b = bills(found.calls)
        each = max(found.first[1], found.second[1])
        assert abs(a - b) <= each + 1e-9 * max(a, b)
        beyond = bills(min(2 * found.calls + 1, 1e12))
        assert (beyond[0] <= beyond[1] * (1 + 1e-9)) == (found.state == "above") or math.isclose(*beyond, rel_tol=1e-6)


@both_sizes(workloads(), st.sampled_from([one for one in EVERY if one not in PRICED]))
def _no_price_never_becomes_zero(workload: costs.Workload, option: str) -> None:
    cost = costs.total_cost(workload, option, TODAY)
    assert cost.total is None and cost.unknown and "unknown" in str(cost)
    assert all(cost.parts[part] is None for part in cost.unknown)
    assert costs.break_even(workload, option, LUNA, TODAY).state == "unknown"
    assert costs.probability_cheaper(workload, option, LUNA, {}, TODAY, n=10).probability is None
    assert math.isnan(costs.compare(workload, [option, LUNA], TODAY)["total"].iloc[-1])


@both_sizes(workloads())
def _a_workload_survives_json(workload: costs.Workload) -> None:
    assert costs.Workload.from_dict(json.loads(json.dumps(workload.to_dict()))) == workload


test_cost_never_falls_as_calls_rise, test_cost_never_falls_soak = _never_falls
test_total_is_the_sum, test_total_is_the_sum_soak = _total_is_the_sum_of_its_parts
test_break_even, test_break_even_soak = _both_cost_the_same_at_the_break_even
test_unknown_stays_unknown, test_unknown_stays_unknown_soak = _no_price_never_becomes_zero
test_workload_json, test_workload_json_soak = _a_workload_survives_json


NONSENSE = [-1, math.nan, math.inf, "7", True, None, 1e13]


@pytest.mark.parametrize("value", NONSENSE)
@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(costs.Workload)])
def test_a_workload_refuses_nonsense_and_names_it(name: str, value: object) -> None:
    with pytest.raises(CostError, match=name):
        costs.Workload(**{name: value})


def test_a_workload_lists_every_problem_at_once() -> None:
    with pytest.raises(CostError) as caught:
        costs.Workload(months=0, epochs=0, cache_hit_rate=2, calls_per_month=-5)
    assert all(name in str(caught.value) for name in ("months", "epochs", "cache_hit_rate", "calls_per_month"))
    with pytest.raises(CostError, match="cacheable"):
        costs.Workload(tokens_in=10, cacheable=11)


@pytest.mark.parametrize(
    "saved", [None, [], "x", {}, {"format": "workload 0"}, {"format": "workload 1", "callz": 1},
              {"format": "workload 1", "months": "12"}, {"format": "workload 1", "<script>": 1}],
)  # fmt: skip
def test_a_foreign_or_broken_saved_workload_is_refused(saved: object) -> None:
    with pytest.raises(CostError):
        costs.Workload.from_dict(saved)


def test_a_saved_workload_may_leave_numbers_out() -> None:
    assert costs.Workload.from_dict({"format": "workload 1", "months": 6}) == costs.Workload(months=6)


WRONG = {
    "negative tokens": lambda: costs.training_cost("gpt-4o-mini", -1, 3, on=TODAY),
    "NaN tokens": lambda: costs.training_cost("gpt-4o-mini", math.nan, 3, on=TODAY),
    "epochs 0": lambda: costs.training_cost("gpt-4o-mini", 1000, 0, on=TODAY),
    "text for tokens": lambda: costs.training_cost("gpt-4o-mini", "1000", 3, on=TODAY),
    "unknown model": lambda: costs.training_cost("gpt-9", 1000, 3, on=TODAY),
    "unknown provider": lambda: costs.training_cost("gpt-4o-mini", 1000, 3, "nowhere", on=TODAY),
    "a model that only others tune": lambda: costs.training_cost("Qwen3-8B", 1000, 3, on=TODAY),
    "a day before the table": lambda: costs.training_cost("gpt-4o-mini", 1000, 3, on=date(2020, 1, 1)),
    "more cached than sent": lambda: costs.one_call_cost("gpt-6-luna", 10, 10, cached=11, on=TODAY),
    "a call on an unknown model": lambda: costs.one_call_cost("gpt-99", 10, 10, on=TODAY),
    "a band upside down": lambda: costs.job_estimate("gpt-4o-mini", (2, 1), epochs=3, on=TODAY),
    "no epochs, no examples": lambda: costs.job_estimate("gpt-4o-mini", 1000, on=TODAY),
    "no rule for epochs": lambda: costs.job_estimate("gpt-4o-mini", 1000, "azure", examples=50, on=TODAY),
    "no examples": lambda: costs.predicted_epochs(0),
    "not an option": lambda: costs.compare(costs.Workload(), ["gpt-6-luna"], TODAY),
    "an option without a row": lambda: costs.compare(costs.Workload(), ["prompt:openai/gpt-99"], TODAY),
    "an unknown range": lambda: costs.probability_cheaper(costs.Workload(), MINI, LUNA, {"calls": (1, 2)}, TODAY),
    "a range upside down": lambda: costs.probability_cheaper(costs.Workload(), MINI, LUNA, {"months": (9, 2)}, TODAY),
    "a range beyond its bounds": lambda: costs.probability_cheaper(
        costs.Workload(), MINI, LUNA, {"batch_share": (0, 2)}, TODAY
    ),
    "a factor below 1": lambda: costs.sensitivity(costs.Workload(), MINI, LUNA, TODAY, factor=0.5),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_wrong_input_is_an_error_that_says_what_to_do(call: Callable) -> None:
    with pytest.raises((CostError, FactsError)) as caught:
        call()
    assert isinstance(caught.value, KitError) and caught.value.fix


def test_an_ended_model_is_marked_with_its_date() -> None:
    cost = costs.training_cost("gpt-3.5-turbo", 1000, 1, on=TODAY)
    assert cost.remarks[0].startswith("ended") and "2026-10-23" in cost.remarks[0]
    january = date(2027, 2, 1)
    assert any("2027-01-14" in said for said in costs.one_call_cost("ft:gpt-4o-mini:org::1", 9, 9, on=january).remarks)
    table = costs.compare(costs.Workload(), [MINI, "prompt:openai/gpt-4o-mini-2024-07-18"], january)
    assert list(table["state"]) == ["ended", "ended"]
    assert MINI not in [option.id for option in costs.options(january)]


def test_an_old_price_says_that_it_is_old() -> None:
    said = " ".join(costs.training_cost("gpt-4o-mini", 1000, 1, on=TODAY).remarks)
    assert "read 110 days before 2026-11-23" in said
    assert "days before" not in " ".join(costs.one_call_cost("gpt-6-luna", 1, 1, on=TODAY).remarks)


def test_a_conflict_between_sources_reaches_the_result() -> None:
    assert any("conflict" in said for said in costs.training_cost("gemini-3.5-flash", 9, 1, "vertex", TODAY).remarks)
    table = costs.compare(costs.Workload(), ["tuned:fireworks/lora-up-to-16b"], TODAY)
    assert "sources conflict" in table.loc[0, "remarks"]


def test_every_cost_names_dates_and_sources() -> None:
    table = costs.compare(costs.Workload(), EVERY, TODAY)
    priced = table[table["option"] != "own:local/this-machine"]
    assert priced["source"].str.startswith("http").all() and (priced["how_known"] != "").all()
    assert priced["as_of"].notna().all()
    json.dumps(costs.training_cost("gpt-4o-mini", 1000, 3, on=TODAY).to_dict())


def test_today_can_be_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_TODAY", "2026-12-31")
    assert costs.one_call_cost("gemini-3.8-flash", 1e6, 0).total == pytest.approx(0.75)
    monkeypatch.setenv("KIT_TODAY", "2027-01-01")
    assert costs.one_call_cost("gemini-3.8-flash", 1e6, 0).total == pytest.approx(1.50)
    monkeypatch.setenv("KIT_TODAY", "tomorrow")
    with pytest.raises(FactsError, match="KIT_TODAY"):
        costs.ladder_cost()


def test_the_estimate_of_a_job_carries_its_band_and_never_hides_an_unknown_price() -> None:
    band = costs.job_estimate("gpt-4o-mini", (100_000, 103_000), examples=1000, on=TODAY)
    assert (band.low.total, band.high.total) == pytest.approx((0.90, 0.927))
    assert "$0.90 to $0.93" in band.sentence and "predicted" in band.sentence and "2026-08-05" in band.sentence
    assert band.exceeds(0.91) and not band.exceeds(0.93)
    azure = costs.job_estimate("gpt-4o-mini", 1000, "azure", epochs=2, on=TODAY)
    assert azure.exceeds(1e9) and "unknown" in azure.sentence
    here = costs.job_estimate("smollm2-135m-instruct", 1000, "local", on=TODAY)
    assert here.high.total == 0 and not here.exceeds(0)


def test_a_batch_of_cached_calls_by_hand() -> None:
    """GPT-6 Luna: half of 1,000 calls as a batch, 1,300 in, 1,200 of them alike and found 4 times in 5, 30 out."""
    w = costs.Workload(calls_per_month=1000, months=1, tokens_in=1300, cacheable=1200, cache_hit_rate=0.8,
                       tokens_out=30, batch_share=0.5, evaluation_rows=0)  # fmt: skip
    usual = 100 * 0.10 + 1200 * (0.8 * 0.01 + 0.2 * 0.125) + 30 * 0.50
    waiting = 100 * 0.05 + 1200 * (0.8 * 0.005 + 0.2 * 0.0625) + 30 * 0.25
    expected = 1000 * (usual + waiting) / 2 / 1e6
    assert costs.total_cost(w, LUNA, TODAY).parts["inference"] == pytest.approx(expected)


def test_an_opening_that_is_too_short_for_the_cache_is_billed_in_full() -> None:
    """OpenAI caches from 1,024 tokens on: one token less saves nothing, and the bill says so."""
    short, long = (costs.one_call_cost("gpt-6-luna", n + 60, 0, cached=n, on=TODAY) for n in (1023, 1024))
    assert short.total == pytest.approx(1083 * 0.10 / 1e6) and "too short to be cached" in short.remarks[-1]
    assert long.total == pytest.approx((60 * 0.10 + 1024 * 0.01) / 1e6) and "1,024" in long.remarks[-1]
    w = costs.Workload(tokens_in=900, cacheable=800)
    cached, fresh = (costs.total_cost(w, one, TODAY) for one in (LUNA, LUNA + ":uncached"))
    assert cached.total == fresh.total and any("too short" in said for said in cached.remarks)
    unknown = costs.one_call_cost("deepseek-flash", 900, 0, cached=800, on=TODAY)
    assert any("not known: assumed to be cached" in said for said in unknown.remarks)
    doubtful = costs.one_call_cost("claude-haiku-5-5", 900, 0, cached=800, on=TODAY)
    assert any("not verified" in said for said in doubtful.remarks)


def test_a_whole_bill_by_hand() -> None:
    """Nova Micro for a year: three trainings, a month's storage twelve times, labels, people, evaluations."""
    w = costs.Workload(calls_per_month=22_000, months=12, tuned_tokens_in=800, tokens_out=60, examples=2_000,
                       tokens_per_example=800, epochs=5, retrainings_per_year=2, label_minutes=3, prompt_hours=5,
                       tuning_hours=10, review_hours_per_month=2, people_usd_per_hour=30, evaluation_rows=100,
                       evaluations_per_year=4)  # fmt: skip
    each = (800 * 0.035 + 60 * 0.14) / 1e6
    by_hand = {
        "training": 3 * 8.00, "inference": 12 * 22_000 * each, "hosting": 0, "storage": 12 * 1.95, "electricity": 0,
        "evaluation": 400 * each, "labelling": 2_000 * 3 / 60 * 30, "setting up": 15 * 30, "review": 24 * 30,
    }  # fmt: skip
    assert costs.total_cost(w, NOVA, TODAY).parts == pytest.approx(by_hand)


def test_half_a_year_retrains_half_as_often() -> None:
    year, half = (costs.total_cost(costs.Workload(months=months), NOVA, TODAY).parts["training"] for months in (12, 6))
    assert half == pytest.approx(year * 2 / 3)  # one training and one more, against one and two more


def test_own_machines_by_hand() -> None:
    """100 W at $0.30 for 2 trainings of 3 hours and 3,650 answers of 2 seconds in half a year; two machines at $10."""
    w = costs.Workload(calls_per_month=600, months=6, seconds_per_call=2, training_hours=3, retrainings_per_year=2,
                       evaluation_rows=25, evaluations_per_year=4, machine_watts=100, usd_per_kwh=0.30, replicas=2,
                       machine_usd_per_month=10, hosted_hours_per_month=100)  # fmt: skip
    here = costs.total_cost(w, "own:local/this-machine", TODAY).parts
    answering = 3_650 * 2 / 3600
    assert here["electricity"] == pytest.approx((2 * 3 + answering) * 0.1 * 0.30)
    assert here["hosting"] == pytest.approx(2 * 10 * 6) and here["training"] == here["inference"] == 0
    rented = costs.total_cost(w, "own:huggingface/huggingface-l4x1", TODAY).parts
    assert rented["training"] == pytest.approx(2 * 3 * 0.80) and rented["electricity"] == 0
    assert rented["hosting"] == pytest.approx(2 * 100 * 6 * 0.80)


@pytest.mark.parametrize(
    ("option", "unknown"),
    [
        ("tuned:ori/up-to-10b", ("inference", "evaluation")),
        ("tuned:vertex/qwen3-4b", ("hosting",)),
        ("tuned:azure/gpt-4o-mini-2024-07-18", ("training",)),
        ("tuned:bedrock/meta.llama3-1-8b-instruct-v1:0", ("training", "inference", "hosting", "evaluation")),
    ],
)
def test_exactly_the_parts_without_a_price_are_unknown(option: str, unknown: tuple[str, ...]) -> None:
    assert costs.total_cost(costs.Workload(), option, TODAY).unknown == unknown


def test_equal_bills_never_pay() -> None:
    """GPT-6 Luna and Claude Haiku 5.5 have the same prices."""
    assert costs.break_even(costs.Workload(), "prompt:anthropic/claude-haiku-5-5", LUNA, TODAY).state == "never"


def test_a_small_frontier_model_makes_tuning_gpt_4o_mini_pointless() -> None:
    long = costs.Workload(tokens_in=1300, cacheable=1200)
    found = costs.break_even(long, MINI, LUNA, TODAY)
    assert found.state == "never" and "never pays" in found.sentence and "existing customers only" in found.sentence
    assert costs.break_even(costs.Workload(), MINI, LUNA, TODAY).state == "above", "800 tokens are not cached"


def test_the_own_machine_says_when_it_is_too_slow() -> None:
    busy = costs.Workload(calls_per_month=10_000_000, seconds_per_call=1)
    said = costs.total_cost(busy, "own:local/this-machine", TODAY).remarks
    assert any("TOO MUCH" in remark for remark in said)


def test_probability_is_repeatable_and_follows_the_ranges() -> None:
    w, sol = costs.Workload(), "prompt:openai/gpt-6-sol"
    ranges = {"calls_per_month": (1e3, 1e8), "cache_hit_rate": (0.0, 1.0), "tokens_in": (500.0, 5000.0)}
    first, again = (costs.probability_cheaper(w, NOVA, sol, ranges, TODAY, seed=7) for _ in range(2))
    assert first == again and 0.2 < first.probability < 0.95
    rare, often = (
        costs.probability_cheaper(w, NOVA, sol, {"calls_per_month": ends}, TODAY).probability
        for ends in ((1, 1e3), (1e7, 1e8))
    )
    assert (rare, often) == (0.0, 1.0)


def test_the_simulation_and_the_plain_bill_are_the_same_sum() -> None:
    w = costs.Workload(batch_share=0.3)
    for option in PRICED:
        saving = costs.total_cost(w, LUNA, TODAY).total - costs.total_cost(w, option, TODAY).total
        drawn = costs.probability_cheaper(w, option, LUNA, {"months": (12, 12)}, TODAY, n=3)
        assert drawn.saving == pytest.approx((saving,) * 3, abs=1e-6)


def test_sensitivity_finds_what_flips_the_answer() -> None:
    w = costs.Workload(calls_per_month=200_000)
    table = costs.sensitivity(w, NOVA, "prompt:openai/gpt-6-sol", TODAY).set_index("input")
    now = table["saving_now"].iloc[0]
    bills = [costs.total_cost(w, one, TODAY).total for one in (NOVA, "prompt:openai/gpt-6-sol")]
    assert now == pytest.approx(bills[1] - bills[0])
    for name in table.index[table["flips"]]:
        ends = table.loc[name, ["saving_low", "saving_high"]]
        assert any((end > 0) != (now > 0) for end in ends)
    swings = (table["saving_high"] - table["saving_low"]).abs()
    assert swings.is_monotonic_decreasing and table["flips"].dtype == bool


def test_cached_long_prompts_beat_a_short_one_on_a_tuned_model() -> None:
    table = costs.short_against_cached(on=TODAY)
    tuned = 1000 * (100 * 0.30 + 30 * 1.20) / 1e6
    at = table.set_index("long_prompt")
    assert at.loc[1600, "tuned"] == pytest.approx(tuned)
    assert at.loc[1600, "prompted_cached"] == pytest.approx(1000 * (60 * 0.10 + 1540 * 0.01 + 30 * 0.50) / 1e6)
    assert at.loc[1600, "prompted_cached"] < tuned < at.loc[1600, "prompted_fresh"]
    assert at.loc[800, "prompted_cached"] == at.loc[800, "prompted_fresh"] > tuned, "too short to be cached"
    assert "from 100 to 500 and from 1,100 to 4,500 tokens" in table.attrs["sentence"]


CHAT = [{"role": "user", "content": "Where is my kettle?"}, {"role": "assistant", "content": "On its way."}]


def test_a_file_is_counted_as_the_token_room_counts_it(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be kind."}
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps({"messages": CHAT}) + "\n\n" + json.dumps({"messages": [system, *CHAT]}) + "\n")
    counter = tokens.counter("gpt-4o-mini")
    first, second = counter.example(CHAT), counter.example([system, *CHAT])
    found = costs.count(file, "gpt-4o-mini")
    assert (found.rows, found.band) == (2, (first + second, first + second + 6))
    assert found.answer == counter.text("On its way.")
    assert found.prompt == (counter.example(CHAT[:1]) + counter.example([system, *CHAT[:1]])) / 2
    assert "o200k_base, the model's own" in found.sentence and "not public" in found.sentence
    here = costs.count(file, "smollm2-135m-instruct")
    assert here.low == here.high and "band" not in here.sentence
    assert "stand-in" in costs.count(file, "Llama-3.1-8B").sentence


@pytest.mark.parametrize(
    "line", ["not json", "[]", "{}", '{"messages": 5}', '{"messages": []}', '{"messages": [1, 2]}']
)
def test_a_file_that_is_no_training_file_names_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(json.dumps({"messages": CHAT}) + "\n" + line + "\n")
    with pytest.raises(CostError, match="line 2") as caught:
        costs.count(file)
    assert caught.value.fix
    file.write_text("\n")
    with pytest.raises(CostError, match="no examples"):
        costs.count(file)


def test_a_readers_workload_comes_from_their_files(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text((json.dumps({"messages": CHAT}) + "\n") * 30)
    counter = tokens.counter()
    told = counter.example([{"role": "system", "content": "Be brief and kind."}])
    w = costs.Workload.from_files(file, file, instructions="Be brief and kind.", calls_per_month=7)
    assert (w.examples, w.calls_per_month, w.validation_tokens) == (30, 7, 30 * counter.example(CHAT))
    assert (w.cacheable, w.tokens_in) == (told, told + counter.example(CHAT[:1]))
    assert w.tuned_tokens_in == counter.example(CHAT[:1]) and w.tokens_out == counter.text("On its way.")
    with pytest.raises(CostError, match="calls_per_month"):
        costs.Workload.from_files(file, calls_per_month=-1)


def test_a_machine_of_ones_own_is_full_at_some_volume() -> None:
    w = costs.Workload(seconds_per_call=36, replicas=2)
    here = costs.Option.parse("own:local/this-machine")
    assert costs.most_calls(w, here) == 2 * 720 * 100
    assert costs.most_calls(w, costs.Option.parse(LUNA)) is None
    assert costs.most_calls(dataclasses.replace(w, seconds_per_call=0), here) is None
    slow = costs.break_even(costs.Workload(seconds_per_call=5), here, LUNA, TODAY)
    assert slow.calls > 518_400 and "at most 518,000 calls a month" in slow.sentence
    assert "at most" not in costs.break_even(costs.Workload(), here, LUNA, TODAY).sentence


def test_what_ends_before_the_job_does_is_marked_with_its_date() -> None:
    llama = "tuned:bedrock/meta.llama3-1-8b-instruct-v1:0"
    year, quarter = (costs.compare(costs.Workload(months=m), [llama, MINI], TODAY).set_index("option") for m in (12, 3))
    assert "ends on 2027-03-30" in year.loc[llama, "mark"] and quarter.loc[llama, "mark"] == ""
    assert year.loc[MINI, "mark"] == "existing customers only, next date 2027-01-06"
    prompted = costs.compare(costs.Workload(), ["prompt:openai/gpt-4o-mini-2024-07-18", LUNA], TODAY).set_index(
        "option"
    )
    assert "2027-01-14" in prompted["mark"].iloc[0] + prompted["mark"].iloc[1] and prompted.loc[LUNA, "mark"] == ""


def test_measuring_the_ladder_costs_cents() -> None:
    ladder = costs.ladder_cost(on=TODAY)
    by_hand = 200 * ((110 + 350 + 700) * 0.10 + 3 * 30 * 0.50) / 1e6
    assert ladder.total == pytest.approx(by_hand) and costs.dollars(ladder.total) == "$0.032"


@pytest.mark.parametrize(
    ("usd", "text"),
    [(4.5, "$4.50"), (1224, "$1,224"), (0.00018, "$0.00018"), (0, "$0.00"), (0.9, "$0.90"), (0.032, "$0.032"),
     (-12.345, "-$12.35"), (None, "unknown"), (math.nan, "unknown"), (999.999, "$1,000")],
)  # fmt: skip
def test_dollars(usd: float | None, text: str) -> None:
    assert costs.dollars(usd) == text


def test_options_round_trip_and_labels_are_told_apart() -> None:
    options = costs.options(TODAY, every=True)
    assert [costs.Option.parse(option.id) for option in options] == options
    assert len({option.label for option in options}) == len(options)


def test_comparing_is_little_enough_work_for_a_slider() -> None:
    """Calls of functions, which no busy machine changes: 11,600 take 12 ms. ``widget_latency.py`` has milliseconds."""
    w = costs.Workload()
    costs.compare(w, on=TODAY)
    with cProfile.Profile() as profile:
        costs.compare(dataclasses.replace(w, calls_per_month=1000), on=TODAY)
    assert pstats.Stats(profile).total_calls < 20_000


def test_the_state_of_facts_is_used_as_it_is() -> None:
    """No second table hides in the code: every priced option is a row of the facts."""
    for option in costs.options(TODAY, every=True):
        if option.kind == "tuned":
            assert facts.tuning_price(option.model, option.provider, TODAY)["model"] == option.model


def test_a_job_that_nobody_can_start_says_so_beside_its_sum() -> None:
    before, after = (costs.job_estimate("gpt-4o-mini", 1000, epochs=3, on=date(2027, 1, day)) for day in (5, 6))
    assert "nobody" not in before.sentence and "nobody can start this job: ended on 2027-01-06" in after.sentence
    assert after.low.total == before.low.total, "the last published price"
    assert "may have ended, no earlier than 2027-05-19" in str(
        costs.training_cost("gemini-3.5-flash", 1000, 1, "vertex", date(2027, 6, 1))
    )


def test_a_call_that_nothing_answers_says_so_beside_its_price() -> None:
    days = (date(2027, 1, 13), date(2027, 1, 14))
    before, after = (str(costs.one_call_cost("ft:gpt-4o-mini:org::1", 800, 60, on=day)) for day in days)
    assert "ended" not in before and "ended on 2027-01-14" in after
    table = costs.short_against_cached(on=days[1])
    assert "GPT-4o mini tuned (ended on 2027-01-14)" in table.attrs["sentence"]
    assert set(costs.tuned_against_base(days[1])["answers"]) >= {"ended on 2027-01-14"}
    assert "is marked: ended on 2027-01-06" in costs.break_even(costs.Workload(), MINI, LUNA, days[1]).sentence


@pytest.mark.parametrize("day", [TODAY, date(2026, 11, 29), date(2027, 1, 6), date(2027, 6, 1), date(2029, 1, 1)])
def test_the_short_list_holds_nothing_that_nobody_can_have(day: date) -> None:
    """And of each provider the model that is most open, before the cheapest one."""
    table = costs.compare(costs.Workload(), costs.options(day), day)
    assert not set(table["state"]) & {"ended", "may have ended"}
    assert "tuned:vertex/gemini-2.5-flash-lite" not in set(table["option"])
    assert len(table[(table["kind"] == "tuned") & (table["state"] == "open")]) >= 5


def test_stale_prices_say_their_age_first() -> None:
    assert costs.compare(costs.Workload(), [LUNA], TODAY).attrs["age"] == ""
    assert "days before 2027-06-01" in costs.compare(costs.Workload(), [LUNA], date(2027, 6, 1)).attrs["age"]
