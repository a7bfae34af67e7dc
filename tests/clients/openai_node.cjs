const { createRequire } = require("node:module");
const fs = require("node:fs");
const OpenAI = createRequire(process.env.MODULES + "/")("openai");

const { BASE_URL, KEY, MODEL, TOOL_MODEL, TRAINED, ROWS } = process.env;
const TURNS = ["My parcel is late.", "It was sent on Monday.", "What should I do?"];
const QUESTION = [{ role: "user", content: "My kettle is broken and I want my money back." }];
const SCHEMA = {
  type: "object",
  properties: { category: { enum: ["delivery", "refund"] }, urgent: { type: "boolean" } },
  required: ["category", "urgent"],
  additionalProperties: false,
};
const client = new OpenAI({ baseURL: BASE_URL, apiKey: KEY, maxRetries: 0 });

async function withTools(model) {
  const answer = await client.chat.completions.create({
    model,
    messages: QUESTION,
    tools: [{ type: "function", function: { name: "ticket", parameters: SCHEMA, strict: true } }],
    tool_choice: "required",
  });
  return JSON.parse(answer.choices[0].message.tool_calls[0].function.arguments);
}

async function main() {
  const messages = [], turns = [];
  for (const content of TURNS) {
    messages.push({ role: "user", content });
    const answer = await client.chat.completions.create({ model: MODEL, messages, max_tokens: 12 });
    messages.push(answer.choices[0].message);
    turns.push(answer.choices[0].message.content);
  }
  const parsed = await client.chat.completions.parse({
    model: MODEL,
    messages: QUESTION,
    response_format: { type: "json_schema", json_schema: { name: "ticket", schema: SCHEMA, strict: true } },
  });
  const streamed = [];
  const stream = await client.chat.completions.create({ model: MODEL, messages: QUESTION, max_tokens: 2000, stream: true });
  for await (const chunk of stream) {
    streamed.push(chunk.choices[0].delta.content);
    if (streamed.length === 4) break; // hangs up
  }
  const file = await client.files.create({ file: fs.createReadStream(ROWS), purpose: "fine-tune" });
  let job = await client.fineTuning.jobs.create({ model: TRAINED, training_file: file.id, hyperparameters: { n_epochs: 1 } });
  while (!job.finished_at) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    job = await client.fineTuning.jobs.retrieve(job.id);
  }
  const schema = JSON.parse(parsed.choices[0].message.content);
  const tools = await withTools(TOOL_MODEL);
  const refusal = await withTools(MODEL).then((found) => `not refused: ${JSON.stringify(found)}`, (error) => error.message);
  console.log(JSON.stringify({ turns, schema, tools, refusal, streamed, job: job.status }));
}

main();
