"""Score against training rows: the runs, the fitted curve with its band, and the rivals at the same sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from helpers.evaluate.learning_curve import FARTHEST, LearningCurve
from helpers.formatting import amount, metric_name, number
from helpers.show.charts.theme import BLUE, GREY, INK, VERMILION, figure, plain

POINTS = 40
"""Places at which the curve is drawn."""


def learning_curve(
    curve: LearningCurve,
    *,
    rivals: Mapping[str, Sequence[float]] | None = None,
    flat: Mapping[str, float] | None = None,
    metric: str = "score",
    title: str | None = None,
) -> go.Figure:
    """A tuned model's score against its training rows, on a logarithmic axis.

    Args:
        curve: from ``evaluate.learning_curve.fit``.
        rivals: name → scores of a rival trained on the very same draws, in the order of ``curve.sizes``.
        flat: name → score of a rival that needs no training rows of its own: a dashed line.
        metric: what the score is, for the axis.
        title: instead of the finding that is read off the curve.
    """
    fitted = curve.state != "cannot tell" or not np.isnan(curve.gain_from_doubling.value)
    top = curve.sizes.max()
    chart = figure(
        title or _finding(curve, fitted),
        "Each mark is one training run on rows drawn afresh. "
        + f"The line is the fitted power law with its {100 * curve.level:.0f} % band; right of the dotted line it is a "
        f"forecast, and it ends at {FARTHEST} times the rows that you have."
        * fitted
        + "No line is drawn, because no rising power law fits." * (not fitted),
        x="training rows (logarithmic)",
        y=f"{metric_name(metric)} (% of rows)",
        height=430,
        legend=True,
    )
    if fitted:
        _add_fit(chart, curve)
    for name, scores in (rivals or {}).items():
        _add_means(chart, curve.sizes, np.asarray(scores, dtype=float), name)
    chart.add_scatter(
        x=curve.sizes, y=(100 * curve.scores).round(2), mode="markers", name="tuned, one run each",
        marker=dict(color=VERMILION, symbol="diamond", size=9), hovertemplate="%{x} rows: %{y:.0f} %<extra></extra>",
    )  # fmt: skip
    for name, score in (flat or {}).items():
        chart.add_hline(
            y=100 * score, line=dict(color=BLUE, dash="dash", width=2), annotation_text=plain(name),
            annotation_position="top left", annotation_font=dict(color=BLUE, size=12),
        )  # fmt: skip
    chart.add_vline(x=top, line=dict(color=GREY, dash="dot", width=1.5))
    sizes = sorted({int(size) for size in curve.sizes} | ({int(2 * top), int(FARTHEST * top)} if fitted else set()))
    chart.update_xaxes(type="log", tickvals=sizes, ticktext=[f"{size:,}" for size in sizes])
    chart.update_yaxes(range=[-2, 102])
    return chart


def _finding(curve: LearningCurve, fitted: bool) -> str:
    if not fitted:
        return f"These {len(curve.sizes)} runs allow no forecast of what more rows would bring"
    top, gain = int(curve.sizes.max()), curve.gain_from_doubling
    band = f"{number(gain.low)} to {number(gain.high)}"
    return f"From {top:,} to {2 * top:,} rows, expect {amount(gain.value)} more (band {band})"


def _add_fit(chart: go.Figure, curve: LearningCurve) -> None:
    low, high = curve.sizes.min(), FARTHEST * curve.sizes.max()
    sizes = np.geomspace(low, high, POINTS).clip(low, high)
    values = np.array([curve.predict(size) for size in sizes]) * 100
    chart.add_scatter(
        x=np.concatenate([sizes, sizes[::-1]]).round(1), y=np.concatenate([values[:, 1], values[::-1, 2]]).round(2),
        fill="toself", fillcolor="rgba(213,94,0,.14)", line_width=0, name=f"{100 * curve.level:.0f} % band",
        hoverinfo="skip",
    )  # fmt: skip
    chart.add_scatter(
        x=sizes.round(1), y=values[:, 0].round(2), mode="lines", name="power law", line=dict(color=VERMILION, width=2),
        hovertemplate="%{x:.0f} rows: %{y:.0f} %<extra></extra>",
    )  # fmt: skip


def _add_means(chart: go.Figure, sizes: np.ndarray, scores: np.ndarray, name: str) -> None:
    there = np.unique(sizes)
    means = [100 * scores[sizes == size].mean() for size in there]
    chart.add_scatter(
        x=there, y=np.round(means, 2), mode="lines+markers", name=f"{plain(name)}, mean",
        line=dict(color=INK, width=1.5, dash="dashdot"), marker=dict(symbol="square", size=8),
        hovertemplate="%{x} rows: %{y:.0f} %<extra></extra>",
    )  # fmt: skip
