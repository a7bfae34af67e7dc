"""One look for every chart: palette, template, and the figure that each view starts from.

A chart states its finding in the title and says how to read it in one sentence below. Both are plain text given by the
caller: they are escaped here, because readers' own labels and names end up in them. In a notebook the two stand above
the chart as text of the page, which wraps where the page is narrow; a chart that is exported carries them itself.
Charts are drawn in dark ink on white, for a printed page and GitHub; a style sheet that comes with them turns this
round in JupyterLab's dark theme.
"""

from __future__ import annotations

import textwrap
from html import escape
from typing import Any

import plotly.graph_objects as go
import plotly.io
from IPython.display import HTML, display

from helpers.show.html.elements import PRINTED, literal

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color/): told apart with any colour vision. These four also have
# at least 3:1 contrast on white; every chart adds a shape, a dash or a pattern to the colour.
BLUE, VERMILION, GREEN, INK = "#0072B2", "#D55E00", "#007A59", "#1F2328"
GREY, GRID, PAPER = "#5B6570", "#DFE3E8", "#FFFFFF"
SERIES = (BLUE, VERMILION, GREEN, INK)
SHAPES = ("circle", "diamond", "square", "triangle-up")
DASHES = ("solid", "dash", "dot", "dashdot")
PATTERNS = ("", "/", ".", "x")

CELL_FAINT, CELL_BLUE, CELL_ORANGE = "#EEF2F6", "#55A0CA", "#DC8A4A"
"""Cells of a heatmap: empty (it has to be seen on a white chart), and full. Full ones are light enough for black
figures and, turned round by the dark theme, dark enough for white ones."""
CELL_TEXT = "#000000"

_AXIS = dict(gridcolor=GRID, linecolor=GREY, zerolinecolor=GRID, ticks="outside", tickcolor=GREY, automargin=True)
TEMPLATE = go.layout.Template(
    layout=dict(
        font=dict(family="system-ui, Segoe UI, Helvetica, Arial, sans-serif", size=13, color=INK),
        paper_bgcolor=PAPER,
        plot_bgcolor=PAPER,
        colorway=SERIES,
        xaxis=_AXIS,
        yaxis=_AXIS,
        hoverlabel=dict(bgcolor=PAPER, bordercolor=GREY, font_color=INK),
        legend=dict(orientation="h", yanchor="bottom", y=1.0, x=0, xanchor="left", bgcolor="rgba(0,0,0,0)"),
        modebar=dict(bgcolor=PAPER, color=GREY, activecolor=INK),
    )
)

_TITLE_LETTERS, _SENTENCE_LETTERS = 60, 84  # what fits on one line of a chart 520 pixels wide: a page of 760
_TITLE_SIZE, _SENTENCE_SIZE, _LINE = 16, 12.5, 1.35
_ABOVE_THE_PLOT = 20
"""Pixels between an exported chart's words and its plot, which a page does not need."""

CONFIG = {"responsive": True, "displayModeBar": False}
"""How plotly draws in a page: as wide as the cell, without a toolbar over the title."""

_DARK = "body[data-jp-theme-light=false] .jp-RenderedPlotly"
STYLE = (
    "<style>.jp-RenderedPlotly .plot-img { max-width: 100%; height: auto; }"  # JupyterLab's picture of a saved chart
    f"{_DARK} .svg-container, {_DARK} .plot-img {{ filter: invert(1) hue-rotate(180deg); }}"  # the hues stay
    f"{_DARK} .main-svg, {_DARK} .bg:not(.annotation *) "  # what is written over lines keeps its ground
    "{ background: transparent !important; fill: transparent !important; }"
    f"{_DARK} .plot-img {{ mix-blend-mode: screen; }}"
    f"{PRINTED}"
    "@media (max-width: 480px) { .jp-RenderedPlotly { zoom: .6; } }</style>"  # on a telephone: smaller, and whole
)
"""For JupyterLab's dark theme and narrow pages. An output that JupyterLab does not trust has no style: its charts stay
white."""


class Chart(go.Figure):
    """A figure that is as wide as its cell, has no toolbar, and follows JupyterLab's theme."""

    def _ipython_display_(self) -> None:
        words, drawing = on_page(self)
        display(HTML(words))
        plotly.io.show(drawing, config=CONFIG, validate=False)


def figure(title: str, sentence: str, *, x: str, y: str, height: int = 360, legend: bool = False) -> Chart:
    """An empty chart with its words in place.

    Args:
        title: the finding, one plain sentence.
        sentence: how to read the chart; shown below the title and kept in ``layout.meta["sentence"]``.
        x: title of the horizontal axis, with its unit.
        y: title of the vertical axis, with its unit.
        height: of the plotting area and its axes, in pixels; room for the words is added.
        legend: whether to leave room for a legend above the plot.
    """
    title_lines = textwrap.wrap(title, _TITLE_LETTERS) or [""]
    sentence_lines = textwrap.wrap(sentence, _SENTENCE_LETTERS) or [""]
    words = int(_LINE * (_TITLE_SIZE * len(title_lines) + _SENTENCE_SIZE * len(sentence_lines)))
    top = 34 + words + (22 if legend else 0)
    return Chart(
        layout=dict(
            template=TEMPLATE,
            title=dict(
                text="<br>".join(map(plain, title_lines)),
                subtitle=dict(text="<br>".join(map(plain, sentence_lines)), font=dict(size=_SENTENCE_SIZE, color=GREY)),
                font_size=_TITLE_SIZE,
                x=0,
                xref="container",
                xanchor="left",
                y=1,
                yref="container",
                yanchor="top",
                pad=dict(t=12 if len(title_lines) == 1 else 25, l=12),  # plotly moves a title of several lines up
            ),
            xaxis_title_text=plain(x),
            yaxis_title_text=plain(y),
            height=height + words,
            margin=dict(t=top, l=12, r=24, b=56),
            showlegend=legend,
            meta={"sentence": sentence, "words": words},
        )
    )


def on_page(chart: go.Figure) -> tuple[str, dict[str, Any]]:
    """A chart from :func:`figure` for a page: its words as HTML, and plotly's JSON of the drawing without them."""
    drawing, meta = chart.to_plotly_json(), chart.layout.meta
    said = drawing["layout"].pop("title")["text"].replace("<br>", " ")  # escaped by ``figure``
    drawing["layout"]["margin"]["t"] -= meta["words"] + _ABOVE_THE_PLOT
    drawing["layout"]["height"] -= meta["words"] + _ABOVE_THE_PLOT
    title = f'<p style="margin:8px 0 2px;font-size:1.15em;line-height:1.3"><b>{said}</b></p>'
    sentence = f'<p style="margin:0;line-height:1.35">{escape(meta["sentence"])}</p>'
    height = drawing["layout"]["height"]
    room = (  # the window may get another size while the cell is scrolled away: plotly then finds no height to fill
        f"<style>.jp-OutputArea-child:has(.kit-chart-{height}) + .jp-OutputArea-child .jp-RenderedPlotly "
        f"{{ min-height: {height}px; }}</style>"
    )
    words = f'<div class="kit-chart kit-chart-{height}">{title}{sentence}</div>'
    return STYLE + literal(room + words), drawing


def plain(text: object) -> str:
    """Text that a chart shows as it is: plotly reads ``<b>``, ``<a href>``, entities, and formulas between dollars."""
    return escape(str(text), quote=False).replace("$", "&#36;")


def shorten(text: object, letters: int = 40) -> str:
    """At most so many letters, the rest as an ellipsis; escaped.

    Args:
        text: of any type; its white space is folded.
        letters: the most that are left.
    """
    text = " ".join(str(text).split())
    return plain(text if len(text) <= letters else text[: letters - 1].rstrip() + "…")


def wrapped(text: object, letters: int = 34) -> str:
    """A name beside a chart: on two lines at most where it is long, then an ellipsis; escaped.

    Args:
        text: of any type.
        letters: the most on one line.
    """
    return "<br>".join(map(plain, textwrap.wrap(str(text), letters, max_lines=2, placeholder=" …")))
