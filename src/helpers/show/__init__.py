"""Views for the lessons: charts (plotly), panels (ipywidgets), tables and cards (HTML). Numbers and rules come from the
rooms below; ``README.md`` says which view is where."""

from helpers.show.charts.article import prompt_lengths, training_sums, training_times
from helpers.show.charts.cost_curves import cost_curves
from helpers.show.charts.dataset import answer_lengths, balance, drift, token_lengths
from helpers.show.charts.free_text import passes, rules_broken
from helpers.show.charts.learning_curve import learning_curve
from helpers.show.charts.mistakes import confusion, fields
from helpers.show.charts.rivals import comparisons, measurements, scores
from helpers.show.charts.svg import comparisons_svg, record_charts, scores_svg
from helpers.show.charts.training import loss
from helpers.show.charts.trial import finding
from helpers.show.exercise import check, guess, guesses, reveal
from helpers.show.html.answers import answers_seen, heard, ladder
from helpers.show.html.bill import bill
from helpers.show.html.chat import what_the_model_sees
from helpers.show.html.diagnosis import diagnosis
from helpers.show.html.elements import document, record_written, say
from helpers.show.html.prompts import prompt_diff
from helpers.show.html.provider_page import provider_page
from helpers.show.html.repairs import changes, pairs
from helpers.show.html.servers import servers
from helpers.show.html.tables import table
from helpers.show.html.verdicts import verdict
from helpers.show.panels.calculator import calculator
from helpers.show.panels.checklist import checklist
from helpers.show.panels.errors import errors
from helpers.show.panels.rater import rater
from helpers.show.panels.review import review
from helpers.show.panels.watching import waiting, watch, watch_all
from helpers.show.panels.writer import writer

__all__ = [
    "answer_lengths",
    "answers_seen",
    "balance",
    "bill",
    "calculator",
    "changes",
    "check",
    "checklist",
    "comparisons",
    "comparisons_svg",
    "confusion",
    "cost_curves",
    "diagnosis",
    "document",
    "drift",
    "errors",
    "fields",
    "finding",
    "guess",
    "guesses",
    "heard",
    "ladder",
    "learning_curve",
    "loss",
    "measurements",
    "pairs",
    "prompt_diff",
    "passes",
    "prompt_lengths",
    "provider_page",
    "rater",
    "record_charts",
    "record_written",
    "reveal",
    "review",
    "rules_broken",
    "say",
    "scores",
    "scores_svg",
    "servers",
    "table",
    "token_lengths",
    "training_sums",
    "training_times",
    "verdict",
    "waiting",
    "watch",
    "watch_all",
    "what_the_model_sees",
    "writer",
]
