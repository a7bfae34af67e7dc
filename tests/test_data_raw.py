"""The messy export: every planted flaw is found on its line, and sound rows are left in peace.

``raw_answer_key.csv`` was written with the export (see ``data/sample/raw/README.md``): file, line (1-based; 0 is the
file as a whole), code, note.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from helpers import data

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
FILES = ("export.csv", "export.jsonl")

CLEAN = [
    SAMPLE / folder / f"{split}.jsonl"
    for folder in ("triage", "brand_voice", "two_way")
    for split in ("train", "validation", "test")
]


@cache
def answer_key() -> pd.DataFrame:
    return pd.read_csv(Path(__file__).parent / "raw_answer_key.csv", keep_default_na=False)


@cache
def problems(name: str) -> pd.DataFrame:
    return data.check(SAMPLE / "raw" / name, provider="openai").problems


def planted() -> set[tuple[str, int, str]]:
    key = answer_key()
    return set(zip(key["file"], key["line"], key["code"], strict=True))


def found() -> set[tuple[str, int, str]]:
    return {
        (name, line, code)
        for name in FILES
        for line, code in zip(problems(name)["line"], problems(name)["code"], strict=True)
    }


def test_the_export_is_as_messy_as_it_claims():
    table = (SAMPLE / "raw" / "export.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        table.decode("utf-8")
    rows = list(csv.reader(table.decode("cp1252").splitlines(keepends=True), delimiter=";"))
    assert any("\n" in cell for row in rows[1:] for cell in row)
    lines = (SAMPLE / "raw" / "export.jsonl").read_bytes().split(b"\n")
    assert len(rows) - 1 + len(lines) >= 400
    key = answer_key()
    assert key["code"].nunique() >= 25
    assert set(key["code"]) <= set(data.CODES)
    assert key["note"].str.len().gt(3).all()


def test_every_planted_flaw_is_found_on_its_line():
    missed = planted() - found()
    kinds = answer_key()["code"].nunique()
    print(f"\n{len(planted()) - len(missed)} of {len(planted())} planted flaws of {kinds} kinds found on their line")
    assert not missed


@pytest.mark.parametrize("name", FILES)
def test_sound_rows_are_left_in_peace(name):
    flawed = {line for file, line, _ in planted() if file == name}
    others = problems(name)[~problems(name)["line"].isin(flawed | {0})]
    shown = others[["line", "code", "severity", "message"]].to_string(index=False) if len(others) else "none"
    print(f"\n{name}: problems on lines without a planted flaw: {shown}")
    assert not (others["severity"] == "error").any()
    assert len(others) <= 1


@pytest.mark.parametrize("path", CLEAN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_error_on_the_clean_files(path):
    report = data.check(path, provider="openai")
    assert report.ok, report.summary()


def test_nothing_of_the_test_split_stands_in_the_export():
    test = SAMPLE / "triage" / "test.jsonl"
    for name in FILES:
        leaks = data.check(SAMPLE / "raw" / name, test=test).problems
        assert not leaks["code"].isin(["leak", "near_leak"]).any()
    table = (SAMPLE / "raw" / "export.csv").read_text(encoding="cp1252")
    hidden = [row.messages[0]["content"] for row in data.read(test)]
    plain = [text for text in hidden if len(text) > 40 and "\n" not in text and '"' not in text]
    assert len(plain) > 100
    assert not any(text in table for text in plain)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("provider", ["openai", "local"])
def test_repair_leaves_no_error_and_its_log_replays(name, provider, tmp_path):
    source = SAMPLE / "raw" / name
    before, found = source.read_bytes(), data.check(source, provider=provider)
    done = data.repair(source, found, to=tmp_path / "mended.jsonl")
    assert source.read_bytes() == before, "the original was touched"
    report = data.check(done.path, provider=provider)
    assert report.ok, report.summary()
    assert len(report.rows) >= 190
    again = data.replay(source, done.log, provider, tmp_path / "again.jsonl", columns=found.mapping)
    assert again.read_bytes() == done.path.read_bytes()
