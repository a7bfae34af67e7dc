"""What is in the data: label balance of each split, how long examples and answers are, and whether that has moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from helpers.formatting import plural
from helpers.records import Example
from helpers.show.charts.theme import BLUE, INK, PATTERNS, SERIES, VERMILION, figure, plain, shorten

if TYPE_CHECKING:
    from helpers.deploy import Drift

MAX_LABELS = 15
OTHERS = "all others"
NO_LABEL = "no label"
ALIKE = 1.5
"""Labels whose median lengths lie within this factor count as alike in the title."""

RARE = 5
"""Fewer rows than this and a label can hardly be learned or measured: the title says so."""


def balance(splits: Mapping[str, Sequence[Example]], label: Callable[[Example], str]) -> go.Figure:
    """How the labels are spread over each split, in percent of its rows.

    Args:
        splits: name to examples, such as ``{"train": …, "validation": …, "test": …}``.
        label: reads one example's label.
    """
    counts = {name: Counter(str(label(example)) for example in rows) for name, rows in splits.items()}
    total = sum(counts.values(), Counter())
    shown = [name for name, _ in total.most_common(MAX_LABELS)]
    rest = set(total) - set(shown)
    names = shown + [OTHERS] * bool(rest)
    chart = figure(
        _balance_finding(counts, total),
        "Each bar is a label's share of its split; like bars side by side mean that the splits are alike. "
        "The number of rows stands at the bar's end.",
        x="share of the split's rows (%)",
        y="label",
        height=110 + len(names) * (14 * len(counts) + 12),
        legend=True,
    )
    for i, (split, by_label) in enumerate(counts.items()):
        rows = [by_label[name] for name in shown] + [sum(by_label[name] for name in rest)] * bool(rest)
        size = max(1, sum(by_label.values()))
        chart.add_bar(
            y=[_name(name) for name in names], x=[round(100 * n / size, 1) for n in rows], orientation="h",
            name=f"{plain(split)} ({plural(sum(rows), 'row')})", text=[f"{n:,}" for n in rows], textposition="outside",
            textfont_size=10, hovertemplate="%{y}: %{x} % (%{text} rows)<extra></extra>", cliponaxis=False,
            marker=dict(color=SERIES[i % 4], pattern=dict(shape=PATTERNS[i % 4], fillmode="replace", solidity=0.5)),
        )  # fmt: skip
    chart.update_yaxes(autorange="reversed", showgrid=False, title_text=None)
    chart.update_layout(bargap=0.25)
    return chart


def _name(label: object) -> str:
    """A label beside its bar; blanks around it are shown, as they make it another label."""
    label = str(label)
    bare = label.strip()
    before, after = len(label) - len(label.lstrip()), len(label) - len(label.rstrip())
    return shorten(f"{'␣' * before}{bare}{'␣' * after}" if bare else "␣" * len(label), 28)


def _balance_finding(counts: Mapping[str, Counter], total: Counter) -> str:
    if not total:
        return "There are no rows yet"
    top, most = total.most_common(1)[0]
    share = 100 * most / total.total()
    said = f"{plural(len(total), 'label')}: {top!r} is the most common with {share:.0f} % of all rows"
    rare = sorted({name for by_label in counts.values() for name in total if by_label[name] < RARE})
    if not rare:
        return f"{said}, and every split has at least {RARE} rows of each"
    some = ", ".join(map(repr, rare[:3])) + (" and others" if len(rare) > 3 else "")
    return f"{said}; {some} {'has' if len(rare) == 1 else 'have'} under {RARE} rows in some split"


def token_lengths(lengths: Sequence[int], limit: int, model: str) -> go.Figure:
    """How long the examples are, in tokens of the named model, against its limit.

    Args:
        lengths: tokens of each example.
        limit: the most that the model takes, in tokens; what is longer is cut or refused.
        model: whose tokens were counted.
    """
    lengths = np.asarray(lengths, dtype=int)
    chart = figure(
        _length_finding(lengths, limit),
        f"Tokens as {model} counts them, answers included. Half of the examples are left of the dashed line."
        if len(lengths)
        else f"Tokens as {model} counts them, answers included.",
        x="length of an example (tokens)",
        y="examples",
    )
    if not len(lengths):
        return chart
    counts, edges = np.histogram(lengths, bins=min(40, max(1, len(set(lengths.tolist())))))
    chart.add_bar(
        x=((edges[:-1] + edges[1:]) / 2).round(1), y=counts, width=np.diff(edges).round(3), marker_color=BLUE,
        customdata=[f"{np.ceil(a):.0f} to {np.floor(b):.0f} tokens" for a, b in zip(edges, edges[1:], strict=False)],
        hovertemplate="%{customdata}: %{y} examples<extra></extra>", marker_line=dict(color="white", width=1),
    )  # fmt: skip
    middle = float(np.median(lengths))
    chart.layout.margin.t += 12  # for what stands above the lines
    chart.add_vline(
        x=middle, line=dict(color=INK, dash="dash"), annotation_text=f"half: {middle:,.0f}",
        annotation_yanchor="bottom",
    )  # fmt: skip
    if lengths.max() > limit / 4:  # a far-off limit would press all bars into a corner; the title names it
        chart.add_vline(
            x=limit, line=dict(color=VERMILION, width=3), annotation_text=f"limit: {limit:,}",
            annotation_position="top left", annotation_yanchor="bottom",
        )  # fmt: skip
    return chart


def _length_finding(lengths: np.ndarray, limit: int) -> str:
    if not len(lengths):
        return "There are no examples yet"
    over = int((lengths > limit).sum())
    if over:
        share = 100 * over / len(lengths)
        return f"{over:,} of {plural(len(lengths), 'example')} ({share:.1f} %) are over the limit of {limit:,} tokens"
    return f"All {plural(len(lengths), 'example')} fit: the longest has {lengths.max():,} of at most {limit:,} tokens"


def answer_lengths(rows: pd.DataFrame) -> go.Figure:
    """How long the answers are under each label: a box holds the middle half, the line in it the median.

    Args:
        rows: ``CheckReport.rows``. Answers without a label (where most have one: look at those) get a box of their own.
    """
    labels = rows["label"].fillna(NO_LABEL) if len(rows) else rows["label"]
    spread = rows.groupby(labels)["answer_chars"].quantile([0, 0.25, 0.5, 0.75, 1]).unstack()
    spread = spread.loc[labels.value_counts().index[:MAX_LABELS]]
    chart = figure(
        _spread_finding(spread[0.5] if len(spread) else spread),
        "A box holds the middle half of a label's answers, the line in it their median; the whiskers reach the "
        "shortest and the longest. A model learns lengths, too.",
        x="length of the answer (characters)",
        y="label",
        height=110 + 30 * len(spread),
    )
    counts = labels.value_counts()
    if len(spread):
        chart.add_box(
            y=[f"{_name(name)} ({counts[name]:,})" for name in spread.index], orientation="h",
            lowerfence=spread[0], q1=spread[0.25], median=spread[0.5], q3=spread[0.75], upperfence=spread[1],
            marker_color=BLUE, line_width=1.5,
        )  # fmt: skip
    chart.update_yaxes(autorange="reversed", showgrid=False, title_text=None)
    return chart


def _spread_finding(medians: pd.Series) -> str:
    if not len(medians):
        return "There are no answers yet"
    long, short = medians.idxmax(), medians.idxmin()
    if medians[long] <= ALIKE * max(medians[short], 1):
        between = f"{medians[short]:,.0f} to {medians[long]:,.0f}"
        return f"Answers are about as long under every label: half of them have at least {between} characters"
    return (
        f"Half of the answers under {long!r} have at least {medians[long]:,.0f} characters, "
        f"under {short!r} at least {medians[short]:,.0f}"
    )


def drift(found: Drift) -> go.Figure:
    """The share of each label in training and now; the title says which checks alarm.

    Args:
        found: ``deploy.drift(…)``.
    """
    labels = found.labels.assign(most=found.labels[["training", "now"]].max(axis=1)).nlargest(MAX_LABELS, "most")
    labels = labels.sort_values("training", ascending=False)
    was, is_now = found.lengths
    chart = figure(
        _finding(found),
        "Each bar is a label's share; like bars side by side mean that nothing moved. "
        f"Inputs have {is_now:.0f} characters now (median) and had {was:.0f} in training.",
        x="share of the messages (%)",
        y="label",
        height=110 + 34 * len(labels),
        legend=True,
    )
    for number, (side, name) in enumerate((("training", "training rows, ideal answers"), ("now", "now, answered"))):
        chart.add_bar(
            y=[_name(label) for label in labels["label"]], x=(100 * labels[side]).round(1), orientation="h",
            name=name, hovertemplate="%{y}: %{x} %<extra></extra>",
            marker=dict(
                color=SERIES[number], pattern=dict(shape=PATTERNS[number], fillmode="replace", solidity=0.5)
            ),
        )  # fmt: skip
    chart.update_yaxes(autorange="reversed", showgrid=False, title_text=None)
    return chart


def _finding(found: Drift) -> str:
    alarms = found.table.loc[found.table["alarm"], "check"].tolist()
    if not alarms:
        return "No alarm: JSON, label mix and input length are as in training, as far as these rows can tell"
    return f"Alarm: {' and '.join(alarms)} {'is' if len(alarms) == 1 else 'are'} not as in training"
