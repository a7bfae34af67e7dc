"""Free text measured: facts that stand on the sheet, copying, variety, the editor, and the tables of them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import data, decide, evaluate
from helpers.errors import EvaluationError
from helpers.evaluate import free_text, text_rules
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.metrics import Metric
from helpers.evaluate.results.scoring import score_replies
from helpers.records import Evidence, Example

VOICE = Path(__file__).resolve().parents[1] / "data" / "sample" / "brand_voice"
RULES = text_rules.load_rules(VOICE / "rules.toml")
TRAIN, TEST = data.read(VOICE / "train.jsonl"), data.read(VOICE / "test.jsonl")
ANSWERS = {"gap": "behaviour", "good_output": "clear", "evaluation": "fixed_set", "effort": "days"}
BARE = {"model": "m", "host": "h", "role": "teaching", "known_by": "its name", "parameters": 0.1}


def row(sheet: str, copy: str) -> Example:
    return Example(({"role": "user", "content": sheet}, {"role": "assistant", "content": copy}))


def invented(copy: str, sheet: str) -> list[str]:
    return [one.text for one in free_text.invented(copy, sheet)]


# --- facts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sheet", "copy"),
    [
        ("H 95 mm", "It stands 9.5 cm tall."),
        ("1500 mm diameter", "A round rug, 150 cm across."),
        ('15.75" across', "It is 40 cm across."),
        ('4.5" high', "It is 11 cm high."),
        ("30 cm across", "It is 12 inches across."),
        ("length 1.2 m", "It is 120 cm long."),
        ("20x10 cm", "The base is 20 cm long."),
        ("width 450", "It is 45 cm wide."),
        ("1.7 L", "It holds 1.7 litres."),
        ("1.5l", "It holds a litre and a half."),
        ("500 ml", "It holds half a litre."),
        ("keep-warm 30 min", "It keeps the water warm for half an hour."),
        ("about 45 minutes", "It takes about three quarters of an hour."),
        ("110kg", "It holds a hundred and ten kilos."),
        ("Burns 40 hours", "It burns for forty hours."),
        ("oven to 180 C", "Safe in an oven up to a hundred and eighty."),
        ("sizes 1,2,3,4, up to 1,200 g", "Four sizes, up to 1200 g."),
        ("48 L, 70 W, 90H", "It is 48 cm long and 90 cm high."),
        ("as of 24.11.2026", "It is from 2026."),
        ("hooks x3, oak", "Three hooks on a strip of oak."),
        ("a pair of hooks", "Two hooks."),
        ("6.8 kg", "It weighs close to seven kilos."),
        ("up to 700 mm wide", "It suits a bath up to seventy wide."),
        ("brushed stainless steel", "A kettle in steel."),
        ("solid walnut", "It is wood, and it knows it."),
        ("st. steel", "A blade of stainless steel."),
        ("forest green", "It is green."),
        ("sage, powder coated", "A green lamp."),
        ("granite", "It is veined like marble and as cool as silk, and it is granite."),
        ("steel, oiled", "It will rust in the rain. Rub it with olive oil."),
        ("oak, brass hinge", "There is no plastic in it."),
        ("gravel path", "It sits beside a stepping stone, or on stepping stones."),
        ("oak", "The dog turns three times and lies down. One walk will do."),
    ],
)
def test_what_stands_on_the_sheet(sheet, copy):
    assert invented(copy, sheet) == []


@pytest.mark.parametrize(
    ("sheet", "copy", "wrong"),
    [
        ("20 cm high", "It is 25 cm high.", "25 cm"),
        ("20 kg", "It is 20 cm high.", "20 cm"),
        ("9 rods", "It is 9 cm high.", "9 cm"),
        ("egg cups ×4", "They are 4 cm across.", "4 cm"),
        ("7 brass weights", "It holds 7 kilos.", "7 kilos"),
        ("50 cards", "It is 50 cm wide.", "50 cm"),
        ("EG-4, egg cups", "They are 4 cm across.", "4 cm"),
        ("steel", "A wooden spoon.", "wooden"),
        ("steel", "It has olive wood handles.", "olive wood"),
        ("porcelain", "It is white porcelain.", "white"),
        ("blue wool", "It is sage wool.", "sage"),
        ("two screws", "It is 20 mm high.", "20 mm"),
        ("1.7 L", "It holds three litres.", "three litres"),
        ("3 hooks", "It has five hooks.", "five"),
        ("Burns 40 hours", "It burns for sixty hours.", "sixty hours"),
        ("washable", "It can be washed at 40 degrees.", "40"),
        ("steel", "Made of stainless steel.", "stainless steel"),
        ("oak", "A frame of walnut.", "walnut"),
        ("cotton", "It is cotton with a silk lining.", "silk"),
        ("blue", "It is navy.", "navy"),
        ("cream", "A red rim runs around it.", "red"),
        ("oak handle", "The handle is wood and the lid is plastic.", "plastic"),
        ("forested", "It is oak.", "oak"),
    ],
)
def test_what_does_not_stand_on_the_sheet(sheet, copy, wrong):
    assert invented(copy, sheet) == [wrong]


@pytest.mark.parametrize("copy", ["1. Wipe it.\n2. Dry it.\n3", "Care:\n 1) by hand\n10) never in water\n11."])
def test_the_number_of_a_line_in_a_list_claims_nothing(copy):
    assert not free_text.faithfulness.mentions(copy, "Apron, washable")


@pytest.mark.parametrize(
    "copy", ["It lasts 2 years.", "3 hooks, and a shelf.", "Hooks:\n3", "1.5 litres.\n7.5 cm across."]
)
def test_a_number_at_the_start_of_a_line_is_a_claim_where_it_counts_something(copy):
    assert free_text.faithfulness.invented(copy, "Apron, washable")


def test_a_mention_says_where_it_stands():
    copy = "The lid is oak. It is 30 cm tall, in red."
    for one in free_text.mentions(copy, "oak, 30 cm"):
        assert copy[one.at :].startswith(one.text)
    kinds = [(one.kind, one.stands) for one in free_text.mentions(copy, "oak, 30 cm")]
    assert kinds == [("material", True), ("number", True), ("colour", False)]


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_read_without_an_error(copy, sheet):
    assert all(one.kind in ("number", "material", "colour") for one in free_text.mentions(copy, sheet))


@given(st.integers(1, 999), st.integers(1, 999))
def test_a_length_stands_when_and_only_when_it_is_the_same(said, there):
    assert (invented(f"It is {said} cm wide.", f"width {there * 10} mm") == []) == (said == there)


def test_the_archive_invents_next_to_nothing():
    """Its writer was held to the sheet by hand: what the check finds there is nearly all its own mistakes."""
    told = [one for example in (*TRAIN, *TEST) for one in free_text.mentions(example.answer, example.question)]
    assert len(told) > 900 and np.mean([not one.stands for one in told]) < 0.07


def test_copies_with_their_sheets_exchanged_are_caught():
    """The same texts beside another product's sheet: most of what they say must be found not to stand there."""
    for kind, least in (("number", 0.85), ("material", 0.8), ("colour", 0.7)):
        stands = [
            one.stands
            for mine, other in zip(TRAIN, [*TRAIN[7:], *TRAIN[:7]], strict=True)
            for one in free_text.mentions(mine.answer, other.question)
            if one.kind == kind
        ]
        assert np.mean([not one for one in stands]) > least, kind


LABELLED = [json.loads(line) for line in (VOICE / "faithfulness.jsonl").read_text(encoding="utf-8").splitlines()]
LISTS = {"number": "numbers", "material": "materials", "colour": "colours"}


def against_labels(part: str) -> tuple[float, float]:
    """Precision and recall of the invented facts found in the labelled copies of a part, each counted once a copy.

    A find and a label are one where the words of the one hold the other's ("a dozen", "dozen").
    """
    right = found = wanted = missed = 0
    for line in (line for line in LABELLED if line["part"] == part):
        said = {(one.kind, one.text.casefold()) for one in free_text.invented(line["copy"], line["sheet"])}
        gold = {(kind, text.casefold()) for kind, name in LISTS.items() for text in line[name]}
        right += sum(any(_one(mine, theirs) for theirs in gold) for mine in said)
        missed += sum(not any(_one(mine, theirs) for mine in said) for theirs in gold)
        found, wanted = found + len(said), wanted + len(gold)
    return right / found, 1 - missed / wanted


def _one(mine: tuple[str, str], theirs: tuple[str, str]) -> bool:
    return mine[0] == theirs[0] and (mine[1] in theirs[1] or theirs[1] in mine[1])


def test_the_check_against_labels_of_another_hand():
    assert len(LABELLED) >= 100 and {line["by"] for line in LABELLED} == {
        "archive", "archive copy, changed", "prompted", "tuned",
    }  # fmt: skip
    readme = (VOICE / "README.md").read_text(encoding="utf-8")
    for part in {line["part"] for line in LABELLED}:
        precision, recall = against_labels(part)
        assert f"| {part} | {precision:.2f} | {recall:.2f} |" in readme
        assert precision >= 0.9, part
        assert recall >= (0.8 if part == "held out" else 0.9), part  # 0.9 was hoped for on fresh copies, too


# --- copying ---------------------------------------------------------------------------------------------------------


def test_the_longest_run_of_words_in_common():
    pool = ["The lid lifts, and steam comes out of it.", "Nothing here"]
    assert free_text.longest_shared("Steam comes out — of IT, slowly", pool) == 5
    assert free_text.longest_shared("it nothing", pool) == 1  # never across two texts
    assert free_text.longest_shared("steamer", pool) == 0  # whole words only
    assert free_text.longest_shared("", pool) == free_text.longest_shared("lid", []) == 0


@given(st.lists(st.sampled_from("abcd"), max_size=30), st.lists(st.sampled_from("abcd"), max_size=30))
def test_the_longest_run_is_that_of_the_plain_definition(one, other):
    runs = {tuple(other[i:j]) for i in range(len(other)) for j in range(i + 1, len(other) + 1)}
    mine = [(i, j) for i in range(len(one)) for j in range(i + 1, len(one) + 1)]
    wanted = max((j - i for i, j in mine if tuple(one[i:j]) in runs), default=0)
    assert free_text.longest_shared(" ".join(one), [" ".join(other)]) == wanted


def test_no_two_rows_of_the_archive_share_a_long_run():
    """So a long run in a model's copy is the model's copying, not the shop's habit."""
    archive = [example.answer for example in TRAIN]
    assert max(free_text.longest_shared(example.answer, archive) for example in TEST) < free_text.LONG


# --- the editor ------------------------------------------------------------------------------------------------------


def test_the_editor_tells_two_hands_apart_and_says_how_well():
    ours = [example.answer for example in TRAIN[:60]]
    theirs = [f"Introducing our stunning item: {example.question}! Buy it today." for example in TRAIN[60:120]]
    editor = free_text.train_editor(ours, theirs)
    assert editor.accuracy.value > 0.95 and editor.accuracy.low < editor.accuracy.high <= 1.001
    assert np.mean(editor.takes([example.answer for example in TEST])) > 0.9
    assert editor.takes([theirs[0].replace("item", "thing"), None])[0] == 0
    assert np.isnan(editor.takes([None])[0])
    assert "!" in editor.theirs


def test_what_the_editor_goes_by_reads_as_words_and_named_marks():
    """The terms are bare tokens: set in a sentence as they are, a full stop among them ends it."""
    terms = (".", "in", "is a", ". and", "it ,", "' s", "%")
    editor = free_text.Editor(None, None, terms, ("!",), "")
    assert editor.goes_by == (
        "What speaks for the archive: a full stop, “in”, “is a”, a full stop before “and”, “it” before a comma, an "
        "apostrophe before “s”, “%”.",
        "What speaks against it: an exclamation mark.",
    )


def test_an_editor_that_cannot_tell_says_so():
    texts = [example.answer for example in TRAIN[:200]]  # one writer's
    editor = free_text.train_editor(texts[::2], texts[1::2])
    assert editor.accuracy.low < 0.5 < editor.accuracy.high


def test_an_editor_needs_something_to_read():
    with pytest.raises(EvaluationError, match="10 texts"):
        free_text.train_editor(["a"] * 9, ["b"] * 50)


# --- metrics and tables ----------------------------------------------------------------------------------------------


def test_the_measures_are_metrics_with_unit_and_direction():
    found = free_text.measures(RULES, TRAIN)
    assert [(m.name, m.unit, m.better) for m in found] == [
        ("rules_and_facts", "share", "higher"),
        ("rules_kept", "share", "higher"),
        ("all_rules", "share", "higher"),
        ("nothing_invented", "share", "higher"),
        ("copied_words", "words", "lower"),
        ("length", "words", "neither"),
    ]
    both, kept, every, clean, copied, length = (metric(TEST[0].answer + "!", TEST[0]) for metric in found)
    assert kept == pytest.approx(19 / 20) and both == every == 0 and clean == 1 and copied < 12 and length > 30
    assert [metric(TEST[0].answer, TEST[0]) for metric in found[:4]] == [1, 1, 1, 1]
    assert [metric(TRAIN[0].answer, TEST[0]) for metric in found[:4]] == [0, 1, 1, 0]  # another product's copy
    assert found[4](TRAIN[5].answer, TRAIN[5]) == len(TRAIN[5].answer.split())


def test_measures_without_rules_or_facts():
    def names(rules, **options):
        return [metric.name for metric in free_text.measures(rules, TRAIN, **options)]

    assert names([]) == ["similarity", "nothing_invented", "copied_words", "length"]
    assert names(RULES, facts=False) == ["all_rules", "rules_kept", "copied_words", "length"]
    assert names([], facts=False) == ["similarity", "copied_words", "length"]


def test_a_project_gives_its_rules_in_any_form(tmp_path):
    about, calm = data.task(TRAIN), [{"id": "calm", "kind": "regex_absent", "pattern": "!"}]
    file = tmp_path / "mine.toml"
    file.write_text('[[rule]]\nid = "calm"\nkind = "regex_absent"\npattern = "!"\n')

    def headline(rules, facts=False):
        return free_text.for_task(about, rules, TRAIN, facts=facts)[0].name

    assert [free_text.rules_of(given)[0]["id"] for given in (calm, str(file), file)] == ["calm"] * 3
    assert headline(calm) == headline(str(file)) == headline(file) == "all_rules"
    assert headline(calm, facts=True) == "rules_and_facts" and headline(None, facts=True) == "similarity"
    assert headline(None) == "similarity" and headline("final_number") == "final_number"
    labels = [
        Example(({"role": "user", "content": f"row {n}"}, {"role": "assistant", "content": "yes"})) for n in range(9)
    ]
    with pytest.raises(EvaluationError, match="FACTS is for free text; these rows are labels"):
        free_text.for_task(data.task(labels), None, TRAIN, facts=True)


def test_facts_alone_decide_nothing_because_whoever_says_nothing_invents_nothing():
    """On a public set of 120 sheets the same short sentence for every row had 100 %: the best of all rivals."""
    pool = [row("a lamp, red wool, 20 cm", "It is what it is.")] * 3 + [row("oak, 30 cm", "Oak, 30 cm wide.")]
    measures = free_text.for_task(data.task(TRAIN), None, pool, facts=True)
    results = evaluate.without_llm(pool, TEST[:5], measures)
    assert results.scores("most frequent answer", "nothing_invented").tolist() == [1] * 5
    assert not results.decides and [one.name for one in measures].count("similarity") == 1


def test_another_rows_copy_is_no_number_to_beat_as_measured_and_kept():
    """On a public set of 120 products the verdict said so of one other garment's copy, which kept every rule."""
    short = [{"id": "short", "description": "At most 90 words", "kind": "word_count", "min": 1, "max": 90}]
    for facts, there in ((False, False), (True, True)):
        measures = free_text.for_task(data.task(TRAIN), short, TRAIN, facts=facts)
        found = evaluate.without_llm(TRAIN, TEST[:12], measures, progress=False).measurements()
        evidence = Evidence(measurements=found)
        verdict = decide.decide(ANSWERS, evidence)
        assert any("number to beat" in one or "rows right" in one for one in verdict.reasons) == there
        record = decide.Record("?", ANSWERS, evidence, date(2026, 11, 30)).markdown()
        assert ("it repeats a training text" in record) != there and "fit the device" not in record


def results_of(answers: list[str | None], rows: list[Example]):
    replies = [Reply(missing="lost") if a is None else Reply(a, "", "stop", 10, 2, 5, 0.1) for a in answers]
    return score_replies("rival", {"id": "r", **BARE}, rows, replies, free_text.measures(RULES, TRAIN), split="t")


def test_the_profile_of_archive_copied_and_missing_texts():
    rows = TEST[:10]
    theirs = [TRAIN[0].answer] * 4 + ["Introducing 99 cm of plastic! Blah"] * 5 + [None]
    copies = free_text.copies(results_of(theirs, rows), rows)
    table = free_text.profile(copies, rows, TRAIN, RULES)
    ours, other = table.loc[free_text.ARCHIVE], table.loc["rival"]
    assert ours["rules kept"] == ours["all rules kept"] == ours["other endings"] == 1
    assert ours["copied"] == 0 and other["copied"] == pytest.approx(4 / 9)
    assert other["other openings"] == other["other endings"] == pytest.approx(2 / 9)
    assert other["all rules kept"] == pytest.approx(4 / 9)
    assert list(free_text.profile(copies, rows, TRAIN, facts=False))[:1] == ["copied"]
    assert "taken for ours" not in table and "rules kept" not in free_text.profile(copies, rows, TRAIN)


def test_the_rule_table_counts_each_rule_with_its_interval():
    rows = TEST[:10]
    broken = [example.answer + "!" for example in rows[:5]] + [example.answer for example in rows[5:9]] + [None]
    table = free_text.rule_table({"a": broken}, RULES).set_index("rule")
    line = table.loc["no_exclamation"]
    assert line["kept"] == pytest.approx(4 / 9) and line["low"] < 4 / 9 < line["high"] and line["copies"] == 9
    assert (table.drop(index="no_exclamation")["kept"] == 1).all() and len(table) == 20


def test_invented_facts_are_counted_by_kind_and_can_be_read():
    rows = [row("oak, 20 cm", "x"), row("red wool", "x"), row("tin", "x")]
    copies = {"a": ["Oak, 25 cm, in blue.", "Red wool.", None], "b": ["Nice.", "Nice.", "Nice."]}
    table = free_text.fact_table(copies, rows)
    assert table.loc["a", ["invented numbers", "invented materials", "invented colours"]].tolist() == [1, 0, 1]
    assert table.loc["a", "stand on the sheet"] == pytest.approx(3 / 5)
    assert table.loc["a", "copies that invent nothing"] == pytest.approx(1 / 2)
    assert table.loc["b", "facts told a copy"] == 0 and np.isnan(table.loc["b", "stand on the sheet"])
    listed = free_text.invented_table(copies, rows)
    assert listed[["kind", "invented"]].values.tolist() == [["number", "25 cm"], ["colour", "blue"]]


def test_what_a_copy_repeats_counts_once():
    table = free_text.fact_table({"a": ["It is 30 cm wide, 30 cm high, oak and oak."]}, [row("oak, 20 cm", "x")])
    assert table.loc["a", "facts told a copy"] == 2 and table.loc["a", "invented numbers"] == 1


def test_other_rows_than_those_measured_are_refused():
    results = results_of([example.answer for example in TEST[:3]], TEST[:3])
    with pytest.raises(EvaluationError, match="not the rows"):
        free_text.copies(results, TEST[1:4])


@pytest.mark.parametrize("copy", ["It is 26 x 40 cm.", "It is 40 x 26 cm."])
def test_a_size_whose_one_side_is_invented_is_invented_in_the_table_as_in_the_score(copy):
    sheet = row("Tray, beech, 26 x 30 cm", "x")
    assert free_text.nothing_invented(copy, sheet) == 0
    table = free_text.fact_table({"a": [copy]}, [sheet])
    assert table.loc["a", "copies that invent nothing"] == 0 and table.loc["a", "invented numbers"] == 1


def test_a_check_that_the_reader_chose_stays_first_when_facts_are_asked_for():
    about, own = data.task(TRAIN), Metric("mine", lambda answer, example: 1.0)
    for check, first in (("final_number", "final_number"), (own, "mine"), ([own], "mine")):
        names = [one.name for one in free_text.for_task(about, check, TRAIN, facts=True)]
        assert names == [first, "similarity", "length", "nothing_invented", "copied_words"]
