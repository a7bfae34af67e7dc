import asyncio

from here import BASE_URL, KEY, MODEL, QUESTION, TOOL_MODEL, TURNS, Ticket, refusal_of, tell
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


def agent(name, output=str, most=200):
    model = OpenAIChatModel(name, provider=OpenAIProvider(base_url=BASE_URL, api_key=KEY))
    return Agent(model, output_type=output, model_settings={"max_tokens": most})


history, said = [], []
for turn in TURNS:
    result = agent(MODEL, most=12).run_sync(turn, message_history=history)
    history = result.all_messages()
    said.append(result.output)


def structured(name, output):
    return agent(name, output).run_sync(QUESTION).output.model_dump()


async def hang_up():
    pieces = []
    async with agent(MODEL, most=2000).run_stream(QUESTION) as result:
        async for piece in result.stream_text(delta=True, debounce_by=None):
            pieces.append(piece)
            if len(pieces) == 4:
                return pieces


tell(
    turns=said,
    schema=structured(MODEL, NativeOutput(Ticket)),
    tools=structured(TOOL_MODEL, ToolOutput(Ticket)),
    refusal=refusal_of(lambda: structured(MODEL, ToolOutput(Ticket))),
    streamed=asyncio.run(hang_up()),
    job="the client has none",
)
