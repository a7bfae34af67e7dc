"""The parts that panels are made of: words, a chart that changes, a picture of the state, and keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import ipywidgets as widgets
from IPython.display import HTML, display
from traitlets import validate

from helpers.show.charts.theme import CONFIG, on_page
from helpers.show.html.elements import html_output, literal

if TYPE_CHECKING:
    import plotly.graph_objects as go

Action = Callable[[], None]
SPACE = " "
KEYS = "kit-keys"
"""CSS class of the field, by which a panel's script finds it."""


class Words(widgets.HTML):
    """HTML in a panel, its prices safe from MathJax: whatever is set as ``value`` is marked literal."""

    @validate("value")
    def _literal(self, proposal: dict) -> str:
        value = proposal["value"]
        return literal(value) if value and not value.startswith(literal("")[:-6]) else value


def draw(area: widgets.Output, chart: go.Figure) -> None:
    """Replace what the area shows.

    The output is set as a value, not captured: that also works in the middle of a running cell and from any thread, and
    the old chart stays until the new one is there.

    Args:
        area: where the chart goes.
        chart: made by ``charts.theme.figure``.
    """
    words, drawing = on_page(chart)
    content = {
        "application/vnd.plotly.v1+json": drawing | {"config": CONFIG},
        "text/plain": chart.layout.meta["sentence"],
    }
    area.outputs = tuple(
        {"output_type": "display_data", "data": data, "metadata": {}} for data in ({"text/html": words}, content)
    )


class Panel(widgets.VBox):
    """A panel that leaves a picture of its state in the notebook: GitHub, nbviewer and a saved file show no widgets."""

    _place = None  # of the picture, once the panel is shown

    def picture(self) -> str:
        """The panel's state as HTML without scripts."""
        raise NotImplementedError

    def repicture(self) -> None:
        """Bring the picture up to date, where there is one."""
        if self._place is not None:
            self._place.update(self._pictured())

    def _pictured(self) -> HTML:
        return html_output(f'<div class="kit-picture">{self.picture()}</div>')

    def _ipython_display_(self) -> None:
        self._place = display(self._pictured(), display_id=True)
        display(self._repr_mimebundle_() | {"text/plain": "(a panel; it needs a running notebook)"}, raw=True)


# plotly takes a chart that was drawn anew in its place down to no height when the window or the theme changes: its
# first picture then gives the height.
_STYLE = """<style>
.jp-OutputArea:has(> .jp-OutputArea-child > .jp-OutputArea-output .kit-panel) .kit-picture { display: none; }
.kit-panel { overflow: clip; }
.kit-panel .widget-html-content { min-width: 0; }
.kit-panel .svg-container > .main-svg:first-of-type { display: block; position: static !important; }
.kit-panel .jupyter-widget-Collapse-header { color: var(--jp-ui-font-color1); }
.kit-panel.jupyter-widgets-disconnected::before { font-weight: bold; padding: 8px 0; line-height: 1.4;
  content: "The kernel was restarted: nothing that you change here is kept. Run this cell again."; }
.kit-panel.jupyter-widgets-disconnected > * { opacity: .5; pointer-events: none; }
.kit-panel.jupyter-widgets-disconnected .kit-saved { display: none; }
.kit-panel :is(input, select, textarea, button, summary, a, [role=slider]):focus-visible {
  outline: 3px solid #3399DD; outline-offset: 1px; }
</style>"""

_KEYBOARD = """
if (!window.kitPanels) {
  window.kitPanels = true;
  const controls = 'input, select, textarea, button, a, summary, label, .modebar, [role=slider]';
  const into = (panel, selecting) => setTimeout(() => {
    if (!panel.isConnected || panel.contains(document.activeElement)) return;
    panel.tabIndex = -1;
    panel.style.outline = 'none';
    ((selecting ? null : panel.querySelector('.kit-keys input')) ?? panel).focus({preventScroll: true});
  });
  const panelOf = event => event.target.closest?.('.kit-panel');
  document.addEventListener('focusin', event => {  // a dead panel takes no keys either
    const dead = event.target.closest?.('.kit-panel.jupyter-widgets-disconnected');
    dead?.querySelectorAll(':scope > *').forEach(part => part.inert = true);
  });
  document.addEventListener('focusin', event => [panelOf(event), panelOf(event) && event.target].forEach(
    one => one?.setAttribute('data-lm-suppress-shortcuts', 'true')));  // it looks from the target upwards
  ['focusin', 'keyup', 'pointerup'].forEach(what => document.addEventListener(what, event => setTimeout(() => {
    const number = panelOf(event) && event.target.closest('.widget-vbox')?.querySelector('input[type=number]');
    if (number && event.target.role === 'slider') event.target.setAttribute('aria-valuetext', number.value);
  }, 400)));
  document.addEventListener('click', event => {
    const panel = panelOf(event);
    if (panel && !event.target.closest(controls)) into(panel, !getSelection().isCollapsed);
    if (event.target.closest('.kit-next')) setTimeout(() => panel.scrollIntoView({block: 'start'}), 300);
  });
}
const name = () => document.querySelectorAll('.kit-panel').forEach(panel => {
  panel.querySelectorAll('.kit-live .widget-html-content').forEach(text => text.setAttribute('role', 'status'));
  panel.querySelectorAll('.kit-radio').forEach(question => {
    const rows = question.querySelector('.widget-radio-box');
    rows.setAttribute('role', 'radiogroup');
    rows.setAttribute('aria-label', question.querySelector('.widget-label').textContent);
  });
  panel.querySelectorAll('.widget-vbox').forEach(box => {
    const label = box.querySelector('.widget-label'), handle = box.querySelector('[role=slider]');
    if (label && handle) handle.setAttribute('aria-label', label.textContent);
  });
});
[0, 300, 1000, 3000, 10000, 30000].forEach(delay => setTimeout(name, delay));
"""


def for_keyboards(panel: widgets.Box, css_class: str) -> widgets.Output:
    """Give a panel its class, and make an invisible area whose script keeps JupyterLab's shortcuts out of it.

    JupyterLab takes arrow keys and letters away from lists and buttons in an output (in a list, "a" would insert a
    cell): whatever has the focus inside a panel is marked, so that no key typed there is a shortcut. A click on text
    moves the focus into the panel, to its field of keys where it has one: it would else go to the notebook, where
    "d d" deletes the cell. Text that is being selected stays selected.

    ipywidgets' sliders (8.1) have no accessible name: they get the one of the field that they stand with. Text of the
    class ``kit-live`` is read out by screen readers whenever it changes. Where scripts are not run, fields and buttons
    still work. When the kernel is restarted, the panel says that it is dead.

    Args:
        panel: all of the panel; marked as one.
        css_class: its own class, for its own styles.
    """
    panel.add_class("kit-panel")
    panel.add_class(css_class)
    parts = ({"text/html": _STYLE}, {"application/javascript": _KEYBOARD})
    return widgets.Output(
        outputs=tuple({"output_type": "display_data", "data": data, "metadata": {}} for data in parts)
    )


def keyboard(actions: Mapping[str, tuple[str, Action]], keys: str | None = None) -> widgets.Box:
    """A row of buttons with a field that takes their keys. A click beside the controls of a panel goes to this field.

    Plain ipywidgets cannot listen to the keyboard elsewhere; a field needs no script, works in every front end and is
    read out by a screen reader.

    Args:
        actions: key (one letter, or a space) → (what it does, in a few words; the function that does it).
        keys: how the field names its keys, where listing them all would be long.
    """
    buttons = []
    for key, (label, act) in actions.items():
        button = widgets.Button(description=f"{_key_name(key)}: {label}", layout=widgets.Layout(width="auto"))
        button.on_click(lambda _, act=act: act())
        buttons.append(button)
    field = widgets.Text(
        description=f"Type here: {keys or ', '.join(map(_key_name, actions))}", style={"description_width": "initial"},
        layout=widgets.Layout(width="auto", max_width="380px"),
    )  # fmt: skip

    def typed(change: Mapping[str, str]) -> None:
        if not change["new"]:
            return
        field.value = ""
        for letter in change["new"]:
            if letter in actions:
                actions[letter][1]()

    field.observe(typed, names="value")
    field.add_class(KEYS)
    return widgets.VBox([widgets.HBox(buttons, layout=widgets.Layout(flex_flow="row wrap")), field])


def _key_name(key: str) -> str:
    return "space" if key == SPACE else key
