"""Personal data and secrets: what is looked for, what is not, and how each find is shown without giving it away.

``KINDS`` says what is claimed, ``NOT_COVERED`` what is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from helpers.data.report import Findings
from helpers.data.sensitive import credentials, identifiers
from helpers.data.sensitive.credentials import Hit
from helpers.data.sensitive.national_ids import COUNTRIES

KINDS = {
    "email": "E-mail addresses, also written with (at) and (dot).",
    "phone": (
        "Phone numbers with a country code; national ones of US, GB, DE, FR, ES, IT, NL, IN, AU and BR in their usual "
        "groups, or after a word such as call, phone, mobile. About one alarm in twenty is something else."
    ),
    "card": "Payment cards of the eight large networks: issuer digits, length, grouping and Luhn digit must fit.",
    "iban": "Bank account numbers (IBAN): the country's length and the check digits must fit.",
    "national_id": (
        f"Identity and tax numbers of {', '.join(COUNTRIES)}; check digits verified where there are any (US social "
        "security and UK national insurance numbers have none); plain digits only next to a word that names them."
    ),
    "api_key": (
        "Keys with the prefix of a known issuer (AWS, OpenAI, Anthropic, Stripe, Google, SendGrid, Twilio …), and "
        "values named api key, secret key, client secret."
    ),
    "token": (
        "Access tokens with a known prefix (GitHub, GitLab, Slack, npm, PyPI, Hugging Face …), JSON web tokens, bearer "
        "headers, and values named token."
    ),
    "private_key": "PEM, OpenSSH, PGP, PuTTY and age private keys with a body, and values named private key.",
    "password": (
        "Values named password (also in German, French, Spanish, Portuguese, Dutch, Swedish, Polish), and passwords in "
        "addresses and in the commands of curl, mysql, sshpass and SQL."
    ),
}

NOT_COVERED = (
    "names of people",
    "postal addresses",
    "dates of birth and ages",
    "health, faith and other sensitive statements",
    "user names, IP addresses, licence plates, passports and driving licences",
    "bank accounts outside the IBAN system",
    "secrets without a known prefix, frame or name next to them",
    "anything in pictures or files",
    "ids of calls, and columns or keys that are no part of a conversation",
)

CODE_OF = {
    kind: f"{'secret' if kind in ('api_key', 'token', 'private_key', 'password') else 'personal'}_{kind}"
    for kind in KINDS
}

REMOVED = {kind: f"[{kind.replace('_', ' ')} removed]" for kind in KINDS}
"""What ``repair`` writes in place of a find."""

EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])(?!:[\w~/])")
SPELLED_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}(?:"
    r" ?[\[({] ?at ?[\])}] ?[\w-]{1,63}(?: ?(?:[\[({] ?dot ?[\])}]|\.| dot ) ?[\w-]{2,63}){1,4}"
    r"| at [\w-]{2,63} dot (?:com|org|net|io|co|uk|de|fr|es|it|nl|eu|us|ca|au|info|biz)\b)",
    re.IGNORECASE,
)
AT_SIGNS, BRACKETS, AT_INSIDE = ("@", " dot "), ("(", "[", "{"), ("at)", "at]", "at}", "at )", "at ]", "AT)", "AT]")
"""One of the first stands in every address, plain or spelled out, or one of the second and one of the third."""

FILE_ENDINGS = frozenset(("png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "json", "txt", "pdf", "html"))
RESERVED = re.compile(
    r"@(?:[\w-]+\.)*(?:example\.(?:com|org|net)|(?:[\w-]+\.)?(?:example|test|invalid|localhost|local))$", re.IGNORECASE
)
"""Domains kept for examples (RFC 2606, RFC 6761): such an address belongs to nobody."""


def find(text: str) -> list[Hit]:
    """Finds in ``text``, in order, none overlapping: where two kinds claim the same characters the surer one stays."""
    hits = list(_all(text))
    if len(hits) < 2:
        return hits
    hits.sort(key=lambda hit: (SURER.index(hit.kind), hit.start))
    kept: list[Hit] = []
    for hit in hits:
        if all(hit.end <= other.start or hit.start >= other.end for other in kept):
            kept.append(hit)
    return sorted(kept, key=lambda hit: hit.start)


SURER = ("private_key", "token", "api_key", "password", "email", "iban", "card", "national_id", "phone")


def _all(text: str) -> Iterator[Hit]:
    if any(map(text.__contains__, AT_SIGNS)) or (
        any(map(text.__contains__, BRACKETS)) and any(map(text.__contains__, AT_INSIDE))
    ):
        yield from _emails(text)
    yield from identifiers.find(text)
    yield from credentials.find(text)


JOINT = "\n\x00\n"
"""Stands between messages that are searched as one text; no pattern reaches across it."""


def _emails(text: str) -> Iterator[Hit]:
    for pattern in (EMAIL, SPELLED_EMAIL):
        for match in pattern.finditer(text):
            if match.group().rpartition(".")[2].lower() not in FILE_ENDINGS:
                yield Hit("email", *match.span(), bool(RESERVED.search(match.group())))


def mask(value: str) -> str:
    """Enough of a find to recognise it, not enough to use it: ``al…om (16 characters)``."""
    return f"{value[:2]}…{value[-2:]} ({len(value)} characters)" if len(value) >= 8 else f"… ({len(value)} characters)"


def check(
    line: int, texts: list[str], place: Callable[[int, str], str], found: Findings, *, system: bool = False
) -> None:
    """Report the finds of one row's messages, masked.

    Args:
        line: where the row begins in its file, from 1.
        texts: its messages' texts.
        place: from ``messages.places``: a message's number and its key → what a report calls that place.
        found: takes the finds, masked.
        system: whether the first text is a system prompt, alike in many rows.
    """
    first = 1 if system and _is_clean(texts[0]) else 0
    joined = JOINT.join(texts[first:])
    for hit in find(joined):
        before = joined.count(JOINT, 0, hit.start)
        i = first + before
        at = hit.start - joined.rfind(JOINT, 0, hit.start)
        at = at if before == 0 else at - len(JOINT) + 1
        report(hit, joined[hit.start : hit.end], at, line, place(i, "content"), found)


def report(
    hit: Hit, value: str, at: int, line: int, where: str, found: Findings, *, more: str = "", fix: str = ""
) -> None:
    """Add a find, masked; an invented one as a note.

    Args:
        hit: the find.
        value: its characters.
        at: its first character's number in the text at ``where``, from 1.
        line: where the row begins in its file, from 1.
        where: the place in the row.
        found: takes it.
        more: sentences to add, with a blank before them.
        fix: what to do; the code's own by default.
    """
    told = f"{hit.kind.replace('_', ' ')}: {mask(value)}, at character {at}.{more}"
    told = f"An invented {told}" if hit.invented else f"{told[0].upper()}{told[1:]}"
    found.add(CODE_OF[hit.kind], line, where, told, fix=fix, severity="note" if hit.invented else None)


def remove(text: str, kinds: frozenset[str] | None = None) -> str:
    """``text`` with every find (of ``kinds``, or all) replaced by ``REMOVED``; invented ones stay.

    Args:
        text: any text.
        kinds: which kinds of finds; None for all.
    """
    return without(text, [hit for hit in find(text) if kinds is None or hit.kind in kinds])


def without(text: str, hits: list[Hit]) -> str:
    """``text`` with these finds, in order, replaced by ``REMOVED``; invented ones stay.

    Args:
        text: any text.
        hits: from :func:`find`, in order.
    """
    for hit in reversed(hits):
        if not hit.invented:
            text = text[: hit.start] + REMOVED[hit.kind] + text[hit.end :]
    return text


@lru_cache(maxsize=16)
def _is_clean(text: str) -> bool:
    return not find(text)
