import json
import os
import tempfile
from pathlib import Path

from here import BASE_URL, KEY, MODEL, QUESTION, TOOL_MODEL, TURNS, Ticket, refusal_of, tell

folder = Path(tempfile.mkdtemp())
os.environ["LLM_USER_PATH"] = str(folder)
models = [
    {
        "model_id": name,
        "model_name": name,
        "api_base": BASE_URL,
        "api_key_name": "local",
        "supports_schema": True,
        "supports_tools": True,
    }
    for name in (MODEL, TOOL_MODEL)
]
(folder / "extra-openai-models.yaml").write_text(json.dumps(models))
(folder / "keys.json").write_text(json.dumps({"local": KEY}))

import llm  # noqa: E402 (it reads the folder above)

model, with_tools = llm.get_model(MODEL), llm.get_model(TOOL_MODEL)

conversation = model.conversation()
said = [conversation.prompt(turn, max_tokens=12).text() for turn in TURNS]


def ticket(category: str, urgent: bool) -> str:
    """Files what a customer's message is about."""
    return "filed"


def offered(one):
    """A random model calls nothing by itself; that tools are declared and taken is what is seen here."""
    return one.prompt(QUESTION, tools=[ticket], max_tokens=12).text()


response = iter(model.prompt(QUESTION, max_tokens=2000))
pieces = [next(response) for _ in range(4)]
response.close()

tell(
    turns=said,
    schema=Ticket.model_validate_json(model.prompt(QUESTION, schema=Ticket).text()).model_dump(),
    tools=offered(with_tools),
    refusal=refusal_of(lambda: offered(model)),
    streamed=pieces,
    job="the client has none",
)
