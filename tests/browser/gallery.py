"""Every view of ``helpers.show`` in cells that a notebook runs: the tests of looks go through them."""

from __future__ import annotations

from pathlib import Path

import test_errors
import test_review
import test_voice

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"

START = f"""
import json, numpy as np, pandas as pd
from pathlib import Path
from helpers import costs, data, decide, facts, providers, show
from helpers.project import Project
SAMPLE = Path({str(SAMPLE)!r})
project = Project("gallery")
"""

PANELS = {
    "checklist": "show.checklist(project, answers=decide.load(SAMPLE / 'triage' / 'checklist.json').answers)",
    "calculator": "show.calculator(project=project)",
    "rater": "show.rater([(f'question {i}', {'a': f'one {i}', 'b': f'two {i}'}) for i in range(60)], None)",
    "review": test_review.START,
    "errors": test_errors.START + "errors = show.errors(results, 'tuned, seed 1', rows, None); errors",
    "writer": test_voice.DESK,
}
"""A panel's name (its CSS class without ``kit-``) to the cell that shows it."""

ENDS = {
    "errors, at its end": "panel = show.errors(results, 'tuned, seed 1', rows, None)\n"
    "panel.tag('dent is no return'); panel.press(' 1 1 '); panel.tag('too urgent'); panel.press(' 2 2e'); panel",
    "rater, at its end": "rated = show.rater([(f'q {i}', {'a': 'one', 'b': 'two'}) for i in range(6)], None)\n"
    "rated.press('112012'); rated",
    "checklist, two decisions": "project.set('checklist', {'first': {'gap': 'behaviour', 'effort': 'days'},\n"
    "  'with policies': {'gap': 'knowledge', 'effort': 'days'}})\nshow.checklist(project)",
}
"""Panels in another state than their first."""

VIEWS = {
    "provider page": "today = facts.today()\n"
    "show.provider_page(providers.page(today), caption=f'Who trains for whom, on {today}')",
    "verdict": "show.verdict(decide.decide(decide.load(SAMPLE / 'triage' / 'checklist.json').answers))",
    "table": "show.table(pd.DataFrame({'message': ['<b>a</b> ' + 'word ' * 60, 'b'], 'rows': [1200, 3]},\n"
    "  index=['first', 'second']), 'Two messages')",
    "sentences": "show.say('One at $1 and $2.', 'Two; see https://example.org/a_long_address/that_goes_on.')",
    "bill": "show.bill(costs.compare(costs.Workload()))",
    "training sums": "show.training_sums(costs.article_training(facts.today()))",
    "prompt lengths": "show.prompt_lengths(costs.short_against_cached(on=facts.today()))",
    "training times": "show.training_times(costs.training_durations())",
    "cost curves": "show.cost_curves(costs.Workload())",
    "seen by the model": "from helpers.records import Example\n"
    "show.what_the_model_sees(data.read(SAMPLE / 'triage' / 'train.jsonl')[0])",
    "prompt, before and after": "show.prompt_diff('Sort the message.', 'Sort each message of a customer.')",
    "pairs": "report = data.check(SAMPLE / 'raw' / 'export.csv', provider='local')\n"
    "show.pairs(data.queue(SAMPLE / 'raw' / 'export.csv', report, codes=data.PAIRS))",
    "changes": "fixed = data.repair(SAMPLE / 'raw' / 'export.csv', report, to='mended.jsonl')\nshow.changes(fixed.log)",
    "answer lengths": "show.answer_lengths(report.rows)",
    "token lengths": "show.token_lengths([120, 130, 300, 421] * 30, limit=2048, model='smollm2-135m-instruct')",
    "ladder": "show.ladder(results)",
    "answers": "show.answers_seen(results, rows)",
    "scores": "show.scores(results.table('all_fields'), 'all_fields')",
    "rivals": "shares = pd.DataFrame([\n"
    "  {'candidate': name, 'model': 'm', 'role': role, 'rows': 200, 'score': s, 'low': s - .1, 'high': s + .1}\n"
    "  for name, role, s in [('tuned, seed 1', 'tuned', .4), ('instructions, schema (teaching model), 16 examples', "
    "'teaching', .2),\n  ('most frequent answer', 'no language model', .12), "
    "('best per field: TF-IDF and a pattern', 'no language model', .45)]]).set_index('candidate')\n"
    "show.scores(shares, 'all_fields')",
    "confusion": "show.confusion(results, 'tuned, seed 1', 'category')",
    "fields": "show.fields(results, fields)",
    "loss": "steps = pd.Series(range(1, 91))\n"
    "show.loss(pd.DataFrame({'step': steps, 'train_loss': 2 * np.exp(-steps / 20) + .3}))",
    "a file": "Path('card.md').write_text('# Model card\\n\\n## Data\\n' + 'word ' * 60)\nshow.document('card.md')",
    "guesses": "show.guess(project, 'a', 'Of 100 messages, how many are right?', 30, 'of 100')\n"
    "show.table(show.guesses(project, {'a': 40.0}))",
}
"""Views that are no panels."""


def cells() -> list[str]:
    """All of them; the errors' cell makes the results that later ones draw."""
    return [START, *PANELS.values(), *ENDS.values(), *VIEWS.values()]


def names() -> list[str]:
    """What each of :func:`cells` shows."""
    return ["", *PANELS, *ENDS, *VIEWS]
