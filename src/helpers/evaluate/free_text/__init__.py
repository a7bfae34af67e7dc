"""Free text measured: a profile, never one number. For tasks where many answers are good and none is the right one.

Each measure is a :class:`~helpers.evaluate.metrics.Metric`, so that ``evaluate.run`` scores it row by row, with
intervals and paired comparisons, and the ledger keeps it::

    scored = free_text.measures(rules, train)          # rules kept, all kept, nothing invented, copied, length
    results = evaluate.run(client, candidates, rows, scored, …)
    copies = free_text.copies(results, rows)           # with the archive's own, as a yardstick
    free_text.profile(copies, rows, rules, train)      # one line a rival
    free_text.rule_table(copies, rules)                # which rule does which rival break?

Which file has what: ``faithfulness`` (facts of a copy that do not stand on its sheet; ``lexicon.toml``: materials and
colours), ``copying`` (runs of words from the archive), ``editor`` (would the archive's editor take it?), ``measures``
(these as metrics), ``profile`` (tables of them), ``drafts`` (the best of several, chosen by code), ``writing`` (one new
text, for the reader's own question).

What none of them sees: whether the text makes sense, and whether it is any good. That takes a reader.
"""

from helpers.evaluate.free_text.copying import LONG, copied, longest_shared
from helpers.evaluate.free_text.drafts import best_of
from helpers.evaluate.free_text.editor import Editor, train_editor
from helpers.evaluate.free_text.faithfulness import Mention, invented, mentions
from helpers.evaluate.free_text.measures import for_task, measures, nothing_invented, remarks, rules_kept, rules_of
from helpers.evaluate.free_text.profile import ARCHIVE, copies, fact_table, invented_table, profile, rule_table
from helpers.evaluate.free_text.writing import write

__all__ = [
    "ARCHIVE",
    "LONG",
    "Editor",
    "Mention",
    "best_of",
    "copied",
    "copies",
    "fact_table",
    "for_task",
    "invented",
    "invented_table",
    "longest_shared",
    "measures",
    "mentions",
    "nothing_invented",
    "profile",
    "remarks",
    "rule_table",
    "rules_kept",
    "rules_of",
    "train_editor",
    "write",
]
