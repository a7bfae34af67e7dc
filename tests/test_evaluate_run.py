"""Running candidates: the store, resuming, missing answers, rate limits, money. Through the real SDK and real HTTP."""

from __future__ import annotations

import json
import math
import threading
import time
from dataclasses import replace
from pathlib import Path

import openai
import pytest
from evaluate_host import Host, completion, error, killed_after

from helpers import evaluate, providers
from helpers.errors import ConsentError, EvaluationError, HostError, StopHere
from helpers.evaluate import Results, metrics, run
from helpers.evaluate.inference import failures, requests
from helpers.evaluate.inference.reading import THOUGHT
from helpers.evaluate.inference.requests import Request, ask
from helpers.evaluate.inference.store import Reply
from helpers.records import Candidate, Example


def example(question: str, answer: str = "yes") -> Example:
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}))


ROWS = [example(f"say yes {i}" if i % 3 else "say yes") for i in range(3)] + [example(f"say no {i}") for i in range(17)]
PLAIN = Candidate("plain", "small-model")
TERSE = Candidate("terse", "small-model", system="Answer yes or no.")


def measure(server: Host, store: Path, candidates=(PLAIN,), rows=ROWS, **options):
    options = {"progress": False, **options}
    return run(server.client(), list(candidates), rows, [metrics.exact_match, metrics.length], store=store, **options)


def test_rows_and_table_hold_what_the_host_said(host, tmp_path):
    results = measure(host(), tmp_path / "s.sqlite", [PLAIN, TERSE])
    assert len(results.rows) == 40
    first = results.rows[(results.rows.candidate == "terse") & (results.rows.row == 0)].iloc[0]
    assert (first.answer, first.expected, first.missing, first.finish_reason) == ("yes", "yes", "", "stop")
    assert (first.prompt_tokens, first.cached_tokens, first.completion_tokens, first.usd) == (6, 3, 1, 0)
    assert 0 < first.seconds < 5
    table = results.table()
    assert table.loc["plain", "score"] == pytest.approx(results.scores("plain").mean()) == pytest.approx(1 / 20)
    assert table.loc["plain", "low"] < 1 / 20 < table.loc["plain", "high"]
    assert table.loc["terse", "prompt_tokens"] > table.loc["plain", "prompt_tokens"]
    assert results.answers("plain")[3] == "no 0"


def test_every_question_is_asked_once_and_a_second_run_asks_nothing(host, tmp_path):
    server = host()
    first = measure(server, tmp_path / "s.sqlite", [PLAIN, TERSE])
    assert len(server.calls) == 40
    again = measure(server, tmp_path / "s.sqlite", [PLAIN, TERSE])
    assert len(server.calls) == 40
    assert again.answers("terse") == first.answers("terse")
    measure(server, tmp_path / "s.sqlite", [PLAIN], rows=[*ROWS, example("say new")])
    assert len(server.calls) == 41


def test_the_same_request_is_shared_between_candidates_and_double_rows(host, tmp_path):
    server = host()
    measure(server, tmp_path / "s.sqlite", [PLAIN, Candidate("twin", "small-model")], rows=[*ROWS, ROWS[0]])
    assert len(server.calls) == 20


@pytest.mark.parametrize(
    "changed", [{"system": "x"}, {"temperature": 0.5}, {"max_tokens": 9}, {"schema": {"type": "array"}}, {"model": "m"}]
)
def test_whatever_shapes_the_answer_is_part_of_the_key(host, tmp_path, changed):
    server = host()
    measure(server, tmp_path / "s.sqlite", rows=ROWS[:1])
    measure(server, tmp_path / "s.sqlite", [Candidate("p", **{"model": "small-model", **changed})], rows=ROWS[:1])
    assert len(server.calls) == 2


def test_another_sample_asks_afresh_and_names_its_seed(host, tmp_path):
    server, warm = host(), Candidate("warm", "m", temperature=1.0)
    for sample in (0, 1, 1):
        measure(server, tmp_path / "s.sqlite", [warm], rows=ROWS[:1], sample=sample)
    assert [call["seed"] for call in server.calls] == [0, 1]


def test_two_servers_on_this_machine_never_share_an_answer(host, tmp_path):
    measure(host(), tmp_path / "s.sqlite")
    second = host()
    measure(second, tmp_path / "s.sqlite")
    assert len(second.calls) == 20


def test_the_local_api_is_the_same_host_after_a_restart_on_another_port(host, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    first, second = host(), host()
    for server in (first, second):
        local_api_at(server, tmp_path, key="test")
        results = measure(server, tmp_path / "s.sqlite")
    assert len(first.calls) == 20 and not second.calls
    assert results.candidates["plain"]["host"] == "local"


def local_api_at(server: Host, home: Path, key: str) -> None:
    """What the local API leaves in its home: where it answered last, and its key."""
    folder = home / "local_api"
    folder.mkdir(exist_ok=True)
    (folder / "key").write_text(key)
    known = {"base_url": server.base_url, "key_file": str(folder / "key"), "pid": 1}
    (folder / "server.json").write_text(json.dumps(known))


def test_another_server_where_the_local_api_once_stood_is_not_the_local_api(host, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    server = host()
    local_api_at(server, tmp_path, key="a key that only connect() hands out")
    assert measure(server, tmp_path / "s.sqlite").candidates["plain"]["host"] == server.base_url[7:-3]


@pytest.mark.priced
def test_a_server_on_this_machine_is_free_only_when_it_is_known_to_be(host, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    proxy = host()
    with pytest.raises(ConsentError, match=r"not known to be free.*PRICE = \{"):
        measure(proxy, tmp_path / "s.sqlite")
    with pytest.raises(ConsentError, match="would cost"):
        measure(proxy, tmp_path / "s.sqlite", price={"input": 1.0, "output": 1.0})
    assert not proxy.calls, "nothing was sent to a proxy that may hand it on to a paid host"
    assert len(measure(proxy, tmp_path / "s.sqlite", price={"input": 0, "output": 0}).rows) == 20
    ours, named = host(), host()
    local_api_at(ours, tmp_path, key="test")
    (tmp_path / "hosts.toml").write_text(
        f'[mine]\nbase_url = "{named.base_url}"\nlike = "vllm"\nfree = true\n'
        f'[gateway]\nbase_url = "{host().base_url}"\nlike = "vllm"\n'
    )
    for server in (ours, named):
        assert measure(server, tmp_path / "s.sqlite").table().loc["plain", "usd_per_1000"] == 0
    assert not providers.hosts()["gateway"].free, "to answer as vLLM does is not to be free"


def test_what_is_missing_is_said_also_without_progress(host, tmp_path, capsys):
    def fault(body, _):
        asked = body["messages"][-1]["content"]
        return error(400, "too long") if asked.endswith(("1", "2")) else (200, {}, completion(body, finish="length"))

    results = measure(host(fault), tmp_path / "s.sqlite")
    said = capsys.readouterr().out
    assert "6 of 20 answers are missing" in said and "14 answers cut off" in said
    assert results.answered() == "20 validation rows, plain: 14 of 20 answered; plain: 14 of 20 cut off"


def test_when_nothing_was_answered_the_reasons_are_grouped(host, tmp_path, capsys):
    many = [Candidate(name, "small-model", system=name) for name in "abcd"]
    server = host(lambda body, _: error(400, "no" if body["messages"][-1]["content"].endswith("1") else "too long"))
    results = measure(server, tmp_path / "s.sqlite", many)
    assert (
        "a: None of the 20 prompts was answered. 17 times: 400: too long; 3 times: 400: no." in capsys.readouterr().out
    )
    tested = evaluate.plateau(results)
    assert tested.state == "cannot tell" and tested.sentence.startswith("None of the 80 prompts was answered. 68 times")


def test_changed_instructions_ask_only_the_changed_prompts(host, tmp_path):
    server, store = host(), tmp_path / "s.sqlite"
    rows = [example(f"say {('yes', 'no')[n % 2]} {n}", ("yes", "no")[n % 2]) for n in range(20)]
    first = evaluate.rungs(rows, "small-model", "Answer yes or no.", pool=rows[:8])
    measure(server, store, first, rows[8:])
    before = len(server.calls)
    second = evaluate.rungs(rows, "small-model", "Yes or no?", pool=rows[:8])
    measure(server, store, second, rows[8:])
    bare = [one for one in second if not one.system]
    assert len(bare) == 1 and len(server.calls) - before == 12 * (len(second) - 1)
    assert not [call for call in server.calls[before:] if call["messages"][0]["role"] != "system"]


def test_seconds_are_those_of_the_call_and_not_of_waiting_for_money_or_a_rate_limit(host, tmp_path):
    def fault(body, before):
        return error(429, "slow down", **{"Retry-After": "1"}) if before == 0 and "no 1" in str(body) else None

    # A call can cost 41 prompt tokens at worst, so that this limit has room for one at a time: the others wait here.
    money = {"price": {"input": 1.0, "output": 0.0}, "spend_limit_usd": 70e-6}
    results = measure(host(fault, delay=0.2), tmp_path / "s.sqlite", rows=ROWS[4:9], **money)
    assert not results.rows["missing"].any() and results.rows["seconds"].max() < 0.6


def test_a_failed_row_is_missing_with_its_reason_and_never_a_zero(host, tmp_path):
    server = host(lambda body, _: error(400, "too long") if body["messages"][-1]["content"] == "say no 3" else None)
    results = measure(server, tmp_path / "s.sqlite")
    assert results.missing().to_dict() == {("plain", "400: too long"): 1}
    scores = results.scores("plain")
    assert math.isnan(scores[6]) and sum(map(math.isnan, scores)) == 1
    assert results.table().loc["plain", ["rows", "missing"]].tolist() == [19, 1]
    assert results.answers("plain")[6] is None
    assert any("1 of 20 answers are missing" in note for note in results.notes)
    server.fault = None
    assert not math.isnan(measure(server, tmp_path / "s.sqlite").scores("plain")[6])
    assert len(server.calls) == 21


@pytest.mark.parametrize("status", [408, 409, 500, 503, 529])
def test_passing_trouble_is_tried_again(host, tmp_path, status):
    server = host(lambda body, before: error(status, "busy") if before == 0 else None)
    results = measure(server, tmp_path / "s.sqlite", rows=ROWS[:4])
    assert not results.rows["missing"].any() and len(server.calls) == 8


def test_a_broken_connection_is_tried_again(host, tmp_path):
    server = host(lambda body, before: "hang up" if before == 0 else None)
    results = measure(server, tmp_path / "s.sqlite", rows=ROWS[:4])
    assert not results.rows["missing"].any() and len(server.calls) == 8


def test_a_rate_limit_holds_everybody_back_as_long_as_the_host_asks(host, tmp_path):
    server = host(lambda *_: error(429, "slow down", **{"Retry-After": "1"}) if len(server.calls) == 1 else None)
    measure(server, tmp_path / "s.sqlite", rows=ROWS[:6], concurrency=1)
    assert server.times[1] - server.times[0] >= 0.99 and len(server.calls) == 7
    assert server.times[-1] - server.times[1] < 1


def test_a_pause_that_is_too_long_ends_the_run_and_keeps_what_came(host, tmp_path):
    server = host(lambda body, before: error(429, "full", **{"Retry-After": "3600"}) if len(server.calls) > 5 else None)
    with pytest.raises(HostError, match="pause of 3600 s"):
        measure(server, tmp_path / "s.sqlite", concurrency=1)
    server.fault = None
    measure(server, tmp_path / "s.sqlite")
    assert len(server.calls) == 5 + 1 + 15


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (error(401, "bad key"), "bad key"),
        (error(403, "no"), "refuses small-model"),
        (error(404, "no such model"), "no such model"),
        (error(429, "quota", code="insufficient_quota"), "credit is used up"),
    ],
)
def test_what_no_row_survives_ends_the_run_at_once(host, tmp_path, answer, match):
    server = host(lambda body, before: answer)
    with pytest.raises(HostError, match=match):
        measure(server, tmp_path / "s.sqlite", concurrency=2)
    assert len(server.calls) <= 2


def test_a_host_that_is_gone_ends_the_run(host, tmp_path, monkeypatch):
    monkeypatch.setattr(failures, "ATTEMPTS_BROKEN", 2)
    server = host()
    server.close()
    with pytest.raises(HostError, match="does not answer any more"):
        measure(server, tmp_path / "s.sqlite")


@pytest.mark.parametrize("concurrency", [1, 8])
def test_options_that_reasoning_models_refuse_are_left_out(host, tmp_path, concurrency):
    def fault(body, before):
        if "max_tokens" in body:
            return error(400, "use max_completion_tokens", code="unsupported_parameter", param="max_tokens")
        if "temperature" in body:
            return error(400, "only 1", code="unsupported_value", param="temperature")
        return None

    server = host(fault)
    with pytest.warns(UserWarning, match="refuses temperature"):
        results = measure(server, tmp_path / "s.sqlite", concurrency=concurrency)
    assert not results.rows["missing"].any()
    assert len(server.calls) <= 20 + 2 * concurrency
    assert server.calls[-1]["max_completion_tokens"] == 64


@pytest.mark.parametrize(
    ("answer", "text", "missing"),
    [
        ({"text": ""}, "", ""),
        ({"content": None, "refusal": "I will not."}, "I will not.", ""),
        ({"content": None, "finish": "length"}, "", ""),
        ({"content": "", "finish": "length", "reasoning": "Let me see …"}, None, THOUGHT),
        ({"content": None, "finish": "length", "reasoning_content": "Let me see …"}, None, THOUGHT),
        ({"content": "yes", "finish": "length", "reasoning": "Let me see …"}, "yes", ""),
        ({"content": None, "finish": "content_filter"}, None, "no text came back (finish_reason content_filter)"),
    ],
)
def test_odd_answers(host, tmp_path, answer, text, missing):
    server = host(lambda body, before: (200, {}, completion(body, **answer)))
    results = measure(server, tmp_path / "s.sqlite", rows=ROWS[:1])
    assert results.answers("plain") == [text]
    assert results.rows["missing"].tolist() == [missing]


@pytest.mark.parametrize("text", ["\ud83d", "half \ud83d and \ude00", "\x00", "e\u0301 的 🙂", "x" * 300_000])
def test_answers_of_any_letters_are_kept_and_scored(host, tmp_path, text):
    server = host(lambda body, before: (200, {}, completion(body, text)))
    every = [*metrics.default(ROWS), metrics.similarity, metrics.length, metrics.all_fields, metrics.valid_json()]
    results = run(server.client(), [PLAIN], ROWS[:2], every, store=tmp_path / "s", progress=False)
    assert results.answers("plain") == [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")] * 2
    assert Results.from_json(json.loads(json.dumps(results.to_json()))).answers("plain") == results.answers("plain")
    assert len(results.label_table()) == 1 and not results.missing().any()


@pytest.mark.parametrize("body", [{"choices": []}, {"nonsense": 1}, []])
def test_what_is_no_chat_completion_is_missing(host, tmp_path, body):
    server = host(lambda *_: (200, {}, body))
    results = measure(server, tmp_path / "s.sqlite", rows=ROWS[:2])
    assert all("not a chat completion" in reason for reason in results.rows["missing"])


def test_answers_cut_off_are_counted(host, tmp_path):
    server = host(lambda body, before: (200, {}, completion(body, finish="length")))
    results = measure(server, tmp_path / "s.sqlite")
    assert results.table().loc["plain", "cut_off"] == 20
    assert "plain: 20 answers cut off at max_tokens." in results.notes


def test_as_many_calls_are_under_way_as_allowed(host, tmp_path):
    together = threading.Barrier(5)  # a call is answered once five are under way: four rounds of five, or never
    server = host(lambda body, before: together.wait(timeout=60) and None)
    results = measure(server, tmp_path / "s.sqlite", concurrency=5)
    assert not results.rows["missing"].any() and server.most_under_way <= 5


def test_one_candidate_after_another_and_like_prompts_together(host, tmp_path):
    server = host()
    pool = tuple(example(f"say {word}") for word in ("apple", "pear"))
    near = Candidate("near", "m", nearest=1, pool=pool)
    rows = [example(f"say {word} {i}") for i in range(5) for word in ("apple", "pear")]
    measure(server, tmp_path / "s.sqlite", [TERSE, near], rows=rows, concurrency=1)
    assert [call["model"] for call in server.calls] == ["small-model"] * 10 + ["m"] * 10
    assert [call["messages"][0]["content"] for call in server.calls[10:]] == ["say apple"] * 5 + ["say pear"] * 5


# --- killed and started again ---

KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import openai
from test_evaluate_run import PLAIN, TERSE, ROWS
from helpers.evaluate import metrics, run
client = openai.OpenAI(base_url={url!r}, api_key="x", http_client=openai.DefaultHttpxClient(trust_env=False))
run(client, [PLAIN, TERSE], ROWS, [metrics.exact_match], store=Path({store!r}), concurrency=4, progress=False,
    price={{"input": 0, "output": 0}})
"""


@pytest.mark.parametrize("after", [2, 21, *(pytest.param(n, marks=pytest.mark.soak) for n in range(1, 36, 2))])
def test_killed_at_any_moment_no_answered_row_is_asked_twice_and_none_is_lost(host, tmp_path, after):
    server, store = host(delay=0.03), tmp_path / "s.sqlite"
    program = KILLED.format(tests=str(Path(__file__).parent), url=server.base_url, store=str(store))
    sent, kept = killed_after(after, program, server, store)
    assert sent < 40
    results = measure(server, store, [PLAIN, TERSE], concurrency=4)
    assert len(server.calls) == sent + 40 - kept
    assert len(results.rows) == 40 and not results.rows["missing"].any()


def test_an_interrupt_keeps_the_calls_under_way(host, tmp_path, monkeypatch):
    server, store = host(delay=0.05), tmp_path / "s.sqlite"

    def interrupted(*_, **__):
        time.sleep(0.12)
        raise KeyboardInterrupt

    monkeypatch.setattr(requests, "wait", interrupted)
    with pytest.raises(StopHere) as stopped:
        measure(server, store, concurrency=2)
    monkeypatch.undo()
    sent = len(server.calls)
    assert 2 <= sent <= 8
    said = [f"You stopped; {sent} of 20 answers are kept. Run this again to go on with the others."]
    assert stopped.value._render_traceback_() == said, "a notebook shows this in place of a traceback"
    measure(server, store)
    assert len(server.calls) == 20


# --- the test split ---


def test_each_look_at_the_test_rows_is_counted_and_shown(host, tmp_path):
    server, store = host(), tmp_path / "s.sqlite"
    first = measure(server, store, split="test")
    assert first.openings == 1 and not first.notes
    assert measure(server, store, split="test").openings == 1  # nothing new was asked
    second = measure(server, store, [PLAIN, TERSE], split="test")
    assert second.openings == 2 and "opened 2 times" in second.notes[0] and "opened 2 times" in second._repr_html_()
    assert measure(server, store, rows=ROWS[:5], split="test").openings == 0  # other rows, all known
    assert measure(server, store, split="validation").openings == 0


def test_a_run_taken_up_again_is_the_same_look(host, tmp_path):
    server, store = host(lambda body, before: error(401, "key") if len(server.calls) > 7 else None), tmp_path / "s"
    with pytest.raises(HostError):
        measure(server, store, split="test", concurrency=1)
    server.fault = None
    assert measure(server, store, split="test").openings == 1


def test_rows_among_the_worked_examples_are_pointed_out(host, tmp_path):
    results = measure(host(), tmp_path / "s", [Candidate("leaky", "m", shots=(ROWS[1], ROWS[2]))])
    assert any("2 measured rows also among its worked examples" in note for note in results.notes)


# --- money ---


def far(server: Host, monkeypatch) -> None:
    """Make the room believe that the loopback server is another machine."""
    monkeypatch.setattr("helpers.providers.is_free", lambda client: False)
    monkeypatch.setattr(requests, "identity", lambda client: "api.example.com")


PRICE = {"input": 100.0, "cached_input": 10.0, "output": 1000.0}


def test_another_machine_without_a_price_is_never_asked(host, tmp_path, monkeypatch):
    server = host()
    far(server, monkeypatch)
    with pytest.raises(ConsentError, match="no price for small-model"):
        measure(server, tmp_path / "s")
    with pytest.raises(ConsentError, match="no price for small-model"):
        measure(server, tmp_path / "s", price={"other-model": PRICE})
    assert not server.calls


def test_the_default_limit_allows_nothing_that_costs(host, tmp_path, monkeypatch):
    server = host()
    far(server, monkeypatch)
    with pytest.raises(ConsentError, match=r"20 calls at api.example.com would cost up to about \$1\.3"):
        measure(server, tmp_path / "s", price=PRICE)
    assert not server.calls
    assert not measure(server, tmp_path / "s", price={"input": 0, "output": 0}).rows["missing"].any()


def test_cost_is_what_the_host_counted(host, tmp_path, monkeypatch, capsys):
    server = host()
    far(server, monkeypatch)
    results = measure(server, tmp_path / "s", [TERSE], price=PRICE, spend_limit_usd=10, progress=True)
    assert "20 calls at api.example.com: up to about $1.3" in capsys.readouterr().out
    row = results.rows.iloc[0]
    assert row.usd == pytest.approx((3 * 100 + 3 * 10 + 1 * 1000) / 1e6)
    assert results.table().loc["terse", "usd_per_1000"] == pytest.approx(results.rows.usd.mean() * 1000)
    assert measure(server, tmp_path / "s", [TERSE], price={"small-model": PRICE}, spend_limit_usd=0).rows.usd[0] > 0


def test_a_run_never_spends_more_than_its_limit(host, tmp_path, monkeypatch):
    # Answers take all their tokens, and many more prompt tokens than the forecast expects.
    def dear(body, before):
        reply = completion(body, text="word " * body["max_tokens"])
        reply["usage"] |= {"prompt_tokens": 12, "completion_tokens": 64, "prompt_tokens_details": {"cached_tokens": 0}}
        return 200, {}, reply

    server = host(dear, delay=0.01)
    far(server, monkeypatch)
    price = {"input": 5000.0, "output": 1000.0}
    requests = [Request("m", [{"role": "user", "content": "你好吗" * 4}], sample=i) for i in range(40)]
    with pytest.raises(ConsentError):
        ask(server.client(), requests, store=tmp_path / "s", price=price, spend_limit_usd=4.0, progress=False)
    limit = 5.0
    replies = ask(server.client(), requests, store=tmp_path / "s", price=price, spend_limit_usd=limit, progress=False)
    one = (12 * 5000 + 64 * 1000) / 1e6
    assert len(server.calls) * one <= limit
    assert sum(reply.text is not None for reply in replies) == len(server.calls) > 30
    assert {reply.missing for reply in replies} == {"", "the run's spending limit was reached"}


def test_calls_that_break_count_at_their_worst(host, tmp_path, monkeypatch):
    server = host(lambda body, before: "hang up")
    far(server, monkeypatch)
    monkeypatch.setattr(failures, "ATTEMPTS_BROKEN", 100)
    request = Request("m", [{"role": "user", "content": "hello"}], max_tokens=100)
    limit = 1.0
    [reply] = ask(
        server.client(), [request], store=tmp_path / "s", price={"input": 0, "output": 3000.0}, spend_limit_usd=limit,
        progress=False,
    )  # fmt: skip
    assert reply.missing == "the run's spending limit was reached"
    assert len(server.calls) == 3  # each may have been billed for 100 tokens: $0.30


@pytest.mark.priced
@pytest.mark.parametrize("price", [{"input": -1, "output": 1}, {"input": 1}, {"input": "1", "output": 1}])
def test_a_price_that_is_no_price(host, tmp_path, price):
    with pytest.raises(EvaluationError, match="price of small-model"):
        measure(host(), tmp_path / "s", price=price, spend_limit_usd=1)


# --- misuse ---


@pytest.mark.parametrize(
    ("candidates", "rows", "match"),
    [
        ([], ROWS, "distinct names"),
        ([PLAIN, PLAIN], ROWS, "distinct names"),
        ([PLAIN], [], "no examples"),
        ([PLAIN], [example("a"), example("b", "")], "1 example without the text"),
    ],
)
def test_misuse_is_named(host, tmp_path, candidates, rows, match):
    with pytest.raises(EvaluationError, match=match):
        measure(host(), tmp_path / "s", candidates, rows)


def test_metrics_need_names_of_their_own(host, tmp_path):
    for chosen in ([], [metrics.length, metrics.length], [metrics.Metric("usd", lambda a, e: 1.0)]):
        with pytest.raises(EvaluationError, match="Metrics need distinct names"):
            run(host().client(), [PLAIN], ROWS, chosen, store=tmp_path / "s", progress=False)


def test_a_store_that_is_something_else_is_named(host, tmp_path):
    (tmp_path / "s").write_text("not a database, but long enough to be read as one" * 40)
    with pytest.raises(EvaluationError, match="store of answers"):
        measure(host(), tmp_path / "s")


def test_in_a_notebook_the_clock_ticks_while_no_answer_comes_and_nothing_looks_like_an_error(monkeypatch, capsys):
    monkeypatch.setenv("JPY_SESSION_NAME", "lesson.ipynb")
    monkeypatch.setattr(requests, "TICK_SECONDS", 0.1)
    monkeypatch.setattr(requests._Sender, "_answer", lambda *_: time.sleep(1) or Reply(text="at last"))
    sender = requests._Sender(openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9"), "local", None, None)
    asked = {"one": requests.Request("m", ())}
    assert sender.send(asked, None, 1, progress=True)["one"].text == "at last"
    said = capsys.readouterr()
    assert said.out.count("0/1") > 3 and not said.err


def test_what_a_free_host_answers_costs_nothing_whatever_the_price_of_another(host, tmp_path):
    results = measure(host(), tmp_path / "s", price=PRICE, spend_limit_usd=0)
    assert set(results.rows.usd) == {0} and not results.rows["missing"].any()


def test_one_price_is_not_taken_for_two_models(host, tmp_path, monkeypatch):
    server = host()
    both = [TERSE, replace(TERSE, name="tuned", model="ft:small-model:x", tuned=True)]
    assert len(measure(server, tmp_path / "free", both, price=PRICE).rows) == 40, "a free host has no prices to mix up"
    server.calls.clear()
    far(server, monkeypatch)
    dear = {"price": PRICE, "spend_limit_usd": 1e6}
    with pytest.raises(EvaluationError, match=r"PRICE is the price of one model.*ft:small-model:x, small-model"):
        measure(server, tmp_path / "s", both, **dear)
    with pytest.raises(EvaluationError, match="PRICE is the price of one model"):
        ask(server.client(), [Request(one.model, [], max_tokens=1) for one in both], store=tmp_path / "s", **dear)
    targets = [(server.base_url, "a"), (server.base_url, "b")]
    with pytest.raises(EvaluationError, match="PRICE is the price of one model.*a, b"):
        evaluate.run_elsewhere(targets, [TERSE], ROWS, [metrics.exact_match], store=tmp_path / "s", **dear)
    assert not server.calls
    measure(server, tmp_path / "s", [TERSE], **dear)
    with pytest.raises(EvaluationError, match="PRICE is the price of one model"):
        measure(server, tmp_path / "s", both, **dear)
    assert len(server.calls) == 20, "the answers of the first one were kept, and the second was not asked"
    each = dict.fromkeys(("small-model", "ft:small-model:x"), PRICE)
    assert len(measure(server, tmp_path / "s", both, **{**dear, "price": each}).rows) == 40
    zeros = {"input": 0, "output": 0}
    assert len(measure(server, tmp_path / "zero", both, price=zeros).rows) == 40
