"""The kind of task, and rows drawn from a file, on rows that once misled: odd labels, optional keys, sorted files."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace

import pytest

from helpers import data
from helpers.data.tasks import KINDS, label_text, tool_calls
from helpers.errors import DataError
from helpers.records import Example


def row(question: str, answer: str, line: int = 0, **extra) -> Example:
    chat = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Example(chat, line=line, extra=extra)


WORDS = [f"word{number}" for number in range(500)]


def sentence(number: int) -> str:
    """A question like no other: eight words drawn by its number."""
    return " ".join(random.Random(number).choices(WORDS, k=8)) + f" {number}"


def labelled(count: int, labels=("yes", "no")) -> list[Example]:
    return [row(sentence(n), labels[n % len(labels)], line=n + 1) for n in range(count)]


LONG = "I could not decide whether this one is good or bad, sorry about that"


def test_one_odd_label_names_its_row_and_changes_nothing_else():
    rows = [*labelled(159), row("last", LONG, line=160)]
    task = data.task(rows)
    assert (task.kind, task.odd, task.labels) == ("labels", (160,), {"yes": 80, "no": 79})
    assert task.fits == pytest.approx(159 / 160) and "159 of 160 rows (99.4 %)" in task.reason
    assert len(task.fitting(rows)) == 159
    assert "1 of 160 rows is left out" in str(task) and "line 160" in str(task)


def test_one_answer_that_is_no_json_names_its_row():
    rows = [
        row(sentence(n), json.dumps({"city": WORDS[n % 9], **({"when": "now"} if n % 3 else {})}), n + 1)
        for n in range(599)
    ]
    task = data.task([*rows, row("?", "no idea", 600)])
    assert (task.kind, task.odd, task.required, task.optional) == ("fields", (600,), ("city",), ("when",))
    assert "keys: city; only in some rows: when" in str(task)


def test_an_empty_answer_is_never_a_label():
    task = data.task([*labelled(40), row("?", "", 41), row("?", "   ", 42)])
    assert task.kind == "labels" and task.odd == (41, 42) and "" not in task.labels
    assert data.task([*labelled(40), row("?", "", 41)], "labels").odd == (41,)


def test_many_labels_in_few_rows_are_labels():
    rows = labelled(300, [f"intent_{n}" for n in range(77)])
    assert data.task(rows).kind == "labels" and len(data.task(rows).labels) == 77


@pytest.mark.parametrize("answers", [
    [f"a text of its own about number {n}" for n in range(20)],
    [str(n * 7 % 97) for n in range(40)],
    [f"We shipped it. {LONG}" for _ in range(40)],
])  # fmt: skip
def test_texts_of_their_own_numbers_and_canned_replies_are_no_labels(answers):
    assert data.task([row(sentence(n), answer) for n, answer in enumerate(answers)]).kind == "text"


def test_conversations_and_tool_calls_are_seen():
    chat = [{"role": "user" if n % 2 == 0 else "assistant", "content": f"turn {n}"} for n in range(6)]
    talks = [
        Example(tuple({**m, "content": f"{m['content']} {n} of its own"} for m in chat), line=n + 1) for n in range(9)
    ]
    assert data.task(talks).kind == "turns"
    assert [one.answer for one in data.cases(talks[:1], "turns")] == ["turn 5 0 of its own"]
    every = data.cases(talks[:1], "turns", "all")
    assert [one.answer.split()[1] for one in every] == ["1", "3", "5"] and {one.line for one in every} == {1}
    with pytest.raises(DataError, match='"last" or "all"'):
        data.cases(talks, "turns", "some")


CALL = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}  # fmt: skip
CALLING = Example(
    ({"role": "user", "content": "Rain in Rome?"}, {"role": "assistant", "content": None, "tool_calls": [CALL]}),
    tools=(TOOL,), line=3,
)  # fmt: skip


def test_tool_calls_are_measured_as_json_with_the_tools_in_the_question():
    assert data.task([CALLING] * 3).kind == "tools" and tool_calls(CALLING)[0]["arguments"] == {"city": "Rome"}
    case = data.cases([CALLING], "tools")[0]
    assert json.loads(case.answer) == {"calls": [{"name": "weather", "arguments": {"city": "Rome"}}]}
    assert "weather" in case.question and case.question.endswith("Rain in Rome?")
    result = {"role": "tool", "tool_call_id": "1", "content": "12 degrees"}
    later = Example((*CALLING.messages, result, {"role": "assistant", "content": "It is cold."}), (TOOL,))
    assert data.cases([later], "tools")[0].answer == case.answer, "the last call, not the words after it"
    every = data.cases([later], "tools", "all")
    assert [len(json.loads(one.answer)["calls"]) for one in every] == [1, 0]
    assert {message["role"] for one in every for message in one.messages} == {"user", "assistant"}
    assert "12 degrees" in every[1].question and data.conversation(every[0]) == data.conversation(every[1])


def test_calls_in_the_middle_of_a_chat_are_tool_calls_and_rows_without_tools_are_left_out():
    result = {"role": "tool", "tool_call_id": "1", "content": "12 degrees"}
    said = {"role": "assistant", "content": "It is cold."}
    chats = [Example((*CALLING.messages, result, said), (TOOL,), line=n) for n in range(1, 8)]
    declined = [Example((CALLING.messages[0], said), (TOOL,), line=n) for n in range(8, 10)]
    plain = [Example((CALLING.messages[0], said), line=n) for n in range(10, 13)]
    task = data.task([*chats, *declined, *plain])
    assert task.kind == "tools" and task.odd == (10, 11, 12)
    assert "tool calls in 7 of 12 rows" in task.reason and "2 call none" in task.reason
    assert "no tool to call" in str(task) and "a host that refuses tool calls takes these rows" in str(task)


def test_cases_of_tool_calls_fit_when_they_are_read_from_the_projects_own_files(tmp_path):
    said = {"role": "assistant", "content": "It is cold."}
    rows = [replace(CALLING, line=1), Example((CALLING.messages[0], said), (TOOL,), line=2)]
    again = data.read(data.write(data.cases(rows, "tools"), tmp_path / "train.jsonl"))
    assert data.task(again, "tools").odd == () and json.loads(again[0].answer)["calls"]


def test_what_is_said_of_conversations_counts_those_with_several_answers():
    turns = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": sentence(n)}] for n in range(9)]
    task = data.task([Example(tuple(turn * (1 + n % 3)), line=n + 1) for n, turn in enumerate(turns)])
    assert task.kind == "turns" and task.fits == 1
    assert "several answers in 6 of 9 rows" in task.reason and "100 %" not in task.reason


def test_a_reader_may_set_the_kind_and_unknown_ones_are_refused_with_the_list():
    rows = labelled(20)
    task = data.task(rows, "text")
    assert task.kind == "text" and task.chosen and "set by you" in task.reason and not task.labels
    with pytest.raises(DataError) as caught:
        data.task(rows, "label")
    assert all(repr(kind) in str(caught.value) for kind in KINDS)
    with pytest.raises(DataError, match="No row fits"):
        data.task(rows, "fields")
    with pytest.raises(DataError, match="no rows"):
        data.task([])


def test_the_same_rows_fit_whether_the_kind_is_found_or_set():
    labels = [row(sentence(n), "abcde"[n % 2]) for n in range(95)]
    rows = [
        *labels,
        *(row(sentence(n), f"A sentence of its own that is no label, number {n}.") for n in range(95, 100)),
    ]
    found, chosen, stored = data.task(rows), data.task(rows, "labels"), data.task(rows, "labels", chosen=False)
    assert found.odd == chosen.odd == stored.odd == (96, 97, 98, 99, 100)
    assert found.labels == chosen.labels and (found, "set by you") == (stored, chosen.reason[:10])
    assert "5 of 100 rows are left out, because their answer is no such label (lines 96, 97" in chosen.warnings[0]
    one = data.task([*labels, rows[-1]])
    assert "1 of 96 rows is left out, because its answer is no such label (line 96)." in one.warnings[0]


def test_what_to_look_at_is_said():
    assert any("nothing to distinguish" in one for one in data.task(labelled(30, ["ham"])).warnings)
    mixed = [*labelled(30), row("?", "Yes"), row("?", "maybee")]
    said = " ".join(data.task(mixed).warnings)
    assert "'maybee'" in said and "'yes' and 'Yes'" in said


# --- rows drawn -------------------------------------------------------------------------------------------------------


def test_a_file_sorted_by_label_gives_rows_of_every_label():
    rows = [row(sentence(n), "ham" if n < 430 else "spam") for n in range(500)]
    drawn = data.draw(rows, 60, label=label_text)
    assert drawn.labels == {"ham": 52, "spam": 8} and not drawn.warnings
    assert Counter(map(label_text, drawn.rows)) == drawn.labels
    assert "60 of 500 rows drawn (seed 1), 2 of 2 labels" in str(drawn)


def test_77_labels_are_covered_as_far_as_the_rows_allow():
    rows = labelled(1540, [f"intent_{n}" for n in range(77)])
    assert len(data.draw(rows, 80, label=label_text).labels) == 77
    few = data.draw(rows, 60, label=label_text)
    assert len(few.labels) == 60 and len(few.lacking) == 17
    assert "17 labels of 77" in few.warnings[0] and "says nothing about them" in few.warnings[0]


def test_rare_labels_do_not_look_frequent():
    rows = [row(sentence(n), "usual" if n < 900 else f"rare_{n % 50}") for n in range(1000)]
    assert data.draw(rows, 60, label=label_text).labels["usual"] >= 50


def test_a_draw_is_stable_and_a_larger_one_holds_it():
    rows = [row(sentence(n), ("a", "b", "c")[n % 7 % 3]) for n in range(300)]
    small, large = (data.draw(rows, n, label=label_text).rows for n in (20, 90))
    assert large[:20] == small
    shuffled = random.Random(1).sample(rows, len(rows))
    assert data.draw(shuffled, 20, label=label_text).rows == small
    assert data.draw(rows, 20, seed=2, label=label_text).rows != small
    assert len(data.draw(rows, 1000).rows) == 300


def test_groups_and_near_duplicates_are_drawn_together_or_not_at_all():
    rows = [row(f"{sentence(n // 3)}{'!' * (n % 3)}", "a") for n in range(90)]
    drawn = data.draw(rows, 20)
    here = {one.question.rstrip("!") for one in drawn.rows}
    rest = {one.question.rstrip("!") for one in rows if one not in drawn.rows}
    assert len(drawn.rows) == 18 and not here & rest and "18 rows instead of 20" in drawn.warnings[0]
    grouped = [row(sentence(n), "a", customer=n % 10) for n in range(60)]
    drawn = data.draw(grouped, 20, group=lambda one: one.extra["customer"])
    assert Counter(one.extra["customer"] for one in drawn.rows).most_common()[-1][1] == 6
    assert len(data.draw([row("same", "a")] * 200, 60).rows) == 60


def test_rows_that_are_unlike_the_rest_are_pointed_out():
    clones = [row(sentence(7) + "!" * (n % 5), "b") for n in range(60)]
    drawn = data.draw([*labelled(60, ["a"]), *clones], 40, label=label_text)
    assert any("The mix of labels differs" in one for one in drawn.warnings)
    long = [row(" ".join(map(sentence, range(n, n + 9))) + f" group {n % 4}", "a", at=n % 2) for n in range(80)]
    drawn = data.draw([*labelled(80, ["a"]), *long], 60, group=lambda one: one.extra.get("at"))
    assert any("clearly longer or shorter" in one for one in drawn.warnings)
    with pytest.raises(DataError, match="At least one row"):
        data.draw(clones, 0)
