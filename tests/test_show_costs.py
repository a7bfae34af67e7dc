"""The views of the cost lesson say what the sums say, and mark what is unknown, full or closed."""

from __future__ import annotations

import re
from datetime import date
from html import escape, unescape

import pytest

from helpers import costs, providers, show
from helpers.project import Project
from helpers.show.charts.theme import PAPER

TODAY = date(2026, 11, 23)
HERE, LUNA = "own:local/this-machine", "prompt:openai/gpt-6-luna"


def words(chart) -> str:
    return f"{unescape(chart.layout.title.text.replace('<br>', ' '))} {chart.layout.meta['sentence']}"


def test_the_articles_sum_stands_beside_what_followed():
    table = costs.article_training(TODAY)
    chart = show.training_sums(table)
    assert list(chart.data[0].x) == list(table["usd"]) and list(chart.data[0].text)[0] == "$4.00"
    assert "$4.00" in words(chart) and "$4.50" in words(chart) and "no longer offered" in words(chart)
    assert len(table.attrs["cite"]) == 2 and all("as of 20" in cite for cite in table.attrs["cite"])


def test_prompt_lengths_draw_what_the_table_holds():
    table = costs.short_against_cached(on=TODAY)
    chart = show.prompt_lengths(table)
    assert [list(line.y) for line in chart.data] == [
        list(table[name]) for name in ("tuned", "prompted_fresh", "prompted_cached")
    ]
    assert "1,100 to 4,500" in chart.layout.title.text.replace("<br>", " ")
    assert any("1,024" in cite for cite in table.attrs["cite"])


def test_training_times_name_the_longest_job():
    table = costs.training_durations()
    chart = show.training_times(table)
    assert list(chart.data[0].y) == list(table["minutes"]) and "2.2 hours" in words(chart)
    assert "Of 2 recorded runs the longest took 5 minutes; a worked example says 2.2 hours" in words(chart)
    assert [symbol.endswith("-open") for symbol in chart.data[0].marker.symbol] == [True, False, False]
    assert len(table.attrs["cite"]) == len(table)


def test_the_provider_page_holds_every_provider_and_folds_the_sources():
    page = providers.page(TODAY)
    html = show.provider_page(page, "Who trains").data
    for name in page["name"]:
        assert escape(name) in html
    before, folded = html.split("train for nobody any longer")
    assert "Cohere" in folded and "Cohere" not in before and "connect(&quot;nebius&quot;)" in before
    assert html.count("<summary") == len(page) + 1 and "as of 2026" in html
    assert "babbage" not in html, "a model that is gone has no price to show"


def test_a_machines_line_ends_where_it_is_full():
    slow = costs.Workload(seconds_per_call=5)
    chart = show.cost_curves(slow, [HERE, LUNA], (HERE, LUNA), TODAY)
    ends = {line.name: line.x[-1] for line in chart.data}
    assert ends["fine-tune: open model on this machine"] == costs.most_calls(slow, costs.Option.parse(HERE))
    assert "break-even" not in ends and "is full at 518,000 calls" in chart.layout.title.text.replace("<br>", " ")
    quick = show.cost_curves(costs.Workload(), [HERE, LUNA], (HERE, LUNA), TODAY)
    assert quick.data[-1].name == "break-even" and "star" in words(quick)
    [label] = quick.layout.annotations
    assert label.xanchor == "center", "left of the star a narrow page has no room for its words"
    assert label.bgcolor == PAPER, "lines cross there, and struck it through"
    assert [10**label.x, 10**label.y] == [pytest.approx(quick.data[-1].x[0]), pytest.approx(quick.data[-1].y[0])]


def test_options_of_one_bill_are_said_to_have_one_line():
    haiku, luna = "prompt:anthropic/claude-haiku-5-5", LUNA
    names = [costs.Option.parse(one).label for one in (luna, haiku)]
    same = f"“{names[0]}” and “{names[1]}” cost the same: their lines coincide."
    assert same in words(show.cost_curves(costs.Workload(), [HERE, luna, haiku], (HERE, luna), TODAY))
    assert "coincide" not in words(show.cost_curves(costs.Workload(), [HERE, luna], (HERE, luna), TODAY))


def test_the_largest_parts_of_the_bill_come_first():
    table = costs.compare(costs.Workload(), ["tuned:nebius/under-20b", LUNA], TODAY)
    html = show.bill(table).data
    assert html.index(">hosting<") < html.index(">labelling<") < html.index(">training<")
    assert "$0<" in html and "$17,280" in html


def test_the_parts_of_a_narrow_bill_leave_out_what_costs_nothing():
    html = show.bill(costs.compare(costs.Workload(), ["tuned:nebius/under-20b", LUNA], TODAY)).data
    prompted, hosted = re.findall(r'<div class="kit-parts"[^>]*>(.*?)</div>', html)
    assert "hosting $17,280, " in hosted and "hosting" not in prompted and " $0," not in hosted + prompted
    assert "setting up $240.00" in prompted


def test_a_remark_of_a_bill_stays_in_one_piece_whatever_its_punctuation():
    table = costs.compare(costs.Workload(), ["tuned:nebius/under-20b"], TODAY)
    said = "1 deployment up 720 hours a month; load not checked"
    assert said in table.loc[0, "remarks"]
    assert f"<li>{said}</li>" in show.bill(table).data


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    return Project("files")


def test_the_calculator_begins_with_the_projects_own_files(project, tmp_path):
    row = '{"messages": [{"role": "user", "content": "a b c"}, {"role": "assistant", "content": "d"}]}\n'
    train = tmp_path / "train.jsonl"
    train.write_text(row * 37)
    project.keep_splits({"train": train})
    assert show.calculator(project=project, on=TODAY).workload.examples == 37
    train.write_text("broken\n")
    fresh = Project("elsewhere")
    fresh.keep_splits({"train": train})
    assert show.calculator(project=fresh, on=TODAY).workload == costs.Workload()
