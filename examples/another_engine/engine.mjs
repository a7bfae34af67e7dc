// llama.cpp answers prompts, greedily, one after the other. Reads one JSON object on standard input
// ({model, prompts, stop, longest}) and prints one: {answers, tokens_per_second, megabytes}. Started by run.py.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const { model: file, prompts, stop, longest } = JSON.parse(readFileSync(0, "utf8"));
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: file });
// One core is left to others: llama.cpp's threads spin while they wait for each other, and stand still on a busy core.
const threads = Math.max(1, availableParallelism() - 1);
const context = await model.createContext({ contextSize: 2048, sequences: 1, threads });
const sequence = context.getSequence();
const [end] = model.tokenize(stop, true);

const answers = [];
let made = 0;
const began = performance.now();
for (const prompt of prompts) {
  await sequence.clearHistory();
  const said = [];
  for await (const token of sequence.evaluate(model.tokenize(prompt, true), { temperature: 0 })) {
    if (token === end || said.length >= longest) break;
    said.push(token);
  }
  made += said.length;
  answers.push(model.detokenize(said));
}
const seconds = (performance.now() - began) / 1000;
const megabytes = process.memoryUsage().rss / 1e6;
console.log(JSON.stringify({ answers, tokens_per_second: made / seconds, megabytes }));
process.exit(0);
