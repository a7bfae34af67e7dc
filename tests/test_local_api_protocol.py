"""The local API's protocol at its edges: in this process, without a server or a model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from helpers.local_api.engine.text.calls import NO_ARGUMENTS, Calling
from helpers.local_api.http import body as bodies
from helpers.local_api.http.errors import ApiError, unknown
from helpers.local_api.http.schemas import chat, embeddings, jobs, responses

HI = {"role": "user", "content": "Hi"}
CHAT = {"model": "m", "messages": [HI]}
JOB = {"model": "m", "training_file": "file-x"}
RESPONSE = {"model": "m", "input": "Hi"}
TEXTS = {"model": "m", "input": ["a"]}


def tool(name: str = "f", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


def call(id_: str = "c", name: str = "f") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": "{}"}}


def called(*calls: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """A conversation whose assistant called tools that then answered."""
    answers = [{"role": "tool", "tool_call_id": one["id"], "content": "5"} for one in calls]
    return [HI, {"role": "assistant", "tool_calls": list(calls), **more}, *answers]


def parse(schema: type[BaseModel], body: dict[str, Any]) -> Any:
    """The request as the API reads it, from JSON."""
    return schema.model_validate_json(json.dumps(body))


def refusal(schema: type[BaseModel], body: dict[str, Any]) -> ApiError | None:
    try:
        parse(schema, body)
    except ValidationError as error:
        return bodies.as_api_error(error)
    except ApiError as error:
        return error
    return None


# What a request may hold: the last value that is taken, and the first that is not -----------------------------------

TOOLS = [tool(f"f{n}") for n in range(129)]
CALLS = [call(f"c{n}") for n in range(129)]
LIMITS: list[tuple[type[BaseModel], dict, str, list, list]] = [
    (chat.ChatRequest, CHAT, "temperature", [0, 2, None], [-0.01, 2.01]),
    (chat.ChatRequest, CHAT, "top_p", [0, 1], [-0.01, 1.01]),
    (chat.ChatRequest, CHAT, "max_tokens", [1], [0]),
    (chat.ChatRequest, CHAT, "max_completion_tokens", [1], [0]),
    (chat.ChatRequest, CHAT, "n", [1, 128], [0, 129]),
    (chat.ChatRequest, CHAT | {"logprobs": True}, "top_logprobs", [0, 20], [-1, 21]),
    (chat.ChatRequest, CHAT, "seed", [-(2**63), 2**63 - 1], [-(2**63) - 1, 2**63]),
    (chat.ChatRequest, CHAT, "stop", [[], list("abcd"), "x" * 500, None], [list("abcde"), "", "x" * 501, [1], 5]),
    (chat.ChatRequest, CHAT, "messages", [[HI], [HI] * 2048], [[], [HI] * 2049]),
    (chat.ChatRequest, CHAT, "messages", [called(*CALLS[:128])], [called(*CALLS)]),
    (chat.ChatRequest, CHAT, "messages", [called(call("x" * 100))], [called(call("x" * 101)), called(call(""))]),
    (chat.ChatRequest, CHAT, "tools", [[tool("f" * 64)], TOOLS[:128]], [[tool("f" * 65)], TOOLS]),
    (chat.ChatRequest, CHAT, "tools", [[tool(parameters={"type": "object"})]], [[tool(parameters={"type": "x"})]]),
    (chat.ChatRequest, CHAT, "frequency_penalty", [0, None], [0.1]),
    (chat.ChatRequest, CHAT, "presence_penalty", [0], [1]),
    (chat.ChatRequest, CHAT, "store", [False], [True]),
    (chat.ChatRequest, CHAT, "user", ["anybody"], []),
    (responses.ResponseRequest, RESPONSE, "temperature", [0, 2], [-0.01, 2.01]),
    (responses.ResponseRequest, RESPONSE, "top_p", [0, 1], [-0.01, 1.01]),
    (responses.ResponseRequest, RESPONSE, "max_output_tokens", [1], [0]),
    (responses.ResponseRequest, RESPONSE, "top_logprobs", [0, 20], [-1, 21]),
    (responses.ResponseRequest, RESPONSE, "input", ["", [HI] * 2048], [[], [HI] * 2049]),
    (responses.ResponseRequest, RESPONSE, "store", [False], [True]),
    (responses.ResponseRequest, RESPONSE, "background", [False], [True]),
    (jobs.CreateJob, JOB, "seed", [0, 2**31 - 1], [-1, 2**31]),
    (jobs.CreateJob, JOB, "suffix", ["x", "x" * 64], ["", "x" * 65, "-x"]),
    (jobs.CreateJob, JOB, "integrations", [[], None], [[{"type": "wandb"}]]),
    (jobs.CreateJob, JOB, "metadata", [{str(n): "" for n in range(16)}], [{str(n): "" for n in range(17)}]),
    (jobs.CreateJob, JOB, "metadata", [{"k" * 64: "v" * 512}], [{"k" * 65: "v"}, {"k": "v" * 513}]),
    (jobs.RequestedHyperparameters, {}, "n_epochs", ["auto", 1, 50], [0, 51, 1.0, True, "1"]),
    (jobs.RequestedHyperparameters, {}, "batch_size", ["auto", 1, 256], [0, 257]),
    (jobs.RequestedHyperparameters, {}, "learning_rate_multiplier", ["auto", 0.01, 1000], [0, 1000.1, True]),
    (embeddings.EmbeddingRequest, TEXTS, "input", ["a", ["a"] * 2048], ["", [], ["a"] * 2049, [1, 2], [[1], [2]]]),
    (chat.Seen, CHAT, "messages", [[HI | {"weight": 0}], [HI | {"weight": 1}]], [[HI | {"weight": 2}], []]),
    (chat.Seen, CHAT, "messages", [[HI] * 2048], [[HI] * 2049]),
    (chat.Seen, CHAT, "tools", [TOOLS[:128]], [TOOLS]),
]


@pytest.mark.parametrize(("schema", "body", "field", "taken", "refused"), LIMITS)
def test_limits_of_a_request(schema: type[BaseModel], body: dict, field: str, taken: list, refused: list):
    for value in taken:
        error = refusal(schema, body | {field: value})
        assert error is None, str(error)
        assert isinstance(parse(schema, body | {field: value}), schema)
    for value in refused:
        error = refusal(schema, body | {field: value})
        assert error is not None and error.status == 400 and field in str(error)


TOGETHER = {  # changes that are taken, and the same with one thing that does not fit
    "the older length and the newer": ({"max_tokens": 5, "max_completion_tokens": 5}, {"max_completion_tokens": 6}),
    "what a stream tells at its end": ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": False}),
    "likeliest tokens": ({"logprobs": True, "top_logprobs": 1}, {"logprobs": False}),
    "a tool that is named": ({"tools": [tool()], "tool_choice": tool()}, {"tools": [tool("g")]}),
    "some tool": ({"tools": [tool()], "tool_choice": "required"}, {"tools": []}),
    "one call at a time": ({"tools": [tool()], "parallel_tool_calls": False}, {"tools": None}),
    "two tools": ({"tools": [tool("f"), tool("g")]}, {"tools": [tool("f"), tool("f")]}),
    "no logprobs of calls": ({"tools": [tool()]}, {"logprobs": True}),
    "a call and its answer": ({"messages": called(call())}, {"messages": called(call())[:2]}),
    "an answer to a call": ({"messages": called(call("a"), call("b"))}, {"messages": [HI, called(call())[2]]}),
    "an answer's name": ({"messages": called(call())}, {"messages": [HI | {"tool_call_id": "c"}]}),
    "calls by the assistant": ({"messages": called(call())}, {"messages": [HI | {"tool_calls": [call()]}]}),
    "a schema by its type": ({"response_format": {"type": "text"}}, {"response_format": {"type": "json_schema"}}),
    "a field that is empty": ({"messages": [HI | {"audio": None}]}, {"messages": [HI | {"audio": {"id": "a"}}]}),
}


@pytest.mark.parametrize(("changes", "spoiled"), TOGETHER.values(), ids=TOGETHER)
def test_fields_that_go_together(changes: dict, spoiled: dict):
    assert refusal(chat.ChatRequest, CHAT | changes) is None
    assert isinstance(parse(chat.ChatRequest, CHAT | changes), chat.ChatRequest)
    assert refusal(chat.ChatRequest, CHAT | changes | spoiled) is not None


def test_an_answer_that_answers_no_call_is_named_by_its_place():
    error = refusal(chat.ChatRequest, CHAT | {"messages": [HI, called(call())[2]]})
    assert (error.status, error.error["param"], error.error["code"]) == (400, "messages[1]", "invalid_value")
    error = refusal(chat.ChatRequest, CHAT | {"messages": [*called(call("a"), call("b"))[:3], HI]})
    assert error.error["param"] == "messages[1]" and "'b'" in str(error), "only the call that nobody answered"
    assert error.status == 400


NOT_JSON = [(chat.ChatRequest, CHAT, "temperature"), (responses.ResponseRequest, RESPONSE, "top_p"),
            (jobs.RequestedHyperparameters, {}, "learning_rate_multiplier")]  # fmt: skip


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("schema", "body", "field"), NOT_JSON)
def test_what_is_no_number_of_json_is_refused(schema: type[BaseModel], body: dict, field: str, number: float):
    error = refusal(schema, body | {field: number})
    assert error is not None and error.status == 400


def test_what_a_schema_leaves_out_is_what_openai_leaves_out():
    plain = parse(chat.ChatRequest, CHAT | {"messages": called(call())})
    assert plain.messages[1].tool_calls[0].type == "function" and plain.stream_options is None
    streamed = parse(responses.ResponseRequest, RESPONSE | {"stream": True, "stream_options": {}})
    assert streamed.stream_options.include_obfuscation is False
    assert parse(chat.StreamOptions, {}) == chat.StreamOptions(include_usage=False, include_obfuscation=False)
    asked = parse(jobs.CreateJob, JOB).asked
    assert (asked.n_epochs, asked.batch_size, asked.learning_rate_multiplier) == ("auto", "auto", "auto")
    assert (asked.recipe, asked.keep) == ("quick", "last")
    assert parse(chat.Seen, CHAT).messages == [HI] and parse(embeddings.EmbeddingRequest, TEXTS).input == ["a"]
    assert parse(embeddings.EmbeddingRequest, TEXTS | {"input": "a"}).input == ["a"]
    declared = parse(chat.Function, {"name": "f", "parameters": {"properties": {}}})
    assert declared.schema_of_arguments == {"type": "object", "properties": {}}


# What a request means -----------------------------------------------------------------------------------------------


def test_hyperparameters_are_taken_from_either_place():
    inside = {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}}}
    assert parse(jobs.CreateJob, JOB | inside).asked.n_epochs == 3
    assert parse(jobs.CreateJob, JOB | {"hyperparameters": {"n_epochs": 4}}).asked.n_epochs == 4
    assert parse(jobs.CreateJob, JOB | inside | {"hyperparameters": {"n_epochs": 3}}).asked.n_epochs == 3
    assert refusal(jobs.CreateJob, JOB | inside | {"hyperparameters": {"n_epochs": 4}})
    assert parse(jobs.CreateJob, JOB).asked == jobs.RequestedHyperparameters()


def test_which_tools_an_answer_may_call():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    both = {"tools": [tool("f", parameters=schema), tool("g")]}
    schemas_ = {"f": schema, "g": dict(NO_ARGUMENTS)}

    def calling(**changes: Any) -> Calling | None:
        return parse(chat.ChatRequest, CHAT | changes).calling

    assert calling() is None and calling(tool_choice="none") is None
    assert calling(**both) == calling(**both, tool_choice="auto") == Calling(schemas_, must=False, several=True)
    assert calling(**both, tool_choice="required") == Calling(schemas_, must=True, several=True)
    assert calling(**both, parallel_tool_calls=False) == Calling(schemas_, must=False, several=False)
    assert calling(**both, tool_choice=tool("g")) == Calling({"g": dict(NO_ARGUMENTS)}, must=True, several=False)
    assert calling(**both, tool_choice="none") == Calling({}), "declared, and not to be called"


def test_chances_are_told_only_where_they_were_asked_for():
    asked = [{}, {"logprobs": False}, {"logprobs": True}, {"logprobs": True, "top_logprobs": 3}]
    assert [parse(chat.ChatRequest, CHAT | one).likeliest for one in asked] == [None, None, 0, 3]


def test_content_in_parts_is_one_text():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert parse(chat.Message, {"role": "user", "content": parts}).text == "ab"
    assert parse(chat.Message, {"role": "assistant", "tool_calls": [call()]}).text == "", "it only called"
    assert refusal(chat.Message, {"role": "assistant"}) and refusal(chat.Message, {"role": "user"})


def test_a_response_is_asked_for_as_a_chat():
    asked = {"instructions": "Be brief.", "temperature": 0, "top_p": 0.5, "max_output_tokens": 7, "stream": True,
             "top_logprobs": 2, "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}}  # fmt: skip
    asked_chat = parse(responses.ResponseRequest, RESPONSE | asked).as_chat()
    assert [(one.role, one.text) for one in asked_chat.messages] == [("developer", "Be brief."), ("user", "Hi")]
    assert (asked_chat.temperature, asked_chat.top_p, asked_chat.max_completion_tokens, asked_chat.stream) == (
        0,
        0.5,
        7,
        True,
    )
    assert asked_chat.likeliest == 2 and asked_chat.response_format.json_schema.name == "n"
    plain = parse(responses.ResponseRequest, RESPONSE).as_chat()
    assert plain.likeliest is None and plain.response_format.json_schema is None and len(plain.messages) == 1
    included = RESPONSE | {"include": ["message.output_text.logprobs"]}
    assert parse(responses.ResponseRequest, included).as_chat().likeliest == 0
    assert refusal(responses.ResponseRequest, RESPONSE | {"text": {"format": {"type": "json_schema", "name": "n"}}})
    assert refusal(
        responses.ResponseRequest, RESPONSE | {"text": {"format": {"type": "text", "name": "n", "schema": {}}}}
    )


# How a refusal is told ----------------------------------------------------------------------------------------------


def test_the_first_problem_is_the_param_and_at_most_twenty_are_told():
    error = refusal(chat.ChatRequest, CHAT | {"temperature": 5, "top_p": 2})
    assert error.error["param"] == "temperature" and "'top_p'" in str(error) and error.error["code"] == "invalid_value"
    codes = {"missing_required_parameter": {"model": "m"}, "unknown_parameter": CHAT | {"colour": 1}}
    for code, body in codes.items():
        assert refusal(chat.ChatRequest, body).error["code"] == code
    twenty, more = ({"model": "m", "messages": [{"role": "user", "content": 1.5}] * n} for n in (10, 11))
    assert "more problems" not in str(refusal(chat.ChatRequest, twenty)), "two for each: neither text nor parts"
    assert str(refusal(chat.ChatRequest, more)).endswith("; and 2 more problems.")


def test_a_long_value_is_cut_and_a_place_is_readable():
    whole, cut = (str(refusal(chat.ChatRequest, CHAT | {"n": "x" * length})) for length in (78, 79))
    assert repr("x" * 78) in whole and "'" + "x" * 76 + "…" in cut
    error = refusal(chat.ChatRequest, CHAT | {"messages": [HI, {"role": "user", "content": [{"type": "text"}]}]})
    assert error.error["param"] in ("messages[1].content", "messages[1].content[0].text")


def test_a_long_name_is_quoted_by_its_first_64_letters():
    said = str(refusal(jobs.CreateJob, JOB | {"metadata": {"k" * 70: "v"}}))
    assert f": '{'k' * 64}': a key has at most 64" in said
    named = {"tools": [tool("f")], "tool_choice": tool("n" * 70)}
    said = str(refusal(chat.ChatRequest, CHAT | named))
    assert "n" * 64 in said and "n" * 65 not in said


def test_an_error_has_openais_shape():
    response = ApiError(400, "No.", param="n", code="c", problems=[1]).response({"Retry-After": "3"})
    assert json.loads(response.body) == {
        "error": {"message": "No.", "type": "invalid_request_error", "param": "n", "code": "c", "problems": [1]}
    }
    assert response.status_code == 400 and response.headers["retry-after"] == "3"
    assert "www-authenticate" not in response.headers
    assert ApiError(401, "Who?").response().headers["www-authenticate"] == "Bearer"
    assert (unknown("file", "f").status, unknown("file", "f").error["code"]) == (404, "not_found")


# Reading a body -----------------------------------------------------------------------------------------------------


def request(chunks: Iterable[bytes], *, silent: bool = False, **headers: str) -> Request:
    """A request whose body comes in these chunks and then ends, or falls silent."""
    waiting = list(chunks)

    async def receive() -> dict[str, Any]:
        if not waiting and silent:
            await asyncio.sleep(30)
        more = len(waiting) > 1 or silent
        return {"type": "http.request", "body": waiting.pop(0) if waiting else b"", "more_body": more}

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": pairs}, receive)


async def read_body(asked: Request, limit: int = bodies.MAX_JSON_BYTES) -> bytes:
    return b"".join([chunk async for chunk in bodies.limited(asked, limit)])


def test_a_body_may_be_as_large_as_the_limit_and_no_larger():
    assert asyncio.run(read_body(request([b"ab", b"cd"], content_length="4"), limit=4)) == b"abcd"
    for one in (request([b"ab", b"cde"]), request([b""], content_length="5")):
        with pytest.raises(ApiError, match="MiB") as found:
            asyncio.run(read_body(one, limit=4))
        assert (found.value.status, found.value.error["code"]) == (413, "request_too_large")


def test_a_client_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies, "IDLE_SECONDS", 0.05)
    with pytest.raises(ApiError) as found:
        asyncio.run(read_body(request([b"ab"], silent=True)))
    assert found.value.status == 408


def test_a_body_that_is_no_json_says_so():
    with pytest.raises(ApiError, match="could not parse") as found:
        asyncio.run(bodies.read_request(request([b"{"]), chat.ChatRequest))
    assert (found.value.status, found.value.error["code"]) == (400, "invalid_json")


def test_usage_at_the_end_of_a_stream_is_for_those_who_ask():
    options = chat.ChatRequest.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True, "stream_options": {}}
    ).stream_options
    assert options.include_usage is False


def test_a_body_that_is_no_object_is_named_as_it_came():
    with pytest.raises(ValidationError) as caught:
        chat.ChatRequest.model_validate([1])
    assert caught.value.errors()[0]["input"] == [1]
