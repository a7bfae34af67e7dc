from here import BASE_URL, KEY, MODEL, QUESTION, TOOL_MODEL, TURNS, Ticket, refusal_of, tell
from langchain_openai import ChatOpenAI


def model(name, **more):
    return ChatOpenAI(model=name, base_url=BASE_URL, api_key=KEY, max_retries=0, **more)


messages, said = [], []
for turn in TURNS:
    messages.append(("user", turn))
    messages.append(model(MODEL, max_tokens=12).invoke(messages))
    said.append(messages[-1].content)


def structured(name, method):
    return model(name).with_structured_output(Ticket, method=method).invoke(QUESTION).model_dump()


stream = model(MODEL, max_tokens=2000).stream(QUESTION)
pieces = [next(stream).content for _ in range(4)]
stream.close()

tell(
    turns=said,
    schema=structured(MODEL, "json_schema"),
    tools=structured(TOOL_MODEL, "function_calling"),
    refusal=refusal_of(lambda: structured(MODEL, "function_calling")),
    streamed=pieces,
    job="the client has none",
)
