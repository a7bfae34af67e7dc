"""``/v1/responses`` through the official client: text and structured output, whole and streamed; refusals."""

from __future__ import annotations

import json
from typing import Literal

import openai
import pytest
from pydantic import BaseModel
from running_api import TINY, Api

BASE = "smollm2-135m-instruct"
HELLO = [{"role": "user", "content": "Name three fruits."}]


class Fruit(BaseModel):
    name: Literal["apple", "banana"]
    pieces: Literal[1, 2, 3]


@pytest.fixture(scope="module")
def client(local_api: Api) -> openai.OpenAI:
    return local_api.client()


def respond(client: openai.OpenAI, **request):
    return client.responses.create(
        **{"model": BASE, "input": "Name three fruits.", "temperature": 0, "max_output_tokens": 6, **request}
    )


def chat(client: openai.OpenAI, messages: list, **request):
    return client.chat.completions.create(
        **{"model": BASE, "messages": messages, "temperature": 0, "max_tokens": 6, **request}
    )


def test_a_response_is_the_answer_that_chat_gives(client: openai.OpenAI):
    found, expected = respond(client, metadata={"who": "tests"}), chat(client, HELLO)
    assert found.output_text == expected.choices[0].message.content
    assert (found.status, found.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert found.usage.input_tokens == expected.usage.prompt_tokens and found.usage.output_tokens == 6
    assert found.usage.total_tokens == found.usage.input_tokens + 6
    assert found.metadata == {"who": "tests"} and found.model == BASE and found.id.startswith("resp_")
    whole = respond(client, text={"format": {"type": "json_schema", "name": "x", "schema": {"enum": ["yes"]}}})
    assert (whole.status, whole.incomplete_details, whole.output_text) == ("completed", None, '"yes"')


def test_instructions_and_three_turns(client: openai.OpenAI):
    """Its output items are the next request's input, as the client's documentation shows it."""
    turns: list = [{"role": "user", "content": "Hi"}]
    messages = [{"role": "system", "content": "Be brief."}, *turns]
    for turn in range(3):
        found = respond(client, instructions="Be brief.", input=turns)
        expected = chat(client, messages)
        assert found.output_text == expected.choices[0].message.content
        assert found.usage.input_tokens == expected.usage.prompt_tokens
        part = {"role": "user", "content": [{"type": "input_text", "text": f"And {turn}?"}]}
        turns += [*found.output, part]
        messages += [expected.choices[0].message, {"role": "user", "content": f"And {turn}?"}]


def test_output_is_held_to_a_schema(client: openai.OpenAI):
    parsed = client.responses.parse(model=BASE, input="A fruit, please.", text_format=Fruit, temperature=0)
    assert isinstance(parsed.output_parsed, Fruit)
    thing = respond(client, model=TINY, text={"format": {"type": "json_object"}})
    assert thing.output_text.startswith("{")


def test_a_stream_tells_the_same_step_by_step(client: openai.OpenAI):
    whole, events = respond(client), list(respond(client, stream=True))
    kinds = [event.type for event in events if event.type != "response.output_text.delta"]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    last = events[-1].response
    assert last.output_text == whole.output_text and last.usage.output_tokens == whole.usage.output_tokens
    assert {events[0].response.id, last.id} == {last.id} and events[0].response.status == "in_progress"
    with client.responses.stream(model=BASE, input="A fruit", text_format=Fruit, temperature=0) as stream:
        assert isinstance(stream.get_final_response().output_parsed, Fruit)


def test_a_stream_that_breaks_down_says_so(client: openai.OpenAI):
    loop = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"], "additionalProperties": False}
    events = list(respond(client, text={"format": {"type": "json_schema", "name": "x", "schema": loop}}, stream=True))
    assert events[-1].type == "response.failed" and "schema" in events[-1].response.error.message


def test_how_sure_it_was(client: openai.OpenAI):
    request = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    found = respond(client, **request).output[0].content[0]
    assert "".join(one.token for one in found.logprobs) == found.text
    assert all(len(one.top_logprobs) == 2 for one in found.logprobs)
    streamed = [event for event in respond(client, **request, stream=True) if event.type.endswith("text.delta")]
    assert "".join(one.token for event in streamed for one in event.logprobs) == found.text
    assert respond(client).output[0].content[0].logprobs == []


REFUSED = {
    "an earlier response": ({"previous_response_id": "resp_1"}, "previous_response_id", "send the earlier"),
    "a conversation": ({"conversation": "conv_1"}, "conversation", "conversation"),
    "to be stored": ({"store": True}, "store", "store"),
    "in the background": ({"background": True}, "background", "background"),
    "tools": ({"tools": [{"type": "web_search"}]}, "tools", "tools"),
    "reasoning": ({"reasoning": {"effort": "high"}}, "reasoning", "reasoning"),
    "a call of a tool": ({"input": [{"type": "function_call_output", "call_id": "1", "output": "x"}]}, "input[0]", ""),
    "an image": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://x"}]}]},
        "input[0].content[0]",
        "",
    ),
    "unknown model": ({"model": "gpt-9"}, "model", "gpt-9"),
    "no input": ({"input": []}, "input", ""),
    "too long": ({"model": TINY, "input": "word " * 20_000}, "input", "2048"),
    "a bad schema": (
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "frog"}}}},
        "text.format",
        "schema",
    ),
    "unknown": ({"max_tokens": 5}, "max_tokens", "max_tokens"),
}


@pytest.mark.parametrize(("changes", "param", "words"), REFUSED.values(), ids=REFUSED)
def test_what_it_cannot_do_is_refused(local_api: Api, changes: dict, param: str, words: str):
    with local_api.raw() as http:
        answer = http.post("responses", json={"model": BASE, "input": "Hi", "max_output_tokens": 1} | changes)
    error = answer.json()["error"]
    assert 400 <= answer.status_code < 500 and error["param"].startswith(param) and words in error["message"], error


def test_what_asks_for_nothing_is_taken(client: openai.OpenAI):
    request = {"store": False, "truncation": "disabled", "tools": [], "tool_choice": "auto", "user": "me"}
    assert respond(client, **request, background=False).output_text == respond(client).output_text


def test_responses_are_not_kept(client: openai.OpenAI):
    for attempt in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="stores no responses"):
            attempt("resp_1")


def test_a_stream_is_what_the_specification_calls_one(local_api: Api):
    """Each event's name is its type."""
    with local_api.raw() as http:
        text = http.post("responses", json={"model": TINY, "input": "Hi", "max_output_tokens": 2, "stream": True}).text
    events = [event.split("\n") for event in text.strip().split("\n\n")]
    assert all(name == f"event: {json.loads(data.removeprefix('data: '))['type']}" for name, data in events)
