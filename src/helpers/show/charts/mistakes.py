"""What goes wrong: which label is taken for which, which of several fields fails, and which of the reader's own tags
stands on most wrong rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from IPython.display import HTML

from helpers.evaluate import Results
from helpers.evaluate.metrics import Metric
from helpers.evaluate.results.mistakes import INVALID, MISSING, OTHER, field_losses
from helpers.evaluate.results.mistakes import confusion as confusion_counts
from helpers.formatting import plural
from helpers.show.charts.theme import BLUE, CELL_BLUE, CELL_FAINT, CELL_TEXT, VERMILION, figure, shorten
from helpers.show.html.tables import table

MAX_LABELS = 15
"""More lines than this cannot be read; those with the most wrong rows are drawn."""

MAX_BARS = 15
"""Tags that are drawn, the most frequent ones."""

_ANSWERED = {
    OTHER: "is answered with a label of none of these rows", INVALID: "gets an answer that is not valid",
    MISSING: "gets no answer",
}  # fmt: skip


def confusion(results: Results, candidate: str, field: str | None = None) -> go.Figure:
    """A confusion matrix: lines are the ideal answers' labels, columns what the candidate said; counts in the cells.

    Answers that are not valid, labels that no ideal answer has, and rows without an answer are columns of their own.

    Args:
        results: from ``evaluate.run`` and its like.
        candidate: its name there.
        field: the field of a JSON answer that holds the label; None: the whole answer is the label.

    Raises:
        EvaluationError: no such candidate, or the ideal answers hold no labels (in that field).
    """
    counts = confusion_counts(results, candidate, field)
    drawn = _worst(counts)
    names = [shorten(name, 28) for name in drawn.index]
    chart = figure(
        f"{candidate}: {_confusion_finding(counts)}",
        _confusion_sentence(counts, drawn),
        x="the candidate's answer",
        y="ideal answer",
        height=230 + 34 * len(drawn),
    )
    shares = drawn.div(counts.loc[drawn.index].sum(axis=1), axis=0)
    chart.add_heatmap(
        z=(100 * shares).round(1).to_numpy(), x=[shorten(name, 28) for name in drawn.columns], y=names,
        text=_cell_texts(drawn), texttemplate="%{text}", textfont=dict(size=12, color=CELL_TEXT),
        colorscale=[[0, CELL_FAINT], [1, CELL_BLUE]], zmin=0, zmax=100, xgap=1, ygap=1, showscale=False,
        customdata=drawn.to_numpy(),
        hovertemplate="%{y} answered as %{x}: %{customdata} rows (%{z} % of its line)<extra></extra>",
    )  # fmt: skip
    chart.update_yaxes(autorange="reversed", showgrid=False, type="category", title_standoff=18, automargin=True)
    chart.update_xaxes(showgrid=False, type="category", tickangle=-35)
    return chart


def _worst(counts: pd.DataFrame) -> pd.DataFrame:
    """Of many lines those with the most wrong rows, in their order, and the columns that these lines need."""
    if len(counts) <= MAX_LABELS:
        return counts
    wrong = _wrong(counts)
    most = int((wrong > 0).sum()) or MAX_LABELS  # where nothing is wrong, the first ones show that
    kept = counts.index[sorted(np.argsort(-wrong.to_numpy(), kind="stable")[: min(most, MAX_LABELS)])]
    lines = counts.loc[kept]
    return lines[[name for name in counts if name in kept or name in _ANSWERED or lines[name].any()]]


def _wrong(counts: pd.DataFrame) -> pd.Series:
    """Wrong rows of each label."""
    return counts.sum(axis=1) - np.diag(counts[counts.index])


def _cell_texts(counts: pd.DataFrame) -> list[list[str]]:
    """Counts as text, none for zero; the right ones have a tick, so that it is not the colour alone that tells."""
    return [
        ["" if not n else f"<b>{n} ✓</b>" if name == label else str(n) for name, n in line.items()]
        for label, line in counts.iterrows()
    ]


def _confusion_finding(counts: pd.DataFrame) -> str:
    wrong = counts.copy()
    for label in counts.index:
        wrong.loc[label, label] = 0
    if not wrong.to_numpy().any():
        return f"all {plural(int(counts.to_numpy().sum()), 'row')} have the right label"
    label, said = wrong.stack().idxmax()
    verb = _ANSWERED.get(said, f"is taken for {said}")
    return f"{label} {verb} in {wrong.loc[label, said]} of {plural(int(counts.loc[label].sum()), 'row')}"


def _confusion_sentence(counts: pd.DataFrame, drawn: pd.DataFrame) -> str:
    right, rows = int(sum(counts.loc[label, label] for label in counts.index)), int(counts.to_numpy().sum())
    faulty = int((_wrong(counts) > 0).sum())
    which = f"The first {len(drawn)} of {len(counts)} labels are drawn. "
    if faulty:
        most = "the most " * (faulty > len(drawn))
        which = f"The {len(drawn)} of {len(counts)} labels with {most}wrong rows are drawn. "
    return (
        f"Counts with a tick are right, {right} of {plural(rows, 'row')}; all others are mistakes. "
        + which * (len(drawn) < len(counts))
        + "The stronger a cell's colour, the larger its share of its line."
    )


def fields(results: Results, metrics: Sequence[str | Metric]) -> HTML:
    """Which field fails: each candidate's share of right rows a field, and the field that costs it most rows.

    Args:
        results: from ``evaluate.run`` and its like.
        metrics: metrics of single fields, or their names; ``all_fields`` and ``valid_json`` are passed over.

    Raises:
        EvaluationError: no field is left, or one was not measured.
    """
    losses = field_losses(results, metrics)
    names = list(losses.columns[1:-3])
    heads = {"costs_most": "costs most rows", "wrong": "wrong there", "alone": "wrong only there"}
    return table(losses.rename(columns=heads), _fields_finding(losses), percent=names)


def _fields_finding(losses: pd.DataFrame) -> str:
    failing = losses["costs_most"].value_counts()
    if failing.empty:
        return "No field fails: every answered row is right in all of them."
    (field, times), *others = failing.items()
    more = "".join(f", {name} for {count}" for name, count in others)
    return (
        f"{field} costs most rows for {times} of {plural(len(losses), 'candidate')}{more}. Shares are of the "
        "answered rows. Correcting a field alone would make the rows right that are wrong only there."
    )


def pareto(counted: pd.DataFrame, tagged: int, candidate: str = "") -> go.Figure:
    """A Pareto chart of tags: bars are rows, the line the rows that carry this tag or one above it.

    Args:
        counted: ``Tagging.table()``.
        tagged: how many rows carry a tag.
        candidate: whose errors these are.
    """
    drawn = counted.head(MAX_BARS)
    names = [f"{shorten(tag)}<br><i>{remedy}</i>" for tag, remedy in zip(drawn["tag"], drawn["remedy"], strict=True)]
    chart = figure(
        f"{candidate}: {tags_finding(counted, tagged)}" if candidate else tags_finding(counted, tagged),
        "A bar counts the rows with a tag, a diamond those with this tag or one above it, each once. Where the line "
        "hardly rises, the tags below are worth less work.",
        x="tagged rows (count)",
        y="tag",
        height=130 + 44 * len(drawn),
        legend=True,
    )
    chart.add_bar(
        y=names, x=drawn["rows"], orientation="h", name="rows with this tag", marker_color=BLUE, text=drawn["rows"],
        textposition="inside", insidetextanchor="start", hovertemplate="%{y}: %{x} rows<extra></extra>",
    )  # fmt: skip
    chart.add_scatter(
        y=names, x=drawn["so far"], mode="lines+markers", name="this tag or one above", cliponaxis=False,
        marker=dict(color=VERMILION, symbol="diamond", size=10), line=dict(color=VERMILION, dash="dot"),
        hovertemplate="%{x} rows down to %{y}<extra></extra>",
    )  # fmt: skip
    chart.update_yaxes(autorange="reversed", showgrid=False, title_text=None, type="category")
    chart.update_xaxes(rangemode="tozero", range=[0, 1.05 * max(1, tagged)])
    return chart


def tags_finding(counted: pd.DataFrame, tagged: int) -> str:
    """What the tags say in one sentence, without its full stop.

    Args:
        counted: one line a tag, most rows first: see ``panels.tagging.Tagging.table``.
        tagged: rows that have a tag.
    """
    if counted.empty:
        return "No row is tagged yet"
    first = counted.iloc[0]
    said = f"'{first['tag']}' stands on {first['rows']} of {plural(tagged, 'tagged row')}"
    enough = int((counted["so far"] >= 0.8 * tagged).idxmax()) + 1
    if enough in (1, len(counted)):
        return said
    return f"{said}, and {enough} of {len(counted)} tags reach {counted['so far'].iloc[enough - 1]} of them"
