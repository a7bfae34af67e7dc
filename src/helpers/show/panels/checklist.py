"""The checklist as a panel, generated from ``helpers.decide``'s table: each answer is saved and moves the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from html import escape
from typing import Any

import ipywidgets as widgets

from helpers import decide
from helpers.decide import Question
from helpers.project import Project
from helpers.records import Evidence
from helpers.show.html.elements import linked, wide
from helpers.show.html.verdicts import verdict_background, verdict_headline, verdict_reasons
from helpers.show.panels.parts import Panel, Words, for_keyboards

KEY = "checklist"
"""In the project file: decision's name to its answers (question id to option value)."""

GIVEN_KEY = "answers given"
"""In the project file: decision's name to the answers that the parameters cell gave last."""

LEANS = {1: "speaks for tuning", -1: "speaks for prompting", 0: "speaks for neither side"}
MINUTES = 3
SAVED = (
    "Each answer is saved at once. Answers given while cells are running count only after those cells finish; then run "
    "the verdict cells again."
)
BY_ANSWERS = "By your answers alone, before anything is measured:"
BY_FACTS = "By your answers and what is known so far; no prompt and no model has been measured yet:"
BY_EVIDENCE = "By your answers and what was measured until this cell was run:"
OPEN, OPEN_VALUE = "not answered yet", ""
"""What an open question shows, and its value among the options."""

_STYLE = """<style>
.kit-checklist { container-type: inline-size; }
.kit-checklist .widget-box { overflow: visible; }
.jp-Cell :is(.jp-Cell-outputWrapper, .jp-OutputArea, .jp-OutputArea-child, .jp-OutputArea-output):has(.kit-checklist) {
  overflow: visible; }
.kit-sides { display: grid; grid-template-columns: 3fr 2fr; gap: 8px 20px; align-items: start; }
.kit-verdict { position: sticky; top: 4px; z-index: 2; background: var(--jp-layout-color0, Canvas); }
.kit-live { min-height: 6em; }
@container (max-width: 620px) {
  .kit-sides { display: block; }
  .kit-verdict { position: static; }
}
.kit-radio { display: block !important; width: auto !important; height: auto !important;
  margin: 12px 2px 2px !important; padding: 0 !important; }
.kit-checklist .widget-button { max-width: 100%; height: auto; min-height: var(--jp-widgets-inline-height);
  padding: 4px 10px; line-height: 1.4; white-space: normal; text-align: left; }
.kit-checklist .widget-text { max-width: calc(100% - 4px); }  /* its own margins */
.kit-checklist a { overflow-wrap: anywhere; }
.kit-radio > .widget-label { display: block; width: auto !important; height: auto; white-space: normal;
  text-align: left; padding: 0; font-weight: 600; line-height: 1.4 !important; }
.kit-radio .widget-radio-box { display: grid !important; margin: 4px 0 0 !important; padding: 0 !important; gap: 4px;
  width: auto; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); }
.kit-radio .widget-radio-box label { position: relative; display: block; height: auto; margin: 0; cursor: pointer;
  padding: 5px 8px 5px 30px; line-height: 1.35; white-space: pre-line; border-radius: 3px;
  border: 1px solid rgba(128,128,128,.45); }
.kit-radio .widget-radio-box label::first-line { font-weight: 600; }
.kit-radio .widget-radio-box label:has(:checked) { border-color: #0072B2; box-shadow: inset 4px 0 0 #0072B2;
  background: rgba(0,114,178,.14); }
.kit-radio .widget-radio-box input { position: absolute; left: 10px; top: 5px; margin: 0; }
</style>"""


def checklist(
    project: Project,
    name: str = "first",
    *,
    answers: Mapping[str, str] | None = None,
    given: Mapping[str, str] | None = None,
    evidence: Evidence | None = None,
    today: date | None = None,
) -> Checklist:
    """The checklist of one decision, or of several side by side.

    Args:
        project: keeps the answers under ``"checklist"``: decision's name → question id → option value.
        name: which decision to open.
        answers: answers to begin with, when this decision has none yet; they are saved at once.
        given: ``ANSWERS`` of the parameters cell: what was changed there since the last call wins over what was saved,
            and one that was taken out is open again unless it has been changed in the panel.
        evidence: what was measured, for the verdict.
        today: the day whose prices and life dates count; the facts' today by default.

    Raises:
        DecisionError: ``given`` has unknown questions or values: all of them at once, and nothing is saved.
    """
    return Checklist(project, name, answers or {}, given, evidence, today)


class Checklist(Panel):
    """The panel that :func:`checklist` makes; ``answers`` and ``verdict`` are what it holds now.

    One group of questions is shown at a time, its answers as rows that can be read whole. The verdict stands beside
    them and stays in view while the reader scrolls; where the page is narrow it stands above.
    """

    def __init__(
        self, project: Project, name: str, answers: Mapping[str, str], given: Mapping[str, str] | None,
        evidence: Evidence | None, today: date | None,
    ) -> None:  # fmt: skip
        self.project, self.evidence, self.today = project, evidence, today
        self._loading = False
        if answers:
            self.project.change(KEY, lambda saved: saved if saved.get(name) else {**saved, name: _known(answers)})
        if given is not None:
            self._take(name, decide.checked(given))
        names = list(dict.fromkeys([name, *self._stored()]))
        self.decision = widgets.Dropdown(description="Decision", options=names, value=name)
        self.copy_name = widgets.Text(description="New name", placeholder="such as: with twice the data")
        self.copy = widgets.Button(description="Copy answers to the new name", layout=widgets.Layout(width="auto"))
        self.bar = widgets.IntProgress(max=len(decide.questions()), layout=widgets.Layout(width="auto"))
        self.progress, self.side_by_side = Words(), Words()
        self.headline, self.reasons, self.background = Words(), Words(), Words()
        self.headline.add_class("kit-live")
        self.choices = {question.id: _choice(question) for question in decide.questions().values()}
        self.notes = {question: Words() for question in self.choices}
        self.whys = {question.id: Words(_why(question)) for question in decide.questions().values()}
        self.groups = {group: widgets.VBox(self._questions(group)) for group in decide.groups()}
        self.tabs = {group: self._to(group) for group in self.groups}
        self._open(name)
        self.show_group(next((group for group in self.groups if self._left(group)), next(iter(self.groups))))
        for choice in self.choices.values():
            choice.observe(self._answered, names="value")
        self.decision.observe(lambda change: self._open(change["new"]), names="value")
        self.copy.on_click(self._copied)
        wrapping = widgets.Layout(flex_flow="row wrap")
        more = widgets.Accordion([self.background], titles=("What would change it, and what is not measured",))
        sides = widgets.Box([
            widgets.VBox(list(self.groups.values())),
            widgets.VBox([self.headline, self.reasons, more]),
        ])  # fmt: skip
        sides.add_class("kit-sides")
        sides.children[1].add_class("kit-verdict")
        super().__init__(
            [
                Words(_STYLE),
                self.progress,
                self.bar,
                widgets.HBox(list(self.tabs.values()), layout=wrapping),
                sides,
                widgets.HBox([self.decision, self.copy_name, self.copy], layout=wrapping),
                self.side_by_side,
            ]
        )
        self.children += (for_keyboards(self, "kit-checklist"),)

    def _take(self, name: str, given: dict[str, str]) -> None:
        """Bring what has changed in the parameters cell since the last time into the saved answers."""
        before = self.project.get(GIVEN_KEY, {}).get(name, {})
        changed = {question: value for question, value in given.items() if before.get(question) != value}
        removed = {question for question, value in before.items() if question not in given}

        def taken(saved: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
            own = _known(saved.get(name, {}))
            kept = {q: value for q, value in own.items() if q not in removed or value != before[q]}
            return {**saved, name: kept | changed}

        self.project.change(KEY, taken)
        self.project.keep(GIVEN_KEY, name, given)

    @property
    def from_cell(self) -> set[str]:
        """Questions whose answer is the one that ``ANSWERS`` in the parameters cell gives."""
        given = self.project.get(GIVEN_KEY, {}).get(self.decision.value, {})
        return {question for question, value in self.answers.items() if given.get(question) == value}

    @property
    def answers(self) -> dict[str, str]:
        """Question id to option value, of the questions that are answered."""
        return {name: choice.value for name, choice in self.choices.items() if choice.value != OPEN_VALUE}

    @property
    def verdict(self) -> Any:
        """The verdict on these answers."""
        return decide.decide(self.answers, self.evidence, self.today)

    def show_group(self, group: str) -> None:
        """Show the questions of one group, such as "data", and hide the others."""
        for name, box in self.groups.items():
            box.layout.display = None if name == group else "none"
            self.tabs[name].button_style = "primary" if name == group else ""

    def _questions(self, group: str) -> list[widgets.Widget]:
        """The group's questions, each with why it is asked; then the way to the next group."""
        ids = [question.id for question in decide.questions().values() if question.group == group]
        shown = [part for one in ids for part in (self.choices[one], self.notes[one], self.whys[one])]
        groups = list(decide.groups())
        following = groups[groups.index(group) + 1 :][:1]
        return [*shown, *(self._to(name, "Next: ") for name in following)]

    def _to(self, group: str, before: str = "") -> widgets.Button:
        """A button that shows a group."""
        said = f"{before}{decide.groups()[group]}"
        button = widgets.Button(description=said, layout=widgets.Layout(width="auto", margin="4px 2px"))
        button.on_click(lambda _: self.show_group(group))
        if before:
            button.add_class("kit-next")
            button.layout.align_self = "flex-start"
        return button

    def _left(self, group: str) -> int:
        """How many of a group's questions are open."""
        return sum(one.group == group and one.id not in self.answers for one in decide.questions().values())

    def _open(self, name: str) -> None:
        stored = self._stored().get(name, {})
        self._loading = True  # one redraw for all answers, and nothing to save
        for question, choice in self.choices.items():
            choice.value = stored.get(question, OPEN_VALUE)
        self._loading = False
        for question in decide.questions().values():
            self._note(question)
        self._judge()

    def _answered(self, change: Mapping[str, Any]) -> None:
        if self._loading:
            return
        self._store(self.decision.value, self.answers)
        question = next(name for name, choice in self.choices.items() if choice is change["owner"])
        self._note(decide.questions()[question])
        self._judge()

    def _copied(self, _: widgets.Button) -> None:
        name = " ".join(self.copy_name.value.split())[:60]
        if not name or name in self.decision.options:
            self.copy_name.placeholder = "type a name that is not taken yet"
            return
        self._store(name, self.answers)
        self.decision.options = [*self.decision.options, name]
        self.decision.value, self.copy_name.value = name, ""

    def _note(self, question: Question) -> None:
        value = self.choices[question.id].value
        option = question.option(value) if value else None
        said = f"This {LEANS[option.leans]}." if option else ""
        said += " From ANSWERS in the parameters cell." * (question.id in self.from_cell)
        self.notes[question.id].value = f'<div style="line-height:1.4">{escape(said)}</div>'

    def _judge(self) -> None:
        done, all_ = len(self.answers), len(self.choices)
        self.bar.value = done
        there = f" {len(self.from_cell)} from ANSWERS in the parameters cell." if self.from_cell else ""
        saved = f'<span class="kit-saved">{SAVED}</span>'
        said = f"<b>{done} of {all_} questions answered.</b>{there} {saved}"
        self.progress.value = f'<div style="line-height:1.4">{said}</div>'
        for group, title in decide.groups().items():
            left = self._left(group)
            self.tabs[group].description = f"{title}: {left} open" if left else f"{title} ✓"
        verdict = self.verdict
        self.headline.value, self.reasons.value = self._headline(), verdict_reasons(verdict)
        self.background.value = verdict_background(verdict)
        self.side_by_side.value = _side_by_side(self._stored(), self.evidence, self.today)
        self.repicture()

    def _headline(self) -> str:
        """What the verdict rests on, and the verdict: the one of the cells below may rest on more."""
        known = self.evidence or Evidence()
        anything = known.data or known.cost or known.learning_curve
        said = BY_EVIDENCE if known.measurements else BY_FACTS if anything else BY_ANSWERS
        rests_on = f'<p style="margin:2px 0;line-height:1.4">{said}</p>'
        return rests_on + verdict_headline(self.verdict)

    def picture(self) -> str:
        """The verdict's headline and all questions with their answers."""
        questions = decide.questions()
        rows = "".join(_answer_row(question, self.answers.get(question.id)) for question in questions.values())
        return (
            f"<p><b>The checklist: {len(questions)} questions, {MINUTES} minutes. Run this cell to answer them.</b></p>"
            f"{self._headline()}<table><thead><tr><th style='text-align:left'>question</th>"
            f"<th style='text-align:left'>answer</th></tr></thead><tbody>{rows}</tbody></table>"
        )

    def _stored(self) -> dict[str, dict[str, str]]:
        return {name: _known(given) for name, given in self.project.get(KEY, {}).items()}

    def _store(self, name: str, answers: Mapping[str, str]) -> None:
        self.project.keep(KEY, name, dict(answers))


def _why(question: Question) -> str:
    """Why it is asked: apart from the answer, so that it stays open when that changes."""
    why = f"{escape(question.why)} Source: {linked(question.source)}"
    return (
        "<details><summary style='cursor:pointer'>Why this is asked</summary>"
        f"<div style='padding:2px 16px 8px;line-height:1.4'>{why}</div></details>"
    )


def _answer_row(question: Question, value: str | None) -> str:
    said = question.option(value).label if value else OPEN
    return "".join(
        ["<tr>", *(f'<td style="text-align:left">{escape(text)}</td>' for text in (question.text, said)), "</tr>"]
    )


def _choice(question: Question) -> widgets.RadioButtons:
    """Rows to choose from, each an answer with what it means; the last leaves the question open again."""
    rows = [(f"{option.label}\n{option.help}".rstrip(), option.value) for option in question.options]
    choice = widgets.RadioButtons(
        description=question.text, options=[*rows, (OPEN.capitalize(), OPEN_VALUE)], value=OPEN_VALUE
    )
    choice.add_class("kit-radio")
    return choice


def _known(answers: Mapping[str, Any]) -> dict[str, str]:
    """What of these answers the checklist still knows: a project file may come from an older one."""
    questions = decide.questions()
    return {name: value for name, value in answers.items() if name in questions and value in questions[name].values}


def _side_by_side(decisions: Mapping[str, Mapping[str, str]], evidence: Evidence | None, today: date | None) -> str:
    """All named decisions: their verdicts, and the questions that they answer differently."""
    if len(decisions) < 2:
        return ""
    verdicts = [decide.decide(answers, evidence, today) for answers in decisions.values()]
    rows = [("verdict", [decide.CHOICES[verdict.choice] for verdict in verdicts])]
    rows += [("confidence", [verdict.confidence for verdict in verdicts])]
    for question in decide.questions().values():
        given = [answers.get(question.id) for answers in decisions.values()]
        if len(set(given)) > 1:
            rows.append((question.text, [question.option(value).label if value else OPEN for value in given]))
    head = "".join(f'<th scope="col" style="text-align:left">{escape(name)}</th>' for name in decisions)
    cell = 'style="text-align:left;vertical-align:top;padding:2px 12px"'
    body = "".join(
        f'<tr><th scope="row" {cell}>{escape(title)}</th>'
        + "".join(f"<td {cell}>{escape(one)}</td>" for one in cells)
        + "</tr>"
        for title, cells in rows
    )
    table = f'<table style="line-height:1.4"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'
    caption = "<b>Your decisions side by side</b> (questions with different answers)"
    return wide("Your decisions side by side", table, caption)
