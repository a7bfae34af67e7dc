"""What a rule says, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.decide.checklist import questions

CHOICES = {
    "keep_prompting": "Keep prompting",
    "improve_prompt": "Improve the prompt first",
    "measure_target": "Keep prompting: measure a stronger prompted model first",
    "fix_data": "Collect or clean data first",
    "use_retrieval": "Use retrieval",
    "no_language_model": "You need no language model for this",
    "worth_a_trial": "Fine-tuning is worth a trial",
    "tune_yourself": "Fine-tune an open model yourself",
    "tune_at_provider": "Fine-tune at a provider",
    "move_off": "Move off a closing provider",
    "not_enough": "Not enough to say yet",
}
"""Code of a choice to its plain phrase."""

TUNING = ("tune_yourself", "tune_at_provider")
"""Choices that say "fine-tune": a tuned model was measured, and won."""

TRAINING = ("worth_a_trial", *TUNING, "move_off")
"""Choices after which the journey may go on to training."""

LESSON = {
    "decide": "lesson 00_should_you_fine_tune",
    "data": "lesson 01_prepare_data",
    "train": "lesson 03_train",
    "evaluate": "lesson 04_evaluate",
    "deploy": "lesson 05_deploy",
    "record": "lesson 06_decide",
    "how_much": "extra/how_much_data",
    "leave": "extra/leave_a_retiring_model",
}
"""Where a next step is done."""

OWN_PROJECT = {
    "decide": "the section “The prompt ladder, on your rows” in your_project",
    "data": "the section “Your data” in your_project",
    "train": "the section “Stop, or go on” in your_project",
    **{name: f'{LESSON[name]} with PROJECT = "{{}}"' for name in ("evaluate", "deploy", "record")},
}
"""Where it is done for a project of the reader's own, whose name goes into the braces."""


HALF = "train on half of the rows as well, and compare"
"""What stands for the side trip on more data where the rows are not the sample's, which is all that it reads."""

VOICE = {
    **{LESSON[name]: "lesson 07_a_brands_voice" for name in ("decide", "data", "train", "evaluate", "record")},
    LESSON["how_much"]: HALF,
}
"""Where it is done for lesson 7's rows, which no other lesson reads."""

COMPARED = ("evaluate", "deploy")
"""Lessons that compare labels and JSON answers: a project of another kind stays in ``your_project`` for these steps."""


def placed(text: str, project: str, task: str = "") -> str:
    """A step as the lessons say it, sent to where it can be taken in this project; as it is when there is none.

    Args:
        text: a step that may name a lesson.
        project: name of the reader's own project; "" in the lessons.
        task: its kind of task; "" where that is not known, "voice" for lesson 7's rows.
    """
    stays = COMPARED if task in ("text", "turns", "tools") else ()
    own = {LESSON[name]: OWN_PROJECT["train" if name in stays else name].format(project) for name in OWN_PROJECT}
    places = own | {LESSON["how_much"]: HALF} if project else VOICE if task == "voice" else {}
    for lesson, place in places.items():
        text = text.replace(lesson, place)
    return text


CHECK_EXAMPLES = (
    "Before anything is trained on them, have the examples read by someone who knows, and repair what the check finds: "
    f"{LESSON['data']}."
)
"""The step that belongs to examples of doubtful quality, whatever else the verdict says."""


@dataclass(frozen=True)
class Ruling:
    """What a rule says.

    Attributes:
        choice: code in :data:`CHOICES`.
        why: the headline's "because".
        because: ids of the questions whose answers carry it.
        measured: measurements that carry it, as sentences.
        facts: fact rows that carry it, as sentences with date and source.
        steps: what to do next, most urgent first.
        needs: evidence that it would like to rest on (keys of ``verdict.EVIDENCE``); missing ones lower confidence.
        where: host or machine to name in the headline.
        data_goes_there: whether that is a host that would get the data.
    """

    choice: str
    why: str
    because: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    where: str = ""
    data_goes_there: bool = False


def ask(*ids: str) -> Ruling:
    """Not enough to say: these questions have to be answered first."""
    return Ruling(
        "not_enough",
        why=f"{len(ids)} deciding question{'s are' if len(ids) > 1 else ' is'} open",
        because=("examples", "gap", "effort"),
        steps=tuple(f"Answer first: “{questions()[name].text}”" for name in ids),
    )
