"""Put a chart into a widget's output area, from a callback or a long-running cell."""

from __future__ import annotations

import ipywidgets as widgets
import plotly.graph_objects as go


def draw(area: widgets.Output, chart: go.Figure) -> None:
    """Replace what the area shows.

    The output is set as a value, not captured: that also works in the middle of a running cell and from any thread, and
    the old chart stays until the new one is there.
    """
    content = {"application/vnd.plotly.v1+json": chart.to_plotly_json(), "text/plain": chart.layout.meta["sentence"]}
    area.outputs = ({"output_type": "display_data", "data": content, "metadata": {}},)
