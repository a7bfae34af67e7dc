"""Tables of what free text is like, a line a rival: by rule, by kind of fact, and all measures side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from helpers.errors import EvaluationError
from helpers.evaluate.free_text.copying import LONG, longest_shared
from helpers.evaluate.free_text.editor import Editor
from helpers.evaluate.free_text.faithfulness import Mention, distinct, mentions
from helpers.evaluate.metrics.text_rules import SENTENCE_BREAK, WORD, Rule, broken, keeps
from helpers.evaluate.results.results import Results
from helpers.evaluate.results.rows import row_ids
from helpers.records import Example
from helpers.statistics import score_interval

ARCHIVE = "the archive's own"
"""The ideal answers, as a line beside the rivals: what a measure says of them is what it can say at best."""

OPENING_WORDS = 3
KINDS = ("number", "material", "colour")

Copies = Mapping[str, Sequence[str | None]]
"""Rival → one text a row, None where it gave none."""


def copies(results: Results, rows: Sequence[Example], archive: str = ARCHIVE) -> dict[str, list[str | None]]:
    """Each candidate's answers, and the ideal ones under the name ``archive``.

    Args:
        results: of free-text candidates.
        rows: those that were measured, in their order.
        archive: the name under which the ideal answers stand.

    Raises:
        EvaluationError: other rows than those measured.
    """
    if row_ids(rows) != results.row_ids:
        raise EvaluationError("These are not the rows that were measured.", got=f"{len(rows)} rows")
    return {name: results.answers(name) for name in results.candidates} | {archive: [row.answer for row in rows]}


def rule_table(copies: Copies, rules: Sequence[Rule]) -> pd.DataFrame:
    """One line a rival and rule: ``rival``, ``rule``, ``description``, ``kept`` (share of its copies) with ``low`` to
    ``high`` (Wilson), ``copies``.

    Args:
        copies: from :func:`copies`.
        rules: checked ones, from ``rules.load_rules``.
    """
    lines = []
    for rival, texts in copies.items():
        for rule in rules:
            share = score_interval([np.nan if text is None else float(keeps(rule, text)) for text in texts])
            said = {"rule": rule["id"], "description": rule.get("description", rule["id"]), "kept": share.value}
            lines.append({"rival": rival, **said, "low": share.low, "high": share.high, "copies": len(_there(texts))})
    return pd.DataFrame(lines)


def fact_table(copies: Copies, rows: Sequence[Example]) -> pd.DataFrame:
    """One line a rival: facts told a copy (numbers, materials and colours), the share of them that stand on the sheet,
    how many of each kind do not, and the share of copies without an invented one, with its interval. What one copy
    repeats counts once.

    Args:
        copies: from :func:`copies`.
        rows: the sheets, in the same order.
    """
    lines = []
    for rival, texts in copies.items():
        said = _said(texts, rows)
        told = [one for some in said for one in some]
        wrong = Counter(one.kind for one in told if not one.stands)
        clean = score_interval([float(all(one.stands for one in some)) for some in said])
        lines.append(
            {
                "rival": rival,
                "facts told a copy": len(told) / len(said) if said else np.nan,
                "stand on the sheet": np.mean([one.stands for one in told]) if told else np.nan,
                **{f"invented {kind}s": wrong[kind] for kind in KINDS},
                "copies that invent nothing": clean.value,
                "low": clean.low,
                "high": clean.high,
            }
        )
    return pd.DataFrame(lines).set_index("rival")


def invented_table(copies: Copies, rows: Sequence[Example]) -> pd.DataFrame:
    """One line an invented fact: ``rival``, ``kind``, ``invented`` (its words), ``sheet``, ``copy``. Read them: the
    check goes by patterns, and is wrong at times.

    Args:
        copies: from :func:`copies`.
        rows: the sheets, in the same order.
    """
    lines = [
        {"rival": rival, "kind": one.kind, "invented": one.text, "sheet": row.question, "copy": text}
        for rival, texts in copies.items()
        for text, row in zip(texts, rows, strict=True)
        if text is not None
        for one in distinct(mentions(text, row.question))
        if not one.stands
    ]
    return pd.DataFrame(lines, columns=["rival", "kind", "invented", "sheet", "copy"])


def profile(
    copies: Copies, rows: Sequence[Example], train: Sequence[Example], rules: Sequence[Rule] = (),
    editor: Editor | None = None, *, facts: bool = True,
) -> pd.DataFrame:  # fmt: skip
    """All measures side by side, one line a rival; shares lie between 0 and 1.

    Columns: ``rules kept`` and ``all rules kept`` (where there are rules); ``facts told a copy``, ``stand on the
    sheet``, ``invent nothing`` (unless ``facts`` is False); ``copied`` (copies that share :data:`LONG` words in a row
    or more with a training copy; words from their own sheet are not looked for); ``other openings`` and ``other
    endings`` (distinct first three words, distinct last sentences, as a share of the copies); ``words`` (mean);
    ``taken for ours`` (by the ``editor``, where there is one).

    Args:
        copies: from :func:`copies`.
        rows: the sheets, in the same order.
        train: training rows, with which copied words are looked for.
        rules: what a copy must keep; none leaves their columns out.
        editor: from ``train_editor``; None leaves its column out.
        facts: False leaves the columns on facts out.
    """
    told = fact_table(copies, rows) if facts else pd.DataFrame()
    archive = [row.answer for row in train]
    lines = []
    for rival, texts in copies.items():
        there = _there(texts)
        line: dict[str, object] = {"rival": rival}
        if rules:
            gone = [len(broken(rules, text)) for text in there]
            line |= {"rules kept": 1 - np.mean(gone) / len(rules), "all rules kept": np.mean([n == 0 for n in gone])}
        if facts:
            line |= told.loc[rival, ["facts told a copy", "stand on the sheet"]].to_dict()
            line["invent nothing"] = told.loc[rival, "copies that invent nothing"]
        line |= {
            "copied": np.mean([longest_shared(text, archive) >= LONG for text in there]),
            "other openings": _variety([_opening(text) for text in there]),
            "other endings": _variety([_ending(text) for text in there]),
            "words": np.mean([len(WORD.findall(text)) for text in there]),
        }
        lines.append(line | ({"taken for ours": np.nanmean(editor.takes(texts))} if editor else {}))
    return pd.DataFrame(lines).set_index("rival")


def _there(texts: Sequence[str | None]) -> list[str]:
    return [text for text in texts if text is not None]


def _said(texts: Sequence[str | None], rows: Sequence[Example]) -> list[list[Mention]]:
    there = [(text, row) for text, row in zip(texts, rows, strict=True) if text is not None]
    return [distinct(mentions(text, row.question)) for text, row in there]


def _opening(text: str) -> str:
    return " ".join(word.casefold() for word in WORD.findall(text)[:OPENING_WORDS])


def _ending(text: str) -> str:
    return re.sub(r"\W+", " ", SENTENCE_BREAK.split(text.strip())[-1]).strip().casefold()


def _variety(parts: Sequence[str]) -> float:
    return len(set(parts)) / len(parts) if parts else float("nan")
