"""The record: complete, self-contained, readable in a real browser without a network, and safe with foreign text."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import date
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from decide_cases import cases, measurement, pair

from helpers import costs, show
from helpers.decide import CHOICES, Record, collect, load_record, questions
from helpers.decide.__main__ import main
from helpers.decide.record.record import GLANCE, LESSON_TITLES, _count, titled
from helpers.errors import DecisionError
from helpers.project import Project
from helpers.records import CostForecast, DataGain, DataSummary, Evidence

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = '<script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'">|`**'
CHART = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 200" role="img">
<rect width="400" height="200" fill="#ffffff"/><rect x="40" y="60" width="90" height="120" fill="#0b5394"/>
<rect x="180" y="20" width="90" height="160" fill="#b45f06"/>
<text x="45" y="195" font-size="12">prompted</text><text x="190" y="195" font-size="12">tuned</text></svg>"""


def scenario(name: str):
    return next(case for case in cases() if case.name == name)


def sample_record(question: str = "Should the support desk fine-tune its triage?") -> Record:
    """A full record: every answer, seven rivals, evidence of each kind, the lesson's charts, guesses and versions."""
    case = scenario("the sample journey")
    [tuned] = [one for one in case.evidence.measurements if one.role == "tuned"]
    rivals = [
        measurement("teaching", key=f"rival {n}", model="smollm2-135m-instruct", rows=tuned.rows, score=0.10 + n / 100)
        for n in range(6)
    ]
    evidence = replace(
        case.evidence,
        measurements=(*case.evidence.measurements, *rivals),
        comparisons=(*case.evidence.comparisons, *(pair(tuned, rival, 0.5, 0.4, 0.6) for rival in rivals)),
        cost=CostForecast(0.07, None, "At 20,000 calls a month tuning never pays back its hosting."),
        learning_curve=DataGain(0.03, -0.01, None, "Doubling the rows gains 3 points."),
    )
    table = pd.DataFrame(
        [
            {"candidate": name, "model": model, "role": role, "rows": 200, "score": s, "low": s, "high": 0.8}
            for name, model, s, role in (
                ("tuned, seed 1", "ft:m:a", 0.72, "tuned"), ("tuned, seed 2", "ft:m:b", 0.7, "tuned"),
                *((f"rival {n}", "m", 0.10 + n / 100, "teaching") for n in range(7)),
                ("majority", "", 0.05, "no language model"), ("tf-idf", "", 0.2, "no language model"),
            )
        ]
    ).set_index("candidate")  # fmt: skip
    return Record(
        question=question,
        answers={**case.answers, "worth": "2", "grader": "no", "teacher": "no"},
        evidence=evidence,
        decided_on=case.today,
        guesses=(
            {"question": "Zero-shot accuracy", "guess": "60 %", "result": "22 %"},
            {"question": "After tuning", "guess": "70 %", "result": "77 %"},
            *({"question": f"Guess {n}", "guess": "more", "result": "less"} for n in range(5)),
        ),
        charts=tuple(show.record_charts(table, "all_fields", evidence.comparisons, costs.Workload(), case.today)),
        versions={"test split": "sha256:" + "ab" * 32, "prompts": "sha256:" + "cd" * 32, "kit": "0.1.0"},
    )


def test_counts_in_a_record_have_separators():
    record = sample_record()
    scores = tuple(replace(one, n=12345) for one in record.evidence.measurements)
    pairs = tuple(replace(pair, n=54321) for pair in record.evidence.comparisons)
    large = replace(record.evidence, measurements=scores, comparisons=pairs, data=DataSummary(9876))
    for page in (replace(record, evidence=large).html(), replace(record, evidence=large).markdown()):
        assert all(count in page for count in ("12,345", "54,321", "9,876 training rows"))
        assert not any(count in page for count in ("54321", "9876"))


def test_the_page_says_everything_that_the_record_holds():
    record = sample_record()
    page = re.sub(r"\s+", " ", record.html())
    text = record.markdown()
    verdict = record.verdict
    plain = unescape(page).replace("<wbr>", "")
    for part in (verdict.headline, *verdict.next_steps, *verdict.what_would_change_it, *verdict.not_measured):
        assert titled(part) in plain
    for part in (record.question, "22 %", "Guesses against results", "sha256:" + "ab" * 32, "0.1.0"):
        assert part in page and part in text
    for question in questions().values():
        assert question.text in page.replace("&#39;", "'") and question.text in text.replace("\\", "")
    assert str(record.look_again()[0][0]) in page
    assert all(phrase in page for code, phrase in CHOICES.items() if code != "not_enough")


def test_the_first_box_is_for_a_manager():
    record = sample_record()
    page = unescape(record.html()).replace("<wbr>", "")
    box = page[page.index('<dl class="glance">') : page.index("</dl>")]
    for title in GLANCE:
        assert f"<dt>{title}</dt>" in box and f"**{title}:**" in record.markdown()
    assert record.verdict.headline in box and "Confidence in this advice: high" in box
    assert record.evidence.cost.sentence in box, "what tuning would cost"
    assert "7.0 %" in box, "how probable it is that tuning is cheaper"
    assert "Nobody is named" in box and str(record.look_again()[0][0]) in box
    named = replace(record, decides_next="Head of support").html()
    assert "Head of support, by 2027" in named[: named.index("</dl>")]
    bare = unescape(Record("?", {}, None, record.decided_on).html())
    assert "tuning pays was not computed" in bare[: bare.index("</dl>")]


def test_a_metric_stands_in_words_without_the_version_of_its_rules():
    record = sample_record()
    renamed = [replace(one, metric="rules_and_facts (b3889780)") for one in record.evidence.measurements]
    record = replace(record, evidence=replace(record.evidence, measurements=tuple(renamed), comparisons=()))
    for page in (record.html(), record.markdown()):
        assert "rules and facts, " in page and "b3889780" not in page


def test_waiting_costs_a_host_that_closes():
    case = scenario("a tune at OpenAI")
    [waiting] = [lines for title, lines in Record("?", case.answers, None, case.today).glance() if "waiting" in title]
    assert any("OpenAI" in line and "2027" in line for line in waiting)


def test_a_record_names_lessons_and_questions_by_their_titles():
    record = sample_record()
    lean = replace(record, answers={"gap": "behaviour"})
    for page in (record.html(), record.markdown(), lean.html(), lean.markdown()):
        text = unescape(page).replace("\\", "").replace("<wbr>", "")
        assert not re.search(r"\b0\d_[a-z]|extra/|your_project|all_fields", text)
        assert not re.search(r"\b[a-z]+_[a-z]+\b", re.sub(r"<style>.*?</style>|data:\S+", "", text, flags=re.S))
    assert "lesson 0, “Should you fine-tune at all?”" in unescape(record.html())
    assert "“Is it clear what a good answer is?”" in unescape(lean.html())


def test_titles_of_lessons_are_those_of_the_notebooks():
    folder = Path(__file__).parents[1] / "notebooks"
    for name, title in LESSON_TITLES.items():
        first = json.loads((folder / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"][0]["source"]
        heading = "".join(first).splitlines()[0].removeprefix("# ")
        assert heading.rpartition(" · ")[2] in title


def test_a_glossary_stands_at_the_end():
    page, text = sample_record().html(), sample_record().markdown()
    for term in ("LoRA", "Interval", "Plateau", "Teaching model", "Best per field", "TF-IDF", "Label inside"):
        assert f"<dt>{term}</dt>" in page and f"**{term}**" in text


def test_dates_to_look_again_are_in_the_future_and_name_the_host_that_closes():
    case = scenario("a tune at OpenAI")
    days = Record("?", case.answers, None, case.today).look_again()
    assert all(day >= case.today for day, _ in days)
    assert any("OpenAI" in why for _, why in days)
    assert any("measure again" in why for _, why in days)


def test_the_page_fetches_nothing_and_is_small():
    page = sample_record().html()
    assert len(page.encode()) < 200_000
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:)""", page)
    assert "default-src 'none'" in page and "<script" not in page


def test_hostile_text_stays_text():
    record = replace(
        sample_record(HOSTILE),
        guesses=({"question": HOSTILE, "guess": HOSTILE, "result": HOSTILE},),
        versions={HOSTILE: HOSTILE},
    )
    assert "<script" not in record.html() and "<img src=x" not in record.html()
    text = record.markdown()
    assert "<script" not in text and "<img" not in text
    row = next(line for line in text.splitlines() if line.startswith("| &lt;script"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 4, "a pipe in the text must not make another column"


def test_written_and_loaded_again(tmp_path):
    record = sample_record()
    paths = record.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["record.html", "record.json", "record.md"]
    again = load_record(paths["json"])
    assert again.verdict == record.verdict == again.recorded
    assert again.html() == record.html() and again.markdown() == record.markdown()


def test_run_again_from_the_command_line(tmp_path):
    path = sample_record().write(tmp_path)["json"]
    (tmp_path / "record.html").unlink()
    run = [sys.executable, "-m", "helpers.decide", str(path), "--today", "2026-12-01"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Recorded on 2026-11-23: Keep prompting: measure a stronger prompted model first" in done.stdout
    assert "As of 2026-12-01: the same" in done.stdout
    assert (tmp_path / "record.html").exists()


def test_a_record_whose_verdict_no_longer_stands_says_so(tmp_path):
    path = sample_record().write(tmp_path)["json"]
    content = json.loads(path.read_text(encoding="utf-8"))
    content["verdict"].update(choice="tune_yourself", headline="Fine-tune an open model yourself, because of hope.")
    path.write_text(json.dumps(content), encoding="utf-8")
    record = load_record(path)
    assert "The verdict has changed" in record.html() and "because of hope" in record.html()
    assert "The verdict has changed" in record.markdown()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "not a JSON file"),
        ("[1, 2", "not a JSON file"),
        ("[" * 100_000, "not a JSON file"),
        ("[]", "another kind of file"),
        ('{"kind": "prompt-or-fine-tune answers", "version": 1, "answers": {}}', "another kind of file"),
        ('{"kind": "prompt-or-fine-tune record", "version": 99}', "newer version"),
        ('{"kind": "prompt-or-fine-tune record", "version": 1, "question": "?"}', "damaged record"),
        ('{"kind": "prompt-or-fine-tune record", "version": 1, "answers": {"gap": "x"}, "evidence": null}', "record"),
    ],
)
def test_a_file_that_is_no_record_gives_one_clear_error(tmp_path, capsys, content, says):
    path = tmp_path / "record.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DecisionError, match=says):
        load_record(path)
    assert main([str(path)]) == 2
    assert str(path) in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["record.json"], "no page is written"


def test_the_projects_evidence_is_collected(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    project = Project("shop")
    assert collect(project) == Evidence()
    evidence = sample_record().evidence
    project.set("evidence", json.loads(json.dumps(asdict(evidence))))
    assert collect(project) == evidence
    for damaged in (
        {"vibes": 1},
        {"comparisons": [{"a": "tuned"}]},
        ["list"],
        {"comparisons": [7]},
        {"data": {"x": 1}},
    ):
        project.set("evidence", damaged)
        with pytest.raises(DecisionError, match="'shop' cannot be read"):
            collect(project)


def test_the_record_says_what_it_is_about(tmp_path, monkeypatch):
    """A colleague read “the best prompt: 32 %” and no word about of what."""
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    project = Project("symptoms")
    project.set("source", {"file": "symptoms.csv", "rows": 1200})
    project.keep_task(kind="labels", labels=24, instructions="Name the <b>disease</b>.", chosen=False, reason="")
    record = Record("Prompt or fine-tune: symptoms", {}, collect(project), date(2026, 11, 23))
    page, text = record.html(), record.markdown()
    for part in ("symptoms.csv", "1,200", "labels, 24 of them", "Name the &lt;b&gt;disease"):
        assert part in page[: page.index("<h2>Why")] and part in text[: text.index("## Why")]
    loaded = load_record(record.write(tmp_path)["json"])
    assert loaded.html() == page and loaded.evidence == record.evidence
    project.set("task", {"kind": "text", "instructions": "Answer."})
    assert "free text" in Record("?", {}, collect(project), date(2026, 11, 23)).html(), "kept by an older kit"
    bare = Record("?", {}, collect(Project("sample")), date(2026, 11, 23))
    assert "What it is about" not in bare.html() + bare.markdown()


def test_a_chart_that_cannot_be_shown_and_a_page_that_is_too_large_are_refused():
    record = sample_record()
    with pytest.raises(DecisionError, match="Chart 1"):
        replace(record, charts=({"title": "No picture", "text": "…"},)).html()
    huge = {"title": "Huge.", "text": "Too large.", "html": "<p>" + "x" * 6_100_000 + "</p>"}
    with pytest.raises(DecisionError, match="too large"):
        replace(record, charts=(huge,)).html()


# ------------------------------------------------------------------------------------------- a real browser

CONTRAST = """() => {
  const lum = c => { const [r,g,b] = c.map(v => { v/=255; return v<=0.03928 ? v/12.92 : ((v+0.055)/1.055)**2.4 });
                     return 0.2126*r + 0.7152*g + 0.0722*b };
  const parse = s => s.match(/[\\d.]+/g).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
                        if (c.length < 4 || c[3] > 0) return c.slice(0,3) } return [255,255,255] };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || e.tagName === 'STYLE') continue;
    const a = lum(parse(getComputedStyle(e).color).slice(0,3)), b = lum(ground(e));
    const text = walker.currentNode.textContent.trim().slice(0,40);
    found.push({text, ratio: (Math.max(a,b)+0.05)/(Math.min(a,b)+0.05)});
  }
  return found }"""


BROKEN = """() => {
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest('code, style')) continue;  // a hash is no word
    for (const word of node.textContent.matchAll(/[\\p{L}\\p{N}_]+/gu)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (range.getClientRects().length > 1) found.push(word[0]);
    }
  }
  return found }"""


@pytest.fixture
def browser():
    if not CHROMIUM.exists():
        pytest.skip("no Chromium on this machine: the record was not looked at in a browser")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


def opened(browser, path: Path):
    """The page opened with the network off; what the console said and what it tried to fetch."""
    context = browser.new_context(offline=True, viewport={"width": 1000, "height": 1400})
    page, said, fetched = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    return page, said, [url for url in fetched if not url.startswith(("file:", "data:", "about:"))]


@pytest.mark.browser
def test_the_record_in_a_real_browser_without_a_network(browser, tmp_path):
    page, said, fetched = opened(browser, sample_record().write(tmp_path)["html"])
    assert said == [] and fetched == []
    if os.environ.get("KIT_SCREENSHOTS"):
        page.screenshot(path=Path(os.environ["KIT_SCREENSHOTS"]) / "record.png", full_page=True)
    assert page.locator("h1").inner_text() == "Should the support desk fine-tune its triage?"
    assert page.locator("img").evaluate_all("images => images.every(i => i.complete && i.naturalWidth > 0)")
    for width in (1280, 760, 390):
        page.set_viewport_size({"width": width, "height": 1400})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"at {width} pixels"
        assert page.evaluate(BROKEN) == [], f"words broken in the middle at {width} pixels"
    ratios = page.evaluate(CONTRAST)
    assert len(ratios) > 100
    assert [one for one in ratios if one["ratio"] < 4.5] == []
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True)))
    assert 1 <= pages <= 4


@pytest.mark.browser
def test_nothing_in_a_hostile_record_runs_on_the_page(browser, tmp_path):
    act = f"<script>{'try{parent.document.title=`owned`}catch(e){}'};document.body.dataset.ran='yes'</script>"
    charts = (
        {"title": HOSTILE, "text": HOSTILE, "svg": CHART.replace("</svg>", act + "</svg>")},
        {"title": "Interactive.", "text": "A sandboxed frame.", "html": f"<p id='inside'>chart</p>{act}"},
    )
    record = replace(sample_record(HOSTILE), charts=charts, versions={HOSTILE: HOSTILE})
    page, _, fetched = opened(browser, record.write(tmp_path)["html"])
    assert page.title() == f"Decision record: {HOSTILE}" and fetched == []
    assert page.evaluate("document.body.dataset.ran") is None
    frame = page.frame_locator("iframe")
    assert frame.locator("#inside").inner_text() == "chart"
    assert frame.locator("body").evaluate("b => b.dataset.ran") == "yes", "an interactive chart may run in its frame"


@pytest.mark.browser
def test_a_record_without_any_evidence_still_opens(browser, tmp_path):
    record = Record("Nothing known yet", {}, None, date(2026, 11, 23))
    page, said, _ = opened(browser, record.write(tmp_path)["html"])
    assert said == [] and "Not enough to say yet" in page.locator(".verdict").inner_text()


def test_only_whole_numbers_get_separators():
    assert [_count(one) for one in (12_345, True, "12345", 0.5)] == ["12,345", True, "12345", 0.5]
