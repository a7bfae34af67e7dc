"""What can be seen only when all examples are looked at together: duplicates, contradictions, leaks, labels, forms."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pandas as pd

from helpers.data.duplicates import clusters, near_pairs, normalise, tidy
from helpers.data.languages import language
from helpers.data.report import Findings
from helpers.data.shapes import Shaped
from helpers.formatting import percent

MAX_LABELS = 50
MAX_FIELD_VALUES = 1_000
LABEL_LENGTH = 80
FEW_OF_A_LABEL = 5
IMBALANCE = 10
"""The commonest label this many times as often as the rarest is worth a note."""

USUAL = 0.8
"""A form that this share of the answers has is the usual one; the others are problems."""

REFUSAL_SHARE = 0.1
SHORT_ANSWER = 20
"""Answers up to this many characters (labels, names, numbers) may stand in the prompt by chance."""

EQUAL_ROWS, EQUAL_SHARE = 10, 0.1
"""From so many equal rows, when they are more than this share of the file, the file as a whole is doubtful."""

ONE_LABEL = 10
"""Rows from which one single answer throughout is worth a warning."""

LICENCE_KEYS = ("license", "licence", "source", "copyright")


class Corpus:
    """A few numbers for each example, gathered row by row; texts only where near-duplicates are looked for."""

    def __init__(self, *, keep_texts: bool) -> None:
        self.keep_texts = keep_texts
        self.unreadable = self.truncated = 0
        self.lines: list[int] = []
        self.tokens: list[int | None] = []
        self.prompt_chars: list[int] = []
        self.answer_chars: list[int] = []
        self.prompts: list[int] = []
        self.questions: list[int] = []
        self.answers: list[int] = []
        self.systems: list[int] = []
        self.system_texts: dict[int, str] = {}
        self.texts: list[bytes] = []
        self.labels: list[str | None] = []
        self.forms: list[tuple[str, ...] | None] = []
        self.fields: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.in_prompt: list[int] = []
        self.languages: list[str | None] = []
        self.licences: Counter[str] = Counter()
        self._system_keys: dict[str, int] = {}
        self._interned: dict[Any, Any] = {}

    def add(self, line: int, messages: list[dict], texts: Sequence[str], tokens: int | None, row: Shaped) -> None:
        """Take note of one well-formed example. Its answer is the last message's text, or its tool calls.

        Args:
            line: where the row begins in its file, from 1.
            messages: its chat messages.
            texts: the text of each message.
            tokens: of the whole example; None where they are not counted.
            row: the example in chat shape, for its tools and its other columns.
        """
        at = len(self.lines)
        answered = messages[-1].get("role") == "assistant"
        answer = (texts[-1] or _calls(messages[-1])) if answered else ""
        questions, systems = [], []
        for message, text in zip(messages[:-1] if answered else messages, texts, strict=False):
            said = systems if message.get("role") in ("system", "developer") else questions
            said.append(text or _calls(message))
        question, system = "\n".join(questions), "\n".join(systems)
        self.lines.append(line)
        self.tokens.append(tokens)
        self.prompt_chars.append(len(question) + len(system))
        self.answer_chars.append(len(answer))
        squeezed = _squeezed(question)
        key = hash(squeezed or ("no question", at))
        self.questions.append(key)
        self.systems.append(self._system_key(system))
        self.prompts.append(hash((key, self.systems[-1])))
        self.answers.append(hash(_canonical(answer)))
        if self.keep_texts:
            self.texts.append(tidy(question))
        self._note_answer(at, answer)
        if len(answer) > SHORT_ANSWER and answer.strip() in question:
            self.in_prompt.append(line)
        self.languages.append(language(squeezed))
        if row.extra:
            self._note_licence(row.extra)

    def _system_key(self, system: str) -> int:
        """The same for system prompts that differ only in case and white space."""
        known = self._system_keys.get(system)
        if known is None:
            known = self._system_keys[system] = hash(_squeezed(system))
            self.system_texts.setdefault(known, system[:80])
        return known

    def _note_licence(self, extra: dict[str, Any]) -> None:
        for name in LICENCE_KEYS:
            if name in extra and len(self.licences) < MAX_FIELD_VALUES:
                self.licences[f"{name} {str(extra[name])[:60]!r}"] += 1

    def _note_answer(self, at: int, answer: str) -> None:
        short = answer.strip()
        self.labels.append(self._intern(answer) if len(answer) <= LABEL_LENGTH else None)
        form = None
        if short.startswith("{"):
            try:
                value = orjson.loads(short)
            except orjson.JSONDecodeError:
                value = None
            if isinstance(value, dict):
                form = self._intern(tuple(sorted(value)))
                for name, item in value.items():
                    if isinstance(item, str) and len(item) <= LABEL_LENGTH:
                        self.fields[name].append((at, self._intern(item)))
        self.forms.append(form)

    def _intern(self, value: Any) -> Any:
        return self._interned.setdefault(value, value)

    def table(self) -> pd.DataFrame:
        """One row an example: see ``CheckReport.rows``."""
        labels = self.labels if self.has_labels(self.labels) else [None] * len(self.lines)
        if not any(labels):
            labels = self._label_field()
        return pd.DataFrame(
            {
                "line": self.lines,
                "tokens": pd.array(self.tokens, dtype="Int64"),
                "prompt_chars": self.prompt_chars,
                "answer_chars": self.answer_chars,
                "label": pd.Series(labels, dtype="object"),
            }
        )

    def _label_field(self) -> list[str | None]:
        """The JSON field that looks most like a label: few values, in nearly every answer; the first such."""
        labels: list[str | None] = [None] * len(self.lines)
        for values in self.fields.values():
            if len(values) >= USUAL * len(self.lines) and self.has_labels([value for _, value in values]):
                for at, value in values:
                    labels[at] = value
                break
        return labels

    @staticmethod
    def has_labels(values: Sequence[str | None]) -> bool:
        """Whether these are labels: between two and fifty different values, each used five times on average."""
        different = set(values)
        return None not in different and 2 <= len(different) <= min(MAX_LABELS, max(len(values) / 5, 2))


def _squeezed(text: str) -> str:
    return " ".join(text.split()).casefold()


def _canonical(answer: str) -> str:
    """The same for answers that mean the same: JSON with other spacing or order, other case or white space."""
    short = answer.strip()
    if short.startswith("{"):
        try:
            return orjson.dumps(orjson.loads(short), option=orjson.OPT_SORT_KEYS).decode()
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            pass
    return _squeezed(short)


def _calls(message: dict) -> str:
    calls = message.get("tool_calls") or message.get("function_call")
    return orjson.dumps(calls, default=str).decode() if calls else ""


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
    for line in corpus.in_prompt:
        found.add("answer_in_prompt", line, "messages", "The whole answer is in the prompt.")
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
        for first, *others in same.values():
            _report_equal(corpus.lines[first], [corpus.lines[at] for at in others], len(corpus.lines), found)
        first = {answer: ats[0] for answer, ats in same.items()}
        if len(first) > 1:
            for at in first.values():
                others = [corpus.lines[other] for other in first.values() if other != at][:5]
                told = f"The same prompt has a different answer on line {', '.join(map(str, others))}."
                found.add("contradiction", corpus.lines[at], "messages", told, other=others[0])


def _report_equal(first: int, others: list[int], rows: int, found: Findings) -> None:
    """Rows equal to an earlier one: each a problem of its line, so that repair() finds it; where they are a large part
    of the file, that is one problem of the file, said first."""
    if len(others) + 1 >= EQUAL_ROWS and (len(others) + 1) > EQUAL_SHARE * rows:
        told = f"{len(others) + 1:,} of {rows:,} rows are the same as line {first}: is this the right export?"
        found.add("equal_rows", 0, "file", told)
    for line in others:
        found.add("duplicate", line, "messages", f"The same prompt and answer as line {first}.", other=first)


def _check_leaks(corpus: Corpus, other: Corpus, name: str, found: Findings) -> Iterator[int]:
    """Positions of prompts that stand in another split too; system prompts are not compared: the question leaks."""
    there: dict[int, int] = {}
    for at, question in enumerate(other.questions):
        there.setdefault(question, at)
    for at, question in enumerate(corpus.questions):
        if question in there:
            line = other.lines[there[question]]
            found.add("leak", corpus.lines[at], "messages", f"The same prompt is on line {line} of the {name} split.")
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
            found.add("near_duplicate", corpus.lines[b], "messages", message, other=corpus.lines[a])
    roots = clusters(len(places), ((pair.a, pair.b) for pair in pairs))
    elsewhere = dict(zip(roots[size:], places[size:], strict=True))
    for at, root in enumerate(roots[:size]):
        if root in elsewhere and at not in leaked:
            name, line = elsewhere[root]
            message = f"The prompt resembles line {line} of the {name} split, directly or through rows in between."
            found.add("near_leak", corpus.lines[at], "messages", message)


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
                "messages[0]",
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
                found.add("rare_label", 0, name, f"{label!r} has {count} row(s) in {name}.")
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
    for line, name in zip(corpus.lines, corpus.languages, strict=True):
        if name not in (None, usual):
            found.add("language_mix", line, "messages", f"The prompt reads as {name}; most read as {usual}.")
