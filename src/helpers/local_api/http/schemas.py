"""What requests may say, as pydantic models, and how a bad one is told: every problem at once, the first as ``param``.

Strict: ``"3"`` is no number and unknown fields are refused, as at OpenAI. The parser's own limit on nesting
(200 levels) ends depth bombs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.functional_validators import AfterValidator, BeforeValidator

from helpers.local_api.engine.text.calls import NO_ARGUMENTS, Calling
from helpers.local_api.http.errors import ApiError

MAX_JSON_BYTES = 16 * 2**20
"""Far above any prompt that fits a model's context, far below what memory minds."""
IDLE_SECONDS = 60.0
"""A client that sends nothing for so long in the middle of a request is given up."""
MAX_TOLD = 20
MAX_PAIRS = 16
"""Of a job's metadata, as at OpenAI."""

Body = TypeVar("Body", bound=BaseModel)


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


# Fine-tuning jobs ---------------------------------------------------------------------------------------------------


def _auto_or_whole(low: int, high: int) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value == "auto" or (type(value) is int and low <= value <= high):
            return value
        raise ValueError(f'must be "auto" or a whole number from {low} to {high}')

    return BeforeValidator(check)


def _auto_or_positive(value: Any) -> Any:
    if value == "auto" or (type(value) in (int, float) and 0 < value <= 1000):
        return value
    raise ValueError('must be "auto" or a number above 0, at most 1000')


class RequestedHyperparameters(Strict):
    """OpenAI's three, within the limits of its specification, and this API's own ``recipe`` and ``keep``.

    ``"quick"`` adapts the upper 40 % of the layers, over cached outputs of the lower ones. ``"thorough"`` adapts all
    layers in about twice the time; on the triage task it had 1.0 points more right fields (95 % interval -1.2 to +3.1).
    Both figures: ``benchmarks/LOG.md``.

    ``keep`` says which pass over the rows the job's model is: ``"last"``, or ``"best"``, the one with the lowest loss
    on all validation rows (of equals the earlier). Each pass stays callable as a checkpoint either way. Loss is not
    always what counts: to choose by a score of your own, see ``helpers.jobs.best_checkpoint``.
    """

    n_epochs: Annotated[Any, _auto_or_whole(1, 50)] = "auto"
    batch_size: Annotated[Any, _auto_or_whole(1, 256)] = "auto"
    learning_rate_multiplier: Annotated[Any, BeforeValidator(_auto_or_positive)] = "auto"
    recipe: Literal["quick", "thorough"] = "quick"
    keep: Literal["last", "best"] = "last"


class Supervised(Strict):
    hyperparameters: RequestedHyperparameters | None = None


class Method(Strict):
    type: str
    supervised: Supervised | None = None

    @model_validator(mode="before")
    @classmethod
    def only_supervised(cls, data: Any) -> Any:
        kind = data.get("type") if isinstance(data, dict) else None
        if isinstance(kind, str) and kind != "supervised":
            raise ValueError(f"type {kind!r} is not supported here: this local API trains 'supervised' only")
        return data


def _short_pairs(pairs: dict[str, str]) -> dict[str, str]:
    if len(pairs) > MAX_PAIRS:
        raise ValueError(f"at most {MAX_PAIRS} pairs")
    for key, value in pairs.items():
        if len(key) > 64 or len(value) > 512:
            raise ValueError(f"{key[:64]!r}: a key has at most 64 characters, a value at most 512")
    return pairs


def _name_part(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        raise ValueError("must be 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or digit")
    return value


class CreateJob(Strict):
    """``POST /v1/fine_tuning/jobs``."""

    model: str
    training_file: str
    validation_file: str | None = None
    suffix: Annotated[str, AfterValidator(_name_part)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    metadata: Annotated[dict[str, str], AfterValidator(_short_pairs)] | None = None
    method: Method | None = None
    hyperparameters: RequestedHyperparameters | None = None
    integrations: Annotated[list[Any], Field(max_length=0)] | None = None

    @model_validator(mode="after")
    def said_once(self) -> CreateJob:
        inner = self.method and self.method.supervised and self.method.supervised.hyperparameters
        if inner and self.hyperparameters and inner != self.hyperparameters:
            raise ValueError("hyperparameters and method.supervised.hyperparameters differ: give one of them")
        return self

    @property
    def asked(self) -> RequestedHyperparameters:
        inner = self.method and self.method.supervised and self.method.supervised.hyperparameters
        return inner or self.hyperparameters or RequestedHyperparameters()


# Chat completions ---------------------------------------------------------------------------------------------------


FUNCTION_NAME = r"^[A-Za-z0-9_-]{1,64}$"


class TextPart(Strict):
    type: Literal["text"]
    text: str


INEXPRESSIBLE = ("function_call", "audio", "refusal", "annotations")
"""Fields of a message that may only be empty. Answers carry some of them so, and clients send those answers back."""


class Called(Strict):
    name: Annotated[str, StringConstraints(pattern=FUNCTION_NAME)]
    arguments: str


class ToolCall(Strict):
    """A call of an earlier answer; clients send the number that a stream gave it, too."""

    id: Annotated[str, Field(min_length=1, max_length=100)]
    type: Literal["function"] = "function"
    function: Called
    index: int | None = None


class Message(Strict):
    """One chat message. What no template here can express (images, audio) is refused, never dropped; only a ``name``,
    which clients put on every message, is taken and not shown to the model."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart]
    name: Annotated[str, StringConstraints(pattern=r"^[^\s<|\\/>]{1,64}$")] | None = None
    tool_calls: Annotated[list[ToolCall], Field(max_length=128)] | None = None
    tool_call_id: str | None = None

    @model_validator(mode="before")
    @classmethod
    def expressible(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for field in INEXPRESSIBLE:
            if data.get(field):
                raise ValueError(f"{field!r} cannot be expressed in this model's chat template: leave it out")
        kept = {key: value for key, value in data.items() if key not in INEXPRESSIBLE}
        if data.get("role") == "assistant" and data.get("tool_calls") and data.get("content") is None:
            kept["content"] = ""
        return kept

    @model_validator(mode="after")
    def of_its_role(self) -> Message:
        if self.tool_calls and self.role != "assistant":
            raise ValueError("only a message of the assistant has tool_calls")
        if (self.role == "tool") != bool(self.tool_call_id):
            raise ValueError("tool_call_id must be given with the role 'tool', and only with it")
        return self

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class Function(Strict):
    name: Annotated[str, StringConstraints(pattern=FUNCTION_NAME)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @model_validator(mode="after")
    def takes_an_object(self) -> Function:
        if self.parameters and self.parameters.get("type", "object") != "object":
            raise ValueError("the type of parameters must be 'object'")
        return self

    @property
    def schema_of_arguments(self) -> dict[str, Any]:
        return {"type": "object", **self.parameters} if self.parameters else dict(NO_ARGUMENTS)


class Tool(Strict):
    type: Literal["function"]
    function: Function


class FunctionName(Strict):
    name: str


class NamedTool(Strict):
    type: Literal["function"]
    function: FunctionName


class JsonSchema(Strict):
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Strict):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def schema_where_named(self) -> ResponseFormat:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("json_schema must be given with type 'json_schema', and only with it")
        return self


class StreamOptions(Strict):
    include_usage: bool = False
    include_obfuscation: bool = False


def _stops(value: Any) -> Any:
    stops = [value] if isinstance(value, str) else value
    if stops is None:
        return []
    if (
        not isinstance(stops, list)
        or len(stops) > 4
        or not all(isinstance(s, str) and 0 < len(s) <= 500 for s in stops)
    ):
        raise ValueError("must be a string or a list of up to 4 strings, each of 1 to 500 characters")
    return stops


class Seen(Strict):
    """``POST /v1/chat/seen``: a conversation, or a training row whose assistant messages may carry a weight."""

    model: str
    messages: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=2048)]
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None

    @model_validator(mode="after")
    def messages_of_a_chat(self) -> Seen:
        for message in self.messages:
            Message.model_validate({key: value for key, value in message.items() if key != "weight"})
            if message.get("weight", 1) not in (0, 1):
                raise ValueError("a message's weight is 0 or 1")
        return self


class ChatRequest(Strict):
    """``POST /v1/chat/completions``: what this API honours; :data:`NEUTRAL` has what it accepts unheard."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1, max_length=2048)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    stop: Annotated[Any, BeforeValidator(_stops)] = []
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def no_unheard_wish(cls, data: Any) -> Any:
        """Drop a foreign parameter whose value changes nothing; refuse one that would have to be ignored."""
        return _heard(data, NEUTRAL) if isinstance(data, dict) else data

    @model_validator(mode="after")
    def consistent(self) -> ChatRequest:
        if self.max_tokens and self.max_completion_tokens and self.max_tokens != self.max_completion_tokens:
            raise ValueError("max_tokens and max_completion_tokens differ: give one of them")
        if self.stream_options and not self.stream:
            raise ValueError("stream_options is allowed only together with stream")
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs is allowed only together with logprobs: true")
        return self

    @model_validator(mode="after")
    def tools_fit(self) -> ChatRequest:
        names = [tool.function.name for tool in self.tools or ()]
        if len(set(names)) < len(names):
            raise ValueError("two tools have the same name")
        if not names and self.tool_choice not in (None, "none"):
            raise ValueError("tool_choice is allowed only together with tools")
        if not names and self.parallel_tool_calls is not None:
            raise ValueError("parallel_tool_calls is allowed only together with tools")
        if isinstance(self.tool_choice, NamedTool) and self.tool_choice.function.name not in names:
            raise ValueError(f"tool_choice names {self.tool_choice.function.name[:64]!r}, which is none of the tools")
        if names and self.logprobs:
            raise ValueError("logprobs cannot be told of an answer that may call tools")
        return self

    @model_validator(mode="after")
    def calls_are_answered(self) -> ChatRequest:
        """Each call by a message of the role ``tool`` right behind it, as at OpenAI; templates know the order only."""
        waiting: dict[str, int] = {}
        for n, message in enumerate(self.messages):
            if message.role == "tool":
                if waiting.pop(message.tool_call_id, None) is None:
                    told = f"Invalid 'messages[{n}]': its tool_call_id answers no call of tool_calls right before it."
                    raise ApiError(400, told, param=f"messages[{n}]", code="invalid_value")
                continue
            _all_answered(waiting)
            waiting = {call.id: n for call in message.tool_calls or ()}
        _all_answered(waiting)
        return self

    @property
    def calling(self) -> Calling | None:
        """Which tools the answer may call; None: there are none."""
        schemas = {tool.function.name: tool.function.schema_of_arguments for tool in self.tools or ()}
        match self.tool_choice:
            case "none":
                return Calling({}) if schemas else None
            case NamedTool(function=FunctionName(name=name)):
                return Calling({name: schemas[name]}, must=True, several=False)
        must, several = self.tool_choice == "required", self.parallel_tool_calls is not False
        return Calling(schemas, must, several) if schemas else None

    @property
    def likeliest(self) -> int | None:
        """How many of the likeliest tokens are told for each place; None: no chances at all."""
        return (self.top_logprobs or 0) if self.logprobs else None


def _all_answered(waiting: Mapping[str, int]) -> None:
    for call, n in waiting.items():
        told = f"Invalid 'messages[{n}]': no message of the role 'tool' right behind it answers {call!r} of tool_calls."
        raise ApiError(400, told, param=f"messages[{n}]", code="invalid_value")


ANY = object()
NEUTRAL: Mapping[str, Any] = {
    # labels that no answer depends on, at OpenAI either
    "user": ANY,
    "safety_identifier": ANY,
    "prompt_cache_key": ANY,
    # values that ask for nothing
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "store": (False,),
    "service_tier": ("auto", "default"),
    "functions": ([],),
    "function_call": ("none",),
    "metadata": ({},),
    "reasoning_effort": ("none",),
    # wishes that a small chat model on this machine cannot fulfil at all
    "audio": (),
    "prediction": (),
    "moderation": (),
    "verbosity": (),
    "web_search_options": (),
    "prompt_cache_options": (),
    "prompt_cache_retention": (),
}
"""OpenAI's further parameters, each with the values that pass because they change nothing (null always passes)."""


def _heard(data: Mapping[str, Any], accepted: Mapping[str, Any]) -> dict[str, Any]:
    """A request without the parameters that change nothing.

    Raises:
        ApiError: 400, one of them has a value that would change something.
    """
    for name in [name for name in data if name in accepted]:
        value, neutral = data[name], accepted[name]
        if value is not None and neutral is not ANY and value not in neutral:
            only = f"; only {', '.join(map(repr, neutral))} or null is" if neutral else ""
            message = f"Unsupported parameter: {name!r} = {_short(value)} cannot be honoured by this local API{only}."
            raise ApiError(400, message + WAYS_OUT.get(name, ""), param=name, code="unsupported_parameter")
    return {name: value for name, value in data.items() if name not in accepted}


# Responses ----------------------------------------------------------------------------------------------------------


class InputPart(Strict):
    """A text of the client's or of an earlier answer; an answer's text carries fields that are empty here."""

    type: Literal["input_text", "output_text", "text"]
    text: str
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None
    logprobs: list[Any] | None = None


def _as_parts(value: Any) -> Any:
    return [{"type": "input_text", "text": value}] if isinstance(value, str) else value


class InputMessage(Strict):
    """A message of the client's, or an output item that it sends back."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[list[InputPart], BeforeValidator(_as_parts)]
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    phase: str | None = None


def _as_messages(value: Any) -> Any:
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


class TextFormat(Strict):
    type: Literal["text", "json_object", "json_schema"] = "text"
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None

    @model_validator(mode="after")
    def schema_where_named(self) -> TextFormat:
        if (self.type == "json_schema") != (self.schema_ is not None and self.name is not None):
            raise ValueError("name and schema must be given with type 'json_schema', and only with it")
        return self


class TextSettings(Strict):
    format: TextFormat | None = None
    verbosity: Literal["medium"] | None = None


class ResponseStreamOptions(Strict):
    include_obfuscation: bool = False


class ResponseRequest(Strict):
    """``POST /v1/responses``: text in, text or structured output out; :data:`RESPONSE_NEUTRAL` is accepted unheard."""

    model: str
    input: Annotated[list[InputMessage], BeforeValidator(_as_messages), Field(min_length=1, max_length=2048)]
    instructions: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    text: TextSettings | None = None
    include: list[Literal["message.output_text.logprobs"]] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    metadata: Annotated[dict[str, str], AfterValidator(_short_pairs)] | None = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def no_unheard_wish(cls, data: Any) -> Any:
        return _heard(data, RESPONSE_NEUTRAL) if isinstance(data, dict) else data

    @property
    def format(self) -> TextFormat:
        return (self.text and self.text.format) or TextFormat()

    def as_chat(self) -> ChatRequest:
        """The same asked of ``/v1/chat/completions``."""
        first = [{"role": "developer", "content": self.instructions}] if self.instructions else []
        turns = [{"role": turn.role, "content": "".join(part.text for part in turn.content)} for turn in self.input]
        wanted: dict[str, Any] = {"type": self.format.type}
        if self.format.schema_ is not None:
            wanted["json_schema"] = {"name": self.format.name, "schema": self.format.schema_}
        return ChatRequest(
            model=self.model,
            messages=[*first, *turns],
            temperature=self.temperature,
            top_p=self.top_p,
            max_completion_tokens=self.max_output_tokens,
            response_format=wanted,
            logprobs=bool(self.include or self.top_logprobs),
            top_logprobs=self.top_logprobs,
            stream=self.stream,
        )


RESPONSE_NEUTRAL: Mapping[str, Any] = {
    "user": ANY,
    "safety_identifier": ANY,
    "prompt_cache_key": ANY,
    "parallel_tool_calls": ANY,
    "store": (False,),
    "background": (False,),
    "truncation": ("disabled",),
    "service_tier": ("auto", "default"),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "reasoning": ({}, {"effort": "none"}),
    "previous_response_id": (),
    "conversation": (),
    "prompt": (),
    "max_tool_calls": (),
    "moderation": (),
    "context_management": (),
    "prompt_cache_options": (),
    "prompt_cache_retention": (),
}
WAYS_OUT: Mapping[str, str] = {
    "tools": " /v1/chat/completions takes tools, for models whose chat template has a place for them.",
    "functions": " Declare them as 'tools'.",
    "previous_response_id": " It stores no responses: send the earlier messages and output items as 'input'.",
    "store": " It stores no responses, which is what leaving 'store' away means here.",
}


# Embeddings ---------------------------------------------------------------------------------------------------------


def _as_texts(value: Any) -> Any:
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and texts and all(type(one) in (int, list) for one in texts):
        raise ValueError("must be a text or a list of texts: tokens of another model mean nothing here")
    return texts


class EmbeddingRequest(Strict):
    """``POST /v1/embeddings``."""

    model: str
    input: Annotated[
        list[Annotated[str, Field(min_length=1)]], BeforeValidator(_as_texts), Field(min_length=1, max_length=2048)
    ]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    user: str | None = None


# Reading and telling ------------------------------------------------------------------------------------------------


async def read_body(request: Request, limit: int = MAX_JSON_BYTES) -> bytes:
    """The request's body.

    Raises:
        ApiError: 413 as soon as more than ``limit`` bytes came or were announced; 408 when the client fell silent.
    """
    chunks = [chunk async for chunk in limited(request, limit)]
    return b"".join(chunks)


async def limited(request: Request, limit: int) -> Any:
    """The body's chunks as they come; raises as :func:`read_body`."""
    too_large = ApiError(
        413,
        f"The request is larger than this API's limit of {limit / 2**20:.0f} MiB. Send less at a time.",
        code="request_too_large",
    )
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise too_large
    read, chunks = 0, request.stream()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(chunks), IDLE_SECONDS)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise ApiError(408, f"No bytes came for {IDLE_SECONDS:.0f} s in the middle of the request.") from None
        read += len(chunk)
        if read > limit:
            raise too_large
        yield chunk


async def read_request(request: Request, schema: type[Body]) -> Body:
    """The request's JSON body as ``schema``.

    Raises:
        ApiError: 400 with every problem, its place and what was got.
    """
    raw = await read_body(request)
    try:
        return schema.model_validate_json(raw)
    except ValidationError as error:
        raise told(error) from None


def told(error: ValidationError) -> ApiError:
    """A pydantic error in OpenAI's shape."""
    problems = [(_place(problem["loc"]), problem) for problem in error.errors(include_url=False)]
    first_place, first = problems[0]
    if first["type"] == "json_invalid":
        return ApiError(
            400,
            f"We could not parse the JSON body of your request: {first['ctx']['error']}.",
            code="invalid_json",
        )
    sentences = [_sentence(place, problem) for place, problem in problems[:MAX_TOLD]]
    if len(problems) > MAX_TOLD:
        sentences.append(f"and {len(problems) - MAX_TOLD} more problems")
    codes = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}
    code = codes.get(first["type"], "invalid_value")
    return ApiError(400, "; ".join(sentences) + ".", param=first_place or None, code=code)


def _sentence(place: str, problem: Mapping[str, Any]) -> str:
    if problem["type"] == "missing":
        return f"Missing required parameter: '{place}'"
    if problem["type"] == "extra_forbidden":
        return f"Unrecognized request argument supplied: '{place}'"
    message = problem["msg"].removeprefix("Value error, ")
    return f"Invalid '{place or 'request'}': {message}, got {_short(problem['input'])}"


def _place(location: tuple[int | str, ...]) -> str:
    """``messages[2].content`` from pydantic's location; the branch names that it adds for unions are left out."""
    place = ""
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
        elif re.fullmatch(r"[a-z][a-z_]*", part):
            if part not in ("str", "int", "float", "bool"):
                place += f".{part}" if place else part
        elif not re.match(r"list\[|function-|dict\[", part):
            place += f".{part[:40]}" if place else part[:40]
    return place


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "…"
