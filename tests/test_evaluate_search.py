"""Searches for a better prompt, against a target on this machine that rewards what it was never told in so many words.

The target is right about four rows in ten; told (in its instructions, or by a worked example) of the house rule, about
nine in ten. One training row in eight speaks of the rule. The reflecting model proposes it where it read of it, and
hollow phrases else.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluate_host import Host, completion, error, killed_after

from helpers import evaluate, show
from helpers.errors import ConsentError, EvaluationError, HostError
from helpers.evaluate import metrics
from helpers.evaluate.prompt_search import search
from helpers.records import Candidate, Example

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
RULE = "SHOUT"
FIRST = Candidate("instructions", "target", system="Answer the question.")


def row(number: int, split: str = "train") -> Example:
    told = f" The house rule is {RULE}." if number % 8 == 0 else ""
    question = f"{split} question {number}.{told}"
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": f"yes {number}"}))


POOL = [row(number) for number in range(96)]
VALIDATION = [row(number, "validation") for number in range(30)]
METRICS = [metrics.exact_match, metrics.length]


def number_in(body: dict) -> int:
    return int(re.search(r"question (\d+)", body["messages"][-1]["content"])[1])


def play(body: dict, before: int):
    """The target and the reflecting model; luck hangs on the row alone."""
    *told, asked = body["messages"]
    if body["model"] == "mirror":
        rule = f" The house rule is {RULE}." if RULE in asked["content"].split("Below are tasks")[1] else ""
        words = f"```\nAnswer well, idea {body['seed']}.{rule}\n```"
        return 200, {}, completion(body, words)
    number = number_in(body)
    knows = any(RULE in message["content"] for message in told)
    is_right = number * 7919 % 10 < (9 if knows else 4)
    return 200, {}, completion(body, f"yes {number}" if is_right else "no")


@pytest.fixture
def host():
    hosts = []

    def start(fault=play, **options) -> Host:
        hosts.append(Host(fault, **options))
        return hosts[-1]

    yield start
    for each in hosts:
        each.close()


def optimise(server: Host, store: Path, first: Candidate = FIRST, pool=POOL, chosen=METRICS, **options):
    options = {"budget_calls": 200, "reflection_model": "mirror", "progress": False, **options}
    return evaluate.optimise(server.client(), first, pool, chosen, store=store, **options)


def choose(server: Host, store: Path, first: Candidate = FIRST, pool=POOL, chosen=METRICS, **options):
    options = {"budget_calls": 200, "progress": False, **options}
    return evaluate.choose_examples(server.client(), first, pool, chosen, store=store, **options)


def knows(candidate: Candidate) -> bool:
    return RULE in candidate.system or any(RULE in shot.question for shot in candidate.shots)


SEARCHES = pytest.mark.parametrize("find", [optimise, choose], ids=["optimise", "choose_examples"])


@SEARCHES
def test_the_hidden_rule_is_found_within_200_calls(host, tmp_path, find):
    got = []
    for seed in range(10):
        server = host()
        result = find(server, tmp_path / f"{seed}.sqlite", seed=seed)
        assert len(server.calls) == result.calls <= 200
        got.append(knows(result.candidate))
    print(f"found in {sum(got)} of 10 seeds")
    assert sum(got) >= 9


@SEARCHES
def test_what_is_found_is_a_plain_candidate_with_a_record_of_every_try(host, tmp_path, find):
    result = find(host(), tmp_path / "s.sqlite")
    found, table = result.candidate, result.table()
    assert replace(found, name="x", system="", shots=(), tries=1) == replace(FIRST, name="x", system="", tries=1)
    assert found.tries == len(result.tries) == len(table) > 5 and result.first == FIRST
    complete = table[table["rows"] == table["rows"].max()]
    assert table.loc[result.best.candidate.name, "score"] == complete["score"].max()
    assert (table["rows"] < table["rows"].max()).any(), "weak ones are dropped early"
    assert table.equals(table.sort_values(["rows", "score"], ascending=False)), "those that can win come first"
    assert f"{found.tries} prompts tried in {result.calls} calls. The best of those scored on all " in result.sentence
    assert f"“{result.best.candidate.name}”, reached" in result.sentence and "$" not in result.sentence, "it was free"
    assert "measure it on validation rows" in result.sentence


@SEARCHES
def test_a_repeated_search_asks_nothing_and_another_seed_asks_afresh(host, tmp_path, find):
    server, store = host(), tmp_path / "s.sqlite"
    first = find(server, store)
    sent = len(server.calls)
    again = find(server, store)
    assert len(server.calls) == sent and again.candidate == first.candidate and again.calls == first.calls
    find(server, store, seed=7)
    assert len(server.calls) > sent


@SEARCHES
def test_no_row_outside_the_pool_is_sent_and_no_row_is_scored_that_is_shown(host, tmp_path, find):
    server = host()
    result = find(server, tmp_path / "s.sqlite")
    known = {message["content"] for each in POOL for message in each.messages}
    asked = {call["messages"][-1]["content"] for call in server.calls if call["model"] == "target"}
    assert asked <= known
    shown = {shot.question for one in result.tries for shot in one.candidate.shots}
    assert not shown & asked
    if find is optimise:
        reflected = " ".join(call["messages"][0]["content"] for call in server.calls if call["model"] == "mirror")
        scored, told = search.divide(POOL, 24, 1)
        assert len(told) == 72 and len(scored) == 24
        assert not any(f"{each.question}\n" in reflected for each in scored), "what chooses is not reflected on"


# --- killed and started again ---

KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import openai
from test_evaluate_search import METRICS, FIRST, POOL
from helpers import evaluate
client = openai.OpenAI(base_url={url!r}, api_key="x", http_client=openai.DefaultHttpxClient(trust_env=False))
free = {{"input": 0, "output": 0}}
asking = dict(budget_calls=120, store=Path({store!r}), concurrency=4, progress=False, price=free, **{more!r})
evaluate.{name}(client, FIRST, POOL, METRICS, **asking)
"""


@SEARCHES
@pytest.mark.parametrize("after", [57, *(pytest.param(n, marks=pytest.mark.soak) for n in range(1, 92, 9))])
def test_killed_at_any_moment_it_goes_on_and_no_answered_call_is_asked_twice(host, tmp_path, find, after):
    quiet = find(host(), tmp_path / "quiet.sqlite", budget_calls=120)
    server, store = host(delay=0.01), tmp_path / "s.sqlite"
    name, more = ("optimise", {"reflection_model": "mirror"}) if find is optimise else ("choose_examples", {})
    program = KILLED.format(
        tests=str(Path(__file__).parent), url=server.base_url, store=str(store), name=name, more=more
    )
    sent, kept = killed_after(after, program, server, store)
    assert sent < quiet.calls
    result = find(server, store, budget_calls=120)
    assert result.candidate == quiet.candidate and result.calls == quiet.calls
    assert len(server.calls) == sent + quiet.calls - kept


# --- money ---

PRICE = {"target": {"input": 1.0, "output": 1.0}, "mirror": {"input": 5.0, "output": 5.0}}


@pytest.mark.priced
@SEARCHES
def test_above_the_limit_nothing_is_sent_and_the_forecast_is_an_upper_one(host, tmp_path, find, capsys):
    server, store = host(), tmp_path / "s.sqlite"
    with pytest.raises(ConsentError, match=r"up to \d+ calls.*up to about \$\d.*SPEND_LIMIT_USD.*SEARCH_CALLS"):
        find(server, store, price=PRICE, spend_limit_usd=0.0001)
    assert server.calls == []
    result = find(server, store, price=PRICE, spend_limit_usd=9.0, progress=True)
    forecast = float(re.search(r"up to about \$([0-9.]+), and its limit is \$9\.0000", capsys.readouterr().out)[1])
    assert 0 < result.usd < forecast
    again = find(server, store, price=PRICE, spend_limit_usd=0.0)
    assert again.usd == result.usd, "what is in the store needs no consent"


@pytest.mark.priced
@SEARCHES
def test_where_the_bill_outgrows_the_forecast_the_limit_still_holds(host, tmp_path, find):
    """The forecast takes three letters for a token, and proposals no longer than allowed. This host counts a token a
    byte, and does not hold to ``max_tokens``."""

    def dear(body, before):
        status, headers, reply = play(body, before)
        if body["model"] == "mirror":
            reply = completion(body, reply["choices"][0]["message"]["content"].replace("idea", "idea " * 200))
        tokens = sum(len(message["content"].encode()) for message in body["messages"])
        reply["usage"] |= {"prompt_tokens": tokens, "prompt_tokens_details": {"cached_tokens": 0}}
        return status, headers, reply

    server, store = host(dear), tmp_path / "s.sqlite"
    options = {"price": {"input": 1.0, "output": 0.0}, **({"reflection_tokens": 20} if find is optimise else {})}
    with pytest.raises(ConsentError) as refused:
        find(server, store, **options)
    limit = float(re.search(r"up to about \$([0-9.]+)", str(refused.value))[1]) + 1e-4
    with pytest.raises(ConsentError, match=r"has spent \$.*leaves no room"):
        find(server, store, spend_limit_usd=limit, **options)
    paid = sum(len(m["content"].encode()) for call in server.calls for m in call["messages"]) / 1e6
    assert 0.5 * limit < paid <= limit
    result = find(server, store, spend_limit_usd=9.0, **options)
    assert len(server.calls) == result.calls, "with a higher limit it goes on from there"


def test_a_host_elsewhere_needs_a_price(tmp_path):
    import openai

    far = openai.OpenAI(base_url="https://api.example.invalid/v1", api_key="x")
    for find in (evaluate.optimise, evaluate.choose_examples):
        with pytest.raises(ConsentError, match="no price"):
            find(far, FIRST, POOL, METRICS, budget_calls=200, store=tmp_path / "s.sqlite", progress=False)


# --- tries count ---


def test_a_searchs_tries_count_where_a_plateau_is_tested(host, tmp_path):
    server, store = host(), tmp_path / "s.sqlite"
    found = optimise(server, store).candidate
    shots = choose(server, store).candidate
    plain = [replace(FIRST, name=f"plain {n}", system=f"Answer, {n}.") for n in range(3)]
    asked = evaluate.run(
        server.client(), [*plain, found, shots], VALIDATION, METRICS, store=store, progress=False
    )  # fmt: skip
    tested = evaluate.plateau(asked)
    assert tested.tries == 3 + found.tries + shots.tries > 20
    again = evaluate.Results.from_json(asked.to_json())
    assert again.tries() == {"plain 0": 1, "plain 1": 1, "plain 2": 1, found.name: found.tries, shots.name: shots.tries}
    other = [row(n, "fresh") for n in range(20)]
    fresh = evaluate.run(server.client(), [found], other, METRICS, store=store, progress=False)
    assert f"the best of {tested.tries} prompts" in evaluate.second_look(asked, fresh, found.name).sentence


def test_both_corrections_allow_for_what_a_search_tried():
    rng = np.random.default_rng(3)
    hard = rng.random(400)
    history = {f"p{n}": (hard < share).astype(float) for n, share in enumerate((0.5, 0.6, 0.6, 0.62, 0.64))}
    history["p4"] = ((hard < 0.64) ^ (rng.random(400) < 0.02)).astype(float)
    few = evaluate.plateau_of(history, role="target", last=2)
    many = evaluate.plateau_of(history, role="target", last=2, tries={"p1": 40, "p4": 30})
    assert (few.tries, many.tries) == (5, 73)
    assert all(one["high"] < other["high"] for one, other in zip(few.gains, many.gains, strict=True)), "Bonferroni"
    assert (few.state, many.state) == ("still rising", "cannot tell")
    risen = {"a": np.zeros(40), "b": np.r_[np.ones(8), np.zeros(32)]}
    assert evaluate.plateau_of(risen, role="target", last=1).state == "still rising"
    assert evaluate.plateau_of(risen, role="target", last=1, tries={"b": 30}).state == "cannot tell", "Holm"


# --- copies ---


def test_a_prompt_that_copies_training_rows_is_flagged(host, tmp_path):
    text = "Please send my blue lamp to the new address in Ghent before Friday noon."
    pool = [Example(({"role": "user", "content": f"{text} {n}"}, {"role": "assistant", "content": f"yes {n}"}))
            for n in range(40)]  # fmt: skip

    def parrot(body, before):
        if body["model"] == "mirror":
            rule = "If you read “send my BLUE lamp, to the new address in ghent before”, say yes."
            return 200, {}, completion(body, f"```\n{rule} {body['seed']}\n```")
        number = body["messages"][-1]["content"].split()[-1]
        return 200, {}, completion(body, f"yes {number}" if "Ghent".casefold() in str(body["messages"][0]) else "no")

    result = optimise(host(parrot), tmp_path / "s.sqlite", pool=pool)
    assert result.best.copied == ("send my BLUE lamp, to the new address in ghent before",)
    assert any("word for word" in note and "BLUE lamp" in note for note in result.notes)
    assert result.table()["copied"][[one.candidate.name for one in result.tries[:2]]].tolist() == [0, 1]


def test_what_counts_as_a_copy():
    rows = [Example(({"role": "user", "content": "one two three four five six seven eight nine ten"},
                     {"role": "assistant", "content": "a b c d e f g h"}))]  # fmt: skip
    assert search.copied("one two three four five six seven", rows) == ()
    assert search.copied("So: One, two; three four five six seven eight. And a b c d e f g h!", rows) == (
        "One, two; three four five six seven eight",
        "a b c d e f g h",
    )
    assert search.copied("two three four five six seven eight nine ten eleven", rows) == (
        "two three four five six seven eight nine ten",
    )
    assert search.copied("a b c d e f g h", rows, known="Say a b c d e f g h.") == ()


# --- odd searches ---


def test_a_prompt_that_is_always_right_ends_the_search(host, tmp_path):
    def perfect(body, before):
        return 200, {}, completion(body, f"yes {number_in(body)}")

    server = host(perfect)
    result = optimise(server, tmp_path / "s.sqlite")
    assert result.candidate.system == FIRST.system and result.candidate.tries == 1
    assert not any(call["model"] == "mirror" for call in server.calls)
    assert any("Only 0 proposals" in note for note in result.notes)


@pytest.mark.parametrize("words", ["", "``` ```", "Answer the question."])
def test_a_model_that_cannot_reflect_leaves_the_first_prompt(host, tmp_path, words):
    def mute(body, before):
        return (200, {}, completion(body, words)) if body["model"] == "mirror" else play(body, before)

    result = optimise(host(mute), tmp_path / "s.sqlite")
    assert result.candidate.system == FIRST.system and result.candidate.tries == 1
    assert any("reflections gave no new instructions" in note for note in result.notes)


def test_a_reflecting_model_that_is_not_there_ends_the_search(host, tmp_path):
    """GEPA survives an exception in a reflection: it would have gone on to the end of the budget without any."""

    def gone(body, before):
        return error(404, "no such model") if body["model"] == "mirror" else play(body, before)

    server = host(gone)
    with pytest.raises(HostError, match="refuses mirror"):
        optimise(server, tmp_path / "s.sqlite")
    assert sum(call["model"] == "mirror" for call in server.calls) == 1


def test_missing_answers_count_as_wrong_and_are_told(host, tmp_path):
    scored, _ = search.divide(POOL, 32, 1)

    def filtered(body, before):
        is_first = body["messages"][-1]["content"] == scored[0].question
        return error(400, "filtered") if is_first else play(body, before)

    result = choose(host(filtered), tmp_path / "s.sqlite")
    assert re.match(r"\d+ answers? missing, counted as wrong", result.notes[0])


def test_a_shown_example_is_neither_scored_by_nor_reflected_on(host, tmp_path):
    server, shown = host(), replace(FIRST, shots=tuple(POOL[:6]))
    result = optimise(server, tmp_path / "s.sqlite", first=shown)
    asked = {call["messages"][-1]["content"] for call in server.calls if call["model"] == "target"}
    assert not asked & {each.question for each in POOL[:6]} and result.candidate.shots == shown.shots


def test_rows_that_ask_the_same_are_not_torn_apart():
    twins = [*POOL[:20], *POOL[:20]]
    scored, others = search.divide(twins, 10, 1)
    assert len(scored) == 10 and len(others) == 10
    assert not {each.question for each in scored} & {each.question for each in others}


def test_what_no_search_can_use_is_refused_before_a_call(host, tmp_path):
    server, store = host(), tmp_path / "s.sqlite"
    for find, problem, options in (
        (optimise, "no instructions to begin with", {"first": replace(FIRST, system="")}),
        (optimise, "too small for a single proposal.*at least 65", {"budget_calls": 50}),
        (optimise, "too few training rows", {"pool": POOL[:6]}),
        (optimise, "higher is better.*length: neither", {"chosen": [metrics.length]}),
        (optimise, "tuned model", {"first": replace(FIRST, tuned=True)}),
        (choose, "too small to choose.*at least 40", {"budget_calls": 39}),
        (choose, "must fit.*60 of 48 rows", {"shots": 60, "part": 96}),
        (choose, "too few training rows", {"pool": POOL[:6]}),
        (choose, "tuned model", {"first": replace(FIRST, tuned=True)}),
    ):
        with pytest.raises(EvaluationError, match=problem):
            find(server, store, **options)
    assert server.calls == []


@SEARCHES
def test_a_budget_that_is_too_small_names_what_a_reader_can_change(host, tmp_path, find):
    """A copy of ``your_project`` has its parameters cell, and no argument called ``part``."""
    with pytest.raises(EvaluationError) as refused:
        find(host(), tmp_path / "s.sqlite", budget_calls=30)
    assert "`part`" not in str(refused.value)
    stands_in_the_parameters_cell(str(refused.value))


def test_a_prompt_without_instructions_says_where_a_reader_writes_them(host, tmp_path):
    with pytest.raises(EvaluationError, match="no instructions") as refused:
        optimise(host(), tmp_path / "s.sqlite", first=replace(FIRST, system=""))
    stands_in_the_parameters_cell(str(refused.value))


def stands_in_the_parameters_cell(said: str) -> None:
    """Settings that a message names are there to be changed, and it names one at least."""
    named = set(re.findall(r"`([A-Z_]{4,})`", said))
    notebook = json.loads((NOTEBOOKS / "your_project.ipynb").read_text(encoding="utf-8"))
    (cell,) = (
        "".join(cell["source"]) for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ())
    )
    assert named and all(name in cell for name in named)


def test_no_more_sets_than_there_are(host, tmp_path):
    result = choose(host(), tmp_path / "s.sqlite", pool=POOL[:10], shots=4, budget_calls=1000)
    assert result.candidate.tries == 5, "five rows may be shown: five sets of four"


# --- seen ---


def test_the_prompts_difference_is_shown_word_by_word_and_escaped():
    page = show.prompt_diff("Answer the question.\nBe <b>.", "Answer every question.\nBe <b>. The rule is x.").data
    assert "<del>the</del> <ins>every</ins>" in page, "two words, not one"
    assert "&lt;b&gt;" in page and "<b>." not in page
    assert "The rule is x." in page.replace("<ins>", "").replace("</ins>", "")
    assert "same" in show.prompt_diff("a b", "a b").data
