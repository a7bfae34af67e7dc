"""Evaluate honestly: scores with intervals, and comparisons that may say "these rows cannot tell".

A first look, on the reader's own rows::

    task = data.task(rows)
    scored = metrics.for_task(task)
    ladder = evaluate.rungs(rows, model, "…", pool=train, about=task)
    print(evaluate.forecast(client, ladder, validation, store=path).sentence)
    results = evaluate.run(client, ladder, validation, scored, store=path)
    results = results.merge(evaluate.without_llm(train, validation, scored))
    results.table()
    results.compare("instructions", "question only").sentence
    evaluate.plateau(results).sentence

Better prompts can be searched for, on training rows and within a budget of calls::

    found = evaluate.optimise(client, evaluate.search_from(ladder, task), train, scored, budget_calls=200, store=path)
    found.table(), found.candidate

``README.md`` beside this file says which room does what, and follows one ladder through them.
"""

from helpers import statistics
from helpers.evaluate import consistency, free_text, judge, learning_curve, metrics, probes
from helpers.evaluate.baselines.cascade import cascade, coverage
from helpers.evaluate.baselines.patterns import Pattern, suggest_pattern, suggest_patterns
from helpers.evaluate.baselines.rivals import without_llm
from helpers.evaluate.inference import pricing
from helpers.evaluate.material import Material, material
from helpers.evaluate.metrics import text_rules
from helpers.evaluate.prompt_search.choosing import choose_examples
from helpers.evaluate.prompt_search.optimising import optimise
from helpers.evaluate.prompt_search.search import Search
from helpers.evaluate.prompts import candidates
from helpers.evaluate.prompts.rungs import forced_schema, label_of, rungs, search_from
from helpers.evaluate.results.keeping import keep
from helpers.evaluate.results.plateau import Plateau, SecondLook, plateau, plateau_of, second_look
from helpers.evaluate.results.results import Results
from helpers.evaluate.runs.forecasting import Forecast, forecast
from helpers.evaluate.runs.runner import run, run_elsewhere
from helpers.evaluate.runs.targets import Target, free_tiers, local_target, measure_target
from helpers.statistics import compare, compare_many

__all__ = [
    "Material",
    "Forecast",
    "Pattern",
    "Plateau",
    "Results",
    "Search",
    "SecondLook",
    "Target",
    "candidates",
    "cascade",
    "choose_examples",
    "compare",
    "compare_many",
    "consistency",
    "coverage",
    "forced_schema",
    "free_text",
    "free_tiers",
    "forecast",
    "judge",
    "keep",
    "label_of",
    "learning_curve",
    "local_target",
    "material",
    "measure_target",
    "metrics",
    "optimise",
    "plateau",
    "plateau_of",
    "pricing",
    "probes",
    "text_rules",
    "run",
    "run_elsewhere",
    "rungs",
    "search_from",
    "second_look",
    "statistics",
    "suggest_pattern",
    "suggest_patterns",
    "without_llm",
]
