"""Every link and every file that a built site names, looked up in its folder. Nothing is fetched."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
"""What a browser fetches by itself, as against what a reader follows."""


class _Page(HTMLParser):
    """The anchors of a page, and what it names: tag, attribute and address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.named: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.named.append((tag, name, value))


def broken(site: Path) -> list[str]:
    """Each link that leads nowhere, and each thing that a page would fetch from elsewhere, as a sentence."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in sorted(pages.items()):
        for tag, attribute, address in dict.fromkeys(page.named):
            problem = _problem(site, path, pages, (tag, attribute) in LOADS, address)
            if problem:
                found.append(f"{path.relative_to(site)}: <{tag} {attribute}={address[:120]!r}> {problem}")
    return found


def _problem(site: Path, page: Path, pages: dict[Path, _Page], loads: bool, address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme == "data" or (parts.scheme in ("http", "https", "mailto") and not loads):
        return ""
    if parts.scheme or address.startswith("/"):
        return "would be fetched from elsewhere" if loads else "leads out of the folder"
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_relative_to(site.resolve()) or not target.is_file():
        return "is not there"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors and not _is_state(target, anchor):
        return "names no place on that page"
    return ""


def _is_state(target: Path, anchor: str) -> bool:
    """The decision page keeps a decision where others keep the name of a place."""
    return target.name == "decide.html" and anchor.startswith("v=")
