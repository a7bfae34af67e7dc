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


_KEYBOARD = """
const keep = event => event.target.setAttribute('data-lm-suppress-shortcuts', 'true');
const controls = 'input, select, textarea, button, a, summary, label, .modebar, [role=slider]';
const take = event => {
  if (event.target.closest(controls) || !getSelection().isCollapsed) return;
  const field = event.currentTarget.querySelector('.kit-keys input');
  setTimeout(() => field?.focus({preventScroll: true}));
};
const mend = () => document.querySelectorAll('.CLASS').forEach(panel => {
  panel.addEventListener('focusin', keep);
  panel.addEventListener('click', take);
  panel.querySelectorAll('.kit-live .widget-html-content').forEach(text => text.setAttribute('role', 'status'));
  panel.querySelectorAll('.widget-vbox').forEach(box => {
    const label = box.querySelector('.widget-label'), handle = box.querySelector('[role=slider]');
    if (label && handle) handle.setAttribute('aria-label', label.textContent);
  });
});
[0, 300, 1000, 3000].forEach(delay => setTimeout(mend, delay));
"""


def for_keyboards(panel: widgets.Box, css_class: str) -> widgets.Output:
    """Give a panel its class, and make an invisible area whose script mends what JupyterLab does to keyboard users.

    JupyterLab takes arrow keys and letters away from lists and buttons in an output (in a list, "a" would insert a
    cell), and ipywidgets' sliders (8.1) have no accessible name: they get the one of the field that they stand with.
    A click on text goes to the field of keys: it would else go to the notebook, where "d d" deletes the cell.
    Text of the class ``kit-live`` is read out by screen readers whenever it changes.
    Where scripts are not run, fields and buttons still work.
    """
    panel.add_class(css_class)
    script = {"application/javascript": _KEYBOARD.replace("CLASS", css_class)}
    return widgets.Output(outputs=({"output_type": "display_data", "data": script, "metadata": {}},))
