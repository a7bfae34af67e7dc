"""From a file to a notebook of one's own: ``python -m helpers.your_project FILE``.

Copies ``notebooks/your_project.ipynb`` as ``my_NAME.ipynb`` beside it (git ignores such names), fills its parameters in
with what the file says about itself, and opens it in JupyterLab. ``--run`` runs it here instead, without a browser, and
prints the verdict. What cannot be found out (the checklist's answers, better instructions) waits in the copy.
"""

from __future__ import annotations

import argparse
import ast
import functools
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from helpers import data, decide
from helpers.data.reading.opening import ADDRESS, located
from helpers.data.tasks import KINDS
from helpers.errors import DataError, KitError, ProjectError
from helpers.evaluate import metrics
from helpers.project import Project

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
TEMPLATE = "your_project.ipynb"
NOTHING_SCORED = (
    "No answer will be scored, because RULES is empty: prompts can be read then, but not compared. The copy says under "
    "“Free text” what RULES and FACTS take."
)
SAMPLE_FILE = NOTEBOOKS.parent / "data" / "sample" / "two_way" / "reviews.csv"
SAMPLE_INSTRUCTIONS = "Is this review positive or negative? Answer with one word: positive or negative."
SAMPLE_ANSWERS = {"gap": "behaviour", "good_output": "clear", "evaluation": "fixed_set"}
"""What the template's parameters cell says of its sample, and may not say of another file."""

LARGEST_PART = 1_000
"""Rows that a validation or a test part needs at most: more show smaller differences than anybody acts on."""


def main(arguments: list[str] | None = None) -> int:
    """0 when the copy was made (and run, where asked); 2 with one sentence when it could not be."""
    options = _parser().parse_args(arguments)
    try:
        name = options.project or slug(options.file)
        copy = NOTEBOOKS / f"my_{name.replace('-', '_')}.ipynb"
        more = {"settings": dict(options.set), "may_download": options.may_download}
        asked = functools.partial(
            parameters, options.file, name, options.columns, options.task, options.answers, **more
        )
        if copy.exists() and options.run and not options.overwrite:
            if names := _asked_for(options):
                _require_nothing_new(copy, names, asked()[0])
            print(f"{copy} is there already and is run as it is (--overwrite would make it anew).", flush=True)
        else:
            found, said = asked()
            write_copy(copy, found, overwrite=options.overwrite)
            print(*said, f"Written: {copy}", sep="\n", flush=True)
        if options.run:
            print(*run(copy, name), sep="\n")
        elif options.no_browser:
            print(f"Open it with: {' '.join(_lab(copy))}")
        else:
            print("JupyterLab opens it; end it with Ctrl-C.", flush=True)
            subprocess.run(_lab(copy), check=False)
    except KitError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def parameters(
    file: str,
    name: str,
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
    answers: Mapping[str, str] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    may_download: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """What the copy's parameters cell is to say, by name, and what was found out, one sentence a line.

    Args:
        file: a path, or an address.
        name: what the project will be called.
        columns: part → column, where the reader says it; found out when None.
        kind: of task, where the reader says it; found out when None.
        answers: to the checklist: question's id → option's value.
        settings: any other parameters, by name; the path of ``RULES`` counts from here, as that of ``file`` does.
        may_download: whether an address may be fetched.

    Raises:
        DataError: the file cannot be read, its columns are not known, ``kind`` is none, or it is an address that may
            not be fetched.
        EvaluationError: a file of rules that cannot be read.
        DecisionError: answers that the checklist does not know.
        ProjectError: a name that no project can have.
    """
    where = _where(file, may_download)
    Project.check_name(name)
    given = decide.checked(answers or {})
    source = data.fetch(file, may_download=may_download)
    understood = data.mapping(source, columns)
    examples = data.read(source, columns=columns)
    task = data.task(examples, kind)
    found = {
        "PROJECT": name,
        "DATA": where,
        "MAY_DOWNLOAD": may_download,
        "COLUMNS": columns or _columns(source, understood, len(examples)),
        "TASK": kind,
        "INSTRUCTIONS": draft(task),
        "ANSWERS": given or {"evaluation": "fixed_set"},
        "SHARES": shares(len(examples)),
        **_settings(settings or {}),
    }
    scored = task.kind not in ("text", "turns") or found.get("RULES") or found.get("FACTS")
    advice = "" if scored else metrics.suggest_check(task.fitting(examples)) or NOTHING_SCORED
    wanted = "INSTRUCTIONS is a draft: write what you would tell a new colleague."
    open_ = "" if given else "ANSWERS is nearly empty: answer the checklist, or the verdict will ask for it."
    return found, [f"{len(examples):,} rows. {understood}", str(task), *filter(None, (advice, wanted, open_))]


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as the copy names them: rules that lie in a file are read once, and named from the copy's folder."""
    rules = given.get("RULES")
    if not (isinstance(rules, str) and rules.endswith(".toml")):
        return dict(given)
    metrics.text_rules.load_rules(rules)
    return {**given, "RULES": os.path.relpath(rules, NOTEBOOKS)}


def _where(file: str, may_download: bool) -> str:
    """The file as the copy names it: an address as it is, a path from the copy's folder."""
    if not ADDRESS.match(file):
        path, part = located(file)
        return os.path.relpath(path, NOTEBOOKS) + f"#{part}" * bool(part)
    if not may_download:
        raise DataError(
            "FILE is an address, and nothing is fetched without your consent.",
            got=file,
            fix="Add --may-download, or download the file and give its path.",
        )
    return file


def _columns(source: Any, understood: data.Understood, rows: int) -> dict[str, Any] | None:
    """The columns as they were understood, to be changed in the copy; None where rows of another shape lack them."""
    try:
        all_read = len(data.read(source, columns=understood.columns)) == rows
    except DataError:
        return None
    return dict(understood.columns) or None if all_read else None


def draft(task: data.Task) -> str:
    """Instructions to begin with: the labels or keys listed, because a model cannot know them."""
    if task.kind == "labels":
        return f"Classify the text. Answer with one of these labels and nothing else: {', '.join(task.labels)}."
    if task.kind == "fields" and not task.required + task.optional:
        return "Answer with one JSON list and nothing else."
    if task.kind == "fields":
        some = f" Leave out what does not apply: {', '.join(task.optional)}." if task.optional else ""
        keys = ", ".join((*task.required, *task.optional))
        return f"Answer with one JSON object and nothing else. Its keys: {keys}.{some}"
    if task.kind == "tools":
        return "Answer with the tool calls that do what is asked, with all their arguments."
    return "Answer the user in the manner of our best answers: say how long, in which tone, and what to leave out."


def check_instructions(instructions: str, task: data.Task) -> None:
    """Pass unless they are still the sample's and the rows' answers are other labels than those that they name.

    Args:
        instructions: ``INSTRUCTIONS`` of the parameters cell.
        task: what the rows are.

    Raises:
        ProjectError: a prompt about reviews would be measured on other rows; a draft for these can be pasted.
    """
    named = task.kind == "labels" and all(label.lower() in ("positive", "negative") for label in task.labels)
    if instructions == SAMPLE_INSTRUCTIONS and not named:
        raise ProjectError(
            "INSTRUCTIONS is still the sample's, which asks whether a review is positive or negative.",
            got="; ".join(str(task).splitlines()),
            fix="Put this draft into the parameters cell, better still what you would tell a new colleague, and run "
            f"all cells again:\n\nINSTRUCTIONS = {draft(task)!r}",
        )


def answers(given: Mapping[str, str] | str | Path, file: Any) -> dict[str, str]:
    """``ANSWERS`` of the parameters cell, but none where it still holds the sample's and the file is another; says so.

    Args:
        given: question's id → option's value, or the path of a record or of a file of answers.
        file: ``DATA`` of the parameters cell.

    Raises:
        DecisionError: answers that the checklist does not know, or a file that cannot be read.
    """
    is_sample = isinstance(file, (str, Path)) and Path(file).resolve() == SAMPLE_FILE
    if given == SAMPLE_ANSWERS and not is_sample:
        print("ANSWERS is still the sample's, so none of it is taken for your file: answer in the checklist below.")
        return {}
    return decide.given(given)


def shares(rows: int) -> dict[str, float]:
    """Half for training; of large files a thousand rows each for validation and test, and the rest for training."""
    part = min(0.25, round(LARGEST_PART / max(rows, 1), 4))
    return {"train": 1 - 2 * part, "validation": part, "test": part}


def slug(file: str) -> str:
    """A project's name from a file's."""
    stem = Path(file.partition("#")[0]).name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:40].lower() or "my-project"


def write_copy(copy: Path, values: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """The notebook with these parameters and no outputs.

    Args:
        copy: the notebook to write.
        values: parameter's name → value.
        overwrite: whether a notebook of that name may be lost.

    Raises:
        ProjectError: it is there already, and nobody asked for it to be overwritten; or there is no such parameter.
    """
    if copy.exists() and not overwrite:
        raise ProjectError(
            f"{copy} is there already.",
            fix="Add --run to run it as it is, give --project another name, or --overwrite to lose what is in it. To "
            f"open it: {' '.join(_lab(copy))}",
        )
    notebook = nbformat.read(NOTEBOOKS / TEMPLATE, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = filled(cell.source, values)
    first = notebook.cells[0]
    first.source = first.source.replace("# Your project", f"# Your project: {values['PROJECT']}", 1)
    nbformat.write(notebook, copy)


def filled(source: str, values: Mapping[str, Any]) -> str:
    """A parameters cell with other values behind the same names; comments, and what is not named, stay.

    Args:
        source: the parameters cell's text.
        values: parameter's name → value.

    Raises:
        ProjectError: a name that the cell does not have.
    """
    if unknown := sorted(set(values) - set(_names(source))):
        raise ProjectError(
            "There is no such parameter.", got=", ".join(unknown), fix=f"There are {', '.join(sorted(_names(source)))}."
        )
    lines = source.splitlines()
    for line in [one for one in ast.parse(source).body if isinstance(one, ast.Assign)]:
        names, old = _targets(line), _parts(line)
        if not set(names) & set(values):
            continue
        new = [repr(values[name]) if name in values else part for name, part in zip(names, old, strict=True)]
        comment = lines[line.lineno - 1].partition("  # ")[2]
        lines[line.lineno - 1] = f"{', '.join(names)} = {', '.join(new)}" + f"  # {comment}" * bool(comment)
    return "\n".join(lines)


def _names(source: str) -> list[str]:
    return [name for line in ast.parse(source).body if isinstance(line, ast.Assign) for name in _targets(line)]


def _targets(line: ast.Assign) -> list[str]:
    """``A, B = 1, 2`` sets A and B."""
    return [ast.unparse(one) for one in getattr(line.targets[0], "elts", line.targets)]


def _parts(line: ast.Assign) -> list[str]:
    several = isinstance(line.targets[0], ast.Tuple)
    return [ast.unparse(one) for one in (line.value.elts if several else [line.value])]


def run(copy: Path, name: str) -> Sequence[str]:
    """Run the copy from top to bottom and keep its outputs; the verdict and where its record lies.

    Each section that begins is printed, and what its cells predict of time and money.

    Args:
        copy: the notebook, which is written again with its outputs.
        name: the project's.

    Raises:
        ProjectError: a cell failed (the message is that of its error), or the run was interrupted or killed.
    """
    notebook = nbformat.read(copy, as_version=4)
    place = {"metadata": {"path": str(copy.parent)}}
    said = {"on_cell_start": _say_section, "on_cell_executed": _say_forecast}
    bars = {"coalesce_streams": True}  # else each step of a progress bar would be kept as an output of its own
    client = NotebookClient(notebook, timeout=None, kernel_name="python3", resources=place, **bars, **said)
    try:
        client.execute(stderr=subprocess.DEVNULL)  # the kernel's own log: what cells write there comes as output
    except CellExecutionError as error:
        raise ProjectError(
            "The notebook stopped.", got=f"{error.ename}: {error.evalue}", fix=f"Its outputs so far are in {copy}."
        ) from None
    except (DeadKernelError, AssertionError):  # what nbclient raises then; a cell's own errors come as the one above
        raise ProjectError(
            "The notebook was stopped before its end: interrupted, or its kernel was killed (is memory short?).",
            fix=f"Run the same command again: answers that models gave are kept. The outputs so far are in {copy}.",
        ) from None
    finally:
        nbformat.write(notebook, copy)
    record = Project(name).folder / "record.json"
    verdict = decide.load_record(record).recorded
    steps = [f"  {number}. {step}" for number, step in enumerate(verdict.next_steps, 1)]
    return (f"Verdict: {verdict.headline}", "Next:", *steps, f"Record: {record.with_suffix('.html')}")


def _say_section(cell: nbformat.NotebookNode, cell_index: int) -> None:
    if cell.cell_type == "markdown":
        for line in filter(lambda line: line.startswith("## "), cell.source.splitlines()):
            print(line.removeprefix("## "), flush=True)


def _say_forecast(cell: nbformat.NotebookNode, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
    if "forecast" in cell.source:
        printed = "".join(one.text for one in cell.outputs if one.get("name") == "stdout")
        print(*(f"  {line}" for line in printed.splitlines() if line), sep="\n", flush=True)


def _lab(copy: Path) -> list[str]:
    """The command that opens the copy, and prints an address that leads to it."""
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    start = f"--LabApp.default_url=/lab/tree/{copy.name}"
    return [sys.executable, "-m", "jupyter", "lab", *root, str(copy.parent), start]


def _asked_for(options: argparse.Namespace) -> list[str]:
    """The parameters that the command gives a value, by the copy's names for them."""
    given = {"COLUMNS": options.columns, "TASK": options.task, "ANSWERS": options.answers}
    given["MAY_DOWNLOAD"] = options.may_download
    return [name for name, value in given.items() if value] + list(dict(options.set))


def _require_nothing_new(copy: Path, names: Sequence[str], found: Mapping[str, Any]) -> None:
    """Raises ProjectError where these names have other values in a copy that is to be run as it is."""
    cells = nbformat.read(copy, as_version=4).cells
    source = next((cell.source for cell in cells if "parameters" in cell.metadata.get("tags", ())), "")
    others = [name for name in names if filled(source, {name: found[name]}) != source]
    if others:
        raise ProjectError(
            f"{copy} is there already, with parameters of its own.",
            got=f"other values of {', '.join(others)}",
            fix="Change them there and leave them out here, give --project another name, or --overwrite to lose what "
            "is in it.",
        )


def _pairs(text: str) -> dict[str, str]:
    """``question=review,answer=label`` as a mapping."""
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and sign and value.strip() for name, sign, value in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value,name=value")
    return {name.strip(): value.strip() for name, _, value in parts}


def _columns_given(text: str) -> dict[str, str]:
    """Columns as pairs. A shell hands on the ``\\n`` of a template such as ``{title}\\n\\n{body}`` as it was typed."""
    return {part: spec.replace("\\n", "\n") for part, spec in _pairs(text).items()}


def _parameter(text: str) -> tuple[str, Any]:
    """``ROWS=30`` as a name and a value; what is no Python value is a text."""
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    try:
        return name.strip(), ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        return name.strip(), value.strip()


def _answers(text: str) -> dict[str, str]:
    """Answers as pairs, or those of a record or a file of answers."""
    if not text.endswith(".json"):
        return _pairs(text)
    try:
        return decide.given(text)
    except KitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers.your_project", description=__doc__.split("\n\n")[1])
    parser.add_argument("file", metavar="FILE", help="your examples; book.xlsx#Sheet1, export.zip#train.csv")
    parser.add_argument("--project", help="a name for the decision; the file's when not given")
    columns = r"such as question=review,answer=label, where the guess is wrong; 'question={title}\n\n{body}' joins two"
    parser.add_argument("--columns", type=_columns_given, help=columns)
    parser.add_argument("--task", choices=list(KINDS), help="the kind of task, where the guess is wrong")
    answers = "answers of the checklist, such as gap=behaviour,effort=days; or a record.json, of the decision page too"
    parser.add_argument("--answers", type=_answers, help=answers)
    parser.add_argument(
        "--set",
        type=_parameter,
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="any other parameter of the copy, such as ROWS=30 RULES=final_number",
    )
    parser.add_argument("--may-download", action="store_true", help="FILE is an https address that may be fetched")
    parser.add_argument(
        "--run", action="store_true", help="run it here, without a browser; one that is there is run as it is"
    )
    parser.add_argument("--no-browser", action="store_true", help="make the copy and open nothing")
    parser.add_argument("--overwrite", action="store_true", help="replace a copy of that name")
    return parser


if __name__ == "__main__":
    sys.exit(main())
