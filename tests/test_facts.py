"""Every row of every table is well-formed, and the questions to them give dated answers."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlparse

import pandas
import pytest

from helpers import facts
from helpers.errors import FactsError
from helpers.facts.__main__ import look_first, report
from helpers.facts.library import compare_with_library, compare_with_list, library_version
from helpers.facts.review import review
from helpers.facts.tables import COLUMNS, HERE, HOSTS, HOW_KNOWN, NUMBERS, WORDS, read_host, read_table

TODAY = date(2026, 11, 23)
ROWS = [row for table in facts.TABLES for row in facts.rows(table)]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.table}-{row.line}" for row in ROWS])
def test_row_is_well_formed(row: facts.FactRow) -> None:
    assert isinstance(row.as_of, date) and date(2025, 1, 1) <= row.as_of <= max(date.today(), TODAY)
    address = urlparse(row.source)
    ours = row.how_known.startswith("this kit's own")
    assert (address.scheme == "https" and address.netloc) or (ours and not address.scheme)
    assert row.how_known.startswith(HOW_KNOWN)
    assert all(value is None or value >= 0 for column, value in row.values.items() if column in NUMBERS)
    if row.values.get("from") and row.values.get("until"):
        assert row["from"] <= row["until"]


def test_every_table_on_disk_is_listed() -> None:
    assert {path.stem for path in HERE.glob("*.csv")} == set(facts.TABLES)


def test_a_row_without_a_price_says_why() -> None:
    for row in facts.rows("tunable"):
        if row["train"] is None and row["train_hour"] is None or row["input"] is None:
            assert row.remark, f"tunable, line {row.line}"
    for row in facts.rows("hosting"):
        assert row["usd"] is not None or row.remark


def test_tables_refer_to_rows_that_exist() -> None:
    items = {row["item"] for row in facts.rows("hosting")}
    providers = {row["provider"] for row in facts.rows("providers")}
    bases = {row["model"] for row in facts.rows("prompting")}
    for row in facts.rows("tunable"):
        assert row["provider"] in providers
        assert {row["hosting"], row["storage"]} <= items | {None}
        assert row["base"] in bases | {None}
    assert {row["provider"] for row in facts.rows("life")} <= providers | {
        r["provider"] for r in facts.rows("prompting")
    }
    assert {row["provider"] for row in facts.rows("hosting")} <= providers


def test_prices_of_one_model_do_not_overlap_in_time() -> None:
    for table in ("prompting", "tunable"):
        for row in facts.rows(table):
            others = [
                other
                for other in facts.rows(table)
                if other is not row and (other["provider"], other["model"]) == (row["provider"], row["model"])
            ]
            for other in others:
                first, second = sorted((row, other), key=lambda one: one["from"])
                assert first["until"] and first["until"] < second["from"]


HEAD = "provider,model,input,from,as_of,source,how_known\n"
GOOD = "acme,m,1.5,2026-01-01,2026-01-01,https://acme.example,not verified\n"


@pytest.mark.parametrize(
    ("row", "names"),
    [
        (GOOD.replace("1.5", "one"), ["line 2", "input", "one"]),
        (GOOD.replace("1.5", "-1"), ["line 2", "input", "-1"]),
        (GOOD.replace("1.5", "nan"), ["line 2", "input"]),
        (GOOD.replace("2026-01-01,https", "yesterday,https"), ["line 2", "as_of", "yesterday"]),
        (GOOD.replace("https://acme.example", ""), ["line 2", "source"]),
        (GOOD.replace("not verified", "trust me"), ["line 2", "trust me"]),
        (GOOD.replace("acme,m", "acme"), ["line 2", "too many or too few"]),
        (GOOD.replace("acme,m", "acme,m,x"), ["line 2", "too many or too few"]),
    ],
)
def test_a_malformed_row_is_an_error_that_names_its_line(tmp_path: Path, row: str, names: list[str]) -> None:
    table = tmp_path / "acme.csv"
    table.write_text(HEAD + row, encoding="utf-8")
    with pytest.raises(FactsError) as caught:
        read_table(table)
    assert all(name in str(caught.value) for name in names) and caught.value.fix


HOST_FILE = """as_of = 2026-01-01
source = "https://acme.example"
how_known = "not verified"

[[caching]]
model = "m"
min_tokens = 1024

[[caching]]
as_of = 2026-01-02
"""


def test_a_host_s_file_holds_rows_of_any_table(tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    file.write_text(HOST_FILE, encoding="utf-8")
    first, second = read_host(file)
    assert (first.table, first["provider"], first["min_tokens"], first.line) == ("caching", "acme", 1024, 5)
    assert set(first.values) == set(COLUMNS["caching"]) and first.place.endswith("acme.toml, line 5")
    assert second["min_tokens"] is None and second.as_of == date(2026, 1, 2) and second.source == first.source


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("1024", '"many"', ["line 5, min_tokens", "many"]),
        ("min_tokens", "mintokens", ["line 5", "mintokens", "min_tokens"]),
        ("[[caching]]", "[[cache]]", ["cache", "[[caching]]"]),
        ("[[caching]]", "[caching]", ["acme.toml", "no TOML"]),
        ("how_known", "known", ["known", "how_known"]),
        ('how_known = "not verified"', "", ["line 5", "how_known"]),
        ('"m"', '"m', ["acme.toml", "line 6"]),
    ],
)
def test_a_malformed_host_s_file_is_an_error_that_names_its_line(
    tmp_path: Path, old: str, new: str, names: list[str]
) -> None:
    file = tmp_path / "acme.toml"
    file.write_text(HOST_FILE.replace(old, new), encoding="utf-8")
    with pytest.raises(FactsError) as caught:
        read_host(file)
    assert all(name in str(caught.value) for name in names) and caught.value.fix


def test_a_host_stands_either_in_the_tables_or_in_a_file_of_its_own() -> None:
    for path in HOSTS.glob("*.toml"):
        theirs = [row for row in ROWS if row.get("provider") == path.stem]
        assert theirs and {row.file for row in theirs} == {f"hosts/{path.name}"}


def test_an_empty_price_is_none_and_a_zero_is_zero(tmp_path: Path) -> None:
    table = tmp_path / "acme.csv"
    table.write_text(HEAD + GOOD.replace("1.5", "") + GOOD.replace("1.5", "0"), encoding="utf-8")
    assert [row["input"] for row in read_table(table)] == [None, 0.0]


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(FactsError, match="gpt-6-luna"):
        facts.price("gpt6-luna")
    with pytest.raises(FactsError, match="openai"):
        facts.provider("open-ai")
    with pytest.raises(FactsError, match="provider="):
        facts.tuning_price("gpt-4o-mini-2024-07-18")
    with pytest.raises(FactsError, match="prompting"):
        facts.load("prices")


def test_price_follows_the_day() -> None:
    assert facts.price("gemini-3.8-flash", on=date(2026, 12, 31))["input"] == 0.75
    assert facts.price("gemini-3.8-flash", on=date(2027, 1, 1))["input"] == 1.50
    with pytest.raises(FactsError, match="2026-10-14"):
        facts.price("gemini-3.8-flash", on=date(2026, 10, 13))


def test_the_cache_row_that_names_the_model_counts() -> None:
    assert facts.cached_from("openai", "gpt-6-luna")["min_tokens"] == 1024
    assert facts.cached_from("google", "gemini-3.8-flash")["min_tokens"] == 4096
    assert facts.cached_from("google", "gemini-2.5-flash")["min_tokens"] == 2048
    assert facts.cached_from("deepseek", "deepseek-flash") is None


def test_who_may_train_at_openai_changes_with_the_day() -> None:
    now = facts.who_may_train("openai", TODAY)
    assert "Since 2026-05-07" in now and "From 2027-01-06 (in 44 days)" in now and "2027-01-14" in now
    assert "read in a word-for-word copy" in now
    later = facts.who_may_train("openai", date(2027, 1, 6))
    assert "who may fine-tune: nobody" in later and "From 2027-01-06" not in later and "Since 2027-01-06" in later
    for row in facts.rows("providers"):
        assert row["name"] in facts.who_may_train(row["provider"], TODAY)


@pytest.mark.parametrize(
    ("model", "provider", "day", "state"),
    [
        ("gpt-4o-mini-2024-07-18", "openai", date(2026, 5, 6), "open"),
        ("gpt-4o-mini-2024-07-18", "openai", TODAY, "existing customers only"),
        ("gpt-4o-mini-2024-07-18", "openai", date(2027, 1, 6), "ended"),
        ("gpt-4.1-nano-2025-04-14", "openai", date(2026, 10, 22), "existing customers only"),
        ("gpt-4.1-nano-2025-04-14", "openai", date(2026, 10, 23), "ended"),
        ("gpt-4o-mini-2024-07-18", "azure", TODAY, "not verified"),
        ("gpt-4o-mini-2024-07-18", "azure", date(2027, 3, 31), "not verified"),
        ("gpt-4o-mini-2024-07-18", "azure", date(2027, 4, 1), "may have ended"),
        ("gpt-oss-20b", "azure", TODAY, "open"),
        ("gemini-2.5-flash-lite", "vertex", date(2026, 9, 19), "open"),
        ("gemini-2.5-flash-lite", "vertex", date(2026, 9, 20), "existing customers only"),
        ("gemini-2.5-flash-lite", "vertex", date(2026, 10, 20), "ended"),
        ("gemini-3.5-flash", "vertex", date(2027, 4, 19), "not verified"),
        ("gemini-3.5-flash", "vertex", date(2027, 5, 19), "may have ended"),
        ("amazon.nova-micro-v1:0", "bedrock", TODAY, "open"),
        ("any", "mistral", TODAY, "ended"),
        ("smollm2-135m-instruct", "local", TODAY, "open"),
    ],
)
def test_standing(model: str, provider: str, day: date, state: str) -> None:
    assert facts.standing(model, provider, day).state == state


def test_standing_counts_the_days() -> None:
    where = facts.standing("gpt-4o-mini-2024-07-18", "openai", TODAY)
    assert (where.next_date, where.days_left) == (date(2027, 1, 6), 44)


def test_tunable_keeps_the_ended_and_marks_them() -> None:
    table = facts.tunable(TODAY).set_index(["provider", "model"])
    assert table.loc[("openai", "gpt-3.5-turbo"), "state"] == "ended"
    assert table.loc[("nebius", "under-20b"), "state"] == "open"
    assert "reinforcement" not in set(table["method"])
    assert len(facts.tunable(TODAY, method=None)) == len(facts.rows("tunable"))


def test_prompt_models_and_the_first_one_to_measure() -> None:
    table = pandas.DataFrame(row.values for row in facts.prompted(TODAY))
    models = set(table["model"])
    assert {"gpt-6-luna", "claude-haiku-5-5"} <= models and "gpt-4o-mini-2024-07-18" not in models
    assert table["model"].is_unique and table["input"].is_monotonic_increasing
    first = facts.cheapest_target(TODAY)
    assert first["kind"] == "small frontier"
    cost = 800 * table["input"] + 200 * table["output"]
    assert 800 * first["input"] + 200 * first["output"] == cost[table["kind"] == "small frontier"].min()
    with pytest.raises(FactsError):
        facts.cheapest_target(date(2020, 1, 1))


def test_stale_warns_by_age_and_never_fails() -> None:
    old = facts.stale(TODAY)
    assert (old["age_days"] > 90).all() and len(old)
    assert len(facts.stale(TODAY, days=10_000)) == 0
    newest = max(row.as_of for row in ROWS)
    assert len(facts.stale(newest + timedelta(days=91))) == len(ROWS)


def test_load_gives_a_table_of_ones_own() -> None:
    table = facts.load("hosting")
    table.loc[:, "usd"] = 0
    assert facts.hosting("azure-standard")["usd"] == 1.70 and facts.load("hosting")["usd"].max() > 0


def test_the_report_names_what_ends_what_is_old_and_what_is_doubtful() -> None:
    text = report(TODAY)
    for said in ("older than 90 days", "44 2027-01-06", "dates have passed", "not verified", "agree"):
        assert said in text
    assert "Prices that are known to change" in text and "gemini-3.8-flash" in text.split("known to change")[1]
    assert "taken to be as at OpenAI" in text, "a doubt without a remark says how it is known"
    later = report(date(2031, 1, 1))
    assert "Traceback" not in later and "known to change" not in later


def test_prices_for_prompting_agree_with_the_library_on_the_day_they_were_read() -> None:
    """Guards our own typing: these rows say that they come from that version. A later one may differ, in the report."""
    if not any(library_version() in row.how_known for row in facts.rows("prompting")):
        pytest.skip(f"no row was read from genai-prices {library_version()}; see python -m helpers.facts")
    compared = compare_with_library(TODAY)
    assert len(compared) >= 60
    apart = compared[~compared["agree"]]
    assert apart.empty, apart.to_string()


def test_whoever_has_limits_says_which_shapes_of_rows_it_takes() -> None:
    assert all(facts.limits(row["provider"]).get("shapes") for row in facts.rows("limits"))


def test_limits_are_still_there() -> None:
    for provider in ("openai", "azure", "together", "fireworks", "nebius", "bedrock", "vertex", "local"):
        assert facts.limits(provider)


@pytest.mark.parametrize("table", facts.TABLES)
def test_a_missing_column_is_named_with_its_table(tmp_path: Path, table: str) -> None:
    """Adding a row, or a table, begins with its columns: each one that is left out is named, all at once."""
    text = (HERE / f"{table}.csv").read_text(encoding="utf-8")
    named = text.splitlines()[0].split(",")
    assert sorted(named) == sorted(COLUMNS[table])
    for gone in ({named[0]}, {"as_of", "source"}, set(named[-2:])):
        copy = tmp_path / f"{table}.csv"
        copy.write_text(",".join(column for column in named if column not in gone) + "\n", encoding="utf-8")
        with pytest.raises(FactsError) as caught:
            read_table(copy)
        assert all(column in caught.value.what for column in gone) and f"{table}.csv" in str(caught.value)


@pytest.mark.parametrize(("table", "column"), list(WORDS))
def test_an_unknown_word_is_named_with_those_that_are_known(tmp_path: Path, table: str, column: str) -> None:
    row = facts.rows(table)[0]
    cells = {name: "" if value is None else str(value) for name, value in row.values.items()}
    copy = tmp_path / f"{table}.csv"
    with open(copy, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(cells))
        writer.writeheader(), writer.writerow({**cells, column: "perhaps"})
    with pytest.raises(FactsError) as caught:
        read_table(copy)
    assert f"line 2, {column}" in str(caught.value) and "'perhaps'" in str(caught.value)
    assert all(word in caught.value.fix for word in WORDS[table, column])


def test_contributing_names_every_table_column_and_event() -> None:
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = ("providers", "life", "tunable", "hosting")
    columns = {column for table in told for column in COLUMNS[table]} - {"provider", "name", "model", "label", "remark"}
    words = {*facts.TABLES, *columns, *WORDS["life", "event"], *WORDS["life", "precision"]}
    prices = {"input", "cached", "output", "batch_input", "batch_cached", "batch_output"}  # "prices of calling it"
    assert {word for word in words - prices if f"`{word}`" not in text} == set()
    assert all(words in " ".join(text.split()) for words in HOW_KNOWN[:3])


def test_every_host_has_an_event_from_which_its_door_follows() -> None:
    for row in facts.rows("providers"):
        assert any(event["model"] == "*" for event in facts.life(provider=row["provider"])), row["provider"]
        assert facts.door(row["provider"], TODAY) in facts.WHO.values()


@pytest.mark.parametrize(
    "model", [row["model"] for row in facts.rows("life") if row["provider"] in ("openai", "google")]
)
def test_what_has_ended_is_no_rival_and_no_first_model_to_measure(model: str) -> None:
    ended = [e for e in facts.rows("life") if e["model"] == model and e["event"] in ("shut down", "rerouted")]
    for event in ended:
        if event["precision"] == "exactly":
            assert model not in {row["model"] for row in facts.prompted(event["date"])}


def test_a_small_frontier_model_that_ends_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    first = facts.cheapest_target(TODAY)
    event = next(e for e in facts.rows("life") if e["event"] == "shut down")
    values = {**event.values, "provider": first["provider"], "model": first["model"], "date": date(2027, 2, 1)}
    rows = facts.rows
    more = (*rows("life"), facts.FactRow("life", values, 99))
    monkeypatch.setattr("helpers.facts.events.rows", lambda table: more if table == "life" else rows(table))
    assert facts.cheapest_target(date(2027, 1, 31))["model"] == first["model"]
    assert facts.cheapest_target(date(2027, 2, 1))["model"] != first["model"]
    assert first["model"] not in {row["model"] for row in facts.prompted(date(2027, 2, 1))}


def test_training_that_ends_is_no_shutdown_and_no_earlier_than_is_kept() -> None:
    azure = facts.tuning_price("gpt-4.1", "azure", TODAY)
    assert facts.shutdown(azure)["date"] == date(2027, 10, 14)
    assert facts.gone(azure, date(2027, 4, 20)) == "", "jobs may have ended, deployments answer"
    assert facts.gone(azure, date(2027, 10, 14)).startswith("may have ended, no earlier than 2027-10-14")
    assert not facts.has_ended(azure, date(2029, 1, 1))
    sentence = facts.standing("gpt-4.1-2025-04-14", "azure", date(2027, 4, 20)).sentence
    assert "may have ended, no earlier than 2027-04-14" in sentence and "no earlier than 2027-10-14" in sentence


def test_an_answer_after_the_end_and_before_it() -> None:
    assert facts.answers("openai", date(2027, 1, 13)) and not facts.answers("openai", date(2027, 1, 14))
    assert facts.answers("azure", date(2029, 1, 1)), "no earlier than is no certainty"
    assert not facts.answers("cohere", TODAY) and facts.answers("mistral", TODAY)


def test_the_next_shutdown_is_none_when_none_is_known() -> None:
    assert facts.next_shutdown(date(2026, 11, 29)) == "2026-12-01"
    assert facts.next_shutdown(date(2027, 10, 14)) == "none" and len(facts.shutdowns(date(2027, 10, 14))) == 0


def test_a_price_after_its_last_day_says_so() -> None:
    row = facts.price("gemini-4-argon", on=date(2026, 11, 30))
    assert (row["input"], facts.price("gemini-4-argon", on=date(2026, 12, 1))["input"]) == (2.0, 4.0)


def test_free_tiers_know_what_has_ended_and_who_trains_on_prompts() -> None:
    before, after = (facts.free_tiers(day).set_index("provider") for day in (date(2026, 7, 29), date(2026, 7, 30)))
    assert (before.loc["github", "state"], after.loc["github", "state"]) == ("open", "ended")
    assert after.loc["google", "trains_on_prompts"] == "yes"


def test_a_provider_is_added_by_rows_alone() -> None:
    """W&B stands in the tables and in hosts.toml, and no module knows its name."""
    code = [path.read_text(encoding="utf-8") for path in HERE.parent.rglob("*.py")]
    assert not any("wandb" in text or "W&B" in text for text in code)
    day = date(2026, 11, 29)
    assert facts.door("wandb", day) == "anyone" and facts.tuning_price("google/gemma-4-26B-A4B-it", "wandb", day)


def test_the_review_begins_with_what_much_rests_on_and_what_is_old() -> None:
    table = review(date(2026, 11, 29))
    assert len(table) == len(ROWS) and (table["rests"] >= 1).all()
    weight = table["rests"] * table["age_days"].clip(lower=1)
    assert weight.is_monotonic_decreasing and table["compare"].str.len().min() > 0
    text = look_first(date(2026, 11, 29), 3)
    assert text.count("   at: https://") == 3 and text.count("   compare: ") == 3 and "genai-prices" in text


def test_differences_to_a_price_list_are_a_table(tmp_path: Path) -> None:
    prices = {
        "gpt-6-luna": {"input_cost_per_token": 1e-07, "output_cost_per_token": 6e-07},
        "ft:gpt-4o-mini-2024-07-18": {"input_cost_per_token": 3e-07},
        "sample_spec": "text",
    }
    file = tmp_path / "list.json"
    file.write_text(json.dumps(prices), encoding="utf-8")
    table = compare_with_list(file, TODAY).set_index(["model", "price"])
    assert table.loc[("gpt-6-luna", "input"), "agree"] and not table.loc[("gpt-6-luna", "output"), "agree"]
    assert table.loc[("gpt-6-luna", "cached"), "explained"] == "no such price there"
    assert table.loc[("gpt-4o-mini-2024-07-18", "input"), "agree"]
    assert "0.6" in look_first(TODAY, 1, file)
    with pytest.raises(FactsError, match="not a price list"):
        compare_with_list(tmp_path / "nothing.json", TODAY)


def test_a_host_of_which_no_price_is_known_suggests_nothing_instead_of_an_empty_list() -> None:
    for known in (facts.tuning_price, facts.price):
        with pytest.raises(FactsError) as caught:
            known("open-8b", "a-host-of-ones-own")
        assert "No price at 'a-host-of-ones-own' is in the tables" in str(caught.value)
        assert "Did you mean" not in str(caught.value)


def test_a_hosting_price_is_open_to_those_whom_the_provider_page_names():
    """A customer of a cloud is not "anyone", and what is no door (how GPUs are rented) is left to the page."""
    doors = facts.hosting_table(TODAY).set_index("provider")["open to"].to_dict()
    assert (doors["azure"], doors["vertex"]) == ("customers of Azure", "Google Cloud customers")
    assert (doors["together"], doors["runpod"], doors["mistral"]) == (*2 * ("anyone with an account",), "nobody")
