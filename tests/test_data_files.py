"""Reading what people have, splitting without leaks, writing what providers take, and repairing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from test_data_check import LEGAL, PLANTED, clean_rows

from helpers import data
from helpers.errors import DataError
from helpers.records import Example

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "triage"


def lines(*rows: dict) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def sample() -> list[Example]:
    return [example for name in ("train", "validation", "test") for example in data.read(SAMPLE / f"{name}.jsonl")]


def category(example: Example) -> str:
    return json.loads(example.answer)["category"]


# --- read ---

SHAPES = {
    "chat": {"messages": [{"role": "user", "content": "why"}, {"role": "assistant", "content": "so"}]},
    "prompt_completion": {"prompt": "why", "completion": "so"},
    "question_answer": {"Question": "why", "Answer": "so"},
    "conversations": {"conversations": [{"from": "human", "value": "why"}, {"from": "gpt", "value": "so"}]},
    "contents": {"contents": [{"role": "user", "parts": [{"text": "why"}]},
                              {"role": "model", "parts": [{"text": "so"}]}]},
    "converse": {"schemaVersion": "bedrock-conversation-2024", "messages": [
        {"role": "user", "content": [{"text": "why"}]}, {"role": "assistant", "content": [{"text": "so"}]}]},
    "preference": {"input": {"messages": [{"role": "user", "content": "why"}]},
                   "preferred_output": [{"role": "assistant", "content": "so"}],
                   "non_preferred_output": [{"role": "assistant", "content": "no"}]},
    "preference_columns": {"prompt": "why", "chosen": "so", "rejected": "no"},
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_read(shape: str) -> None:
    example = data.read(lines(SHAPES[shape]))[0]
    assert (example.question, example.answer, example.line) == ("why", "so", 1)
    assert data.mapping(lines(SHAPES[shape])).shape == shape
    rejected = example.extra.get("non_preferred_output")
    assert rejected == ([{"role": "assistant", "content": "no"}] if shape.startswith("preference") else None)


def test_every_kind_of_file_is_read(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"Ticket": ["Wo ist die Tür?", "two\nlines, and a comma"], "Reply": ["Dort.", "yes"], "team": ["a", "b"]}
    )
    columns = {"question": "Ticket", "answer": "Reply"}
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_csv(tmp_path / "b.csv", index=False, sep=";", encoding="cp1252")
    table.to_csv(tmp_path / "c.tsv", index=False, sep="\t", encoding="utf-16")
    table.to_excel(tmp_path / "d.xlsx", index=False)
    table.to_parquet(tmp_path / "e.parquet")
    table.to_json(tmp_path / "f.json", orient="records", indent=1)
    table.to_json(tmp_path / "g.jsonl", orient="records", lines=True)
    for source in [*sorted(tmp_path.iterdir()), table]:
        examples = data.read(source, columns=columns)
        assert [e.question for e in examples] == table["Ticket"].tolist(), source
        assert [e.answer for e in examples] == table["Reply"].tolist(), source
        assert [e.extra["team"] for e in examples] == ["a", "b"]
    assert [example.line for example in data.read(tmp_path / "a.csv", columns=columns)] == [2, 3]


def test_unknown_columns_say_how_to_name_them() -> None:
    with pytest.raises(DataError, match="COLUMNS = "):
        data.read(lines({"foo": 1, "bar": 2}))
    assert data.read(lines({"foo": 1, "bar": 2}), columns={"question": "foo", "answer": "bar"})[0].answer == "2"


def test_rows_that_cannot_be_read_are_all_counted() -> None:
    raw = lines(*clean_rows()) + b"\n{broken\n[1]\n"
    with pytest.raises(DataError, match=r"2 rows cannot be read.*line 13.*line 14"):
        data.read(raw)


# --- write ---


@pytest.mark.parametrize(
    "provider", ["openai", "azure", "nebius", "together", "fireworks", "local", "bedrock", "vertex"]
)
def test_round_trip_in_every_provider_format(provider: str, tmp_path: Path) -> None:
    examples = data.read(lines(*clean_rows()))
    system = Example(({"role": "system", "content": "Be kind."}, *examples[0].messages))
    written = data.write([*examples, system], tmp_path / "out.jsonl", provider)
    assert [example.messages for example in data.read(written)] == [example.messages for example in [*examples, system]]
    assert data.check(written, provider=provider).ok


def test_everything_legal_survives_the_round_trip(tmp_path: Path) -> None:
    examples = data.read(lines(*LEGAL.values(), SHAPES["preference"]))
    written = data.write(examples, tmp_path / "out.jsonl")
    again = data.read(written)
    assert [(e.messages, e.tools, e.extra) for e in again] == [(e.messages, e.tools, e.extra) for e in examples]
    assert written.read_bytes() == data.write(again, tmp_path / "again.jsonl").read_bytes()


@pytest.mark.parametrize("provider", ["bedrock", "vertex"])
def test_what_a_format_cannot_say_is_refused_not_lost(provider: str, tmp_path: Path) -> None:
    for name in ("tool call with null content", "weight 0", "picture"):
        with pytest.raises(DataError, match="cannot be written"):
            data.write(data.read(lines(LEGAL[name])), tmp_path / "out.jsonl", provider)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_tables_cannot_run_formulas(ending: str, tmp_path: Path) -> None:
    evil = ['=HYPERLINK("http://x")', "+1+1", "-2", "@SUM(A1)", "\t=1"]
    examples = data.read(pd.DataFrame({"question": evil, "answer": evil, "=column": evil}))
    path = data.write(examples, tmp_path / f"out.{ending}")
    table = pd.read_csv(path) if ending == "csv" else pd.read_excel(path)
    for name in table.columns:
        assert table[name].str.startswith("'").all() and not name.startswith("=")


def test_a_file_is_never_left_half_written(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    data.write(data.read(lines(*clean_rows())), target)
    before = target.read_bytes()
    with pytest.raises(TypeError):
        data.write([Example(({"role": "user", "content": object()},))], target)
    assert target.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


# --- split ---


def test_split_sizes_labels_and_seed() -> None:
    examples = sample()
    one = data.split(examples, {"train": 240, "validation": 200, "test": 200}, seed=3, label=category)
    assert (len(one.train), len(one.validation), len(one.test)) == (240, 200, 200)
    everyone = Counter(category(example) for example in examples)
    for part in (one.train, one.validation, one.test):
        counts = Counter(category(example) for example in part)
        for label, count in everyone.items():
            assert abs(counts[label] - count * len(part) / len(examples)) <= 1.5
    again = data.split(examples[::-1], {"train": 240, "validation": 200, "test": 200}, seed=3, label=category)
    assert data.content_hash(again.test) == data.content_hash(one.test)
    other = data.split(examples, {"train": 240, "validation": 200, "test": 200}, seed=4, label=category)
    assert data.content_hash(other.test) != data.content_hash(one.test)
    report = one.report()
    assert report["rows"].tolist() == [240, 200, 200] and report.loc["test", "delivery %"] > 0
    assert one.closest(3)["similarity"].is_monotonic_decreasing


def test_near_duplicates_and_groups_never_part() -> None:
    things = [
        f"{word} {number}" for word in ("kettle", "lamp", "mirror") for number in ("first", "second", "third", "fourth")
    ]
    rows = []
    for i, thing in enumerate(things):
        text = f"the {thing} ordered with reference {i * 97:04d} did not arrive on {thing[::-1]} street, please look"
        rows += [
            {"question": text, "answer": "a", "who": i},
            {"question": text.replace("please", "kindly"), "answer": "a", "who": None},
        ]
    rows += [
        {"question": f"{word} {word[::-1]} {i}?", "answer": "b", "who": i % 4}
        for i, word in enumerate(("oak", "elm", "ash", "fir", "yew", "box"))
    ]
    examples = data.read(pd.DataFrame(rows).astype({"who": object}).where(lambda table: table.notna(), None))
    for seed in range(5):
        sizes = {"train": 0.6, "validation": 0.2, "test": 0.2}
        parts = data.split(examples, sizes, seed, group=lambda example: example.extra["who"])
        side = {example.line: name for name in ("train", "validation", "test") for example in getattr(parts, name)}
        assert len(side) == len(examples)
        for line in range(1, 25, 2):
            assert side[line] == side[line + 1], "near-duplicates on two sides"
        for who in range(4):
            assert len({side[e.line] for e in examples if e.extra["who"] == who}) == 1, "a group on two sides"
        assert data.check(parts.train, test=parts.test).problems.query("code in ('leak', 'near_leak')").empty


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"train": 2000}, "fewer examples"),
        ({"train": 0.9, "test": 0.2}, "more than 1"),
        ({"training": 5}, "unknown splits"),
        ({"train": -1}, "not a number"),
        ({}, "unknown splits"),
    ],
)
def test_impossible_sizes(sizes: dict, told: str) -> None:
    with pytest.raises(DataError, match=told):
        data.split(sample(), sizes)


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match="No rows are left"):
        data.split(data.read(lines(*clean_rows())), {"train": 0.5, "test": 0.5}, group=lambda _: "all")


# --- repair ---


def messy() -> bytes:
    """Every planted flaw, some that repeat the rows before them, and clean rows between."""
    clean = [json.dumps(row) for row in clean_rows()]
    planted = [row if isinstance(row, str) else json.dumps(row) for row in PLANTED.values()]
    pairs = [line for i, row in enumerate(planted) for line in (row, clean[i % len(clean)] if i < len(clean) else row)]
    extra = [
        "{'messages': [{'role': 'User', 'content': 'tab'}, {'role': 'AI', 'content': None}]}",
        clean[0] + ",",
        "\ufeff" + clean[1],
    ]
    bad = json.dumps(
        {"messages": [{"role": "user", "content": "caf\u00e9 au lait"}, {"role": "assistant", "content": "oui"}]},
        ensure_ascii=False,
    )
    return "\n".join([*pairs, *extra]).encode() + b"\n" + bad.encode("cp1252") + b"\n"


@pytest.mark.parametrize("provider", ["openai", "local", "together", "bedrock", "vertex", "azure"])
def test_repair_leaves_no_error_and_replays(provider: str, tmp_path: Path) -> None:
    source = tmp_path / "raw.jsonl"
    source.write_bytes(messy())
    report = data.check(source, provider=provider)
    assert not report.ok
    done = data.repair(source, report, to=tmp_path / "clean.jsonl")
    assert done.report.ok, done.report.summary()
    assert source.read_bytes() == messy(), "the original was touched"
    replayed = data.replay(source, done.log, provider, tmp_path / "again.jsonl")
    assert replayed.read_bytes() == done.path.read_bytes()
    kept_log = pd.read_json(tmp_path / "clean.jsonl.changes.jsonl", lines=True)
    assert len(kept_log) == len(done.log) and set(kept_log.columns) == {"line", "code", "before", "after"}


def test_repair_removes_secrets_and_personal_data(tmp_path: Path) -> None:
    source = tmp_path / "raw.jsonl"
    source.write_bytes(messy())
    done = data.repair(source, data.check(source), to=tmp_path / "clean.jsonl")
    text = done.path.read_text(encoding="utf-8")
    for secret in (
        "4111 1111",
        "ann.lee@",
        "sk-proj-",
        "ghp_",
        "Tr0ub4dor",
        "219-09-9998",
        "NWBK",
        "7946 1958",
        "MIIEvQ",
    ):
        assert secret not in text
    assert not [code for code in done.report.problems["code"] if code.startswith(("personal_", "secret_"))]


def test_repair_only_what_was_asked(tmp_path: Path) -> None:
    source = tmp_path / "raw.jsonl"
    source.write_bytes(lines(PLANTED["answer_whitespace"], PLANTED["personal_email"], *clean_rows()))
    done = data.repair(source, data.check(source), fixes=["answer_whitespace"], to=tmp_path / "clean.jsonl")
    assert done.log["code"].tolist() == ["answer_whitespace"]
    assert "ann.lee@" in done.path.read_text(encoding="utf-8")
    with pytest.raises(DataError, match="cannot be repaired"):
        data.repair(source, data.check(source), fixes=["contradiction"], to=tmp_path / "x.jsonl")
    with pytest.raises(DataError, match="never touched"):
        data.repair(source, data.check(source), to=source)


def test_people_decide_contradictions(tmp_path: Path) -> None:
    rows = clean_rows()
    other = {"messages": [rows[0]["messages"][0], {"role": "assistant", "content": "No, never."}]}
    source = tmp_path / "raw.jsonl"
    source.write_bytes(lines(*rows, other))
    queue = data.queue(source, data.check(source))
    assert queue[["line", "code", "other"]].values.tolist() == [[1, "contradiction", 13]]
    assert queue.loc[0, "other_answer"] == "No, never."
    queue.loc[0, "decision"] = "drop_other"
    assert len(data.read(data.resolve(source, queue, tmp_path / "a.jsonl"))) == 12
    queue.loc[0, ["decision", "new_answer"]] = ["edit", "It whistles."]
    assert data.read(data.resolve(source, queue, tmp_path / "b.jsonl"))[0].answer == "It whistles."
    queue.loc[0, "decision"] = "maybe"
    with pytest.raises(DataError, match="Unknown decisions"):
        data.resolve(source, queue, tmp_path / "c.jsonl")


def test_one_doubtful_row_is_one_item_and_pairs_come_first(tmp_path: Path) -> None:
    rows = clean_rows()
    empty = {
        "messages": [{"role": "user", "content": " "}, {"role": "assistant", "content": "I'm sorry, but I can't."}]
    }
    other = {"messages": [rows[0]["messages"][0], {"role": "assistant", "content": "No, never."}]}
    source = tmp_path / "raw.jsonl"
    source.write_bytes(lines(empty, *rows, other))
    queue = data.queue(source, data.check(source))
    assert queue["code"].tolist() == ["contradiction", "refusal_answer, empty_content"]
    assert queue["line"].tolist() == [2, 1]
    doubles = data.queue(source, data.check(source), codes=data.PAIRS)
    assert doubles["code"].tolist() == ["contradiction"]


@pytest.mark.parametrize("provider", ["openai", "bedrock", "vertex"])
def test_an_edited_answer_keeps_the_provider_s_shape(provider: str, tmp_path: Path) -> None:
    source = data.write(data.read(lines(*clean_rows())), tmp_path / "rows.jsonl", provider=provider)
    decided = pd.DataFrame([{"line": 2, "other": 0, "decision": "edit", "new_answer": "It whistles."}])
    done = data.resolve(source, decided, tmp_path / "done.jsonl")
    assert data.read(done)[1].answer == "It whistles."
    assert data.check(done, provider=provider).ok
    everything = pd.DataFrame([{"line": n, "other": 0, "decision": "drop", "new_answer": ""} for n in range(1, 13)])
    with pytest.raises(DataError, match="No rows are left"):
        data.resolve(source, everything, tmp_path / "none.jsonl")


def test_blank_rows_and_odd_headings_of_tables(tmp_path: Path) -> None:
    raw = tmp_path / "raw.csv"
    raw.write_bytes(b"\nquestion,answer,note,note\na,b,1,2\n\n , ,,\nc,d,3,4\n\n\n")
    problems = data.check(raw, provider="together").problems
    blank = problems[problems["code"] == "blank_line"]
    assert blank["message"].tolist() == ["Line 1 is blank.", "Lines 4 to 5 are blank."]
    repaired = data.repair(raw, data.check(raw, provider="together"), to=tmp_path / "clean.jsonl")
    assert len(data.read(repaired.path)) == 2
    table = tmp_path / "book.xlsx"
    pd.DataFrame([[None] * 4, ["question", "answer", "note", "note"], ["a", "b", 1, 2], ["c", "d", 3, None]]).to_excel(
        table, header=False, index=False
    )

    assert len(data.read(table)) == 2
    assert data.mapping(table).left_out == ("note", "note.1")
    assert str(data.mapping(table)).startswith("question_answer: question ← 'question', answer ← 'answer'")


@pytest.mark.parametrize("start", ["", " ", "\x01", "\ufeff", "\u200b", "\t\u00ad", "\x1f\u2060"])
@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_no_cell_and_no_heading_runs_as_a_formula_whatever_stands_unseen_before_it(tmp_path, start, ending):
    """A workbook's writer takes control characters away, and spreadsheets pass over marks that nobody sees."""
    evil = f"{start}=HYPERLINK(1)"
    row = Example(({"role": "user", "content": evil}, {"role": "assistant", "content": "fine"}), extra={evil: evil})
    path = data.write([row], tmp_path / f"o{ending}")
    table = pd.read_csv(path) if ending == ".csv" else pd.read_excel(path)
    seen = [str(one) for one in (*table.columns, *table.iloc[0])]
    assert not [one for one in seen if one.strip("\x01\x1f\ufeff\u200b\u00ad\u2060 \t").startswith("=")]
    assert sum(one.startswith("'") for one in seen) == 3
