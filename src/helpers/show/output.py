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


_NAME_SLIDERS = """
const name = () => document.querySelectorAll('.CLASS .widget-vbox').forEach(box => {
  const label = box.querySelector('.widget-label'), handle = box.querySelector('[role=slider]');
  if (label && handle) handle.setAttribute('aria-label', label.textContent);
});
[0, 300, 1000, 3000].forEach(delay => setTimeout(name, delay));
"""


def name_sliders(css_class: str) -> widgets.Output:
    """An invisible area whose script gives each slider below ``css_class`` the name of the field that it stands with.

    ipywidgets' sliders have no accessible name of their own (jupyter-widgets 8.1): a screen reader would only say
    "slider". Where scripts are not run, the field beside each slider still has its name.
    """
    script = {"application/javascript": _NAME_SLIDERS.replace("CLASS", css_class)}
    return widgets.Output(outputs=({"output_type": "display_data", "data": script, "metadata": {}},))
