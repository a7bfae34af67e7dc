"""How fast ``helpers.data.check`` is, and how much memory it takes, on chat examples like a support desk's.

    python benchmarks/check_speed.py            all of it, about four minutes on two cores
    python benchmarks/check_speed.py --rows 20000   smaller

Every measurement runs in a process of its own, one run each. Printed:

1. wall time of all checks but near-duplicates, against a plain script (``json.loads`` and tiktoken message by message,
   no checks) on the same file;
2. wall time with near-duplicates and a leak check, for a tenth, a third and all of the rows, and the log–log slope;
3. peak memory above the imports (vocabulary loaded), against the file's size;
4. the share of planted near-duplicates that are found.

The texts are chains of word pairs from the sample messages: their words and lengths are those of the sample, the
sentences mean nothing. Near-duplicates are planted: a twentieth of the rows repeats an earlier one with a word or two
changed.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

MESSAGES = Path(__file__).parents[1] / "data" / "sample" / "triage" / "messages.csv"
SYSTEM = (
    "You are the support desk of Brindle & Moss. Answer in two friendly sentences and name the order if there is one."
)
PLANTED = 20
"""One row in this many is an earlier row with a word or two changed."""

PLAIN = """
import json, sys, time
import tiktoken
from helpers import tokens
encode = tokens._tiktoken("o200k_base").encode_ordinary
start, worked, count = time.perf_counter(), time.process_time(), 0
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        for message in json.loads(line)["messages"]:
            count += len(encode(message["content"])) + 4
print(json.dumps({"seconds": time.perf_counter() - start, "cpu": time.process_time() - worked, "tokens": count}))
"""

CHECK = """
import json, resource, sys, time
from helpers import data, tokens
tokens.counter("gpt-4.1").text("warm")
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, worked = time.perf_counter(), time.process_time()
report = data.check(sys.argv[1], near_duplicates=sys.argv[2] == "near", test=sys.argv[3] if len(sys.argv) > 3 else None)
seconds, cpu = time.perf_counter() - start, time.process_time() - worked
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
near = report.problems.query("code in ('near_duplicate', 'duplicate')")["line"].tolist()
print(json.dumps({"seconds": seconds, "cpu": cpu, "mib": (peak - base) / 1024, "near": near, "rows": len(report.rows),
                  "problems": report.problems["code"].value_counts().to_dict()}))
"""


class Writer:
    """Writes messages word pair by word pair, from the sample's own pairs."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.next: dict[str, list[str]] = defaultdict(list)
        with open(MESSAGES, encoding="utf-8", newline="") as table:
            words = [word for row in csv.DictReader(table) for word in row["message"].split()]
        for word, following in zip(words, words[1:], strict=False):
            self.next[word].append(following)
        self.starts = list(self.next)

    def text(self, words: int) -> str:
        """A text of that many words."""
        said = [self.random.choice(self.starts)]
        while len(said) < words:
            said.append(self.random.choice(self.next.get(said[-1]) or self.starts))
        return " ".join(said)

    def nearly(self, text: str) -> str:
        """``text`` with one or two of its words changed."""
        words = text.split(" ")
        for _ in range(self.random.choice((1, 2))):
            words[self.random.randrange(len(words))] = self.random.choice(self.starts)
        return " ".join(words)


def make_file(path: Path, rows: int, seed: int) -> list[int]:
    """Write ``rows`` chat examples; returns the lines of the planted near-duplicates."""
    writer, said, planted = Writer(seed), [], []
    with open(path, "w", encoding="utf-8") as out:
        for line in range(1, rows + 1):
            if line % PLANTED == 0:
                planted.append(line)
                question = writer.nearly(writer.random.choice(said))
            else:
                question = writer.text(writer.random.randint(20, 110))
                said.append(question)
            turns = [("system", SYSTEM), ("user", question), ("assistant", writer.text(writer.random.randint(15, 50)))]
            row = {"messages": [{"role": role, "content": content} for role, content in turns]}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return planted


def measured(program: str, *arguments: str) -> dict:
    """Run ``program`` in a fresh interpreter and read the JSON that it prints."""
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def told(result: dict) -> str:
    """Wall time, and the processor's: on a machine that does other things too, only the second is the program's own."""
    return f"{result['seconds']:.1f} s ({result['cpu']:.1f} s of a processor)"


def main() -> None:
    """Print every measurement."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=100_000)
    rows = options.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        full, test = Path(folder) / "train.jsonl", Path(folder) / "test.jsonl"
        make_file(full, rows, seed=1)
        make_file(test, max(rows // 10, 100), seed=2)
        size = full.stat().st_size / 2**20
        print(f"{rows:,} examples, {size:.1f} MiB; Python {sys.version.split()[0]}; {time.strftime('%Y-%m-%d')}")

        plain = measured(PLAIN, str(full))
        checked = measured(CHECK, str(full), "exact")
        ratio = checked["seconds"] / plain["seconds"]
        print(f"plain script: {told(plain)}, {plain['tokens']:,} tokens")
        print(f"all checks but near-duplicates: {told(checked)}; {ratio:.2f} times that (at most 3)")
        print(f"  in processor seconds {checked['cpu'] / plain['cpu']:.2f} times that")
        print(
            f"  memory above the imports {checked['mib']:.0f} MiB, {checked['mib'] / size:.2f} x the file (at most 3)"
        )

        times = []
        for count in (rows // 10, rows // 3, rows):
            part = Path(folder) / "part.jsonl"
            planted = make_file(part, count, seed=1)
            result = measured(CHECK, str(part), "near", str(test))
            times.append((count, result))
            found, extra = len(set(planted) & set(result["near"])), len(set(result["near"]) - set(planted))
            memory = f"{result['mib']:.0f} MiB, {result['mib'] * 2**20 / part.stat().st_size:.2f} times the file"
            print(f"with near-duplicates and a leak check, {count:,} rows: {told(result)}; {memory}")
            print(f"  {found:,} of {len(planted):,} planted ones found ({found / len(planted):.1%}), {extra} others")
        (few, short), (many, long) = times[0], times[-1]
        slope, in_cpu = (math.log(long[clock] / short[clock]) / math.log(many / few) for clock in ("seconds", "cpu"))
        print(f"log-log slope from {few:,} to {many:,} rows: {slope:.2f} (at most 1.2); processor seconds {in_cpu:.2f}")


if __name__ == "__main__":
    main()
