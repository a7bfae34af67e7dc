"""What is wrong with a message's text: placeholders, refusals, remains of HTML, wrong decoding."""

from __future__ import annotations

import re
from collections.abc import Callable

from helpers.data.report import Findings
from helpers.tokens import text_of

PLACEHOLDERS = frozenset(
    ("n/a", "na", "none", "null", "nil", "nan", "todo", "tbd", "tba", "fixme", "xxx", "...", "…", "-", "--", "?",
     "#n/a", "undefined", "lorem ipsum", "answer", "placeholder", "test", "[object object]", "#ref!", "#value!",
     "#name?")
)  # fmt: skip
REFUSAL = re.compile(
    r"""i['’]?m\ (?:very\ |so\ |really\ )?sorry,?\ (?:but\ )?(?:i|as\ an) | i\ apologi[sz]e,?\ but
    | (?:sorry,\ )?(?:but\ )?i\ (?:can['’]?t|cannot|can\ not|am\ unable\ to|am\ not\ able\ to|won['’]?t\ be\ able\ to)\b
    | i['’]m\ (?:unable|not\ able)\ to | as\ an\ ai\b | unfortunately,?\ i\ (?:can|am\ un)""",
    re.IGNORECASE | re.VERBOSE,
)
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\ufeff\u200b\u202a-\u202e\u2060\u2066-\u2069]")
MOJIBAKE = re.compile("Ã[\x80-\xbf¡-¿ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€]|â€[\x80-\x9d™œ“”˜¦¢\x9d]|Â[\xa0£©®°·»«]|ï¿½")
HTML = re.compile(
    r"</?(?:br|p|div|span|b|i|u|a|li|ul|ol|td|tr|table|font|strong|em|h[1-6])(?: [^<>]{0,200})?/?>"
    r"|&(?:nbsp|amp|lt|gt|quot|#\d{2,5});",
    re.IGNORECASE,
)


def check_text(line: int, messages: list[dict], place: Callable, found: Findings) -> None:
    """Placeholders, refusals, white space, control characters, mojibake and HTML, in every message's text.

    Args:
        line: where the row begins in its file, from 1.
        messages: well-formed chat messages.
        place: from ``messages.places``: a message's number and its key → what a report calls that place.
        found: takes the problems.
    """
    for i, message in enumerate(messages):
        text = text_of(message.get("content"))
        if not text:
            continue
        if message.get("role") == "assistant":
            _check_answer(line, text, place(i, "content"), found)
        if not text.isascii() or not text.isprintable():
            _check_characters(line, text, place(i, "content"), found)


def _check_answer(line: int, text: str, where: str, found: Findings) -> None:
    bare = text.strip()
    if bare and bare != text:
        found.add("answer_whitespace", line, where, "The answer begins or ends with white space.")
    if len(bare) <= 16 and bare.casefold() in PLACEHOLDERS:
        found.add("placeholder_answer", line, where, f"The answer is {bare!r}.")
    if len(bare) < 2000 and REFUSAL.match(bare):
        found.add("refusal_answer", line, where, f"The answer refuses: {bare[:60]!r}.")
    if ("<" in text or "&" in text) and (hit := HTML.search(text)):
        found.add("html_residue", line, where, f"HTML in the answer: {hit.group()[:40]!r}.")


def _check_characters(line: int, text: str, where: str, found: Findings) -> None:
    if hit := CONTROL.search(text):
        found.add("control_characters", line, where, f"The character U+{ord(hit.group()):04X} at {hit.start() + 1}.")
    if not text.isascii() and (hit := MOJIBAKE.search(text)):
        found.add(
            "mojibake", line, where, f"Wrongly decoded text: {text[max(0, hit.start() - 10) : hit.end() + 10]!r}."
        )
