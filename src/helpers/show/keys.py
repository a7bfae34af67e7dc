"""Keys for a panel: a labelled field that acts on each letter typed into it, and a button for each key beside it.

Plain ipywidgets cannot listen to the keyboard elsewhere; a field needs no script, works in every front end and is read
out by a screen reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ipywidgets as widgets

Action = Callable[[], None]
SPACE = " "
KEYS = "kit-keys"
"""CSS class of the field, by which a panel's script finds it."""


def keyboard(actions: Mapping[str, tuple[str, Action]], keys: str | None = None) -> widgets.Box:
    """A row of buttons with a field that takes their keys. A click beside the controls of a panel goes to this field.

    Args:
        actions: key (one letter, or a space) → (what it does, in a few words; the function that does it).
        keys: how the field names its keys, where listing them all would be long.
    """
    buttons = []
    for key, (label, act) in actions.items():
        button = widgets.Button(description=f"{_name(key)}: {label}", layout=widgets.Layout(width="auto"))
        button.on_click(lambda _, act=act: act())
        buttons.append(button)
    field = widgets.Text(
        description=f"Type here: {keys or ', '.join(map(_name, actions))}", style={"description_width": "initial"},
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


def _name(key: str) -> str:
    return "space" if key == SPACE else key
