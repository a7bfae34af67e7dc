"""The panels without a browser: what they save, what they say, and that no callback is slow or raises."""

from __future__ import annotations

import cProfile
import json
import pstats
from datetime import date

import ipywidgets as widgets
import numpy as np
import pandas as pd
import pytest

from helpers import costs, data, decide, facts, show
from helpers.errors import DataError, EvaluationError
from helpers.project import Project
from helpers.show.panels.checklist import KEY as CHECKLIST
from helpers.show.panels.parts import keyboard
from helpers.show.panels.rating import Rating

TODAY = date(2026, 11, 23)
SAMPLE = {"gap": "behaviour", "good_output": "clear", "effort": "days", "evaluation": "fixed_set"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    return Project("panels")


# --- checklist -------------------------------------------------------------------------------------------------------


def test_the_checklist_is_generated_from_the_table(project):
    panel = show.checklist(project, today=TODAY)
    assert list(panel.choices) == list(decide.questions())
    for question in decide.questions().values():
        choice = panel.choices[question.id]
        assert choice.description == question.text
        assert [value for _, value in choice.options] == [*question.values, ""]
        assert choice.label == "Not answered yet", "an open question says so"
        for option, (shown, _) in zip(question.options, choice.options, strict=False):
            assert shown.splitlines() == [part for part in (option.label, option.help) if part]
        assert question.source in panel.whys[question.id].value
    assert panel.answers == {}
    assert f"0 of {len(decide.questions())} questions" in panel.progress.value
    assert panel.verdict.choice == "not_enough"


def test_each_answer_is_saved_and_moves_the_verdict(project):
    panel = show.checklist(project, answers=SAMPLE, today=TODAY)
    assert project.get(CHECKLIST) == {"first": SAMPLE}, "answers to begin with are saved at once"
    before = panel.headline.value, panel.reasons.value
    panel.choices["gap"].value = "knowledge"
    assert project.get(CHECKLIST)["first"]["gap"] == "knowledge"
    assert panel.verdict.choice == "use_retrieval"
    assert panel.headline.value != before[0] and panel.reasons.value != before[1]
    assert panel.verdict.headline in panel.headline.value
    panel.choices["gap"].value = ""
    assert "gap" not in project.get(CHECKLIST)["first"]


def test_the_verdict_beside_the_questions_says_what_it_rests_on(project):
    """By the answers alone it advised with high confidence what the measured verdict below it did not."""
    bare = show.checklist(project, answers=SAMPLE, today=TODAY)
    assert "By your answers alone, before anything is measured" in bare.headline.value
    assert "By your answers alone" in bare.picture()
    measured = decide.suppose(None, 0.7)
    panel = show.checklist(project, evidence=measured, today=TODAY)
    assert "By your answers and what was measured" in panel.headline.value
    assert "answers alone" not in panel.headline.value + panel.picture()
    assert panel.verdict == decide.decide(SAMPLE, measured, TODAY)


def test_the_panel_says_what_becomes_of_an_answer_that_is_given_while_cells_run(project):
    said = show.checklist(project, today=TODAY).progress.value
    assert "while cells are running" in said and "then run the verdict cells again" in said


def test_one_group_is_shown_at_a_time_the_first_with_an_open_question(project):
    panel = show.checklist(project, answers=SAMPLE | {"flexibility": "stable", "consistency": "low"}, today=TODAY)

    def shown() -> list[str]:
        return [name for name, box in panel.groups.items() if box.layout.display != "none"]

    assert shown() == ["task"] and panel.tabs["task"].description == "The task: 1 open"
    panel.choices["worth"].value = "2"
    assert shown() == ["task"], "nothing jumps away under the reader"
    assert panel.tabs["task"].description == "The task ✓"
    panel.groups["task"].children[-1].click()
    assert shown() == ["prompting"]
    panel.tabs["running"].click()
    assert shown() == ["running"] and panel.tabs["running"].button_style == "primary"
    assert show.checklist(project, today=TODAY).groups["prompting"].layout.display != "none"


def test_a_reader_s_own_answers_are_not_overwritten(project):
    show.checklist(project, answers=SAMPLE, today=TODAY).choices["gap"].value = "nothing"
    again = show.checklist(project, answers=SAMPLE, today=TODAY)
    assert again.answers["gap"] == "nothing"


def test_named_decisions_stand_side_by_side(project):
    panel = show.checklist(project, answers=SAMPLE, today=TODAY)
    panel.copy_name.value = "<b>policies</b>"
    panel.copy.click()
    panel.choices["gap"].value = "knowledge"
    assert project.get(CHECKLIST)["first"]["gap"] == "behaviour"
    assert panel.answers["gap"] == "knowledge"
    both = panel.side_by_side.value
    assert "&lt;b&gt;policies" in both and "<b>policies" not in both
    assert decide.CHOICES["use_retrieval"] in both and decide.questions()["gap"].text in both
    assert decide.questions()["effort"].text not in both, "questions with the same answer are left out"
    panel.decision.value = "first"
    assert panel.answers["gap"] == "behaviour"


def test_answers_that_the_checklist_no_longer_knows_are_passed_over(project):
    project.set(CHECKLIST, {"first": {"gap": "no such option", "no such question": "x", "effort": "days"}})
    assert show.checklist(project, today=TODAY).answers == {"effort": "days"}


def test_why_stays_as_it_is_when_the_answer_changes(project):
    panel = show.checklist(project, today=TODAY)
    before = panel.whys["gap"].value
    panel.choices["gap"].value = "behaviour"
    assert panel.whys["gap"].value == before, "a new value would close it under the reader"
    assert "This speaks for tuning." in panel.notes["gap"].value


class Place:
    """Stands for a piece of a notebook's output that can be replaced."""

    def update(self, shown) -> None:
        self.shown = shown.data


def test_each_panel_leaves_a_picture_of_its_state_and_keeps_it_up_to_date(project, monkeypatch):
    place, views = Place(), []
    monkeypatch.setattr(show.panels.parts, "display", lambda view, **how: views.append(view) or place)

    def pictured(panel) -> str:
        views.clear()
        panel._ipython_display_()
        picture, view = views
        assert "application/vnd.jupyter.widget-view+json" in view and "<script" not in picture.data
        return picture.data

    checklist = show.checklist(project, today=TODAY)
    assert f"{len(decide.questions())} questions, 3 minutes. Run this cell" in pictured(checklist)
    checklist.choices["gap"].value = "behaviour"
    assert "Behaviour: form, tone, labels, judgement" in place.shown
    calculator = show.calculator(on=TODAY)
    assert "run this cell" in pictured(calculator)
    calculator.numbers["calls_per_month"].value = 123_456
    assert "123,456" in place.shown
    rater = show.rater([(f"question {i}", {"a": "one", "b": "two"}) for i in range(3)], None)
    assert "3 pairs of answers to compare, 0 done." in pictured(rater) and "question 0" in views[0].data
    rater.press("1")
    assert "1 done" in place.shown and "question 1" in place.shown


# --- calculator ------------------------------------------------------------------------------------------------------


def test_every_number_of_a_workload_has_a_field_and_every_slider_follows_it():
    panel = show.calculator(on=TODAY)
    assert set(panel.numbers) == set(costs.Workload().to_dict()) - {"format"}
    assert panel.workload == costs.Workload(), "the sliders' steps do not round what was given"
    panel.numbers["tokens_in"].value = 1234.0
    assert panel.workload.tokens_in == 1234


def test_the_calculator_says_what_the_costs_room_says():
    panel = show.calculator(costs.Workload(calls_per_month=3e6, months=24), on=TODAY)
    finding = costs.break_even(panel.workload, *panel.pair, TODAY)
    assert finding.sentence.replace("“", "") in panel.sentence.value.replace("“", "").replace("&#x27;", "'")
    style, chart = panel.chart.outputs
    assert "text/plain" in chart["data"] and "data-jp-theme-light" in style["data"]["text/html"]
    table = costs.compare(panel.workload, panel.chosen, TODAY)
    for total in table["total"].dropna():
        assert costs.dollars(total) in panel.table.value


def test_each_number_and_each_option_changes_what_is_shown():
    panel = show.calculator(on=TODAY)
    for name in costs.options(TODAY):
        panel.boxes[name.id].value = True
    panel.numbers["calls_per_month"].value = 1e6
    panel.numbers["machine_usd_per_month"].value = 5
    panel.numbers["validation_tokens"].value = 1e6
    panel.numbers["reasoning_tokens"].value = 100
    panel.numbers["cacheable"].value = 100
    for name, number in panel.numbers.items():
        shown, bills = (panel.table.value, panel.sentence.value), costs.compare(panel.workload, panel.chosen, TODAY)
        number.value = number.value / 2 if number.value else 0.5
        moved = not bills.equals(costs.compare(panel.workload, panel.chosen, TODAY))
        assert ((panel.table.value, panel.sentence.value) != shown) == moved, name
        assert moved or name == "evaluations_a_job", "only where a provider bills each look at the validation file"
        assert "is inconsistent" not in panel.sentence.value, name


def test_a_number_that_makes_no_sense_is_told_and_the_rest_stays(project):
    panel = show.calculator(project=project, on=TODAY)
    kept, table = project.get("calculator"), panel.table.value
    panel.numbers["cacheable"].value = 1e6
    assert "cacheable" in panel.sentence.value and "Change those numbers" in panel.sentence.value
    assert project.get("calculator") == kept and panel.table.value == table


def test_closing_options_are_marked_with_their_dates():
    panel = show.calculator(on=TODAY)
    closing = [o.id for o in costs.options(TODAY) if o.kind == "tuned" and o.provider == "openai"]
    for name in closing:
        panel.boxes[name].value = True
        assert "existing customers only" in panel.boxes[name].description
    shown = panel.table.value
    assert "⚠ existing customers only" in shown
    assert all(str(event) in shown for event in _next_dates("openai"))


def _next_dates(provider: str) -> list[str]:
    model = next(o.model for o in costs.options(TODAY) if o.kind == "tuned" and o.provider == provider)
    sentence = facts.standing(model, provider, TODAY).sentence
    found = [word.strip(";,.") for word in sentence.split() if word[:2] == "20" and word.count("-") == 2]
    assert found
    return found


def test_the_calculators_state_survives_a_restart_and_a_file(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panel = show.calculator(project=project, on=TODAY)
    panel.numbers["calls_per_month"].value = 123_456
    panel.boxes[panel.chosen[0]].value = False
    panel.file.value = "mine.json"
    panel.save.click()
    assert "saved to" in panel.said.value
    again = show.calculator(project=project, on=TODAY)
    assert again.state() == panel.state()
    fresh = show.calculator(on=TODAY)
    fresh.file.value = "mine.json"
    fresh.load.click()
    assert fresh.state() == panel.state()


@pytest.mark.parametrize(("answer", "calls"), [("low", 5_000), ("middle", 20_000), ("high", 2_000_000)])
def test_the_calculator_begins_with_the_calls_that_the_checklist_was_told(answer, calls, project):
    show.checklist(project, given={"volume": answer}, today=TODAY)
    assert show.calculator(project=project, on=TODAY).workload.calls_per_month == calls


def test_running_the_cell_again_goes_on_with_what_the_reader_has_changed(project):
    given = costs.Workload(calls_per_month=1_000)
    show.calculator(given, project, on=TODAY).numbers["tokens_in"].value = 1_777
    assert show.calculator(given, project, on=TODAY).workload.tokens_in == 1_777
    other = costs.Workload(calls_per_month=2_000)
    assert show.calculator(other, project, on=TODAY).workload == other, "other numbers to begin with"


def test_each_lessons_own_numbers_keep_their_changes_whichever_lesson_came_last(project):
    first, second = costs.Workload(calls_per_month=1_000), costs.Workload(calls_per_month=2_000)
    show.calculator(first, project, on=TODAY).numbers["tokens_in"].value = 1_777
    assert show.calculator(project=project, on=TODAY).workload.tokens_in == 1_777, (
        "one without numbers of its own goes on"
    )
    assert show.calculator(first, project, on=TODAY).workload.tokens_in == 1_777
    show.calculator(second, project, on=TODAY).numbers["tokens_in"].value = 1_888
    assert show.calculator(first, project, on=TODAY).workload.tokens_in == 1_777
    show.calculator(project=project, on=TODAY).numbers["months"].value = 7
    again = show.calculator(first, project, on=TODAY).workload
    assert (again.tokens_in, again.months) == (1_777, 7), "what was changed since belongs to the numbers shown last"
    assert show.calculator(second, project, on=TODAY).workload.tokens_in == 1_888


def test_numbers_to_begin_with_are_not_remembered_for_ever(project):
    for calls in range(1, 2 * show.panels.calculator.MOST):
        show.calculator(costs.Workload(calls_per_month=calls), project, on=TODAY)
    assert len(project.get("calculator")[show.panels.calculator.OTHERS]) == show.panels.calculator.MOST


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": "x"}', '{"format": "calculator 1", "workload": {"format": 1}}']
)
def test_a_file_that_is_no_calculator_is_told_not_raised(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "calculator.json").write_text(content)
    panel = show.calculator(on=TODAY)
    before = panel.state()
    panel.load.click()
    assert "role='status'" in panel.said.value
    assert panel.state() == before


def test_the_readers_workload_comes_before_what_was_kept(project):
    show.calculator(project=project, on=TODAY).numbers["calls_per_month"].value = 5
    assert show.calculator(costs.Workload(), project, on=TODAY).workload == costs.Workload()


def test_callbacks_are_little_enough_work_to_feel_immediate(project):
    """Calls of functions, which no busy machine changes: 87,000 take 50 ms. ``widget_latency.py`` has milliseconds."""
    panel, answers = show.calculator(project=project, on=TODAY), show.checklist(project, answers=SAMPLE, today=TODAY)
    calls, gap = panel.numbers["calls_per_month"], answers.choices["gap"]
    for moved, value in ((calls, 10.0), (calls, 1e5), (gap, "knowledge"), (gap, "behaviour")):
        with cProfile.Profile() as profile:
            moved.value = value
        assert 1_000 < pstats.Stats(profile).total_calls < 130_000


# --- rater -----------------------------------------------------------------------------------------------------------

PAIRS = [(f"question {i}", {"tuned": f"tuned {i}", "prompted": f"prompted {i}"}) for i in range(30)]


def test_ratings_are_blind_saved_at_once_and_resumed(tmp_path):
    session = Rating(PAIRS, tmp_path / "r.json")
    sides = [session.sides(i) for i in range(30)]
    assert {"tuned", "prompted"} == set(sides[0]) and len(set(sides)) == 2, "sides are shuffled"
    session.choose("first")
    session.choose("tie")
    again = Rating(PAIRS, tmp_path / "r.json")
    assert again.at == 2 and [again.sides(i) for i in range(30)] == sides
    again.undo()
    assert json.loads((tmp_path / "r.json").read_text())["choices"] == ["first"]


def test_the_result_counts_names_not_sides(tmp_path):
    session = Rating(PAIRS, tmp_path / "r.json")
    for i in range(30):
        wanted = "prompted" if i < 4 else "tuned"
        session.choose("skip" if i == 29 else "tie" if i == 28 else ("first", "second")[session.sides(i).index(wanted)])
    result = session.result()
    assert result.wins == {"tuned": 24, "prompted": 4} and (result.ties, result.skipped) == (1, 1)
    assert result.p_value == pytest.approx(0.000180, abs=5e-7)  # binomial tail: 2 × P(X ≤ 4 of 28)
    assert result.sentence.endswith("“tuned” is preferred.")
    session.choose("first")
    assert session.done, "a choice too many changes nothing"


def test_verdicts_are_by_name_whatever_the_side():
    session = Rating(PAIRS, None)
    for i in range(20):
        session.choose(("first", "second")[session.sides(i).index("tuned" if i % 2 else "prompted")])
    session.choose("tie")
    session.choose("skip")
    of_tuned = session.verdicts("tuned")
    assert of_tuned[:21].tolist() == [-1, 1] * 10 + [0] and np.isnan(of_tuned[21:]).all() and len(of_tuned) == 30
    assert (of_tuned[:20] == -session.verdicts("prompted")[:20]).all()
    with pytest.raises(EvaluationError, match="was not rated"):
        session.verdicts("somebody else")


def test_few_ratings_cannot_tell(tmp_path):
    session = Rating(PAIRS[:2], tmp_path / "r.json")
    assert session.result().p_value == 1 and session.result().sentence == "Nothing has been rated yet."
    session.choose("first")
    assert "cannot tell" in session.result().sentence


@pytest.mark.parametrize("pairs", [[], [("q", {"a": "x"})], [("q", {"a": "x", "b": "y"}), ("q", {"a": "x", "c": "y"})]])
def test_pairs_that_do_not_fit_are_refused(pairs, tmp_path):
    with pytest.raises(EvaluationError, match="same two rivals"):
        Rating(pairs, tmp_path / "r.json")


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format": "ratings 1", "choices": ["rm"]}', '{"format": "ratings 1", "choices": []}']
)
def test_ratings_of_something_else_are_refused(content, tmp_path):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(EvaluationError, match="Choose another file name|holds"):
        Rating(PAIRS, tmp_path / "r.json")
    assert (tmp_path / "r.json").read_text() == content


def test_the_rater_hides_names_until_the_end_and_escapes_answers(tmp_path):
    panel = show.rater([("<i>q</i>", {"zeta": "<script>1</script>", "theta": "b"})] * 3, tmp_path / "r.json")
    field = panel.children[2].children[1]
    for key in "1 ":
        assert not [hidden for hidden in ("zeta", "<script>", "<i>") if hidden in panel.shown.value]
        field.value = key
        assert field.value == "", "ready for the next key"
    assert panel.rating.choices == ["first", "skip"]
    field.value = "u"
    assert panel.rating.choices == ["first"]
    field.value = "02"  # typed faster than the answer came
    assert panel.rating.choices == ["first", "tie", "second"]
    assert "zeta" in panel.shown.value and "Sign test" in panel.shown.value


@pytest.mark.parametrize("store", ["r.json", None])
def test_a_rater_moved_by_code_is_the_rater_moved_by_keys(tmp_path, monkeypatch, store):
    monkeypatch.chdir(tmp_path)
    panel = show.rater([("q", {"zeta": "a", "theta": "b"})] * 3, store)
    panel.press("1u")
    assert panel.rating.choices == [] and "Pair 1 of 3" in panel.shown.value
    panel.press("2 0")
    assert panel.rating.choices == ["second", "skip", "tie"] and "Sign test" in panel.shown.value
    assert [path.name for path in tmp_path.iterdir()] == [store] * (store is not None)


def test_each_key_has_a_button_that_does_the_same():
    pressed = []
    row = keyboard({"1": ("one", lambda: pressed.append("1")), " ": ("pass", lambda: pressed.append(" "))})
    buttons = [w for w in row.children[0].children if isinstance(w, widgets.Button)]
    assert [button.description for button in buttons] == ["1: one", "space: pass"]
    for button in buttons:
        button.click()
    assert pressed == ["1", " "]


# --- review ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def contradictions(tmp_path):
    """A file in which some prompts have two answers, and the queue that the data room makes of it."""
    answers = [("Where is it?", "a"), ("where  is it?", "b"), ("Refund <b>me</b>?", "c"), ("refund <b>me</b>?", "d")]
    answers += [("Return?", "e"), ("return?", "f"), ("Broken?", "g"), ("broken?", "h")]
    answers += [(f"question number {i} about thing {i * 7}", f"answer {i}") for i in range(12)]
    chats = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in answers]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    queue = data.queue(path, data.check(path, provider="local"))
    assert len(queue[queue["code"] == "contradiction"]) == 4
    return path, queue[queue["code"] == "contradiction"].reset_index(drop=True)


def test_a_review_by_keys_ends_in_a_file_with_the_decisions_carried_out(contradictions, tmp_path):
    path, queue = contradictions
    panel = show.review(queue, tmp_path / "review.json")
    field = panel.children[2].children[1]
    field.value = "1"
    assert "Refund &lt;b&gt;me" in panel.shown.value and "<b>me" not in panel.shown.value
    field.value = "2"
    panel.answer.value = "the right one"
    field.value = "e"
    field.value = "d"
    assert "4 of 4 decided" in panel.shown.value
    done = data.resolve(path, panel.decisions, to=tmp_path / "done.jsonl")
    assert [row.answer for row in data.read(done)][:3] == ["a", "d", "the right one"]
    assert len(data.read(done)) == 12 + 3
    again = data.check(done, provider="local").problems
    assert not (again["code"] == "contradiction").any()


def test_a_review_is_kept_at_each_step_and_what_was_put_off_comes_again(contradictions, tmp_path):
    _, queue = contradictions
    panel = show.review(queue, tmp_path / "review.json")
    for key in "1 bu":
        panel.children[2].children[1].value = key
    assert [step[1] for step in panel.review.steps] == ["first", "later"]
    again = show.review(queue, tmp_path / "review.json")
    assert again.review.at == 1, "the one put off is asked again"
    assert list(again.decisions["decision"]) == ["drop_other"]
    with pytest.raises(DataError, match="another queue"):
        show.review(queue.iloc[1:], tmp_path / "review.json")
    (tmp_path / "review.json").write_text("[1]")
    with pytest.raises(DataError, match="holds no decisions"):
        show.review(queue, tmp_path / "review.json")


def test_a_review_of_nothing_is_done():
    empty = pd.DataFrame(
        columns=["line", "code", "message", "question", "answer", "other", "other_question", "other_answer"]
    )
    panel = show.review(empty, "never_written.json")
    assert "Nothing to review" in panel.shown.value and "Nothing to review" in panel.picture()
    assert list(panel.children) == [panel.shown], "no keys and no field where there is nothing to decide"
