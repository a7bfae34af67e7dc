"""Accessibility by axe-core: what of the readers' side of a page breaks a rule, in words."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe

OUTPUTS = ".jp-OutputArea-output"
"""What the kit shows in JupyterLab; the rest of that page is JupyterLab's own."""


def violations(page, within: str | None = None) -> list[str]:
    """What breaks a rule of axe-core's (best practices too) in the page, or in the parts that a selector names."""
    found = Axe().run(page, within).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:300]} ({'; '.join(one['message'] for one in node['any'] + node['all'])})"
        for rule in found
        for node in rule["nodes"]
    ]
