"""The data room's checks: every code on its line, legal rows unharmed, provider rules, duplicates, leaks."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pandas as pd
import pytest

from helpers import data
from helpers.data.codes import CODES
from helpers.errors import DataError, FactsError

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "triage"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def chat(*turns: tuple[str, object], **more: object) -> dict:
    """A chat row of (role, content) turns."""
    return {"messages": [{"role": role, "content": content} for role, content in turns], **more}


def call(city: object = "Oslo", identity: str = "c1", name: str = "weather") -> dict:
    arguments = json.dumps({"city": city})
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


CLEAN = {
    "Does the copper kettle whistle?": "It does, quite loudly.",
    "How wide is your largest rug?": "Two metres forty.",
    "My shelf came without screws.": "We will post a bag of them today.",
    "Can wool blankets go in a dryer?": "Better not: they shrink.",
    "When will oak trays be back?": "In the second week of May.",
    "Please cancel the mirror I ordered.": "Cancelled, and the money is on its way.",
    "Which bulb fits reading lamps?": "An E14 of up to 40 watts.",
    "I love my new mug!": "That makes us happy, thank you.",
    "The courier left nothing at all.": "We are asking them where it went.",
    "Is gift wrapping free?": "From thirty euros on.",
    "What are planters made of?": "Fired clay with a clear glaze.",
    "Your newsletter arrives twice.": "Sorry, one copy is enough; done.",
    "Two candles were snapped in half.": "New ones leave this afternoon.",
    "Where do I enter a voucher?": "On the page after your address.",
}


def clean_rows(n: int = 12) -> list[dict]:
    """Rows without a problem."""
    return [chat(("user", question), ("assistant", answer)) for question, answer in list(CLEAN.items())[:n]]


def found(*rows: object, provider: str = "openai", **options: object) -> set[tuple[int, str]]:
    """(line, code) of every problem of ``rows``, put before twelve clean rows; lines of the file as a whole are 0."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in [*rows, *clean_rows()]]
    report = data.check("\n".join(lines).encode(), provider=provider, **options)
    quiet = ("few_examples", "tokens_estimated")
    return {(p.line, p.code) for p in report.problems.itertuples() if p.code not in quiet}


def test_clean_rows_have_no_problem() -> None:
    assert found() == set()


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("provider", ["openai", "azure", "nebius", "together", "fireworks", "local"])
def test_sample_files_have_no_error_or_warning(split: str, provider: str) -> None:
    report = data.check(SAMPLE / f"{split}.jsonl", provider=provider)
    wrong = report.problems[report.problems["severity"] != "note"]
    assert report.ok and wrong.empty, wrong.to_string()


LEGAL = {
    "tool call with null content": {
        "messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": None, "tool_calls": [call()]},
            {"role": "tool", "tool_call_id": "c1", "content": "4 degrees"},
            {"role": "assistant", "content": "Four degrees."},
        ],
        "tools": [WEATHER],
        "parallel_tool_calls": False,
    },
    "open call at the end": {
        "messages": [{"role": "user", "content": "weather?"}, {"role": "assistant", "tool_calls": [call()]}],
        "tools": [WEATHER],
    },
    "developer role": chat(("developer", "Be brief."), ("user", "hello there"), ("assistant", "Hi.")),
    "weight 0": {
        "messages": [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "bad", "weight": 0},
            {"role": "user", "content": "two"},
            {"role": "assistant", "content": "good", "weight": 1},
        ]
    },
    "content parts": chat(("user", [{"type": "text", "text": "what is this part"}]), ("assistant", "A part.")),
    "picture": chat(
        (
            "user",
            [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}],
        ),
        ("assistant", "A cat."),
    ),
    "name": {
        "messages": [{"role": "user", "name": "ann", "content": "my name?"}, {"role": "assistant", "content": "Ann."}]
    },
}


@pytest.mark.parametrize("row", LEGAL.values(), ids=LEGAL)
def test_legal_rows_are_never_an_error(row: dict) -> None:
    assert not [code for _, code in found(row) if CODES[code].severity == "error"]


def message(**keys: object) -> dict:
    return {
        "messages": [{"role": "user", "content": "a question"}, {"role": "assistant", "content": "an answer"} | keys]
    }


Q = ("user", "a question of its own")
PLANTED = {
    "blank_line": "",
    "json": '{"messages": [',
    "not_object": "[1, 2]",
    "unknown_shape": {"foo": 1},
    "wrong_shape": {"prompt": "p of it", "completion": "c"},
    "unknown_key": chat(Q, ("assistant", "x"), source="web"),
    "messages": {"messages": []},
    "bad_role": chat(("human", "hm"), Q, ("assistant", "x")),
    "no_assistant": chat(Q),
    "last_not_assistant": chat(Q, ("assistant", "x"), ("user", "thanks")),
    "no_user": chat(("system", "s"), ("assistant", "x")),
    "system_not_first": chat(Q, ("system", "s"), ("assistant", "x")),
    "role_order": chat(Q, ("user", "again"), ("assistant", "x")),
    "content_missing": chat(("user", None), ("assistant", "x")),
    "content_type": chat(("user", 5), ("assistant", "x")),
    "bad_part": chat(("user", [{"type": "text"}]), ("assistant", "x")),
    "empty_content": chat(("user", "  "), ("assistant", "x")),
    "empty_answer": chat(Q, ("assistant", "")),
    "placeholder_answer": chat(Q, ("assistant", "N/A")),
    "refusal_answer": chat(Q, ("assistant", "I'm sorry, but I can't help with that.")),
    "answer_whitespace": chat(Q, ("assistant", " x")),
    "control_characters": chat(("user", "a\u0000b"), ("assistant", "x")),
    "mojibake": chat(("user", "a cafÃ© in town"), ("assistant", "x")),
    "html_residue": chat(Q, ("assistant", "one<br>two")),
    "nothing_trained": message(weight=0),
    "tools": chat(Q, ("assistant", "x"), tools=[{"type": "function"}]),
    "tool_call": message(tool_calls=[{"id": "c1"}]),
    "tool_call_id": {"messages": [{"role": "user", "content": "w"},
                                  {"role": "tool", "tool_call_id": "no", "content": "r"},
                                  {"role": "assistant", "content": "x"}]},
    "tool_undeclared": message(tool_calls=[call(name="other")]) | {"tools": [WEATHER]},
    "tool_schema": message(tool_calls=[call(city=5)]) | {"tools": [WEATHER]},
    "tool_arguments": message(
        tool_calls=[{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{"}}]
    ) | {"tools": [WEATHER]},
    "image": chat(Q, ("assistant", [{"type": "image_url", "image_url": {"url": "x"}}])),
    "preference": {"input": {"messages": [{"role": "user", "content": "q of pair"}]},
                   "preferred_output": [{"role": "assistant", "content": "a"}], "non_preferred_output": []},
    "preference_same": {"input": {"messages": [{"role": "user", "content": "q of pair"}]},
                        "preferred_output": [{"role": "assistant", "content": "a"}],
                        "non_preferred_output": [{"role": "assistant", "content": "a "}]},
    "answer_in_prompt": chat(("user", "Repeat this: the kettle is out of stock today."),
                             ("assistant", "the kettle is out of stock today.")),
    "tokens_over_limit": chat(("user", "lamp " * 70_000), ("assistant", "x")),
    "system_differs": chat(("system", "You are odd."), Q, ("assistant", "x")),
    "personal_email": chat(("user", "write to ann.lee@brindlemoss.shop"), ("assistant", "x")),
    "personal_phone": chat(("user", "call me on +44 20 7946 1958"), ("assistant", "x")),
    "personal_card": chat(("user", "my card is 4111 1111 1111 1111"), ("assistant", "x")),
    "personal_iban": chat(("user", "pay to GB29 NWBK 6016 1331 9268 19"), ("assistant", "x")),
    "personal_national_id": chat(("user", "my SSN is 219-09-9998"), ("assistant", "x")),
    "secret_api_key": chat(("user", "key sk-proj-T4kQ9vB2nX7mL1wR8sD3fG6h broke"), ("assistant", "x")),
    "secret_token": chat(("user", "ghp_T4kQ9vB2nX7mL1wR8sD3fG6hJ5kZ0aC2eY7u"), ("assistant", "x")),
    "secret_password": chat(("user", "password: Tr0ub4dor&3"), ("assistant", "x")),
    "secret_private_key": chat(
        ("user", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"),
        ("assistant", "x"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", PLANTED)
def test_every_row_code_is_found_on_its_line(code: str) -> None:
    planted = PLANTED[code]
    clean = [json.dumps(row) for row in clean_rows()]
    lines = [*clean[:3], planted if isinstance(planted, str) else json.dumps(planted), *clean[3:]]
    report = data.check("\n".join(lines).encode())
    assert (4, code) in set(zip(report.problems["line"], report.problems["code"], strict=True))
    assert set(report.problems["line"]) <= {0, 4}, "a clean row was blamed"


@pytest.mark.parametrize("code", PLANTED)
def test_a_host_is_told_the_errors_of_the_report_and_nothing_else(code: str, tmp_path: Path) -> None:
    planted = PLANTED[code]
    lines = [*map(json.dumps, clean_rows()), planted if isinstance(planted, str) else json.dumps(planted), "\ufeff{}"]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    for provider in ("openai", "local", "together"):
        report = data.check(file, provider=provider)
        errors, usable = data.errors(file, provider=provider)
        assert [tuple(problem) for problem in errors] == [
            tuple(problem) for problem in report.problems.query("severity == 'error'").itertuples(index=False)
        ]
        assert errors and usable == len(report.rows)


def test_weight_must_be_a_number() -> None:
    for weight in (True, "1", 2, 0.5, None):
        assert (1, "weight") in found(message(weight=weight))
    assert (1, "weight") in found(
        {"messages": [{"role": "user", "content": "q", "weight": 1}, message()["messages"][1]]}
    )


def test_all_problems_of_a_row_are_reported_at_once() -> None:
    row = chat(("human", None), ("assistant", " x "), licence="?")
    assert {code for line, code in found(row) if line == 1} >= {
        "bad_role", "content_missing", "answer_whitespace", "unknown_key", "no_user",
    }  # fmt: skip


def test_duplicates_contradictions_and_near_duplicates_name_the_other_line() -> None:
    first = chat(("user", "Where is my kettle, it should have come on Monday?"), ("assistant", "On its way."))
    again = chat(("user", "where is my kettle,  it should have come on Monday?"), ("assistant", "On its way."))
    other = chat(("user", "Where is my kettle, it should have come on Monday?"), ("assistant", "Lost."))
    near = chat(("user", "Where is my kettle, it should have come on Sunday?"), ("assistant", "Soon."))
    report = data.check("\n".join(json.dumps(row) for row in [first, again, other, near, *clean_rows()]).encode())
    told = {(p.line, p.code, p.other) for p in report.problems.itertuples() if p.line}
    assert told == {(2, "duplicate", 1), (1, "contradiction", 3), (3, "contradiction", 1), (4, "near_duplicate", 1)}


def test_json_answers_that_mean_the_same_are_no_contradiction() -> None:
    rows = [
        chat(("user", "a long enough question here"), ("assistant", text))
        for text in ('{"a": 1, "b": 2}', '{"b":2,"a":1}')
    ]
    assert {code for _, code in found(*rows)} == {"duplicate"}


def test_an_instruction_shared_by_most_rows_makes_no_near_duplicates() -> None:
    words = (
        "kettle",
        "lamp",
        "rug",
        "mug",
        "shelf",
        "cushion",
        "planter",
        "blanket",
        "candle",
        "tray",
        "clock",
        "basket",
    )
    asked = [f"Say whether the mood of this customer message is good or bad, in one word: {word}" for word in words]
    rows = [chat(("user", question), ("assistant", "good")) for question in [*asked, "something else entirely"]]
    report = data.check("\n".join(map(json.dumps, rows)).encode())
    assert set(report.problems["code"]) == {"few_examples", "one_answer"}


def test_leaks_between_splits() -> None:
    rows = clean_rows(12)
    nearly = chat(("user", rows[3]["messages"][0]["content"].replace("wool", "wood")), ("assistant", "?"))
    report = data.check(
        "\n".join(map(json.dumps, rows)).encode(), test="\n".join(map(json.dumps, [rows[0], nearly])).encode()
    )
    assert {(p.line, p.code) for p in report.problems.itertuples() if p.line} == {(1, "leak"), (4, "near_leak")}


def test_labels_are_watched() -> None:
    labels = ["refund"] * 30 + ["delivery"] * 30 + ["Refund"] + ["payment"] * 2
    rows = [
        chat(("user", f"message number {i * 7919} about {i * 31}"), ("assistant", label))
        for i, label in enumerate(labels)
    ]
    report = data.check("\n".join(map(json.dumps, rows)).encode(), near_duplicates=False)
    assert set(report.problems["code"]) == {"label_variant", "rare_label", "label_imbalance"}
    assert report.problems.query("code == 'label_variant'")["line"].tolist() == [61]
    assert report.rows["label"].value_counts()["delivery"] == 30


def test_a_row_in_another_language_is_noted() -> None:
    asked = [
        "Please tell me when the kettle that I ordered from you will be with me.",
        "The lamp was broken and you have not sent the new one that you promised.",
        "Ich habe eine Lampe bestellt und die ist nicht bei mir, wie kann das sein?",
        "My order is late and I have been waiting for it, what is the matter with you?",
        "Я заказал лампу и до сих пор её не получил",
        "You have not answered, and this is the third time that I write to you.",
        "kettle?",
        "Is it true that you have the rug in blue, and what does it cost with delivery?",
        "I would like to know what this mug is made of, and when it was made, please.",
        "The blanket is lovely and it was on my bed within two days, thank you for that.",
        "They have charged me twice for the same order and I want that money from you.",
        "What is the size of the shelf, and are you sure that it was made for books?",
    ]
    rows = [chat(("user", question), ("assistant", f"Answer number {i}.")) for i, question in enumerate(asked)]
    report = data.check("\n".join(map(json.dumps, rows)).encode())
    told = report.problems.query("code == 'language_mix'")
    assert told["line"].tolist() == [3, 5] and "German" in told["message"].iloc[0]


def test_odd_answers_among_json_answers() -> None:
    rows = [chat(("user", f"thing {i * 7919}"), ("assistant", json.dumps({"a": i}))) for i in range(20)]
    rows[3]["messages"][1]["content"] = "no JSON"
    rows[7]["messages"][1]["content"] = '{"b": 1}'
    report = data.check("\n".join(map(json.dumps, rows)).encode(), near_duplicates=False)
    assert report.problems.query("code == 'answer_format'")["line"].tolist() == [4, 8]


@pytest.mark.parametrize(
    ("provider", "row", "code"),
    [
        ("local", LEGAL["tool call with null content"], "unsupported"),
        ("local", LEGAL["content parts"], "unsupported"),
        ("local", PLANTED["wrong_shape"], "wrong_shape"),
        ("local", chat(("user", "lamp " * 2100), ("assistant", "x")), "tokens_over_limit"),
        ("fireworks", LEGAL["developer role"], "unsupported"),
        ("together", LEGAL["developer role"], "unsupported"),
        ("bedrock", LEGAL["developer role"], "unsupported"),
    ],
)
def test_a_provider_refuses_what_others_take(provider: str, row: dict, code: str) -> None:
    assert (1, code) in found(row, provider=provider)


@pytest.mark.parametrize(
    ("provider", "then"), [("local", "a job with this row fails"), ("openai", "the rest is cut off")]
)
def test_what_becomes_of_a_row_that_is_too_long_is_what_its_host_does(provider: str, then: str) -> None:
    row = json.dumps(chat(("user", "lamp " * 70_000), ("assistant", "x"))).encode()
    problems = data.check(row, provider=provider).problems
    [said] = problems[problems["code"] == "tokens_over_limit"]["message"]
    assert said.endswith(f"{then}.")


def test_minimum_number_of_examples() -> None:
    nine = "\n".join(map(json.dumps, clean_rows(9))).encode()
    report = data.check(nine, provider="local")
    assert not report.ok and "invalid_n_examples" in set(report.problems["code"])
    assert data.check(nine, provider="fireworks").ok
    assert "invalid_n_examples" in set(data.check(b"", provider="local").problems["code"])


def test_provider_formats_are_taken_and_refused_whole() -> None:
    examples = data.read("\n".join(map(json.dumps, clean_rows())).encode())
    vertex = [json.dumps(data.writing.row_writer("vertex")(example)) for example in examples]
    assert data.check("\n".join(vertex).encode(), provider="vertex").ok
    refused = data.check("\n".join(vertex).encode(), provider="openai")
    assert refused.problems.query("severity == 'error'")["code"].tolist() == ["wrong_shape"]
    with pytest.raises(FactsError):
        data.check(b"{}", provider="nobody")


@pytest.mark.parametrize(("encoding", "code"), [("utf-8-sig", "bom"), ("utf-16", "encoding"), ("cp1252", "encoding")])
def test_encodings_are_found_and_read_all_the_same(encoding: str, code: str) -> None:
    rows = [chat(("user", "Où est ma théière dorée, s'il vous plaît ?"), ("assistant", "Là-bas.")), *clean_rows()]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    report = data.check(text.encode(encoding))
    assert set(report.problems.query("severity == 'error'")["code"]) == {code}
    assert len(report.rows) == 13
    assert data.read(text.encode(encoding))[0].question.startswith("Où est ma théière")


def test_a_byte_order_mark_is_right_at_azure() -> None:
    text = "\n".join(map(json.dumps, clean_rows())).encode("utf-8-sig")
    assert data.check(text, provider="azure").ok
    assert not data.check(text, provider="openai").ok


def test_tables_and_json_are_checked_row_by_row(tmp_path: Path) -> None:
    table = tmp_path / "export.csv"
    table.write_text('Question,Reply,Agent\n"two\nlines?",yes,a\nquestion b,,b\nonly one cell\n', encoding="utf-8")
    report = data.check(table, columns={"question": "Question", "answer": "Reply"})
    told = {(p.line, p.code, p.where) for p in report.problems.itertuples() if p.line}
    assert told == {(4, "empty_answer", "Reply"), (5, "table_row", "row")}
    pretty = json.dumps(clean_rows(), indent=1)
    assert "not_jsonl" in set(data.check(pretty.encode()).problems["code"])
    assert len(data.check(pretty.encode()).rows) == 12


def test_report_is_readable_and_escaped() -> None:
    evil = chat(("user", "<script>alert(1)</script> & more"), ("assistant", "<b>x</b>"), **{"<img onerror=x>": 1})
    report = data.check("\n".join(map(json.dumps, [evil, *clean_rows()])).encode())
    shown = report._repr_html_()
    assert "<script>" not in shown and "<img" not in shown and "&lt;img" in shown
    assert "html_residue" in report.summary() and "openai takes this file" in report.summary()
    [headline, *_] = data.check((json.dumps(evil) + "\n").encode(), provider="local").summary().splitlines()
    assert headline.startswith("1 example, ") and " the local API " in headline
    assert list(report.problems.columns) == ["line", "where", "code", "severity", "message", "fix", "other"]


def resembling(n: int) -> pd.DataFrame:
    """Pairs of prompts that differ in one word."""
    chance = random.Random(7)
    words = [f"word{i}" for i in range(400)]
    texts = [" ".join(chance.sample(words, 12)) for _ in range(n)]
    return pd.DataFrame([(text + end, "yes" if i % 2 else "no") for i, text in enumerate(texts) for end in ("", " x")],
                        columns=["text", "label"])  # fmt: skip


def test_findings_that_differ_in_their_words_alone_are_one_line_of_the_report() -> None:
    """105 near-duplicates, each resembling another line by another percentage, were 105 lines."""
    report = data.check(resembling(30), columns={"question": "text", "answer": "label"})
    assert (report.problems["code"] == "near_duplicate").sum() == 30 and report.problems["message"].nunique() > 20
    shown = report._repr_html_()
    assert shown.count("<tr>") == 1 + report.problems["code"].nunique() and "(30 lines)" in shown
    assert "all 30 of them" in shown and "more in <code>" not in shown
    few = data.check(resembling(3), columns={"question": "text", "answer": "label"})
    assert few._repr_html_().count("near_duplicate") == 3, "a few can be read one by one"


def test_a_finding_about_a_prompt_names_its_column() -> None:
    """“messages” says nothing to whoever has a table."""
    table = resembling(12)
    table.loc[3] = table.loc[2]
    told = data.check(table, columns={"question": "text", "answer": "label"}).problems.set_index("code")["where"]
    assert set(told[["duplicate", "near_duplicate"]]) == {"text"}
    table["system"] = ["Say yes or no."] * 23 + ["Be kind."]
    named = {"system": "system", "question": "text", "answer": "label"}
    told = data.check(table, columns=named).problems.set_index("code")["where"]
    assert told["system_differs"] == "system" and set(told[["near_duplicate"]]) == {"text"}
    rows = [chat(("user", table.at[at, "text"]), ("assistant", "x")) for at in (0, 1)]
    assert "messages" in set(data.check("\n".join(map(json.dumps, rows)).encode()).problems["where"])


def test_secrets_are_not_shown_in_the_report() -> None:
    secret = "sk-proj-T4kQ9vB2nX7mL1wR8sD3fG6h"
    report = data.check(json.dumps(chat(("user", f"my key: {secret}"), ("assistant", "x"))).encode())
    assert secret not in report.problems.to_string() + report._repr_html_() + report.summary()


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file"):
        data.check(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="neither a table nor JSON"):
        data.check(_file(tmp_path / "x.docx", b"hello"))


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_every_code_is_documented() -> None:
    for code, known in CODES.items():
        assert (
            known.severity in ("error", "warning", "note") and known.means.endswith(".") and known.fix.endswith(".")
        ), code


def test_dataframes_are_a_source() -> None:
    table = pd.DataFrame({"question": [f"q {i * 7919}" for i in range(12)], "answer": ["a", None] * 6, "team": 1})
    report = data.check(table)
    assert report.problems.query("code == 'empty_answer'")["line"].tolist() == [2, 4, 6, 8, 10, 12]
    assert report.mapping == {"question": "question", "answer": "answer"}


def test_a_schema_cannot_make_the_check_fetch_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda address, *_, **__: asked.append(str(address)))
    parameters = {"type": "object", "properties": {"city": {"$ref": "http://127.0.0.1:9/schema.json"}}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": parameters}}
    problems = found(message(tool_calls=[call()]) | {"tools": [tool]})
    assert (1, "tool_schema") in problems and asked == []


@pytest.mark.parametrize("label", ["won't pay", 'says "no"', "paid"])
@pytest.mark.parametrize("shape", ["{}", '{{"label": {},   "n": 1.0, "note": "a: b"}}'])
def test_a_label_is_spelled_as_most_rows_spell_it_and_nothing_else_is_touched(tmp_path, label, shape):
    """Labels with quotes in them too; a JSON answer keeps its spacing and its numbers as they were written."""
    from helpers.data import repair

    def answer(spelled: str) -> str:
        return shape.format(json.dumps(spelled)) if shape != "{}" else spelled

    said = [label if n % 2 else "other" for n in range(60)] + [label.upper()]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"messages": [
        {"role": "user", "content": f"question number {n} of them all"},
        {"role": "assistant", "content": answer(one)}]}) + "\n" for n, one in enumerate(said)))  # fmt: skip
    report = data.check(path, near_duplicates=False)
    assert set(report.problems.query("code == 'label_variant'")["line"]) == {61}
    repair(path, report, ["label_variant"], to=tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    answers = [json.loads(line)["messages"][-1]["content"] for line in lines]
    assert answers == [answer(one) for one in said[:-1]] + [answer(label)]


ADDRESS, SECRET = "anna.berg@nordwind.de", "sk-proj-4fT9aBcD3EfGh1JkLmNoPqRsTuVwXyZ0123456789abcd"


def mails(arguments: str, **more: object) -> dict:
    """A row whose assistant calls ``weather`` with these arguments."""
    asked = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    turns = [{"role": "user", "content": "write to her"}, {"role": "assistant", "content": None, "tool_calls": [asked]}]
    return {"messages": turns, "tools": [{"type": "function", "function": {"name": "weather"}}]} | more


def sensitive(*rows: dict, provider: str = "openai") -> list[tuple[int, str, str]]:
    """Line, place and code of each find of personal data or a secret, invented ones not counted."""
    problems = data.check("\n".join(map(json.dumps, rows)).encode(), provider=provider, near_duplicates=False).problems
    hidden = problems[problems["code"].str.match("personal_|secret_") & (problems["severity"] == "warning")]
    assert not any(value in problems.to_string() for value in (ADDRESS, SECRET))
    return sorted(zip(hidden["line"], hidden["where"], hidden["code"], strict=True))


ARGUMENTS = "messages[1].tool_calls[0].function.arguments"


@pytest.mark.parametrize(
    ("row", "where", "code"),
    [
        (mails(json.dumps({"to": ADDRESS})), f"{ARGUMENTS}.to", "personal_email"),
        (mails(json.dumps({"text": f"\n{SECRET}"})), f"{ARGUMENTS}.text", "secret_api_key"),
        (mails(json.dumps({"of": [{"password": "correct horse"}]})), f"{ARGUMENTS}.of[0].password", "secret_password"),
        (mails(json.dumps({"card": 4539578763621486})), f"{ARGUMENTS}.card", "personal_card"),
        (mails(json.dumps({ADDRESS: 1})), ARGUMENTS, "personal_email"),
        (mails(f"no JSON, {ADDRESS}"), ARGUMENTS, "personal_email"),
        (
            {
                "messages": [
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "function_call": {"name": "w", "arguments": f'["{ADDRESS}"]'}},
                ]
            },
            "messages[1].function_call.arguments[0]",
            "personal_email",
        ),
        (
            {"messages": [{"role": "user", "content": "a", "name": ADDRESS}, {"role": "assistant", "content": "b"}]},
            "messages[0].name",
            "personal_email",
        ),
        (
            {
                "input": {"messages": [{"role": "user", "content": "who?"}]},
                "preferred_output": [{"role": "assistant", "content": "Nobody."}],
                "non_preferred_output": [{"role": "assistant", "content": f"Write to {ADDRESS}"}],
            },
            "non_preferred_output[0].content",
            "personal_email",
        ),
    ],
)  # fmt: skip
def test_what_stands_beside_the_texts_is_searched_and_repaired(
    tmp_path: Path, row: dict, where: str, code: str
) -> None:
    assert sensitive(row) == [(1, where, code)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, [row, *clean_rows()])))
    out = data.repair(path, data.check(path), to=tmp_path / "out.jsonl")
    lines = list(map(json.loads, out.path.read_text().splitlines()))
    assert not set(out.report.problems["code"]) & {code, "tool_arguments"}
    assert sensitive(*lines) == []
    assert ("removed" in str(lines[0])) == ("no JSON" not in str(row))  # such a row is left out
    for message in lines[0].get("messages", ()):
        for asked in message.get("tool_calls", ()):
            json.loads(asked["function"]["arguments"])


def test_a_repaired_name_is_one_that_hosts_take(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "a", "name": ADDRESS}, {"role": "assistant", "content": "b"}]}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    out = data.repair(path, data.check(path), to=tmp_path / "out.jsonl")
    assert json.loads(out.path.read_text())["messages"][0]["name"] == "email_removed"


def declaring(description: str, **more: object) -> dict:
    return {"type": "function", "function": {"name": "weather", "description": description, **more}}


def test_a_declaration_is_reported_once_and_left_to_the_reader(tmp_path: Path) -> None:
    tool = declaring(f"Sends; ask {ADDRESS}")
    rows = [mails(json.dumps({"to": f"her {i}"}), tools=[WEATHER | {"x": i}, tool]) for i in range(5)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, [*clean_rows(1), *rows])))
    report = data.check(path)
    (problem,) = report.problems[report.problems["code"] == "personal_email"].itertuples()
    assert (problem.line, problem.where) == (2, "tools[1].function.description")
    assert "4 more rows" in problem.message and "repair() leaves declarations as they are" in problem.fix
    out = data.repair(path, report, to=tmp_path / "out.jsonl")
    assert out.path.read_text().count(ADDRESS) == 5 and "personal_email" in set(out.report.problems["code"])


def test_a_value_that_the_tool_declares_is_reported_there_only(tmp_path: Path) -> None:
    """An address in an enum is the tool's: without it the call would break its schema, and the row be left out."""
    schema = {"type": "object", "properties": {"to": {"type": "string", "enum": [ADDRESS, "nobody"]}}}
    row = mails(json.dumps({"to": ADDRESS}), tools=[declaring("Sends.", parameters=schema)])
    assert sensitive(row) == [(1, "tools[0].function.parameters.properties.to.enum[0]", "personal_email")]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    assert json.loads(data.repair(path, data.check(path), to=tmp_path / "out.jsonl").path.read_text()) == row


def test_ordinary_calls_and_declarations_raise_no_alarm() -> None:
    fields = {
        "order_id": "0612345678", "timestamp": 1700000000, "password_reset": "by mail", "max_tokens": 4096000,
        "latitude": 52.52000661234, "ids": [10000001, 10000002], "date": "2026-11-30", "token_type": "bearer",
    }  # fmt: skip
    declared = {
        name: {"type": "string", "description": f"The {name}.", "default": value} for name, value in fields.items()
    }
    declared |= {"api_key": {"type": "string", "description": "Your API key."}, "password": {"type": "string"}}
    tool = declaring("Looks up.", parameters={"type": "object", "properties": declared, "required": ["password"]})
    assert sensitive(mails(json.dumps(fields), tools=[tool])) == []
