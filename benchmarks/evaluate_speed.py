"""An evaluation on the local API against `generate`, one call after another: 7 rivals, 200 rows, the same answers.

    python benchmarks/evaluate_speed.py [--rows 200] [--baseline 6] [--concurrency 64] [--only "question only,tuned"]

- kit: an `evaluate.run` of each rival over all rows through the SDK and HTTP, answers stored, the server already warm.
- one by one: transformers' `generate` (for the tuned rival with peft's adapter) in a process of its own, for
  `--baseline` rows a rival, evenly spread; its time is scaled to all rows. Both answer with 48 new tokens at most.

The answers of those rows are compared letter by letter. The tuned rival is trained first, briefly and not timed. All of
it happens in a temporary home, so nobody's own models and answers are touched.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers import assets

TRIAGE = Path(__file__).parents[1] / "data" / "sample" / "triage"
MODEL = "smollm2-135m-instruct"
NEW_TOKENS = 48


@contextmanager
def own_home() -> Iterator[Path]:
    """A temporary ``KIT_HOME`` that shares the fetched assets; the API in it is stopped at the end."""
    from helpers.providers import local

    assets.base_model(), assets.vocabularies()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "assets").symlink_to(assets.folder().resolve())
        os.environ["KIT_HOME"] = folder
        try:
            yield Path(folder)
        finally:
            local.stop()


def rivals(tuned: str) -> list:
    """Five prompts without nearest examples, one with, and a tuned model with none."""
    from helpers import data
    from helpers.records import Candidate

    rules, train = (TRIAGE / "instructions.md").read_text(encoding="utf-8"), tuple(data.read(TRIAGE / "train.jsonl"))
    one_each = tuple({json.loads(row.answer)["category"]: row for row in train}.values())
    prompts = {
        "question only": {},
        "instructions": {"system": rules},
        "+ 8 examples": {"system": rules, "shots": one_each},
        "+ 16 examples": {"system": rules, "shots": train[:16]},
        "+ 32 examples": {"system": rules, "shots": train[:32]},
        "+ 4 nearest": {"system": rules, "nearest": 4, "pool": train},
    }
    asked = [Candidate(name, MODEL, max_tokens=NEW_TOKENS, **how) for name, how in prompts.items()]
    return [*asked, Candidate("tuned", tuned, max_tokens=NEW_TOKENS, tuned=True)]


def train_one(client, home: Path) -> tuple[str, Path]:
    """A briefly trained model: its id, and its adapter in a folder."""
    from helpers import jobs
    from helpers.local_api.export import export

    file = jobs.upload(client, TRIAGE / "train.jsonl").id
    job = jobs.start(client, file, hyperparameters={"n_epochs": 1, "batch_size": 16})
    while (job := client.fine_tuning.jobs.retrieve(job.id)).status not in ("succeeded", "failed", "cancelled"):
        time.sleep(1)
    if job.status != "succeeded":
        raise SystemExit(f"The job ended as {job.status}: {job.error}")
    export(job.fine_tuned_model, home / "adapter", "adapter", home / "local_api")
    return job.fine_tuned_model, home / "adapter"


def one_by_one(asked: list[dict]) -> list[dict]:
    """``generate`` for each prompt, after one that is not timed: its seconds and its answer."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from helpers.local_api.engine.text.template import ChatTemplate

    template, adapter, answers = ChatTemplate(assets.base_model()), None, []
    model = AutoModelForCausalLM.from_pretrained(assets.base_model())
    warm_up = torch.tensor([template.prompt(asked[0]["messages"])])
    model.generate(warm_up, attention_mask=torch.ones_like(warm_up), max_new_tokens=2, pad_token_id=2)
    for one in asked:
        if one["adapter"] != adapter:
            adapter = one["adapter"]
            model = PeftModel.from_pretrained(model, adapter).eval()
        ids = torch.tensor([template.prompt(one["messages"])])
        began = time.perf_counter()
        made = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=[2, 0],
            pad_token_id=2,
        )
        seconds = time.perf_counter() - began
        text = template.tokenizer.decode(made[0, ids.shape[1] :].tolist(), skip_special_tokens=True)
        answers.append({"seconds": seconds, "text": text})
    return answers


def in_a_process_of_its_own(asked: list[dict]) -> list[dict]:
    command = [sys.executable, __file__, "--one-by-one"]
    done = subprocess.run(command, input=json.dumps(asked), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--baseline", type=int, default=6, help="rows that the slow way answers, a rival")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--only", default="", help="some rivals by name, separated by commas")
    parser.add_argument("--one-by-one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_by_one:
        print(json.dumps(one_by_one(json.load(sys.stdin))))
        return

    from machine import describe

    from helpers import data, evaluate
    from helpers.evaluate import candidates, metrics
    from helpers.providers import connect

    print(describe(), flush=True)
    rows = data.read(TRIAGE / "test.jsonl")[: options.rows]
    spread = [round(i * (len(rows) - 1) / max(1, options.baseline - 1)) for i in range(options.baseline)]
    with own_home() as home:
        client = connect("local")
        chosen = options.only.split(",") if options.only else []
        tuned, adapter = (MODEL, None) if chosen and "tuned" not in chosen else train_one(client, home)
        all_rivals = [rival for rival in rivals(tuned) if not chosen or rival.name in chosen]
        client.chat.completions.create(model=tuned, messages=[{"role": "user", "content": "hi"}], max_tokens=1)
        results, kit = None, 0.0
        for rival in all_rivals:
            began = time.perf_counter()
            asked = evaluate.run(
                client, [rival], rows, [metrics.exact_match], store=home / "answers.sqlite",
                concurrency=options.concurrency, progress=False,
            )  # fmt: skip
            seconds = time.perf_counter() - began
            kit += seconds
            results = results.merge(asked) if results else asked
            print(f"kit, {rival.name:15} {seconds:5.0f} s for {len(rows)} calls", flush=True)
        calls = len(all_rivals) * len(rows)
        missing = len(results.missing())
        print(f"kit: {calls} calls in {kit:.0f} s, {kit / calls:.2f} s a call, {missing} missing", flush=True)
        from helpers.providers import local

        local.stop()  # both contenders have the machine to themselves
        asked = [
            {
                "messages": candidates.messages(rival, rows[i]),
                "adapter": str(adapter) if rival.tuned else None,
            }
            for rival in all_rivals
            for i in spread
        ]
        slow = in_a_process_of_its_own(asked)
    same, total = 0, 0.0
    for n, rival in enumerate(all_rivals):
        some = slow[n * len(spread) : (n + 1) * len(spread)]
        answers = results.answers(rival.name)
        alike = sum(one["text"] == answers[i] for one, i in zip(some, spread, strict=True))
        seconds = sum(one["seconds"] for one in some) / len(some)
        same, total = same + alike, total + seconds * len(rows)
        line = results.table().loc[rival.name]
        print(
            f"one by one, {rival.name:15} {seconds:6.2f} s a call of {line['prompt_tokens']:,.0f} tokens; "
            f"{alike} of {len(some)} answers the same"
        )
    print(f"one by one: {total:,.0f} s for {calls} calls (scaled from {len(slow)})")
    print(f"same answers: {same} of {len(slow)}; kit / one by one: {total / kit:.1f}x")


if __name__ == "__main__":
    main()
