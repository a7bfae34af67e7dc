"""Every panel in a real JupyterLab in a real Chromium, by mouse and by keyboard alone."""

from __future__ import annotations

import json
import re

import pytest
from pages import kernel_value, shot

pytestmark = pytest.mark.browser

START = "from helpers import show\nfrom helpers.project import Project\n"


def tab_to(page, role: str, name: str, most: int = 80, within=None) -> None:
    """Press Tab until the control with this role and accessible name has the focus."""
    wanted = (within or page).get_by_role(role, name=name, exact=True)
    for _ in range(most):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{role} {name!r} cannot be reached with the Tab key")


def into_outputs(page) -> None:
    """Put the focus on the first control of the cell's output, once JupyterLab's shortcuts leave it alone there."""
    page.wait_for_timeout(1500)  # a cold JupyterLab may still move the focus by itself
    page.wait_for_function("""() => {
        const controls = '.jp-OutputArea-output :is(input, select, button)';
        const first = [...document.querySelectorAll(controls)].find(control => control.offsetParent);
        first.blur(), first.focus();
        return first.hasAttribute('data-lm-suppress-shortcuts');
    }""")


def unnamed_controls(page) -> list[str]:
    """Controls in the outputs for which a screen reader would have no name (whatever JupyterLab calls them)."""
    found = []
    for role in ("combobox", "spinbutton", "slider", "textbox", "button", "checkbox", "radio", "radiogroup"):
        for control in page.locator(".jp-OutputArea-output").get_by_role(role).all():
            line = control.aria_snapshot().splitlines()[0]
            if '"' not in line:
                found.append(line)
    return found


def test_checklist_by_keyboard(open_notebook):
    page = open_notebook(START + "panel = show.checklist(Project('keys'), answers={'gap': 'behaviour'}); panel")
    status = page.locator(".jp-OutputArea-output [role=status]")
    status.wait_for()
    untouched = page.get_by_role("radiogroup", name="How often does the task change?")
    untouched.wait_for()
    assert untouched.get_by_role("radio", name="Not answered yet").is_checked(), "an open question says so"
    shot(page, "checklist_light")
    assert unnamed_controls(page) == []

    clear = page.get_by_role("radiogroup", name="Is it clear what a good answer is?")
    into_outputs(page)
    tab_to(page, "radio", "Not answered yet", within=clear)
    before = status.inner_text()
    why = page.get_by_text("Why this is asked").nth(1)
    why.click()
    opened = page.get_by_text("a tuned model has learned yesterday's opinion")
    clear.get_by_role("radio", name="Not answered yet").focus()
    page.keyboard.press("ArrowUp")  # clear
    page.wait_for_function(
        "before => document.querySelector('.jp-OutputArea-output [role=status]').innerText !== before", arg=before
    )
    assert kernel_value(page, "Project('keys').get('checklist')") == {
        "first": {"gap": "behaviour", "good_output": "clear"}
    }
    assert opened.is_visible(), "what the reader has opened stays open when the answer changes"

    page.get_by_role("button", name="Next: What prompting has done so far").focus()
    page.keyboard.press("Enter")
    page.get_by_role("radiogroup", name="How do you know whether a change made the answers better?").wait_for()
    assert not clear.is_visible()
    assert page.locator(".kit-checklist [role=status]").is_visible(), "the verdict stays in view"
    page.get_by_role("button", name="The task: 3 open").focus()
    page.keyboard.press("Enter")
    clear.wait_for()

    page.get_by_role("textbox", name="New name").fill("a stable task")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    clear.get_by_role("radio", name="Not yet").check()
    page.get_by_text("Your decisions side by side").wait_for()
    assert kernel_value(page, "sorted(Project('keys').get('checklist'))") == ["a stable task", "first"]
    page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_timeout(1500)
    ink = page.locator(".kit-checklist .jupyter-widget-Collapse-header").evaluate("one => getComputedStyle(one).color")
    assert ink == "rgba(255, 255, 255, 0.87)", "JupyterLab's first ink; its second has a contrast of 4.2 here, not 4.5"
    shot(page, "checklist_dark")


def test_every_control_of_the_calculator_changes_the_chart(open_notebook):
    page = open_notebook(START + "panel = show.calculator(project=Project('sums')); panel")
    page.set_viewport_size({"width": 1250, "height": 1700})
    page.wait_for_selector(".kit-calculator .js-plotly-plot .main-svg")
    shot(page, "calculator_untouched")
    page.wait_for_function("document.querySelectorAll('.kit-calculator [role=slider][aria-label]').length > 8")
    assert unnamed_controls(page) == []

    drawn = "() => document.querySelector('.kit-calculator .js-plotly-plot')?._fullData?.map(d => [d.name, [...d.y]])"
    shown = f"() => JSON.stringify([({drawn})(), document.querySelector('.kit-calculator [role=status]').innerText])"

    def changes(act) -> None:
        before = page.evaluate(shown)
        act()
        page.wait_for_function(f"before => ({shown})() !== before", arg=before)

    for slider in page.locator(".kit-calculator [role=slider]").all():
        slider.focus()
        changes(lambda: page.keyboard.press("ArrowRight"))
    calls = page.get_by_role("spinbutton", name="Calls a month")
    changes(lambda: (calls.fill("3000000"), calls.press("Enter")))
    handle = page.get_by_role("slider", name="Calls a month")
    handle.hover()  # waits until the slider has come to rest
    at = handle.bounding_box()
    page.mouse.down()
    changes(lambda: page.mouse.move(at["x"] - 60, at["y"] + at["height"] / 2, steps=4))
    page.mouse.up()
    changes(lambda: page.get_by_role("combobox", name="pay, compared with").select_option(index=2))
    page.get_by_text("Options to compare").click()
    changes(lambda: page.get_by_role("checkbox", name="prompt: GPT-6 Luna, nothing cached").click())
    page.locator("td details summary").first.click()
    assert page.locator("td details a").first.get_attribute("href").startswith("https://")
    page.wait_for_timeout(500)
    shot(page, "calculator_changed")

    page.get_by_role("textbox", name="File").fill("mine.json")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("saved to").wait_for()
    assert kernel_value(page, "Project('sums').get('calculator') == panel.state() | {'began with': None}") is True
    assert kernel_value(page, "__import__('json').load(open('mine.json')) == panel.state()") is True


def test_rater_from_start_to_result_by_keyboard_alone(open_notebook):
    pairs = [[f"Question {i}?", {"tuned": f"answer <b>{i}</b>", "prompted": f"reply {i}"}] for i in range(6)]
    page = open_notebook(START + f"panel = show.rater({json.dumps(pairs)}, 'ratings.json'); panel")
    panel = page.locator(".kit-rater")  # its picture, which is hidden, says the same
    panel.get_by_text("Pair 1 of 6").wait_for()
    assert unnamed_controls(page) == []
    shot(page, "rater")
    into_outputs(page)
    tab_to(page, "textbox", "Type here: 1, 2, 0, space, u")
    for at, key in enumerate("1 20u1"):
        page.keyboard.press("Space" if key == " " else key)
        expected = [1, 2, 3, 4, 3, 4][at]
        panel.get_by_text(f"Pair {expected + 1} of 6").wait_for()
    page.keyboard.press("1")
    panel.get_by_text("Pair 6 of 6").wait_for()
    page.keyboard.press("2")
    panel.get_by_text("All 6 pairs are rated").wait_for()
    assert "Sign test" in panel.locator("[role=status]").inner_text()
    shot(page, "rater_result")
    assert kernel_value(page, "panel.rating.choices") == ["first", "skip", "second", "first", "first", "second"]
    assert kernel_value(page, "show.rater(panel.rating.pairs, 'ratings.json').rating.done") is True


def test_charts_tables_and_marks_in_both_themes(open_notebook):
    cells = [
        START + "import pandas as pd, numpy as np\nsteps = pd.Series(range(1, 91))\n"
        "curve = pd.DataFrame({'step': steps, 'train_loss': 2 * np.exp(-steps / 20) + .3})\nshow.loss(curve)",
        "from helpers.records import Example\n"
        "show.what_the_model_sees(Example(({'role': 'user', 'content': 'Where is <b>it</b>?'},"
        " {'role': 'assistant', 'content': '{}'})))",
        "show.table(pd.DataFrame({'name': ['<b>a</b>', 'b'], 'rows': [1200, 3]}), 'Rows by <i>name</i>')",
    ]
    page = open_notebook(*cells, theme="JupyterLab Dark")
    page.wait_for_selector(".js-plotly-plot .main-svg")
    shown = page.locator(".jp-OutputArea-output pre", has_text="Where is <b>it</b>?")
    shown.wait_for()
    assert shown.locator("b").count() == 0
    assert page.get_by_role("group", name="Rows by <i>name</i>").is_visible()
    assert page.get_by_role("columnheader", name="rows").is_visible()
    page.wait_for_timeout(500)
    shot(page, "charts_dark")


def test_a_real_job_is_watched_live_and_left_by_interrupting(open_notebook):
    page = open_notebook(
        START + "import json, pathlib\nfrom helpers import jobs, providers\n"
        "words = 'one two three four five six seven eight nine ten eleven twelve'.split()\n"
        "rows = [{'messages': [{'role': 'user', 'content': f'say {w}'}, {'role': 'assistant', 'content': w}]} "
        "for w in words]\n"
        "pathlib.Path('train.jsonl').write_text(''.join(json.dumps(row) + '\\n' for row in rows))\n"
        "client = providers.connect('local')\n"
        "job = jobs.start(client, jobs.upload(client, 'train.jsonl').id,\n"
        "                 hyperparameters={'n_epochs': 25, 'batch_size': 2})",
        "job = show.watch(client, job.id, every=0.5, expected=3); job.status",
        "print('the next cell was', 'run')",
        wait_for_cells=1,
    )
    page.get_by_text(re.compile(r"running, step \d+ of 150, loss .* tokens/s")).wait_for()
    page.locator(".jp-OutputArea-output .js-plotly-plot").wait_for()
    shot(page, "watch_live")
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:interrupt-kernel') }")
    page.get_by_text("come back to it anywhere with: show.watch(client").wait_for()
    page.wait_for_timeout(1000)
    shot(page, "watch_left")
    assert page.get_by_text("the next cell was run").count() == 0
    assert page.get_by_text("Traceback").count() == 0 and page.get_by_text("StopHere").count() == 0
    assert kernel_value(page, "jobs.look(client, job.id).job.status") in ("running", "queued", "succeeded")
    kernel_value(page, "jobs.cancel(client, job.id).status")


SCROLLED = """() => [...document.querySelectorAll('.kit-panel, .kit-panel *')].filter(one =>
  one.scrollWidth > one.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(one).overflowX) && one.offsetParent
).map(one => one.outerHTML.slice(0, 150))"""
CLIPPED = """() => [...document.querySelectorAll('.kit-panel table')].filter(table => table.offsetParent &&
  table.getBoundingClientRect().right > table.closest('.kit-panel').getBoundingClientRect().right + 1
).map(table => table.innerText.slice(0, 150))"""


def test_a_panel_fits_a_narrow_page_says_when_it_is_dead_and_leaves_its_picture(open_notebook):
    page = open_notebook(
        START + "show.checklist(Project('dead'), answers={'gap': 'behaviour'})",
        "show.calculator(project=Project('dead'))",
    )
    page.locator(".kit-calculator .js-plotly-plot .main-svg").first.wait_for()
    page.set_viewport_size({"width": 760, "height": 1400})
    page.wait_for_timeout(1500)
    shot(page, "narrow_checklist")
    page.locator(".kit-calculator").scroll_into_view_if_needed()
    shot(page, "narrow_calculator")
    assert page.evaluate(SCROLLED) == [] and page.evaluate(CLIPPED) == []
    page.get_by_text(re.compile(r"setting up \$[\d.]+, ")).first.wait_for()  # the parts that have no column here
    pictures = page.locator(".kit-picture")
    assert pictures.count() == 2 and not pictures.first.is_visible(), "the panel itself is there"

    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:restart-kernel') }")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    page.locator(".kit-checklist.jupyter-widgets-disconnected").wait_for()
    said = "() => getComputedStyle(document.querySelector('.kit-checklist'), '::before').content"
    assert "The kernel was restarted" in page.evaluate(said)
    shot(page, "panel_dead")

    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1500)
    page.reload()
    page.get_by_text(re.compile(r"The checklist: \d+ questions, 3 minutes. Run this cell")).wait_for()
    page.wait_for_timeout(1000)
    shot(page, "panel_saved")
