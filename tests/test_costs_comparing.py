"""Bills beside each other by hand: what a call costs, where lines cross, what flips the answer, what a chart draws."""

from __future__ import annotations

import dataclasses
import math
from datetime import date

import pytest

from helpers import costs
from helpers.costs import choosing
from helpers.costs.comparing import crossing, dearest_last
from helpers.costs.cost import dollars
from helpers.costs.curves import curves
from helpers.costs.tables.frames import sensitivity
from helpers.errors import CostError

TODAY = date(2026, 11, 23)
LUNA, SOL = "prompt:openai/gpt-6-luna", "prompt:openai/gpt-6-sol"
NOVA = "tuned:bedrock/amazon.nova-micro-v1:0"
HERE = "own:local/this-machine"
UNKNOWN = "tuned:azure/gpt-4o-mini-2024-07-18"


# --- bills ---


def test_a_bill_by_the_call_and_by_the_month_adds_up_to_the_whole():
    job = costs.Workload(calls_per_month=300, months=7)
    rows, _ = costs.bills(job, [LUNA, NOVA, HERE], TODAY)
    for row in rows:
        assert row["per_call"] * 300 * 7 == pytest.approx(row["total"]) == pytest.approx(row["per_month"] * 7)
        assert row["total"] == costs.total_cost(job, row["option"], TODAY).total > 0
    unused, _ = costs.bills(dataclasses.replace(job, calls_per_month=0), [LUNA], TODAY)
    assert math.isnan(unused[0]["per_call"]) and unused[0]["per_month"] > 0, "no calls have no price a call"


def test_the_cheapest_bill_stands_first_and_an_unknown_one_last():
    rows, _ = costs.bills(costs.Workload(), [UNKNOWN, NOVA, LUNA], TODAY)
    assert [row["option"] for row in rows] == [*sorted([NOVA, LUNA], key=_total), UNKNOWN]
    assert dearest_last({"total": math.nan}) > dearest_last({"total": 1e12}) > dearest_last({"total": 1})
    unknown = [{"total": math.nan, "option": name} for name in "ba"]
    assert sorted(unknown, key=dearest_last) == unknown, "unknown ones stay in the order in which they were asked for"
    assert rows[-1]["unknown"].startswith("training") and math.isnan(rows[-1]["training"])


def _total(option: str) -> float:
    return costs.total_cost(costs.Workload(), option, TODAY).total


# --- break-even ---


def test_a_break_even_holds_the_two_lines_that_cross():
    job = costs.Workload()
    found = costs.break_even(job, NOVA, SOL, TODAY)
    for option, (fixed, each) in ((NOVA, found.first), (SOL, found.second)):
        for calls in (0, 1, 50_000):
            at = dataclasses.replace(job, calls_per_month=calls)
            assert costs.total_cost(at, option, TODAY).total == pytest.approx(fixed + each * calls)
    crossing = (found.first[0] - found.second[0]) / (found.second[1] - found.first[1])
    assert (
        found.state == "above" and found.calls == pytest.approx(crossing) and f"{crossing:,.0f}"[:2] in found.sentence
    )
    turned = costs.break_even(job, SOL, NOVA, TODAY)
    assert turned.state == "below" and turned.calls == pytest.approx(crossing)
    assert "a month more before the first call" in found.sentence
    assert "less for each call" in found.sentence and "more for each call" in turned.sentence
    month = dollars((found.first[0] - found.second[0]) / job.months)
    assert f"costs {month} a month more" in found.sentence, "the job is told by the month"


def test_always_and_never():
    free = costs.Workload(examples=0, tuning_hours=0, label_minutes=0, epochs=1, retrainings_per_year=0)
    machine = dataclasses.replace(free, machine_usd_per_month=0, machine_watts=0, training_hours=0)
    assert costs.break_even(machine, HERE, LUNA, TODAY).state == "always", "nothing fixed, and nothing for each call"
    assert costs.break_even(machine, LUNA, HERE, TODAY).state == "never"
    dear = dataclasses.replace(costs.Workload(), tuned_tokens_in=90_000)
    assert costs.break_even(dear, NOVA, LUNA, TODAY).state == "never", "dearer at first, and dearer each time"
    assert "never pays" in costs.break_even(dear, NOVA, LUNA, TODAY).sentence
    unknown = costs.break_even(dear, UNKNOWN, LUNA, TODAY)
    assert unknown.calls is None and "training" in unknown.sentence and unknown.first == (None, None)


@pytest.mark.parametrize(
    ("extra", "saving", "state", "calls"),
    [
        (0.5, 0.25, "above", 2), (0, 0.25, "always", None), (-0.5, 0.25, "always", None),
        (-0.5, -0.25, "below", 2), (0, -0.25, "never", None), (0.5, -0.25, "never", None),
        (0.5, 0, "never", None), (0, 0, "never", None), (-0.5, 0, "always", None),
    ],
)  # fmt: skip
def test_where_extra_fixed_cost_is_earned_back(extra: float, saving: float, state: str, calls: float | None):
    assert crossing(extra, saving) == (state, calls)


def test_a_machine_of_half_a_dollar_costs_more_a_month_and_its_hours_are_told():
    free = costs.Workload(examples=0, tuning_hours=0, label_minutes=0, epochs=1, retrainings_per_year=0)
    small = dataclasses.replace(free, machine_usd_per_month=0.5, machine_watts=0, training_hours=0)
    found = costs.break_even(small, HERE, LUNA, TODAY)
    assert found.first[0] - found.second[0] > 0 and "a month more before the first call" in found.sentence
    busy = dataclasses.replace(small, calls_per_month=7_200, seconds_per_call=1)
    assert "needs 2.0 machine-hours a month of 720" in " ".join(costs.total_cost(busy, HERE, TODAY).remarks)


def test_a_machine_that_is_full_before_it_pays_is_said_to_be():
    """At 300 s a call one machine answers 8,640 calls in a month of 720 hours."""
    slow = costs.Workload(seconds_per_call=300)
    found = costs.break_even(slow, HERE, SOL, TODAY)
    assert found.calls > 8_640 and "at most 8,640 calls a month" in found.sentence
    assert "at most" not in costs.break_even(costs.Workload(seconds_per_call=0.01), HERE, SOL, TODAY).sentence
    drawn = curves(slow, [HERE, SOL], (HERE, SOL), TODAY)
    assert "is full at 8,640 calls" in drawn.title and drawn.star is None


# --- how sure ---


def test_a_range_is_drawn_on_a_logarithmic_scale_and_a_share_on_a_plain_one():
    job = costs.Workload(evaluation_rows=0, prompt_hours=0, review_hours_per_month=0)

    def median(**ranges: tuple[float, float]) -> float:
        """Of what LUNA costs more than a free machine."""
        free = dataclasses.replace(job, tuning_hours=0, examples=0, machine_watts=0)
        return costs.probability_cheaper(free, HERE, LUNA, ranges, TODAY, n=4001).saving[1]

    def bill(**changes: float) -> float:
        return costs.total_cost(dataclasses.replace(job, **changes), LUNA, TODAY).total

    assert median(calls_per_month=(100, 10_000)) == pytest.approx(bill(calls_per_month=1_000), rel=0.1)
    assert median(calls_per_month=(0, 10_000)) == pytest.approx(bill(calls_per_month=5_000), rel=0.1), "0 has no log"
    some = {"tokens_in": 3000, "cacheable": 3000}
    job = dataclasses.replace(job, **some)
    assert median(cache_hit_rate=(0.1, 0.9)) == pytest.approx(bill(cache_hit_rate=0.5), rel=0.05), "not 0.3"


def test_the_sentence_of_a_chance_gives_its_numbers():
    job = costs.Workload()
    found = costs.probability_cheaper(job, NOVA, SOL, {"calls_per_month": (1e3, 1e7)}, TODAY, n=2000, seed=3)
    low, middle, high = found.saving
    assert high > 1_000, "so all three are told in whole dollars"
    assert low < middle < high and (found.n, found.seed) == (2000, 3) and 0 < found.probability < 1
    assert f"in {found.probability:.0%}".replace("%", " %") in found.sentence and "2,000 draws" in found.sentence
    assert f"costs ${-low:,.0f} more" in found.sentence
    assert f"saves ${high:,.0f}" in found.sentence
    fixed = costs.probability_cheaper(job, NOVA, SOL, {"months": (12, 12)}, TODAY, n=2)
    assert fixed.saving == pytest.approx([fixed.saving[0]] * 3) and "in none of 2 draws" in fixed.sentence
    defaults = costs.probability_cheaper(job, NOVA, SOL, {}, TODAY)
    assert (defaults.n, defaults.seed) == (4000, 0)
    for wrong in ({"n": 1}, {"ranges": {"months": (12, 6)}}, {"ranges": {"moons": (1, 2)}}):
        with pytest.raises(CostError):
            costs.probability_cheaper(job, NOVA, SOL, **{"ranges": {}, "on": TODAY} | wrong)


def test_sensitivity_halves_and_doubles_each_number_within_its_bounds():
    job = costs.Workload(cache_hit_rate=0.8, tokens_in=900, cacheable=800)
    table = sensitivity(job, NOVA, SOL, TODAY).set_index("input")
    assert (table.loc["examples", "low"], table.loc["examples", "high"]) == (250, 1000)
    assert (table.loc["cache_hit_rate", "low"], table.loc["cache_hit_rate", "high"]) == (0.4, 1), "a share is at most 1"
    assert table.loc["cacheable", "high"] == 900, "never more than the prompt"
    assert table.loc["tokens_in", "low"] == 450 and (table["now"] == [getattr(job, name) for name in table.index]).all()
    doubled = dataclasses.replace(job, calls_per_month=2 * job.calls_per_month)
    saving = costs.total_cost(doubled, SOL, TODAY).total - costs.total_cost(doubled, NOVA, TODAY).total
    assert table.loc["calls_per_month", "saving_high"] == pytest.approx(saving)
    wider = sensitivity(job, NOVA, SOL, TODAY, factor=3).set_index("input")
    assert wider.loc["examples", "high"] == 1500 and wider.loc["examples", "low"] == pytest.approx(500 / 3)
    near = dataclasses.replace(job, calls_per_month=costs.break_even(job, NOVA, SOL, TODAY).calls * 1.2)
    flips = sensitivity(near, NOVA, SOL, TODAY).set_index("input")["flips"]
    assert flips["calls_per_month"] and not flips["seconds_per_call"]
    with pytest.raises(CostError):
        sensitivity(job, NOVA, SOL, TODAY, factor=0.9)


# --- what a calculator shows ---


def test_what_is_ticked_first_and_which_pair_is_compared():
    rows, _ = costs.bills(costs.Workload(), on=TODAY)
    ticked = choosing.compared_first(rows)
    of_kind = [one.partition(":")[0] for one in ticked]
    assert HERE in ticked and not any(one.endswith(":uncached") for one in ticked)
    assert 1 <= of_kind.count("tuned") <= 3 and of_kind.count("prompt") + of_kind.count("few-shot") == 3
    assert all(row["state"] == "open" for row in rows if row["option"] in ticked)
    first, second = choosing.default_pair(rows)
    known = [row for row in rows if not math.isnan(row["total"]) and row["state"] == "open"]
    prompts = [row["option"] for row in known if row["kind"] in ("prompt", "few-shot")]
    others = [row["option"] for row in known if row["kind"] not in ("prompt", "few-shot")]
    assert (first, second) == (others[0], prompts[0])
    assert choosing.default_pair([row for row in rows if row["option"] == UNKNOWN]) == (None, None)


def test_the_cheapest_is_one_that_somebody_can_have():
    rows, _ = costs.bills(costs.Workload(months=6), on=TODAY)
    said = choosing.cheapest(rows, 6)
    assert rows[0]["label"] in said and "over 6 months" in said and dollars(rows[0]["total"]) in said
    gone = [dict(rows[0], state="ended"), dict(rows[1], state="open", mark="")]
    assert rows[1]["label"] in choosing.cheapest(gone, 6)
    assert choosing.cheapest([dict(rows[0], total=math.nan)], 6) == ""


def test_amounts_have_a_column_for_each_part_that_any_bill_has_the_largest_first():
    rows, _ = costs.bills(costs.Workload(validation_tokens=0, review_hours_per_month=0), [LUNA, NOVA], TODAY)
    heads, cells = choosing.amounts(rows)
    parts = heads[3:]
    assert heads[:3] == ["total", "a month", "a call"] and "review" not in parts and "hosting" not in parts
    most = [max(row[part] for row in rows) for part in parts]
    assert most == sorted(most, reverse=True) and min(most) > 0
    assert cells[0][0] == dollars(rows[0]["total"])
    prompt = next(cell for row, cell in zip(rows, cells, strict=True) if row["option"] == LUNA)
    assert prompt[heads.index("training")] == "$0"


def test_how_sure_is_between_half_and_double():
    chance, said = choosing.unsure(costs.Workload(months=1), (NOVA, SOL), TODAY)
    assert "may each be half or double" in said and chance.sentence in said
    job = costs.Workload(months=1)
    ranges = {name: (getattr(job, name) / 2, getattr(job, name) * 2) for name in choosing.RANGES} | {"months": (1, 2)}
    assert chance == costs.probability_cheaper(job, NOVA, SOL, ranges, TODAY), "a job lasts at least a month"


def test_a_slider_reaches_from_a_first_trial_to_a_hundred_times_the_usual_job():
    usual = costs.Workload()
    for name, dial in choosing.DIALS.items():
        low, high = (10**dial.low, 10**dial.high) if dial.powers else (dial.low, dial.high)
        assert low <= (10 if dial.powers else costs.workload.bounds(name)[0]), "ten examples are OpenAI's least"
        assert high >= getattr(usual, name) * (100 if dial.powers else 5), name


# --- a chart ---


def test_a_chart_draws_each_bill_from_well_below_the_readers_volume_to_well_above():
    job = costs.Workload(calls_per_month=20_000)
    drawn = curves(job, [NOVA, SOL, UNKNOWN], (NOVA, SOL), TODAY)
    assert [one.option.id for one in drawn.curves] == [NOVA, SOL] and "Not drawn" in drawn.sentence
    meet = costs.break_even(job, NOVA, SOL, TODAY)
    for one in drawn.curves:
        assert len(one.calls) == 25 and list(one.calls) == sorted(one.calls)
        assert one.calls[0] <= 20_000 / 10 and one.calls[-1] >= 20_000 * 10 and one.calls[0] >= 1
        at = dataclasses.replace(job, calls_per_month=one.calls[7])
        assert one.usd[7] == pytest.approx(costs.total_cost(at, one.option, TODAY).total)
    assert (
        drawn.star == pytest.approx((meet.calls, meet.first[0] + meet.first[1] * meet.calls)) and drawn.here == 20_000
    )
    assert drawn.curves[0].calls[0] < drawn.star[0] < drawn.curves[0].calls[-1] and "the star" in drawn.sentence
    assert "becomes cheaper" in drawn.title


def test_an_own_machines_line_ends_where_it_is_full():
    job = costs.Workload(seconds_per_call=30)
    drawn = curves(job, [HERE, LUNA], (HERE, LUNA), TODAY)
    own, other = drawn.curves
    assert own.calls[-1] == 720 * 3600 / 30 == 86_400 and other.calls[-1] > own.calls[-1]
    assert "busy day and night" in drawn.sentence and "busy" not in curves(job, [LUNA], on=TODAY).sentence
    assert curves(job, [LUNA], on=TODAY).star is None and "Choose a tuned option" in curves(job, [LUNA], on=TODAY).title


def test_a_model_that_ends_before_the_bill_does_is_marked_with_the_months_that_are_billed() -> None:
    """It said "before this job", and the bill is of months of calls."""
    for months in (6, 12):
        table = costs.compare(costs.Workload(months=months), on=TODAY)
        early = [mark for mark in table["mark"] if mark.startswith("ends ")]
        assert early and all(mark.endswith(f", before the {months} months are over") for mark in early)
