"""Rivals side by side: each one's score with its interval, and the paired differences that decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
import plotly.graph_objects as go

from helpers.formatting import metric_name, score_text
from helpers.records import PROMPTED, Comparison, Measurement
from helpers.show.charts.theme import BLUE, GREY, INK, VERMILION, figure, plain, shorten, wrapped
from helpers.statistics import SHARES

MAJORITY = "most frequent answer"
"""The candidate whose score is drawn as a line through all others: always the most frequent answer."""

ALL_FIELDS = "all_fields"
"""The metric whose name, read as words, says something else."""

MOST_NAMES = 3
"""So many that score alike are named, where there are more only the first."""

_HALF_A_LABEL = 0.04
"""Of the axis' length, where the page is narrow."""

_LOOK = {
    "tuned": (VERMILION, "diamond"),
    "prompted": (BLUE, "circle"),
    "no language model": (INK, "square"),
}


def scores(table: pd.DataFrame, metric: str, title: str | None = None) -> go.Figure:
    """One line a candidate: its score and interval.

    Args:
        table: ``Results.table(metric)``: a line a candidate with ``model``, ``role``, ``rows``, ``score``, ``low``,
            ``high``.
        metric: what the score is, for the axis.
        title: instead of the finding that is read off the table.

    A teaching model's mark is hollow and its name says so: its prompted scores are no evidence against prompting.
    """
    table = table.dropna(subset=["score"]).sort_values("score")
    share = bool(((table["score"] >= 0) & (table["score"] <= 1)).all())
    factor = 100 if share else 1
    names = [_name(name, role) for name, role in zip(table.index, table["role"], strict=True)]
    chart = figure(
        title or score_finding(table, metric, share),
        "Marks are scores, bars their 95 % intervals; hollow marks are teaching models. "
        + "The dashed line is the score of always giving the most frequent answer. " * (MAJORITY in table.index)
        + "Overlapping bars do not mean equal: the paired comparison decides.",
        x=f"{metric_name(metric)} ({'% of rows' if share else 'mean'})",
        y="candidate",
        height=130 + _room(names) * len(table),
        legend=True,
    )
    kinds = [kind_of(role) for role in table["role"]]
    for kind, (color, symbol) in _LOOK.items():
        lines = table[[k == kind for k in kinds]]
        if lines.empty:
            continue
        hollow = ["-open" if role == "teaching" else "" for role in lines["role"]]
        chart.add_scatter(
            x=(factor * lines["score"]).round(2), y=[n for n, k in zip(names, kinds, strict=True) if k == kind],
            error_x=dict(
                array=(factor * (lines["high"] - lines["score"])).round(2), color=color, thickness=2,
                arrayminus=(factor * (lines["score"] - lines["low"])).round(2), symmetric=False,
            ),
            mode="markers+text", name=kind, text=[score_text(score, share) for score in lines["score"]],
            textposition=_beside_the_line(table, lines["score"]), textfont=dict(size=11, color=color), cliponaxis=False,
            marker=dict(color=color, size=12, symbol=[symbol + h for h in hollow], line_width=2),
            customdata=[
                f"{plain(model)}<br>{score_text(low, share)} to {score_text(high, share)}, {rows} rows"
                for model, low, high, rows in lines[["model", "low", "high", "rows"]].itertuples(index=False)
            ],
            hovertemplate="%{y}<br>%{text}<br>%{customdata}<extra></extra>",
        )  # fmt: skip
    if MAJORITY in table.index:
        chart.add_vline(x=factor * table.loc[MAJORITY, "score"], line=dict(color=GREY, dash="dash", width=1.5))
    chart.update_yaxes(categoryorder="array", categoryarray=names, title_text=None)
    if share:
        chart.update_xaxes(range=[-2, 104], tickvals=list(range(0, 101, 20)))
    return chart


def _beside_the_line(table: pd.DataFrame, scores: Iterable[float]) -> list[str]:
    """Where each score is written: above its mark, but not where the dashed line would strike it through."""
    if MAJORITY not in table.index:
        return ["top center" for _ in scores]
    line = table.loc[MAJORITY, "score"]
    near = _HALF_A_LABEL * max(1.0, table["high"].max() - min(0.0, table["low"].min()))
    sides = {True: "top right", False: "top left"}
    return [sides[score >= line] if abs(score - line) < near else "top center" for score in scores]


def measurements(measured: Sequence[Measurement]) -> pd.DataFrame:
    """Measurements as the table that :func:`scores` and the record's charts draw: a line a candidate.

    Columns: ``model``, ``role``, ``known_by``, ``metric``, ``split``, ``rows``, ``score``, ``low``, ``high``, ``day``.
    """
    lines = [
        {
            "candidate": one.name, "model": one.model, "role": one.role, "known_by": one.known_by,
            "metric": one.metric, "split": one.split, "rows": one.n, "score": one.score, "low": one.low,
            "high": one.high, "day": one.day,
        }
        for one in measured
    ]  # fmt: skip
    columns = ["candidate", "model", "role", "known_by", "metric", "split", "rows", "score", "low", "high", "day"]
    return pd.DataFrame(lines, columns=columns).set_index("candidate")


def comparisons(comparisons: Sequence[Comparison]) -> go.Figure:
    """Paired differences with their intervals around a zero line; most clearly better on top.

    Args:
        comparisons: from ``Results.compare`` or ``Results.compare_all``.
    """
    rows = sorted(comparisons, key=lambda c: c.difference)
    share = all(c.unit in SHARES for c in rows)
    factor, unit = (100, "points") if share else (1, rows[0].unit or rows[0].metric)
    chart = figure(
        comparison_finding(rows),
        "Each line is the first candidate's score minus the second's on the same rows, with its interval. A line that "
        "touches zero cannot tell the two apart.",
        x=f"difference ({unit}; right of zero: the first is {_right_of_zero(rows[0])})",
        y="pair",
        height=130 + (10 + _room(map(_pair, rows))) * len(rows),
        legend=True,
    )
    for told, color, symbol in ((True, VERMILION, "diamond"), (False, GREY, "circle-open")):
        some = [c for c in rows if is_told_apart(c) == told]
        if not some:
            continue
        chart.add_scatter(
            x=[round(factor * c.difference, 2) for c in some], y=[_pair(c) for c in some], mode="markers",
            error_x=dict(
                array=[round(factor * (c.high - c.difference), 2) for c in some], symmetric=False, thickness=2,
                arrayminus=[round(factor * (c.difference - c.low), 2) for c in some],
            ),
            name="told apart" if told else "these rows cannot tell", marker=dict(color=color, size=12, symbol=symbol),
            customdata=[shorten(c.sentence, 200) for c in some], hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
    chart.add_vline(x=0, line=dict(color=INK, width=1.5))
    chart.update_yaxes(categoryorder="array", categoryarray=[_pair(c) for c in rows], title_text=None)
    return chart


def _right_of_zero(comparison: Comparison) -> str:
    """What it means that the first candidate's number is the higher one."""
    return {"higher": "better", "lower": "worse"}.get(comparison.better, "higher")


def is_told_apart(comparison: Comparison) -> bool:
    """Whether the interval leaves out zero."""
    return comparison.low > 0 or comparison.high < 0


def kind_of(role: str) -> str:
    """What sort of rival a candidate is, by its role."""
    return "prompted" if role in PROMPTED else role


def _name(name: str, role: str) -> str:
    return wrapped(name) + ("<br><i>teaching model</i>" if role == "teaching" else "")


def _pair(comparison: Comparison) -> str:
    return f"{wrapped(comparison.a)}<br>minus {wrapped(comparison.b)}"


def _room(names: Iterable[str]) -> int:
    """Pixels that a line of the chart needs for its name."""
    return max([34, *(17 * (name.count("<br>") + 1) for name in names)])


def score_finding(table: pd.DataFrame, metric: str, share: bool) -> str:
    """Who scores highest, in how many of how many rows; ``table`` is sorted by score, the best last.

    Args:
        table: from ``Results.table``, sorted by score, the best last.
        metric: its name.
        share: whether scores are shares, shown in %.
    """
    if table.empty:
        return "Nothing has been measured yet"
    best = table.iloc[-1]
    score, low, high = (score_text(best[name], share) for name in ("score", "low", "high"))
    names = [f"“{name}”" for name in table.index[table["score"] == best["score"]]][::-1]
    who = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    if len(names) > MOST_NAMES:
        who = f"{names[0]} and {len(names) - 1} others"
    one = len(names) == 1
    does = f"{'scores' if one else 'score'} highest in {metric_name(metric)}"
    if metric == ALL_FIELDS:  # “highest in all fields” would say: in every single field
        does = f"{'has' if one else 'have'} all fields right most often"
    return f"{who} {does}: {score} (interval {low} to {high}) on {int(best['rows'])} rows"


def comparison_finding(rows: Sequence[Comparison]) -> str:
    """The sentence of a single comparison; of several, how many are told apart."""
    if not rows:
        return "Nothing has been compared yet"
    if len(rows) == 1:
        return rows[0].sentence
    better, worse = sum(c.low > 0 for c in rows), sum(c.high < 0 for c in rows)
    open_ = len(rows) - better - worse
    if open_ == len(rows):
        said = "told apart from none"
    elif len(rows) in (better, worse):
        said = f"{'better' if better else 'worse'} than each"
    else:
        counts = {"better than": better, "worse than": worse, "not told apart from": open_}
        *others, last = [f"{words} {count}" for words, count in counts.items() if count]
        said = f"{', '.join(others)} and {last}"
    return f"“{rows[0].a}” is {said} of its {len(rows)} rivals on {rows[0].n} rows"
