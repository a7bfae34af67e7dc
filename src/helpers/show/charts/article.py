"""The article's sums as charts: what training costs, how long it takes, and whether shorter prompts save money."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from helpers.costs import dollars
from helpers.formatting import plural
from helpers.show.charts.theme import BLUE, DASHES, GREY, INK, PATTERNS, SHAPES, VERMILION, figure, plain


def training_sums(table: pd.DataFrame) -> go.Figure:
    """``costs.article_training()`` as bars: the article's own sum, and what it leaves out."""
    first, last = table.iloc[0], table.iloc[-1]
    chart = figure(
        f"The article's {dollars(first['usd'])} is one epoch of {first['model']}; "
        f"{_bare(last['model'])} at {last['epochs']} epochs is {dollars(last['usd'])}",
        "1,000 examples of 500 tokens at OpenAI, at the last published prices. "
        + " ".join(f"{_bare(model)}: {_state(state)}." for model, state in _states(table)),
        x="USD for one training job",
        y="",
        height=300,
    )
    labels = [f"{_bare(row.model)}, {plural(row.epochs, 'epoch')}" for row in table.itertuples()]
    old = table["model"] == first["model"]
    chart.add_bar(
        y=labels, x=table["usd"], orientation="h", text=[dollars(usd) for usd in table["usd"]], textposition="outside",
        marker=dict(
            color=[GREY if is_old else BLUE for is_old in old],
            pattern_shape=[PATTERNS[1] if is_old else PATTERNS[0] for is_old in old],
        ),
        cliponaxis=False, hoverinfo="skip",
    )  # fmt: skip
    chart.update_xaxes(tickprefix="$", range=[0, 1.15 * table["usd"].max()]).update_yaxes(autorange="reversed")
    return chart


def prompt_lengths(table: pd.DataFrame) -> go.Figure:
    """``costs.short_against_cached()`` as lines: a prompt's length against what 1,000 calls cost."""
    tuned, prompted = table.attrs["names"]
    chart = figure(
        table.attrs["sentence"].rstrip("."),
        "Tokens of one call only: no training, no people, no hosting. Read from the cache: all but the question, the "
        "best case.",
        x="tokens of the long prompt",
        y="USD for 1,000 calls",
        height=380,
    )
    lines = [
        ("tuned", f"short prompt on {tuned}", VERMILION),
        ("prompted_fresh", f"long prompt on {prompted}, nothing cached", INK),
        ("prompted_cached", f"long prompt on {prompted}, cached", BLUE),
    ]
    for nth, (column, name, colour) in enumerate(lines):
        chart.add_scatter(
            x=table["long_prompt"], y=table[column], name=plain(name), mode="lines+markers",
            line=dict(color=colour, dash=DASHES[nth], width=2),
            marker=dict(symbol=SHAPES[nth], size=7, maxdisplayed=8),
            hovertemplate="%{x:,.0f} tokens: $%{y:.3f}<extra></extra>",
        )  # fmt: skip
    chart.update_yaxes(tickprefix="$", rangemode="tozero").update_xaxes(tickformat=",")
    chart.update_layout(
        showlegend=True, legend=dict(orientation="v", y=0.98, yanchor="top", x=0.02, bgcolor="rgba(255,255,255,.85)")
    )
    return chart


def training_times(table: pd.DataFrame) -> go.Figure:
    """``costs.training_durations()`` as points: trained tokens against minutes, where somebody wrote them down."""
    made_up = table["kind"] == "worked example"
    chart = figure(
        f"“Hours to days”? {_longest(table)}",
        "As published; hollow: a worked example, which nobody ran. Time in a queue is not counted. Remarks and sources "
        "stand below.",
        x="tokens trained, all epochs (logarithmic)",
        y="minutes (logarithmic)",
        height=320,
    )
    chart.add_scatter(
        x=table["trained_tokens"], y=table["minutes"], mode="markers+text",
        text=[f"{plain(row.model)},<br>{plain(row.hardware)}: {_time(row.minutes)}" for row in table.itertuples()],
        textposition=["bottom left" if big else "top right" for big in table["trained_tokens"] > 5e5],
        marker=dict(
            size=12, color=BLUE, symbol=[SHAPES[1] + "-open" * bool(one) for one in made_up],
            line=dict(color=BLUE, width=[2 * bool(one) for one in made_up]),
        ),
        hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip
    low, high = table["trained_tokens"].min(), table["trained_tokens"].max()
    chart.update_xaxes(type="log", dtick=1, tickformat="~s", range=_powers(low / 3, high * 3))
    return chart.update_yaxes(type="log", dtick=1, range=_powers(table["minutes"].min() / 3, 1440))


def _longest(table: pd.DataFrame) -> str:
    """The longest recorded run, and the longest worked example apart: a number that nobody measured answers nothing."""
    ran, made_up = (table[table["kind"] == kind] for kind in ("recorded run", "worked example"))
    said = f"Of {plural(len(ran), 'recorded run')} the longest took {_time(ran['minutes'].max())}"
    return said + (f"; a worked example says {_time(made_up['minutes'].max())}" if len(made_up) else "")


def _powers(low: float, high: float) -> list[float]:
    return [math.log10(low), math.log10(high)]


def _bare(model: str) -> str:
    """A model's name without the date of its version."""
    head, _, _ = model.partition("-20")
    return head


def _states(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(dict.fromkeys(zip(table["model"], table["state"], strict=True)))


def _state(state: str) -> str:
    return "no longer offered" if state == "ended" else state


def _time(minutes: float) -> str:
    if minutes < 1:
        return f"{60 * minutes:.0f} seconds"
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
