"""``POST /v1/chat/completions`` and ``/v1/chat/seen``: conversations, tools, and how an answer is to be sampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator
from pydantic.functional_validators import BeforeValidator

from helpers.local_api.engine.text.calls import NO_ARGUMENTS, Calling
from helpers.local_api.http.errors import ApiError
from helpers.local_api.http.schemas.fields import (
    ANY,
    Name,
    Strict,
    Temperature,
    TokenLimit,
    TopLogprobs,
    TopP,
    WithNeutral,
)

INEXPRESSIBLE = ("function_call", "audio", "refusal", "annotations")
"""Fields of a message that may only be empty. Answers carry some of them so, and clients send those answers back."""
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


class TextPart(Strict):
    type: Literal["text"]
    text: str


class Called(Strict):
    name: Name
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
        """Its content in one piece."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class Function(Strict):
    name: Name
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
        """What its arguments must keep to; an object without members where it declares no parameters."""
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
    name: Name
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


class ChatRequest(WithNeutral):
    """``POST /v1/chat/completions``: what this API honours; :data:`NEUTRAL` has what it accepts unheard."""

    neutral: ClassVar[Mapping[str, Any]] = NEUTRAL

    model: str
    messages: Annotated[list[Message], Field(min_length=1, max_length=2048)]
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    logprobs: bool | None = None
    top_logprobs: TopLogprobs | None = None
    stop: Annotated[Any, BeforeValidator(_stops)] = []
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

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
        """Each call by a message of the role ``tool`` right behind it, as at OpenAI; templates know the order only.

        Raises:
            ApiError: 400, a call without an answer, or an answer without a call.
        """
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
