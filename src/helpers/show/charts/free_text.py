"""Free text measured: which rules does each rival break, and loss beside what one cares about."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import pandas as pd
import plotly.graph_objects as go

from helpers.evaluate.free_text.profile import ARCHIVE
from helpers.formatting import plural
from helpers.show.charts.theme import (
    BLUE,
    CELL_FAINT,
    CELL_ORANGE,
    CELL_TEXT,
    DASHES,
    GREEN,
    INK,
    SHAPES,
    VERMILION,
    figure,
    plain,
    shorten,
    wrapped,
)

OFTEN = 0.5
"""A rule that a rival breaks in this share of its copies or more is counted in the title."""
TUNED = "tuned"
"""How the name of a tuned rival begins: it is the one that the title has to tell about."""


def rules_broken(table: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Which rules does each rival break? Lines are rules, the one broken most often on top; columns are rivals.

    Args:
        table: from ``free_text.rule_table``.
        title: instead of the finding that is read off the table.
    """
    broken = (1 - table.pivot(index="rule", columns="rival", values="kept"))[list(dict.fromkeys(table["rival"]))]
    others = [name for name in broken if name != ARCHIVE]
    broken = broken.loc[broken[others].mean(axis=1).sort_values(ascending=False, kind="stable").index]
    said = dict(zip(table["rule"], table["description"], strict=True))
    lines = {(line.rule, line.rival): line for line in table.itertuples()}
    hovered = [[_hovered(lines[rule, name]) for name in broken] for rule in broken.index]
    chart = figure(
        title or _broken_finding(broken[others].rename(index=said)),
        f"Cells are the share of a rival's {int(table['copies'].max())} copies that break the rule, in %: the "
        "stronger the colour, the more often, and an empty cell never. Hover for the 95 % interval.",
        x="rival",
        y="rule",
        height=250 + 34 * len(broken),  # a rule takes two lines
    )
    chart.add_heatmap(
        z=(100 * broken).round(1).to_numpy(), x=list(range(broken.shape[1])), y=list(range(len(broken))),
        zmin=0, zmax=100, xgap=1, ygap=1, showscale=False, colorscale=[[0, CELL_FAINT], [1, CELL_ORANGE]],
        text=[[_cell(share) for share in line] for line in broken.to_numpy()], texttemplate="%{text}",
        textfont_color=CELL_TEXT, customdata=hovered, hovertemplate="%{customdata[0]}: %{customdata[1]}<br>"
        "broken in %{z} % of copies (%{customdata[2]})<extra></extra>",
    )  # fmt: skip
    rules, rivals = [wrapped(said[rule]) for rule in broken.index], [shorten(name, 26) for name in broken]
    above = 24 + int(3.6 * min(26, max(len(str(name)) for name in broken)))  # what the slanted names need
    chart.update_layout(margin_t=chart.layout.margin.t + above, margin_b=20)
    numbered = dict(showgrid=False, zeroline=False, title_text=None)  # by place: names may be alike once shortened
    chart.update_yaxes(tickvals=list(range(len(rules))), ticktext=rules, autorange="reversed", **numbered)
    heads = dict(side="top", tickangle=30)  # twenty lines are more than a screen; names end over their column
    chart.update_xaxes(tickvals=list(range(len(rivals))), ticktext=rivals, **heads, **numbered)
    return chart


def _hovered(line) -> list[str]:
    """The names in full, and the interval."""
    return [plain(line.rival), plain(line.description), f"{100 * (1 - line.high):.0f} to {100 * (1 - line.low):.0f} %"]


def _cell(share: float) -> str:
    return "" if share == 0 or pd.isna(share) else f"{100 * share:.0f}" if share >= 0.005 else "<1"


def _broken_finding(broken: pd.DataFrame) -> str:
    often = (broken >= OFTEN).sum()
    worst = f"broken most: “{broken.mean(axis=1).idxmax()}”"
    if often.nunique() == 1:
        return f"Each rival breaks {plural(int(often.iloc[0]), 'rule')} in half of its copies or more; {worst}"
    tuned = [name for name in often.index if name.startswith(TUNED)][:1]
    if tuned:
        count, others = int(often[tuned[0]]), often.drop(tuned)
        theirs = f"{others.min()} to {others.max()}" if others.nunique() > 1 else f"{others.min()}"
        beside = f"{_names(others.index) if len(others) < 3 else 'the others'} {theirs}"
        return f"{_names(tuned)} breaks {plural(count, 'rule')} in half of its copies or more, {beside}; {worst}"
    least, most = _level(often, often.min()), _level(often, often.max())
    verb, whose = ("breaks", "its") if len(least) == 1 else ("break", "their")
    who = _names(least) if len(least) < 3 else _names(least).capitalize()
    said = f"{who} {verb} {plural(int(often.min()), 'rule')} in half of {whose} copies or more"
    return f"{said}, {_names(most)} {often.max()}; {worst}"


def _level(often: pd.Series, count: int) -> list[str]:
    return often.index[often == count].tolist()


def _names(names: Sequence[str]) -> str:
    """One or two in quotes; of more, none is worth more than the others."""
    return " and ".join(f"“{name}”" for name in names) if len(names) < 3 else "several"


def passes(table: pd.DataFrame, title: str | None = None) -> go.Figure:
    """What one cares about, and the loss, after each pass over the training rows.

    Args:
        table: a line a pass: ``epoch``, ``loss`` (on validation rows, nats a token), and any number of shares.
        title: instead of the finding that is read off the table.
    """
    shares = [name for name in table if name not in ("epoch", "step", "loss", "model")]
    chart = figure(
        title or _passes_finding(table, shares),
        "All lines are measured on validation rows: loss on the right-hand axis, lower is better; shares on the left, "
        "higher is better.",
        x="passes over the training rows",
        y="share of copies or rules (%)",
        legend=True,
    )
    looks = [(color, *look) for color in (VERMILION, GREEN, INK) for look in zip(DASHES[1:], SHAPES[1:], strict=True)]
    for name, (color, dash, shape) in zip(shares, cycle(looks), strict=False):
        chart.add_scatter(
            x=table["epoch"], y=(100 * table[name]).round(1), mode="lines+markers", name=name.replace("_", " "),
            line=dict(color=color, dash=dash, width=2), marker=dict(symbol=shape, size=9),
        )  # fmt: skip
    chart.add_scatter(
        x=table["epoch"], y=table["loss"].round(3), mode="lines+markers", name="loss", yaxis="y2",
        line=dict(color=BLUE, width=2), marker=dict(symbol=SHAPES[0], size=9),
    )  # fmt: skip
    chart.update_layout(
        yaxis_range=[0, 102],
        yaxis2=dict(
            title_text="loss (nats a token)",
            overlaying="y",
            side="right",
            showgrid=False,
            automargin=True,
            tickformat=".2f",
        ),
    )
    chart.update_xaxes(dtick=1)
    return chart


def _passes_finding(table: pd.DataFrame, shares: Sequence[str]) -> str:
    if table.empty:
        return "There is no model to choose from"
    if len(table) == 1:
        return f"The host gives one model to choose from, after pass {table['epoch'].iloc[0]:g}"
    said = ", ".join(f"{name.replace('_', ' ')} {_best(table, name)}" for name in shares)
    if table["loss"].isna().all():
        return f"The host gives no loss; {said}"
    return f"Loss is lowest after pass {table.loc[table['loss'].idxmin(), 'epoch']:g}; {said}"


def _best(table: pd.DataFrame, name: str) -> str:
    if table[name].isna().all():
        return "was not measured"
    return f"best after pass {table.loc[table[name].idxmax(), 'epoch']:g}"
