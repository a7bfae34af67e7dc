"""The sample data is what its README says: counts, labels, two readings, no near-duplicates across splits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from helpers import data
from helpers.evaluate import free_text, text_rules

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"
TRIAGE = SAMPLE / "triage"
FIELDS = ["category", "urgency", "order_id"]
SCHEMA = json.loads((TRIAGE / "schema.json").read_text())["properties"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(TRIAGE / "messages.csv", keep_default_na=False)


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (TRIAGE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_message_is_its_own_and_has_legal_labels(table):
    assert len(table) == 640 and table["message"].str.casefold().is_unique and table["id"].is_unique
    assert set(table["category"]) == set(SCHEMA["category"]["enum"])
    assert set(table["urgency"]) == set(SCHEMA["urgency"]["enum"])
    assert table["order_id"].map(lambda value: value == "" or re.fullmatch(r"BM-\d{5}", value) is not None).all()


def test_an_order_id_stands_in_its_message(table):
    for row in table[table["order_id"] != ""].itertuples():
        assert row.order_id[3:] in re.sub(r"[\s-]", "", row.message), row.id


def test_no_class_is_rare_and_none_is_half(table):
    shares = table["category"].value_counts(normalize=True)
    assert shares.min() > 0.05 and shares.max() < 0.3


@pytest.mark.parametrize("field, least", [("category", 0.9), ("urgency", 0.9), ("order_id", 0.95)])
def test_the_two_readings_agree_as_reported(table, field, least):
    assert cohen_kappa_score(table[f"first_{field}"], table[f"second_{field}"]) > least


def test_settled_labels_differ_from_a_reading_only_where_the_readings_differ(table):
    for field in FIELDS:
        same = table[table[f"first_{field}"] == table[f"second_{field}"]]
        assert (same[field] == same[f"first_{field}"]).all()


def test_the_split_files_hold_every_message_once(table):
    split = {name: rows(name) for name in ("train", "validation", "test")}
    assert {name: len(part) for name, part in split.items()} == {"train": 240, "validation": 200, "test": 200}
    answers = {
        row["messages"][0]["content"]: json.loads(row["messages"][1]["content"]) for p in split.values() for row in p
    }
    assert len(answers) == 640
    for row in table.itertuples():
        wanted = {"category": row.category, "urgency": row.urgency, "order_id": row.order_id or None}
        assert answers[row.message] == wanted


def test_the_files_pass_the_kits_own_check_without_a_leak():
    report = data.check(
        TRIAGE / "train.jsonl", provider="local", validation=TRIAGE / "validation.jsonl", test=TRIAGE / "test.jsonl"
    )
    # Phone numbers and addresses in the messages are invented; the check sees that, says so, and says nothing else.
    rest = report.problems[~report.problems["message"].str.startswith("An invented ")]
    assert rest.empty, rest.to_string()
    assert set(report.problems["code"]) <= {"personal_email", "personal_phone"}


# --- the brand voice --------------------------------------------------------------------------------------------------

VOICE = SAMPLE / "brand_voice"


@pytest.fixture(scope="module")
def copy() -> dict[str, list]:
    return {name: data.read(VOICE / f"{name}.jsonl") for name in ("train", "validation", "test")}


def test_the_archive_has_the_rows_that_its_readme_counts(copy):
    assert {name: len(part) for name, part in copy.items()} == {"train": 600, "validation": 60, "test": 80}
    readme = (VOICE / "README.md").read_text(encoding="utf-8")
    for name, part in copy.items():
        assert f"| `{name}.jsonl` | {len(part)} |" in readme
    everything = [row for part in copy.values() for row in part]
    assert len({row.question.casefold() for row in everything}) == len({row.answer for row in everything}) == 740


def test_every_copy_of_the_archive_keeps_every_rule(copy):
    held_to = text_rules.load_rules(VOICE / "rules.toml")
    kept = [(row.answer, text_rules.broken(held_to, row.answer)) for part in copy.values() for row in part]
    assert len(held_to) == 20 and [one for one in kept if one[1]] == []


def test_the_archive_passes_the_kits_own_check_without_a_leak():
    report = data.check(
        VOICE / "train.jsonl", provider="local", validation=VOICE / "validation.jsonl", test=VOICE / "test.jsonl"
    )
    assert report.problems.empty, report.problems.to_string()


def test_no_copy_of_the_archive_borrows_from_another(copy):
    answers = [row.answer for part in copy.values() for row in part]
    runs: dict[tuple[str, ...], int] = {}
    for number, answer in enumerate(answers):
        words = re.findall(r"\w+", answer.casefold())
        for start in range(len(words) - free_text.LONG + 1):
            run = tuple(words[start : start + free_text.LONG])
            assert runs.setdefault(run, number) == number, " ".join(run)


def test_what_a_copy_says_stands_on_its_sheet(copy):
    """The check goes by patterns: what it finds in the archive was read, and is a joke or the check's own mistake."""
    for name, part in copy.items():
        told = [one.stands for row in part for one in free_text.mentions(row.answer, row.question)]
        assert sum(told) / len(told) > 0.95, name


def test_nothing_in_the_sample_is_half_written_or_oversized():
    files = [f for f in SAMPLE.rglob("*") if f.is_file()]
    assert files and all(0 < f.stat().st_size < 1_000_000 for f in files)
    for file in files:
        if file.stem != "export":  # the messy export breaks its encoding on purpose; tests/test_data_raw.py has the key
            file.read_text(encoding="utf-8")
