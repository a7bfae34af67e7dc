"""What real clients send and read: conversations that go on, documented parameters, answers as the description has
them."""

from __future__ import annotations

import http.client
import json
import math
from urllib.parse import urlsplit

import openai
import pytest
import torch
from running_api import TINY, Api, chat_rows
from transformers import AutoModelForCausalLM

from helpers import assets
from helpers.local_api.engine.text.template import ChatTemplate

BASE = "smollm2-135m-instruct"
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def client(local_api: Api) -> openai.OpenAI:
    return local_api.client()


def ask(client: openai.OpenAI, **request):
    return client.chat.completions.create(
        **{"model": TINY, "messages": HELLO, "temperature": 0, "max_tokens": 6, **request}
    )


# Conversations ------------------------------------------------------------------------------------------------------


def test_a_conversation_of_three_turns_sends_back_what_it_got(client: openai.OpenAI):
    """As every client's documentation shows it: the message of the answer is the next request's."""
    messages: list = list(HELLO)
    for turn in range(3):
        answer = ask(client, messages=messages)
        messages += [answer.choices[0].message, {"role": "user", "content": f"And then, {turn}?"}]
    assert answer.usage.prompt_tokens > 3 * 6


EMPTY_FIELDS = {"annotations": [], "tool_calls": [], "audio": None, "function_call": None, "refusal": None}


@pytest.mark.parametrize("field", EMPTY_FIELDS)
def test_fields_of_an_answer_that_say_nothing_change_nothing(client: openai.OpenAI, field: str):
    def turns(answer: dict) -> list[dict]:
        return [*HELLO, {"role": "assistant", "content": "Hi."} | answer, {"role": "user", "content": "Go on."}]

    plain = ask(client, messages=turns({}))
    with_field = ask(client, messages=turns({field: EMPTY_FIELDS[field]}))
    assert with_field.choices == plain.choices
    assert with_field.usage.prompt_tokens == plain.usage.prompt_tokens


def test_what_an_answer_of_tools_said_is_refused_and_not_dropped(client: openai.OpenAI):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    citation = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "url": "x", "title": "y"}}
    for field, value in (("tool_calls", [call]), ("annotations", [citation]), ("refusal", "No.")):
        with pytest.raises(openai.BadRequestError, match=field):
            ask(client, messages=[*HELLO, {"role": "assistant", "content": "Hi.", field: value}])


# Documented parameters ----------------------------------------------------------------------------------------------


def test_a_name_is_taken_and_the_template_has_no_place_for_it(client: openai.OpenAI):
    named = [{"role": "user", "content": "Hello", "name": "Bob_2"}]
    assert ask(client, messages=named).usage.prompt_tokens == ask(client).usage.prompt_tokens
    with pytest.raises(openai.BadRequestError, match=r"messages\[0\].name"):
        ask(client, messages=[{"role": "user", "content": "Hello", "name": 5}])


def test_top_p_0_leaves_the_likeliest_token_only(client: openai.OpenAI):
    assert ask(client, temperature=2, top_p=0).choices == ask(client).choices


def test_an_empty_cursor_is_the_first_page(local_api: Api):
    with local_api.raw() as http:
        for path in ("files", "fine_tuning/jobs"):
            first = http.get(path, params={"limit": 1})
            assert http.get(path, params={"limit": 1, "after": ""}).json() == first.json(), first.text


def test_a_file_can_be_given_an_end(client: openai.OpenAI, local_api: Api):
    def upload(**expiry):
        file = ("x.jsonl", chat_rows(10))
        return client.files.create(file=file, purpose="fine-tune", expires_after=expiry)

    file = upload(anchor="created_at", seconds=3600)
    assert file.expires_at == file.created_at + 3600
    assert client.files.retrieve(file.id) == file
    client.files.delete(file.id)
    bad = {"seconds": 3599}, {"seconds": 2592001}, {"anchor": "last_use"}, {"seconds": "many"}
    for wrong in bad:
        with pytest.raises(openai.BadRequestError, match=next(iter(wrong))) as refusal:
            upload(**{"anchor": "created_at", "seconds": 3600} | wrong)
        assert refusal.value.param == f"expires_after[{next(iter(wrong))}]"
    with pytest.raises(openai.BadRequestError, match="seconds"):
        upload(anchor="created_at")


def test_the_older_completions_are_refused_with_the_way_out(client: openai.OpenAI):
    with pytest.raises(openai.NotFoundError, match="/v1/chat/completions as"):
        client.completions.create(model=TINY, prompt="Once upon a time")


# Several answers, and how sure they are ------------------------------------------------------------------------------


def test_several_answers_are_those_of_as_many_requests(client: openai.OpenAI):
    """The first one is that of the seed itself."""
    many = ask(client, n=3, temperature=1.5, seed=5)
    texts = [choice.message.content for choice in many.choices]
    assert [choice.index for choice in many.choices] == [0, 1, 2] and len(set(texts)) == 3
    assert texts == [choice.message.content for choice in ask(client, n=3, temperature=1.5, seed=5).choices]
    one = ask(client, temperature=1.5, seed=5)
    assert texts[0] == one.choices[0].message.content
    assert many.usage.prompt_tokens == one.usage.prompt_tokens and many.usage.completion_tokens <= 18
    assert {choice.message.content for choice in ask(client, n=2).choices} == {ask(client).choices[0].message.content}


def test_several_answers_are_streamed_side_by_side(client: openai.OpenAI):
    request = {"n": 3, "temperature": 1.5, "seed": 5}
    texts, ends, usage = ["", "", ""], [], None
    for chunk in ask(client, **request, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            ends += [choice.index] if choice.finish_reason else []
    whole = ask(client, **request)
    assert texts == [choice.message.content for choice in whole.choices] and sorted(ends) == [0, 1, 2]
    assert usage.completion_tokens == whole.usage.completion_tokens


def test_a_schema_that_breaks_down_refuses_all_its_answers_and_no_others(client: openai.OpenAI):
    loop = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": loop}}
    with pytest.raises(openai.BadRequestError, match="schema") as refusal:
        ask(client, n=3, response_format=form)
    assert (refusal.value.param, refusal.value.code) == ("response_format", "invalid_schema")
    events = []
    with pytest.raises(openai.APIError, match="schema"):
        events += ask(client, n=3, response_format=form, stream=True)


SURE = {"model": BASE, "logprobs": True, "top_logprobs": 3, "max_tokens": 8}


def test_log_probabilities_are_those_of_the_model(client: openai.OpenAI):
    """Held against transformers: each token of the answer, and the three likeliest at each place."""
    answer = ask(client, **SURE).choices[0]
    template = ChatTemplate(assets.base_model())
    model = AutoModelForCausalLM.from_pretrained(assets.base_model())
    prompt = template.prompt(HELLO)
    said = template.tokenizer.encode(answer.message.content, add_special_tokens=False).ids
    with torch.inference_mode():
        logs = model(torch.tensor([prompt + said])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    found = answer.logprobs.content
    assert "".join(one.token for one in found) == answer.message.content and len(found) == len(said)
    assert b"".join(bytes(one.bytes) for one in found) == answer.message.content.encode()
    for one, place, token in zip(found, logs, said, strict=True):
        assert one.logprob == pytest.approx(float(place[token]), abs=1e-3)
        assert [top.logprob for top in one.top_logprobs] == pytest.approx(place.topk(3).values.tolist(), abs=1e-3)
        assert one.top_logprobs[0].token == one.token, "greedy"


def test_log_probabilities_are_streamed_with_their_text(client: openai.OpenAI):
    whole = ask(client, **SURE, messages=[{"role": "user", "content": "Say: naïve café 🙂"}]).choices[0]
    chunks = ask(client, **SURE, messages=[{"role": "user", "content": "Say: naïve café 🙂"}], stream=True)
    choices = [chunk.choices[0] for chunk in chunks]
    streamed = [one for choice in choices if choice.logprobs for one in choice.logprobs.content]
    assert [one.bytes for one in streamed] == [one.bytes for one in whole.logprobs.content]
    near = [[top.logprob for top in one.top_logprobs] for one in whole.logprobs.content]
    for one, expected in zip(streamed, near, strict=True):
        assert [top.logprob for top in one.top_logprobs] == pytest.approx(expected, abs=1e-3)
    plain = ask(client, model=BASE, logprobs=True).choices[0].logprobs.content
    assert plain and all(one.top_logprobs == [] for one in plain)


def test_tokens_behind_a_stop_string_are_not_told(client: openai.OpenAI):
    request = SURE | {"max_tokens": 16, "messages": [{"role": "user", "content": "Count from one to ten."}]}
    text = ask(client, **request).choices[0].message.content
    stop = text[6:10]
    cut = ask(client, **request, stop=stop).choices[0]
    assert "".join(one.token for one in cut.logprobs.content) == cut.message.content == text[: text.index(stop)]


def test_how_sure_a_label_is_among_those_of_a_schema(client: openai.OpenAI):
    """Shares are of what the schema allows: they sum to one, and what it forces is certain."""
    schema = {"enum": ["apple", "banana", "cherry"]}
    form = {"type": "json_schema", "json_schema": {"name": "fruit", "schema": schema}}
    answer = ask(client, **SURE | {"top_logprobs": 20}, response_format=form).choices[0]
    assert json.loads(answer.message.content) in schema["enum"]
    for one in answer.logprobs.content:
        assert sum(math.exp(top.logprob) for top in one.top_logprobs) == pytest.approx(1, abs=1e-3)


# Answers as OpenAI describes them -----------------------------------------------------------------------------------


def test_no_null_where_the_description_has_none(client: openai.OpenAI, local_api: Api):
    file = client.files.create(file=("x.jsonl", chat_rows(10)), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(model=TINY, training_file=file.id)
    client.fine_tuning.jobs.cancel(job.id)
    with local_api.raw() as http:
        shown = http.get(f"files/{file.id}").json()
        nothing = http.get("files", params={"purpose": "none of these"}).json()
        request = {"model": TINY, "messages": HELLO, "max_tokens": 1}
        answer = http.post("chat/completions", json=request).json()
        chunks = http.post("chat/completions", json=request | {"stream": True}).text
    assert not {"expires_at", "status_details"} & shown.keys()
    assert nothing == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}
    first = json.loads(chunks.splitlines()[0].removeprefix("data: "))
    for said in (answer, first):
        assert isinstance(said["system_fingerprint"], str) and said["system_fingerprint"]


def test_every_answer_has_an_id(local_api: Api):
    with local_api.raw() as http:
        good, unknown = http.get("models"), http.get("no/such/address")
        stranger = http.get("models", headers={"Authorization": "Bearer wrong"})
    ids = {response.headers["x-request-id"] for response in (good, unknown, stranger)}
    assert len(ids) == 3 and all(i.startswith("req_") for i in ids)


@pytest.mark.parametrize(
    ("path", "allowed"), [("models", {"GET"}), ("files", {"GET", "POST"}), ("files/x", {"GET", "DELETE"})]
)
def test_a_method_that_is_not_allowed_is_told_which_are(local_api: Api, path: str, allowed: set[str]):
    place = urlsplit(local_api.ready["base_url"])
    line = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    for method in ("HEAD", "PUT"):
        line.request(method, f"/v1/{path}", headers={"Authorization": f"Bearer {local_api.key}"})
        answer = line.getresponse()
        answer.read()
        assert answer.status == 405
        assert {name.strip() for name in answer.headers["Allow"].split(",")} == allowed


@pytest.fixture(scope="module", autouse=True)
def unharmed(local_api: Api):
    yield
    assert "Traceback" not in local_api.log, local_api.log[-4000:]
