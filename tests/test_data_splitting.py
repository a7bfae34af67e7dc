"""Splitting by the numbers: sizes to the row, each label's share, what stays together, and what the table says."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from helpers import data
from helpers.data import splitting
from helpers.errors import DataError
from helpers.records import Example


def row(n: int, answer: str = "a", **more) -> Example:
    """Prompts that have nothing in common."""
    text = f"{n * 7919 + 7:x} {n * 104729 + 11:x}"
    return Example(({"role": "user", "content": text}, {"role": "assistant", "content": answer}), line=n, **more)


def rows(**labels: int) -> list[Example]:
    """So many rows of each label, in turn from a fixed start."""
    answers = [label for label, count in labels.items() for _ in range(count)]
    return [row(n, answer) for n, answer in enumerate(answers, 1)]


def sizes(split: data.Split) -> tuple[int, int, int, int]:
    return len(split.train), len(split.validation), len(split.test), len(split.left_out)


def by_answer(example: Example) -> str:
    return example.answer


# --- sizes ---


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"train": 6, "validation": 2, "test": 2}, (6, 2, 2, 0)),
        ({"train": 5, "test": 3}, (5, 0, 3, 2)),
        ({"train": 10, "test": 0}, (10, 0, 0, 0)),
        ({"train": 0.6, "validation": 0.2, "test": 0.2}, (6, 2, 2, 0)),
        ({"train": 0.7, "validation": 0.2, "test": 0.1}, (7, 2, 1, 0)),  # as floats they sum to less than 1
        ({"train": 0.75, "validation": 0.15, "test": 0.1}, (8, 1, 1, 0)),  # 7.5, 1.5 and 1 of ten rows
        ({"train": 0.55, "validation": 0.25, "test": 0.2}, (6, 2, 2, 0)),  # 5.5, 2.5, 2: the first of equals
        ({"train": 0.33, "test": 0.33}, (4, 0, 3, 3)),  # 3.3 and 3.3 are 6.6 together, so 7
        ({"test": 1.0}, (0, 0, 10, 0)),
    ],
)
def test_sizes_are_met_to_the_row(asked: dict, found: tuple):
    assert sizes(data.split(rows(a=10), asked)) == found


@pytest.mark.parametrize("asked", [{"train": 11}, {"train": 6, "test": 5}, {"train": True}, {"train": "5"},
                                   {"train": 0.9, "test": 0.11}, {"train": -0.1}])  # fmt: skip
def test_sizes_that_cannot_be_met(asked: dict):
    with pytest.raises(DataError):
        data.split(rows(a=10), asked)


def test_a_split_that_groups_leave_empty_is_named_with_the_largest_group():
    with pytest.raises(DataError, match="the test split") as found:
        data.split(rows(a=10), {"train": 9, "test": 1}, group=lambda example: example.line % 2)
    assert "2 units" in str(found.value) and "largest of 5 rows" in str(found.value)


# --- labels ---


def test_each_split_has_each_labels_share():
    split = data.split(rows(a=40, b=20, c=4), {"train": 32, "validation": 16, "test": 16}, label=by_answer)
    counts = [Counter(by_answer(one) for one in part) for part in (split.train, split.validation, split.test)]
    assert counts == [{"a": 20, "b": 10, "c": 2}, {"a": 10, "b": 5, "c": 1}, {"a": 10, "b": 5, "c": 1}]
    assert [Counter(split.labels[name]) for name in ("train", "validation", "test")] == counts
    assert split.labels["train"] == [by_answer(one) for one in split.train]
    assert not data.split(rows(a=4), {"train": 4}).labels, "none were asked for"


def test_what_is_left_out_has_each_labels_share_too():
    split = data.split(rows(a=40, b=20), {"train": 15, "test": 15}, label=by_answer)
    assert sizes(split) == (15, 0, 15, 30)
    assert Counter(by_answer(one) for one in split.left_out) == {"a": 20, "b": 10}


def test_rows_stay_in_the_files_order_and_a_seed_is_a_split():
    one, same, other = (data.split(rows(a=30), {"train": 15, "test": 15}, seed) for seed in (1, 1, 2))
    lines = [example.line for example in one.train]
    assert lines == sorted(lines) == [example.line for example in same.train]
    assert lines != [example.line for example in other.train] and (one.seed, other.seed) == (1, 2)


def test_the_seed_is_0_where_none_is_named_and_fractions_may_fill_the_whole():
    usual = data.split(rows(a=30), {"train": 15, "test": 15})
    assert usual == data.split(rows(a=30), {"train": 15, "test": 15}, 0) and usual.seed == 0
    assert [one.line for one in usual.train] != [
        one.line for one in data.split(rows(a=30), {"train": 15, "test": 15}, 1).train]  # fmt: skip
    assert sizes(data.split(rows(a=30), {"train": 0.7, "validation": 0.15, "test": 0.15})) == (21, 5, 4, 0)
    with pytest.raises(DataError, match=r"sum to more than 1.*1\.001"):
        data.split(rows(a=30), {"train": 0.7, "test": 0.301})


# --- what stays together ---


def pairs_and_singles() -> list[Example]:
    """Ten pairs of prompts that differ in a full stop, and twenty prompts of their own."""
    twins = [row(n, "pair") for n in range(1, 11)]
    stops = [
        Example(({"role": "user", "content": one.messages[0]["content"] + "."}, one.messages[1]), line=one.line + 100)
        for one in twins
    ]
    return [*twins, *stops, *(row(n, "single") for n in range(11, 31))]


@pytest.mark.parametrize("seed", range(3))
def test_pairs_never_part_and_sizes_are_exact_with_single_rows_enough(seed: int):
    split = data.split(pairs_and_singles(), {"train": 20, "validation": 10, "test": 10}, seed, label=by_answer)
    assert sizes(split) == (20, 10, 10, 0) and split.joined == 20
    for part, each in ((split.train, 10), (split.validation, 5), (split.test, 5)):
        lines = {one.line for one in part}
        assert {line % 100 for line in lines if line > 100} == {line for line in lines if line <= 10}
        assert abs(sum(by_answer(one) == "pair" for one in part) - each) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_what_is_left_out_takes_its_share_of_large_groups_not_all_of_them(seed: int):
    """30 groups of 2 to 11 rows; a fifth of the rows is left out."""
    owners = [who for who in range(30) for _ in range(2 + who % 10)]
    grouped = [row(n, extra={"who": who}) for n, who in enumerate(owners)]
    split = data.split(
        grouped, {"train": 0.5, "validation": 0.1, "test": 0.2}, seed, group=lambda one: one.extra["who"]
    )
    largest = [who for who in {one.extra["who"] for one in split.left_out} if who % 10 == 9]
    assert len(largest) <= 1 and len(split.left_out) == pytest.approx(39, abs=3)


def test_units_are_dealt_in_proportion_and_large_ones_first():
    """A group of six fits only while there is room, so it goes first; groups of three share the sides."""
    big, small = (
        [row(n, extra={"who": who}) for n in lines] for who, lines in (("big", range(1, 7)), (None, range(7, 13)))
    )
    for seed in range(5):
        split = data.split([*small, *big], {"train": 6, "test": 6}, seed, group=lambda one: one.extra["who"])
        assert sizes(split) == (6, 0, 6, 0) and split.joined == 6
        assert {len({one.line <= 6 for one in part}) for part in (split.train, split.test)} == {1}
    threes = data.split(rows(a=36), {"train": 24, "test": 12}, group=lambda one: one.line // 3 % 12)
    assert sizes(threes) == (24, 0, 12, 0) and threes.joined == 36


def test_rows_of_no_group_are_free():
    split = data.split(rows(a=10), {"train": 5, "test": 5}, group=lambda _: None)
    assert sizes(split) == (5, 0, 5, 0) and split.joined == 0


def test_system_prompts_are_not_what_two_rows_have_in_common():
    def asked(role: str) -> Example:
        question, answer = {"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "Here."}
        return Example(({"role": role, "content": "Be brief."}, question, answer))

    assert {splitting.prompt_text(asked(role)) for role in ("system", "developer")} == {"Where is it?"}
    assert splitting.prompt_text(asked("user")) == "Be brief.\nWhere is it?"


# --- the table ---


def test_the_table_of_a_split():
    split = data.split(rows(a=30, b=10), {"train": 20, "validation": 0, "test": 10}, label=by_answer)
    table = split.report()
    assert table.index.tolist() == ["train", "validation", "test", "left_out"]
    assert table["rows"].tolist() == [20, 0, 10, 10] and table["share_percent"].tolist() == [50, 0, 25, 25]
    assert table["labels"].tolist()[0] == 2 and table["a %"].tolist()[:2] == [75, 0]
    assert (table["a %"] + table["b %"]).tolist() == [100, 0, 100, 100]
    assert table.loc["train", "sha256"] == data.content_hash(split.train)[:12]
    everything = data.split(rows(a=3), {"train": 2, "test": 1}).report()
    assert everything.index.tolist() == ["train", "validation", "test"] and "labels" not in everything
    assert everything["share_percent"].tolist() == [66.7, 0, 33.3]
    thirds = data.split(rows(a=4, b=2), {"train": 3, "test": 3}, label=by_answer).report()
    assert thirds.loc["train", ["a %", "b %"]].tolist() == [66.7, 33.3]


@pytest.mark.parametrize(("labels", "columns"), [(12, 12), (13, 13), (14, 13)])
def test_a_column_for_each_of_a_dozen_labels(labels: int, columns: int):
    """Of 13 the last has a column, too: "and 1 more" would take as much room."""
    several = [row(n, f"L{n % labels:02}") for n in range(1, labels * 4 + 1)]
    table = data.split(several, {"train": 0.5, "test": 0.5}, label=by_answer).report()
    shares = [name for name in table if name.endswith(" %")]
    assert len(shares) == columns and (f"and {labels - 12} more %" in shares) == (labels > 13)
    assert table.loc["train", shares].sum() == pytest.approx(100, abs=1) and shares[:12] == sorted(shares[:12])


# --- the closest rows ---


def test_the_closest_rows_of_two_splits():
    train, test = [row(n) for n in range(1, 300)], [row(n) for n in range(1000, 1400)]
    test[390] = Example(row(250).messages, line=390)  # beyond the first block of rows that are compared at once
    found = data.Split(train, [], test, [], seed=0).closest(3)
    assert len(found) == 3 and found["similarity"].is_monotonic_decreasing
    first = found.iloc[0]
    assert (first["similarity"], first["test_line"], first["train_line"]) == (1, 390, 250)
    assert first["test_prompt"] == first["train_prompt"] and found["similarity"].iloc[1] < 1
    assert len(data.Split(train, [], test, [], seed=0).closest()) == 5
    for one in (data.Split([], [], test, [], seed=0), data.Split(train, [], [], [], seed=0)):
        assert one.closest().empty and "similarity" in one.closest()


def test_similarity_is_by_runs_of_three_to_five_characters():
    """Of the 18 runs in " abcdefh " 12 lie before its last letter; all weigh the same: the cosine is √(12/18)."""
    train, test = ([Example(({"role": "user", "content": word}, {"role": "assistant", "content": ""}))]
                   for word in ("abcdefh", "abcdefg"))  # fmt: skip
    assert data.Split(train, [], test, [], seed=0).closest()["similarity"].tolist() == [0.816]


def test_rows_that_ask_nothing_are_alike():
    nothing = [Example(({"role": "system", "content": "s"}, {"role": "assistant", "content": "a"}))]
    split = data.Split(nothing, [], nothing, [], seed=0)
    assert len(split.closest()) == 1 and split.joined == 0


def test_a_run_that_comes_twice_weighs_less_than_double():
    """The six runs of "abc" weigh 1 + ln 2, those of "xyz" 1: the cosine with "xyz" is 1 / √((1 + ln 2)² + 1)."""
    train, test = ([Example(({"role": "user", "content": words}, {"role": "assistant", "content": ""}))]
                   for words in ("abc abc xyz", "xyz"))  # fmt: skip
    assert data.Split(train, [], test, [], seed=0).closest()["similarity"].tolist() == [0.509]


def test_a_large_side_is_sampled_evenly(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(splitting, "COMPARED", 3)
    found = data.Split(rows(a=7), [], rows(a=6), [], seed=0).closest(9)
    assert sorted(found["test_line"]) == [1, 3, 5] and set(found["train_line"]) <= {1, 4, 7}
    monkeypatch.setattr(splitting, "COMPARED", 6)
    assert len(data.Split(rows(a=7), [], rows(a=6), [], seed=0).closest(9)) == 6, "no more than are compared"


def test_a_report_of_many_labels_rounds_the_rest_and_an_empty_side_has_no_share():
    labels = [f"label {n}" for n in range(splitting.LABELS_SHOWN + 4)] + ["label 0"] * 3
    rows = [
        Example(({"role": "user", "content": f"q {n}"}, {"role": "assistant", "content": one}))
        for n, one in enumerate(labels)
    ]
    told = splitting.Split(rows, [], rows[:3], [], 1, {"train": labels, "validation": [], "test": labels[:3]}).report()
    (rest,) = [name for name in told.columns if name.startswith("and ")]
    assert rest == "and 4 more %" and told.loc["validation", rest] == 0.0
    assert told.loc["train", rest] == round(400 / len(labels), 1)


def test_each_label_comes_as_near_to_its_share_on_each_side_as_whole_rows_allow():
    """Six, two and one of nine rows: no side is a whole row away from its share of any of them."""
    rows = [
        Example(({"role": "user", "content": hashlib.sha256(str(n).encode()).hexdigest()},
                 {"role": "assistant", "content": label}))
        for n, label in enumerate("ccaaccbcc")
    ]  # fmt: skip
    parts = data.split(
        rows, sizes={"train": 0.5, "validation": 0.25, "test": 0.25}, seed=1, label=lambda row: row.answer
    )
    for name, share in (("train", 0.5), ("validation", 0.25), ("test", 0.25)):
        there = Counter(row.answer for row in getattr(parts, name))
        assert all(abs(there[label] - share * count) <= 0.5 for label, count in {"a": 2, "b": 1, "c": 6}.items())
