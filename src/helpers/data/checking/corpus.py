"""What the checks of a whole file keep of each example: hashes, lengths, labels, the form of its answer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import orjson
import pandas as pd

from helpers.data.checking.languages import language
from helpers.data.duplicates import tidy
from helpers.data.sensitive import beside
from helpers.data.shapes.chat import Shaped

MAX_LABELS = 50
MAX_FIELD_VALUES = 1_000
LABEL_LENGTH = 80

USUAL = 0.8
"""A form that this share of the answers has is the usual one; the others are problems."""

SHORT_ANSWER = 20
"""Answers up to this many characters (labels, names, numbers) may stand in the prompt by chance."""


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
        self.asked: list[str] = []
        self.instructed = "messages[0]"
        self.in_prompt: list[int] = []
        self.languages: list[str | None] = []
        self.licences: Counter[str] = Counter()
        self.declarations: Counter[int] = Counter()
        self.doubtful: dict[int, tuple[int, str, Any]] = {}
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
        self._note_places(messages, answered, row.names)
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
            self.in_prompt.append(at)
        self.languages.append(language(squeezed))
        if row.extra:
            self._note_licence(row.extra)

    def _note_places(self, messages: list[dict], answered: bool, names: tuple[str, ...]) -> None:
        """How a report names the prompt and the system prompt: by their columns, where the row has columns."""
        said = list(zip(messages[:-1] if answered else messages, names, strict=False))
        questions = [name for message, name in said if message.get("role") not in ("system", "developer")]
        self.asked.append(", ".join(questions) or "messages")
        self.instructed = next((name for _, name in said if name not in questions), self.instructed)

    def note_declarations(self, line: int, chat: dict) -> None:
        """Count each tool that a row declares; keep those that hold personal data or secrets, with their first place.

        Args:
            line: where the row begins in its file, from 1.
            chat: the row in chat shape.
        """
        for where, tool in beside.declarations(chat):
            key = beside.fingerprint(tool)
            if key not in self.declarations and beside.declared_finds(where, tool):
                self.doubtful[key] = line, where, tool
            self.declarations[key] += 1

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
