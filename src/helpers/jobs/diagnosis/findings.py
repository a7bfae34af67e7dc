"""What the figures of a job say about why "it trained, but nothing changed": one rule a fault, surest evidence first.

What the reader's program sends and what the trainer read are facts; a rule on them needs no threshold. The thresholds
of the others lie between what planted faults and healthy jobs (``tests/planted_faults.py``, seed 1, this kit's base
model and sample data) were measured to do; ``benchmarks/LOG.md``, under *Diagnosis*, has the figures, and says which
seeds were not run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from helpers import tokens
from helpers.formatting import plural
from helpers.jobs.diagnosis.figures import about, fell, moved, percent, quoted, rate, recited, short, steps_a_pass
from helpers.jobs.diagnosis.symptoms import Symptoms, asked_of, belonging, contradicted, frame, system_of

ALIAS = 0.9
"""Share of equal answers from which another name is taken to stand for the same model."""
MAX_SYSTEMS = 20
"""Different instructions in a training file up to which a call's own are held against them."""
SHORTEST_FRAME = 3
"""Letters that all training questions share at an end, from which these are a form and no chance."""
LEARNED = 0.6
"""Share of the first loss below which a job has learned something."""
ROSE = 1.0
"""Share of the first loss from which a loss has not fallen at all."""
LEAPT = 2.0
"""Highest loss as a multiple of the first from which training lost its way (too high a rate: 4.4; else at most 1.4)."""
TOO_FAR = 1.0
"""How far the weights may move, as a share of their norm (too high a rate: 77; healthy jobs: 0.009 to 0.021)."""
BEGINS = 0.8
"""Share of answers that begin as they should, from which it is the end that they lack."""
STILL = 0.002
"""How far a working adapter moves the weights at least, as a share of their norm."""
KNOWS = 0.95
"""Share of the graded tokens guessed right at the end of training, from which the training rows should come back."""
RECITES = 0.5
"""Share of the asked training rows from which they do come back."""
ENOUGH_STEPS = 20
"""Optimiser steps at the full rate below which the sample's rows do not come back."""
CONTRADICTED = 0.1
"""Share of rows with a contradicted answer from which it is named."""
CHANCE = 0.6
"""How well held-out answers belong to their questions (0.5: not at all) up to which that is no better than chance."""
ENOUGH_HELD_OUT = 20
"""Held-out rows from which that can be told."""
LOUD = 0.3
"""Last loss in nats a token of a job whose rows come back, from which it must count more than their answers (prompts in
the loss: 0.54; else at most 0.17)."""


@dataclass(frozen=True)
class Finding:
    """One fault.

    Attributes:
        name: a code: "wrong_model", "end_token" ….
        what: the fault in one sentence.
        evidence: the figures that it rests on.
        next_step: what to do.
    """

    name: str
    what: str
    evidence: str
    next_step: str


Rule = Callable[[Symptoms], Finding | None]


def findings(seen: Symptoms) -> tuple[Finding, ...]:
    """Every fault that the figures show, the likeliest cause first: the call, then serving, training, data."""
    return tuple(found for rule in RULES if (found := rule(seen)))


# What the reader's program sends --------------------------------------------------------------------------------------


def wrong_model(seen: Symptoms) -> Finding | None:
    asked = seen.request.get("model", seen.model)
    if any(one.tuned.model == seen.base for one in seen.recitals):
        evidence = f"{seen.model} was asked, and the host says that {seen.base} answered."
    elif asked in (seen.model, *seen.names[:1]) or seen.same_called >= ALIAS * len(seen.recitals):
        return None
    elif asked in seen.names:
        evidence = f"Your program calls {asked}, which this job left on the way; the job's own model is {seen.model}."
    elif seen.called:
        evidence = (
            f"Your program calls {asked}; this job made {seen.model}, and only {seen.same_called} of "
            f"{plural(len(seen.called), 'answer')} of the two are the same."
        )
    else:
        evidence = f"Your program calls {asked}, which the host does not know; this job made {seen.model}."
    return Finding(
        "wrong_model",
        "Another model is called than the one that this job made.",
        evidence,
        f'Call model="{seen.model}". Where a name stands for it (an alias, a server\'s setting), look at what that is.',
    )


def system_prompt(seen: Symptoms) -> Finding | None:
    if "messages" not in seen.request:
        return None
    trained = Counter(system_of(row.prompt) for row in seen.rows)
    sent = system_of(seen.request["messages"])
    if sent in trained or (sent and len(trained) > MAX_SYSTEMS):
        return None
    usual, often = trained.most_common(1)[0]
    evidence = f"{often} of {len(seen.rows)} training rows have {quoted(usual)}; your call has {quoted(sent)}."
    return Finding(
        "system_prompt",
        "The call's system prompt is not the one of the training rows.",
        evidence,
        "Send the very system prompt of the training rows, letter by letter; or train on rows as you want to call it.",
    )


def question_form(seen: Symptoms) -> Finding | None:
    if "messages" not in seen.request:
        return None
    sent, (begin, end) = asked_of(seen.request["messages"]), frame(seen.rows)
    missing = [
        f"{where} with {part!r}"
        for where, part, there in (("begin", begin, sent.startswith(begin)), ("end", end, sent.endswith(end)))
        if len(part.strip()) >= SHORTEST_FRAME and not there
    ]
    if not missing:
        return None
    return Finding(
        "question_form",
        "The call words its question in another form than the training rows.",
        f"All {len(seen.rows)} training questions {' and '.join(missing)}; yours is {short(sent)!r}.",
        "Put the same words around the question in the call; or train on bare questions.",
    )


def too_short(seen: Symptoms) -> Finding | None:
    limit = seen.request.get("max_completion_tokens") or seen.request.get("max_tokens")
    if not limit:
        return None
    lengths = tokens.counter(seen.base).texts([row.answer for row in seen.rows])
    longer = sum(length + 1 > limit for length in lengths)  # and the token that ends it
    if longer <= CONTRADICTED * len(lengths):
        return None
    return Finding(
        "answers_cut",
        "The call cuts answers off.",
        f"It allows {plural(limit, 'token')}; {longer} of {len(lengths)} training answers are longer "
        f"(the longest has {about(seen.base)}{max(lengths)}).",
        f"Ask with max_tokens={max(lengths) + max(lengths) // 4 + 1}.",
    )


# How it is served -----------------------------------------------------------------------------------------------------


def template(seen: Symptoms) -> Finding | None:
    compared, alike = seen.seen.get("compared", 0), seen.seen.get("prompts_alike", 0)
    if alike < compared:
        return Finding(
            "template",
            "Training and serving write the prompt differently: the chat template is not the same.",
            f"Of {compared} training rows {compared - alike} begin otherwise when they are served. "
            f"Trained: {short(seen.seen['trained_text'])!r}. Served: {short(seen.seen['served_text'])!r}.",
            "Serve with the template of training (an export carries it), or train again with the one that serves.",
        )
    knows = seen.curve.accuracy is not None and seen.curve.accuracy >= KNOWS
    if seen.seen or not knows or seen.begun >= RECITES or seen.as_base == 1:
        return None
    return Finding(
        "template",
        "Training knew its rows; served, the model does not. Most likely the chat template differs.",
        f"At the end of training {seen.curve.accuracy:.0%} of the answer tokens were guessed right; {recited(seen)}.",
        "Compare the text that training saw with the one that serving makes of the same row, special tokens included.",
    )


def adapter_ignored(seen: Symptoms) -> Finding | None:
    if seen.as_base != 1 or seen.curve.left is None or seen.curve.left > LEARNED or seen.recited >= RECITES:
        return None
    moved = f" The adapter itself moves the weights by {percent(seen.adapter_share)}." if seen.adapter_share else ""
    return Finding(
        "adapter_ignored",
        "The server answers with the base model: it does not use what was trained.",
        f"All {len(seen.recitals)} answers are the base model's, to the letter, although the training loss fell "
        f"{fell(seen)}.{moved}",
        "Look at how the server loads the adapter (its path, its name in the request, an error in the log), or serve "
        "the merged model.",
    )


# How it was trained ---------------------------------------------------------------------------------------------------


def rate_too_high(seen: Symptoms) -> Finding | None:
    curve, far = seen.curve, (seen.adapter_share or 0) > TOO_FAR
    rose = curve.left is not None and curve.left >= ROSE and not _hardly_moved(seen)
    leapt = bool(curve.first and curve.peak and curve.peak >= LEAPT * curve.first)
    if not (curve.broken or far or ((rose or leapt) and _unlearned(seen))):
        return None
    loss = "The loss became no number" if curve.broken else f"The training loss went {fell(seen)}"
    loss += (f", by way of {curve.peak:.1f}" if leapt else "") + moved(seen)
    return Finding(
        "rate_too_high",
        "The learning rate was too high: training broke the model.",
        f"{loss}; {rate(seen)}; {recited(seen)}.",
        'Train again with a tenth of the learning rate (or leave it to the host: "auto").',
    )


def rate_too_low(seen: Symptoms) -> Finding | None:
    if not _unlearned(seen) or seen.curve.steps < ENOUGH_STEPS or not _hardly_moved(seen):
        return None
    return Finding(
        "rate_too_low",
        "The learning rate was too low: the weights hardly moved.",
        f"The training loss went {fell(seen)}{moved(seen)}; {rate(seen)}; {recited(seen)}.",
        'Train again with ten times the learning rate, or leave it to the host ("auto").',
    )


def too_few_steps(seen: Symptoms) -> Finding | None:
    if not _unlearned(seen) or seen.curve.steps >= ENOUGH_STEPS:
        return None
    return Finding(
        "too_few_steps",
        "Training was too short.",
        f"{plural(seen.curve.steps, 'step')}; the training loss went {fell(seen)}; {recited(seen)}.",
        "Train more passes over the rows (n_epochs), or with a smaller batch: "
        f"{plural(len(seen.rows), 'row')} make {steps_a_pass(seen)} a pass now.",
    )


def end_token(seen: Symptoms) -> Finding | None:
    rows, ended = seen.seen.get("rows", 0), seen.seen.get("rows_graded_on_their_end", 0)
    runs_on = seen.cut_off >= RECITES and seen.begun >= BEGINS and seen.recited < RECITES
    if ended == rows and not runs_on:
        return None
    trained = f"{rows - ended} of {rows} training rows were not graded on the token that ends an answer; " * (
        ended < rows
    )
    return Finding(
        "end_token",
        "The model did not learn to stop.",
        f"{trained}{seen.cut_off:.0%} of the answers ran to the limit, and {seen.begun:.0%} begin with the training "
        "answer.",
        "Let the end-of-turn token count in the loss of each answer, and train again; until then give the call a "
        "`stop`.",
    )


def loss_on_prompts(seen: Symptoms) -> Finding | None:
    graded = seen.seen.get("graded_in_prompts", 0)
    loud = not seen.seen and seen.recited >= RECITES and (seen.curve.last or 0) > LOUD
    if graded:
        evidence = f"{graded} graded tokens stand in the prompts of the first {plural(seen.seen['compared'], 'row')}."
    elif loud:
        evidence = f"The training loss ended at {seen.curve.last:.2f} nats a token, although {recited(seen)}."
    else:
        return None
    return Finding(
        "loss_on_prompts",
        "The loss counts the prompts, not the answers alone.",
        evidence,
        "Mask the prompt in the loss (grade the assistant's tokens only), and train again.",
    )


# What it was trained on -----------------------------------------------------------------------------------------------


def contradictions(seen: Symptoms) -> Finding | None:
    share = contradicted(seen.rows)
    if share < CONTRADICTED:
        return None
    return Finding(
        "contradictions",
        "The same question stands in the training file with different answers.",
        f"{share:.0%} of the {len(seen.rows)} rows are contradicted by another one; {recited(seen)}.",
        "data.check names the rows; keep one answer for each question, and train again.",
    )


def wrong_fields(seen: Symptoms) -> Finding | None:
    learned = {name: right >= RECITES * times for name, (right, times) in seen.fields.items()}
    wrong = ", ".join(name for name, well in learned.items() if not well)
    if seen.as_base == 1 or _barely_trained(seen) or not wrong or not any(learned.values()):
        return None
    return Finding(
        "wrong_fields",
        f"Only a part of each answer was learned: not {wrong}.",
        f"When asked again, {recited(seen)}.",
        f"Read ten training rows: can {wrong} be told from the question? If so, train more passes, or all layers. If "
        "not, leave it out of the answers, and let your program fill it in.",
    )


def answers_do_not_fit(seen: Symptoms) -> Finding | None:
    if seen.as_base == 1 or _barely_trained(seen):
        return None  # these answers are not the training's
    share = belonging(seen.held_out) if len(seen.held_out) >= ENOUGH_HELD_OUT else None
    if share is None or share > CHANCE:
        return None
    return Finding(
        "answers_do_not_fit",
        "The answers do not follow from the questions: most likely they were shuffled, or joined to the wrong rows.",
        f"On {len(seen.held_out)} held-out rows answers belong to their own question no better than chance "
        f"({share:.2f}; 0.5 is chance, 1 is always), although {recited(seen)}.",
        "Read ten training rows aloud, question and answer. If they do fit, the answer cannot be told from the "
        "question, or there are too few rows to learn it from.",
    )


RULES: tuple[Rule, ...] = (
    wrong_model,
    system_prompt,
    question_form,
    too_short,
    template,
    adapter_ignored,
    rate_too_high,
    rate_too_low,
    too_few_steps,
    end_token,
    loss_on_prompts,
    contradictions,
    wrong_fields,
    answers_do_not_fit,
)


def _unlearned(seen: Symptoms) -> bool:
    """Whether the training rows do not come back, and the base model's own answers are no better."""
    return seen.recited < RECITES


def _barely_trained(seen: Symptoms) -> bool:
    """Whether the rows do not come back because there was hardly any training."""
    return _unlearned(seen) and (seen.curve.steps < ENOUGH_STEPS or _hardly_moved(seen))


def _hardly_moved(seen: Symptoms) -> bool:
    if seen.adapter_share is not None:
        return seen.adapter_share < STILL
    return seen.curve.left is not None and seen.curve.left > LEARNED
