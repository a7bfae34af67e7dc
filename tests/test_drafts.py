"""Of several drafts code keeps one: which, and what all of them cost."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.errors import EvaluationError
from helpers.evaluate import free_text
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.results.results import Results
from helpers.evaluate.results.scoring import score_replies
from helpers.records import Example

RULES = [
    {"id": "calm", "description": "no exclamation mark", "kind": "regex_absent", "pattern": "!"},
    {"id": "you", "description": "speaks to you", "kind": "regex_present", "pattern": "you"},
]
ABOUT = {"model": "m", "host": "h", "role": "tuned", "known_by": "its name", "parameters": 0.1}
SHEETS = ["Jug, oak, 20 cm", "Cup, oak, 9 cm"]
ROWS = [Example(({"role": "user", "content": s}, {"role": "assistant", "content": "yours"})) for s in SHEETS]
MEASURES = free_text.measures(RULES, [])


def draft(*texts: str | None, name: str = "tuned", rows: list[Example] = ROWS, seconds: float = 1.0) -> Results:
    replies = [Reply(missing="lost") if t is None else Reply(t, "", "stop", 10, 4, 0, seconds) for t in texts]
    return score_replies(
        name, ABOUT | {"id": name}, rows, replies, MEASURES, split="validation", usd=[0.5] * len(texts)
    )  # fmt: skip


def test_a_copy_that_passes_beats_one_that_keeps_all_rules_and_invents():
    drafts = [
        draft("An oak jug for you, 90 cm tall.", "Oak!"),
        draft("An oak jug, yours.", "For you!"),
        draft("Oak, for you.", None),
    ]
    best = free_text.best_of(drafts)
    assert best.answers("tuned, best of 3") == ["An oak jug, yours.", "For you!"]
    assert list(best.scores("tuned, best of 3", "rules_kept")) == [1.0, 0.5]
    assert list(best.scores("tuned, best of 3")) == [1.0, 0.0]


def test_all_drafts_are_paid_and_the_slowest_is_waited_for():
    best = free_text.best_of([draft("for you", "for you"), draft("for you!", None, seconds=3.0)])
    [name] = best.candidates
    found = best.rows.set_index("row")
    assert list(found["prompt_tokens"]) == [20, 10] and list(found["completion_tokens"]) == [8, 4]
    assert list(found["usd"]) == [1.0, 1.0] and list(found["seconds"]) == [3.0, 1.0]
    assert best.table().loc[name, "usd_per_1000"] == 1000.0


def test_each_candidate_picks_for_itself_and_the_result_merges_with_the_single_draft():
    def both(ours: str, theirs: str) -> Results:
        return draft(ours, ours).merge(draft(theirs, theirs, name="prompt"))

    drafts = [both("no", "for you"), both("for you", "no!")]
    best = free_text.best_of(drafts)
    merged = drafts[0].merge(best)
    assert list(merged.candidates) == ["tuned", "prompt", "tuned, best of 2", "prompt, best of 2"]
    assert merged.answers("tuned, best of 2") == merged.answers("prompt, best of 2") == ["for you", "for you"]
    ids = [about["id"] for about in merged.candidates.values()]
    assert len(set(ids)) == 4
    assert merged.compare("tuned, best of 2", "tuned", "rules_kept").difference == pytest.approx(0.5)


def test_a_row_without_any_draft_stays_missing():
    best = free_text.best_of([draft(None, "for you"), draft(None, "for you")])
    assert best.answers("tuned, best of 2") == [None, "for you"]
    assert np.isnan(best.scores("tuned, best of 2")[0]) and best.rows["missing"].iloc[0] == "lost"


@pytest.mark.parametrize(
    ("drafts", "by", "said"),
    [
        ([draft("a", "b")], free_text.drafts.PASSES_THEN_RULES, "nothing to choose between.*1 drafts"),
        ([draft("a", "b"), draft("a", "b", name="other")], ("rules_kept",), "not of the same candidates"),
        ([draft("a", "b"), draft("b", rows=ROWS[:1])], ("rules_kept",), "not of the same candidates"),
        ([draft("a", "b")] * 2, ("all_fields",), "measured.*all_fields.*rules_kept"),
        ([draft("a", "b")] * 2, (), "measured.*none"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused(drafts, by, said):
    with pytest.raises(EvaluationError, match=f"(?s){said}"):
        free_text.best_of(drafts, by)
