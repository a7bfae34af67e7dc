"""The decision page's Python: what the page shows, what it takes home, and what strangers' files cannot do to it.

The same code in a browser is tested in tests/browser/test_site.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import page_cases
import pytest

from helpers import costs, decide
from helpers.decide.record.record import LESSON_TITLES, titled
from helpers.decide.rules.ruling import LESSON
from helpers.page import Session, structure
from helpers.page.linking import SECTIONS, segments, slug
from helpers.page.state import IN_RECORD, LARGEST_FILE
from helpers.your_project import _parser

TOP = Path(__file__).resolve().parents[1]
DAY = "2026-11-29"
SHOP = json.loads((TOP / "data/sample/triage/checklist.json").read_text())["answers"]


def do(session: Session, **action) -> dict:
    return json.loads(session.do(json.dumps(action)))


@pytest.fixture
def session() -> Session:
    return Session(DAY, DAY)


def test_an_answer_moves_the_verdict_and_the_address(session):
    before = do(session, do="look")
    for question, value in SHOP.items():
        after = do(session, do="answer", question=question, value=value)
    verdict = decide.decide(SHOP, None, session.today)
    assert before["verdict"]["choice"] == "not_enough" and before["fragment"] == ""
    assert after["verdict"]["headline"] == verdict.headline and after["answers"] == SHOP
    assert after["progress"] == {"done": len(SHOP), "all": len(decide.questions())}
    again = do(Session(DAY, DAY), do="restore", fragment="#" + after["fragment"])
    assert again == after
    open_again = do(session, do="answer", question="gap", value=None)
    assert "gap" not in open_again["answers"]


def test_every_sentence_of_the_verdict_is_shown_whole(session):
    shown = do(session, do="restore", fragment="#v=1&" + "&".join(f"{q}={v}" for q, v in SHOP.items()))["verdict"]
    said = {part["title"]: ["".join(p["text"] for p in item) for item in part["items"]] for part in shown["sections"]}
    verdict = decide.decide(SHOP, None, session.today)
    parts = {
        "Why": verdict.reasons, "What to do now": verdict.next_steps, "Not measured": verdict.not_measured,
        "What would change it": verdict.what_would_change_it,
    }  # fmt: skip
    for title, sentences in parts.items():
        assert said[title] == [titled(sentence) for sentence in sentences]  # lessons by their titles


def test_the_bill_counts_once_a_number_was_changed(session):
    untouched = do(session, do="look")
    changed = do(session, do="number", name="calls_per_month", value=3_000_000)
    pair = changed["calculator"]["pair"]
    workload = costs.Workload(calls_per_month=3_000_000)
    finding = costs.break_even(workload, *pair, session.today)
    assert not untouched["calculator"]["counts"] and changed["calculator"]["counts"]
    assert changed["calculator"]["said"].endswith(finding.sentence)
    assert changed["calculator"]["break_even"] == finding.calls
    record = json.loads(do(session, do="take", kind="json")["file"]["text"])
    assert record["evidence"]["cost"]["sentence"] == finding.sentence
    assert (
        record["evidence"]["cost"]["probability"] == costs.unsure(workload, tuple(pair), session.today)[0].probability
    )
    without = do(session, do="count", on=False)
    assert not without["calculator"]["counts"]
    assert json.loads(do(session, do="take", kind="json")["file"]["text"])["evidence"] is None


def test_options_and_pair_are_the_readers_choice(session):
    every = [one["id"] for one in do(session, do="look")["calculator"]["options"]]
    ticked = do(session, do="option", id=every[-1], on=True)
    assert next(one for one in ticked["calculator"]["options"] if one["id"] == every[-1])["on"]
    paired = do(session, do="pair", which=0, id=every[3])
    assert paired["calculator"]["pair"][0] == every[3]
    assert do(Session(DAY, DAY), do="restore", fragment=paired["fragment"]) == paired


def test_a_record_comes_back_whole(session, tmp_path):
    """What was answered and moved goes into the record and comes back from it, measured evidence among it."""
    day, text = page_cases.records(12)[5]
    session = Session(day, day)
    opened = do(session, do="open", name="record.json", text=text)
    do(session, do="name", text="Shall we tune?")
    view = do(session, do="number", name="months", value=24)
    assert opened["opened"]["rows"] and opened["opened"]["name"] == "record.json"
    kept = do(session, do="take", kind="json")["file"]
    again = Session(day, day)
    back = do(again, do="open", name=kept["name"], text=kept["text"])
    for part in ("answers", "name", "verdict", "calculator", "fragment"):
        assert back[part] == view[part]
    (tmp_path / "record.json").write_text(kept["text"], encoding="utf-8")
    record = decide.load_record(tmp_path / "record.json")
    assert record.question == "Shall we tune?" and record.versions[IN_RECORD] == "#" + view["fragment"]
    assert do(session, do="take", kind="html")["file"]["text"] == record.html()
    assert do(session, do="take", kind="md")["file"]["text"] == record.markdown()


def test_your_project_goes_on_with_what_was_begun_here(session, tmp_path):
    do(session, do="restore", fragment="#v=1&gap=behaviour&effort=days")
    path = tmp_path / "record.json"
    path.write_text(do(session, do="take", kind="json")["file"]["text"], encoding="utf-8")
    assert decide.given(path) == {"gap": "behaviour", "effort": "days"} == decide.given(str(path))
    assert decide.given({"gap": "behaviour"}) == {"gap": "behaviour"}
    assert decide.given(TOP / "data/sample/triage/checklist.json") == SHOP
    assert _parser().parse_args(["rows.csv", "--answers", str(path)]).answers == {"gap": "behaviour", "effort": "days"}
    with pytest.raises(SystemExit):
        _parser().parse_args(["rows.csv", "--answers", str(tmp_path / "nothing.json")])


HUGE = "x" * (LARGEST_FILE + 1)
GOOD = json.loads(page_cases.records(1)[0][1])


def changed(**parts) -> str:
    return json.dumps(GOOD | parts)


HOSTILE_FILES = {
    "no JSON": "<script>alert(1)</script>",
    "huge": HUGE,
    "deep": "[" * 100_000,
    "deep in a record": changed(x=json.loads("[" * 300 + "]" * 300)),
    "a string without end": '{"kind": "' + '\\\\"' * 200_000,
    "another kind": '{"kind": "shopping list"}',
    "a list": "[1, 2]",
    "wrong version": changed(version=99),
    "version of another type": changed(version="2"),
    "NaN": changed(x=float("nan")),
    "infinity written out": '{"kind": "prompt-or-fine-tune record", "x": 1e999}',
    "an answer that is none": changed(answers={"gap": "<img src=x onerror=alert(1)>"}),
    "answers that are a list": changed(answers=["gap"]),
    "evidence of strangers": changed(evidence={"exploit": 1}),
    "a score above one": changed(evidence={**GOOD["evidence"], "measurements": [
        {**GOOD["evidence"]["measurements"][0], "score": 7.0}]}),
    "rows that are text": changed(evidence={**GOOD["evidence"], "measurements": [
        {**GOOD["evidence"]["measurements"][0], "n": "many"}]}),
    "a name that is a mapping": changed(evidence={**GOOD["evidence"], "measurements": [
        {**GOOD["evidence"]["measurements"][0], "metric": {"a": 1}}]}),
    "measurements without end": changed(evidence={**GOOD["evidence"], "comparisons": [], "measurements": [
        {**GOOD["evidence"]["measurements"][0], "candidate": str(n)} for n in range(1001)]}),
    "no such day": changed(decided_on="2026-13-45"),
    "a fragment of strangers in it": changed(versions={IN_RECORD: "#v=1&n.months=-1"}),
}  # fmt: skip

HOSTILE_FRAGMENTS = {
    "script": "#v=1&gap=<script>alert(1)</script>",
    "unknown question": "#v=1&__proto__=x",
    "unknown number": "#v=1&n.__class__=1",
    "no number": "#v=1&n.months=twelve",
    "NaN": "#v=1&n.months=nan",
    "infinity": "#v=1&n.calls_per_month=inf",
    "beyond bounds": "#v=1&n.calls_per_month=1e300",
    "wrong version": "#v=2&gap=behaviour",
    "no version": "#gap=behaviour",
    "huge": "#v=1&name=" + "x" * 30_000,
    "many parts": "#v=1&" + "&".join(f"a{n}=1" for n in range(500)),
    "an option that is none": "#v=1&options=prompt:nowhere/nothing",
    "a path as option": "#v=1&options=../../etc/passwd",
    "half a pair": "#v=1&pair=own:local/this-machine",
    "many options": "#v=1&options=" + ",".join(["own:local/this-machine"] * 100),
}


@pytest.mark.parametrize("what", HOSTILE_FILES)
def test_a_hostile_file_is_one_message_and_changes_nothing(session, what):
    do(session, do="answer", question="gap", value="behaviour")
    before = session.state
    answer = do(session, do="open", name="<b>evil</b>.json", text=HOSTILE_FILES[what])
    assert list(answer) == ["error"] and 20 < len(answer["error"]) < 900
    assert session.state is before and do(session, do="look")["answers"] == {"gap": "behaviour"}


@pytest.mark.parametrize("what", HOSTILE_FRAGMENTS)
def test_a_hostile_address_is_one_message_and_changes_nothing(session, what):
    before = session.state
    answer = do(session, do="restore", fragment=HOSTILE_FRAGMENTS[what])
    assert list(answer) == ["error"] and 20 < len(answer["error"]) < 900
    assert session.state is before


@pytest.mark.parametrize(
    "action",
    [
        {"do": "fly"},
        {"do": "answer", "question": "gap"},
        {"do": "number", "name": "months", "value": None},
        {"do": "number", "name": "months", "value": True},
        {"do": "pair", "which": 9, "id": "own:local/this-machine"},
        {"do": "take", "kind": "exe"},
    ],
)
def test_an_action_that_makes_no_sense_is_a_message(session, action):
    assert list(json.loads(session.do(json.dumps(action)))) == ["error"]


def test_a_readers_words_are_text_in_every_file(session):
    nasty = "<script>alert(1)</script> | **x**\n\x00"
    view = do(session, do="name", text=nasty)
    assert view["name"] == "<script>alert(1)</script> | **x**"
    page = do(session, do="take", kind="html")["file"]["text"]
    assert "<script" not in page and "&lt;script&gt;" in page


def test_a_chart_that_could_run_is_left_out_of_an_opened_record(session):
    charts = [
        {"title": "runs", "text": "t", "html": "<script>alert(1)</script>"},
        {"title": "a picture", "text": "t", "svg": "<svg xmlns='http://www.w3.org/2000/svg'/>"},
    ]
    do(session, do="open", name="r.json", text=changed(charts=charts))
    page = do(session, do="take", kind="html")["file"]["text"]
    assert "a picture" in page and "runs" not in page and "<iframe" not in page


def test_stale_facts_are_said_at_the_top():
    fresh, old = (do(Session(day, DAY), do="look") for day in (DAY, "2027-06-01"))
    assert fresh["age"] == "" and "days before 2027-06-01" in old["age"]
    assert f"Page built on {DAY}" in old["built"]


def test_steps_lead_to_the_cell_that_takes_them():
    for key, place in LESSON.items():
        path = TOP / "notebooks" / f"{place.removeprefix('lesson ')}.ipynb"
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        headings = [re.sub("^#+ ", "", line).strip() for cell in cells for line in "".join(cell["source"]).splitlines()
                    if cell["cell_type"] == "markdown" and line.startswith("#")]  # fmt: skip
        assert SECTIONS[key] in headings
        [link] = [part for part in segments(f"Do it in {place}.") if "href" in part]
        assert (
            link["href"].endswith(f".html#{slug(SECTIONS[key])}")
            and link["text"] == LESSON_TITLES[place.removeprefix("lesson ")]
        )


def test_the_page_asks_every_question_and_every_number():
    made = structure()
    assert [q["id"] for group in made["groups"] for q in group["questions"]] == list(decide.questions())
    names = {one["name"] for one in (*made["dials"], *made["fields"])}
    assert names == set(costs.Workload().to_dict()) - {"format"}
    json.dumps(made, allow_nan=False)


def test_a_thousand_days_of_decisions_are_shown_without_a_hitch():
    for day, fragment in page_cases.fragments(12):
        view = json.loads(Session(day, DAY).do(json.dumps({"do": "restore", "fragment": fragment})))
        assert "error" not in view, view
        json.dumps(view, allow_nan=False)


def test_javascript_holds_no_rule_price_or_sentence_of_a_decision():
    """No choice, option, question or word of a verdict stands in the page's script: it only moves what Python says."""
    script = (TOP / "website/decide/decide.js").read_text(encoding="utf-8")
    words = [*decide.CHOICES, *decide.CHOICES.values(), *decide.questions()]
    words += [option.says for question in decide.questions().values() for option in question.options]
    words += ["$", *costs.PARTS]
    code = re.sub(r"//.*", "", script).replace("${", "").replace("$(", "").replace("const $ =", "")
    assert [
        word for word in words if re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", code) and len(word) > 5
    ] == []
    assert "$" not in code
