"""Small tools for tests that look at a page: a value from its kernel, and a screenshot."""

from __future__ import annotations

import json
import os
from pathlib import Path

KERNEL = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"


def kernel_value(page, expression: str):
    """The JSON value of a Python expression in the notebook's kernel."""
    code = f"import json as _json; print(_json.dumps({expression}))"
    said = page.evaluate(
        f"""code => new Promise(resolve => {{
          const asked = {KERNEL}.requestExecute({{code, store_history: false}});
          let said = '';
          asked.onIOPub = ({{content}}) => {{ said += content.text ?? (content.traceback ?? []).join('\\n'); }};
          asked.done.then(() => resolve(said));
        }})""",
        code,
    )
    return json.loads(said)


def shot(page, name: str) -> Path:
    """A screenshot below ``$KIT_SCREENSHOTS`` (or the system's temporary folder), for a person to look at."""
    folder = Path(os.environ.get("KIT_SCREENSHOTS") or Path(os.environ.get("TMPDIR", "/tmp")) / "kit-screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
    return folder / f"{name}.png"


def to_cell(page, at: int) -> str:
    """Bring a cell to the top of the page; returns its selector."""
    page.evaluate("at => window.jupyterapp.shell.currentWidget.content.scrollToItem(at, 'start')", at)
    cell = f".jp-Cell[data-windowed-list-index='{at}']"
    page.locator(cell).wait_for()
    page.wait_for_timeout(500)
    return cell


CUT = """cell => {
  const outputs = document.querySelector(cell).querySelectorAll('.jp-OutputArea-output'), found = [];
  for (const output of outputs) {
    for (const one of output.querySelectorAll('.kit-panel, .kit-panel *, .kit-chart *, .js-plotly-plot')) {
      if (!one.offsetParent || one.closest('[role=group][tabindex]')) continue;
      if (one.scrollWidth > one.clientWidth + 1 && /auto|scroll|hidden|clip/.test(getComputedStyle(one).overflowX)
          && one.clientWidth && !/input|textarea/i.test(one.tagName)) found.push(one.outerHTML.slice(0, 200));
    }
    const frame = output.getBoundingClientRect();
    for (const text of output.querySelectorAll('.js-plotly-plot text')) {
      const box = text.getBoundingClientRect();
      const plot = text.closest('[clip-path]') ? text.closest('.js-plotly-plot').querySelector('.nsewdrag') : null;
      const room = plot?.getBoundingClientRect() ?? frame;
      const sheet = text.closest('.main-svg').getBoundingClientRect();
      if (box.width && (box.left < room.left - 2 || box.right > room.right + 2
          || box.top < sheet.top - 2 || box.bottom > sheet.bottom + 2)) found.push(text.textContent);
    }
  }
  return found;
}"""
"""What of a cell's outputs is cut, or can be scrolled sideways; a bill, which is a region, may be."""

BROKEN = """cell => {
  const found = [];
  for (const one of document.querySelector(cell).querySelectorAll('.jp-OutputArea-output :is(td, th, .kit-caption)')) {
    const texts = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) for (const word of texts.currentNode.data.matchAll(/(?<!\\w)\\w{2,24}(?!\\w)/g)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) found.push(word[0]);
    }
  }
  return found;
}"""
"""Words and numbers of a cell's tables that go on in the next line; a commit's 40 digits may."""

EVERY_CELL = """async () => {
  const panel = document.querySelector('.jp-Notebook .jp-WindowedPanel-outer, .jp-Notebook');
  const seen = {formulas: [], hidden: [], charts: 0};
  for (let at = 0; at <= panel.scrollHeight; at += 500) {
    panel.scrollTop = at;
    await new Promise(resolve => setTimeout(resolve, 150));
    document.querySelectorAll('mjx-container').forEach(one => seen.formulas.push(
      one.closest('.jp-OutputArea-output, .jp-MarkdownOutput')?.textContent.slice(0, 200)));
    document.querySelectorAll('.js-plotly-plot').forEach(chart => {
      seen.charts += 1;
      // above the chart as text of the page; in outputs of before that, in the chart itself
      const words = chart.closest('.jp-OutputArea')?.querySelector('.kit-chart b');
      const title = words ?? chart.querySelector('.gtitle');
      if (!title || getComputedStyle(title).display === 'none' || !title.getBoundingClientRect().width)
        seen.hidden.push(chart.layout?.title?.text);
    });
  }
  return {formulas: [...new Set(seen.formulas)], hidden: [...new Set(seen.hidden)], charts: seen.charts};
}"""
"""Prices that turned into formulas and charts whose title is not to be seen, over the whole notebook."""
