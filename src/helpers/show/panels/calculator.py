"""The calculator: a workload in fields and sliders, options to compare, the bill, and when tuning pays."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from helpers import costs
from helpers.costs import CAVEAT, DIALS, FIELDS, Dial, Option, Workload
from helpers.costs.workload import bounds
from helpers.errors import CostError, KitError
from helpers.project import Project, write_atomically
from helpers.show.charts.cost_curves import cost_curves
from helpers.show.html.bill import bill
from helpers.show.html.elements import CARD, folded
from helpers.show.panels.parts import Panel, Words, draw, for_keyboards

KEY = "calculator"
"""In the project file: the calculator's state, as :meth:`Calculator.state` gives it."""

FORMAT = "calculator 1"
BEGAN = "began with"
"""In the kept state: the workload that the cell gave."""
OTHERS = "others"
"""In the kept state: the states of cells that gave other workloads, such as another lesson's; latest first."""
CALLS = {"low": 5_000, "high": 2_000_000}
"""Calls a month to begin with, by the answer to the checklist's question on volume; the sample shop's lie between."""
MOST = 10
"""So many of them are kept."""


def calculator(
    workload: Workload | None = None, project: Project | None = None, *, on: date | None = None
) -> Calculator:
    """The calculator, ready to be read before anything is touched.

    Args:
        workload: the numbers to begin with, such as the reader's own. What was changed since is kept for each
            workload: running the cell again goes on with it. By default what the project kept last, from whichever
            cell, else what its training file tells, else the sample shop's.
        project: keeps every change under ``"calculator"``.
        on: the day whose prices count; the facts' today by default.
    """
    return Calculator(workload, project, on)


class Calculator(Panel):
    """The panel that :func:`calculator` makes; ``workload``, ``chosen`` and ``pair`` are what it holds now."""

    def __init__(self, workload: Workload | None, project: Project | None, on: date | None) -> None:
        self.project, self.on = project, on
        self.numbers: dict[str, widgets.BoundedFloatText] = {}
        self._loading = True
        self._began, kept = _begin(workload, _states(project.get(KEY, {}) if project else {}))
        start = workload or _from_project(project)
        dials = [self._dial(name, dial, getattr(start, name)) for name, dial in DIALS.items()]
        more = [self._field(name, label, getattr(start, name)) for name, label in FIELDS.items()]
        self._make_options(start)
        self.sentence, self.sure = Words(), Words()
        self.table = Words()
        self.chart = widgets.Output(layout=widgets.Layout(min_height="520px"))
        self.file = widgets.Text(value="calculator.json", description="File", style={"description_width": "initial"})
        self.save, self.load = widgets.Button(description="Save"), widgets.Button(description="Load")
        self.said = Words()
        self.save.on_click(lambda _: self._try(self._save))
        self.load.on_click(lambda _: self._try(self._load))
        grid = widgets.Layout(
            grid_template_columns="repeat(auto-fill, minmax(min(100%, 300px), 1fr))", grid_gap="2px 8px"
        )
        wide = widgets.Layout(grid_template_columns="repeat(auto-fill, minmax(min(100%, 480px), 1fr))")
        folds = widgets.Accordion([widgets.GridBox(more, layout=grid), widgets.GridBox(self._boxes(), layout=wide)])
        folds.titles = ("More numbers", "Options to compare")
        super().__init__(
            [
                widgets.GridBox(dials, layout=grid),
                folds,
                widgets.HBox([self.first, self.second], layout=widgets.Layout(flex_flow="row wrap")),
                self.sentence, self.chart, self.table, self.sure,
                widgets.HBox([self.file, self.save, self.load, self.said], layout=widgets.Layout(flex_flow="row wrap")),
            ]
        )  # fmt: skip
        self.children += (for_keyboards(self, "kit-calculator"),)
        if kept:
            self._try(lambda: self.set_state(kept))
        self._loading = False
        self._changed()

    # --- what it holds ---

    @property
    def workload(self) -> Workload:
        """The numbers as they stand.

        Raises:
            CostError: they make no sense together.
        """
        return Workload(**{name: number.value for name, number in self.numbers.items()})

    @property
    def chosen(self) -> list[str]:
        """Ids of the options that are compared."""
        return [name for name, box in self.boxes.items() if box.value]

    @property
    def pair(self) -> tuple[str, str]:
        """Ids of the two options whose break-even is asked."""
        return self.first.value, self.second.value

    def state(self) -> dict[str, Any]:
        """All that the reader has set, as a JSON value."""
        return {
            "format": FORMAT, "workload": self.workload.to_dict(), "options": self.chosen, "pair": list(self.pair)
        }  # fmt: skip

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state from :meth:`state`; options that the tables no longer know are left out.

        Raises:
            CostError: it is something else, or its numbers make no sense.
        """
        if not isinstance(state, Mapping) or state.get("format") != FORMAT:
            raise CostError("This is not a saved calculator.", fix=f"Its format must be {FORMAT!r}.")
        loaded = Workload.from_dict(state.get("workload", {}))
        before, self._loading = self._loading, True
        for name, number in self.numbers.items():
            number.value = getattr(loaded, name)
        chosen = state.get("options", self.chosen)
        for name, box in self.boxes.items():
            box.value = name in chosen
        for menu, wanted in zip((self.first, self.second), state.get("pair", ()), strict=False):
            if wanted in [value for _, value in menu.options]:
                menu.value = wanted
        self._loading = before
        self._changed()

    # --- parts ---

    def _field(self, name: str, label: str, value: float) -> widgets.BoundedFloatText:
        least, most = bounds(name)
        number = widgets.BoundedFloatText(
            value=value, min=least, max=most, description=label, style={"description_width": "200px"},
            layout=widgets.Layout(width="295px", max_width="98%"),
        )  # fmt: skip
        number.observe(lambda _: self._changed(), names="value")
        self.numbers[name] = number
        return number

    def _dial(self, name: str, dial: Dial, value: float) -> widgets.VBox:
        """A field with its slider below: the field takes any number, the slider two digits of it."""
        number = self._field(name, dial.label, value)
        kind = widgets.FloatLogSlider if dial.powers else widgets.FloatSlider
        slider = kind(
            value=value, min=dial.low, max=dial.high, step=0.05 if dial.powers else 1, readout=False,
            tooltip=dial.label, layout=widgets.Layout(width="295px", max_width="98%"),
        )  # fmt: skip
        ends = (10**dial.low, 10**dial.high) if dial.powers else (dial.low, dial.high)

        def place(value: float) -> float:
            """Where a value lies on the slider, in steps."""
            return (math.log10(max(value, ends[0])) if dial.powers else value) / slider.step

        def slid(change: Mapping[str, Any]) -> None:
            if abs(place(change["new"]) - place(number.value)) > 0.51:  # less is the slider rounding what was typed
                number.value = float(f"{change['new']:.2g}")

        def typed(change: Mapping[str, Any]) -> None:
            if abs(place(change["new"]) - place(slider.value)) > 0.51:
                slider.value = min(max(change["new"], ends[0]), ends[1])

        slider.observe(slid, names="value")
        number.observe(typed, names="value")
        return widgets.VBox([number, slider])

    def _make_options(self, workload: Workload) -> None:
        """A box for each option that the tables know; the ones that teach most are ticked."""
        bills, _ = costs.bills(workload, costs.options(self.on), self.on)
        ticked = costs.compared_first(bills)
        self.boxes = {
            row["option"]: widgets.Checkbox(
                value=row["option"] in ticked, indent=False, layout=widgets.Layout(width="auto"),
                description=row["label"] + (f" ({row['mark']})" if row["mark"] else ""),
            )
            for row in bills
        }  # fmt: skip
        menu = [(row["label"], row["option"]) for row in bills]
        first, second = costs.default_pair(bills)
        look = {"style": {"description_width": "initial"}, "layout": widgets.Layout(width="440px", max_width="98%")}
        self.first = widgets.Dropdown(description="Does", options=menu, value=first, **look)
        self.second = widgets.Dropdown(description="pay, compared with", options=menu, value=second, **look)
        for widget in (*self.boxes.values(), self.first, self.second):
            widget.observe(lambda _: self._changed(), names="value")

    def _boxes(self) -> list[widgets.Widget]:
        return list(self.boxes.values())

    # --- answering ---

    def picture(self) -> str:
        """What it says now, and the numbers behind it."""
        rows = "".join(
            f"<tr><td style='text-align:left'>{escape(dial.label)}</td><td>{self.numbers[name].value:,.10g}</td></tr>"
            for name, dial in DIALS.items()
        )
        return (
            f"<p><b>The calculator: run this cell to change these numbers and {len(FIELDS)} more.</b></p>"
            f"{self.sentence.value}<table><tbody>{rows}</tbody></table>"
        )

    def _changed(self) -> None:
        if self._loading:
            return
        try:
            self._answer(self.workload)
        except KitError as error:
            self.sentence.value = f'<div role="status" style="{CARD}"><b>{escape(str(error))}</b></div>'

    def _answer(self, workload: Workload) -> None:
        chosen = [Option.parse(name) for name in self.chosen]
        finding = costs.break_even(workload, *self.pair, self.on)
        table = costs.compare(workload, chosen, self.on) if chosen else None
        cheapest = costs.cheapest([] if table is None else table.to_dict("records"), workload.months)
        old = "" if table is None else table.attrs["age"]
        told = " ".join(filter(None, (old, cheapest, finding.sentence)))
        self.sentence.value = f'<div role="status" style="{CARD}"><b>{escape(told)}</b><br>{CAVEAT}</div>'
        draw(self.chart, cost_curves(workload, chosen, self.pair, self.on))
        self.table.value = "Tick at least one option." if table is None else bill(table, _caption(workload)).data
        self.sure.value = folded("How sure is this?", f"<p>{escape(costs.unsure(workload, self.pair, self.on)[1])}</p>")
        if self.project:
            self.project.change(KEY, self._beside_others)
        self.repicture()

    def _beside_others(self, before: dict[str, Any]) -> dict[str, Any]:
        """What to keep: this state first, then the newest of each other workload that a cell gave."""
        others = [one for one in _states(before) if one.get(BEGAN) not in (None, self._began)][:MOST]
        kept = self.state() | {BEGAN: self._began}
        return kept | {OTHERS: others} if others else kept

    # --- keeping ---

    def _try(self, action: Callable[[], Any]) -> None:
        """Run an action of a button; what goes wrong becomes a sentence beside it."""
        try:
            self.said.value = escape(action() or "")
        except (KitError, OSError, ValueError) as error:
            self.said.value = f"<span role='status'>{escape(str(error))}</span>"

    def _save(self) -> str:
        write_atomically(Path(self.file.value), json.dumps(self.state(), indent=1) + "\n")
        return f"saved to {Path(self.file.value).resolve()}"

    def _load(self) -> str:
        self.set_state(json.loads(Path(self.file.value).read_text(encoding="utf-8")))
        return f"loaded from {self.file.value}"


def _states(latest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The states that a project keeps, one for each workload that a cell gave; the latest first."""
    own = {name: value for name, value in latest.items() if name != OTHERS}
    return [own, *latest.get(OTHERS, [])] if own else []


def _begin(workload: Workload | None, kept: list[dict[str, Any]]) -> tuple[dict | None, dict | None]:
    """The workload that the panel counts as begun with, and the kept state to go on with, if there is one."""
    if workload is None:
        latest = next(iter(kept), None)
        return (latest or {}).get(BEGAN), latest
    given = workload.to_dict()
    return given, next((one for one in kept if one.get(BEGAN) == given), None)


def _from_project(project: Project | None) -> Workload:
    """What the project tells: its files, and the checklist's answer on calls; the rest is the sample shop's."""
    splits = (project.get("splits") if project else None) or {}
    try:
        found = Workload.from_files(splits["train"]["path"], splits.get("validation", {}).get("path"))
    except (KeyError, OSError, KitError):  # none there, or they cannot be counted
        found = Workload()
    answered = (project.get("checklist") if project else None) or {}
    calls = [CALLS[answers["volume"]] for answers in answered.values() if answers.get("volume") in CALLS]
    return replace(found, calls_per_month=calls[-1]) if calls else found


def _caption(workload: Workload) -> str:
    return f"The whole bill over {workload.months:g} months, in USD, its largest parts first"
