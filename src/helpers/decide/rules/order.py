"""The rules in order: the first one that speaks decides.

Each rule is a small function that looks at a :class:`Case` and returns a :class:`Ruling`, or None to pass. The order is
the argument: a date that forces a move, then the wrong tool, then no need, then prompting that has not had its chance,
then plain code that is as good, then the missing number of a target model, and only then whether tuning won, whether
the data carries it, and where.
"""

from __future__ import annotations

from collections.abc import Callable

from helpers.decide.case import Case
from helpers.decide.rules.preconditions import (
    good_output_is_unknown,
    it_is_good_enough,
    knowledge_is_missing,
    not_enough_is_known,
    the_host_is_closing,
    the_task_keeps_changing,
)
from helpers.decide.rules.prompting import (
    caching_is_untried,
    code_leaves_nothing_to_gain,
    no_language_model_is_needed,
    no_target_was_measured,
    nobody_would_maintain_it,
    nothing_is_evaluated,
    prompting_has_not_been_tried,
    the_bill_is_small,
    the_prompt_still_gets_better,
    they_answered_different_rows,
    training_is_forbidden,
)
from helpers.decide.rules.ruling import Ruling
from helpers.decide.rules.tuning import (
    cheap_techniques_are_untried,
    it_wins_and_does_not_pay_back,
    more_data_would_help,
    nothing_would_pay_it_back,
    questions_before_training,
    the_comparison_is_void,
    the_data_does_not_carry_it,
    the_rows_cannot_tell,
    there_is_no_room,
    tuning_is_worth_a_trial,
    tuning_lost,
    tuning_won,
)

Rule = Callable[[Case], Ruling | None]

RULES: tuple[Rule, ...] = (
    the_host_is_closing,
    knowledge_is_missing,
    it_is_good_enough,
    good_output_is_unknown,
    the_task_keeps_changing,
    code_leaves_nothing_to_gain,
    not_enough_is_known,
    prompting_has_not_been_tried,
    nothing_is_evaluated,
    training_is_forbidden,
    no_language_model_is_needed,
    nobody_would_maintain_it,
    the_prompt_still_gets_better,
    caching_is_untried,
    the_bill_is_small,
    no_target_was_measured,
    they_answered_different_rows,
    the_comparison_is_void,
    tuning_lost,
    there_is_no_room,
    the_rows_cannot_tell,
    cheap_techniques_are_untried,
    more_data_would_help,
    nothing_would_pay_it_back,
    it_wins_and_does_not_pay_back,
    questions_before_training,
    the_data_does_not_carry_it,
    tuning_is_worth_a_trial,
    tuning_won,
)
"""In order; the last one always speaks."""


def rule(case: Case) -> tuple[str, Ruling]:
    """Name and ruling of the first rule that speaks."""
    for each in RULES:
        ruling = each(case)
        if ruling is not None:
            return each.__name__, ruling
    raise AssertionError("the last rule always speaks")
