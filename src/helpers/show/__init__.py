"""Views for the lessons: charts (plotly) and panels (ipywidgets). Numbers and rules come from the rooms below."""

from helpers.show.article import prompt_lengths, training_sums, training_times
from helpers.show.bills import bill, cost_curves
from helpers.show.calculator_panel import calculator
from helpers.show.chat import what_the_model_sees
from helpers.show.checklist_panel import checklist
from helpers.show.confusions import confusion, fields
from helpers.show.curves import learning_curve
from helpers.show.dataset import answer_lengths, balance, drift, token_lengths
from helpers.show.diagnosing import diagnosis
from helpers.show.errors_panel import errors
from helpers.show.exercise import check, guess, guesses
from helpers.show.free_text import heard, passes, rules_broken
from helpers.show.html import document, say
from helpers.show.prompts import prompt_diff
from helpers.show.provider_page import provider_page
from helpers.show.rater_panel import rater
from helpers.show.repairs import changes, pairs
from helpers.show.review_panel import review
from helpers.show.rivals import comparisons, measurements, scores
from helpers.show.seen import answers_seen, ladder
from helpers.show.servers import servers
from helpers.show.svg import comparisons_svg, record_charts, scores_svg
from helpers.show.tables import table
from helpers.show.training import loss
from helpers.show.trial import finding
from helpers.show.verdicts import verdict
from helpers.show.watching import waiting, watch, watch_all
from helpers.show.writer_panel import writer

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
