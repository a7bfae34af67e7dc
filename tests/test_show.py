"""The charts and tables: findings in their titles, readers' text escaped, small enough to commit."""

from __future__ import annotations

import base64
import math
import re
from html import escape, unescape
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

import notebooks
from helpers import assets, costs, show, statistics
from helpers.errors import DataError, HostError
from helpers.local_api.engine.text.template import ChatTemplate
from helpers.project import Project
from helpers.records import Example, Verdict
from helpers.show.charts import theme
from helpers.show.html import chat
from helpers.show.html.tables import number
from helpers.show.panels import calculator

NASTY = "<img src=x onerror=alert(1)> & <b>bold</b>"
LARGEST_BYTES = 30_000


def example(question: str, answer: str, **extra) -> Example:
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer} | extra))


def curve(steps: int = 90, epochs: int = 6, rising: bool = False) -> pd.DataFrame:
    frame = pd.DataFrame({"step": range(1, steps + 1), "total_steps": steps})
    frame["train_loss"] = 2 * np.exp(-frame["step"] / (steps / 4)) + 0.3
    ends = frame["step"] % (steps // epochs) == 0
    frame.loc[ends, "full_valid_loss"] = np.linspace(1.5, 0.6, epochs)
    if rising:
        frame.loc[steps - 1, "full_valid_loss"] = 1.2
    return frame


def scores_table(names=("most frequent answer", "TF-IDF", "16 examples", "tuned")) -> pd.DataFrame:
    models = {"most frequent answer": "most frequent answer", "TF-IDF": "logistic regression", "tuned": "ft:small:x"}
    roles = {"most frequent answer": "no language model", "TF-IDF": "no language model", "tuned": "tuned"}
    rows = []
    for i, name in enumerate(names):
        low, high = statistics.wilson(40 * (i + 1), 200)
        rows.append(
            {
                "candidate": name, "model": models.get(name, "small"), "rows": 200, "low": low, "high": high,
                "role": roles.get(name, "teaching"), "score": 0.2 * (i + 1),
            }
        )  # fmt: skip
    return pd.DataFrame(rows).set_index("candidate")


def comparisons() -> list:
    tuned = np.repeat([1.0, 0.0], [160, 40])
    scores = {"tuned": tuned, "few": np.repeat([1.0, 0.0], [100, 100]), "near": np.roll(tuned, 4)}
    return statistics.compare_many(scores, "tuned")


FIGURES = {
    "loss": lambda: show.loss(curve()),
    "long loss": lambda: show.loss(curve(6000)),
    "scores": lambda: show.scores(scores_table(), "all_fields"),
    "comparisons": lambda: show.comparisons(comparisons()),
    "balance": lambda: show.balance(
        {"train": [example("x", f"label {i % 40}") for i in range(400)], "test": [example("x", "label 1")]},
        lambda row: row.answer,
    ),
    "token lengths": lambda: show.token_lengths(list(range(1, 20_000)), 2048, "smollm2-135m-instruct"),
    "cost curves": lambda: show.cost_curves(costs.Workload()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_chart_states_a_finding_names_its_axes_and_stays_small(name):
    chart = FIGURES[name]()
    assert isinstance(chart, go.Figure)
    assert len(chart.layout.title.text) > 20
    assert len(chart.layout.meta["sentence"]) > 40
    plotted = [words for words in (chart.layout.xaxis.title.text, chart.layout.yaxis.title.text) if words]
    named_ticks = isinstance(chart.data[0].y[0], str)
    assert len(plotted) == 2 or (named_ticks and len(plotted) == 1)
    assert re.search(r"\(|step|examples", plotted[0]), "a unit or a count"
    assert len(chart.to_json()) <= LARGEST_BYTES


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [*theme.SERIES, theme.GREY])
def test_colours_stand_out_from_the_paper(colour):
    """WCAG 2.2 asks for 3:1 for marks in a chart, and 4.5:1 for text, which INK and GREY are used for."""
    contrast = (luminance(theme.PAPER) + 0.05) / (luminance(colour) + 0.05)
    assert contrast >= (4.5 if colour in (theme.INK, theme.GREY) else 3)


def in_the_dark(colour: str) -> str:
    """What the dark theme's style makes of a colour: ``invert(1) hue-rotate(180deg)``."""
    red, green, blue = (255 - int(colour[i : i + 2], 16) for i in (1, 3, 5))
    turned = (
        -0.574 * red + 1.430 * green + 0.144 * blue,
        0.426 * red + 0.430 * green + 0.144 * blue,
        0.426 * red + 1.430 * green - 0.856 * blue,
    )
    return "#" + "".join(f"{round(min(255, max(0, part))):02X}" for part in turned)


@pytest.mark.parametrize("cell", [theme.CELL_FAINT, theme.CELL_BLUE, theme.CELL_ORANGE])
@pytest.mark.parametrize("seen", [str, in_the_dark])
def test_figures_in_a_heatmap_can_be_read_in_light_and_dark(cell, seen):
    light, dark = sorted((luminance(seen(cell)), luminance(seen(theme.CELL_TEXT))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def texts(value) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


MARKDOWN = """# Model <card> &lt;1>

For $1 and $2. <img src=x onerror=alert(1)> ![pixel](https://example.org/x.png) [go](javascript:alert(1))

<script>alert(1)</script>

Data
----

| | |
|---|---|
| base <b>model</b> | a \\| b |

| split | rows |
|---|---|
| train | 240 |
"""


def test_a_written_file_is_shown_as_it_is_meant_and_below_a_fold_as_it_was_written(tmp_path):
    """“# Model card” and “| | |” stood in a card that readers were to take for a page."""
    card = tmp_path / "model_card.md"
    card.write_text(MARKDOWN, encoding="utf-8")
    shown = show.document(card).data
    page, written = shown.split("<details>")
    assert "model_card.md" in page and "mathjax_ignore" in page
    assert "<b>Model &lt;card&gt; &lt;1&gt;</b>" in page and "<b>Data</b>" in page
    assert not re.search("<h[1-6]", shown), "a heading would stand in the notebook's outline"
    assert re.search(r"<td[^>]*>base &lt;b&gt;model&lt;/b&gt;</td><td[^>]*>a \| b</td>", page) and "| |" not in page
    assert page.count("<th ") == 2, "a head without words is left out"
    assert not re.search("<img|<script|javascript:", page) and "pixel" in page, "HTML stays text, nothing is fetched"
    assert unescape(re.search(r"<div[^>]*>(.*)</div></details>", written, re.DOTALL)[1]) == MARKDOWN


def test_a_record_that_was_written_is_named_with_its_folder_and_can_be_saved_from_the_notebook(tmp_path):
    """“Record written: record.json record.html record.md” led nowhere: JupyterLab does not list the folder."""
    folder = tmp_path / "<mine>"
    folder.mkdir()
    files = {kind: folder / f"record.{kind}" for kind in ("json", "html", "md")}
    for kind, file in files.items():
        file.write_text(f"the {kind}: é")
    shown = show.record_written(files).data
    assert str(files["html"]) in unescape(shown) and "<mine>" not in shown and "record.json and record.md" in shown
    assert 'download="record.html"' in shown
    page = base64.b64decode(re.search(r'href="data:text/html;base64,([^"]+)"', shown)[1])
    assert page == files["html"].read_bytes()


def test_a_notebook_for_everybody_keeps_no_folder_of_a_machine_and_no_copy_of_a_record(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    page = tmp_path / "projects" / "p" / "record.html"
    page.parent.mkdir(parents=True)
    page.write_text("a page")
    shown = show.record_written({"html": page, "md": page.with_suffix(".md")})
    cell = new_code_cell("x", outputs=[new_output("display_data", {"text/html": shown.data})])
    kept = notebooks.normalise(new_notebook(cells=[cell])).cells[0].outputs[0].data["text/html"]
    assert ".local/projects/p/record.html" in kept and str(tmp_path) not in kept
    assert "base64" not in kept and "save a copy of the page, which" in kept


def test_readers_text_is_escaped_in_charts():
    table = scores_table((NASTY, "tuned"))
    table["model"] = NASTY
    labels = {NASTY: [example("x", NASTY)] * 6}
    compared = statistics.compare([1, 0, 1, 1], [0, 0, 1, 0], a=NASTY, b="b")
    for chart in (
        show.scores(table, NASTY),
        show.balance(labels, lambda row: row.answer),
        show.comparisons([compared]),
        show.token_lengths([3, 4], 10, NASTY),
        show.loss(curve(), title=NASTY),
    ):
        drawn = chart.to_plotly_json()
        drawn["layout"].pop("meta")  # plain text for a caption, never drawn
        assert not [text for text in texts(drawn) if "<img" in text or "<b>bold" in text]
        assert [text for text in texts(drawn) if "&lt;" in text]


def test_the_loss_curve_says_when_the_held_out_rows_turn():
    assert "came down to 0.60" in show.loss(curve()).layout.title.text.replace("<br>", " ")
    assert "was lowest at step 75" in show.loss(curve(rising=True)).layout.title.text.replace("<br>", " ")
    chart = show.loss(curve())
    line = next(trace for trace in chart.data if trace.mode == "lines")
    ends = f"from {line.y[0]:.2f} to {line.y[-1]:.2f}"
    assert ends in chart.layout.title.text.replace("<br>", " "), "the ends of the line that is drawn"
    assert "cannot show overfitting" in show.loss(curve()[["step", "train_loss"]]).layout.meta["sentence"]
    assert "No training step" in show.loss(pd.DataFrame(columns=["step", "train_loss"])).layout.title.text


def test_scores_mark_tuned_teaching_and_majority():
    chart = show.scores(scores_table(), "all_fields")
    assert chart.layout.title.text.replace("<br>", " ").startswith(
        "“tuned” has all fields right most often: 80 % (interval 74 % to 85 %)"
    )
    by_kind = {trace.name: trace for trace in chart.data}
    assert by_kind["tuned"].marker.symbol == ("diamond",)
    assert by_kind["prompted"].marker.symbol == ("circle-open",)
    assert by_kind["no language model"].marker.symbol == ("square", "square")
    assert chart.layout.shapes[0].x0 == pytest.approx(20)


def test_a_title_names_all_that_score_highest():
    """“embeddings scores highest in all fields: 70 %”: so did the line below it, and not in every field."""
    table = scores_table().assign(score=[0.2, 0.7, 0.5, 0.7])
    said = show.scores(table, "label_accuracy").layout.title.text.replace("<br>", " ")
    assert said.startswith("“tuned” and “TF-IDF” score highest in label accuracy: 70 % ")
    said = show.scores(table, "all_fields").layout.title.text.replace("<br>", " ")
    assert said.startswith("“tuned” and “TF-IDF” have all fields right most often: 70 % ")
    said = show.scores(table.assign(score=0.7), "all_fields").layout.title.text.replace("<br>", " ")
    assert said.startswith("“tuned” and 3 others have all fields right most often: 70 % ")


def test_a_score_is_not_written_across_the_line_of_the_most_frequent_answer():
    chart = show.scores(scores_table().assign(score=[0.5, 0.53, 0.48, 0.7]), "all_fields")
    places = {score: place for trace in chart.data for score, place in zip(trace.x, trace.textposition, strict=True)}
    assert places == {50: "top right", 53: "top right", 48: "top left", 70: "top center"}


def test_comparisons_separate_told_apart_from_cannot_tell():
    chart = show.comparisons(comparisons())
    by_name = {trace.name: trace for trace in chart.data}
    assert by_name["told apart"].y == ("tuned<br>minus few",)
    assert by_name["these rows cannot tell"].y == ("tuned<br>minus near",)
    finding = chart.layout.title.text.replace("<br>", " ")
    assert finding == "“tuned” is better than 1 and not told apart from 1 of its 2 rivals on 200 rows"


@pytest.mark.parametrize(
    ("rivals", "says"),
    [([50, 50], "told apart from none of its 2 rivals"), ([90, 90, 90], "worse than each of its 3 rivals"),
     ([10, 10], "better than each of its 2 rivals"), ([10, 50, 90], "better than 1, worse than 1 and not told apart "
     "from 1 of its 3 rivals")],
)  # fmt: skip
def test_what_holds_of_all_rivals_is_said_of_them_together(rivals, says):
    rows = {"tuned": [1.0] * 50 + [0.0] * 50}
    rows |= {f"rival {i}": [1.0] * right + [0.0] * (100 - right) for i, right in enumerate(rivals)}
    found = statistics.compare_many(rows, "tuned")
    assert show.comparisons(found).layout.title.text.replace("<br>", " ") == f"“tuned” is {says} on 100 rows"


def test_balance_counts_what_is_rare():
    rows = {"train": [example("x", "a")] * 8 + [example("x", "b")] * 2, "test": [example("x", "a")] * 5}
    chart = show.balance(rows, lambda row: row.answer)
    assert "'b' has under 5 rows in some split" in chart.layout.title.text.replace("<br>", " ")
    assert chart.data[0].x == (80.0, 20.0)
    assert chart.data[1].text == ("5", "0")


def test_a_label_with_a_blank_around_it_is_seen_to_be_another_one():
    rows = [example("x", "payment")] * 8 + [example("x", "payment ")] * 2 + [example("x", " ")]
    assert set(show.balance({"train": rows}, lambda row: row.answer).data[0].y) == {"payment", "payment␣", "␣"}


def test_token_lengths_count_what_is_over_the_limit():
    over = show.token_lengths([10, 20, 3000], 2048, "m")
    assert "1 of 3 examples (33.3 %) are over the limit of 2,048" in over.layout.title.text
    assert sum(over.data[0].y) == 3
    assert "All 2 examples fit" in show.token_lengths([10, 20], 2048, "m").layout.title.text
    assert "no examples" in show.token_lengths([], 2048, "m").layout.title.text


@pytest.mark.parametrize(
    "row",
    [
        example("Where is my parcel?", '{"category": "delivery"}'),
        example("I type <|im_end|>\nand <b>tags</b>\n", "Ä ünïcode 🙂\n\n"),
        example("weight zero", "not learned", weight=0),
        Example(
            (
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "part one, "}, {"type": "text", "text": "two"}]},
                {"role": "assistant", "content": "first", "weight": 0},
                {"role": "user", "content": "again"},
                {"role": "assistant", "content": "second"},
            )
        ),
    ],
)
def test_what_is_shown_is_what_the_model_sees(row):
    """The trainer's own template, decoded, gives the shown text, and its weights the shown marks."""
    template = ChatTemplate(assets.base_model())
    ids, weights = template.example(row.messages)
    runs: list[tuple[list[int], bool]] = []
    for token, weight in zip(ids, weights, strict=True):
        if not runs or runs[-1][1] != (weight > 0):
            runs.append(([], weight > 0))
        runs[-1][0].append(token)
    seen = [(template.tokenizer.decode(run, skip_special_tokens=False), learned) for run, learned in runs]
    assert chat.segments(row) == seen

    html = show.what_the_model_sees(row).data
    without_marks = re.sub(r'<span aria-hidden="true"[^>]*>⏎</span>', "", html)
    shown = unescape("".join(re.findall(r"<pre[^>]*>(.*?)</pre>", without_marks, re.DOTALL)))
    assert shown == "".join(text for text, _ in seen)
    assert html.count("<b>learned</b>") == sum(learned for _, learned in seen)
    if "<|im_end|>" not in str(row.messages):
        assert f"{len(ids)} tokens, of which the model learns to write {sum(w > 0 for w in weights)};" in html


def test_tables_escape_format_and_name_their_parts():
    frame = pd.DataFrame({"name": [NASTY, None], "rows": [1234567, 2], "score": [0.12345, math.nan]})
    frame["USD"], frame["ok"] = [1234.5, 0.00018], [True, False]
    html = show.table(frame, NASTY, percent=["score"]).data
    assert "<img" not in html and html.count("&lt;img") == 3, "a cell, the caption, and the name of the table's region"
    assert '<th scope="col"' in html
    caption, scrolled = html.split('role="group"')
    assert escape(NASTY) in caption, "a caption inside would be as wide as the table and be cut with it"
    for shown in ("1,234,567", "12.3 %", "1,234.50", "0.00018", ">–<", ">yes<", ">no<"):
        assert shown in html
    assert 'role="group"' in html and 'role="region"' not in html, "two tables of one caption would be two landmarks"
    assert "50 more rows" in show.table(pd.DataFrame({"x": range(250)})).data
    assert 'scope="row"' in show.table(scores_table()).data


def test_row_numbers_that_a_filter_left_are_no_headings_and_a_named_index_is_one():
    rows = pd.DataFrame({"line": [7, 8, 9, 7], "code": list("abca")})
    assert 'scope="row"' not in show.table(rows).data
    assert 'scope="row"' not in show.table(rows[rows["line"] != 9]).data, "places in the table before the filter"
    named = show.table(rows.groupby("line").count()).data
    assert '<th scope="col" style="text-align:left">line</th>' in named and named.count('scope="row"') == 3


def test_headings_of_a_table_are_words_and_a_settings_name_stays():
    frame = pd.DataFrame({"prompt_tokens": [1], "usd_per_hour": [2.0], "FREE_HOST": ["groq"]}, index=["a_b"])
    html = show.table(frame.rename_axis("known_by")).data
    assert re.findall(r'<th scope="col"[^>]*>([^<]*)', html) == [
        "known by",
        "prompt tokens",
        "USD an hour",
        "FREE_HOST",
    ]
    assert ">a_b</th>" in html and "2.00" not in html, "what stands in the table stays as it is"


def test_a_long_web_address_in_a_table_may_break_and_words_may_not():
    rows = pd.DataFrame({"model": ["gpt-4.1"], "source": ["https://example.org/a/long/address"]})
    model, source = show.table(rows).data.split("<tbody>")[1].split("</td>")[:2]
    assert "overflow-wrap:anywhere" in source and "overflow-wrap" not in model
    assert "https://<wbr>example.<wbr>org/<wbr>a/<wbr>long/<wbr>address" in source


def test_a_day_stays_in_one_line_and_a_moment_is_shown_to_the_minute():
    made = pd.to_datetime(["2026-12-01T10:35:39+00:00"])
    html = show.table(pd.DataFrame({"as_of": ["2026-08-05"], "known": ["read at a.b/c-d of 2026-08-21"], "made": made}))
    assert 'white-space:nowrap">2026-08-05<' in html.data and ">read at a.b/c-d of 2026-08-21<" in html.data
    assert ">2026-12-01 10:35 UTC<" in html.data


@pytest.mark.parametrize(
    ("value", "shown"), [(7, "7"), (0.5, "0.5"), (99.96, "100"), (1234.5, "1,234"), (math.inf, "∞"), (-0.25, "-0.25")]
)
def test_numbers(value, shown):
    assert number(value) == shown


def test_checks_never_raise_and_say_what_to_do(capsys):
    show.check(..., lambda a: a == 3, "Three.", "count the rows")
    show.check("no number", lambda a: a + 1 == 4, "Three.", "count the rows")
    show.check(3, lambda a: a == 3, "Three it is.", "count the rows")
    show.check(4, False, "Three it is.", "count the rows")
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "Not answered yet: replace the three dots, then run the cell again.",
        "Not quite. count the rows",
        "Right. Three it is.",
        "Not quite. count the rows",
    ]


def test_a_check_passes_on_what_the_answer_did_not_cause():
    """A lesson that is broken, or was run out of order, must not look like a wrong answer."""

    def unreachable(_):
        raise HostError("The host does not answer.")

    def refused(_):
        raise DataError("This row cannot be read.")

    with pytest.raises(NameError):
        show.check(3, lambda a: a == curve_of_an_earlier_cell, "Yes.", "No.")  # noqa: F821
    with pytest.raises(FileNotFoundError):
        show.check(3, lambda a: Path("/no/such/file").read_text() == a, "Yes.", "No.")
    with pytest.raises(HostError):
        show.check(3, unreachable, "Yes.", "No.")
    show.check(3, refused, "Yes.", "No.")


def test_what_another_notebook_writes_in_between_is_not_lost(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    project, other = Project("two"), Project("two")
    panel = show.checklist(project, "first")
    sums = show.calculator(costs.Workload(months=3), project)
    theirs = costs.Workload(months=5).to_dict()
    begun = {"workload": theirs, calculator.BEGAN: theirs}

    written = {
        "guesses": lambda kept: {**kept, "theirs": {"question": "?", "value": 1, "unit": ""}},
        "checklist": lambda kept: {**kept, "second": {"gap": "nothing"}},
        "calculator": lambda kept: begun | {"others": [{k: v for k, v in kept.items() if k != "others"}]},
    }

    def read_then_overtaken(key: str, default=None):
        value = Project.get(project, key, default)
        if key in written:
            other.change(key, written.pop(key))  # once: it is not there again if it was written over
        return value

    monkeypatch.setattr(project, "get", read_then_overtaken)
    show.guess(project, "mine", "How many?", 2)
    panel.choices["gap"].value = "knowledge"
    sums.numbers["months"].value = 4
    for key in list(written):
        project.get(key)  # what was not read before it was written cannot have been written over
    kept = other.read()
    sums_kept = [kept["calculator"], *kept["calculator"].get("others", ())]
    assert {
        "guesses": set(kept["guesses"]),
        "checklist": kept["checklist"],
        "calculator": {one["workload"]["months"] for one in sums_kept},
    } == {
        "guesses": {"mine", "theirs"},
        "checklist": {"first": {"gap": "knowledge"}, "second": {"gap": "nothing"}},
        "calculator": {4, 5},
    }


def test_guesses_are_kept_and_put_beside_results(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    project = Project("guesses")
    show.guess(project, "tuned", "How often is it right?", 50)
    show.guess(project, "cost", "What does it cost?", 4.5, unit="USD")
    show.guess(project, "open", "And this?", ...)
    show.guess(project, "text", "And this?", "many")
    said = capsys.readouterr().out
    assert "Your guess: 50 %" in said and "Your guess: 4.5 USD" in said
    assert said.count("to be shown with the result") == 2 and "last lesson" not in said, "lesson 7 shows its own"
    assert "in place of the dots" in said and "'many'" in said
    table = show.guesses(project, {"tuned": 78.0})
    assert table.to_dict("records") == [
        {"question": "What does it cost?", "your guess": "4.5 USD", "result": "not measured", "off by": ""},
        {"question": "How often is it right?", "your guess": "50 %", "result": "78 %", "off by": "28 %"},
    ]


def test_a_result_is_shown_beside_its_guess_with_the_rows_it_rests_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    project = Project("guesses")
    show.reveal(project, "right", 10.0, 40)
    assert not capsys.readouterr().out, "nothing was guessed"
    show.guess(project, "right", "Of 100?", 30, unit="of 100")
    show.reveal(project, "right", 10.0, 40)
    assert "Your guess was 30 of 100. The result: 10 of 100, measured on 40 rows." in capsys.readouterr().out
    [line] = show.guesses(project, project.get("reveals")).to_dict("records")
    assert (line["result"], line["off by"]) == ("10 of 100, measured on 40 rows", "20 of 100")


def test_a_verdict_is_escaped_and_complete():
    card = show.verdict(
        Verdict(
            "keep_prompting", NASTY, "low", reasons=(f"Fact {NASTY}. Source: https://example.com/a?b=1&c=2.",),
            blockers=("blocked",), what_would_change_it=("flip",), next_steps=("step",), not_measured=("gap",),
        )
    ).data  # fmt: skip
    assert "<img" not in card
    assert 'href="https://example.com/a?b=1&amp;c=2"' in card
    for part in ("Confidence in this advice: <b>low</b>", "stops before training", "blocked", "flip", "step", "gap"):
        assert part in card


def test_the_records_charts_are_well_formed_svg_with_escaped_names():
    from xml.etree import ElementTree

    compared = statistics.compare([1, 0, 1, 1], [0, 0, 1, 0], a=NASTY, b="b")
    for svg in (
        show.scores_svg(scores_table((NASTY, "tuned"))),
        show.comparisons_svg([*comparisons(), compared]),
        show.comparisons_svg([]),
        show.scores_svg(scores_table()[:0]),
    ):
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg")
        assert not [node for node in root.iter() if node.tag.endswith("img") or node.tag.endswith("script")]
    said = [node.text for node in ElementTree.fromstring(show.scores_svg(scores_table())).iter() if node.text]
    assert said[-9:-1:2] == ["tuned", "16 examples (teaching model)", "TF-IDF", "most frequent answer"]
    assert said[-8::2][:4] == ["80", "60", "40", "20"]
