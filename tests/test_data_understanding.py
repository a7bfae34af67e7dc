"""Any common file is understood by its names and contents, or one message says what to write."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from helpers import data
from helpers.data.reading import fetching
from helpers.data.shapes.cells import cell_text
from helpers.errors import DataError
from helpers.records import Example

ASKED = ["Where is my parcel number?", "The lamp that I ordered is broken", "I would like my money back please",
         "Can I change the address of an order?", "Your shop charged my card two times",
         "Who repairs the kettle here?", "The door bell rings on its own", "My invoice shows another name",
         "Is the red chair back in stock?"]  # fmt: skip
CLASSES = ["delivery", "fault", "refund"] * 3
REPLIES = ["It leaves tomorrow morning.", "We send you another one.", "You get it back within a week.",
           "Yes, until it is packed.", "One charge is taken back.", "Any of our three workshops does.",
           "Please change its battery.", "We correct it today.", "From Monday on, in both sizes."]  # fmt: skip


def lines(rows: list[dict]) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def table(**columns: list) -> pd.DataFrame:
    return pd.DataFrame(columns)


def faulty_rows(report: data.CheckReport) -> set[int]:
    """Lines with an error; a file that is too small has none for that."""
    errors = report.problems[(report.problems["severity"] == "error") & (report.problems["line"] > 0)]
    return set(errors["line"])


def csv_file(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# --- names and contents ---

BY_CONTENTS = {
    "German names, two free texts": (table(Anliegen=ASKED, Auskunft=REPLIES), "Anliegen", "Auskunft"),
    "labels after the text": (table(Inhalt=ASKED, Gruppe=CLASSES), "Inhalt", "Gruppe"),
    "labels before the text": (table(Gruppe=CLASSES, Inhalt=ASKED), "Inhalt", "Gruppe"),
    "ids and dates beside": (table(
        nr=[f"A{n}" for n in range(9)], day=["2024-05-01"] * 9, Inhalt=ASKED, Gruppe=CLASSES), "Inhalt", "Gruppe"),
    "JSON answers": (table(Inhalt=ASKED, found=[{"kind": one} for one in CLASSES]), "Inhalt", "found"),
    "a known word in a name": (table(
        airline=["A", "B", "C"] * 3, airline_sentiment=CLASSES, Inhalt=ASKED), "Inhalt", "airline_sentiment"),
}  # fmt: skip


@pytest.mark.parametrize("case", BY_CONTENTS)
def test_columns_are_told_from_what_they_hold(case: str) -> None:
    rows, question, answer = BY_CONTENTS[case]
    understood = data.mapping(rows)
    assert (understood.columns["question"], understood.columns["answer"]) == (question, answer)
    assert understood.sure == "by contents" and understood.why
    assert [example.question for example in data.read(rows)] == ASKED


def test_a_name_does_not_count_where_the_contents_cannot_be_it() -> None:
    rows = table(ticket=[f"T-{n}" for n in range(9)], prompt=["Sort this."] * 9, body=ASKED,
                 label=[0, 1, 2] * 3, label_text=CLASSES)  # fmt: skip
    assert data.mapping(rows).columns == {"question": "body", "answer": "label_text"}
    other = table(text=ASKED, label=[0, 1, 1] * 3, who=["a", "b", "a"] * 3)
    assert data.mapping(other).columns["answer"] == "label", "as many values are not yet the same classes"


def test_a_column_that_is_mostly_empty_is_the_last_choice() -> None:
    rows = table(text=ASKED, slots=[{"a": 1}, None, None] * 3, intents=CLASSES)
    assert data.mapping(rows).columns["answer"] == "intents"


def test_an_unsure_guess_is_one_message_with_a_line_to_paste() -> None:
    rows = table(words=ASKED, one=CLASSES, two=CLASSES[::-1])
    with pytest.raises(DataError) as caught:
        data.read(rows)
    line = 'COLUMNS = {"question": "words", "answer": "one"}'
    assert line in str(caught.value) and "'two'" in str(caught.value)
    pasted: dict = {}
    exec(line, pasted)
    assert data.read(rows, columns=pasted["COLUMNS"])[0].answer == "delivery"


def test_what_was_understood_is_shown_with_three_rows_from_the_whole_file() -> None:
    shown = data.mapping(table(Inhalt=ASKED, Gruppe=CLASSES))
    assert [row.line for row in shown.rows] == [1, 5, 9]
    text = str(shown)
    assert shown.paste in text and "user: Your shop charged" in text and "assistant: fault" in text
    again: dict = {}
    exec(shown.paste, again)
    assert again["COLUMNS"] == shown.columns


def test_numbers_as_answers_are_doubted() -> None:
    assert "numbers" in data.mapping(table(text=ASKED, label=[0, 1, 2] * 3)).notes[0]
    assert data.mapping(table(text=ASKED, label=CLASSES)).notes == ()


# --- COLUMNS ---


def test_columns_join_by_a_template_or_a_list() -> None:
    rows = table(title=["A lamp", "", "A chair"], body=["It broke", "Where is it?", None], label=["x", "y", "x"])
    for several in ("{title}\n\n{body}", ["title", "body"]):
        read = data.read(rows, columns={"question": several, "answer": "label"})
        assert [one.question for one in read] == ["A lamp\n\nIt broke", "Where is it?", "A chair"]
        assert read[0].extra == {}
    quoted = data.read(rows, columns={"question": "Title: {title}", "answer": "label", "system": "body"})
    assert [one.messages[0] for one in quoted][:1] == [{"role": "system", "content": "It broke"}]
    assert quoted[0].question == "Title: A lamp"
    report = data.check(rows, columns={"question": "{title}\n\n{body}", "answer": "label"}, near_duplicates=False)
    assert report.mapping["question"] == "{title}\n\n{body}" and len(report.rows) == 3


def test_repair_understands_as_read_does(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "why"}, {"role": "assistant", "content": "so "}]
    joined = {"question": "{title}\n\n{body}", "answer": "label"}
    for rows, columns in (
        (
            lines([{"dialog": [{**turn, "content": f"{turn['content']} {n}"} for turn in turns]} for n in range(12)]),
            None,
        ),
        (table(title=ASKED, body=REPLIES, label=[f" {one}" for one in CLASSES]), joined),
    ):
        done = data.repair(rows, data.check(rows, columns=columns, provider="general"), to=tmp_path / "x.jsonl")
        before, after = data.read(rows, columns=columns), data.read(done.path)
        assert [one.question for one in after] == [one.question for one in before]
        assert [one.answer for one in after] == [one.answer.strip() for one in before]


def test_several_columns_as_the_answer_are_the_fields_of_an_object() -> None:
    rows = table(text=["a b", "c d"], kind=["x", "y"], order=["12", ""], n=[1, 2])
    columns = {"question": "text", "answer": ["kind", "order", "n"]}
    answers = [json.loads(one.answer) for one in data.read(rows, columns=columns)]
    assert answers == [{"kind": "x", "order": "12", "n": 1}, {"kind": "y", "order": None, "n": 2}]
    again: dict = {}
    exec(data.mapping(rows, columns).paste, again)
    assert again["COLUMNS"] == columns
    assert len(data.check(rows, columns=again["COLUMNS"]).rows) == 2


@pytest.mark.parametrize("day", ["2024-05-01", "01-05-2024", "1.5.24", "05/01/2024 10:00"])
def test_a_date_is_no_answer_whatever_its_column_is_called(day: str) -> None:
    rows = table(Inhalt=ASKED, label_date=[day, day, day.replace("2024", "2023")] * 3, Gruppe=CLASSES)
    assert data.mapping(rows).columns["answer"] == "Gruppe"


def test_what_tells_about_a_row_is_no_answer() -> None:
    with pytest.raises(DataError, match="No column looks like the answer"):
        data.read(table(words=ASKED, split=CLASSES, lang=["en", "de", "en"] * 3))
    assert "'mood'" in data.mapping(table(text=ASKED, label=CLASSES, mood=CLASSES[::-1], split=CLASSES)).why
    assert "split" not in data.mapping(table(text=ASKED, label=CLASSES, split=CLASSES)).why


def test_a_template_leaves_the_texts_as_they_are() -> None:
    rows = table(a=["one\n\n\n\ntwo ", ""], b=[" three", " four"], c=["x", "y"])
    read = data.read(rows, columns={"question": ["a", "b"], "answer": "c"})
    assert [one.question for one in read] == ["one\n\n\n\ntwo \n\n three", " four"]


def test_a_template_never_formats_what_it_joins() -> None:
    rows = table(a=["{b.__class__}"] * 2, b=["{0}", "%s"], c=["x", "y"])
    assert data.read(rows, columns={"question": "{a} {b}", "answer": "c"})[0].question == "{b.__class__} {0}"


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"question": "text"}, 'does not say which column is the answer.*"answer": "label"'),
        ({"answer": "label"}, 'does not say which column is the question.*"question": "text"'),
        ({"frage": "text", "answer": "label"}, "no part 'frage'.*COLUMNS = {"),
        ({"text": "question", "label": "answer"}, 'wrong way round.*COLUMNS = {"question": "text", "answer": "label"}'),
        ({"question": "txt", "answer": "label"}, "no column 'txt'. Did you mean 'text'"),
        ({"question": "{text} {titel}", "answer": "label"}, "no column 'titel'.*'text', 'label'"),
        ({"question": ["text", "none"], "answer": "label"}, "no column 'none'"),
        ({"question": 3, "answer": "label"}, "names no column"),
        ({"question": [], "answer": "label"}, "names no column"),
        ("text", "not a dictionary"),
        (["text", "label"], "not a dictionary"),
        ({"question": "text", "preferred": "label"}, "which column is the rejected"),
        ({"messages": "text", "answer": "label"}, "must be the only entry"),
    ],
)
def test_wrong_columns_say_what_to_write(columns: object, told: str) -> None:
    rows = table(text=ASKED, label=CLASSES)
    for call in (data.mapping, data.read, lambda rows, columns: data.check(rows, columns=columns)):
        with pytest.raises(DataError, match=told) as caught:
            call(rows, columns)
        assert "COLUMNS = {" in str(caught.value)


# --- shapes ---


def test_alpaca_keeps_the_instruction_and_the_input() -> None:
    rows = [
        {"instruction": f"{a} it", "input": text, "output": "done"}
        for a, text in zip("abc", ("x", "", "z"), strict=True)
    ]
    read = data.read(lines(rows))
    assert [one.question for one in read] == ["a it\n\nx", "b it", "c it\n\nz"]
    same = [
        {"instruction": "Sort it.", "input": text, "output": label} for text, label in zip(ASKED, CLASSES, strict=True)
    ]
    assert [m["role"] for m in data.read(lines(same))[0].messages] == ["system", "user", "assistant"]
    without = [{"instruction": text, "input": "", "output": label} for text, label in zip(ASKED, CLASSES, strict=True)]
    assert [one.question for one in data.read(lines(without))] == ASKED


def test_a_context_stands_above_its_question() -> None:
    rows = table(context=[f"{text}, says the letter" for text in ASKED], question=ASKED, answer=REPLIES)
    assert data.read(rows)[0].question == f"{ASKED[0]}, says the letter\n\n{ASKED[0]}"
    assert data.check(rows, near_duplicates=False).mapping["question"] == "{context}\n\n{question}"
    dolly = rows.rename(columns={"question": "instruction", "answer": "response"})
    assert data.mapping(dolly).columns == {"question": "{instruction}\n\n{context}", "answer": "response"}


def test_conversations_bring_their_system_prompt_and_tools() -> None:
    row = {
        "conversations": [
            {"from": "human", "value": "Weather?"},
            {"from": "function_call", "value": '{"name": "look", "arguments": {"where": "here"}}'},
            {"from": "observation", "value": "rain"},
            {"from": "gpt", "value": "It rains."},
        ],
        "system": "Be brief.",
        "tools": '[{"name": "look", "description": "", "parameters": {"type": "object", "properties": {}}}]',
    }
    example = data.read(lines([row]))[0]
    assert [m["role"] for m in example.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert example.tools[0]["function"]["name"] == "look"
    call = example.messages[2]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"where": "here"}
    assert example.messages[3]["tool_call_id"] == call["id"]
    assert not {"bad_role", "tool_call", "tool_call_id"} & set(data.check(lines([row])).problems["code"])


def test_calls_of_tools_in_columns() -> None:
    tools = json.dumps([{"name": "look", "description": "", "parameters": {"type": "object", "properties": {}}}])
    rows = [{"query": text, "tools": tools, "answers": '[{"name": "look", "arguments": {"n": 1}}]'} for text in ASKED]
    example = data.read(lines(rows))[0]
    assert example.tools[0]["function"]["name"] == "look"
    assert example.messages[-1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"n":1}'}


def test_a_conversation_in_a_column_of_any_name() -> None:
    turns = [{"role": "user", "content": "why"}, {"role": "assistant", "content": "so"}]
    for cell in (turns, json.dumps(turns)):
        rows = [{"id": n, "dialog": cell} for n in range(9)]
        assert data.mapping(lines(rows)).columns == {"messages": "dialog"}
        assert data.read(lines(rows))[0].answer == "so"


def test_pairs_of_whole_conversations_keep_the_question_once() -> None:
    asked = "\n\nHuman: Who are you?\n\nAssistant: A shop.\n\nHuman: Which?\n\nAssistant:"
    transcripts = data.read(lines([{"chosen": asked + " The red one.", "rejected": asked + " Guess."}]))[0]
    turn = {"role": "user", "content": "why"}
    good, bad = ({"role": "assistant", "content": text} for text in ("so", "no"))
    listed = data.read(lines([{"prompt": "why", "chosen": [turn, good], "rejected": [turn, bad]}]))[0]
    factory = {"conversations": [{"from": "human", "value": "why"}], "chosen": {"from": "gpt", "value": "so"},
               "rejected": {"from": "gpt", "value": "no"}}  # fmt: skip
    told = data.read(lines([factory]))[0]
    assert [m["role"] for m in transcripts.messages] == ["user", "assistant", "user", "assistant"]
    assert transcripts.answer == "The red one."
    assert transcripts.extra["non_preferred_output"] == [{"role": "assistant", "content": "Guess."}]
    for example in (listed, told):
        assert example.messages == (turn, good) and example.extra["non_preferred_output"] == [bad]


@pytest.mark.parametrize("form", ["columns", "split", "list"])
def test_tables_as_pandas_and_datasets_write_them_to_json(form: str, tmp_path: Path) -> None:
    rows = table(text=ASKED, label=CLASSES)
    written = json.dumps(rows.to_dict("list")) if form == "list" else rows.to_json(orient=form)
    (tmp_path / "x.json").write_text(written)
    assert [one.question for one in data.read(tmp_path / "x.json")] == ASKED


def test_a_named_index_is_a_column() -> None:
    assert [one.question for one in data.read(table(text=ASKED, label=CLASSES).set_index("text"))] == ASKED


def test_a_class_s_number_goes_before_a_title() -> None:
    rows = table(**{"Class Index": [1, 2, 3] * 3, "Title": [text[:12] for text in ASKED], "Description": ASKED})
    assert data.mapping(rows).columns == {"question": "{Title}\n\n{Description}", "answer": "Class Index"}


def test_empty_answers_are_doubted() -> None:
    said = data.mapping(table(text=ASKED, label=["a", "b", None] * 3)).notes[0]
    assert "3 of the 9 cells looked at in 'label' are empty" in said


def test_odd_tools_and_pairs_are_shown_too() -> None:
    row = {"messages": [{"role": "user", "content": "why"}, {"role": "assistant", "content": "so"}], "tools": []}
    row["tools"].append({"function": "x"})
    assert "tools: ?" in str(data.mapping(lines([row])))
    pair = {"prompt": "why", "chosen": "so", "rejected": "no"}
    assert "instead of: no" in str(data.mapping(lines([pair])))


def test_a_column_of_texts_may_be_called_messages() -> None:
    for name in ("messages", "contents"):
        assert [one.question for one in data.read(table(**{name: ASKED, "label": CLASSES}))] == ASKED
    assert data.check(lines([{"messages": "hello"}])).problems["code"].tolist().count("messages") == 1


def test_prompt_and_completion_may_be_conversations() -> None:
    turns = [[{"role": "user", "content": "why"}], [{"role": "assistant", "content": "so"}]]
    example = data.read(lines([{"prompt": turns[0], "completion": turns[1]}] * 9))[0]
    assert example.messages == (*turns[0], *turns[1])


def test_a_prompt_that_ends_in_assistant_stays_a_text() -> None:
    asked = "\n\nHuman: why?\n\nAssistant:"
    assert data.read(lines([{"prompt": asked, "completion": " so"}] * 2))[0].messages[0]["content"] == asked


def test_reading_changes_no_cell_of_the_reader_s() -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "function": {"name": "f"}}]}
    turns = [call, {"role": "tool", "content": "x"}, {"role": "assistant", "content": "so"}]
    rows = table(dialog=[turns] * 3)
    assert data.read(rows)[0].messages[1]["tool_call_id"] == "a"
    assert "tool_call_id" not in turns[1]


def test_a_list_within_one_object_is_the_table(tmp_path: Path) -> None:
    rows = [{"question": text, "answer": reply} for text, reply in zip(ASKED, REPLIES, strict=True)]
    for indent in (None, 1):
        path = tmp_path / "data.json"
        path.write_text(json.dumps({"version": "1", "data": rows}, indent=indent))
        assert [one.question for one in data.read(path)] == ASKED


# --- Parquet and Arrow ---

FEATURES = {
    "text": {"dtype": "string", "_type": "Value"},
    "label": {"names": ["ham", "spam"], "_type": "ClassLabel"},
    "tags": {"feature": {"names": ["low", "high"], "_type": "ClassLabel"}, "_type": "Sequence"},
}
"""As the library ``datasets`` writes them into the schema's metadata."""


@pytest.mark.parametrize("kind", ["parquet", "file", "stream"])
def test_class_numbers_become_their_names(kind: str, tmp_path: Path) -> None:
    made = arrow.table({"text": ASKED, "label": [0, 1, -1] * 3, "tags": [[0, 1]] * 9})
    made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": FEATURES}})})
    path = tmp_path / f"x.{'parquet' if kind == 'parquet' else 'arrow'}"
    if kind == "parquet":
        parquet.write_table(made, path)
    else:
        new = arrow.ipc.new_file if kind == "file" else arrow.ipc.new_stream
        with new(str(path), made.schema) as writer:
            writer.write_table(made)
    read = data.read(path, columns={"question": "text", "answer": "label"})
    assert [one.answer for one in read[:3]] == ["ham", "spam", ""]
    assert read[0].extra["tags"] == ["low", "high"]
    assert "'label'" in data.mapping(path).notes[0]


def test_keys_that_most_rows_lack_are_absent_not_null(tmp_path: Path) -> None:
    slots = [{"food": "thai"}, {"food": "greek", "area": "north"}, {"name": "Bo"}] * 3
    full = [{"category": one, "order": None if n == 4 else n} for n, one in enumerate(CLASSES)]
    parquet.write_table(arrow.table({"text": ASKED, "slots": slots, "more": full}), tmp_path / "x.parquet")
    read = data.read(tmp_path / "x.parquet", columns={"question": "text", "answer": "slots"})
    assert [json.loads(one.answer) for one in read] == slots
    read = data.read(tmp_path / "x.parquet", columns={"question": "text", "answer": "more"})
    again = data.read(pd.read_parquet(tmp_path / "x.parquet"), columns={"question": "text", "answer": "slots"})
    assert [json.loads(one.answer) for one in again] == slots
    assert [json.loads(one.answer) for one in read] == full, "a key that is filled in most rows keeps its nulls"


def test_chat_turns_from_parquet_have_no_null_keys(tmp_path: Path) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}  # fmt: skip
    turns = [{"role": "user", "content": "why"}, call, {"role": "tool", "content": "x", "tool_call_id": "a"},
             {"role": "assistant", "content": "so"}]  # fmt: skip
    parquet.write_table(arrow.table({"messages": [turns] * 3}), tmp_path / "x.parquet")
    messages = data.read(tmp_path / "x.parquet")[0].messages
    assert messages[0] == turns[0] and messages[3] == turns[3] and messages[2]["tool_call_id"] == "a"
    assert not faulty_rows(data.check(data.read(tmp_path / "x.parquet")))
    assert data.read(pd.read_parquet(tmp_path / "x.parquet"))[0].messages == messages


# --- workbooks, archives, tables as text ---


def workbook(path: Path, **sheets: list[list]) -> Path:
    with pd.ExcelWriter(path) as writer:
        for name, rows in sheets.items():
            pd.DataFrame(rows).to_excel(writer, sheet_name=name, header=False, index=False)
    return path


def test_the_sheet_with_the_table_is_taken_and_named(tmp_path: Path) -> None:
    rows = [["text", "label"], *map(list, zip(ASKED, CLASSES, strict=True))]
    path = workbook(
        tmp_path / "b.xlsx", Cover=[["Export"], ["of May"]], Data=[["An export", ""], ["", ""], *rows], Old=rows[:4]
    )
    understood = data.mapping(path)
    assert [one.question for one in data.read(path)] == ASKED
    assert "'Data'" in understood.notes[0] and "'Cover'" in understood.notes[0]
    assert len(data.read(f"{path}#old")) == 3
    assert len(data.check(f"{path}#Old").rows) == 3
    with pytest.raises(DataError, match="no sheet 'New'.*'Cover', 'Data', 'Old'"):
        data.read(f"{path}#New")


def test_one_table_in_an_archive_is_read_and_several_are_listed(tmp_path: Path) -> None:
    text = table(text=ASKED, label=CLASSES).to_csv(index=False).encode()
    for ending, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        (tmp_path / f"t.csv.{ending}").write_bytes(pack(text))
        assert [one.question for one in data.read(tmp_path / f"t.csv.{ending}")] == ASKED
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    with zipfile.ZipFile(one, "w") as archive:
        archive.writestr("__MACOSX/._t.csv", b"x")
        archive.writestr("readme", b"x")
        archive.writestr("in/t.csv", text)
    assert [row.answer for row in data.read(one)] == CLASSES
    assert "in/t.csv" in data.mapping(one).notes[0]
    with zipfile.ZipFile(two, "w") as archive:
        archive.writestr("train.csv", text)
        archive.writestr("test.csv", text)
    with pytest.raises(DataError, match=r"contains 2 files.*train.csv, test.csv.*two.zip#train.csv") as caught:
        data.read(two)
    assert "workbook" not in str(caught.value)
    assert len(data.read(f"{two}#test.csv")) == 9
    with pytest.raises(DataError, match="no file 'x.csv'"):
        data.read(f"{two}#x.csv")


def test_check_reports_rows_of_unknown_columns_one_by_one() -> None:
    report = data.check(lines([{"foo": 1, "bar": 2}] * 3))
    assert report.problems.query("code == 'unknown_shape'")["line"].tolist() == [1, 2, 3]


def test_what_can_be_read_is_not_therefore_what_a_host_takes() -> None:
    chats = lines([{"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": reply}]}
                   for text, reply in zip(ASKED * 2, REPLIES * 2, strict=True)])  # fmt: skip
    assert data.check(chats, provider="local").ok
    wrapped = b'{"data": [' + chats.replace(b"\n", b",") + b"]}"
    for raw in (gzip.compress(chats), _zip(a=chats), wrapped):
        assert len(data.read(raw)) == 18
        assert "not_jsonl" in set(data.check(raw, provider="local").problems["code"])


HEADLESS = {
    "tabs": "\n".join(f"{label}\t{text}" for label, text in zip(CLASSES, ASKED, strict=True)),
    "commas": "\n".join(f'"{text}, please","{label}"' for label, text in zip(CLASSES, ASKED, strict=True)),
    "two texts": "\n".join(f"{text};{reply}" for text, reply in zip(ASKED, REPLIES, strict=True)),
    "a number first": "\n".join(
        f"{n},{text},{label}" for n, (text, label) in enumerate(zip(ASKED, CLASSES, strict=True))
    ),
}


@pytest.mark.parametrize("case", HEADLESS)
@pytest.mark.parametrize("name", ["t.csv", "t.txt", "t", "t.data"])
def test_a_table_without_heading_loses_no_row(case: str, name: str, tmp_path: Path) -> None:
    path = csv_file(tmp_path, HEADLESS[case], name)
    read = data.read(path)
    assert len(read) == 9 and read[0].question.startswith(ASKED[0]) and read[0].line == 1
    assert any("1, 2" in note for note in data.mapping(path).notes)


def test_a_heading_stays_a_heading(tmp_path: Path) -> None:
    survey = ("What do you like about us?", "What shall we do better?")
    assert (
        len(
            data.read(
                csv_file(
                    tmp_path, table(**dict(zip(survey, (REPLIES, REPLIES[::-1]), strict=True))).to_csv(index=False)
                )
            )
        )
        == 9
    )
    ruled = "| Inhalt | Gruppe |\n|---|---|\n" + "\n".join(
        f"| {a} | {b} |" for a, b in zip(ASKED, CLASSES, strict=True)
    )
    assert len(data.read(csv_file(tmp_path, ruled, "t.md"))) == 9
    for names in (("Was ist Ihr Anliegen?", "Gruppe"), ("Inhalt", "Gruppe"), ("text", "label")):
        text = table(**{names[0]: ASKED, names[1]: CLASSES}).to_csv(index=False)
        assert len(data.read(csv_file(tmp_path, text))) == 9, names


def test_lines_of_title_are_passed_over_and_a_lone_heading_is_not(tmp_path: Path) -> None:
    body = table(text=ASKED, label=CLASSES).to_csv(index=False)
    for above in ("sep=,\n", "Export of May\n\n", "Export,\nof May,\n"):
        path = csv_file(tmp_path, above + body)
        assert [one.question for one in data.read(path)] == ASKED
        assert "skipped" in data.mapping(path).notes[0]
    numbered = "\n".join([",text", *(f"{n},{text}" for n, text in enumerate(ASKED))])
    assert [one.answer for one in data.read(csv_file(tmp_path, numbered))] == ASKED


def test_a_lone_quote_swallows_no_rows(tmp_path: Path) -> None:
    rows = [*zip(CLASSES, ASKED, strict=True), ("fault", '"never'), ("fault", 'again "it broke'), ("refund", "end")]
    path = csv_file(tmp_path, "\n".join("\t".join(row) for row in rows), "t.tsv")
    assert [one.question for one in data.read(path)][-3:] == ['"never', 'again "it broke', "end"]
    cells = table(text=[f"{text}\nand more" for text in ASKED], label=CLASSES)
    assert data.read(csv_file(tmp_path, cells.to_csv(index=False)))[0].question == f"{ASKED[0]}\nand more"


def test_columns_that_stand_below_each_other(tmp_path: Path) -> None:
    body = [f"{label:<12}{text:<40}{n:>4}" for n, (label, text) in enumerate(zip(CLASSES, ASKED, strict=True))]
    headed = [f"{'Gruppe':<12}{'Inhalt':<40}{'No':>4}", "-" * 56, *body]
    for text in ("\n".join(headed), "\n".join(body)):
        read = data.read(csv_file(tmp_path, text, "t.txt"))
        assert [one.question for one in read] == ASKED and [one.answer for one in read] == CLASSES


# --- found on public data sets (benchmarks/public_sets.toml) ---


def talk(*turns: tuple[str, str], who: str, said: str) -> list[dict]:
    return [{who: speaker, said: text} for speaker, text in turns]


@pytest.mark.parametrize(
    ("who", "said", "users", "assistant"),
    [
        ("speaker", "utterance", "USER", "SYSTEM"),
        ("role", "text", "Raj", "Sheldon"),
        ("speaker", "text", "customer", "agent"),
        ("from", "text", "human", "gpt"),
    ],
)
def test_turns_by_other_names_are_conversations(who: str, said: str, users: str, assistant: str) -> None:
    turns = talk((users, "why"), (assistant, "so"), (users, "how"), (assistant, "thus"), who=who, said=said)
    rows = [{"dialogue_id": f"1_{n}", "services": ["Shops_1"], "turns": turns} for n in range(9)]
    assert data.mapping(lines(rows)).columns == {"messages": "turns"}
    example = data.read(lines(rows))[0]
    assert [(m["role"], m["content"]) for m in example.messages] == [
        ("user", "why"), ("assistant", "so"), ("user", "how"), ("assistant", "thus")]  # fmt: skip


def test_of_speakers_by_name_the_last_one_answers_and_of_several_others_each_keeps_the_name() -> None:
    turns = talk(("Raj", "hello"), ("Penny", "hi"), ("Sheldon", "Bazinga"), who="role", said="text")
    example = data.read(lines([{"dialogue": turns}] * 9))[0]
    assert [(m["role"], m["content"]) for m in example.messages] == [
        ("user", "Raj: hello"), ("user", "Penny: hi"), ("assistant", "Bazinga")]  # fmt: skip


def test_text_in_a_wrapper_is_text() -> None:
    rows = [{"userInput": {"text": text}, "labels": [{"slot": "what", "value": label}]}
            for text, label in zip(ASKED, CLASSES, strict=True)]  # fmt: skip
    read = data.read(lines(rows))
    assert [one.question for one in read] == ASKED and json.loads(read[0].answer) == rows[0]["labels"]
    parts = [{"role": role, "content": [{"type": "text", "value": text}], "loss_weight": 1.0}
             for role, text in (("user", "why"), ("assistant", "so"))]  # fmt: skip
    example = data.read(lines([{"messages": parts}]))[0]
    assert (example.question, example.answer) == ("why", "so")


def test_parts_of_a_message_that_are_no_text_are_a_message_to_the_reader() -> None:
    parts = [{"role": role, "content": [{"type": kind, "value": "so"}]}
             for role, kind in (("user", "text"), ("assistant", "reasoning"))]  # fmt: skip
    with pytest.raises(DataError, match="line 1: .*'reasoning'"):
        data.read(lines([{"messages": parts}]))


def test_a_workbook_whose_table_does_not_fit_names_the_other_sheets(tmp_path: Path) -> None:
    comments = [["textDisplay", "authorDisplayName", "authorChannelUrl"],
                *[[text, f"name {n // 3}", f"http://x/{n // 3}"] for n, text in enumerate(ASKED * 2)]]  # fmt: skip
    path = workbook(
        tmp_path / "b.xlsx", All=comments, Labelled=[["Inhalt", "Gruppe"], *zip(ASKED, CLASSES, strict=True)]
    )
    for call in (data.mapping, data.read):
        with pytest.raises(DataError, match="No column looks like the answer.*'Labelled'"):
            call(path)
    assert len(data.read(f"{path}#Labelled")) == 9


def test_no_column_is_proposed_that_cannot_be_it() -> None:
    rows = table(text=ASKED, author=[f"name {n // 3}" for n in range(9)], source=["a", "b", "c"] * 3)
    with pytest.raises(DataError, match=r'COLUMNS = \{"question": "text", "answer": "…"\}'):
        data.read(rows)


def test_empty_columns_before_a_table_do_not_hide_its_heading(tmp_path: Path) -> None:
    rows = [["", "FELIX", "", ""], ["", "Nr", "Frage", "Gruppe"],
            *[["", n, text, label] for n, (text, label) in enumerate(zip(ASKED, CLASSES, strict=True))]]  # fmt: skip
    path = workbook(tmp_path / "b.xlsx", Tabelle1=rows)
    assert [(one.question, one.answer) for one in data.read(path)] == list(zip(ASKED, CLASSES, strict=True))


@pytest.mark.parametrize("heading", ["", "Gruppe;Inhalt\n"])
def test_a_table_whose_quotes_are_single_ones(heading: str, tmp_path: Path) -> None:
    said = [f"{text}; \"twice\" isn''t it" for text in ASKED]
    said[3] = ASKED[3]  # only where a cell needs them
    cells = [f"'{text}'" if ";" in text else text for text in said]
    body = "\n".join(f"{label};{cell}" for label, cell in zip(CLASSES, cells, strict=True))
    read = data.read(csv_file(tmp_path, heading + body))
    assert [one.question for one in read] == [text.replace("''", "'") for text in said]
    assert [one.answer for one in read] == CLASSES
    plain = table(text=[f"'{text}' they said" for text in ASKED], label=CLASSES).to_csv(index=False)
    assert data.read(csv_file(tmp_path, plain))[0].question == f"'{ASKED[0]}' they said"


# --- an address ---


@pytest.fixture
def site():
    """A server on this machine: a table, a web page, a refusal."""
    asked = []

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = {"/t.csv": table(text=ASKED, label=CLASSES).to_csv(index=False).encode(),
                    "/page.csv": b"<!DOCTYPE html><html>sign in</html>"}.get(self.path)  # fmt: skip
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_an_address_is_fetched_once_and_only_with_consent(site, tmp_path: Path, monkeypatch) -> None:
    address, asked = site
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for call in (data.read, data.mapping, data.check, data.fetch):
        with pytest.raises(DataError, match="MAY_DOWNLOAD = True"):
            call(f"{address}/t.csv")
    assert asked == []
    path = data.fetch(f"{address}/t.csv", may_download=True)
    assert data.fetch(f"{address}/t.csv", may_download=True) == path and asked == ["/t.csv"]
    assert [one.question for one in data.read(path)] == ASKED and tmp_path in Path(path).parents
    for page, told in (("page.csv", "web page"), ("none.csv", "could not be fetched.*404")):
        with pytest.raises(DataError, match=told):
            data.fetch(f"{address}/{page}", may_download=True)
    Path(path).unlink()
    monkeypatch.setattr(fetching, "LARGEST", 100)
    with pytest.raises(DataError, match="larger than"):
        data.fetch(f"{address}/t.csv", may_download=True)
    assert [one for one in (tmp_path / "downloads").rglob("*") if one.is_file()] == []
    assert data.fetch("a.csv") == "a.csv"


@pytest.mark.parametrize("first", ["PK", "ORCID", "ORC"])
def test_a_table_is_not_refused_for_the_letters_of_its_first_column(first: str) -> None:
    found = data.read(f"{first},question,answer\n1,Where is it?,here\n2,And this?,thère\n".encode())
    assert [one.answer for one in found] == ["here", "thère"]
    with pytest.raises(DataError, match="an ORC file"):
        data.read(b"ORC\n\x0b\n\x03\x00\x00\x00\x12" + b"stripes" * 20 + b"\x03ORC")


def test_the_count_of_empty_answers_is_said_and_dates_that_are_none_are_empty() -> None:
    rows = table(question=[f"question {n} of its own" for n in range(600)], answer=["yes", "no"] * 299 + ["yes", ""])
    assert any("1 of the 600 cells looked at in 'answer' is empty" in note for note in data.mapping(rows).notes)
    dated = table(text=ASKED, label=[*CLASSES[:-1], pd.NaT])
    assert data.read(dated)[-1].answer == ""
    assert cell_text(pd.NaT) == cell_text(np.datetime64("NaT")) == cell_text(float("nan")) == ""
    assert cell_text(pd.Timestamp("2026-11-29")) == "2026-11-29T00:00:00"


SHEET = "https://docs.google.com/spreadsheets/d/1aB-c_9"


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (f"{SHEET}/edit#gid=0", f"{SHEET}/export?format=csv&gid=0"),
        (f"{SHEET}/edit?usp=sharing&gid=71#gid=71", f"{SHEET}/export?format=csv&gid=71"),
        (f"{SHEET}/edit?usp=sharing", f"{SHEET}/export?format=csv"), (SHEET, f"{SHEET}/export?format=csv"),
        (f"{SHEET}/export?format=xlsx", f"{SHEET}/export?format=xlsx"),
        ("https://docs.google.com/spreadsheets/d/e/2PA-x/pub?output=csv",
         "https://docs.google.com/spreadsheets/d/e/2PA-x/pub?output=csv"),
    ],
)  # fmt: skip
def test_a_link_to_a_google_sheet_is_read_as_the_sheet_that_it_shows(given, asked, tmp_path, monkeypatch) -> None:
    fetched: list[str] = []
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    monkeypatch.setattr(fetching, "_download", lambda address, place: fetched.append(address))
    path = data.fetch(given, may_download=True)
    assert fetched == [asked] and "#" not in str(path)


# --- what is said of the rows ---


def test_one_answer_throughout_is_a_warning() -> None:
    rows = table(text=ASKED * 2, label=["fault"] * 18)
    assert data.check(rows).problems.query("code == 'one_answer'")["severity"].tolist() == ["warning"]
    assert "one_answer" not in set(data.check(table(text=ASKED * 2, label=CLASSES * 2)).problems["code"])


def test_equal_rows_are_one_finding_and_one_line_of_the_view() -> None:
    rows = table(text=["the same old text"] * 200 + ASKED, label=["fault"] * 200 + CLASSES)
    report = data.check(rows, provider="general")
    assert report.problems.query("code == 'equal_rows'")["message"].str.contains("200 of 209").tolist() == [True]
    assert report._repr_html_().count("<td>duplicate</td>") == 1
    assert "(199 lines)" in report._repr_html_()


def test_a_small_file_is_not_a_bad_one() -> None:
    report = data.check(data.read(table(text=ASKED[:8], label=CLASSES[:8])), provider="openai")
    assert not report.ok and not faulty_rows(report)
    assert faulty_rows(data.check(lines([{"messages": []}, {"messages": []}]))) == {1, 2}


def test_many_labels_leave_the_split_s_table_readable() -> None:
    rows = [
        Example(
            (
                {"role": "user", "content": f"{n * 7919:x} {n * 104729:x}"},
                {"role": "assistant", "content": f"L{n % 77}"},
            )
        )
        for n in range(1, 771)
    ]
    shown = data.split(rows, {"train": 0.5, "test": 0.5}, label=lambda row: row.answer).report()
    assert len(shown.columns) < 20 and shown.loc["train", "labels"] == 77
    assert shown.loc["train", [name for name in shown if name.endswith(" %")]].sum() == pytest.approx(100, abs=1)
    assert "and 65 more %" in shown.columns


# --- broken and odd files ---


def _zip(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return packed.getvalue()


def _locked() -> bytes:
    """A zip whose only member is marked as encrypted, in both headers."""
    raw = bytearray(_zip(t=b"question,answer\na,b\n"))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


def _book() -> bytes:
    made = io.BytesIO()
    table(text=ASKED, label=CLASSES).to_excel(made, index=False)
    return made.getvalue()


def _parquet() -> bytes:
    made = io.BytesIO()
    table(text=ASKED, label=CLASSES).to_parquet(made)
    return made.getvalue()


def _empty_book() -> bytes:
    made = io.BytesIO()
    pd.DataFrame().to_excel(made, index=False)
    return made.getvalue()


CSV = table(text=ASKED, label=CLASSES).to_csv(index=False).encode()
TAR = b"t.csv".ljust(257, b"\0") + b"ustar" + b"\0" * 300

BROKEN: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.csv", b"", "contains no rows"),
    "empty json lines": ("a.jsonl", b"", "contains no rows"),
    "blank lines only": ("a.csv", b"\n \n\n", "contains no rows"),
    "heading only": ("a.csv", b"question,answer\n", "contains no rows"),
    "byte-order mark only": ("a.csv", b"\xef\xbb\xbf", "contains no rows"),
    "an empty list": ("a.json", b"[]", "contains no rows"),
    "zero bytes": ("a.csv", b"\0" * 4096, "zero bytes"),
    "a pdf called csv": ("a.csv", b"%PDF-1.7\n1 0 obj", "a PDF"),
    "an old workbook": ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "Save it as .xlsx"),
    "a locked workbook": ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "password"),
    "csv called xlsx": ("a.xlsx", CSV, "not a .xlsx file"),
    "csv called parquet": ("a.parquet", CSV, "not a .parquet file"),
    "a cut workbook": ("a.xlsx", _book()[:1500], "damaged|cannot be read"),
    "an empty workbook": ("a.xlsx", _empty_book(), "no table"),
    "a cut parquet": ("a.parquet", _parquet()[:-100], "cannot be read"),
    "a cut gzip": ("a.csv.gz", gzip.compress(CSV * 50)[:-60], "damaged or cut off"),
    "a gzip of nothing": ("a.csv.gz", gzip.compress(b""), "contains no rows"),
    "a cut zip": ("a.zip", _zip(a=CSV * 20)[:-40], "damaged or cut off"),
    "an empty zip": ("a.zip", _zip(), "no table"),
    "a zip of pictures": ("a.zip", _zip(**{"a.png": b"x", "b.jpg": b"y"}), "no table.*a.png"),
    "a zip with a password": ("a.zip", _locked(), "password"),
    "a zip of two tables": ("a.zip", _zip(a=CSV, b=CSV), "contains 2 files"),
    "a document": ("a.docx", _zip(word__document=b"<xml/>"), "Word document"),
    "an open document": ("a.ods", _zip(**{"content.xml": b"<xml/>", "mimetype": b"x"}), "OpenDocument"),
    "a tar": ("a.tar", TAR, "tar archive"),
    "a packed tar": ("a.tar.gz", gzip.compress(TAR), "tar archive"),
    "a 7z": ("a.7z", b"7z\xbc\xaf\x27\x1c" + b"\0" * 50, "Unpack it"),
    "a rar": ("a.rar", b"Rar!\x1a\x07\x01\0" + b"\0" * 50, "Unpack it"),
    "a database": ("a.db", b"SQLite format 3\0" + b"\0" * 90, "Export the table"),
    "a pickle": ("a.pkl", b"\x80\x04\x95\x10", "run code"),
    "a picture": ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 90, "a picture"),
    "a web page called csv": ("a.csv", b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "web page.*Raw"),
    "xml": ("a.xml", b"<?xml version='1.0'?><a/>", "XML"),
    "a pointer": ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "running text": ("a.txt", b"There was a shop.\nIt sold lamps.\nNobody came, for years.\n", "neither a table nor"),
    "one column": ("a.csv", b"thing\n" + "\n".join(ASKED).encode(), "one column, 'thing'.*Add a column"),
    "numbers only": ("a.csv", b"x,y\n1,2\n3,4\n5,6\n", "No column looks like the question.*COLUMNS = {"),
    "an error in JSON": ("a.json", b'{"error": "not found", "status": 404}', "COLUMNS = {"),
    "cut json": ("a.json", b'[{"question": "a", "answer": "b"}, {"question": "c', "cannot be read.*data.check"),
    "a list of lists": ("a.json", b'[["a", "b"], ["c", "d"]]', "line 1: .*not an object"),
    "broken json lines": ("a.jsonl", b'{"question": "a", "answer": "b"}\n{"question": "c", "ans', "line 2"),
    "too many cells": ("a.csv", CSV + b"a,b,c,d\n", "line 11: 4 cells under 2 headings"),
    "no answer in a row": ("a.jsonl", lines([{"question": "a b c", "answer": "d"}, {"question": "e f"}]),
                           "line 2: The row has no 'answer'"),
    "a message that is text": ("a.jsonl", lines([{"messages": "hello"}]), "not a non-empty list"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_message_that_says_what_to_do(case: str, tmp_path: Path) -> None:
    name, content, told = BROKEN[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        data.mapping(tmp_path / name)
        data.read(tmp_path / name)
    assert caught.value.fix and len(str(caught.value)) < 1500
    try:
        data.check(tmp_path / name)
    except DataError as error:
        assert error.fix


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nowhere/a.csv", "no folder"),
        ("exampels.csv", 'Did you mean DATA = ".*examples.csv"'),
        ("", "is a folder.*examples.csv"),
        ("a\0b.csv", "There is no file"),
        ("x" * 300, "There is no file"),
        ("examples.csv#Sheet1", "has no parts"),
    ],
)
def test_a_path_that_is_none_says_what_to_write(path: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "examples.csv").write_bytes(CSV)
    for call in (data.mapping, data.read, data.check):
        with pytest.raises(DataError, match=told):
            call(f"{tmp_path}/{path}")
        with pytest.raises(DataError, match="names no file"):
            call("")


def test_a_notebook_shows_the_message_and_no_traceback(tmp_path: Path, capsys) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.run_cell("from helpers import data\ndata.read('none.csv')")
    shown = capsys.readouterr()
    text = shown.out + shown.err
    assert "DataError: There is no file 'none.csv'" in text
    assert "Traceback" not in text and "opening.py" not in text and "---" not in text
