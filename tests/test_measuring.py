"""The right measure for each kind of task: optional keys, chatter, numbers, tool calls, free text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from evaluate_host import completion

from helpers import costs, data, decide, evaluate, ledger, show
from helpers.errors import ConsentError, EvaluationError, ProjectError
from helpers.evaluate import metrics
from helpers.evaluate.baselines import guessing
from helpers.evaluate.baselines.rivals import without_llm
from helpers.project import Project
from helpers.records import Candidate, Example

TRIAGE = Path(__file__).parents[1] / "data" / "sample" / "triage"


def row(question: str, answer: str, **more) -> Example:
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}), **more)


SLOTS = [row(f"book {n}", json.dumps({"a": n % 2, **({} if n % 10 < 3 else {"when": f"day {n}"})})) for n in range(40)]
USUAL_IS_ABSENT, OTHERS = (
    [row(f"{word} {n}", json.dumps({"a": 1, **({"b": n} if n % 10 > 2 else {})})) for n in range(100)]
    for word in ("q", "other")
)


def test_absent_is_right_where_a_key_is_optional_and_null_is_absent():
    whole, a, when, _ = metrics.for_task(data.task(SLOTS))
    absent, there = SLOTS[0], SLOTS[3]
    for answer in ('{"a": 0}', '{"a": 0, "when": null}', '```json\n{"when": null, "a": 0}\n```'):
        assert whole(answer, absent) == when(answer, absent) == a(answer, absent) == 1
    assert whole('{"a": 0, "when": "day 3"}', absent) == when('{"a": 0, "when": "x"}', absent) == 0
    assert when('{"a": 1}', there) == whole('{"a": 1, "when": null}', there) == 0
    assert whole('{"when": "day 3"}', there) == whole('{"a": null, "when": "day 3"}', there) == 0
    assert whole("no idea", there) == when("no idea", absent) == 0


def test_the_usual_answers_share_is_its_true_share_where_keys_are_optional():
    """``b`` is absent from 30 of 100 rows: to leave it out is right 30 times. It was shown as 0 %."""
    scored = metrics.for_task(data.task(USUAL_IS_ABSENT))
    found = without_llm(USUAL_IS_ABSENT, OTHERS, scored, embeddings=False, progress=False)
    assert found.scores("most frequent answer").mean() == 0.3
    assert found.scores("most frequent answer", "b").mean() == 0.3


def test_lists_are_compared_whole():
    rows = [row(f"q {n}", json.dumps([{"x": n % 3}])) for n in range(12)]
    [whole] = metrics.for_task(data.task(rows))
    assert whole('[{"x": 0}]', rows[0]) == 1 and whole('[{"x": 1}]', rows[0]) == whole('{"x": 0}', rows[0]) == 0


@pytest.mark.parametrize(
    ("answer", "inside"),
    [
        ("refund", 1), ("I think it is **Refund**, because they want money back.", 1), ("no refund", 1),
        ("It could be refund or delivery.", 0), ("refunds", 0), ("delivery", 0), ("", 0),
        ("late refund", 0), ('{"label": "refund"}', 1),
    ],
)  # fmt: skip
def test_a_right_label_inside_chatter_is_a_diagnosis_of_its_own(answer, inside):
    found = metrics.label_inside(["refund", "delivery", "late refund"])
    assert found(answer, row("?", "refund")) == inside and found.unit == metrics.DIAGNOSIS


def test_no_prompt_that_lists_the_labels_is_recommended_to_itself(host, tmp_path):
    rows = [row(f"say I think it is {('yes', 'no')[n % 2]}", ("yes", "no")[n % 2]) for n in range(20)]
    prompts = [Candidate("listed", "m", system="Answer with yes or no."), Candidate("bare", "m", system="Not yet.")]
    scored = metrics.for_task(data.task(rows))
    results = evaluate.run(host().client(), prompts, rows, scored, store=tmp_path / "s", progress=False)
    listed, bare = [note for note in results.notes if "other words" in note]
    assert listed.startswith("listed:") and "the rung" not in listed and "force it with a schema" in listed
    assert bare.startswith("bare:") and "(the rung that lists the labels does)" in bare


def test_chatter_is_pointed_out(host, tmp_path, capsys):
    rows = [row(f"say I think it is {('yes', 'no')[n % 2]}", ("yes", "no")[n % 2]) for n in range(20)]
    scored = metrics.for_task(data.task(rows))
    one = [Candidate("wordy", "m")]
    results = evaluate.run(host().client(), one, rows, scored, store=tmp_path / "s", progress=True)
    assert results.table().loc["wordy", "score"] == 0 and results.rows["label_inside"].mean() == 1
    assert "wordy: 100 % of the answers have the right label inside other words" in capsys.readouterr().out
    [wordy] = [note for note in results.notes if "other words" in note]
    assert "the rung that lists the labels does" in wordy
    kept = {one.metric for one in results.measurements() if one.unit == "share"}
    assert "label_inside" not in kept, "a diagnosis is compared with nothing"


@pytest.mark.parametrize(
    ("wanted", "answer", "right"),
    [
        ("He has 3 + 4 = 7.\n#### 7", "So the answer is 7.", 1), ("#### 1,234", "It is $1,234.00.", 1), ("7", "8", 0),
        ("#### -5", "It falls to −5", 1), ("#### 5", "from 10-5", 1), ("#### 5", "five", 0), ("#### 0.5", "0.50", 1),
        ("#### 12", "#### 12\nThat took 3 steps.", 1), ("no number", "7", None),
    ],
)  # fmt: skip
def test_the_final_number(wanted, answer, right):
    assert metrics.final_number(answer, row("?", wanted)) == right


def test_a_check_of_free_text_is_suggested_and_never_taken_by_itself():
    sums = [row(f"sum {n}", f"We add {n} and {n}.\n#### {2 * n}") for n in range(40)]
    assert metrics.default(sums)[0].unit == "likeness"
    assert 'RULES = "final_number"' in metrics.suggest_check(sums)
    assert metrics.default(sums, "final_number")[0] is metrics.final_number
    names = [row(f"capital {n}", "Town " + "x" * n) for n in range(40)]
    assert data.task(names).kind == "text" and 'RULES = "exact_match"' in metrics.suggest_check(names)
    essays = [row(f"tell {n}", f"A story of {n} houses and of the people in them.") for n in range(40)]
    assert metrics.suggest_check(essays) == ""


def test_rules_measure_free_text_and_what_is_no_rule_is_refused(tmp_path):
    essays = [row(f"tell {n}", f"A story of {n} houses and of the people in them.") for n in range(40)]
    about, file = data.task(essays), tmp_path / "mine.toml"
    file.write_text('[[rule]]\nid = "calm"\nkind = "regex_absent"\npattern = "!"\n')
    for given in (str(file), file, [{"id": "calm", "kind": "regex_absent", "pattern": "!"}]):
        [mine, *rest] = metrics.for_task(about, given)
        assert (mine("Calm.", essays[0]), mine("Loud!", essays[0]), mine.unit) == (1, 0, "share")
        assert [one.name for one in rest] == ["similarity", "length"]
    assert metrics.for_task(about, [metrics.exact_match, metrics.final_number])[1] is metrics.final_number
    with pytest.raises(EvaluationError, match=", ".join(map(repr, metrics.CHECKS)) + ", or a TOML file"):
        metrics.for_task(about, "numbers")
    with pytest.raises(EvaluationError, match="RULES are for free text; these rows are fields"):
        metrics.for_task(data.task(SLOTS), "final_number")


TOOLS = tuple(
    {"type": "function", "function": {"name": name, "parameters": {
        "type": "object", "properties": {key: {"type": kind}}, "required": [key], "additionalProperties": False}}}
    for name, key, kind in (("weather", "city", "string"), ("add", "n", "integer"))
)  # fmt: skip


def test_tool_calls_by_name_and_arguments_and_against_the_schema():
    calls = [{"function": {"name": "weather", "arguments": '{"city": "Rome"}'}}]
    chat = ({"role": "user", "content": "Rain?"}, {"role": "assistant", "content": None, "tool_calls": calls})
    [case] = data.cases([Example(chat, TOOLS)], "tools")
    scored = metrics.for_task(data.task([Example(chat, TOOLS)]))

    def scores(*called):
        return [one(json.dumps({"calls": list(called)}), case) for one in scored]

    rome = {"name": "weather", "arguments": {"city": "Rome"}}
    assert scores(rome) == [1, 1, 1] and scores({**rome, "arguments": {"city": "Oslo"}}) == [0, 1, 1]
    assert scores({**rome, "arguments": {"town": "Rome"}}) == [0, 1, 0]
    assert scores({"name": "add", "arguments": {"n": 1}}) == [0, 0, 1]
    assert scores({"name": "fly", "arguments": {}}) == [0, 0, 0] and scores() == [0, 0, 1]
    assert [one("It rains.", case) for one in scored] == [0, 0, 0]


@pytest.mark.parametrize(
    "broken",
    [{"type": "dict"}, {"properties": []}, {"$ref": "#/nowhere"}, "text", {"properties": {"city": {"pattern": "("}}}],
)
def test_a_tool_whose_schema_is_broken_has_no_valid_arguments_and_stops_nothing(broken):
    tool = {"type": "function", "function": {"name": "weather", "parameters": broken}}
    calls = {"calls": [{"name": "weather", "arguments": {"city": "Rome"}}]}
    case = row("Rain?", json.dumps(calls), tools=(tool,))
    assert metrics.valid_arguments(case.answer, case) is None
    assert metrics.valid_arguments(json.dumps({"calls": [{"name": "fly", "arguments": {}}]}), case) == 0


# --- free text without a measure decides nothing ---------------------------------------------------------------------


def test_likeness_feeds_neither_plateau_nor_verdict_and_rivals_bring_no_share_in(host, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    project = Project("maths")
    rows = [row(f"sum {n}", f"The sum of {n} and {n} is written here in words of its own.") for n in range(60)]
    train, measured = rows[:30], rows[30:]
    scored = metrics.default(rows)
    answers = {name: f"useless {name} " * 3 for name in "abcd"}
    server = host(lambda body, _: (200, {}, completion(body, answers[body["messages"][0]["content"]])))
    prompts = [Candidate(name, "gpt-6-luna", system=name) for name in "abcd"]
    ladder = evaluate.run(server.client(), prompts, measured, scored, progress=False, store=tmp_path / "s")
    tested = evaluate.plateau(ladder)
    assert tested.state == "cannot tell" and "free text without rules or rating" in tested.sentence
    assert not ladder.decides
    rivals = without_llm(train, measured, scored, embeddings=False, progress=False).merge(ladder)
    evaluate.keep(project, rivals, tested)
    entries, plateaus = ledger.newest(project)
    assert not plateaus and not ledger.comparisons(entries)
    assert not [one for one in entries if one.measurement.unit == "share"]
    verdict = decide.decide({"gap": "behaviour", "effort": "days"}, decide.collect(project))
    assert not verdict.allows_training
    assert any("likeness to the ideal answer only finds odd rows" in one for one in verdict.not_measured)
    page = show.ladder(rivals).data
    assert "similarity (likeness, no score)" in page and "decides nothing" in page
    seen = show.answers_seen(ladder, measured).data
    assert "least alike" in seen and "most alike" in seen and "useless a useless a" in seen


# --- what came back is seen ------------------------------------------------------------------------------------------


def test_missing_and_cut_off_stand_in_table_and_caption_and_raw_answers_below(host, tmp_path):
    rows = [row(f"say {'<b>' * (n % 3 == 0)}{n}", ("yes", "no")[n % 2]) for n in range(60)]

    def fault(body, _):
        text = body["messages"][-1]["content"]
        if text.endswith("1"):
            return 400, {}, {"error": {"message": "too long", "type": "error"}}
        if "<b>" in text:
            return 200, {}, completion(body, text, "length")
        return 200, {}, completion(body, "yes\n  indeed" if text.endswith("0") else "yes")

    scored = metrics.for_task(data.task(rows))
    results = evaluate.run(
        host(fault).client(), [Candidate("one", "m")], rows, scored, store=tmp_path / "s", progress=False
    )
    table, page = results.table().loc["one"], show.ladder(results).data
    answered = f"{60 - table['missing']} of 60"
    assert table["missing"] == 6 and page.count(answered) == 3 and f"one: {table['cut_off']} of 60 cut off" in page
    assert "seconds a call, sent to answered" in page
    assert "the wait while up to 8 calls are under way together, not the time of a call by itself" in page
    seen = show.answers_seen(results, rows).data
    right = int((results.scores("one") == 1).sum())
    assert f"one: right ({right}), wrong ({60 - 6 - right}), without a score (6)" in seen
    assert seen.count(">right<") == seen.count(">wrong<") == 3
    assert "&lt;b&gt;" in seen and "<b>" not in seen
    assert "></th>" not in seen, "an empty heading tells a screen reader nothing"


# --- told before it runs ---------------------------------------------------------------------------------------------


def test_calls_tokens_and_minutes_are_told_before_and_the_probes_answers_are_kept(host, tmp_path):
    server, rows = host(delay=0.1), [row(f"say {('yes', 'no')[n % 2]} {n}", ("yes", "no")[n % 2]) for n in range(40)]
    rungs = evaluate.rungs(rows, "gpt-4.1", "Answer.", pool=rows[:10])
    options = {"store": tmp_path / "s", "concurrency": 4}
    told = evaluate.forecast(server.client(), rungs, rows[10:], **options)
    assert len(server.calls) == told.kept == 4 * len(rungs) + 1
    assert told.calls == 26 * len(rungs) - 1 and told.usd == 0 and told.prompt_tokens > 26 * len(rungs) * 5
    assert f"{told.calls} calls" in told.sentence and "free of charge; about" in told.sentence
    scored = metrics.for_task(data.task(rows))
    evaluate.run(server.client(), rungs, rows[10:], scored, progress=False, **options)
    assert len(server.calls) == 30 * len(rungs), "as many as were told, and none twice"
    again = evaluate.forecast(server.client(), rungs, rows[10:], **options)
    assert again.calls == 0 and again.sentence.startswith("Nothing is left to ask: 240 answers")


@pytest.mark.priced
def test_a_paid_ladder_has_its_price_told_and_nothing_is_sent_for_it(host, tmp_path):
    server, rows = host(), [row(f"question {n}", ("yes", "no")[n % 2]) for n in range(30)]
    rungs = evaluate.rungs(rows, "gpt-4.1", "Answer.", pool=rows[:10])
    options = {"store": tmp_path / "s", "price": {"input": 2.0, "output": 8.0}}
    told = evaluate.forecast(server.client(), rungs, rows[10:], **options)
    assert told.calls == 20 * len(rungs) and told.minutes is None and not server.calls
    most = 20 * sum(one.max_tokens for one in rungs) * 8e-6
    assert most < told.usd < 3 * most and f"${told.usd:.4f}" in told.sentence
    with pytest.raises(ConsentError, match="not known to be free"):
        evaluate.forecast(server.client(), rungs, rows[10:], store=tmp_path / "s")


def test_what_a_host_needs_to_load_its_model_is_not_taken_for_its_speed(host, tmp_path):
    server = host(lambda body, _: time.sleep(3) if len(server.calls) == 1 else None)
    rows = [row(f"say {n}", ("yes", "no")[n % 2]) for n in range(44)]
    told = evaluate.forecast(server.client(), [Candidate("a", "m")], rows, store=tmp_path / "s")
    assert told.minutes < 0.1, "39 calls of a few milliseconds, not of three quarters of a second"


def test_a_probe_shows_what_it_does_and_loses_patience(host, tmp_path, monkeypatch, capsys):
    """Long answers of a small model took the probe twenty silent minutes."""
    monkeypatch.setattr("helpers.evaluate.runs.forecasting.PATIENCE_SECONDS", 0.3)
    rows = [row(f"say {n}", ("yes", "no")[n % 2]) for n in range(30)]
    server, prompts = host(delay=0.2), [Candidate(name, "m", system=name) for name in "abcd"]
    told = evaluate.forecast(server.client(), prompts, rows, store=tmp_path / "s", concurrency=1)
    assert len(server.calls) == 5, "one to wake the host, four of the first prompt, and no more"
    assert told.calls == 115 and told.minutes == pytest.approx(115 * 0.2 / 60, rel=0.5)
    assert "timing a few calls" in capsys.readouterr().err


def test_a_long_ladder_names_the_rows_that_fit_into_a_quarter_of_an_hour(host, tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.evaluate.runs.forecasting.LONG_MINUTES", 0.001)
    rows = [row(f"say {n}", ("yes", "no")[n % 2]) for n in range(30)]
    told = evaluate.forecast(host(delay=0.1).client(), [Candidate("a", "m")], rows, store=tmp_path / "s")
    assert told.minutes > 0.001 and "ROWS = " in told.sentence


def test_a_probe_needs_no_vocabulary_that_cannot_be_had(host, tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.tokens.counter", _none)
    rows = [row(f"say {n} " + "word " * 50, ("yes", "no")[n % 2]) for n in range(10)]
    told = evaluate.forecast(host().client(), [Candidate("a", "m")], rows, store=Path(tmp_path) / "s")
    assert 6 * 50 < told.prompt_tokens < 6 * 150


def _none(model=None):
    from helpers.errors import AssetError

    raise AssetError("no network")


# --- rivals on many rows, and on free text ---------------------------------------------------------------------------

MANY_TEXTS = """
import random, resource, sys
from helpers.evaluate import metrics, without_llm
from helpers.records import Example

rng, words = random.Random(1), [f"word{n}" for n in range(3_000)]
def text(count): return " ".join(rng.choices(words, k=count))
def row(): return Example(({"role": "user", "content": text(30)}, {"role": "assistant", "content": text(60)}))
rows = [row() for _ in range(2_000)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = without_llm(rows[:1_900], rows[1_900:], metrics.default(rows), progress=False)
print(list(found.candidates), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_free_text_is_never_a_class_an_answer():
    done = subprocess.run([sys.executable, "-c", MANY_TEXTS], capture_output=True, text=True, check=True, timeout=300)
    names, megabytes = done.stdout.rsplit(" ", 1)
    assert names == "['most frequent answer', 'nearest neighbour']" and int(megabytes) < 1_000


def test_of_very_many_rows_a_sample_is_learned_from_and_the_caption_says_so(capsys):
    train = [row(f"{('good', 'bad')[n % 2]} thing {n}", ("yes", "no")[n % 2]) for n in range(60)]
    rows = [row(f"a {('good', 'bad')[n % 2]} one {n}", ("yes", "no")[n % 2]) for n in range(20)]
    scored = metrics.for_task(data.task(train))
    first, again = (without_llm(train, rows, scored, embeddings=False, most_learned=20) for _ in range(2))
    said = "The rivals learned from 20 of 60 training rows"
    assert any(note.startswith(said) for note in first.notes) and said in capsys.readouterr().out
    assert "Rivals without a language model learned from 20 of 60 training rows." in show.ladder(first).data
    assert first.candidates == again.candidates, "the same rows again"
    whole = without_llm(train, rows, scored, embeddings=False, progress=False)
    assert "learned" not in str(whole.notes) and whole.candidates["TF-IDF"]["id"] != first.candidates["TF-IDF"]["id"]


def test_a_classifier_of_many_rows_has_bounded_columns_and_still_learns():
    kinds = ("refund", "delivery", "invoice")
    texts = [f"my {kinds[n % 3]} of order {n} and code {n * 7919 % 10007}" for n in range(2_400)]
    features = guessing.tfidf(texts, [f"about a {kind}" for kind in kinds])
    assert features.train.shape[1] <= sum(guessing.MAX_TERMS.values())
    guess = guessing.classifier(features, [kinds[n % 3] for n in range(2_400)])
    assert guess.values == list(kinds) and guess.right > 0.99


# --- what a target model would cost is the price of what was measured ---


def test_the_step_to_a_target_prices_the_prompts_that_were_measured(host, tmp_path, monkeypatch):
    """It was the price of an example: three prompts of 110 to 700 tokens, whatever had been asked."""
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    client, project, store = host().client(), Project("priced"), tmp_path / "answers"
    rows = [row(f"say {('yes', 'no')[n % 2]} and go on", ("yes", "no")[n % 2]) for n in range(24)]
    scored = metrics.for_task(data.task(rows))
    tried = [Candidate(f"{words} words", "m", system="Word " * words) for words in (10, 300, 900, 2_000)]
    ladder = evaluate.run(client, tried, rows[:20], scored, store=store, progress=False)
    evaluate.keep(project, ladder)
    evaluate.keep(project, evaluate.run(client, tried[:1], rows[20:], scored, store=store, progress=False))
    answers = decide.load(TRIAGE / "checklist.json").answers
    told = decide.decide(answers, decide.collect(project)).next_steps[0]
    table = ladder.table()
    assert table["prompt_tokens"].tolist() == [15, 305, 905, 2005] and set(table["completion_tokens"]) == {4}
    price = costs.ladder_cost(20, list(table["prompt_tokens"]), 4)
    assert f"about {100 * price.total:.2g} cents (20 rows, each asked with 4 prompts of 15 to 2,005 tokens" in told

    kept = project.get("ledger")
    for line in kept["measurements"]:
        del line["prompt_tokens"], line["answer_tokens"]  # as they were before this was kept
    project.set("ledger", kept)
    assert (
        "(for example 20 rows, each asked with 3 prompts of 110 to 700 tokens"
        in (decide.decide(answers, decide.collect(project)).next_steps[0])
    )


# --- where a next step can be taken ---


def _measured_voice(host, tmp_path) -> Project:
    """A project as lesson 7 leaves it: free text by rules and facts, and no task of ``your_project``."""
    project, store = Project("voice"), tmp_path / "answers"
    sheets = [row(f"say A jug of {n} cm.", f"A jug of {n} cm, for you.") for n in range(12)]
    rules = [{"id": "calm", "kind": "regex_absent", "pattern": "!"}]
    scored = evaluate.free_text.measures(rules, sheets)
    tried = [Candidate("bare", "m"), Candidate("guide", "m", system="Be calm.")]
    evaluate.keep(project, evaluate.run(host().client(), tried, sheets, scored, store=store, progress=False))
    return project


def test_the_steps_of_lesson_7_lead_to_lesson_7_which_reads_its_rows(host, tmp_path, monkeypatch):
    """Lesson 0 would have written scores of the triage sample into this project."""
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    project = _measured_voice(host, tmp_path)
    verdict = decide.decide(decide.load(TRIAGE / "checklist.json").answers, decide.collect(project))
    told = " ".join((*verdict.next_steps, *verdict.not_measured))
    assert verdict.choice == "measure_target"
    assert not re.search(r"lesson 0[0-6]_|extra/", told)
    assert verdict.next_steps[0].endswith(
        "Do it in lesson 07_a_brands_voice: set HOST, MODEL, PRICE and SPEND_LIMIT_USD at the top of the "
        "notebook and run it again, down to the plateau test."
    )
    assert "what more data would bring (train on half of the rows as well, and compare)" in verdict.not_measured
    with pytest.raises(ProjectError, match="'voice' holds scores of other rows.*rules_and_facts"):
        evaluate.material(project, TRIAGE)


def test_a_card_names_notebooks_by_their_titles(host, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    answers = decide.load(TRIAGE / "checklist.json").answers
    for evidence in (None, decide.collect(_measured_voice(host, tmp_path))):
        page = show.verdict(decide.decide(answers, evidence)).data
        assert not re.search(r"\b0\d_[a-z]|extra/", page)
        assert ("lesson 7, “A brand&#x27;s voice”" if evidence else "lesson 0, “Should you fine-tune at all?”") in page
