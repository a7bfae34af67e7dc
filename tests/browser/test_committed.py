"""The committed lessons as a reader first sees them in JupyterLab: nothing is garbled, no title is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pages import EVERY_CELL, shot

pytestmark = pytest.mark.browser

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(path for path in NOTEBOOKS.rglob("*.ipynb") if not path.name.startswith("my_"))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_no_price_turns_into_a_formula_and_no_title_is_lost(lesson, lab, open_page):
    shutil.copy(lesson, lab[2] / lesson.name)
    page = open_page(lesson.name)
    seen = page.evaluate(EVERY_CELL)
    shot(page, f"committed_{lesson.stem}")
    assert seen["formulas"] == []
    assert seen["hidden"] == []


def test_prices_in_every_kind_of_view_stay_prices(open_notebook):
    page = open_notebook(
        "import pandas as pd\nfrom helpers import costs, facts, providers, show\n"
        "show.provider_page(providers.page(facts.today()), caption='Open at $1 or $2')",
        "show.say('It costs $1.70 per hour; of ten, nine: $4.05.', 'Or $3 and $4.')",
        "show.table(pd.DataFrame({'price': ['$5 and $6']}), 'From $7 to $8')",
        "show.training_sums(costs.article_training())",
        "show.bill(costs.compare(costs.Workload()))",
        "show.calculator()",
    )
    page.locator(".kit-calculator .js-plotly-plot .main-svg").first.wait_for()
    page.wait_for_timeout(3000)  # MathJax comes late
    seen = page.evaluate(EVERY_CELL)
    assert seen["formulas"] == [] and seen["hidden"] == [] and seen["charts"] > 0
    assert page.get_by_role("listitem").filter(has_text="$1.70 per hour; of ten, nine: $4.05.").count() == 1
