"""Generation: 120 prompts that share a 600-token beginning, against transformers three ways; memory; start-up.

    python benchmarks/generation_speed.py [--prompts 120] [--baseline 8] [--rounds 2]

- engine: all prompts submitted at once to :class:`helpers.local_api.engine.generate.Engine`; greedy, 24 new tokens.
- engine, 16 at once: the next 16 when the 16 before have been answered; for the memory that this takes.
- one by one: ``generate`` for each prompt (``--baseline`` of them, time scaled).
- batched: ``generate`` for ``--baseline`` prompts at once, padded on the left (time scaled).
- transformers serve: its own server, ``--baseline`` requests at a time, over HTTP.

The answers are compared with the engine's. Each contender runs in a process of its own, one after the other and then
all again; the quickest run of each counts, so that other programs on the machine disturb little.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from helpers import assets
from helpers.local_api.engine.text.template import JINJA, ChatTemplate

TRIAGE = Path(__file__).parents[1] / "data" / "sample" / "triage"
NEW_TOKENS = 24
SHARED_TOKENS = 600


def conversations(count: int) -> list[list[dict[str, str]]]:
    """Instructions and worked examples of about 600 tokens, then a message of its own."""
    template = ChatTemplate(assets.base_model())
    lines = [json.loads(line)["messages"] for line in (TRIAGE / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    shared = [{"role": "system", "content": "Sort the message. Answer with one line of JSON."}]
    for messages in lines:
        if len(template.prompt(shared)) >= SHARED_TOKENS:
            break
        shared += messages
    rows = (TRIAGE / "test.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    return [shared + json.loads(row)["messages"][:1] for row in rows]


def engine(count: int, baseline: int, at_once: int = 1000) -> dict:
    from helpers.local_api.engine.generate import Engine
    from helpers.local_api.engine.requests import GenerationRequest

    asked = conversations(count)
    began = time.perf_counter()
    running = Engine(assets.base_model())
    running.submit(GenerationRequest(messages=[{"role": "user", "content": "hi"}], max_tokens=1)).result()
    first_answer = time.perf_counter() - began
    began = time.perf_counter()
    requests = [GenerationRequest(messages=messages, max_tokens=NEW_TOKENS) for messages in asked]
    results = []
    for i in range(0, count, at_once):
        flying = [running.submit(request) for request in requests[i : i + at_once]]
        results += [generation.result() for generation in flying]
    seconds = time.perf_counter() - began
    running.close()
    cached = sum(result.cached_tokens for result in results) / sum(result.prompt_tokens for result in results)
    texts = [result.text for result in results[:baseline]]
    return {"seconds": seconds, "first_answer_s": first_answer, "cached_share": cached, "texts": texts}


def engine_16(count: int, baseline: int) -> dict:
    return engine(count, baseline, at_once=16)


def one_by_one(count: int, baseline: int) -> dict:
    return _transformers(count, baseline, at_once=1)


def batched(count: int, baseline: int) -> dict:
    return _transformers(count, baseline, at_once=baseline)


def _transformers(count: int, baseline: int, at_once: int) -> dict:
    import torch
    from transformers import AutoModelForCausalLM

    from helpers.local_api.engine.transformer import device

    template = ChatTemplate(assets.base_model())
    model = AutoModelForCausalLM.from_pretrained(assets.base_model()).to(device())
    prompts = [template.prompt(messages) for messages in conversations(count)[:baseline]]
    texts: list[str] = []
    began = time.perf_counter()
    for i in range(0, len(prompts), at_once):
        some = prompts[i : i + at_once]
        width = max(map(len, some))
        ids = torch.tensor([[2] * (width - len(p)) + p for p in some], device=device())
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in some], device=device())
        made = model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=[2, 0],
            pad_token_id=2,
        )
        texts += [template.tokenizer.decode(row[width:].tolist(), skip_special_tokens=True) for row in made]
    return {"seconds": (time.perf_counter() - began) * count / baseline, "texts": texts}


def serve(count: int, baseline: int) -> dict:
    """``transformers serve`` on a copy of the model folder that has our chat template."""
    import shutil
    import socket
    import tempfile

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(assets.base_model(), Path(folder) / "model")
        (copy / "chat_template.jinja").write_text(JINJA, encoding="utf-8")
        command = [str(Path(sys.executable).parent / "transformers"), "serve", str(copy), "--port", str(port)]
        server = subprocess.Popen([*command, "--host", "127.0.0.1", "--dtype", "float32"], stderr=subprocess.DEVNULL)
        try:
            _ask(port, copy, [{"role": "user", "content": "hi"}], wait=180)
            texts: list[str] = [""] * baseline
            asked = conversations(count)[:baseline]
            began = time.perf_counter()

            def ask(n: int) -> None:
                texts[n] = _ask(port, copy, asked[n], wait=1)

            threads = [threading.Thread(target=ask, args=(n,)) for n in range(baseline)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return {"seconds": (time.perf_counter() - began) * count / baseline, "texts": texts}
        finally:
            server.terminate()
            server.wait()


def _ask(port: int, model: Path, messages: list[dict[str, str]], wait: float) -> str:
    body = {"model": str(model), "messages": messages, "max_tokens": NEW_TOKENS, "temperature": 0, "stream": False}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + wait
    while True:
        try:
            with opener.open(request, timeout=600) as reply:
                return json.load(reply)["choices"][0]["message"]["content"]
        except (ConnectionError, urllib.error.URLError):
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


CONTENDERS = {
    "engine": engine,
    "engine, 16 at once": engine_16,
    "one by one": one_by_one,
    "batched": batched,
    "transformers serve": serve,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--prompts", type=int, default=120)
    parser.add_argument("--baseline", type=int, default=8, help="prompts that the slower ways answer")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        found = CONTENDERS[options.one](options.prompts, options.baseline)
        found["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(found))
        return
    from machine import describe

    print(describe())
    results: dict[str, dict] = {}
    for _ in range(options.rounds):
        for name in CONTENDERS:
            command = [sys.executable, __file__, "--one", name]
            command += ["--prompts", str(options.prompts), "--baseline", str(options.baseline)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if done.returncode:
                print(f"{name}: did not run")
                continue
            r = json.loads(done.stdout.splitlines()[-1])
            results[name] = min(results.get(name, r), r, key=lambda run: run["seconds"])
            same = sum(a == b for a, b in zip(r["texts"], results["engine"]["texts"], strict=True))
            print(
                f"{name:20} {r['seconds']:8.1f} s for all, {r['seconds'] / options.prompts:.2f} s a prompt, "
                f"peak memory {r['peak_gb']:.2f} GB, {same} of {len(r['texts'])} answers as the engine's",
                flush=True,
            )
    mine = results["engine"]
    print(
        f"engine: first answer after {mine['first_answer_s']:.1f} s, {mine['cached_share']:.0%} of prompt tokens cached"
    )
    for name in list(results)[1:]:
        print(f"engine / {name}: {results[name]['seconds'] / mine['seconds']:.1f}x")


if __name__ == "__main__":
    main()
