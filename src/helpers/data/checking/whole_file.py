"""What can be seen only when all examples are looked at together: duplicates, contradictions, leaks, labels, forms."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from helpers.data.checking.corpus import MAX_LABELS, USUAL, Corpus
from helpers.data.duplicates import clusters, near_pairs, normalise
from helpers.data.report import Findings
from helpers.data.sensitive.beside import check_declaration
from helpers.formatting import percent, plural

FEW_OF_A_LABEL = 5
IMBALANCE = 10
"""The commonest label this many times as often as the rarest is worth a note."""

REFUSAL_SHARE = 0.1

EQUAL_ROWS, EQUAL_SHARE = 10, 0.1
"""From so many equal rows, when they are more than this share of the file, the file as a whole is doubtful."""

ONE_LABEL = 10
"""Rows from which one single answer throughout is worth a warning."""


def check_whole(corpus: Corpus, others: dict[str, Corpus], found: Findings) -> None:
    """All checks that need every row; ``others`` are the splits, by name, that may share no prompt with this one.

    Args:
        corpus: the rows of the file that is checked.
        others: splits that may share no prompt with this one, by name.
        found: takes the problems.
    """
    _check_same_prompts(corpus, found)
    leaked = {at for name, other in others.items() for at in _check_leaks(corpus, other, name, found)}
    if corpus.keep_texts:
        _check_near(corpus, others, leaked, found)
    _check_systems(corpus, found)
    _check_one_answer(corpus, found)
    _check_labels(corpus, found)
    _check_forms(corpus, found)
    _check_languages(corpus, found)
    for key, (line, where, tool) in corpus.doubtful.items():
        check_declaration(line, where, tool, corpus.declarations[key] - 1, found)
    for at in corpus.in_prompt:
        found.add("answer_in_prompt", corpus.lines[at], corpus.asked[at], "The whole answer is in the prompt.")
    n, refusals = len(corpus.lines), found.counts["refusal_answer"]
    if n >= 20 and refusals > REFUSAL_SHARE * n:
        found.add("refusal_share", 0, "file", f"{refusals:,} of {n:,} answers refuse ({percent(refusals / n)}).")
    if len(corpus.licences) > 1:
        listed = ", ".join(f"{count:,} × {name}" for name, count in corpus.licences.most_common(8))
        found.add("licence", 0, "file", f"Rows name {listed}.")


def _check_same_prompts(corpus: Corpus, found: Findings) -> None:
    """Exact duplicates and contradictions: prompts equal but for case and white space, system prompt included."""
    groups: dict[int, list[int]] = defaultdict(list)
    for at, prompt in enumerate(corpus.prompts):
        groups[prompt].append(at)
    for group in groups.values():
        if len(group) == 1:
            continue
        same: dict[int, list[int]] = defaultdict(list)
        for at in group:
            same[corpus.answers[at]].append(at)
        for ats in same.values():
            _report_equal(corpus, ats, found)
        first = {answer: ats[0] for answer, ats in same.items()}
        if len(first) > 1:
            for at in first.values():
                others = [corpus.lines[other] for other in first.values() if other != at][:5]
                told = f"The same prompt has a different answer on line {', '.join(map(str, others))}."
                found.add("contradiction", corpus.lines[at], corpus.asked[at], told, other=others[0])


def _report_equal(corpus: Corpus, ats: list[int], found: Findings) -> None:
    """Rows equal to an earlier one: each a problem of its line, so that repair() finds it; where they are a large part
    of the file, that is one problem of the file, said first."""
    first, rows = corpus.lines[ats[0]], len(corpus.lines)
    if len(ats) >= EQUAL_ROWS and len(ats) > EQUAL_SHARE * rows:
        told = f"{len(ats):,} of {rows:,} rows are the same as line {first}: is this the right export?"
        found.add("equal_rows", 0, "file", told)
    for at in ats[1:]:
        found.add(
            "duplicate", corpus.lines[at], corpus.asked[at], f"The same prompt and answer as line {first}.", other=first
        )


def _check_leaks(corpus: Corpus, other: Corpus, name: str, found: Findings) -> Iterator[int]:
    """Positions of prompts that stand in another split too; system prompts are not compared: the question leaks."""
    there: dict[int, int] = {}
    for at, question in enumerate(other.questions):
        there.setdefault(question, at)
    for at, question in enumerate(corpus.questions):
        if question in there:
            line = other.lines[there[question]]
            found.add(
                "leak", corpus.lines[at], corpus.asked[at], f"The same prompt is on line {line} of the {name} split."
            )
            yield at


def _check_near(corpus: Corpus, others: dict[str, Corpus], leaked: set[int], found: Findings) -> None:
    """Near-duplicates within the file, and rows that hang together with a row of another split."""
    places = [("", line) for line in corpus.lines]
    places += [(name, line) for name, other in others.items() for line in other.lines]
    size = len(corpus.lines)
    pairs = near_pairs([text for part in (corpus, *others.values()) for text in part.texts])
    told: set[int] = set()
    for a, b, similarity in sorted(pairs, key=lambda pair: -pair.similarity):
        if b < size and corpus.prompts[a] != corpus.prompts[b] and b not in told:
            told.add(b)
            message = f"The prompt resembles line {corpus.lines[a]} ({percent(similarity)})."
            found.add("near_duplicate", corpus.lines[b], corpus.asked[b], message, other=corpus.lines[a])
    roots = clusters(len(places), ((pair.a, pair.b) for pair in pairs))
    elsewhere = dict(zip(roots[size:], places[size:], strict=True))
    for at, root in enumerate(roots[:size]):
        if root in elsewhere and at not in leaked:
            name, line = elsewhere[root]
            message = f"The prompt resembles line {line} of the {name} split, directly or through rows in between."
            found.add("near_leak", corpus.lines[at], corpus.asked[at], message)


def _check_systems(corpus: Corpus, found: Findings) -> None:
    counts = Counter(corpus.systems)
    if len(counts) < 2:
        return
    usual, count = counts.most_common(1)[0]
    if count < USUAL * len(corpus.systems):
        found.add("system_differs", 0, "file", f"{len(counts):,} different system prompts (none counts as one).")
        return
    for line, system in zip(corpus.lines, corpus.systems, strict=True):
        if system != usual:
            text = corpus.system_texts[system]
            found.add(
                "system_differs",
                line,
                corpus.instructed,
                f"The system prompt is {text!r}." if text else "No system prompt.",
            )


def _check_one_answer(corpus: Corpus, found: Findings) -> None:
    """The same answer in every row: there is nothing to decide, and any constant reply scores 100 %."""
    if len(corpus.answers) >= ONE_LABEL and len(set(corpus.answers)) == 1:
        label = next((label for label in corpus.labels if label), "the same text")
        told = f"All {len(corpus.answers):,} rows have one answer, {label!r}: nothing can be learned or measured."
        found.add("one_answer", 0, "file", told)


def _check_labels(corpus: Corpus, found: Findings) -> None:
    """Spellings, rare labels and imbalance, for answers that are labels and for JSON fields that are."""
    columns = [("the answer", [(at, label) for at, label in enumerate(corpus.labels) if label is not None])]
    columns += [(f"the field {name!r}", values) for name, values in corpus.fields.items()]
    for name, values in columns:
        if len(values) < max(20, USUAL * len(corpus.lines)):
            continue
        spelled: dict[str, Counter[str]] = defaultdict(Counter)
        for _, value in values:
            spelled[normalise(value)][value] += 1
        if not 2 <= len(spelled) <= min(MAX_LABELS, len(values) / 5):
            continue
        usual = {key: counts.most_common(1)[0][0] for key, counts in spelled.items()}
        for at, value in values:
            if value != usual[normalise(value)]:
                told = f"{value!r} is usually spelled {usual[normalise(value)]!r} in {name}."
                found.add("label_variant", corpus.lines[at], name, told)
                found.usual_labels[normalise(value)] = usual[normalise(value)]
        sizes = Counter({usual[key]: sum(counts.values()) for key, counts in spelled.items()})
        for label, count in sizes.items():
            if count < FEW_OF_A_LABEL:
                found.add("rare_label", 0, name, f"{label!r} has {plural(count, 'row')} in {name}.")
        (most, many), (least, few) = sizes.most_common()[0], sizes.most_common()[-1]
        if many >= IMBALANCE * few:
            found.add("label_imbalance", 0, name, f"{most!r} has {many:,} rows, {least!r} has {few:,}, in {name}.")


def _check_forms(corpus: Corpus, found: Findings) -> None:
    """Where most answers are JSON objects with the same keys, the ones that are not."""
    counts = Counter(form for form in corpus.forms if form is not None)
    if len(corpus.forms) < 10 or sum(counts.values()) < USUAL * len(corpus.forms):
        return
    usual, count = counts.most_common(1)[0]
    for line, form in zip(corpus.lines, corpus.forms, strict=True):
        if form is None:
            found.add("answer_format", line, "answer", "The answer is not a JSON object; most answers are.")
        elif form != usual and count >= USUAL * len(corpus.forms):
            found.add("answer_format", line, "answer", f"The keys are {', '.join(form)}; usual are {', '.join(usual)}.")


def _check_languages(corpus: Corpus, found: Findings) -> None:
    """Prompts in another language than most, where one language is usual."""
    counts = Counter(name for name in corpus.languages if name is not None)
    if not counts or counts.most_common(1)[0][1] < USUAL * sum(counts.values()):
        return
    usual = counts.most_common(1)[0][0]
    for line, asked, name in zip(corpus.lines, corpus.asked, corpus.languages, strict=True):
        if name not in (None, usual):
            found.add("language_mix", line, asked, f"The prompt reads as {name}; most read as {usual}.")
