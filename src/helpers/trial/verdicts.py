"""From measurements to verdicts, by rules that stand here and nowhere else. Pure: comparisons in, a verdict out.

A comparison counts only when its paired interval leaves out zero. What the rows cannot tell is no evidence on either
side, so a claim that rests on it is "cannot be tested here", never "did not hold".
"""

from __future__ import annotations

from collections.abc import Sequence

from helpers.records import Comparison
from helpers.trial.finding import HOLDS, NOT, OVERTAKEN, PARTLY, UNTESTED

CLOSE_ENOUGH = 0.10
"""A gain or loss whose interval stays within ten points of zero counts as "nothing much"."""

SLIGHTLY = 1.25
"""Up to a quarter more is "slightly" more."""

ENOUGH_KNOWN = 10

HOUR = 60.0

CARE = 4
"""Examples are called dearer than training when a quarter of the assumed time for them would still cost more."""


def told(comparison: Comparison) -> int:
    """1 when the first is better (or higher), -1 when the second is, 0 when the rows cannot tell."""
    return int(comparison.low > 0) - int(comparison.high < 0)


def by_direction(comparison: Comparison) -> str:
    """The claim says that the first is better."""
    return {1: HOLDS, 0: UNTESTED, -1: NOT}[told(comparison)]


def behaviour(against_explained: Sequence[Comparison], against_bare: Comparison) -> str:
    """Tuned and asked without a word of explanation, against explained prompts, and against the same bare question.

    Args:
        against_explained: tuned against each prompt that explains the task.
        against_bare: tuned against the base, both asked the bare question.
    """
    if all(told(comparison) > 0 for comparison in against_explained):
        return HOLDS
    if told(against_bare) > 0:
        return PARTLY
    return by_direction(against_bare)


def prompt_length(tokens: Comparison, quality: Comparison) -> str:
    """Tokens of the tuned model's prompts against the explained prompt's, and the scores beside them.

    "As good" is said only where the rows rule out a loss of ten points or more; that they cannot tell is no evidence.

    Args:
        tokens: of prompts: tuned against the explained one.
        quality: scores: tuned against the explained prompt.
    """
    if told(tokens) >= 0:
        return NOT
    if told(quality) < 0:
        return PARTLY
    as_good = told(quality) > 0 or quality.low > -CLOSE_ENOUGH
    return HOLDS if as_good else UNTESTED


def plateau(state: str, tuned_against_best: Comparison) -> str:
    """A signal is right when tuning gains after it, or when tuning gains nothing before it.

    Args:
        state: what ``evaluate.plateau`` said: "plateaued", "still rising" or "cannot tell".
        tuned_against_best: tuned against the best prompt of that ladder.
    """
    gains = told(tuned_against_best)
    if state == "cannot tell" or gains == 0:
        return UNTESTED
    return HOLDS if (state == "plateaued") == (gains > 0) else NOT


def few_rows(at_few: Comparison, at_many: Comparison) -> str:
    """Prompt against tuned on the fewest rows, tuned against prompt on the most.

    Args:
        at_few: prompt against tuned, both with the fewest rows.
        at_many: tuned against prompt, both with the most.
    """
    if told(at_few) < 0:
        return NOT
    if told(at_few) > 0:
        return HOLDS if told(at_many) > 0 else PARTLY
    return PARTLY if told(at_many) > 0 else UNTESTED


def hundreds(below: Comparison, above: Comparison, more: Comparison) -> str:
    """Tuned against the prompt with the same rows, below and above 100 rows; and the most rows against few.

    The run ends at a few hundred rows, so the upper end of the range stays open: never more than "partly".

    Args:
        below: tuned against prompt, both with rows below 100.
        above: the same with the most rows.
        more: tuned on the most rows against tuned on those below 100.
    """
    if told(below) > 0 and more.high < CLOSE_ENOUGH:
        return NOT
    return PARTLY if told(above) > 0 else UNTESTED


def quality(half_clean: Comparison, all_clean: Comparison) -> str:
    """Half of the rows, all right, against all rows with wrong ones; and all rows right against the same.

    Args:
        half_clean: half of the rows, all right, against all rows with wrong ones.
        all_clean: all rows, all right, against the same.
    """
    if told(half_clean) > 0:
        return HOLDS
    if told(all_clean) > 0:
        return PARTLY
    return NOT if told(half_clean) < 0 else UNTESTED


def goalposts(new_names_said: int, edited: Comparison, retrained: Comparison) -> str:
    """How often the old tuned model says a new name; the edited prompt and the retrained model against the old ones.

    Args:
        new_names_said: answers of the old tuned model that hold a new name.
        edited: the edited prompt against the old one.
        retrained: the retrained model against the old one.
    """
    if new_names_said:
        return NOT
    if told(edited) > 0:
        return HOLDS
    return PARTLY if told(retrained) > 0 else UNTESTED


def new_facts(other_words: Comparison, turned: Comparison, in_the_prompt: Comparison) -> str:
    """Tuned on invented facts against before: in other words, and turned round; and the facts in the prompt instead.

    Args:
        other_words: tuned against before, asked in other words.
        turned: tuned against before, asked the other way round.
        in_the_prompt: the facts in the prompt against tuned.
    """
    if told(other_words) <= 0:
        return HOLDS if other_words.high < CLOSE_ENOUGH else UNTESTED
    weak = told(turned) <= 0 or told(in_the_prompt) > 0
    return PARTLY if weak else NOT


def old_facts(after: Sequence[Comparison], known: int) -> str:
    """Each tuned model against the base on plain facts, of which the base says so many: too few can hardly be lost.

    Args:
        after: each tuned model against the base.
        known: plain facts that the base answers.
    """
    if known < ENOUGH_KNOWN:
        return UNTESTED
    lost = [told(comparison) < 0 for comparison in after]
    if all(lost):
        return NOT
    if any(lost):
        return PARTLY
    return HOLDS if all(comparison.low > -CLOSE_ENOUGH for comparison in after) else UNTESTED


def cheap_training(people: float, training: Sequence[float]) -> str:
    """USD of the people who make the examples, against what training on them costs at several places.

    Args:
        people: USD of the people who make the examples.
        training: USD of training on them, at each place.
    """
    dearer = [people / CARE > usd for usd in training]
    return HOLDS if all(dearer) else PARTLY if any(dearer) else NOT


def hours_to_days(minutes: Sequence[float]) -> str:
    """Minutes that training took or takes, at several places."""
    long = [one >= HOUR for one in minutes]
    return HOLDS if all(long) else PARTLY if any(long) else NOT


def four_dollars(usd: float, state: str) -> str:
    """The sum done again, and whether its model can still be tuned.

    Args:
        usd: the sum at its dated price.
        state: whether jobs on its model can be started: see ``facts.standing``.
    """
    if round(usd) != 4:
        return NOT
    return OVERTAKEN if state == "ended" else HOLDS


def dearer_calls(times: Sequence[float]) -> str:
    """How many times the base's price a tuned model costs."""
    slight = [one <= SLIGHTLY for one in times]
    return HOLDS if all(slight) else PARTLY if any(slight) else NOT


def shorter_saves(tuned: float, fresh: float, cached: float) -> str:
    """USD of the same calls: short prompts on a tuned model, long ones on a prompted model, uncached and cached.

    Args:
        tuned: USD of the calls with short prompts on a tuned model.
        fresh: USD of the same calls with long prompts on a prompted model, nothing cached.
        cached: the same with all cached that can be.
    """
    if tuned < cached:
        return HOLDS
    return PARTLY if tuned < fresh else NOT


def hosts(open_to: Sequence[str]) -> str:
    """Whom the named providers let in."""
    anyone = [one == "anyone" for one in open_to]
    return HOLDS if all(anyone) else PARTLY if any(anyone) else OVERTAKEN
