"""One reader's decision on the page: what they do goes in as JSON, all that the page shows comes out as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from functools import lru_cache
from typing import Any

import helpers
from helpers import costs, decide, facts
from helpers.costs import Workload
from helpers.decide import Record, checklist
from helpers.errors import DecisionError, KitError
from helpers.formatting import percent
from helpers.page import state as states
from helpers.page.chart import svg
from helpers.page.linking import segments
from helpers.page.state import IN_RECORD, UNNAMED, State
from helpers.records import CostForecast, Evidence, Verdict


class Session:
    """The state of one page.

    Args:
        today: the day whose prices and dates count, as ISO text; the facts' today when empty.
        built: the day on which the page was built, as ISO text.
    """

    def __init__(self, today: str = "", built: str = "") -> None:
        self.today = date.fromisoformat(today) if today else facts.today()
        self.built = built
        self.state = State()

    def do(self, action: str) -> str:
        """Do what ``action`` (JSON, its key ``do`` names it) says, and return the page's new view as JSON.

        What goes wrong comes back as ``{"error": …}`` and leaves everything as it was: whatever a file or an address
        holds, it is either taken over whole or not at all.
        """
        try:
            asked = json.loads(action)
            if asked["do"] == "take":
                return json.dumps({"file": self.take(asked["kind"])})
            changed = self._changed(asked)
            view = self.view(changed)
        except KitError as error:
            return json.dumps({"error": str(error)})
        except Exception as error:  # whatever strangers' files hold: one message, and nothing has changed
            return json.dumps({"error": f"This cannot be used here. Found: {type(error).__name__}: {error}"[:400]})
        self.state = changed
        return json.dumps(view, ensure_ascii=False)

    def _changed(self, asked: Mapping[str, Any]) -> State:
        state, does = self.state, asked["do"]
        if does == "answer":
            return replace(state, answers=decide.checked({**state.answers, asked["question"]: asked["value"]}))
        if does == "number":
            value = costs.Workload.from_dict({**state.workload.to_dict(), asked["name"]: asked["value"]})
            return replace(state, workload=value, counts=True)
        if does == "option":
            kept = [one for one in self._chosen(state) if one != asked["id"]]
            return replace(state, chosen=states.known_options([*kept, asked["id"]] if asked["on"] else kept))
        if does == "pair":
            pair = list(self._pair(state))
            pair[asked["which"]] = asked["id"]
            return replace(state, pair=states.known_pair(pair))
        if does == "count":
            return replace(state, counts=bool(asked["on"]))
        if does == "name":
            return replace(state, question=states.plain(asked["text"]))
        if does == "open":
            return states.opened(state, asked["name"], asked["text"])
        if does == "restore":
            return states.from_fragment(asked["fragment"])
        if does == "forget":
            return replace(state, opened=None)
        if does == "start again":
            return State()
        if does == "look":
            return state
        raise DecisionError("The page does not know this action.", got=str(does)[:40], fix="Reload the page.")

    # ------------------------------------------------------------------ what is shown

    def view(self, state: State) -> dict[str, Any]:
        """All that the page shows of a state."""
        evidence = self._evidence(state)
        verdict = decide.decide(state.answers, evidence, self.today)
        return {
            "today": self.today.isoformat(),
            "age": facts.age((row for table in facts.TABLES for row in facts.rows(table)), self.today),
            "built": f"Page built on {self.built}. " * bool(self.built) + f"Facts: {_newest()}.",
            "name": state.question,
            "answers": dict(state.answers),
            "notes": {name: checklist.leaning(name, value) for name, value in state.answers.items()},
            "progress": {"done": len(state.answers), "all": len(decide.questions())},
            "verdict": _verdict(verdict),
            "look_again": [segments(f"{day}: {why}") for day, why in self._record(state).look_again()],
            "calculator": self._calculator(state),
            "opened": _opened(state),
            "fragment": states.fragment(state),
        }

    def _bills(self, workload: Workload) -> tuple[list[dict[str, Any]], str]:
        return _all_bills(workload, self.today)

    def _chosen(self, state: State) -> tuple[str, ...]:
        if state.chosen is not None:
            return state.chosen
        ticked = costs.compared_first(self._bills(Workload())[0])
        return tuple(one["option"] for one in self._bills(Workload())[0] if one["option"] in ticked)

    def _pair(self, state: State) -> tuple[str, str]:
        return state.pair or costs.default_pair(self._bills(Workload())[0])

    def _calculator(self, state: State) -> dict[str, Any]:
        return _calculator(state.workload, self._chosen(state), self._pair(state), self.today) | {
            "counts": state.counts
        }

    def _evidence(self, state: State) -> Evidence | None:
        """What was measured, and the reader's bill where it is to count."""
        measured = state.opened.evidence if state.opened else None
        if not state.counts:
            return measured
        pair = self._pair(state)
        crossing = costs.break_even(state.workload, *pair, self.today)
        chance, _ = _unsure(state.workload, pair, self.today)
        return replace(measured or Evidence(), cost=CostForecast(chance.probability, crossing.calls, crossing.sentence))

    # ------------------------------------------------------------------ what is taken home

    def _record(self, state: State) -> Record:
        opened = state.opened
        calculator = self._calculator(state)
        bill = {"title": calculator["chart_title"], "text": calculator["chart_text"], "svg": calculator["chart"]}
        before = opened.charts if opened else ()
        own = {"kit": helpers.__version__, "facts tables": _newest()}
        address = {IN_RECORD: f"#{states.fragment(replace(state, opened=None))}"}
        return Record(
            state.question or UNNAMED,
            state.answers,
            self._evidence(state),
            self.today,
            guesses=opened.guesses if opened else (),
            charts=tuple(one for one in before if one["title"] != bill["title"]) + ((bill,) if state.counts else ()),
            versions={**(opened.versions if opened else {}), **own, **address},
            recorded=None,
        )

    def take(self, kind: str) -> dict[str, str]:
        """The record as a file to take home: ``html``, ``md`` or ``json``.

        Raises:
            DecisionError: there is no such kind, or the record would be too large.
        """
        record = self._record(self.state)
        made = {
            "html": ("record.html", "text/html", record.html),
            "md": ("record.md", "text/markdown", record.markdown),
            "json": ("record.json", "application/json", record.json),
        }
        if kind not in made:
            raise DecisionError("There is no such file to take.", got=kind[:40], fix=f"One of {', '.join(made)}.")
        name, media_type, write = made[kind]
        return {"name": name, "type": media_type, "text": write()}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    sections = {
        "What to do now": verdict.next_steps,
        "Why": verdict.reasons,
        "What stands in the way of tuning": verdict.blockers,
        "What would change it": verdict.what_would_change_it,
        "Not measured": verdict.not_measured,
    }
    then = "training may go ahead" if verdict.allows_training else "the journey stops before training"
    return {
        "choice": verdict.choice,
        "short": decide.CHOICES[verdict.choice],
        "headline": verdict.headline,
        "confidence": verdict.confidence,
        "then": f"Confidence in this advice: {verdict.confidence}. By this verdict, {then}.",
        "sections": [
            {"title": title, "items": [segments(one) for one in items]} for title, items in sections.items() if items
        ],
    }


def _opened(state: State) -> dict[str, Any] | None:
    if state.opened is None:
        return None
    shown = Record(state.question, state.answers, state.opened.evidence, facts.today()).case.shown()
    rows = [
        [one.name, one.model, role, percent(one.score, 1), f"{one.n:,} {one.split}"]
        for one, role in shown
        if one.unit in ("share", "likeness")
    ]
    recorded = state.opened.recorded
    return {
        "name": state.opened.name,
        "before": f"Recorded before: {recorded.headline}" if recorded else "",
        "head": ["candidate", "model", "counts as", "score", "rows"],
        "rows": rows,
    }


def _newest() -> str:
    newest = max(row.as_of for table in facts.TABLES for row in facts.rows(table))
    return f"newest row as of {newest}"


@lru_cache(maxsize=4)
def _all_bills(workload: Workload, day: date) -> tuple[list[dict[str, Any]], str]:
    return costs.bills(workload, on=day)


@lru_cache(maxsize=4)
def _unsure(workload: Workload, pair: tuple[str, str], day: date) -> tuple[costs.Chance, str]:
    return costs.unsure(workload, pair, day)


@lru_cache(maxsize=4)
def _calculator(workload: Workload, chosen: tuple[str, ...], pair: tuple[str, str], day: date) -> dict[str, Any]:
    """Bills, chart and findings of one workload."""
    every, _ = _all_bills(workload, day)
    extra = [one for one in (*chosen, *pair) if one not in {row["option"] for row in every}]
    every = sorted([*every, *costs.bills(workload, dict.fromkeys(extra), day)[0]], key=costs.dearest_last)
    shown = [row for row in every if row["option"] in chosen]
    drawn = costs.curves(workload, [row["option"] for row in shown], pair, day)
    finding = costs.break_even(workload, *pair, day)
    return {
        "numbers": asdict(workload),
        "options": [
            {"id": row["option"], "label": row["label"], "mark": row["mark"], "on": row["option"] in chosen}
            for row in every
        ],
        "pair": list(pair),
        "said": " ".join(filter(None, (costs.cheapest(shown, workload.months), finding.sentence))),
        "state": finding.state,
        "break_even": finding.calls,
        "totals": {row["option"]: None if math.isnan(row["total"]) else row["total"] for row in every},
        "sure": _unsure(workload, pair, day)[1],
        "chart": svg(drawn, workload.months),
        "chart_title": drawn.title,
        "chart_text": drawn.sentence,
        "table": _table(shown),
    }


def _table(shown: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    head, amounts = costs.amounts(shown)
    return {
        "head": ["option", *head],
        "rows": [
            {
                "label": row["label"],
                "mark": row["mark"],
                "cells": cells,
                "dated": f"prices as of {row['as_of']}" if row["as_of"] else "",
                "sources": [segments(text) for text in row["notes"]],
            }
            for row, cells in zip(shown, amounts, strict=True)
        ],
    }
