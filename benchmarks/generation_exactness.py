"""Whether the engine answers as plain ``transformers`` does, one prompt at a time, on the real base model.

    python benchmarks/generation_exactness.py [--prompts 300] [--adapter FOLDER] [--eight-bits]

A third of the prompts are bare messages of the sample task, a third have the task's instructions, a third also four
worked examples. All are submitted to the engine at once, twice: the second time their beginnings are cached. Greedy,
24 new tokens. A difference is a *tie* when, at the first token that differs, the reference's two best logits are closer
than 1e-3: float noise decides there, in the reference too.

With ``--eight-bits`` the reference's matrices are rounded to 8 bits, a scale for each row: what an engine that holds a
base model so would answer. The share of equal answers says whether that is the same model to a prompt.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from machine import describe
from peft import PeftModel
from transformers import AutoModelForCausalLM

from helpers import assets
from helpers.local_api.engine.generate import Engine
from helpers.local_api.engine.requests import GenerationRequest

TRIAGE = Path(__file__).parents[1] / "data" / "sample" / "triage"
NEW_TOKENS = 24
TIE = 1e-3


def conversations(count: int) -> list[list[dict[str, str]]]:
    def read(name: str) -> list[list[dict[str, str]]]:
        lines = (TRIAGE / name).read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["messages"] for line in lines]

    instructions = [{"role": "system", "content": (TRIAGE / "instructions.md").read_text(encoding="utf-8")}]
    shots = [message for messages in read("train.jsonl")[:4] for message in messages]
    ways = ([], instructions, instructions + shots)
    messages = read("validation.jsonl") + read("test.jsonl")
    return [ways[n % 3] + messages[n][:1] for n in range(count)]


def round_to_eight_bits(model) -> None:
    """Each matrix of the layers, a row at a time: 255 levels between its largest weight and minus that."""
    for layer in model.model.layers.modules():
        if isinstance(layer, torch.nn.Linear):
            step = layer.weight.data.abs().amax(dim=1, keepdim=True) / 127
            layer.weight.data = (layer.weight.data / step).round() * step


@torch.inference_mode()
def reference(model, prompt: list[int], stops: frozenset[int]) -> tuple[list[int], list[float]]:
    """Greedy token ids, and how far the best logit is ahead of the second at each."""
    made = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=NEW_TOKENS,
        do_sample=False,
        eos_token_id=sorted(stops),
        pad_token_id=2,
        output_logits=True,
        return_dict_in_generate=True,
    )
    best = [logits[0].topk(2).values for logits in made.logits]
    return made.sequences[0, len(prompt) :].tolist(), [float(two[0] - two[1]) for two in best]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--eight-bits", action="store_true", help="round the reference's weights")
    options = parser.parse_args()
    print(describe())
    asked = conversations(options.prompts)
    engine = Engine(assets.base_model())
    name = None
    if options.adapter:
        name = "tuned"
        engine.load_adapter(name, options.adapter)
    answers = []
    for _ in range(2):
        requests = [GenerationRequest(messages=messages, adapter=name, max_tokens=NEW_TOKENS) for messages in asked]
        answers.append([generation.result() for generation in [engine.submit(request) for request in requests]])
    prompts = [engine.template.prompt(messages) for messages in asked]
    engine.close()

    model = AutoModelForCausalLM.from_pretrained(assets.base_model())
    if options.eight_bits:
        round_to_eight_bits(model)
    if options.adapter:
        model = PeftModel.from_pretrained(model, options.adapter)
    same = ties = 0
    for n, prompt in enumerate(prompts):
        ids, leads = reference(model, prompt, engine.template.stops)
        expected = engine.template.tokenizer.decode(ids, skip_special_tokens=True)
        for run in answers:
            if run[n].text == expected:
                same += 1
            else:
                closest = min(leads)
                ties += closest < TIE
                print(f"prompt {n}: closest lead {closest:.2e}: {run[n].text!r} instead of {expected!r}")
    total = 2 * len(prompts)
    print(f"{same} of {total} answers equal, {ties} ties by float noise, {total - same - ties} other differences")


if __name__ == "__main__":
    main()
