"""The record of a decision: one file that a colleague can read, challenge and run again.

``Record(...).write(folder)`` makes ``record.json`` (what went in and what came out), ``record.html`` (self-contained,
readable offline, printable) and ``record.md`` (for a repository). Readers' text is escaped everywhere; charts are shown
as pictures or in a sandboxed frame, so that nothing in somebody else's record can act on the page.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import jinja2

from helpers import facts
from helpers.atomic import write_atomically
from helpers.decide import checklist, hosts
from helpers.decide.answers import read_json
from helpers.decide.case import Case
from helpers.decide.record.stored import evidence_from
from helpers.decide.rules.ruling import CHOICES
from helpers.decide.verdict import decide
from helpers.errors import DecisionError
from helpers.formatting import metric_name, percent, plural, signed
from helpers.records import Comparison, Evidence, Verdict

KIND = "prompt-or-fine-tune record"
VERSION = 2
"""Version 1 had no identity of what was measured: see ``stored``."""
LARGEST_BYTES = 6_000_000

GLANCE = (
    "Decision",
    "What it rests on",
    "What waiting costs",
    "What tuning would cost",
    "Who decides next, and when",
)
"""The lines of the first box, which is for somebody who reads nothing else."""

MAX_DATES = 3
"""Announced dates of a host that the first box names; all of them stand below."""

LESSON_TITLES = {
    "00_should_you_fine_tune": "lesson 0, “Should you fine-tune at all?”",
    "01_prepare_data": "lesson 1, “Prepare pairs of inputs and ideal outputs”",
    "02_upload": "lesson 2, “Upload to a host that trains”",
    "03_train": "lesson 3, “Train”",
    "04_evaluate": "lesson 4, “Test and evaluate”",
    "05_deploy": "lesson 5, “Deploy through the API”",
    "06_decide": "lesson 6, “Decide”",
    "07_a_brands_voice": "lesson 7, “A brand's voice”",
    "extra/how_much_data": "the side trip “How much data?”",
    "extra/leave_a_retiring_model": "the side trip “Leave a retiring model”",
    "your_project": "the notebook “Your project”",
}
"""A notebook's file name, as a verdict says it, to what a colleague without the kit can read."""

GLOSSARY = {
    "Prompting": "asking a model as it is, with instructions and examples in every call.",
    "Fine-tuning": "training a model further on examples of one's own, so that it needs fewer instructions.",
    "LoRA": "the usual way to fine-tune: the model stays as it is; a small addition to it, the adapter, is trained.",
    "Token": "the piece of text that models read and hosts charge for: about three quarters of an English word.",
    "Training, validation and test rows": "rows to learn from, rows to choose by, and rows that are measured once, at "
    "the end, and were never used before.",
    "Target model": "a model that would really be used. Only its scores can show that prompting is not enough.",
    "Teaching model": "a small model that shows how things work; its prompted scores are no evidence against prompts.",
    "No language model": "a rival of plain code or classical statistics: cheap, fast, and sometimes enough.",
    "TF-IDF": "one of these rivals: a classifier that counts words, rare ones weighing more, and learns in seconds.",
    "Best per field": "another of them: for each part of the answer the method that was right most often on training "
    "rows; where the answer is one label, the best method.",
    "Label inside": "the share of answers that name the right label among other words: a hint, no score.",
    "Rules and facts": "the share of texts that keep every rule which code tests, and state no number, material or "
    "colour that the sheet does not have.",
    "Interval": "the range in which the true value lies with the stated certainty, given how few rows were measured.",
    "Points": "percentage points: from 40 % to 42 % is 2 points.",
    "Plateau": "better prompts have stopped bringing better answers, as far as a test can tell.",
    "Break-even": "the number of calls a month from which one option becomes cheaper than another.",
}
"""Words of the record that a reader from outside may not know."""


@dataclass(frozen=True)
class Record:
    """A decision with everything that it rests on.

    Attributes:
        question: what was to be decided, in the reader's words.
        answers: the checklist's answers.
        evidence: what was measured, or None.
        decided_on: the day of the decision.
        guesses: mappings with ``question``, ``guess`` and ``result``: what the reader guessed before each reveal.
        charts: mappings with ``title`` (the finding), ``text`` (one sentence for those who cannot see it) and either
            ``svg`` or ``html`` as a string.
        versions: name to version or hash: data, prompts, model, kit.
        decides_next: who decides next, as a name or a role; empty when nobody was named.
        recorded: the verdict as it was recorded, when the record came from a file.
    """

    question: str
    answers: Mapping[str, str]
    evidence: Evidence | None
    decided_on: date
    guesses: tuple[Mapping[str, str], ...] = ()
    charts: tuple[Mapping[str, str], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    recorded: Verdict | None = None
    decides_next: str = ""

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict on the day of the decision, made anew from answers, evidence and today's facts tables."""
        return decide(self.answers, self.evidence, self.decided_on)

    @property
    def case(self) -> Case:
        """Answers and evidence brought together, as the rules saw them."""
        return Case(checklist.checked(self.answers), self.evidence or Evidence(), self.decided_on)

    def write(self, folder: str | Path, name: str = "record") -> dict[str, Path]:
        """Write the three files; returns ``{"json": path, "html": path, "md": path}``.

        Args:
            folder: where to write; it is made where it is missing.
            name: of the files, without their endings.

        Raises:
            DecisionError: the answers or charts cannot be used, or the page would be over 6 MB.
        """
        made = {"json": self.json(), "html": self.html(), "md": self.markdown()}
        paths = {kind: Path(folder) / f"{name}.{kind}" for kind in made}
        for kind, text in made.items():
            write_atomically(paths[kind], text)
        return paths

    def json(self) -> str:
        """The record as JSON, to be loaded by :func:`load_record`."""
        content = {
            "kind": KIND,
            "version": VERSION,
            "question": self.question,
            "decided_on": self.decided_on.isoformat(),
            "answers": checklist.checked(self.answers),
            "evidence": asdict(self.evidence) if self.evidence else None,
            "guesses": [dict(guess) for guess in self.guesses],
            "charts": [dict(chart) for chart in self.charts],
            "versions": dict(self.versions),
            "decides_next": self.decides_next,
            "verdict": asdict(self.recorded or self.verdict),
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    def html(self) -> str:
        """The record as one page without scripts of its own and without anything to fetch.

        Raises:
            DecisionError: the page would be over 6 MB.
        """
        page = _templates().get_template("record.html").render(self._view())
        if (size := len(page.encode())) > LARGEST_BYTES:
            raise DecisionError(
                "The record would be too large to send around.",
                got=f"{size / 1e6:.1f} MB of at most {LARGEST_BYTES / 1e6:.0f} MB",
                fix="Pass charts as SVG, or fewer of them.",
            )
        return page

    def markdown(self) -> str:
        """The record as Markdown, charts by title and sentence only."""
        text = _templates().get_template("record.md").render(self._view())
        return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"

    def look_again(self) -> list[tuple[date, str]]:
        """Days on which to look at the decision again, each with its reason, earliest first."""
        stale = timedelta(days=facts.STALE_DAYS)
        found = self._dates()
        found.append((self.decided_on + stale, f"prices and models are {facts.STALE_DAYS} days older: measure again"))
        return sorted(found)

    def glance(self) -> list[tuple[str, list[str]]]:
        """The first box: each of :data:`GLANCE` with its sentences."""
        sure = f"Confidence in this advice: {self.verdict.confidence}."
        may = f"Training may go ahead: {'yes' if self.verdict.allows_training else 'no'}."
        lines = ([self.verdict.headline, f"{sure} {may}"], self._rests_on(), self._waiting(), self._tuning_costs())
        return list(zip(GLANCE, (*lines, self._next()), strict=True))

    def _rests_on(self) -> list[str]:
        """How much is known, and the first sentence of the two reasons that weigh most."""
        answered, measured = len(checklist.checked(self.answers)), len(self.case.shown())
        scores = f"{plural(measured, 'score')} measured" if measured else "nothing measured yet"
        said = f"{answered} of {len(checklist.questions())} questions answered, {scores}."
        if missing := len(self.verdict.not_measured):
            said += f" {plural(missing, 'thing')} would make it surer: see “Not measured” below."
        return [said, *(f"{reason.split('. ')[0].rstrip('.')}." for reason in self.verdict.reasons[:2])]

    def _waiting(self) -> list[str]:
        """What may be lost while nothing is decided: a host's announced ends, or a saving."""
        ends = [f"{day}: {why.partition(' (http')[0]}." for day, why in self._dates()[:MAX_DATES]]
        chance = self.evidence.cost.probability if self.evidence and self.evidence.cost else None
        if chance is None:
            saving = (
                "Whether waiting costs money is not known: the probability that tuning is cheaper was not computed."
            )
        elif chance >= 0.5:
            saving = f"Each month may cost a saving: tuning is cheaper with a probability of {_tenths(chance)}."
        else:
            saving = f"Little money: the probability that tuning is cheaper is only {_tenths(chance)}."
        return [*ends, saving]

    def _tuning_costs(self) -> list[str]:
        cost = self.evidence.cost if self.evidence else None
        not_known = "From how many calls on tuning pays was not computed: lesson 06_decide does."
        return [cost.sentence if cost and cost.sentence else not_known]

    def _next(self) -> list[str]:
        day = self.look_again()[0][0]
        nobody = f"By {day} at the latest. Nobody is named: write a name here before you hand this on."
        steps = [f"Before that: {step.partition(' (')[0].rstrip('.')}." for step in self.verdict.next_steps[:1]]
        return [f"{self.decides_next}, by {day} at the latest." if self.decides_next else nobody, *steps]

    def _dates(self) -> list[tuple[date, str]]:
        return hosts.coming_dates(self.answers.get("host") or "none", self.decided_on)

    def _view(self) -> dict[str, Any]:
        given = checklist.checked(self.answers)
        return {
            "record": self,
            "glance": self.glance(),
            "glossary": GLOSSARY,
            "verdict": self.verdict,
            "changed": self.recorded is not None and self.recorded.choice != self.verdict.choice,
            "choices": CHOICES,
            "evidence": self.evidence or Evidence(),
            "measurements": self.case.shown(),
            "comparisons": shown_comparisons(self.case),
            "answers": [(q, q.option(given[q.id])) for q in checklist.questions().values() if q.id in given],
            "charts": [_chart(index, chart) for index, chart in enumerate(self.charts)],
            "interactive": any("html" in chart for chart in self.charts),
            "look_again": self.look_again(),
        }


def shown_comparisons(case: Case) -> list[Comparison]:
    """What the judged tuned model was compared with, and the best rival without a language model with targets."""
    names = {one.id for one in (case.judged, case.best_code) if one is not None}
    found = [c for c in case.evidence.comparisons if c.a_id in names]
    return found or [c for c in case.evidence.comparisons if c.a_id in {one.id for one in case.tuned}]


def _chart(index: int, chart: Mapping[str, str]) -> dict[str, str]:
    """A chart ready for the page: an SVG becomes the source of a picture (scripts in it never run)."""
    lacking = [key for key in ("title", "text") if not chart.get(key)]
    if lacking or ("svg" in chart) == ("html" in chart):
        raise DecisionError(
            f"Chart {index + 1} of the record cannot be shown.",
            got=f"keys {', '.join(sorted(chart))}",
            fix="Give it title, text, and either svg or html.",
        )
    shown = {"title": chart["title"], "text": chart["text"]}
    if "svg" in chart:
        return {**shown, "src": "data:image/svg+xml;base64," + base64.b64encode(chart["svg"].encode()).decode()}
    return {**shown, "frame": chart["html"]}


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("helpers.decide.record", "templates"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "md": _markdown, "html": _html, "name": metric_name, "percent": _tenths, "points": signed, "count": _count
    }  # fmt: skip
    return environment


def _tenths(share: float) -> str:
    return percent(share, 1)


def titled(text: str) -> str:
    """The text with notebooks named by their titles instead of their files."""
    for name, title in LESSON_TITLES.items():
        text = re.sub(rf"\b(lesson )?{name}\b", title, text)
    return text


def _html(text: Any) -> str:
    """Escaped text, notebooks by their titles; a long address may go on in the next line, after a slash or a dot."""
    shown = escape(titled(str(text)))
    return re.sub(r"https?://[^\s&]+", lambda found: re.sub(r"(?<=[/.\-_=?])(?=\w)", "<wbr>", found[0]), shown)


def _count(value: Any) -> Any:
    """A whole number with separators between thousands; anything else as it is."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value


def _markdown(text: Any) -> str:
    """Readers' text as literal Markdown on one line: no HTML, no markup, no table breaks."""
    one_line = titled(" ".join(str(text).split()))
    return re.sub(r"([\\`*_{}\[\]|#~])", r"\\\1", escape(one_line, quote=False))


def load_record(path: str | Path) -> Record:
    """Read a record that :meth:`Record.write` made.

    Raises:
        DecisionError: it cannot be read, is another kind of file, or its parts do not fit.
    """
    content = read_json(Path(path), KIND, VERSION)
    try:
        evidence = content["evidence"]
        return Record(
            question=str(content["question"]),
            answers=checklist.checked(content["answers"]),
            evidence=evidence_from(evidence) if evidence is not None else None,
            decided_on=date.fromisoformat(content["decided_on"]),
            guesses=tuple(content["guesses"]),
            charts=tuple(content["charts"]),
            versions=content["versions"],
            decides_next=str(content.get("decides_next", "")),
            recorded=Verdict(**{k: tuple(v) if isinstance(v, list) else v for k, v in content["verdict"].items()}),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DecisionError(
            f"{path} is a damaged record.", got=f"{type(error).__name__}: {error}", fix="Write it again from lesson 06."
        ) from error
