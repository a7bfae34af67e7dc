"""The shape of a lesson, and what may never stand in one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest
from lessons import ORDER

TOP = Path(__file__).resolve().parents[1]
LESSONS = sorted(p for p in (TOP / "notebooks").glob("*.ipynb") if not p.name.startswith("my_"))
SIDE_TRIPS = sorted((TOP / "notebooks" / "extra").glob("*.ipynb"))
TAGS = {"parameters", "exercise", "nbval-check-output", "nbval-skip", "raises-exception"}
MAX_LINES = 16
PRINTING = ("show.guess", "show.reveal", "show.rater(pairs, None).press", "show.rater(blind, None).press")
"""What of ``show`` says something or does something by itself."""

everywhere = pytest.mark.parametrize("path", LESSONS + SIDE_TRIPS, ids=lambda p: p.stem)
in_lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)


def cells(path: Path, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def prose(path: Path) -> str:
    return "\n".join(cell.source for cell in cells(path, "markdown"))


def test_the_lessons_are_numbered_from_0_and_your_project_comes_last():
    *numbered, last = ORDER
    assert [int(name[:2]) for name in numbered] == list(range(len(numbered))) and len(numbered) >= 8
    assert last == "your_project" and [path.stem for path in LESSONS] == list(ORDER), "another name runs nowhere"


@in_lessons
def test_a_lesson_opens_and_closes_as_all_do(path):
    text, opening = prose(path), cells(path, "markdown")[0].source
    assert opening.startswith("# ")
    for promise in ("**You will do:**", "**You will learn:**", "**You need:**", "**Time:**"):
        assert promise in opening
    assert "minutes" in opening
    assert "## Recap" in text
    assert "**What transfers to larger models, and what does not.**" in text.split("## Recap")[1]


@in_lessons
def test_a_lesson_has_exercises_with_a_check_and_a_folded_solution(path):
    exercises = [c for c in cells(path, "code") if "exercise" in c.metadata.get("tags", [])]
    assert len(exercises) >= 2
    for cell in exercises:
        assert "show.check(" in cell.source and "..." in cell.source
    assert prose(path).count("<summary>Solution</summary>") >= len(exercises)


@in_lessons
def test_the_first_cell_finds_a_shadowed_package_and_choices_stand_in_one_cell(path):
    code = cells(path, "code")
    assert code[0].source.startswith("import helpers\n") and "hides the kit" in code[0].source
    parameters = [c for c in code if "parameters" in c.metadata.get("tags", [])]
    assert len(parameters) == 1 and "PROJECT = " in parameters[0].source


@in_lessons
def test_navigation_leads_to_notebooks_that_exist(path):
    links = re.findall(r"\]\(([^)#]+\.ipynb)\)", prose(path))
    assert len(links) >= 2
    assert [link for link in links if not (path.parent / link).exists()] == []


@everywhere
def test_cells_are_short_and_hold_no_rules(path):
    for cell in cells(path, "code"):
        tags = cell.metadata.get("tags", [])
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= MAX_LINES, f"{len(lines)} lines: {lines[0]}"
        tree = ast.parse(cell.source)
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.While | ast.ClassDef)]
        if "exercise" not in tags:
            assert not [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)], cell.source
        assert "input(" not in cell.source and "!pip" not in cell.source and "import re\n" not in cell.source


@everywhere
def test_what_a_cell_shows_is_seen(path):
    """Jupyter shows the last line of a cell; a view inside ``if`` or above that line needs ``display``."""
    for cell in cells(path, "code"):
        body = ast.parse(cell.source).body
        for line in ast.walk(ast.Module(body, [])):
            if isinstance(line, ast.Expr) and line is not body[-1] and isinstance(line.value, ast.Call):
                called = ast.unparse(line.value.func)
                assert not called.startswith("show.") or called in PRINTING, f"nobody sees {ast.unparse(line)}"


@everywhere
def test_only_allowed_metadata_is_committed(path):
    notebook = nbformat.read(path, as_version=4)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
        assert set(cell.metadata.get("tags", [])) <= TAGS
        if cell.cell_type == "code":
            for output in cell.outputs:
                assert output.output_type != "error"
                assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
                assert output.get("name") != "stderr"


@everywhere
def test_cells_are_numbered_as_one_run_from_top_to_bottom(path):
    code = cells(path, "code")
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))


@everywhere
def test_no_key_no_path_of_a_machine_and_no_bulk(path):
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size <= 500_000
    assert not re.search(r"sk-[A-Za-z0-9]{16,}|hf_[A-Za-z0-9]{16,}|AKIA[A-Z0-9]{12,}", text)
    assert not re.search(r"/(?:home|Users|root|work|tmp)/[A-Za-z]", text)


@everywhere
def test_outputs_are_committed(path):
    code = cells(path, "code")
    assert any(cell.outputs for cell in code), "run `make notebooks`"
    assert "<script" not in "".join(
        output.get("data", {}).get("text/html", "") for cell in code for output in cell.outputs
    )


@everywhere
def test_a_link_into_the_glossary_leads_to_a_term(path):
    terms = set(
        re.findall(r'^### <a id="([a-z0-9-]+)"></a>', (TOP / "notebooks/glossary.md").read_text(), re.MULTILINE)
    )
    links = re.findall(r"\]\(((?:\.\./)?glossary\.md)#([^)]+)\)", prose(path))
    assert links, "the first use of a term links to the glossary"
    assert [term for page, term in links if term not in terms or not (path.parent / page).exists()] == []
