"""Rivals without a language model: patterns, classifiers, their combination, coverage and cascades."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from helpers import assets, evaluate
from helpers.assets import kept
from helpers.errors import AssetError, EvaluationError
from helpers.evaluate import metrics
from helpers.evaluate.baselines import embedding, guessing
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.results.scoring import score_replies
from helpers.records import Example

SAMPLE = Path(__file__).parents[1] / "data" / "sample"


def example(question: str, answer: object = "yes") -> Example:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": text}))


def sample(task: str, split: str) -> list[Example]:
    lines = (SAMPLE / task / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Example(tuple(json.loads(line)["messages"]), line=i) for i, line in enumerate(lines, 1)]


# --- patterns --------------------------------------------------------------------------------------------------------


def orders(*pairs: tuple[str, object]) -> list[Example]:
    return [example(question, {"order": value, "kind": "a"}) for question, value in pairs]


WRITTEN = orders(
    ("where is 48213", "BM-48213"), ("BM51120 please", "BM-51120"), ("it is #61234!", "BM-61234"),
    ("bm-71999 is late", "BM-71999"), ("no number here", None), ("I paid 12 in 2024", None),
)  # fmt: skip


def test_a_pattern_learns_however_the_number_was_written():
    found = evaluate.suggest_pattern(WRITTEN, "order")
    assert (found.right, found.rows, found.usual) == (6, 6, 2)
    assert found("order no. 90001, thanks") == "BM-90001" and found("phone 555012345") is None
    assert found.template == "BM-{}"


def test_a_pattern_prints_as_what_it_is():
    said = str(evaluate.suggest_pattern(WRITTEN, "order"))
    assert "([0-9]{5})" in said and "BM-{}" in said and "6 of 6 training rows" in said and "null" in said
    assert said == repr(evaluate.suggest_pattern(WRITTEN, "order"))


def test_a_pattern_reads_spaces_inside_and_the_last_of_several_where_training_rows_say_so():
    rows = orders(
        ("BM-48 213", "BM-48213"), ("43 118", "BM-43118"), ("not 11111 but 22222", "BM-22222"), ("33333", "BM-33333")
    )
    found = evaluate.suggest_pattern(rows, "order")
    assert found.right == 4 and found.which == "last"
    assert found("55 555") == "BM-55555"


def test_a_pattern_needs_its_start_where_other_numbers_are_about():
    rows = orders(*((f"ref BM {n}, my phone is {n + 1}", f"BM-{n}") for n in range(10000, 10010)),
                  *((f"call me on {n}", None) for n in range(20000, 20010)))  # fmt: skip
    found = evaluate.suggest_pattern(rows, "order")
    assert found.right == 20 and found("call 30000") is None and found("bm:30000, call 40000") == "BM-30000"


def test_numbers_stay_numbers_and_letters_keep_the_answers_case():
    amounts = [example(f"I paid {n}.50 euros on Monday", {"amount": n + 0.5}) for n in range(10, 20)]
    assert evaluate.suggest_pattern(amounts, "amount")("cost 77.25 in all") == 77.25
    codes = [example(f"code {c.lower()}{n}", {"code": f"{c}{n}"}) for n, c in enumerate(("AB", "CD", "EF", "GH"), 10)]
    assert evaluate.suggest_pattern(codes, "code")("my zz99") == "ZZ99"


def test_no_pattern_for_labels_names_or_values_that_no_message_holds():
    rows = [example(f"message {n}", {"kind": "ab"[n % 2], "name": f"Ann {'xy'[n % 2]}{n}!", "id": f"N-{n * 7919}"})
            for n in range(12)]  # fmt: skip
    assert [evaluate.suggest_pattern(rows, field) for field in ("kind", "id")] == [None, None]
    assert evaluate.suggest_patterns(rows) == {}
    assert evaluate.suggest_patterns([example("x", "plain")]) == {}
    with pytest.raises(EvaluationError, match=r"'nothing'.*kind"):
        evaluate.suggest_pattern(rows, "nothing")


def test_the_samples_order_numbers():
    found = evaluate.suggest_patterns(sample("triage", "train"))
    assert list(found) == ["order_id"]
    assert found["order_id"].right >= 230 > 120 >= found["order_id"].usual


# --- rivals, field by field ------------------------------------------------------------------------------------------

WORDS = {"delivery": "where is my parcel", "refund": "give me my money back"}
TASK = [
    example(f"{text} number {n}", {"kind": kind, "order": f"BM-{n}" if n > 9999 else None})
    for i in range(20)
    for n, (kind, text) in enumerate(WORDS.items(), 10000 + 2 * i if i % 2 else i)
]
ROWS = [example("my parcel is where BM-77777", {"kind": "delivery", "order": "BM-77777"}),
        example("money back please", {"kind": "refund", "order": None})]  # fmt: skip
FIELDS = [metrics.all_fields, metrics.field("kind"), metrics.field("order")]
FIVE_DIGITS = {
    "order": lambda message: next((f"BM-{w[-5:]}" for w in message.split() if len(w) >= 5 and w[-5:].isdigit()), None)
}


def plain(train, rows, chosen, **options):
    return evaluate.without_llm(train, rows, chosen, **{"embeddings": False, "progress": False, **options})


def test_every_rival_answers_field_by_field_and_says_what_it_is():
    found = plain(TASK, ROWS, FIELDS, extract=FIVE_DIGITS)
    assert list(found.candidates) == ["most frequent answer", "TF-IDF", "nearest neighbour", "best per field"]
    assert found.scores("TF-IDF").tolist() == found.scores("best per field").tolist() == [1, 1]
    assert found.answers("most frequent answer") == ['{"kind": "delivery", "order": null}'] * 2, (
        "no code of yours in it"
    )
    for about in found.candidates.values():
        assert (about["role"], about["host"], about["parameters"]) == ("no language model", "this notebook", None)
    assert found.candidates["best per field"]["model"] == "kind: TF-IDF, order: plain code"
    assert "cross-validation on 40 training rows" in found.notes[-1]


def test_open_fields_without_code_get_their_most_frequent_value():
    found = plain(TASK, ROWS, FIELDS)
    assert found.scores("TF-IDF", "kind").tolist() == [1, 1] and found.scores("TF-IDF", "order").tolist() == [0, 1]


def test_code_is_a_pattern_a_regular_expression_or_a_function():
    rows = [example("my parcel 54321", {"kind": "delivery", "order": "54321"})]
    train = [example(f"{row.question} {n}", {"kind": "delivery", "order": str(n)}) for n, row in enumerate(TASK, 20000)]
    for code in (r"\d{5}", r"(?:no\. )?(\d{5})", lambda text: text[-5:], evaluate.suggest_pattern(train, "order")):
        assert plain(train, rows, FIELDS, extract={"order": code}).scores("best per field").tolist() == [1]
    assert plain(train, rows, FIELDS, extract={"order": None}).scores("TF-IDF").tolist() == [0]


def test_what_cannot_be_used_is_refused_with_its_reason():
    for problem, options in {
        "lack a field.*nonsense.*kind, order": {"extract": {"nonsense": r"\d"}},
        "lack a field.*other": {"closed": ["other"]},
        "no such rival.*bm25.*TF-IDF": {"only": ["bm25"]},
        "code for 'order' failed.*PatternError|code for 'order' failed.*error": {"extract": {"order": "("}},
        "code for 'order' failed.*ZeroDivisionError": {"extract": {"order": lambda _: 1 / 0}},
        "must not be scored": {"choose_on": ROWS[:1]},
    }.items():
        with pytest.raises(EvaluationError, match=problem):
            plain(TASK, ROWS, FIELDS, **options)
    with pytest.raises(EvaluationError, match="rows to learn from"):
        plain([], ROWS, FIELDS)
    with pytest.raises(EvaluationError, match="not JSON objects"):
        plain([example("a", "x"), example("b", "y")], ROWS, FIELDS, extract={"order": r"\d"})


def test_a_results_id_follows_method_rows_and_settings():
    def ids(train=TASK, **options):
        return {name: about["id"] for name, about in plain(train, ROWS, FIELDS, **options).candidates.items()}

    first = ids(extract=FIVE_DIGITS)
    assert first == ids(extract=FIVE_DIGITS) and len(set(first.values())) == len(first)
    assert not set(first.values()) & set(ids(TASK[2:], extract=FIVE_DIGITS).values())
    other = ids(extract={"order": r"\d{5}"})
    assert other["TF-IDF"] != first["TF-IDF"] and other["most frequent answer"] == first["most frequent answer"]
    assert ids(extract=FIVE_DIGITS, choose_on=TASK[:4])["best per field"] != first["best per field"]


# --- nothing is learned from a scored row -----------------------------------------------------------------------------


def planted() -> tuple[list[Example], list[Example]]:
    """Training rows where words tell and the nearest row misleads; scored rows where it is the other way round."""
    rng = np.random.default_rng(1)
    fill = [f"word{n}" for n in range(300)]

    def row(kind: str, told: bool) -> Example:
        say = {"a": "alpha", "b": "beta"}[kind if told else "ab"[kind == "a"]]
        return example(f"{say} " + " ".join(rng.choice(fill, 12)), {"kind": kind})

    kinds = ["a", "b"] * 30
    return [row(kind, True) for kind in kinds], [row(kind, False) for kind in kinds]


def test_the_combined_rival_keeps_to_the_training_rows_choice_when_scored_rows_say_the_opposite():
    train, scored = planted()
    found = plain(train, scored, [metrics.field("kind")])
    others = {name: found.scores(name).mean() for name in ("most frequent answer", "TF-IDF", "nearest neighbour")}
    assert found.candidates["best per field"]["model"] == "kind: TF-IDF"
    assert found.scores("best per field").mean() == others["TF-IDF"] < others["most frequent answer"]


def test_no_answer_changes_when_the_scored_rows_ideal_answers_do():
    train, scored = sample("triage", "train"), sample("triage", "validation")[:40]
    lies = [example(row.question, {"category": "refund", "urgency": "high", "order_id": "BM-00000"}) for row in scored]
    extract = evaluate.suggest_patterns(train)
    honest, lied = (plain(train, rows, [metrics.all_fields], extract=extract) for rows in (scored, lies))
    for name in honest.candidates:
        assert honest.answers(name) == lied.answers(name)
        assert honest.candidates[name]["id"] == lied.candidates[name]["id"]


def test_no_answer_changes_with_the_company_it_is_scored_in():
    train, scored = sample("triage", "train"), sample("triage", "validation")[:30]
    together = plain(train, scored, [metrics.all_fields])
    alone = plain(train, scored[7:8], [metrics.all_fields])
    for name in together.candidates:
        assert together.answers(name)[7] == alone.answers(name)[0]


def test_rows_to_choose_by_choose():
    train, scored = planted()
    found = plain(train, scored, [metrics.field("kind")], choose_on=[example("zzz", {"kind": "a"})] * 3)
    assert found.candidates["best per field"]["model"] == "kind: most frequent answer"
    assert "chosen by 3 other rows" in found.notes[-1]


def leaked(rows: list[Example], as_written, kind: str = "") -> list[Example]:
    """Scored rows as they may turn up among training rows: written a little otherwise, or with another answer."""
    return [example(as_written(row.question), {"kind": kind} if kind else json.loads(row.answer)) for row in rows]


LEAKS = pytest.mark.parametrize(
    ("as_written", "kind"),
    [(str, ""), (lambda text: f"  {text.upper()}\n", ""), (str, "c")],
    ids=["the row itself", "other capitals and spaces", "another answer"],
)


@LEAKS
def test_planted_leaks_teach_no_rival_anything(as_written, kind):
    train, scored = planted()
    clean = plain(train, scored, [metrics.field("kind")])
    found = plain([*train, *leaked(scored, as_written, kind)], scored, [metrics.field("kind")])
    assert found.candidates == clean.candidates
    assert {name: found.answers(name) for name in found.candidates} == {n: clean.answers(n) for n in clean.candidates}
    assert "60 training rows ask what a scored row asks: nothing was learned from them." in found.notes


@LEAKS
def test_rows_to_choose_by_are_neither_learned_from_nor_scored(as_written, kind):
    train, others = planted()
    chosen_by = train[:20]
    found = plain([*train, *leaked(chosen_by, as_written, kind)], others, [metrics.field("kind")], choose_on=chosen_by)
    assert found.candidates == plain(train[20:], others, [metrics.field("kind")], choose_on=chosen_by).candidates
    assert any(note.startswith("40 training rows ask") for note in found.notes)
    with pytest.raises(EvaluationError, match="must not be scored"):
        plain(train, others, [metrics.field("kind")], choose_on=leaked(others[:3], as_written, kind))


def test_rows_that_are_all_scored_leave_nothing_to_learn_from():
    with pytest.raises(EvaluationError, match="40 training rows.*what a scored row asks"):
        plain(TASK, [*ROWS, *TASK], FIELDS)


def test_the_same_last_words_in_another_conversation_are_no_leak():
    def chat(first: str, answer: str) -> Example:
        said = {"role": "assistant", "content": "Shall I?"}
        return Example(({"role": "user", "content": first}, said, *example("yes please", answer).messages))

    train = [chat(f"refund {n}", "a") for n in range(6)] + [chat(f"order {n}", "b") for n in range(4)]
    found = plain(train, [chat("refund 99", "a")], [metrics.label_accuracy])
    assert not any("ask what" in note for note in found.notes)


# --- kinds of answers -------------------------------------------------------------------------------------------------


def test_labels():
    train = [example(q, a) for q, a in [("good nice", "pos"), ("bad awful", "neg"), ("nice", "pos")] * 4]
    found = plain(train, [example("awful", "neg")], [metrics.label_accuracy])
    assert found.answers("TF-IDF") == ["neg"] and found.answers("most frequent answer") == ["pos"]
    assert found.candidates["best per field"]["model"] == "TF-IDF"


def test_answers_in_any_script_are_written_as_a_reader_writes_them():
    train = [example(f"заказ №{n}", {"тема": "возврат", "номер": f"ЗК-{n}"}) for n in range(5000, 5012)]
    found = plain(train, [example("где заказ №7777")], [metrics.valid_json()], extract=evaluate.suggest_patterns(train))
    assert found.answers("best per field") == ['{"тема": "возврат", "номер": "ЗК-7777"}']
    half = [example(f"q {n}", {"sign": "\ud83d"}) for n in range(4)]
    found = plain(half, [example("other", {"sign": "\ud83d"})], [metrics.all_fields])
    assert found.answers("most frequent answer") == ['{"sign": "\\ud83d"}'] and found.scores("TF-IDF").tolist() == [1]


def test_many_values_of_two_rows_each_say_nothing_on_the_way(recwarn):
    train = [example(f"{word} {n}", {"kind": f"k{n}"}) for n in range(10) for word in ("alpha", "beta")]
    plain(train, [example("alpha 3")], [metrics.field("kind")])
    assert not [str(one.message) for one in recwarn]


def test_free_text_gets_no_class_an_answer(monkeypatch):
    """One class for each of 2,000 answers once took 11.7 GiB."""
    classes = []
    fit = guessing.LogisticRegression.fit
    monkeypatch.setattr(guessing.LogisticRegression, "fit", lambda m, x, y: classes.append(len(set(y))) or fit(m, x, y))
    train = [example(f"question {n} about thing {n % 50}", f"A long answer, number {n}.") for n in range(2000)]
    asked = [example(f"question {n} about thing {n}?", "") for n in range(5)]
    found = evaluate.without_llm(train, asked, [metrics.similarity], progress=False)
    assert list(found.candidates) == ["most frequent answer", "nearest neighbour"] and classes == []
    assert found.answers("nearest neighbour")[3] == "A long answer, number 3."
    texts = [example(f"question {n}", {"text": f"Answer {n}.", "kind": "xy"[n % 2]}) for n in range(700)]
    plain(texts, texts[:5], [metrics.all_fields])
    many = [example(f"question {n}", f"label {n % 400}") for n in range(1200)]
    assert "TF-IDF" not in plain(many, many[:5], [metrics.label_accuracy]).candidates
    assert classes and max(classes) <= guessing.MAX_CLASSES


def test_a_field_called_closed_that_has_a_value_a_row_is_refused():
    train = [example(f"question {n}", {"order": f"no {n}"}) for n in range(guessing.MAX_CLASSES + 1)]
    with pytest.raises(EvaluationError, match="order has 301 values.*300"):
        plain(train, [example("another", {"order": "no 1"})], [metrics.all_fields], closed=["order"])


def test_many_rows_of_free_text_are_counted_once_a_part(monkeypatch):
    calls = []
    common = guessing._common
    monkeypatch.setattr(guessing, "_common", lambda wanted: calls.append(1) or common(wanted))
    train = [example(f"question {n}", f"Answer number {n}.") for n in range(500)]
    plain(train, train[:2], [metrics.similarity])
    assert len(calls) <= 1 + guessing.FOLDS * guessing.REPEATS


def test_few_and_odd_rows():
    wordless = [example("", "x"), example("", "y"), example(" ", "x")] * 4
    asked = [example("...", "x"), example("words", "x")]
    assert plain(wordless, asked, [metrics.label_accuracy]).answers("TF-IDF") == ["x", "x"]
    one = [example("only", {"kind": "a"})]
    assert plain(one, [example("another", {"kind": "a"})], [metrics.all_fields]).answers("nearest neighbour")
    blank = [example("!!!", "x"), example("???", "y"), example("", "x")] * 2
    assert plain(blank, asked[:1], [metrics.label_accuracy]).answers("most frequent answer") == ["x"]


def test_classifiers_are_fitted_on_one_thread(monkeypatch):
    """Thousands of tiny fits: two threads of a busy machine of two cores waited for each other, ten times as long."""
    threads, fit = set(), guessing.LogisticRegression.fit

    def counted(model, rows, wanted):
        threads.update(one["num_threads"] for one in threadpool_info())
        return fit(model, rows, wanted)

    monkeypatch.setattr(guessing.LogisticRegression, "fit", counted)
    with threadpool_limits(2):
        plain(TASK, ROWS, FIELDS)
    assert threads == {1}


def test_turned_features_answer_as_the_plain_ones_do():
    texts = [row.question for row in sample("two_way", "train")]
    wanted = [row.answer for row in sample("two_way", "train")]
    flat = guessing.tfidf(texts, [row.question for row in sample("two_way", "validation")])
    turned = guessing.turned(flat)
    one, other = (
        guessing._fit(some.train, np.array(wanted, dtype=object), 30.0)(some.asked) for some in (flat, turned)
    )
    assert (one[0] == other[0]).mean() > 0.98 and np.abs(one[1] - other[1]).max() < 0.02


# --- sentence embeddings ----------------------------------------------------------------------------------------------


@pytest.fixture
def embedder():
    try:
        return assets.embedder()
    except AssetError as error:
        pytest.skip(f"the embeddings cannot be had here: {error}")


def test_vectors_are_unit_means_in_order_and_kept_by_the_text(embedder, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    (tmp_path / "assets").symlink_to(embedder.parent)
    texts = ["where is my parcel", "my package has not arrived", "the soup was cold", "x " * 2000]
    vectors, seconds = embedding.embed(texts)
    assert vectors.shape == (4, 384) and vectors.dtype == np.float32 and (seconds > 0).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    assert embedding.embed(["x " * 300])[0][0] @ vectors[3] > 0.999, "256 tokens are read"
    monkeypatch.setattr(embedding, "_computed", lambda texts: pytest.fail(f"computed again: {texts}"))
    again, _ = embedding.embed(texts[::-1])
    assert (again == vectors[::-1]).all()
    (tmp_path / "embeddings" / "vectors.sqlite").write_bytes(b"damaged" * 500)
    monkeypatch.setattr(embedding, "_computed", lambda texts: [(np.ones(384, np.float32), 0.1) for _ in texts])
    assert embedding.embed(texts)[0].sum() == 4 * 384


def test_without_a_network_the_rival_is_left_out_with_a_note(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    monkeypatch.delenv("KIT_ASSETS_FROM", raising=False)
    monkeypatch.setattr(embedding, "_failed", "")
    asked = []
    nowhere = [assets.Asset(a.name, a.sha256, (assets.Url("http://127.0.0.1:9/a", 1),)) for a in assets.EMBEDDER]
    monkeypatch.setattr(kept, "EMBEDDER", tuple(nowhere))
    fetch = kept.fetch
    monkeypatch.setattr(kept, "fetch", lambda *a, **k: asked.append(1) or fetch(*a, **k))
    for _ in range(2):
        found = evaluate.without_llm(TASK, ROWS, FIELDS, progress=False)
        assert "embeddings" not in found.candidates and "best per field" in found.candidates
        [note] = [note for note in found.notes if "left out" in note]
        assert "127.0.0.1:9" in note and "KIT_ASSETS_FROM" in note
    assert asked == [1], "asked once a session"
    with pytest.raises(EvaluationError, match="left out"):
        evaluate.without_llm(TASK, ROWS, FIELDS, only=["embeddings"], progress=False)


@pytest.mark.parametrize(("split", "least"), [("validation", 0.48), ("test", 0.43)])
def test_the_samples_rivals_are_as_strong_as_measured(embedder, split, least):
    train, rows = sample("triage", "train"), sample("triage", split)
    scored = [metrics.all_fields, metrics.valid_json()]
    found = evaluate.without_llm(
        train, rows, scored, split=split, extract=evaluate.suggest_patterns(train), progress=False
    )
    table = found.table()
    assert table.loc["embeddings", "score"] >= least and table.loc["best per field", "score"] >= least
    assert table.loc["TF-IDF", "score"] >= 0.38 and (table["valid_json"] == 1).all()
    assert found.compare("TF-IDF", "most frequent answer").low > 0.2


# --- coverage and cascade ---------------------------------------------------------------------------------------------

SURE = [0.95, 0.9, 0.85, 0.8, 0.7, 0.65, 0.5, 0.4, 0.3, 0.2]
RIGHT = [1, 1, 1, 0, 1, 1, 0, 0, 1, 0]
TEN = [example(f"q{n}", "yes") for n in range(10)]


def of_ten(name: str, right: list[int], role: str, confidence=None, usd=None, seconds=0.5) -> evaluate.Results:
    about = {
        "id": name,
        "model": f"{name}-model",
        "host": "openai",
        "role": role,
        "known_by": "its name",
        "parameters": 8,
    }
    replies = [Reply("yes" if one else "no", finish_reason="stop", prompt_tokens=9, seconds=seconds) for one in right]
    return score_replies(
        name, about, TEN, replies, [metrics.exact_match], split="validation", usd=usd, confidence=confidence
    )


def ten(role: str = "target") -> evaluate.Results:
    sure = of_ten("sure", RIGHT, "no language model", SURE, seconds=0.1)
    return sure.merge(of_ten("big", [1, 0, 1, 1, 0, 1, 1, 1, 0, 1], role, usd=[0.01] * 10))


def test_coverage_by_hand():
    found = evaluate.coverage(ten(), "sure")
    assert list(found.index) == pytest.approx([n / 10 for n in range(1, 11)])
    assert found["rows"].tolist() == list(range(1, 11)) and found["threshold"].tolist() == SURE
    assert found.loc[0.6, "score"] == pytest.approx(5 / 6) and found.loc[1.0, "score"] == 0.6
    assert found.loc[0.6, "low"] == pytest.approx(evaluate.statistics.wilson(5, 6).low)


def test_equally_sure_rows_are_answered_together():
    found = evaluate.coverage(of_ten("sure", RIGHT, "no language model", [0.9] * 4 + [0.5] * 6), "sure")
    assert list(found.index) == [0.4, 1.0] and found["rows"].tolist() == [4, 10]


def test_a_cascade_by_hand():
    """The first six are sure enough: five of them right. Four go to the model: three of them right, a cent each."""
    found = evaluate.cascade(ten(), "sure", "big", 0.65)
    name = "sure, then big"
    line = found.table().loc[name]
    assert line["score"] == pytest.approx((5 + 3) / 10)
    assert found.candidates[name]["handed_on"] == pytest.approx(0.4)
    assert line["usd_per_1000"] == pytest.approx(4.0)
    assert found.rows["seconds"].tolist() == pytest.approx([0.1] * 6 + [0.6] * 4)
    assert found.rows["usd"].tolist() == pytest.approx([0.0] * 6 + [0.01] * 4)
    assert found.notes == ["sure, then big: 40 % of 10 rows are passed on; $4 for 1,000 rows."]
    assert ten().merge(found).table()["handed_on"].fillna(-1).tolist() == pytest.approx([-1, -1, 0.4])
    assert "handed_on" not in ten().table()
    both = ten().merge(found)
    assert both.compare(name, "sure").difference == pytest.approx(0.2)
    again = evaluate.Results.from_json(json.loads(json.dumps(both.to_json())))
    assert evaluate.coverage(again, "sure").equals(evaluate.coverage(both, "sure"))


def test_a_cascade_has_the_role_of_the_model_in_it_and_is_no_prompt_that_was_tried():
    for role in ("target", "teaching", "tuned"):
        results = ten(role)
        found = evaluate.cascade(results, "sure", "big", 0.5)
        about = found.candidates["sure, then big"]
        assert (about["role"], about["model"], about["host"]) == (role, "big-model", "openai")
        assert "30 % of its answers are big's" in about["known_by"]
        assert "sure, then big" not in results.merge(found).history()
    other = evaluate.cascade(ten(), "sure", "big", 0.9).candidates["sure, then big"]
    assert other["id"] != about["id"]
    [measured] = evaluate.cascade(ten(), "sure", "big", 0.5).measurements()
    assert measured.role == "target" and measured.n == 10


def test_a_cascade_needs_confidences_and_a_threshold():
    with pytest.raises(EvaluationError, match="big does not say how sure"):
        evaluate.cascade(ten(), "big", "sure", 0.5)
    with pytest.raises(EvaluationError, match="between 0 and 1"):
        evaluate.cascade(ten(), "sure", "big", 60)
    with pytest.raises(EvaluationError, match="does not say how sure"):
        evaluate.coverage(ten(), "big")


def test_a_price_that_is_not_known_is_not_made_up():
    """Three of the four calls handed on have no price: a mean over the fourth would be a cent for 1,000 rows."""
    big = of_ten("big", [1] * 10, "target", usd=[0.01] * 7 + [float("nan")] * 3)
    found = evaluate.cascade(ten().merge(big), "sure", "big", 0.65)
    assert found.notes == ["sure, then big: 40 % of 10 rows are passed on; the host did not say what 3 calls cost."]


def test_all_or_nothing_may_be_handed_on():
    assert evaluate.cascade(ten(), "sure", "big", 0.0).candidates["sure, then big"]["handed_on"] == 0
    assert evaluate.cascade(ten(), "sure", "big", 1.0).table()["score"].tolist() == pytest.approx([0.7])
