"""Public data sets through `your_project`, from the file to the verdict, each score recomputed apart from the kit.

    python benchmarks/public_sets.py FOLDER [--only NAME,NAME] [--train NAME,NAME]

FOLDER holds the files that benchmarks/public_sets.toml lists, under the names given there; their hashes are checked.
Each becomes a copy of the notebook as `python -m helpers.your_project FILE` makes it, is run without a browser at the
local API with the base model, and ends up in FOLDER/runs with its outputs. Projects live in FOLDER/kit. A set that was
run before is not run again unless it is named by `--only`; `--train` goes on to the second half (TRAIN_ANYWAY).

The table shows: the kind of task, the rows measured, the best prompt with its score, the same score by a few lines of
pandas and scikit-learn (see `recomputed`), the best rival without a language model, minutes of the ladder and of all,
and the verdict. Free text for which nothing but likeness is there has no score: nothing is recomputed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score

SETS = Path(__file__).with_suffix(".toml")
ANSWERS = {"gap": "behaviour", "good_output": "clear", "effort": "days", "evaluation": "fixed_set"}
"""What an owner might say of each; the verdict names what is still open."""

LADDER = ("evaluate.forecast(", "ladder = evaluate.run(client, rungs")
"""Cells of the notebook that ask the model."""

KEEP = """
import json

kept = {"kind": task.kind, "rows": len(measured), "shape": understood.shape, "score": "", "best": "", "value": None}
if ladder.decides and not ladder.why_nothing():
    kept |= {"score": scored[0].name, "best": ladder.winner(), "value": float(ladder.table()["score"].max())}
if cheap.decides:
    kept |= {"rival": cheap.table()["score"].idxmax(), "rival_value": float(cheap.table()["score"].max())}
if go_on:
    kept |= {"forecast": forecast.minutes, "table": final.table()["score"].to_dict(), "checkpoint": best.sentence}
    kept |= {"against": forecast.against(job)}
(project.folder / "kept.json").write_text(json.dumps(kept))
columns = ["candidate", "row", "expected", "answer"]
ladder.rows[columns].to_json(project.folder / "asked.json", orient="records")
"""
"""A last cell that a reader could write, too: the raw answers, and what the kit made of them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="names of sets, with commas")
    parser.add_argument("--train", default="", help="sets that are trained to the end, with commas")
    options = parser.parse_args()
    folder, train = options.folder.resolve(), set(filter(None, options.train.split(",")))
    only = {*filter(None, options.only.split(",")), *train}
    own_home(folder / "kit")
    (folder / "runs").mkdir(exist_ok=True)
    results = folder / "results.json"
    done: dict[str, dict] = json.loads(results.read_text()) if results.exists() else {}
    for one in tomllib.loads(SETS.read_text())["set"]:
        if one["name"] in only or (not only and one["name"] not in done):
            name = f"{one['name']}{', trained' if one['name'] in train else ''}"
            done[name] = run(one, folder, one["name"] in train)
            results.write_text(json.dumps(done, indent=1))
    print(markdown(table(done)) if done else "Nothing was run.")


def own_home(home: Path) -> None:
    """Projects in a folder of their own, models from where they are."""
    from helpers import assets

    usual = assets.folder()
    os.environ["KIT_HOME"] = str(home)
    home.mkdir(exist_ok=True)
    if not (home / "assets").exists():
        (home / "assets").symlink_to(usual.resolve())


def run(one: dict[str, Any], folder: Path, train: bool) -> dict[str, Any]:
    """The notebook's own path for one set; what came of it."""
    from helpers import your_project
    from helpers.providers import local

    file, name = checked(one, folder), f"public-{one['name']}{'-trained' if train else ''}"
    values, said = your_project.parameters(file, name, one["set"].get("COLUMNS"), None, ANSWERS)
    values |= {"START_AGAIN": True, "TRAIN_ANYWAY": train, **one["set"], **(one["train"] if train else {})}
    copy = your_project.NOTEBOOKS / f"my_{name}.ipynb"
    ran_copy = folder / "runs" / f"{name}.ipynb"
    print(f"== {one['name']}", *said, sep="\n", flush=True)
    your_project.write_copy(copy, values, overwrite=True)
    notebook = nbformat.read(copy, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(KEEP))
    nbformat.write(notebook, copy)
    started = datetime.now()
    try:
        verdict = your_project.run(copy, name)
    finally:
        local.stop()
        copy.rename(ran_copy)
    print(*verdict, sep="\n", flush=True)
    project = folder / "kit" / "projects" / name
    kept = json.loads((project / "kept.json").read_text())
    asked = pd.read_json(project / "asked.json", orient="records", dtype=False)
    again = recomputed(kept["kind"], one["set"].get("RULES"), asked)
    ran = nbformat.read(ran_copy, as_version=4).cells
    return kept | {
        "what": one["what"], "verdict": verdict[0], "recomputed": again.get(kept["best"]) if again else None,
        "ladder_minutes": sum(minutes(cell) for cell in ran if any(text in cell.source for text in LADDER)),
        "minutes": (datetime.now() - started).total_seconds() / 60,
    }  # fmt: skip


def checked(one: dict[str, Any], folder: Path) -> str:
    """The path of the set's file, once its hash is right; sorted by line where the list says so."""
    file = folder / one["file"]
    if not file.exists():
        sys.exit(f"{file} is not there: it is {one['path']} of github.com/{one['repo']} at commit {one['commit']}.")
    if hashlib.sha256(file.read_bytes()).hexdigest() != one["sha256"]:
        sys.exit(f"{file} is another file than the one that was measured (sha256).")
    if one.get("sorted"):
        lines = sorted(file.read_bytes().splitlines(keepends=True))
        file = folder / f"{one['file']}.sorted.tsv"
        file.write_bytes(b"".join(lines))
    if one.get("repaired"):  # as the message of this file says
        from helpers import data

        broken, columns = file, one["set"].get("COLUMNS")
        file = folder / f"{one['name']}.repaired.jsonl"
        data.repair(broken, data.check(broken, columns=columns), to=file)
    return f"{file}#{one['part']}" if "part" in one else str(file)


def minutes(cell: Any) -> float:
    """How long a cell ran, by the times that its kernel reported."""
    times = cell.metadata.get("execution", {})
    if "iopub.execute_input" not in times or "shell.execute_reply" not in times:
        return 0.0
    begun, ended = (datetime.fromisoformat(times[key]) for key in ("iopub.execute_input", "shell.execute_reply"))
    return (ended - begun).total_seconds() / 60


# --- the same score again, without the kit's metrics ------------------------------------------------------------------


def recomputed(kind: str, rules: str | None, asked: pd.DataFrame) -> dict[str, float]:
    """Candidate → share of right answers among those that came; empty where only likeness was there."""
    forms = {"labels": label, "fields": fields, "tools": calls, "final_number": number, "exact_match": str.strip}
    form = forms.get(rules or kind)
    if form is None:
        return {}
    asked = asked.dropna(subset="answer")
    asked = asked.assign(gold=asked["expected"].map(form), got=asked["answer"].map(form))
    return {name: accuracy_score(some["gold"], some["got"]) for name, some in asked.groupby("candidate", sort=False)}


def label(text: str) -> str:
    if text.strip().startswith("{"):
        value = as_json(text)
        text = next(iter(value.values()), "") if isinstance(value, dict) else text
    return str(text).strip().strip("\"'`.").strip().lower()


def fields(text: str) -> str:
    return json.dumps(without_nulls(as_json(text)), sort_keys=True)


def calls(text: str) -> str:
    value = as_json(text)
    if not isinstance(value, dict) or not isinstance(value.get("calls"), list):
        return "no calls"
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in value["calls"]):
        return "no calls"
    told = [[one["name"], without_nulls(one.get("arguments") or {})] for one in value["calls"]]
    return json.dumps(sorted(json.dumps(one, sort_keys=True) for one in told))


def number(text: str) -> str:
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text.rpartition("####")[2])
    last = (found[0] if "####" in text else found[-1]).replace(",", "") if found else "nan"
    return str(float(last))


def as_json(text: str) -> Any:
    try:
        return json.loads(re.sub(r"^```(?:json)?\s*\n(.*?)\n?```$", r"\1", text.strip(), flags=re.DOTALL))
    except ValueError:
        return "no JSON"


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


# --- the table --------------------------------------------------------------------------------------------------------


def table(done: dict[str, dict]) -> pd.DataFrame:
    def share(value: float | None) -> str:
        return "–" if value is None or np.isnan(value) else f"{100 * value:.1f}"

    return pd.DataFrame(
        [
            {
                "set": name, "kind": one["kind"], "rows": one["rows"], "best prompt": one["best"] or "–",
                "score": share(one["value"]), "again": share(one["recomputed"]),
                "best rival without a model": f"{one['rival']} {share(one['rival_value'])}" if "rival" in one else "–",
                "ladder, min": f"{one['ladder_minutes']:.1f}", "all, min": f"{one['minutes']:.1f}",
                "verdict": one["verdict"].removeprefix("Verdict: "),
            }
            for name, one in done.items()
        ]
    )  # fmt: skip


def markdown(shown: pd.DataFrame) -> str:
    lines = [list(shown), ["---"] * len(shown.columns), *shown.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
