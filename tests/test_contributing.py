"""The five usual changes, each made in a copy as CONTRIBUTING.md says, and shown to work there.

No change hangs on its neighbouring lines: code is added behind a name that CONTRIBUTING.md gives (``CHECKS``,
``FIXES``), in whichever module of the room has it.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

TOP = Path(__file__).resolve().parents[1]
KEPT = (".git", ".venv", ".local", ".hypothesis", ".*_cache", ".ipynb_checkpoints", "build", "*.egg-info", "my_*")
"""What is built or kept, and no part of the repository."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The repository, to be changed."""
    return Path(shutil.copytree(TOP, tmp_path / "copy", ignore=shutil.ignore_patterns(*KEPT)))


def python(copy: Path, *arguments: str, **environment: str) -> str:
    """What Python prints, run in the copy with the copy's own source."""
    own = os.environ | {"PYTHONPATH": str(copy / "src")} | environment
    done = subprocess.run([sys.executable, *arguments], cwd=copy, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def insert(folder: Path, head: str, *, above: str = "", inside: str = "", below: str = "") -> str:
    """Put lines above or below the one line of a folder's modules that begins so, or text right behind its beginning.

    Returns:
        The module's dotted name.
    """
    found = [path for path in folder.rglob("*.py") if re.search(f"^{re.escape(head)}", path.read_text(), re.MULTILINE)]
    assert len(found) == 1, f"{head!r} begins a line in {len(found)} files; CONTRIBUTING.md names it"
    lines = found[0].read_text(encoding="utf-8").splitlines(keepends=True)
    [at] = [n for n, line in enumerate(lines) if line.startswith(head)]
    lines[at] = above + head + inside + lines[at].removeprefix(head) + below
    found[0].write_text("".join(lines), encoding="utf-8")
    parts = found[0].with_suffix("").parts
    return ".".join(parts[parts.index("helpers") :])


HOST = """
as_of = 2026-11-29
source = "https://docs.examplar.example/pricing"
how_known = "read on the provider's page"

[[providers]]
name = "Examplar AI"
who = "anyone with an account"
sdk = "openai"
weights_out = "yes"
validation_billed = "no"

[[life]]
model = "*"
event = "opened"
date = 2026-11-01
precision = "exactly"
what = "jobs can be started"

[[life]]
model = "*"
event = "closed to all"
date = 2027-03-01
precision = "exactly"
what = "nobody can start jobs"

[[limits]]
limit = "shapes"
value = "chat"
unit = "row shapes"

[[limits]]
limit = "min_examples"
value = 7
unit = "examples"

[[prompting]]
model = "examplar/large"
label = "Examplar Large"
kind = "frontier"
input = 1.00
output = 3.00
from = 2026-11-01

[[tunable]]
model = "examplar/open-8b"
label = "Examplar Open 8B LoRA"
method = "supervised"
train = 0.40
input = 0.10
output = 0.30
from = 2026-11-01
"""
CONNECTION = """
[examplar]
base_url = "https://api.examplar.example/v1"
key_variable = "EXAMPLAR_API_KEY"
trains = true
default_model = "examplar/open-8b"
after_training = "Nothing: the model answers at once, billed by the token."
as_of = 2026-11-29
source = "https://docs.examplar.example/fine-tuning"
"""


def test_a_provider_is_a_file_of_facts_and_a_table(copy: Path) -> None:
    (copy / "src/helpers/facts/hosts/examplar.toml").write_text(HOST, encoding="utf-8")
    with open(copy / "src/helpers/providers/hosts.toml", "a", encoding="utf-8") as hosts:
        hosts.write(CONNECTION)
    code = """
import pandas
from helpers import costs, data, facts, providers
from helpers.providers.overview import page

assert "anyone with an account" in facts.who_may_train("examplar")
assert facts.price("examplar/large")["output"] == 3 and providers.hosts()["examplar"].closed() == ""
[option] = [one for one in costs.options() if one.provider == "examplar"]
assert costs.total_cost(costs.Workload(), option).total > 0
rows = [{"question": f"question number {n}", "answer": "yes" if n % 2 else "no"} for n in range(6)]
report = data.check(pandas.DataFrame(rows), provider=providers.rules_of("examplar"))
assert "examplar would refuse this file" in str(report) and "invalid_n_examples" in set(report.problems["code"])
assert str(providers.connect("examplar").base_url) == "https://api.examplar.example/v1/"
assert page().to_string().count("Examplar AI") == 1
"""
    python(copy, "-c", code, EXAMPLAR_API_KEY="a-key-for-nobody", KIT_STAY_LOCAL="", KIT_TODAY="2026-11-30")


@pytest.mark.parametrize("day, says", [("2026-11-30", "is announced"), ("2027-03-01", "has ended")])
def test_who_depends_on_an_added_host_hears_of_its_closing_day(copy: Path, day: str, says: str) -> None:
    (copy / "src/helpers/facts/hosts/examplar.toml").write_text(HOST, encoding="utf-8")
    code = """
from helpers import decide, facts
from helpers.records import Evidence

tied = {"gap": "behaviour", "host": "examplar", "tuned_now": "yes"}
verdict = decide.decide(tied, None, facts.today())
record = decide.Record("Stay?", tied, Evidence(), facts.today()).html()
print(verdict.choice, verdict.headline, *verdict.reasons, *verdict.blockers, "2027-03-01" in record)
"""
    said = python(copy, "-c", code, KIT_TODAY=day)
    assert said.startswith("move_off") and f"fine-tuning at Examplar AI {says}" in said.replace("the end of ", "")
    assert "does not know it" not in said and said.endswith("True\n")


METRIC = '''
def _character_accuracy(answer: str, example: Example) -> float | None:
    from rapidfuzz.distance import Levenshtein

    wanted = example.answer.strip()
    return max(0.0, 1 - Levenshtein.distance(answer.strip(), wanted) / len(wanted)) if wanted else None


character_accuracy = Metric("character_accuracy", _character_accuracy)
"""1 minus the character error rate: edits per character of the ideal answer; 0 where there are more edits than that."""

'''


def test_a_metric_is_a_function_and_its_name_in_checks(copy: Path) -> None:
    evaluate = copy / "src/helpers/evaluate"
    insert(evaluate, "CHECKS = {", above=METRIC, inside='"character_accuracy": character_accuracy, ')
    code = """
import sys
from pathlib import Path

sys.path.insert(0, "tests")
from evaluate_host import Host

from helpers import data, evaluate
from helpers.evaluate import metrics
from helpers.project import Project
from helpers.records import Candidate, Example

rows = [Example(({"role": "user", "content": f"say {said}"}, {"role": "assistant", "content": "kitten"}))
        for said in ("kitten", "sitten", "sitting", "something else entirely")]
scored = evaluate.free_text.for_task(data.task(rows, "text"), "character_accuracy", [])
assert scored[0].name == "character_accuracy" and scored[0].unit == metrics.exact_match.unit
host = Host()
results = evaluate.run(host.client(), [Candidate("plain", "m")], rows, scored, store=Path("answers"),
                       price={"input": 0, "output": 0}, progress=False)
assert [round(score, 3) for score in results.scores("plain")] == [1, 0.833, 0.5, 0], results.rows
host.close()
Project("rates").keep_task(rules="character_accuracy", instructions="", kind="text")
"""
    python(copy, "-c", code)


RULE = r"""
UNFINISHED = re.compile(r"(?s)(?P<whole>.*\w\w[.!?][\"'”’)]*)[ \t]+[A-Z\"'“(][^\n.!?]*[\w,;]")
"""
CHECK = """    if UNFINISHED.fullmatch(text.strip()):
        found.add("unfinished_answer", line, where, f"The answer ends in mid-sentence: {text[-60:]!r}.")
"""
CODE = """    "unfinished_answer": Code(W, "The answer ends in mid-sentence.", "Write its end: repair() cuts it off."),
"""
FIX = """    "unfinished_answer": _on_text(
        lambda text: found["whole"] if (found := UNFINISHED.fullmatch(text.strip())) else text, answers_only=True
    ),
"""


def test_a_data_check_is_its_text_its_rule_and_its_repair(copy: Path) -> None:
    folder = copy / "src/helpers/data"
    insert(folder, "CODES: dict[str, Code] = {", below=CODE)
    module = insert(folder, "def _check_answer(", above=f"{RULE}\n\n", below=CHECK)
    fixes = "FIXES: dict[str, Callable[[Draft], None]] = {"
    insert(folder, fixes, above=f"from {module} import UNFINISHED\n\n", below=FIX)
    code = """
import json
from pathlib import Path

from helpers import data

chats = [(f"number {n} of {n * 7}?", "Yes. It is.") for n in range(11)]
chats[0] = ("Where is it?", "It is on its way. You will have it on")
lines = [json.dumps({"messages": [{"role": "user", "content": ask}, {"role": "assistant", "content": said}]})
         for ask, said in chats]
Path("rows.jsonl").write_text("\\n".join(lines))
report = data.check("rows.jsonl")
assert report.problems.query("code == 'unfinished_answer'")["line"].tolist() == [1], report
done = data.repair("rows.jsonl", report, to="clean.jsonl")
assert done.log["code"].tolist() == ["unfinished_answer"] and data.read(done.path)[0].answer == "It is on its way."
"""
    python(copy, "-c", code)


def test_a_price_that_changes_is_the_old_row_s_last_day_and_a_new_row(copy: Path) -> None:
    file = copy / "src/helpers/facts/prompting.csv"
    with open(file, encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    old = next(row for row in rows if row["model"] == "mistral-small-2603" and not row["until"])
    new = old | {"from": "2027-01-15", "output": str(float(old["output"]) * 2), "library": "", "litellm": ""}
    old["until"] = "2027-01-14"
    with open(file, "w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, list(old))
        writer.writeheader(), writer.writerows([*rows, new])
    code = """
from datetime import date
from helpers import costs, facts

model, days = "mistral-small-2603", (date(2027, 1, 14), date(2027, 1, 15))
before, after = (facts.price(model, on=day)["output"] for day in days)
bills = [costs.total_cost(costs.Workload(), costs.Option("prompt", "mistral", model), on=day).total for day in days]
assert after == 2 * before and bills[0] < bills[1]
"""
    python(copy, "-c", code)
    assert re.search("known to change.*mistral-small-2603", python(copy, "-m", "helpers.facts", "2026-11-30"), re.S)


LINKS = "[← 7 A brand's voice](07_a_brands_voice.ipynb) · [Your project →](your_project.ipynb)"
OPENING = f"""# 8 · Enough rows

![You are here: lesson 8, between a brand's voice and your own project.](pictures/here_08.svg)

{LINKS}

**You will do:** ask how many rows a comparison needs.

**You will learn:** how fast a [confidence interval](glossary.md#confidence-interval) narrows.

**You need:** nothing from earlier lessons.

**Time:** about 3 minutes."""
FIRST = """import helpers

assert hasattr(helpers, "__version__"), f"{helpers.__file__} hides the kit: rename it, then restart the kernel"
from helpers import evaluate, show

PROJECT = "sample"
GAIN = 0.05  # the difference that would matter, as a share of the rows
print(f"{evaluate.statistics.rows_needed(GAIN):,} rows")"""
TIMES = """times = ...

show.check(
    times,
    is_right=lambda n: n == round(evaluate.statistics.rows_needed(GAIN / 2) / evaluate.statistics.rows_needed(GAIN)),
    yes="Half the difference, four times the rows.",
    hint="Call rows_needed with GAIN / 2.",
)"""
SMALLEST = """smallest = ...

show.check(
    smallest,
    is_right=lambda share: share == evaluate.statistics.smallest_detectable(200),
    yes="Two hundred rows show no less.",
    hint="evaluate.statistics.smallest_detectable takes the number of rows.",
)"""
SOLUTION = "<details><summary>Solution</summary>\n\n```python\n{}\n```\n\n</details>"
RECAP = f"""## Recap

You asked how many rows a difference takes.

> **What transfers to larger models, and what does not.** All of it.

{LINKS}"""


def lesson() -> nbformat.NotebookNode:
    """A lesson of three code cells."""
    exercise = {"metadata": {"tags": ["exercise"]}}
    cells = [
        new_markdown_cell(OPENING),
        new_code_cell(FIRST, metadata={"tags": ["parameters"]}),
        new_code_cell(TIMES, **exercise),
        new_markdown_cell(SOLUTION.format("times = 4")),
        new_code_cell(SMALLEST, **exercise),
        new_markdown_cell(SOLUTION.format("smallest = evaluate.statistics.smallest_detectable(200)")),
        new_markdown_cell(RECAP),
    ]
    return new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


def test_a_lesson_is_its_notebook_its_wrong_answers_and_a_line_of_the_readme(copy: Path) -> None:
    path = copy / "notebooks/08_enough_rows.ipynb"
    nbformat.write(lesson(), path)
    with open(copy / "tests/exercises.toml", "a", encoding="utf-8") as wrong:
        wrong.write('\n08_enough_rows = [["2", "8"], ["0.5", "0.0"]]\n')
    with open(copy / "README.md", "a", encoding="utf-8") as readme:
        readme.write("\n**[8 Enough rows](notebooks/08_enough_rows.ipynb)**\n")
    python(copy, "tools/notebooks.py", path.stem)
    site = (copy / "website/text/lessons.md").read_text(encoding="utf-8")
    assert ":glob:" in site and "\nnotebooks/[0-9]*\nnotebooks/your_project\n" in site
    tests = [f"tests/test_{name}.py" for name in ("lessons", "pictures", "readme")]
    chosen = "08 or numbered or listed or draws or shown"
    asked = ["-q", "-p", "no:cacheprovider", *tests, str(path), "-k", chosen]
    said = python(copy, "-m", "pytest", *asked)
    assert int(re.search(r"(\d+) passed", said)[1]) >= 20, said
