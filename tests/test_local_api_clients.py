"""What real clients send and read: conversations that go on, documented parameters, answers as the description has
them."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import openai
import pytest
from running_api import TINY, Api, chat_rows

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
