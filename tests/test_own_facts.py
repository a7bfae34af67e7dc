"""Prices and dates of a host that the reader adds: a file of their own counts as the kit's tables do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FACTS = """
as_of = 2026-11-30
source = "the contract of 2026-11-02"
how_known = "read on the provider's page"

[[providers]]
name = "Company Gateway"
who = "everyone in the house"
sdk = "openai"
weights_out = "yes"
validation_billed = "no"

[[life]]
model = "*"
event = "opened"
date = 2026-11-02
precision = "exactly"
what = "jobs can be started"

[[life]]
model = "*"
event = "closed to all"
date = 2027-03-01
precision = "exactly"
what = "nobody can start jobs"

[[prompting]]
model = "house-large"
label = "House Large"
kind = "frontier"
input = 1.00
output = 3.00
from = 2026-11-02

[[tunable]]
model = "house-8b"
label = "House 8B LoRA"
method = "supervised"
train = 0.40
input = 0.10
output = 0.30
from = 2026-11-02
"""
HOST = """
[company]
base_url = "https://gateway.example.com/v1"
key_variable = "COMPANY_API_KEY"
like = "openai"
default_model = "house-8b"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "facts").mkdir()
    (tmp_path / "facts" / "company.toml").write_text(FACTS, encoding="utf-8")
    (tmp_path / "hosts.toml").write_text(HOST, encoding="utf-8")
    return tmp_path


def said(home: Path, code: str, day: str = "2026-11-30") -> str:
    """What this code prints and how it ends, in a kernel of its own: facts are read once."""
    own = os.environ | {"KIT_HOME": str(home), "KIT_TODAY": day}
    ended = subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, text=True, timeout=120)
    return ended.stdout + ended.stderr


def test_costs_checklist_and_provider_page_take_the_reader_s_own_prices(home: Path) -> None:
    code = """
import json, pathlib
from helpers import costs, facts
from helpers.decide import hosts
from helpers.jobs import forecast
from helpers.providers import HOSTS, hosts as every
from helpers.providers.overview import page

[tuned] = [one for one in costs.options() if one.provider == "company"]
[large] = [row for row in facts.prompted() if row["provider"] == "company"]
rows = pathlib.Path("rows.jsonl")
print(costs.total_cost(costs.Workload(), tuned).total > 0, large["output"], large.cite)
print("company" in hosts.that_train(), hosts.name("company"), page().loc["company", "connect"])
"""
    told = said(home, code)
    assert "True 3.0 as of 2026-11-30, read on the provider's page: the contract of 2026-11-02" in told
    assert 'True Company Gateway connect("company"): upload, train, prompt' in told


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2026-11-30", "open"), ("2027-03-01", "Nobody can start a job at company any more, so no rows are sent there.")],
)
def test_its_closing_day_counts(home: Path, day: str, expected: str) -> None:
    code = "from helpers.providers import hosts; hosts()['company'].refuse_rows(); print('open')"
    assert expected in said(home, code, day)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("output = 3.00\n", "", "facts/company.toml, line 27 has no output."),
        ("date = 2027-03-01\n", "", "facts/company.toml, line 20 has no date."),
        ("[[providers]]", "[[prices]]", "facts/company.toml has no use for prices."),
        ("[[tunable]]", "[tunable]", "facts/company.toml has no use for tunable."),
    ],
)
def test_what_is_missing_is_named_with_its_line(home: Path, before: str, after: str, expected: str) -> None:
    file = home / "facts" / "company.toml"
    file.write_text(FACTS.replace(before, after), encoding="utf-8")
    assert expected in said(home, "from helpers import facts; facts.prompted()")


def test_a_host_that_the_kit_knows_keeps_its_own_facts(home: Path) -> None:
    (home / "facts" / "company.toml").rename(home / "facts" / "openai.toml")
    assert "openai is a host that the kit has facts of" in said(home, "from helpers import facts; facts.prompted()")


def test_a_file_without_its_host_is_refused(home: Path) -> None:
    file = home / "facts" / "company.toml"
    file.write_text(FACTS[: FACTS.index("[[providers]]")] + FACTS[FACTS.index("[[life]]") :], encoding="utf-8")
    assert "facts/company.toml has no row [[providers]]" in said(home, "from helpers import facts; facts.prompted()")
