"""Any bytes at all: a report or one ``DataError``, never another exception, never a hang.

500 cases here; ``make soak`` runs 20,000. Half are arbitrary bytes, half are real files with bytes changed or cut out.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import signal
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import data
from helpers.errors import DataError

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "triage"
SECONDS = 20
"""No case may take longer; almost all take some milliseconds."""

KEYS = (
    "messages", "role", "content", "weight", "tool_calls", "id", "type", "function", "name", "arguments", "tools",
    "text",
    "prompt", "completion", "question", "answer", "input", "preferred_output", "non_preferred_output",
    "contents", "parts", "systemInstruction", "system", "conversations", "from", "value", "chosen", "rejected",
    "schemaVersion", "x",
)  # fmt: skip
JSONISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["user", "assistant"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise when the block computes for longer than ``SECONDS`` (of this process, so that a busy machine changes
    nothing)."""

    def stop(*_: object) -> None:
        raise AssertionError(f"took longer than {SECONDS} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def survives(raw: bytes, provider: str = "openai") -> None:
    """Check, read and repair ``raw``; only ``DataError`` may be raised."""
    with time_limit():
        try:
            report = data.check(raw, provider=provider)
        except DataError:
            return
        assert report.ok == (report.count("error") == 0)
        report.summary(), report._repr_html_()
        for understand in (data.read, data.mapping):
            try:
                str(understand(raw))
            except DataError as error:
                assert error.fix and str(error)


def real_files() -> list[bytes]:
    """One small real file of each kind."""
    lines = (SAMPLE / "train.jsonl").read_bytes().splitlines(keepends=True)[:15]
    table = pd.DataFrame([{"question": json.loads(line)["messages"][0]["content"], "answer": "x"} for line in lines])
    book, column_file = io.BytesIO(), io.BytesIO()
    table.to_excel(book, index=False)
    table.to_parquet(column_file)
    array = json.dumps([json.loads(line) for line in lines], indent=1).encode()
    sheet = table.to_csv(index=False)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.csv", sheet)
    stacked = table.to_string(index=False).encode()
    plain = [b"".join(lines), array, sheet.encode(), sheet.encode("utf-16"), stacked, table.to_json().encode()]
    return [*plain, book.getvalue(), column_file.getvalue(), packed.getvalue(), gzip.compress(sheet.encode())]


def mutated(raw: bytes, source: random.Random) -> bytes:
    """``raw`` with one to five accidents."""
    for _ in range(source.randint(1, 5)):
        at, length = source.randrange(len(raw) + 1), source.choice((1, 1, 3, 40, 1000))
        piece = raw[at : at + length]
        new = source.choice(
            (b"", piece * 2, source.randbytes(length), b'"', b"\n", b"{", b"\xff", b"\x00", b"null", piece[::-1])
        )
        raw = raw[:at] + new + raw[at + length :]
    return raw


def run_mutations(cases: int, seed: int) -> None:
    source, files = random.Random(seed), real_files()
    providers = ("openai", "azure", "together", "bedrock", "vertex", "local")
    for case in range(cases):
        raw = mutated(files[case % len(files)], source)
        try:
            survives(raw, providers[case % len(providers)])
        except BaseException:
            print("case", case, raw[:2000])
            raise


def run_bytes(cases: int) -> None:
    rows = st.lists(JSONISH, max_size=6).map(lambda items: "\n".join(json.dumps(item) for item in items).encode())
    start = st.sampled_from([b"", b"[", b"{", b"PK\x03\x04", b"PAR1", b"\xff\xfe", b"\xef\xbb\xbf", b'{"messages":'])
    raw = st.builds(bytes.__add__, start, st.binary(max_size=400))

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(raw | rows)
    def run(content: bytes) -> None:
        survives(content)

    run()


def test_any_bytes_give_a_report_or_a_data_error() -> None:
    run_bytes(250)


def test_damaged_real_files_give_a_report_or_a_data_error() -> None:
    run_mutations(250, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_twenty_thousand_cases(part: int) -> None:
    run_bytes(1_000)
    run_mutations(1_000, seed=2 + part)


GOOD_START = b'{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]'

HARD = {
    "deep nesting": b"[" * 100_000,
    "deep object": b'{"a":' * 50_000,
    "one long line": b'{"messages": [{"role": "user", "content": "' + b"a" * 1_000_000 + b'"}]}',
    "blanks only": b" \n" * 300_000,
    "long run of blanks": json.dumps({"messages": [{"role": "user", "content": " " * 1_000_000 + "x"}]}).encode(),
    "long run of digits": json.dumps({"messages": [{"role": "user", "content": "1 " * 100_000}]}).encode(),
    "long run of dots": json.dumps({"messages": [{"role": "user", "content": "a.@-" * 300_000}]}).encode(),
    "many passwords": json.dumps({"messages": [{"role": "user", "content": "password for a " * 50_000}]}).encode(),
    "begin key": json.dumps(
        {"messages": [{"role": "user", "content": "-----BEGIN PRIVATE KEY-----" * 5_000}]}
    ).encode(),
    "many tags": json.dumps({"messages": [{"role": "assistant", "content": "<br " * 300_000}]}).encode(),
    "a rejected answer that is no list": b'{"non_preferred_output": true, "messages": [{}]}',
    "tools of 990 levels": GOOD_START + b', "tools": ' + b"[" * 990 + b"]" * 990 + b"}",
    "parameters of 990 levels": GOOD_START
    + b', "tools": [{"type": "function", "function": {"name": "f", "parameters": '
    + b'{"a":' * 990
    + b"1"
    + b"}" * 990
    + b"}}]}",
    "content of 990 levels": b'{"messages": [{"role": "user", "content": ' + b"[" * 990 + b"]" * 990 + b"}]}",
    "huge number": b'{"messages": 1e999999}\n{"messages": ' + b"9" * 10_000 + b"}",
    "half a surrogate": b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
    "unclosed quote in a table": b'question,answer\n"' + b"a" * 400_000,
    "schema that refers to itself": json.dumps(
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                }
            ],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"$ref": "#"}}}],
        }
    ).encode(),
    "schema that is none": json.dumps(
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                }
            ],
            "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {"type": 5, "$ref": "http://x.invalid/y"}}}
            ],
        }
    ).encode(),
}


@pytest.mark.parametrize("raw", HARD.values(), ids=HARD)
def test_hard_cases(raw: bytes) -> None:
    survives(raw)


@pytest.mark.parametrize(
    "piece", ["123456xxxxx", "123456 xx ", "1", "07700 900123, ", "pw:a1", "a@b.", "AB12", "order "]
)
def test_long_texts_of_one_piece_do_not_hang(piece):
    """Searches that read on from each find to a text's end take its length squared."""
    row = {
        "messages": [
            {"role": "user", "content": piece * (100_000 // len(piece))},
            {"role": "assistant", "content": "x"},
        ]
    }
    survives(json.dumps(row).encode())
