"""The loss curve of a job."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from helpers.formatting import plural
from helpers.show.charts.theme import BLUE, GREY, VERMILION, figure

MAX_POINTS = 400
"""Steps drawn; of a longer curve every n-th is taken (the smoothed line still uses all of them)."""

RISE = 1.02
"""Validation loss counts as rising again when its last value is 2 % above its lowest."""


def loss(curve: pd.DataFrame, title: str | None = None) -> go.Figure:
    """Training loss a step with a smoothed line, and the loss on validation rows.

    Args:
        curve: ``jobs.curve(…)``: ``step``, ``train_loss``, and where the host gives them ``valid_loss`` (a few rows,
            often) and ``full_valid_loss`` (all validation rows, after each epoch). Losses are in nats a token.
        title: instead of the finding that is read off the curve.
    """
    steps = _column(curve, "train_loss")
    held_out, whole = _held_out(curve)
    chart = figure(
        title or _finding(steps, held_out),
        _sentence(len(held_out), whole),
        x="training step",
        y="loss (nats a token, lower is better)",
        legend=True,
    )
    if steps.empty:
        return chart
    every = max(1, -(-len(steps) // MAX_POINTS))
    thin, smooth = steps.iloc[::every], smoothed(steps).iloc[::every]
    hover = "step %{x}: %{y:.3f}<extra></extra>"
    chart.add_scatter(
        x=thin.index, y=thin.round(4), mode="markers", name="each step", hovertemplate=hover,
        marker=dict(size=5, color=BLUE, opacity=0.6),
    )  # fmt: skip
    chart.add_scatter(
        x=smooth.index, y=smooth.round(4), mode="lines", name="training, smoothed", hovertemplate=hover,
        line=dict(color=BLUE, width=2.5),
    )  # fmt: skip
    if len(held_out):
        chart.add_scatter(
            x=held_out.index, y=held_out.round(4), mode="lines+markers",
            name="validation rows, after each epoch" if whole else "validation rows", hovertemplate=hover,
            line=dict(color=VERMILION, dash="dash"), marker=dict(symbol="diamond", size=9),
        )  # fmt: skip
    if whole:
        for step in held_out.index:
            chart.add_vline(x=step, line=dict(color=GREY, width=1, dash="dot"), layer="below")
    chart.update_yaxes(rangemode="tozero")
    return chart


def smoothed(losses: pd.Series) -> pd.Series:
    """Centred running mean over a twelfth of the steps, at least three."""
    return losses.rolling(max(3, len(losses) // 12), center=True, min_periods=1).mean()


def _column(curve: pd.DataFrame, name: str) -> pd.Series:
    """The values of a column by step, without gaps; empty when the host does not give it."""
    if name not in curve:
        return pd.Series(dtype=float)
    return pd.to_numeric(curve.set_index("step")[name], errors="coerce").dropna()


def _held_out(curve: pd.DataFrame) -> tuple[pd.Series, bool]:
    """The best held-out loss that the host gives, and whether it is over all validation rows."""
    whole = _column(curve, "full_valid_loss")
    return (whole, True) if len(whole) else (_column(curve, "valid_loss"), False)


def _finding(steps: pd.Series, held_out: pd.Series) -> str:
    if steps.empty:
        return "No training step has been reported yet"
    if len(steps) == 1:
        return f"The first step has a training loss of {steps.iloc[0]:.2f}"
    first, *_, last = smoothed(steps)  # the ends of the line that is drawn
    way = "fell" if last < first else "rose"
    said = f"Training loss {way} from {first:.2f} to {last:.2f} in {plural(int(steps.index[-1]), 'step')}"
    if len(held_out) < 2:
        return said
    lowest = held_out.min()
    if held_out.iloc[-1] > RISE * lowest:
        return f"{said}; validation loss was lowest at step {held_out.idxmin()} ({lowest:.2f}) and rose after it"
    return f"{said}; validation loss came down to {held_out.iloc[-1]:.2f}"


def _sentence(held_out: int, whole: bool) -> str:
    dots = "Pale dots are single steps, the line is their running mean"
    if not held_out:
        return f"{dots}. No loss on validation rows is known; without one, this curve cannot show overfitting."
    where = "all validation rows after each epoch (dotted lines)" if whole else "validation rows"
    return f"{dots}; diamonds are the loss on {where}: when they turn up while the line goes down, the model memorises."
