"""A file of 200,000 rows, from reading to the table of rivals without a language model, by the notebook's own cells.

    python benchmarks/large_file.py [--rows 200000] [--labels 2]

The rows are made here: sentences of seeded words, some of which tell the label. Prints minutes and the peak of this
process's memory, cell by cell, then the processor time with that of the process that computes embeddings. No model is
asked.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import tempfile
import time
from pathlib import Path

import nbformat

LAST = "evaluate.without_llm(parts.train"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--labels", type=int, default=2)
    options = parser.parse_args()
    from helpers import assets, your_project

    with tempfile.TemporaryDirectory() as place:
        home, usual = Path(place), assets.folder().resolve()
        (home / "assets").symlink_to(usual)
        os.environ["KIT_HOME"] = str(home)
        file = written(home / "large.csv", options.rows, options.labels)
        began = time.perf_counter()
        found, said = your_project.parameters(str(file), "large")
        print(said[0].splitlines()[0], f"\ncommand: {time.perf_counter() - began:.0f} s", flush=True)
        os.chdir(your_project.NOTEBOOKS)
        run(found)
        took, embedding = (time.perf_counter() - began) / 60, resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = (time.process_time() + embedding.ru_utime + embedding.ru_stime) / 60
        print(f"in all: {took:.1f} minutes, {spent:.1f} minutes of processor time, {peak():.2f} GB at most")


def written(file: Path, rows: int, labels: int) -> Path:
    chance, lines = random.Random(1), ["text,label"]
    common, telling = [f"word{n}" for n in range(20_000)], [[f"sign{k}x{n}" for n in range(30)] for k in range(labels)]
    for n in range(rows):
        words = chance.choices(common, k=12) + chance.choices(telling[n % labels if n % 5 else n // 5 % labels], k=2)
        lines.append(f"{' '.join(words)},label {n % labels}")
    file.write_text("\n".join(lines) + "\n")
    return file


def run(values: dict) -> None:
    """The notebook's code cells, one after the other, as far as the table of rivals."""
    from helpers.your_project import NOTEBOOKS, TEMPLATE, filled

    names: dict = {"display": lambda *_: None}
    for cell in nbformat.read(NOTEBOOKS / TEMPLATE, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        source = filled(cell.source, values) if "parameters" in cell.metadata.get("tags", ()) else cell.source
        began = time.perf_counter()
        exec(compile(source, "cell", "exec"), names)
        if (took := time.perf_counter() - began) > 2:
            print(f"{took:6.1f} s, {peak():.2f} GB: {source.strip().splitlines()[-1][:90]}", flush=True)
        if LAST in cell.source:
            print(names["cheap"].table()[["rows", "score"]].to_string(), *names["cheap"].notes, sep="\n")
            return


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
