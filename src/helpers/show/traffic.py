"""Today's traffic beside the training rows: has the mix of labels moved?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from helpers.show.theme import PATTERNS, SERIES, figure, shorten

if TYPE_CHECKING:
    from helpers.deploy import Drift

MOST_LABELS = 15


def drift(found: Drift) -> go.Figure:
    """The share of each label in training and now; the title says which checks alarm.

    Args:
        found: ``deploy.drift(…)``.
    """
    labels = found.labels.assign(most=found.labels[["training", "now"]].max(axis=1)).nlargest(MOST_LABELS, "most")
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
            y=[shorten(label, 28) for label in labels["label"]], x=(100 * labels[side]).round(1), orientation="h",
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
