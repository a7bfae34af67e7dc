"""It trained, but nothing changed: planted faults are named, healthy jobs are not accused."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import planted_faults
import planted_trainer
import pytest
from running_api import Api

from helpers import assets, jobs, providers, show
from helpers.errors import ConsentError, JobError
from helpers.jobs import retry
from helpers.jobs.diagnosis import diagnosing as diagnosis
from helpers.jobs.diagnosis.comparing import begins, closeness, field_marks, same
from helpers.jobs.diagnosis.findings import findings
from helpers.jobs.diagnosis.symptoms import (
    Answer,
    Curve,
    Recital,
    Symptoms,
    belonging,
    contradicted,
    curve_of,
    frame,
    spread,
)
from helpers.local_api.engine.text.template import ChatTemplate
from helpers.records import Example

# The figures ----------------------------------------------------------------------------------------------------------


def row(question: str, answer: str, system: str = "") -> Example:
    told = [{"role": "system", "content": system}] if system else []
    return Example((*told, {"role": "user", "content": question}, {"role": "assistant", "content": answer}))


def said(text: str, finish: str = "stop", model: str = "ft:mine") -> Answer:
    return Answer(text, finish, model)


LABELS = ("positive", "negative")
WORDS = ("kettle", "lamp", "router", "rug", "printer", "shoes", "shelf", "pen", "radio", "sofa")
ROWS = tuple(row(f"{WORDS[n % 10]} {n}", LABELS[n % 2]) for n in range(30))


@pytest.mark.parametrize(
    "answers, share",
    [
        ([one.answer for one in ROWS], 1.0),
        (["positive"] * 30, 0.5),
        ([LABELS[(n + 1) % 2] for n in range(30)], 0.0),
        (["I am a language model"] * 30, 0.5),
    ],
)
def test_answers_belong_to_their_questions_or_no_better_than_chance(answers, share):
    pairs = [(one, said(text)) for one, text in zip(ROWS, answers, strict=True)]
    assert belonging(pairs) == pytest.approx(share, abs=0.01)


FIELDS = '{"category": "refund", "urgency": "normal", "order_id": "BM-28841"}'


@pytest.mark.parametrize(
    "said, ideal, right",
    [
        (FIELDS.replace("refund", "payment"), FIELDS, False),  # nine letters of ten, and another department
        (FIELDS.replace(" ", ""), FIELDS, True),
        ('{"order_id": "BM-28841", "category": "refund", "urgency": "normal"}', FIELDS, True),
        (FIELDS[:-1] + ', "more": 1}', FIELDS, False),
        (f"{FIELDS}\n{FIELDS}", FIELDS, False),
        ('{"n": 1}', '{"n": true}', False),
        ('{"at": {"street": "Long Lane", "no": 4}}', '{"at": {"street": "Long Lane", "no": 5}}', False),
        ('{"note": "We sent you the lamp on Monday"}', '{"note": "We sent you the lamp on Monday."}', True),
        ("{}", "{}", True),
        ("", "{}", False),
        ("category_11", "category_10", False),
        (" category_10\n", "category_10", True),
        ("The lamp is on its way to you, madam.", "The lamp is on its way to you, madame!", True),
        ("The rug is on its way to them, sir.", "The lamp is on its way to you, madame!", False),
    ],
)  # fmt: skip
def test_an_answer_is_compared_by_fields_as_a_label_or_by_its_words(said, ideal, right):
    assert same(said, ideal) == right


def test_fields_are_named_by_their_path_and_what_one_side_lacks_is_wrong():
    marks = field_marks('{"at": {"no": 4, "floor": 1}, "x": []}', '{"at": {"no": 4, "street": "Long Lane"}, "x": []}')
    assert marks == {"at.no": True, "at.street": False, "x": True, "at.floor": False}
    assert field_marks("refund", FIELDS) == {"category": False, "urgency": False, "order_id": False}
    assert field_marks(FIELDS, "refund") == {}


def test_how_near_an_answer_comes_is_counted_in_fields():
    assert closeness(FIELDS.replace("refund", "payment"), FIELDS) == pytest.approx(2 / 3)
    assert 0.5 < closeness(FIELDS[:-3], FIELDS) < 1, "cut off: no object, so by its letters"
    assert begins(f"{FIELDS.replace(' ', '')} {FIELDS}", FIELDS) and not begins(FIELDS.replace("BM", "CM"), FIELDS)
    assert begins("positive\npositive", "positive") and not begins("negative", "positive")


def test_belonging_needs_two_different_answers():
    assert belonging([(ROWS[0], said("positive")), (ROWS[2], said("positive"))]) is None


def test_the_frame_of_questions_is_what_all_of_them_share():
    framed = [row(f"Review: {text}\nSentiment:", "positive") for text in ("nice", "not nice", "broken")]
    assert frame(framed) == ("Review: ", "\nSentiment:")
    assert frame([row("nice", "x"), row("broken", "y")]) == ("", "")


def test_a_question_with_two_answers_is_found_whatever_its_blanks_and_capitals():
    rows = [row("Nice kettle", "positive"), row(" nice  KETTLE ", "negative"), row("Broken", "negative")]
    assert contradicted(rows) == pytest.approx(2 / 3)
    assert contradicted([row("a", "x", "one"), row("a", "y", "another system prompt")]) == 0


def test_a_curve_is_read_at_its_ends_and_a_loss_that_is_no_number_breaks_it():
    steps = pd.DataFrame({"step": range(1, 41), "train_loss": [4.0] * 20 + [1.0] * 20})
    steps["train_mean_token_accuracy"] = [0.1] * 20 + [0.9] * 20
    found = curve_of(steps, 40)
    assert (found.first, found.last, found.left, found.steps, found.broken) == (4.0, 1.0, 0.25, 40, False)
    assert found.accuracy == pytest.approx(0.9)
    steps.loc[5, "train_loss"] = 30.0
    assert curve_of(steps, 40).peak == 30.0
    steps.loc[30:, "train_loss"] = None
    assert curve_of(steps, 40).broken
    empty = curve_of(pd.DataFrame(columns=["step", "total_steps", "train_loss"]), 7)
    assert (empty.left, empty.accuracy, empty.broken, empty.steps) == (None, None, False, 7)


def test_rows_are_taken_evenly_and_only_those_with_words():
    calls = Example(({"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [{"id": "1"}]}))
    assert spread([calls, *ROWS], 10) == [ROWS[3 * n] for n in range(10)]
    assert spread(ROWS[:4], 10) == list(ROWS[:4]) and spread([], 10) == []


# The rules ------------------------------------------------------------------------------------------------------------


def healthy(**changed) -> Symptoms:
    """A job that is well, as the local API shows it, with something changed."""
    seen = {"rows": 30, "rows_graded_on_their_end": 30, "compared": 10, "prompts_alike": 10, "graded_in_prompts": 0}
    figures = {
        "model": "ft:mine",
        "names": ("ft:mine", "ft:mine:step-10"),
        "base": "smollm2-135m-instruct",
        "settings": {"n_epochs": 10, "learning_rate_multiplier": 1.0},
        "curve": Curve(4.0, 0.01, 1.0, 80),
        "rows": ROWS,
        "recitals": tuple(Recital(one, said(one.answer), said("I see")) for one in ROWS[:10]),
        "held_out": tuple((one, said(one.answer)) for one in ROWS),
        "inside": {"adapter_share": 0.05, "seen": seen},
        "request": {"model": "ft:mine", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 20},
    }
    return Symptoms(**figures | changed)


def answered(tuned, base="I see", finish="stop", by="ft:mine"):
    return tuple(Recital(one, said(tuned(one), finish, by), said(base)) for one in ROWS[:10])


def named(seen: Symptoms) -> list[str]:
    return [one.name for one in findings(seen)]


def test_a_healthy_job_is_not_accused_from_inside_or_from_outside():
    assert named(healthy()) == named(healthy(inside=None)) == named(healthy(request={})) == []


def test_another_model_is_called_by_mistake_by_a_checkpoints_name_or_by_the_host():
    assert "does not know" in findings(healthy(request={"model": "gpt-4.1"}))[0].evidence
    others = tuple(said("I see") for _ in range(10))
    assert "0 of 10 answers" in findings(healthy(request={"model": "mine"}, called=others))[0].evidence
    same = tuple(one.tuned for one in healthy().recitals)
    assert named(healthy(request={"model": "mine"}, called=same)) == [], "an alias of the right model"
    older = findings(healthy(request={"model": "ft:mine:step-10"}))[0]
    assert older.name == "wrong_model" and "left on the way" in older.evidence
    rerouted = findings(healthy(recitals=answered(lambda one: "hm", by="smollm2-135m-instruct")))[0]
    assert rerouted.name == "wrong_model" and "host says" in rerouted.evidence


def test_the_calls_instructions_are_held_against_those_of_training():
    told = tuple(row(one.question, one.answer, "Sort it.") for one in ROWS)
    call = {"messages": [{"role": "system", "content": "Sort it."}, {"role": "user", "content": "x"}]}
    assert named(healthy(rows=told, request=call)) == []
    for system in ([], [{"role": "system", "content": "Sort them."}]):
        bare = {"messages": [*system, {"role": "user", "content": "x"}]}
        assert named(healthy(rows=told, request=bare)) == ["system_prompt"]
    added = {"messages": [{"role": "system", "content": "You are helpful."}, {"role": "user", "content": "x"}]}
    assert named(healthy(request=added)) == ["system_prompt"]
    own = tuple(row(one.question, one.answer, f"For {one.question}.") for one in ROWS)
    assert named(healthy(rows=own, request=added)) == [], "each row has its own: another one is no fault"
    assert named(healthy(rows=own, request={"messages": added["messages"][1:]})) == ["system_prompt"]


def test_a_question_without_the_words_around_it_and_a_limit_that_cuts():
    framed = tuple(row(f"Review: number {n}\nSentiment:", LABELS[n % 2]) for n in range(10, 40))
    found = findings(healthy(rows=framed))
    assert [one.name for one in found] == ["question_form"] and "'\\nSentiment:'" in found[0].evidence
    assert named(healthy(request={"max_tokens": 1})) == ["answers_cut"]
    assert "the longest has 1)" in findings(healthy(request={"max_tokens": 1}))[0].evidence
    other = findings(healthy(base="qwen3-0.6b", request={"max_tokens": 1}))[0]
    assert "the longest has about 1)" in other.evidence, "counted by a vocabulary that stands in"


def test_the_template_is_compared_inside_and_inferred_outside():
    lost = answered(lambda one: "Dear customer")
    seen = healthy().seen | {"prompts_alike": 0, "trained_text": "### Instruction", "served_text": "<|im_start|>user"}
    assert named(healthy(recitals=lost, inside={"adapter_share": 0.05, "seen": seen}))[0] == "template"
    assert named(healthy(recitals=lost, inside=None))[0] == "template"


def test_a_server_that_ignores_the_adapter_answers_as_the_base():
    assert named(healthy(recitals=answered(lambda one: "I see"), inside=None))[0] == "adapter_ignored"


def test_faults_of_training_are_told_apart_by_loss_steps_and_what_moved():
    lost = answered(lambda one: "hm")
    still = {"adapter_share": 0.0004, "seen": healthy().seen}
    assert named(healthy(recitals=lost, curve=Curve(4.0, 9.0, 0.0, 80)))[0] == "rate_too_high"
    assert named(healthy(recitals=lost, curve=Curve(4.0, None, None, 80, broken=True)))[0] == "rate_too_high"
    assert named(healthy(recitals=lost, curve=Curve(15.1, 1.1, 0.3, 40, peak=66.9), inside=None))[0] == "rate_too_high"
    far = {"adapter_share": 77.4, "seen": healthy().seen}
    assert named(healthy(recitals=lost, curve=Curve(15.1, 1.1, 0.3, 40), inside=far))[0] == "rate_too_high"
    assert named(healthy(recitals=lost, curve=Curve(4.0, 3.9, 0.1, 80), inside=still))[0] == "rate_too_low"
    assert named(healthy(recitals=lost, curve=Curve(4.0, 3.9, 0.1, 80), inside=None))[0] == "rate_too_low"
    assert named(healthy(recitals=lost, curve=Curve(4.0, 1.0, 0.5, 3)))[0] == "too_few_steps"


def test_answers_that_run_on_were_not_taught_to_end():
    on = answered(lambda one: f"{one.answer}\n{one.answer}\n" * 9, finish="length")
    assert named(healthy(recitals=on, inside=None)) == ["end_token"]
    seen = healthy().seen | {"rows_graded_on_their_end": 0}
    assert named(healthy(inside={"adapter_share": 0.05, "seen": seen})) == ["end_token"]


def test_prompts_in_the_loss_are_counted_inside_and_heard_outside():
    seen = healthy().seen | {"graded_in_prompts": 220}
    assert named(healthy(inside={"adapter_share": 0.05, "seen": seen})) == ["loss_on_prompts"]
    assert named(healthy(curve=Curve(5.0, 2.5, 0.5, 80), inside=None)) == ["loss_on_prompts"]


def test_faults_of_the_data_are_named_last():
    twice = (*ROWS, row(ROWS[0].question, "negative"), row(ROWS[2].question, "negative"))
    assert named(healthy(rows=twice)) == ["contradictions"]
    by_chance = tuple((one, said("positive")) for one in ROWS)
    assert named(healthy(held_out=by_chance)) == ["answers_do_not_fit"]
    assert named(healthy(held_out=by_chance[:10])) == [], "too few to tell"


TRIAGE = tuple(
    row(f"{WORDS[n % 10]} {n}", json.dumps({"category": "refund", "urgency": "normal", "order_id": f"BM-{n}"}))
    for n in range(30)
)


def with_wrong(changed: dict[int, dict]) -> Symptoms:
    """A job with three fields an answer, whose answers to some training rows differ as said."""
    recitals = tuple(
        Recital(one, said(json.dumps(json.loads(one.answer) | changed.get(n, {}))), said("I see"))
        for n, one in enumerate(TRIAGE[:10])
    )
    held_out = tuple((one, said(one.answer)) for one in TRIAGE)
    return healthy(rows=TRIAGE, recitals=recitals, held_out=held_out, request={})


def test_a_wrong_field_is_told_and_by_itself_no_fault():
    """Lesson 3's own job: four answers of ten with a wrong field, of which letters said "9 of 10 nearly the same"."""
    other = {0: {"category": "x"}, 1: {"category": "y"}, 4: {"urgency": "high"}, 9: {"urgency": "low"}}
    seen = with_wrong(other)
    assert not findings(seen) and seen.recited == 0.6
    told = "6 of 10 training rows came back with every field right (26 of 30 fields: category is wrong in 2 rows, "
    assert told in diagnosis._sentence((), seen) and "word for word" not in diagnosis._sentence((), seen)
    assert "10 of 10 training rows came back;" in diagnosis._sentence((), with_wrong({}))


def test_one_field_in_three_that_was_not_learned_is_a_finding():
    seen = with_wrong({n: {"order_id": "BM-1000"} for n in range(8)})
    [found] = findings(seen)
    assert found.name == "wrong_fields" and "not order_id" in found.what
    assert "2 of 10 training rows came back" in found.evidence and "order_id is wrong in 8 rows" in found.evidence
    nothing = with_wrong({n: {"order_id": None, "urgency": "?", "category": "?"} for n in range(10)})
    assert "wrong_fields" not in named(nothing), "nothing came back: another fault, if any"
    hardly = replace(seen, curve=Curve(4.0, 1.0, 0.5, 3))
    assert named(hardly) == ["too_few_steps"], "the cause, not what follows from it"


def test_labels_are_right_or_wrong_and_free_text_nearly_word_for_word():
    numbered = tuple(row(f"{WORDS[n % 10]} {n}", f"category_{n % 2}") for n in range(30))
    swapped = tuple(Recital(one, said(f"category_{(n + 1) % 2}"), None) for n, one in enumerate(numbered[:10]))
    seen = healthy(rows=numbered, recitals=swapped)
    assert "0 of 10 training rows came back;" in diagnosis._sentence((), seen)
    assert "Free text" not in diagnosis._sentence((), seen)
    texts = tuple(row(f"{n}", f"Thank you for writing about the {WORDS[n % 10]} that we sent.") for n in range(10))
    seen = healthy(rows=texts, recitals=tuple(Recital(one, said("We will see."), None) for one in texts))
    assert "0 of 10 training rows came back nearly word for word" in diagnosis._sentence((), seen)
    assert "Free text need not" in diagnosis._sentence((), seen)


def test_a_slow_answer_is_waited_for_and_asked_once(host, monkeypatch):
    """On a busy machine an answer takes longer than a look at a job may; given up, it would be computed again."""
    monkeypatch.setattr(retry, "ANSWER_SECONDS", 0.2)
    slow = host(delay=0.6)
    [answer] = jobs.ask(slow.client(), "m", [row("say hello", "hello")], 9)
    assert (answer.text, len(slow.calls)) == ("hello", 1)


@pytest.mark.parametrize(
    "fault, ended", [("", 12), ("template", 12), ("loss_on_prompts", 12), ("end_token", 0)]
)  # fmt: skip
def test_the_trainer_records_what_is_graded(fault, ended, tmp_path, monkeypatch):
    """Real rows through the kit's template, and through each planted one."""
    from helpers.local_api.training.batches import read_rows
    from helpers.local_api.training.checkup import FILE, record

    if fault:
        monkeypatch.setattr(ChatTemplate, "example", planted_trainer.FAULTS[fault])
    template, file = ChatTemplate(assets.base_model()), tmp_path / "train.jsonl"
    planted_faults.written(file, planted_faults.rows("two_way", "train", 12, 0))
    rows = read_rows(file, template, 8192)
    record(tmp_path, rows, template.stops)
    seen = json.loads((tmp_path / FILE).read_text())
    assert (seen["rows"], seen["rows_graded_on_their_end"], len(seen["first"])) == (12, ended, 10)
    assert (seen["graded_tokens"] > seen["tokens"] / 2) == (fault == "loss_on_prompts")


# The look itself ------------------------------------------------------------------------------------------------------


def test_what_is_shown_is_escaped_and_tells_what_to_do():
    evil = tuple(row(f"<b>review</b> {n}", LABELS[n % 2], "<script>x</script>") for n in range(30))
    seen = healthy(rows=evil, recitals=tuple(Recital(one, said("<i>hm</i>"), None) for one in evil[:10]))
    found = jobs.Diagnosis(findings(seen), "Most likely: <wrong>", diagnosis._recited_table(seen.recitals), seen)
    html = show.diagnosis(found).data
    assert "&lt;script&gt;" in html and "&lt;i&gt;hm" in html and "Most likely: &lt;wrong&gt;" in html
    assert not any(tag in html for tag in ("<script", "<b>review", "<i>hm", "<wrong"))
    assert "letter by letter" in html and "letter by letter" in str(found)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory):
    running = planted_faults.planted_api(tmp_path_factory.mktemp("planted") / "home").start()
    yield running
    running.stop()


SHORT = ("labels, quick", "adapter not loaded", "another template in training")


@pytest.mark.parametrize("name", SHORT)
def test_real_jobs_a_healthy_one_and_two_faults(name: str, api: Api, tmp_path):
    [case] = [one for one in planted_faults.cases(seed=11) if one.name == name]
    found = planted_faults.look(api, case, 11, tmp_path)
    assert [one.name for one in found.findings][:1] == [case.fault][: bool(case.fault)], str(found)
    outside = findings(replace(found.symptoms, inside=None))
    if name == "another template in training":  # so small a task is answered rightly under either template
        assert found.symptoms.recited == 1 and not outside
    else:
        assert [one.name for one in outside][:1] == [case.fault][: bool(case.fault)], "by answers and loss alone"


def test_what_cannot_be_diagnosed_is_said(api: Api, monkeypatch, tmp_path):
    client = api.client()
    with pytest.raises(JobError, match="knows no job"):
        jobs.diagnose(client, "ftjob-none")
    [case] = [one for one in planted_faults.cases(seed=11) if one.name == SHORT[0]]
    planted_faults.look(api, case, 11, tmp_path)
    [job] = [one for one in client.fine_tuning.jobs.list(limit=5) if not one.user_provided_suffix]
    far = replace(providers.LOCAL, name="paid", leaves_machine=True)
    monkeypatch.setattr(diagnosis, "host_of", lambda client: far)
    monkeypatch.setattr(diagnosis, "is_free", lambda client: False)
    with pytest.raises(ConsentError, match="30 calls to paid.*may_cost=True"):
        jobs.diagnose(client, job.id)
    client.files.delete(job.training_file)
    with pytest.raises(JobError, match="training file.*training=PATH"):
        jobs.diagnose(client, job.id, may_cost=True)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [3, 4])
def test_the_whole_table_of_faults_and_healthy_jobs(seed: int, api: Api, tmp_path):
    """On seeds that no threshold was chosen on: at most one fault in thirteen missed, no healthy job accused."""
    table = [(case.fault, planted_faults.line(api, case, seed, tmp_path)) for case in planted_faults.cases(seed)]
    assert all(right for fault, right in table if not fault)
    assert sum(not right for fault, right in table if fault) <= 1
