"""The local API against OpenAI's own description of it: `make conformance`, with its path in ``OPENAPI``.

Requests are generated from the description, valid and invalid ones. No answer may be a server's error, and what is
answered must have the shape that the description gives it. The description is not part of this repository.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from jsonschema import Draft202012Validator
from running_api import TINY, Api, chat_rows

schemathesis = pytest.importorskip("schemathesis", reason="run `make conformance`, which installs it")

DESCRIPTION = os.environ.get("OPENAPI", "")
WHERE = "Set OPENAPI to OpenAI's description of its API: openapi.json of github.com/openai/openai-openapi, or a part."
CASES = int(os.environ.get("CONFORMANCE_CASES", "150"))
"""Requests an operation."""

OURS = {
    "/chat/completions": ("post",),
    "/completions": ("post",),
    "/embeddings": ("post",),
    "/files": ("get", "post"),
    "/files/{file_id}": ("get", "delete"),
    "/files/{file_id}/content": ("get",),
    "/fine_tuning/jobs": ("get", "post"),
    "/fine_tuning/jobs/{fine_tuning_job_id}": ("get",),
    "/fine_tuning/jobs/{fine_tuning_job_id}/cancel": ("post",),
    "/fine_tuning/jobs/{fine_tuning_job_id}/checkpoints": ("get",),
    "/fine_tuning/jobs/{fine_tuning_job_id}/events": ("get",),
    "/fine_tuning/jobs/{fine_tuning_job_id}/pause": ("post",),
    "/fine_tuning/jobs/{fine_tuning_job_id}/resume": ("post",),
    "/models": ("get",),
    "/models/{model}": ("get", "delete"),
    "/responses": ("post",),
    "/responses/{response_id}": ("get", "delete"),
    "/responses/{response_id}/cancel": ("post",),
    "/responses/{response_id}/input_items": ("get",),
}
"""What this API answers, be it with the sentence that it has no such thing."""

HELLO = [{"role": "user", "content": "Hello"}]
HONOURED = {
    "/chat/completions": {"temperature", "top_p", "n", "stop", "seed", "logprobs", "response_format", "stream"},
    "/responses": {"temperature", "top_p", "instructions", "metadata", "text", "stream"},
    "/embeddings": {"encoding_format", "user"},
}
"""Parameters that may stay in a request that is to be answered."""
SHORT = {
    "/chat/completions": {"model": TINY, "messages": HELLO, "max_completion_tokens": 4},
    "/responses": {"model": TINY, "input": "Hello", "max_output_tokens": 4},
    "/embeddings": {"model": "all-minilm-l6-v2", "input": ["Hello", "you"]},
}
"""The tiny model never comes to an end by itself."""

EVENT_STREAM = "text/event-stream"
EVENTS = {"/chat/completions": "CreateChatCompletionStreamResponse", "/responses": "ResponseStreamEvent"}
"""What the data of each event of a stream is, by the description."""

DEVIATIONS = {
    "status": "the description names 200 only; every refusal has OpenAI's own error shape, which is checked here",
    "embeddings": "the description knows no base64, which OpenAI answers where it is asked for, and so does this API",
    "file contents": "are sent as they are (application/octet-stream, as OpenAI does), not as a JSON text",
    "refusals": "tools, images, audio and what else the model cannot do are refused (400), not ignored",
}
"""Where this API is not as the description has it, and why."""


def corrected(part: Any) -> Any:
    """The description without its own slips: `nullable` and boolean `exclusiveMinimum` are of an older standard."""
    if isinstance(part, list):
        return [corrected(one) for one in part]
    if not isinstance(part, dict):
        return part
    fixed = {name: corrected(value) for name, value in part.items() if name != "nullable"}
    if isinstance(fixed.get("exclusiveMinimum"), bool):
        del fixed["exclusiveMinimum"]
    if part.get("nullable") is True:
        return {"anyOf": [fixed, {"type": "null"}]}
    return fixed


def description() -> dict[str, Any]:
    whole = corrected(json.loads(Path(DESCRIPTION).read_text(encoding="utf-8")))
    whole["paths"] = {
        path: {method: whole["paths"][path][method] for method in methods if method in whole["paths"][path]}
        for path, methods in OURS.items()
        if path in whole["paths"]
    }
    vector = whole["components"]["schemas"]["Embedding"]["properties"]
    vector["embedding"] = {"anyOf": [vector["embedding"], {"type": "string"}]}
    whole["paths"]["/files/{file_id}/content"]["get"]["responses"] = {"200": {"description": "The bytes."}}
    for path in EVENTS:  # it describes what an event's data holds, not the event around it: see `check`
        whole["paths"][path]["post"]["responses"]["200"]["content"][EVENT_STREAM].pop("schema", None)
    asked = {f"Asked{name}": as_asked(part) for name, part in whole["components"]["schemas"].items()}
    whole["components"]["schemas"] |= asked
    for method in (method for path in whole["paths"].values() for method in path.values()):
        if "requestBody" in method:
            method["requestBody"] = as_asked(method["requestBody"])
    return whole


def as_asked(part: Any) -> Any:
    """A description of requests to generate from: "one of" as "any of". That allows all that it did and more, so no
    request is lost; schemathesis cannot generate what fits one alternative and no other where these are nested."""
    if isinstance(part, list):
        return [as_asked(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {"anyOf" if name == "oneOf" else name: as_asked(value) for name, value in part.items()}
    if isinstance(found.get("$ref"), str):
        found["$ref"] = found["$ref"].replace("/schemas/", "/schemas/Asked")
    return found


def answerable(case: Any, existing: Mapping[str, str]) -> bool:
    """Turn a generated request into one that this API can answer, as far as it knows how; False where it does not.

    Generated requests name models and ids that do not exist, and parameters that no small model can honour.
    """
    if case.path in HONOURED and isinstance(case.body, dict):
        kept = {name: value for name, value in case.body.items() if name in HONOURED[case.path]}
        case.body = {**kept, **SHORT[case.path]}
        return True
    if case.method == "GET" and set(case.path_parameters or ()) <= set(existing):
        case.path_parameters = {name: existing[name] for name in case.path_parameters or ()}
        return True
    return False


if not DESCRIPTION or not Path(DESCRIPTION).is_file():
    pytest.skip(WHERE, allow_module_level=True)

schema = schemathesis.openapi.from_dict(description())
CHECKS = [
    schemathesis.specs.openapi.checks.response_schema_conformance,
    schemathesis.specs.openapi.checks.content_type_conformance,
]


@pytest.fixture(scope="module")
def answered() -> Iterator[Counter]:
    """How often each status was answered; shown at the end of the run."""
    seen: Counter = Counter()
    yield seen
    print(f"\n{seen.total():,} requests", *(f"{count:7,} {what}" for what, count in sorted(seen.items())), sep="\n")


@pytest.fixture(scope="module")
def asked() -> set[str]:
    """Requests that were made answerable, so far."""
    return set()


@pytest.fixture(scope="module")
def existing(local_api: Api) -> dict[str, str]:
    """Ids of a file, of a job that has ended, and of a model."""
    client = local_api.client()
    file = client.files.create(file=("rows.jsonl", chat_rows(12)), purpose="fine-tune").id
    job = client.fine_tuning.jobs.create(model=TINY, training_file=file, hyperparameters={"n_epochs": 1}).id
    while client.fine_tuning.jobs.retrieve(job).status not in ("succeeded", "failed", "cancelled"):
        time.sleep(0.5)
    return {"file_id": file, "fine_tuning_job_id": job, "model": TINY}


@pytest.mark.conformance
@schema.parametrize()
@settings(
    max_examples=CASES, deadline=None, phases=[Phase.explicit, Phase.generate], derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_answers_have_the_described_shape(
    case: Any, local_api: Api, existing: dict, answered: Counter, asked: set[str]
):
    check(case, local_api, answered)
    if answerable(case, existing) and (request := repr((case.method, case.path, case.query, case.body))) not in asked:
        asked.add(request)  # what is left of a generated request is often the same
        check(case, local_api, answered)


def check(case: Any, api: Api, answered: Counter) -> None:
    if isinstance(case.body, dict) and case.path in SHORT:  # whatever it asks for, it is not to write for minutes
        ends = {name: value for name, value in SHORT[case.path].items() if name.startswith("max_")}
        case.body = {**{name: value for name, value in case.body.items() if name != "max_tokens"}, **ends}
    headers = {"Authorization": f"Bearer {api.key}"}
    response = case.call(base_url=api.ready["base_url"], headers=headers, timeout=60)
    answered[f"{case.method} {case.path} {response.status_code}"] += 1
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.json()["error"]["message"], response.text
    else:
        case.validate_response(response, checks=CHECKS)
        if response.headers["content-type"][0].startswith(EVENT_STREAM):
            events_are_as_described(case.path, response.text)


def events_are_as_described(path: str, stream: str) -> None:
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    events = [json.loads(line) for line in lines if line != "[DONE]"]
    assert events, stream
    described = {"$ref": f"#/components/schemas/{EVENTS[path]}", "components": schema.raw_schema["components"]}
    found = [error.message for event in events for error in Draft202012Validator(described).iter_errors(event)]
    assert not found, found[:3]
