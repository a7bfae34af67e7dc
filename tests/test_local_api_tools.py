"""Tools: in the model's own chat template where it has a place for them, refused where it has none; calls are held to
what was declared."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from random import Random

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import validate
from running_api import TINY, Api, wait_until
from tool_model import FIND, KNOWS_TOOLS, MARKS, PING, TEMPLATE
from transformers import AutoTokenizer

from helpers import assets
from helpers.errors import DataError
from helpers.local_api import export
from helpers.local_api.engine.text.call_form import CallForm
from helpers.local_api.engine.text.calls import Call, CallStream
from helpers.local_api.engine.text.template import ChatTemplate

HELLO = [{"role": "user", "content": "Where is BM-12345?"}]


def called(identity: str, name: str = "find_order", **arguments) -> dict:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


CALL = {"role": "assistant", "content": None, "tool_calls": [called("1", order_id="BM-12345", detail="short")]}
TALK = [*HELLO, CALL, {"role": "tool", "tool_call_id": "1", "content": "in Leeds"}]


@pytest.fixture(scope="module")
def folder(tool_model: Path) -> Path:
    return tool_model


@pytest.fixture(scope="module")
def api(api_with_tools: Api) -> Api:
    return api_with_tools


@pytest.fixture(scope="module")
def client(api: Api) -> openai.OpenAI:
    return api.client(timeout=300)


def ask(client: openai.OpenAI, **request):
    defaults = {"model": KNOWS_TOOLS, "messages": HELLO, "tools": [FIND, PING], "temperature": 0, "max_tokens": 120}
    return client.chat.completions.create(**{**defaults, **request})


# What the model sees -------------------------------------------------------------------------------------------------


def own_templates() -> dict[str, str]:
    """The test's own, and those that TRL carries, where it is installed: the models' own."""
    found = {"like Qwen3": TEMPLATE}
    trl = importlib.util.find_spec("trl")
    for name in ("qwen3", "qwen2_5", "qwen3_instruct_2507") if trl else ():
        found[name] = (Path(trl.origin).parent / "chat_templates" / f"{name}.jinja").read_text()
    return found


@pytest.mark.parametrize("name", own_templates())
def test_the_model_sees_what_transformers_would_show_it(name: str, folder: Path, tmp_path: Path):
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    (tmp_path / "chat_template.jinja").write_text(own_templates()[name])
    ours, theirs = ChatTemplate(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    conversations = [
        HELLO,
        [{"role": "system", "content": "Be kind."}, *TALK],
        [*TALK, {"role": "assistant", "content": "In Leeds."}, *HELLO, CALL | {"content": "Let me see."}, TALK[-1]],
        [*HELLO, CALL | {"tool_calls": [called("1"), called("2", "ping")]}, TALK[-1], TALK[-1] | {"tool_call_id": "2"}],
    ]
    for messages in conversations:
        plain = [{**message, "content": message["content"] or ""} for message in messages]
        for message in plain:
            message["tool_calls"] = [
                call | {"function": call["function"] | {"arguments": json.loads(call["function"]["arguments"])}}
                for call in message.get("tool_calls", [])
            ]
        expected = theirs.apply_chat_template(
            plain, tools=[FIND, PING], add_generation_prompt=True, enable_thinking=False
        )["input_ids"]
        prompt = ours.prompt(messages, [FIND, PING])
        assert prompt == expected
        row = [*messages, {"role": "assistant", "content": "In Leeds, I hear."}]
        ids, weights = ours.example(row, [FIND, PING])
        whole = theirs.apply_chat_template([*plain, row[-1]], tools=[FIND, PING], enable_thinking=False)["input_ids"]
        assert theirs.decode(ids) == theirs.decode(whole)
        assert ids[: len(prompt)] == prompt, "an answer by itself, as it is when the model writes it"
        learned = ours.tokenizer.decode([i for i, w in zip(ids, weights, strict=True) if w], skip_special_tokens=False)
        assert learned.count("<|im_end|>") == sum(message["role"] == "assistant" for message in row)
        assert learned.endswith("In Leeds, I hear.<|im_end|>") and "Where is" not in learned
        assert learned.count("<tool_call>") == sum(len(message.get("tool_calls", [])) for message in row)
        assert not learned.startswith("<think>"), "what asks for the answer is no part of it"


def test_a_weight_of_0_is_an_answer_that_is_not_learned(folder: Path):
    row = [*HELLO, CALL | {"weight": 0}, TALK[-1], {"role": "assistant", "content": "In Leeds."}]
    ids, weights = ChatTemplate(folder).example(row, [FIND])
    learned = ChatTemplate(folder).tokenizer.decode([i for i, w in zip(ids, weights, strict=True) if w])
    assert learned == "In Leeds."


@pytest.mark.parametrize("mark", ["<|im_start|>", "<|im_end|>", *MARKS])
def test_what_users_and_tools_say_never_becomes_a_mark(folder: Path, mark: str):
    template = ChatTemplate(folder)
    token = template.tokenizer.token_to_id(mark)

    def marks(text: str) -> int:
        tool = {"type": "function", "function": {"name": "f", "description": text, "parameters": {"title": text}}}
        call = {"role": "assistant", "content": "", "tool_calls": [called("1", x=text, **{text: 1})]}
        said = [{"role": "system", "content": text}, {"role": "user", "content": text}, call]
        return template.prompt([*said, {"role": "tool", "tool_call_id": "1", "content": text}], [tool]).count(token)

    assert marks(f"a {mark}{mark} b") == marks("a b")


def test_a_model_without_a_place_for_tools_has_none(folder: Path):
    template = ChatTemplate(assets.base_model())
    assert template.tools is None and ChatTemplate(folder).tools.form.mark == "<tool_call>"
    for row in ((TALK, [FIND]), (TALK, []), (HELLO, [FIND])):
        with pytest.raises(DataError, match="no place for tools"):
            template.prompt(*row)


# Answers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_call_that_is_required_is_held_to_what_was_declared(client: openai.OpenAI, seed: int):
    answer = ask(client, tool_choice="required", temperature=2.0, seed=seed).choices[0]
    assert answer.message.content is None and answer.message.tool_calls
    *whole, last = answer.message.tool_calls
    for call in whole if answer.finish_reason == "length" else [*whole, last]:
        declared = {"find_order": FIND["function"]["parameters"], "ping": {"maxProperties": 0}}
        validate(json.loads(call.function.arguments), declared[call.function.name])
    assert len({call.id for call in answer.message.tool_calls}) == len(answer.message.tool_calls)


def test_a_named_tool_is_called_once(client: openai.OpenAI):
    choice = {"type": "function", "function": {"name": "ping"}}
    answer = ask(client, tool_choice=choice).choices[0]
    [call] = answer.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("ping", {})
    assert answer.finish_reason == "tool_calls"
    [one] = ask(client, tool_choice="required", parallel_tool_calls=False, max_tokens=200).choices[0].message.tool_calls
    assert one.function.name in ("ping", "find_order")


def test_calls_are_streamed_as_they_are_told_whole(client: openai.OpenAI):
    for choice in ("auto", "none", {"type": "function", "function": {"name": "find_order"}}):
        whole = ask(client, tool_choice=choice).choices[0]
        text, calls, reason = "", [], None
        for chunk in ask(client, tool_choice=choice, stream=True):
            text += chunk.choices[0].delta.content or ""
            calls += chunk.choices[0].delta.tool_calls or []
            reason = chunk.choices[0].finish_reason or reason
        assert (text or None, reason) == (whole.message.content, whole.finish_reason)
        told = whole.message.tool_calls or []
        assert [call.function.model_dump() for call in calls] == [call.function.model_dump() for call in told]
        assert [call.index for call in calls] == list(range(len(told)))


def test_a_conversation_with_a_tool_goes_on(client: openai.OpenAI):
    messages, choice = list(HELLO), {"type": "function", "function": {"name": "find_order"}}
    for _ in range(2):
        message = ask(client, messages=messages, tool_choice=choice).choices[0].message
        [call] = message.tool_calls
        messages += [message, {"role": "tool", "tool_call_id": call.id, "content": '{"place": "Leeds"}'}]
        answer = ask(client, messages=messages, tool_choice="none", max_tokens=8).choices[0]
        assert answer.message.content and not answer.message.tool_calls
        messages += [answer.message, {"role": "user", "content": "And BM-54321?"}]
    assert ask(client, messages=messages, tools=openai.omit, max_tokens=4).choices[0].message.content


def test_a_schema_for_the_answer_and_tools_together(client: openai.OpenAI):
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["yes", "no"]}}}
    message = ask(client, response_format=form).choices[0].message
    assert message.tool_calls or json.loads(message.content) in ("yes", "no")
    assert json.loads(ask(client, response_format=form, tool_choice="none").choices[0].message.content) in ("yes", "no")


def test_a_call_that_is_cut_short_says_so(client: openai.OpenAI):
    choice = {"type": "function", "function": {"name": "find_order"}}
    for most in range(1, 40, 4):
        answer = ask(client, tool_choice=choice, max_tokens=most).choices[0]
        whole = answer.finish_reason == "tool_calls"
        assert whole or answer.finish_reason == "length"
        for call in answer.message.tool_calls or []:
            assert call.function.name == "find_order" and call.function.arguments.endswith("}") == whole


BAD = {
    "no such tool": ({"tool_choice": {"type": "function", "function": {"name": "x"}}}, None, "none of the tools"),
    "a choice without tools": ({"tools": [], "tool_choice": "auto"}, None, "tool_choice"),
    "twice the same": ({"tools": [PING, PING]}, None, "same name"),
    "a bad name": ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name", "a b"),
    "not an object": (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}]},
        "tools[0].function",
        "object",
    ),
    "a schema that is none": (
        {"tools": [PING, {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": 5}}}}]},
        "tools",
        "of the tool 'f'",
    ),
    "a schema without an end": (
        {
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {
                "properties": {"a": {"$ref": "#"}}, "required": ["a"], "additionalProperties": False}}}],
            "tool_choice": "required",
        },
        "tools",
        "schema",
    ),
    "a tool of OpenAI's own": ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type", "function"),
    "log probabilities": ({"logprobs": True}, None, "logprobs"),
    "an answer to nothing": ({"messages": [*HELLO, TALK[-1]]}, "messages[1]", "tool_call_id"),
    "a call without an answer": ({"messages": [*HELLO, CALL, *HELLO]}, "messages[1]", "'1'"),
    "a call of the user's": ({"messages": [HELLO[0] | {"tool_calls": CALL["tool_calls"]}]}, "messages[0]", "assistant"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "param", "words"), BAD.values(), ids=BAD)
def test_bad_requests_with_tools_are_refused(client: openai.OpenAI, changes: dict, param: str | None, words: str):
    with pytest.raises(openai.BadRequestError) as refusal:
        ask(client, **changes)
    assert words in refusal.value.message and refusal.value.param == param


@pytest.mark.parametrize(
    ("request_", "param"),
    [({}, "tools"), ({"tools": openai.omit, "messages": TALK}, "messages[1]")],
    ids=["tools", "an earlier call"],
)
def test_a_model_without_a_place_for_tools_refuses_them(client: openai.OpenAI, request_: dict, param: str):
    for model in (TINY, "smollm2-135m-instruct"):
        with pytest.raises(openai.BadRequestError, match=f"template of {model}, which has no place") as refusal:
            ask(client, model=model, **request_)
        assert refusal.value.param == param


def test_the_newer_interface_says_where_tools_are_taken(client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError, match="/v1/chat/completions takes tools"):
        client.responses.create(model=KNOWS_TOOLS, input="?", tools=[{"type": "function", "name": "f"}])


# Calls in a text -----------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet=st.sampled_from('ab <>/tool_call{}"\\\n'), max_size=30)


@settings(deadline=None, max_examples=200)
@given(text=TEXTS, values=st.lists(TEXTS, max_size=3), seed=st.integers(0, 10**6))
def test_calls_are_told_from_text_however_it_is_cut(text: str, values: list[str], seed: int):
    """An argument may hold the very mark that ends a call."""
    text = text.replace("<tool_call>", "")
    form = CallForm("<tool_call>\n", "\n</tool_call>", "\n")
    calls = [Call("f", json.dumps({"x": value + "</tool_call>"})) for value in values]
    written = text + "".join(f'\n<tool_call>\n{{"name": "f", "arguments": {c.arguments}}}\n</tool_call>' for c in calls)
    stream, chance, told, at = CallStream(form), Random(seed), [], 0
    while at < len(written):
        size = chance.randrange(1, 9)
        told += stream.push(written[at : at + size])
        at += size
    told += stream.finish()
    assert stream.calls == calls and [one for one in told if isinstance(one, Call)] == calls
    said = "".join(one for one in told if isinstance(one, str))
    assert said == stream.text == (text.rstrip() if calls else text)


# Training ------------------------------------------------------------------------------------------------------------


PINGED = {"role": "assistant", "content": None, "tool_calls": [called("1", "ping")]}


def rows(n: int) -> bytes:
    """Rows of which each question is answered by the same call; behind it some go on."""
    made = []
    for i in range(n):
        more = [TALK[-1], {"role": "assistant", "content": "It is up."}] if i % 2 else []
        made.append({"messages": [{"role": "user", "content": f"Is {i} up?"}, PINGED, *more], "tools": [PING]})
    return "".join(json.dumps(row) + "\n" for row in made).encode()


def ended(client: openai.OpenAI, **job):
    made = client.fine_tuning.jobs.create(**job)
    return wait_until(lambda: (now := client.fine_tuning.jobs.retrieve(made.id)).finished_at and now)


def test_rows_with_tools_are_trained_and_the_tuned_model_calls(client: openai.OpenAI, api: Api, folder: Path, tmp_path):
    file = client.files.create(file=("tools.jsonl", rows(16)), purpose="fine-tune")
    settings_ = {"n_epochs": 10, "batch_size": 4, "learning_rate_multiplier": 4, "recipe": "thorough"}
    method = {"type": "supervised", "supervised": {"hyperparameters": settings_}}
    job = ended(client, model=KNOWS_TOOLS, training_file=file.id, method=method, seed=1)
    assert job.status == "succeeded", job.error
    template = ChatTemplate(folder)
    examples = [template.example(row["messages"], row["tools"])[0] for row in map(json.loads, rows(16).splitlines())]
    assert job.trained_tokens == 10 * sum(map(len, examples))
    request = {"messages": [{"role": "user", "content": "Is 5 up?"}], "tools": [PING], "parallel_tool_calls": False}
    assert not ask(client, **request).choices[0].message.tool_calls, "it learned to"
    answer = ask(client, model=job.fine_tuned_model, **request).choices[0]
    assert answer.finish_reason == "tool_calls" and answer.message.tool_calls[0].function.name == "ping"
    export.export(job.fine_tuned_model, tmp_path / "out", "adapter", api.home, folder)
    theirs = AutoTokenizer.from_pretrained(tmp_path / "out")
    asked = theirs.apply_chat_template(HELLO, tools=[FIND], add_generation_prompt=True)["input_ids"]
    assert asked == template.prompt(HELLO, [FIND]), "an export asks as the training did"
    assert theirs.apply_chat_template(HELLO, add_generation_prompt=True)["input_ids"] == template.prompt(HELLO)


def test_rows_with_tools_are_refused_by_row_where_the_template_has_no_place(client: openai.OpenAI):
    plain = json.dumps({"messages": [*HELLO, {"role": "assistant", "content": "No."}]}).encode() + b"\n"
    file = client.files.create(file=("x.jsonl", plain * 12 + rows(2)), purpose="fine-tune")
    job = ended(client, model=TINY, training_file=file.id)
    assert job.status == "failed"
    assert all(f"line {line}: " in job.error.message for line in (13, 14)) and "line 12:" not in job.error.message
    assert "no place for tools" in job.error.message


def test_an_api_without_such_a_model_refuses_the_file_by_row(local_api: Api):
    with pytest.raises(openai.BadRequestError, match="line 1"):
        local_api.client().files.create(file=("x.jsonl", rows(12)), purpose="fine-tune")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"functions": [PING["function"]]}, "functions"),
        ({"tools": [{"type": "function"}]}, "tools[0]"),
        ({"messages": [*HELLO, {"role": "function", "name": "f", "content": "x"}, *HELLO]}, "function"),
        ({"messages": [*HELLO, CALL, {"role": "assistant", "content": "x"}]}, "tool_calls[0]"),
    ],
)
def test_bad_rows_with_tools_are_refused(client: openai.OpenAI, changes: dict, words: str):
    bad = json.dumps({"messages": [*HELLO, CALL], "tools": [FIND], **changes}).encode() + b"\n"
    with pytest.raises(openai.BadRequestError, match="line 13") as refusal:
        client.files.create(file=("x.jsonl", rows(12) + bad), purpose="fine-tune")
    assert words in refusal.value.message
