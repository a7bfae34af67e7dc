import time

import litellm
from here import BASE_URL, KEY, MODEL, QUESTION, ROWS, TOOL_MODEL, TRAINED, TURNS, Ticket, refusal_of, tell

place = {"api_base": BASE_URL, "api_key": KEY}

messages, said = [], []
for turn in TURNS:
    messages.append({"role": "user", "content": turn})
    answer = litellm.completion(model=f"openai/{MODEL}", messages=messages, max_tokens=12, num_retries=0, **place)
    messages.append(answer.choices[0].message)
    said.append(answer.choices[0].message.content)

question = [{"role": "user", "content": QUESTION}]
parsed = litellm.completion(model=f"openai/{MODEL}", messages=question, response_format=Ticket, **place)


def with_tools(model):
    tool = {"type": "function", "function": {"name": "ticket", "parameters": Ticket.model_json_schema()}}
    answer = litellm.completion(
        model=f"openai/{model}", messages=question, tools=[tool], tool_choice="required", num_retries=0, **place
    )
    return Ticket.model_validate_json(answer.choices[0].message.tool_calls[0].function.arguments).model_dump()


stream = litellm.completion(model=f"openai/{MODEL}", messages=question, max_tokens=2000, stream=True, **place)
pieces = [next(stream).choices[0].delta.content for _ in range(4)]
stream.completion_stream.close()

where = {**place, "custom_llm_provider": "openai"}
with open(ROWS, "rb") as rows:
    file = litellm.create_file(file=rows, purpose="fine-tune", **where)
job = litellm.create_fine_tuning_job(model=TRAINED, training_file=file.id, **where)
while not (job := litellm.retrieve_fine_tuning_job(fine_tuning_job_id=job.id, **where)).finished_at:
    time.sleep(0.5)

tell(
    turns=said,
    schema=Ticket.model_validate_json(parsed.choices[0].message.content).model_dump(),
    tools=with_tools(TOOL_MODEL),
    refusal=refusal_of(lambda: with_tools(MODEL)),
    streamed=pieces,
    job=job.status,
)
