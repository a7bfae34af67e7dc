"""``POST /v1/responses``: the same conversation in another shape, read as a chat request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic.functional_validators import BeforeValidator

from helpers.local_api.http.schemas.chat import ChatRequest
from helpers.local_api.http.schemas.fields import (
    ANY,
    Metadata,
    Name,
    Strict,
    Temperature,
    TokenLimit,
    TopLogprobs,
    TopP,
    WithNeutral,
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
"""As for chat: OpenAI's further parameters, each with the values that pass because they change nothing."""


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
    name: Name | None = None
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


class ResponseRequest(WithNeutral):
    """``POST /v1/responses``: text in, text or structured output out; :data:`RESPONSE_NEUTRAL` is accepted unheard."""

    neutral: ClassVar[Mapping[str, Any]] = RESPONSE_NEUTRAL

    model: str
    input: Annotated[list[InputMessage], BeforeValidator(_as_messages), Field(min_length=1, max_length=2048)]
    instructions: str | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_output_tokens: TokenLimit | None = None
    text: TextSettings | None = None
    include: list[Literal["message.output_text.logprobs"]] | None = None
    top_logprobs: TopLogprobs | None = None
    metadata: Metadata | None = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None

    @property
    def format(self) -> TextFormat:
        """What the answer's text must keep to; plain text where nothing is said."""
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
