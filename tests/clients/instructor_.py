import instructor
from here import BASE_URL, KEY, MODEL, QUESTION, TOOL_MODEL, TURNS, Ticket, refusal_of, tell
from openai import OpenAI

plain = OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
question = [{"role": "user", "content": QUESTION}]


def structured(name, mode, messages=question):
    client = instructor.from_openai(plain, mode=mode)
    return client.chat.completions.create(model=name, messages=messages, response_model=Ticket, max_retries=1)


messages, said = [], []
for turn in TURNS:
    messages.append({"role": "user", "content": turn})
    found = structured(MODEL, instructor.Mode.JSON_SCHEMA, messages).model_dump_json()
    messages.append({"role": "assistant", "content": found})
    said.append(found)

client = instructor.from_openai(plain, mode=instructor.Mode.JSON_SCHEMA)
partial = client.chat.completions.create_partial(model=MODEL, messages=question, response_model=Ticket)
pieces = [one.model_dump_json() for one in partial]  # a list: instructor reads the stream to its end, nothing hangs up

tell(
    turns=said,
    schema=structured(MODEL, instructor.Mode.JSON_SCHEMA).model_dump(),
    tools=structured(TOOL_MODEL, instructor.Mode.TOOLS).model_dump(),
    refusal=refusal_of(lambda: structured(MODEL, instructor.Mode.TOOLS)),
    streamed=pieces,
    job="the client has none",
)
