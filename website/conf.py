"""Sphinx's settings for the site: see ``build.py``."""

import json
from pathlib import Path

DATED = json.loads((Path(__file__).parent / "dated.json").read_text(encoding="utf-8"))

project = "Prompt or fine-tune?"
author = "the kit's authors"
extensions = ["myst_nb"]
exclude_patterns = ["_extra", "_static", "_templates"]
templates_path = ["_templates"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # some lessons step from a title to a small heading
language = "en"

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_extra_path = ["_extra"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_sidebars = {name: [] for name in ("index", "providers", "records", "measurements", "notebooks/glossary")}
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it would fetch pages, which a folder's pages may not
html_context = {"dated": DATED, "default_mode": "auto"}
html_theme_options = {
    "logo": {"text": project},
    "navbar_center": ["navbar-nav"],
    "navbar_end": ["decide-link", "theme-switcher"],
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["dated"],
    "footer_end": [],
    "show_prev_next": True,
    "back_to_top_button": False,
    "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
