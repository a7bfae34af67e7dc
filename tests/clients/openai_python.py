import time

from here import BASE_URL, KEY, MODEL, QUESTION, ROWS, TOOL_MODEL, TRAINED, TURNS, Ticket, refusal_of, tell
from openai import OpenAI, pydantic_function_tool

client = OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)

messages, said = [], []
for turn in TURNS:
    messages.append({"role": "user", "content": turn})
    answer = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=12)
    messages.append(answer.choices[0].message)
    said.append(answer.choices[0].message.content)

question = [{"role": "user", "content": QUESTION}]
parsed = client.chat.completions.parse(model=MODEL, messages=question, response_format=Ticket)


def with_tools(model):
    answer = client.chat.completions.parse(
        model=model, messages=question, tools=[pydantic_function_tool(Ticket)], tool_choice="required"
    )
    return answer.choices[0].message.tool_calls[0].function.parsed_arguments.model_dump()


stream = client.chat.completions.create(model=MODEL, messages=question, max_tokens=2000, stream=True)
pieces = [next(stream).choices[0].delta.content for _ in range(4)]
stream.close()

with open(ROWS, "rb") as rows:
    file = client.files.create(file=rows, purpose="fine-tune")
job = client.fine_tuning.jobs.create(model=TRAINED, training_file=file.id, hyperparameters={"n_epochs": 1})
while not (job := client.fine_tuning.jobs.retrieve(job.id)).finished_at:
    time.sleep(0.5)

tell(
    turns=said,
    schema=parsed.choices[0].message.parsed.model_dump(),
    tools=with_tools(TOOL_MODEL),
    refusal=refusal_of(lambda: with_tools(MODEL)),
    streamed=pieces,
    job=job.status,
)
