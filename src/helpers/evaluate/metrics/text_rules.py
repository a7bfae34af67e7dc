"""Rules that text must keep, as data: a list of ``{"id", "description", "kind", …the kind's parameters}``.

======================== ==================== =====================================================================
kind                     parameters           the text keeps the rule when
======================== ==================== =====================================================================
word_count               min, max             its number of words lies between the two, both included
sentence_count           min, max             its number of sentences does
sentence_max_words       max                  no sentence has more words
last_sentence_max_words  max                  its last sentence has no more words
regex_absent             pattern              the pattern is found nowhere
regex_present            pattern              the pattern is found at least once
regex_count              pattern, min, max    the pattern is found between min and max times
banned_words             words                none of the words or phrases is found, whatever its case
any_word                 words                at least one of them is found
all_words                words                each of them is found
each_at_most_once        words                at least one of them is found, and none twice
equals                   options              the whole text is one of these (case, quotes, final full stop aside)
json_object              (none)               the whole text is one JSON object
======================== ==================== =====================================================================

Patterns are Python's; ``ignore_case = true`` makes one ignore case.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.errors import EvaluationError
from helpers.evaluate.metrics.metric import Metric, label_of, parsed
from helpers.evaluate.prompts.candidates import digest

Rule = Mapping[str, Any]

WORD = re.compile(r"\w+(?:['’.-]\w+)*")
SENTENCE_BREAK = re.compile(r"(?<=[.!?])\s+")


def _words(text: str) -> int:
    return len(WORD.findall(text))


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in SENTENCE_BREAK.split(text.strip()) if sentence]


def _times(word: str, text: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def _found(rule: Rule, text: str) -> int:
    return sum(1 for _ in re.finditer(rule["pattern"], text, re.IGNORECASE if rule.get("ignore_case") else 0))


KINDS: dict[str, tuple[tuple[str, ...], Callable[[Rule, str], bool]]] = {
    "word_count": (("min", "max"), lambda rule, text: rule["min"] <= _words(text) <= rule["max"]),
    "sentence_count": (("min", "max"), lambda rule, text: rule["min"] <= len(_sentences(text)) <= rule["max"]),
    "sentence_max_words": (("max",), lambda rule, text: all(_words(s) <= rule["max"] for s in _sentences(text))),
    "last_sentence_max_words": (("max",), lambda rule, text: _words((_sentences(text) or [""])[-1]) <= rule["max"]),
    "regex_absent": (("pattern",), lambda rule, text: not _found(rule, text)),
    "regex_present": (("pattern",), lambda rule, text: _found(rule, text) > 0),
    "regex_count": (("pattern", "min", "max"), lambda rule, text: rule["min"] <= _found(rule, text) <= rule["max"]),
    "banned_words": (("words",), lambda rule, text: not any(_times(word, text) for word in rule["words"])),
    "any_word": (("words",), lambda rule, text: any(_times(word, text) for word in rule["words"])),
    "all_words": (("words",), lambda rule, text: all(_times(word, text) for word in rule["words"])),
    "each_at_most_once": (("words",), lambda rule, text: {_times(w, text) for w in rule["words"]} in ({1}, {0, 1})),
    "equals": (("options",), lambda rule, text: label_of(text) in {label_of(option) for option in rule["options"]}),
    "json_object": ((), lambda rule, text: isinstance(parsed(text, fenced=False), dict)),
}
"""Kind of rule → the parameters that it needs, and its test."""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_words(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(v, str) and v for v in value)


PARAMETERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "min": (_is_count, "a whole number"),
    "max": (_is_count, "a whole number"),
    "pattern": (lambda value: isinstance(value, str) and value != "", "a pattern"),
    "words": (_is_words, "a list of words"),
    "options": (_is_words, "a list of texts"),
}
"""Parameter → whether a value is one, and what it must be."""


def keeps(rule: Rule, text: str) -> bool:
    """Whether a text keeps one rule (already checked by :func:`check_rules`).

    Args:
        rule: one that was checked.
        text: a model's answer.
    """
    return KINDS[rule["kind"]][1](rule, text)


def broken(rules: Sequence[Rule], text: str) -> list[str]:
    """The ids of the rules that a text breaks.

    Args:
        rules: checked ones.
        text: a model's answer.
    """
    return [rule["id"] for rule in rules if not keeps(rule, text)]


def rule_check(rules: Sequence[Rule] | Path | str, name: str = "rules") -> Metric:
    """A metric: 1 when a text keeps all rules, else 0.

    Args:
        rules: a list, or a TOML file with ``[[rule]]`` tables.
        name: the metric's.
    """
    checked = load_rules(rules) if isinstance(rules, Path | str) else check_rules(rules)
    return Metric(name, lambda answer, example: float(not broken(checked, answer)), version=version(checked))


def version(rules: Sequence[Rule]) -> str:
    """A short hash of what the rules ask for, whatever they are called."""
    said = ("id", "description")
    return digest([{key: value for key, value in rule.items() if key not in said} for rule in rules])[:8]


def load_rules(path: Path | str) -> list[Rule]:
    """The rules in a TOML file.

    Raises:
        EvaluationError: no such file, not TOML, or rules that do not fit the table above; all of them are named.
    """
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8")).get("rule", [])
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f"The rules in {path} cannot be read.", got=str(error), fix="Correct it as help(evaluate.text_rules) shows."
        ) from error
    return check_rules(tables if isinstance(tables, list) else [tables])


def check_rules(rules: Sequence[Rule]) -> list[Rule]:
    """The rules themselves, once each has an id, a known kind and that kind's parameters.

    Raises:
        EvaluationError: naming every rule that has not.
    """
    problems = [f"{_id(rule) or f'rule {place}'}: {wrong}" for place, rule in enumerate(rules, 1)
                if (wrong := _wrong(rule))]  # fmt: skip
    if problems or not rules:
        raise EvaluationError("The rules cannot be used.", got="; ".join(problems) or "no rules at all")
    return list(rules)


def _id(rule: Rule) -> object:
    return rule.get("id") if isinstance(rule, Mapping) else None


def _wrong(rule: Rule) -> str:
    if not isinstance(rule, Mapping):
        return f"is not a table of parameters but {type(rule).__name__}"
    if not rule.get("id"):
        return "has no id"
    if rule.get("kind") not in KINDS:
        return f"unknown kind {rule.get('kind')!r} (known: {', '.join(KINDS)})"
    if missing := [parameter for parameter in KINDS[rule["kind"]][0] if parameter not in rule]:
        return f"{rule['kind']} needs {', '.join(missing)}"
    for parameter, (is_one, what) in PARAMETERS.items():
        if parameter in KINDS[rule["kind"]][0] and not is_one(rule[parameter]):
            return f"{parameter} must be {what}, not {rule[parameter]!r}"
    try:
        re.compile(rule.get("pattern", ""))
    except re.error as error:
        return f"its pattern does not compile: {error}"
    return ""
