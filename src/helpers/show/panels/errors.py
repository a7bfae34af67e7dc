"""A look at the errors: wrong rows one at a time, the reader's own tags on them, and what to do about each tag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets as widgets
import pandas as pd
from IPython.display import HTML, display

from helpers.errors import KitError
from helpers.evaluate import Results
from helpers.evaluate.metrics import parsed
from helpers.evaluate.results.mistakes import FieldMark, WrongRow, field_marks, wrong_rows
from helpers.evaluate.results.outcomes import RIGHT_OR_WRONG, Outcomes, outcomes
from helpers.formatting import plural
from helpers.records import Example
from helpers.show.charts.mistakes import pareto, tags_finding
from helpers.show.html.elements import CARD, html_output, texts_side_by_side, wide
from helpers.show.panels.parts import SPACE, Words, draw, for_keyboards, keyboard
from helpers.show.panels.tagging import REMEDIES, UNDECIDED, Tagging

if TYPE_CHECKING:
    import plotly.graph_objects as go

NUMBERED = "123456789"
_HEAVY = "font-weight:bold;background:rgba(213,94,0,.16)"  # vermilion, thin enough for text on light and dark pages
_TEST = (
    "These are test rows: whatever you change because of them has to be measured on rows that you have not looked at."
)
_VERDICTS = {"right": "right", "wrong": "✗ wrong", "missing": "✗ missing", "not asked for": "✗ not asked for"}


def errors(
    results: Results, candidate: str, examples: Sequence[Example], file: Path | str | None, metric: str | None = None
) -> ErrorsPanel:
    """Look at a candidate's wrong rows, one at a time, and put your own short tags on them. Measured by rules they are
    called failing: a rule is broken, or something is invented.

    Type a new tag, then put it on other rows with its number; a row may carry several. At the end the tags stand in
    the order of their frequency, and you choose for each what may help.

    Args:
        results: from ``evaluate.run`` and its like.
        candidate: its name there.
        examples: the rows that were measured, in their order.
        file: JSON file that every change is written to; run the cell again to go on where you stopped. None keeps
            nothing.
        metric: one of two outcomes, such as right or wrong; the headline when None.

    Raises:
        EvaluationError: other rows than those measured, a metric of likeness, or a file with tags on other rows.
    """
    words = outcomes(metric or results.metrics[0])
    return ErrorsPanel(wrong_rows(results, candidate, examples, metric), candidate, file, results.split, words)


class ErrorsPanel(widgets.VBox):
    """The panel that :func:`errors` makes; ``tagging`` holds the session."""

    def __init__(
        self, rows: Sequence[WrongRow], candidate: str, file: Path | str | None, split: str,
        words: Outcomes = RIGHT_OR_WRONG,
    ) -> None:  # fmt: skip
        self.tagging, self.candidate, self.split, self.words = Tagging(rows, file), candidate, split, words
        self.bar = widgets.IntProgress(max=max(1, len(self.tagging.rows)), layout=widgets.Layout(width="auto"))
        self.shown, self.said = Words(), Words()
        self.actions = self._actions()
        keys = keyboard(self.actions, "1 to 9, space, p, t, e, u")
        self.number_buttons, self.field = keys.children[0].children[: len(NUMBERED)], keys.children[1]
        self.new_tag = widgets.Text(
            description="New tag, then Enter", placeholder="a few words of your own", continuous_update=False,
            style={"description_width": "initial"}, layout=widgets.Layout(width="auto", max_width="380px"),
        )  # fmt: skip
        self.new_tag.observe(self._typed, names="value")
        self.picture, self.choices, self.advice = widgets.Output(), widgets.VBox(), Words()
        self.end = widgets.VBox([self.picture, self.choices, self.advice])
        self._dropdowns: dict[str, widgets.Dropdown] = {}
        super().__init__([self.bar, self.shown, keys, self.new_tag, self.said, self.end])
        self.children += (for_keyboards(self, "kit-errors"),)
        self._handle = None
        self._draw()

    def _actions(self) -> dict[str, tuple[str, Callable[[], None]]]:
        numbers = {key: ("", lambda at=at: self._do(lambda: self._number(at))) for at, key in enumerate(NUMBERED)}
        return numbers | {
            SPACE: ("next", lambda: self._do(lambda: self.tagging.move(1))),
            "p": ("previous", lambda: self._do(lambda: self.tagging.move(-1))),
            "t": ("type a new tag", lambda: self.new_tag.focus()),
            "e": ("to the end", lambda: self._do(lambda: self.tagging.move(len(self.tagging.rows)))),
            "u": ("undo", lambda: self._do(self.tagging.undo)),
        }

    # --- for code ---

    def press(self, keys: str) -> None:
        """Do what these keys do, one after the other: ``panel.press("1 u")`` tags, goes on, and undoes it."""
        for key in keys:
            self.actions[key][1]()

    def tag(self, name: str) -> None:
        """Put a tag on the row that is shown."""
        self._do(lambda: self.tagging.tag(name))

    def choose(self, tag: str, remedy: str) -> None:
        """Say what may help against a tag: prompt, data, label wrong, rule unclear, needs facts or plain code.

        Args:
            tag: one that stands on a row.
            remedy: one of ``tagging.REMEDIES``, or "" for none yet.
        """
        self._do(lambda: self.tagging.choose(tag, remedy))

    @property
    def sentence(self) -> str:
        """How many of the rows are tagged, and what the tags say."""
        rows, tagged = len(self.tagging.rows), self.tagging.tagged
        found = f" {tags_finding(self.tagging.table(), tagged)}." if tagged else ""
        return f"{tagged} of {plural(rows, self.words.bad_row)} by {self.candidate} are tagged.{found}"

    def chart(self) -> go.Figure:
        """The tags, the most frequent first, with the rows that they reach together."""
        return pareto(self.tagging.table(), self.tagging.tagged, self.candidate)

    def table(self) -> HTML:
        """The tags with their rows, remedies and next steps."""
        return _advice(self.tagging.table())

    def wrong_labels(self) -> pd.DataFrame:
        """The rows whose label you call wrong, as lesson 1's review takes them: ``show.review(…, file)``.

        ``line`` counts in the file that the examples were read from; ``data.resolve`` wants that file.
        """
        return self.tagging.wrong_labels()

    # --- keys and fields ---

    def _do(self, act: Callable[[], None]) -> None:
        self.said.value = ""
        try:
            act()
        except (KitError, OSError) as error:
            self.said.value = f'<p role="alert"><b>Not kept:</b> {escape(str(error))}</p>'
        self._draw()

    def _number(self, at: int) -> None:
        if at < len(self.tagging.tags):
            self.tagging.toggle(self.tagging.tags[at])

    def _typed(self, change: dict[str, str]) -> None:
        if change["new"]:
            self.new_tag.value = ""
            self.tag(change["new"])
            self.field.focus()

    # --- drawing ---

    def _draw(self) -> None:
        self.bar.value = self.tagging.at
        self.shown.value = self._end() if self.tagging.done else self._row()
        self._draw_numbers()
        self.new_tag.layout.display = "none" if self.tagging.done else None
        self.end.layout.display = None if self.tagging.done else "none"
        if self.tagging.done:
            self._draw_end()
        if self._handle is not None:
            self._handle.update(html_output(self.summary()))

    def _draw_numbers(self) -> None:
        here = [] if self.tagging.done else self.tagging.on(self.tagging.at)
        known = dict(zip(NUMBERED, self.tagging.tags, strict=False))
        for key, button in zip(NUMBERED, self.number_buttons, strict=True):
            tag = known.get(key, "")
            button.description = f"{key}: {tag}{' ✓' * (tag in here)}"
            button.layout.display = None if tag and not self.tagging.done else "none"

    def _row(self) -> str:
        at, row = self.tagging.at, self.tagging.rows[self.tagging.at]
        line = f", line {row.example.line}" if row.example.line else ""
        carried = ", ".join(self.tagging.on(at)) or "none yet"
        shown = _fields(field_marks(row)) or _texts(row, self.words.bad)
        return (
            f'<div role="status"><p><b>{self.words.bad_row.capitalize()} {at + 1} of {len(self.tagging.rows)}</b>'
            f"{escape(f' by {self.candidate}{line}.')} Tags: <b>{escape(carried)}</b></p>"
            f"{texts_side_by_side([('Question', row.example.question)])}{shown}</div>"
        )

    def _end(self) -> str:
        kind = self.words.bad_row
        if not self.tagging.rows:
            none = f"No row of {self.candidate} is {kind.removesuffix(' row')}."
            return f'<div role="status" style="{CARD}"><b>{escape(none)}</b></div>'
        rows, tagged = len(self.tagging.rows), self.tagging.tagged
        more = "" if tagged == rows else f" {plural(rows - tagged, 'row')} without a tag: space shows the first."
        test = f" {_TEST}" * (self.split == "test")
        return (
            f'<div role="status" style="{CARD}"><b>{tagged} of {rows} {kind}s are tagged.</b>'
            f"{more} {escape(tags_finding(self.tagging.table(), tagged))}.{test}</div>"
        )

    def _draw_end(self) -> None:
        counted = self.tagging.table()
        shown = list(counted["tag"])
        self._dropdowns = {tag: self._dropdowns.get(tag) or self._dropdown(tag) for tag in shown}
        if [one.description for one in self.choices.children] != [f"{tag}: what helps?" for tag in shown]:
            self.choices.children = tuple(self._dropdowns.values())
        for tag, dropdown in self._dropdowns.items():
            if dropdown.value != self.tagging.remedy(tag):
                dropdown.value = self.tagging.remedy(tag)
        self.advice.value = _advice(counted).data if shown else ""
        if shown:
            draw(self.picture, self.chart())
        else:
            self.picture.outputs = ()

    def _dropdown(self, tag: str) -> widgets.Dropdown:
        dropdown = widgets.Dropdown(
            options=[(UNDECIDED, ""), *((name, name) for name in REMEDIES)], value=self.tagging.remedy(tag),
            description=f"{tag}: what helps?", style={"description_width": "initial"},
            layout=widgets.Layout(width="auto", max_width="520px"),
        )  # fmt: skip
        dropdown.observe(lambda change: self._chosen(tag, change["new"]), names="value")
        return dropdown

    def _chosen(self, tag: str, remedy: str) -> None:
        if self.tagging.remedy(tag) != remedy:
            self.choose(tag, remedy)

    # --- a saved notebook, which holds no widgets ---

    def summary(self) -> str:
        """One line of HTML above the panel, and a picture of the row that a saved notebook shows in its place."""
        rows, tagged = len(self.tagging.rows), self.tagging.tagged
        done = f"{tagged} tagged so far" if tagged else "none tagged yet"
        return (
            f"<p>{plural(rows, self.words.bad_row)} by {escape(self.candidate)}, {done}. "
            "No buttons below? Run this cell: it goes on where you stopped.</p>"
            f'<div class="kit-picture">{self.shown.value}</div>'
        )

    def _ipython_display_(self) -> None:
        self._handle = display(html_output(self.summary()), display_id=True)
        view = self._repr_mimebundle_()
        display(view | {"text/plain": "(a panel; it needs a running notebook)"}, raw=True)


def _advice(counted: pd.DataFrame) -> HTML:
    heads = ("tag", "rows", "together", "what helps", "what to do next")
    lines = [(list(map(str, line)), False) for line in counted.itertuples(index=False)]
    caption = "The tags, the most frequent first; together: rows with this tag or one above"
    return html_output(_grid(heads, lines, caption))


def _fields(marks: Sequence[FieldMark]) -> str:
    """A table of fields, the wrong ones marked by words, heavy type and colour; empty without any."""
    heads = ("field", "ideal answer", "the candidate's answer", "verdict")
    lines = [
        ((mark.name, mark.ideal or "–", mark.answer or "–", _VERDICTS[mark.verdict]), mark.verdict != "right")
        for mark in marks
    ]
    return _grid(heads, lines) if marks else ""


def _grid(heads: Sequence[str], lines: Sequence[tuple[Sequence[str], bool]], caption: str = "") -> str:
    """A table with room around its cells, which a page's own style does not give inside a widget; escaped."""
    wrapped = "line-height:1.4;white-space:pre-wrap;overflow-wrap:break-word"
    cell = f"text-align:left;vertical-align:top;padding:3px 12px;{wrapped}"
    head = "".join(f'<th scope="col" style="{cell}">{escape(name)}</th>' for name in heads)
    body = ""
    for (first, *others), is_heavy in lines:
        cells = "".join(f'<td style="{cell}">{escape(text)}</td>' for text in others)
        look = _HEAVY if is_heavy else "font-weight:normal"
        body += f'<tr style="{look}"><th scope="row" style="{cell}">{escape(first)}</th>{cells}</tr>'
    table = f'<table style="margin:6px 0"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return wide(caption or "The answer, field by field", table, escape(caption))


def _texts(row: WrongRow, bad: str) -> str:
    wanted, got = parsed(row.example.answer), parsed(row.answer or "")
    no_json = isinstance(wanted, dict) and row.answer is not None and not isinstance(got, dict)
    verdict = " ✗ is not a JSON object" if no_json else "" if row.missing else f" ✗ {bad}"
    why = f"(✗ {'no answer' if row.answer is None else 'does not count'}: {row.missing})" if row.missing else ""
    said = "\n".join(filter(None, (row.answer, why))) or "(✗ empty)"
    return texts_side_by_side([("Ideal answer", row.example.answer), ("The candidate's answer" + verdict, said)])
