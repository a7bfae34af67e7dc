"""Ask every rung of lesson 0 one message and keep the answers: `.venv/bin/python tools/one_message.py`.

The message is the first validation row, the one whose prompt lesson 0 prints; it was not picked for its answers. The
record lies in `notebooks/pictures/one_message.json`, and `tools/pictures.py` draws it. Takes about a minute.
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from lessons import NOTEBOOKS, TOP, own_home

from helpers import evaluate
from helpers.project import Project, kit_home, write_atomically
from helpers.providers import connect, host_of
from helpers.records import Candidate

RECORD = NOTEBOOKS / "pictures" / "one_message.json"
SAMPLE = TOP / "data" / "sample" / "triage"


def main() -> int:
    """Ask, write the record, print the answers."""
    with own_home(kit_home() / "pictures", fresh=False), tempfile.TemporaryDirectory() as folder:
        record = ask(Path(folder) / "answers.sqlite")
    write_atomically(RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    for one in record["answers"]:
        print(f"{'right' if one['right'] else 'wrong':>5}  {one['candidate']}: {one['answer']!r}")
    return 0


def ask(store: Path) -> dict:
    """The record: message, ideal answer, and each candidate's answer with whether all fields are right."""
    client = connect("local")
    model = host_of(client).default_model
    material = evaluate.material(Project("sample"), SAMPLE)
    row, train = material.held_out[0], material.train
    asked = evaluate.run(client, rungs(material, model), [row], material.scored, store=store, progress=False)
    patterns = evaluate.suggest_patterns(train)
    results = asked.merge(evaluate.without_llm(train, [row], material.scored, extract=patterns, progress=False))
    table = results.table()
    answers = [
        {
            "candidate": name,
            "role": about["role"],
            "answer": results.answers(name)[0],
            "right": bool(table.loc[name, "score"]),
        }
        for name, about in results.candidates.items()
    ]
    return {
        "made_by": "tools/one_message.py",
        "run_on": datetime.now(UTC).date().isoformat(),
        "model": model,
        "row": "the first validation row of data/sample/triage",
        "message": row.question,
        "ideal": row.answer,
        "answers": answers,
    }


def rungs(material: evaluate.Material, model: str) -> list[Candidate]:
    """Lesson 0's ladder, as its own cell has it."""
    train, examples = material.train, material.one_each()
    told = {"system": material.instructions, "max_tokens": 48}
    return [
        Candidate("question only", model, max_tokens=48),
        Candidate("instructions", model, **told),
        Candidate("+ 8 examples", model, shots=examples, **told),
        Candidate("+ 8 examples, schema", model, shots=examples, schema=material.schema, **told),
        Candidate("+ 32 examples", model, shots=tuple(train[:32]), **told),
        Candidate("+ 4 nearest", model, nearest=4, pool=tuple(train), **told),
    ]


if __name__ == "__main__":
    sys.exit(main())
