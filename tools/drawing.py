"""Cards and lines of text as SVG that reads on a light page and on a dark one: every text stands on a card."""

from __future__ import annotations

import re
from html import escape

WIDTH = 760

LIGHT = {
    "card": ("#F3F5F8", "#C5CCD5"),
    "good": ("#E2F3EB", "#007A59"),
    "poor": ("#FBEADF", "#D55E00"),
    "plain": ("#E3EFF7", "#0072B2"),
    "here": ("#0072B2", "#0072B2"),
}
DARK = {
    "card": ("#22272E", "#4A535E"),
    "good": ("#123329", "#3FB68E"),
    "poor": ("#43240F", "#F0893E"),
    "plain": ("#12304A", "#56A8DC"),
    "here": ("#0072B2", "#56A8DC"),
}
INK = {"ink": ("#1F2328", "#E6EDF3"), "soft": ("#4A535E", "#B4BEC9"), "right": ("#006347", "#6FD3AE")}
INK |= {"wrong": ("#A34400", "#FFB07A"), "white": ("#FFFFFF", "#FFFFFF")}
SANS = 'system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif'
MONO = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace'


class Drawing:
    """Cards, lines and text in a frame that is as tall as what is drawn into it."""

    def __init__(self, width: int = WIDTH) -> None:
        self.parts: list[str] = []
        self.width, self.height = width, 0.0

    def card(self, x: float, y: float, width: float, height: float, kind: str = "card", radius: int = 8) -> None:
        """A rounded box with the fill and edge of its kind."""
        self.parts.append(
            f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}"/>'
        )
        self.height = max(self.height, y + height + 2)

    def text(self, x: float, y: float, words: str, look: str = "ink", *, size: int = 13, middle: bool = False) -> None:
        """One line of text, its baseline at y."""
        anchor = ' text-anchor="middle"' if middle else ""
        self.parts.append(f'<text class="{look}" x="{x:g}" y="{y:g}" font-size="{size}"{anchor}>{escape(words)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, *, arrow: bool = True) -> None:
        """A line, with an arrow's head at its end."""
        head = ' marker-end="url(#tip)"' if arrow else ""
        self.parts.append(f'<path class="line" d="M{x1:g} {y1:g}L{x2:g} {y2:g}"{head}/>')

    def svg(self, title: str, description: str) -> str:
        """The whole file, with a title and a description for those who cannot see it."""
        height = round(self.height)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{height}" '
            f'viewBox="0 0 {self.width} {height}" '
            f'role="img" aria-labelledby="title desc">\n<title id="title">{escape(title)}</title>\n'
            f'<desc id="desc">{escape(description)}</desc>\n<style>{STYLE}</style>\n'
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0L8 4L0 8z" fill="#7B8794"/></marker></defs>\n' + "\n".join(self.parts) + "\n</svg>\n"
        )


def _style() -> str:
    light = "".join(f".{kind}{{fill:{fill};stroke:{edge}}}" for kind, (fill, edge) in LIGHT.items())
    dark = "".join(f".{kind}{{fill:{fill};stroke:{edge}}}" for kind, (fill, edge) in DARK.items())
    light += "".join(f".{name}{{fill:{day}}}" for name, (day, _) in INK.items())
    dark += "".join(f".{name}{{fill:{night}}}" for name, (_, night) in INK.items())
    base = f"text{{font-family:{SANS}}}.mono{{font-family:{MONO};white-space:pre}}.bold{{font-weight:600}}"
    line = ".line{fill:none;stroke:#7B8794;stroke-width:1.6}"
    return f"{base}{line}{light}@media (prefers-color-scheme:dark){{{dark}}}"


STYLE = _style()


def wrapped(text: str, letters: int, most: int) -> list[str]:
    """Lines of at most so many letters, broken anywhere for want of a blank; what is cut off is marked."""
    lines = [""]
    for word in re.findall(r"\S+\s*", text.replace("\n", "⏎ ")):
        while len(word.rstrip()) > letters:
            room = letters - len(lines[-1])
            lines[-1] += word[:room]
            lines.append("")
            word = word[room:]
        if len(lines[-1]) + len(word.rstrip()) > letters:
            lines.append("")
        lines[-1] += word
    lines = [line.rstrip() for line in lines]
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][: letters - 2].rstrip() + " …"]
