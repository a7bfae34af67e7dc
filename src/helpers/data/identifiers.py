"""Numbers that name a person: phone, payment card, bank account, national identity. Check digits are verified.

A number in the form of an identifier that follows a word such as "order", "tracking" or "invoice" is that, not a
person's number; one that follows "phone", "card" or "IBAN" is believed in looser forms too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from helpers.data.credentials import Hit

REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "IN", "AU", "BR")
"""Countries whose national way of writing a phone number is known; others are found with a leading ``+``."""

DENSE = re.compile(r"[0-9](?:[^0-9]{0,4}+[0-9]){5,}+")
"""Six digits close together: every number below has them, and the costly patterns look nowhere else."""

NUMBER = re.compile(
    r"(?<![\w.,/#@=&?%-])(?:\+|\(\+?|00)?\d[\d \u00a0().\-/\u2011\u2013]{5,26}\d(?![\w@%]|[.,]\d|[-/][A-Za-z])"
)
LETTERED = re.compile(
    r"(?<!\w)(?:[A-Z]{2}(?: \d\d){3} [A-D]|(?=[A-Z.+-]{0,6}\d)[A-Z0-9][A-Z0-9.+-]{7,19})(?!\w)", re.IGNORECASE
)
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,34}")

OTHER_NUMBER = re.compile(
    r"(?:order|tracking|parcel|shipment|consignment|invoice|receipt|ref(?:erence)?|sku|part|serial|model|isbn|issn|ean|upc|gtin|imei|asin|lot|batch"
    r"|ticket|case|version|build|commit|hash|id|po|customer|voucher|coupon|policy|account|product|item|article|barcode|claim|booking|transaction|doi|patent)"
    r"(?: (?:no|nr|num|number|code|id|key)\b)?[.:#]?\s{0,2}(?:is|was|#|=|-)?\s{0,2}#?$",
    re.IGNORECASE,
)
"""Words right before a number that say what it is; not a person's."""

PHONE_WORD = re.compile(
    r"\b(?:phone|telephone|tel|telefon|mobile|mob|cell|cellphone|handy|fax|whats ?app|sms|call(?: me| us)?"
    r"|ring(?: me| us)?|text(?: me| us)?|dial"
    r"|reach (?:me|us|him|her)|contact|my number|landline|portable|móvil|teléfono|numero|ph)\b[^\d+(]{0,25}$",
    re.IGNORECASE,
)
CARD_WORD = re.compile(
    r"\b(?:card|visa|master ?card|amex|american express|cc|credit|debit|karte|carte|tarjeta)\b[^\d]{0,30}$",
    re.IGNORECASE,
)

PHONE_FORMS = (
    re.compile(r"(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])[2-9]\d\d[ .-]\d{4}"),  # North America
    re.compile(r"\(?0\d{2,5}\)?[ /-]\d{3,8}(?:[ -]\d{2,8}){0,3}"),  # a trunk zero, an area code, groups
    re.compile(r"0\d(?:[ .]\d\d){4}"),  # France
    re.compile(r"0\d(?: \d{3,4}){2}"),  # two-digit area code
    re.compile(r"(?:\+|00|\(\+)\d{1,3}[)]?(?:[ .\-(/\u00a0\u2011]{1,2}\(?\d{1,8}\)?)+"),  # international, in groups
    re.compile(r"\+\d{8,15}"),
    re.compile(r"07\d{9}|01[5-7]\d{8,9}|0[67]\d{8}"),  # mobile numbers without groups: UK, Germany, France
    re.compile(r"555-01\d\d"),
)
INVENTED_PHONE = re.compile(
    r"(?:^|\D|1|\d{3})555\D?01\d\d$|^(?:\+?44|0)\D?7700\D?900|^(?:\+?44|0)\D?\d{2,4}\D?496\D?0\d{3}$"
)
"""Ranges kept for films and examples: 555-01xx (North America), 07700 900xxx and 496 0xxx (UK)."""

CARD_FORM = re.compile(r"\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5}")
CARD_ISSUER = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|(?:5018|5020|5038|6304|6759|676[1-3])\d{12}"
)
"""First digits by network (ISO/IEC 7812, as the networks publish them): Visa, Mastercard, American Express, Diners,
Discover, JCB, UnionPay, Maestro."""

# kind of number, its written form, the python-stdnum module that verifies it, whether a word must say what it is
NATIONAL: tuple[tuple[re.Pattern, str, str], ...] = tuple(
    (re.compile(form, re.IGNORECASE), module, word)
    for form, module, word in (
        (r"(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}", "", ""),  # US social security number
        (r"(?!000|666|9)\d{3} ?(?!00)\d\d ?(?!0000)\d{4}", "", r"ssn|social"),
        (r"9\d\d-[5-9]\d-\d{4}", "us.itin", ""),
        (r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", "", ""),  # UK NINO
        (r"\d{3} ?\d{3} ?\d{4}", "gb.nhs", r"nhs"),
        (r"\d{8}-?[A-Z]", "es.dni", ""),
        (r"[XYZ]-?\d{7}-?[A-Z]", "es.nie", ""),
        (r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", "it.codicefiscale", ""),
        (r"[12] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", "fr.nir", ""),
        (r"\d\d ?\d{3} ?\d{3} ?\d{3}", "de.idnr", r"steuer|idnr|tax|tin\b|identifikation"),
        (r"\d{9}", "nl.bsn", r"bsn|burgerservice|sofi"),
        (r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", "be.nn", ""),
        (r"\d{3}\.\d{3}\.\d{3}-\d\d", "br.cpf", ""),
        (r"\d{11}", "br.cpf", r"cpf"),
        (r"\d{3}[ -]?\d{3}[ -]?\d{3}", "ca.sin", r"\bsin\b|social insurance|insurance number"),
        (r"\d{3} ?\d{3} ?\d{3}", "au.tfn", r"tfn|tax file"),
        (r"[2-9]\d{3} \d{4} \d{4}", "in_.aadhaar", ""),
        (r"[2-9]\d{11}", "in_.aadhaar", r"aadha+r|uidai|uid\b"),
        (r"(?:19|20)?\d{6}[-+]\d{4}", "se.personnummer", ""),
        (r"\d{6}-\d{4}", "dk.cpr", r"cpr|personnummer"),
        (r"\d{6}[-+A]\d{3}[0-9A-Y]", "fi.hetu", ""),
        (r"\d{6} ?\d{5}", "no.fodselsnummer", r"fødsels|fodsels|personnummer|national id"),
        (r"\d{11}", "pl.pesel", r"pesel"),
        (r"756\.?\d{4}\.?\d{4}\.?\d\d", "ch.ssn", ""),
        (r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d", "mx.curp", ""),
        (r"\d{13}", "za.idnr", r"\bid\b|identity|rsa"),
        (r"\d{17}[0-9X]", "cn.ric", ""),
        (r"\d{6}-[1-8]\d{6}", "kr.rrn", ""),
        (r"\d{7}[A-W][A-IW]?", "ie.pps", r"pps"),
    )
)  # fmt: skip

ANY_NATIONAL = re.compile("|".join(f"(?:{form.pattern})" for form, _, _ in NATIONAL), re.IGNORECASE)
NATIONAL_WORD = re.compile(
    r"\b(?:national|personal|tax|identity|id) (?:no|nr|number|id)\W{0,3}(?:is )?$", re.IGNORECASE
)


def find(text: str) -> Iterator[Hit]:
    """Every number of a person in ``text``: kinds ``iban``, ``card``, ``national_id``, ``phone``; they may overlap."""
    for dense in DENSE.finditer(text):
        yield from _find_within(text, max(0, dense.start() - 12), dense.end() + 16)


def _find_within(text: str, first: int, last: int) -> Iterator[Hit]:
    for match in IBAN.finditer(text, first, last):
        if (end := _iban_end(match.group())) and not _other(text, match.start()):
            yield Hit("iban", match.start(), match.start() + end)
    for match in NUMBER.finditer(text, first, last):
        start, end = match.span()
        kind = _kind_of_number(text, start, match.group())
        if kind:
            yield Hit(kind, start, end, kind == "phone" and bool(INVENTED_PHONE.search(match.group())))
    for match in LETTERED.finditer(text, first, last):
        value = match.group().rstrip(".-+")
        if any(char.isalpha() for char in value) and _is_national(text, match.start(), value):
            yield Hit("national_id", match.start(), match.start() + len(value))


def _before(text: str, start: int) -> str:
    return text[max(0, start - 45) : start]


def _other(text: str, start: int) -> bool:
    return bool(OTHER_NUMBER.search(_before(text, start)))


def _iban_end(written: str) -> int:
    """Length of the valid IBAN that ``written`` begins with, 0 when there is none; words may follow it directly."""
    length = _iban_lengths().get(written[:2].upper())
    if length is None:
        return 0
    places = [at for at, char in enumerate(written) if char.isalnum()][:length]
    end = places[-1] + 1
    whole = len(places) == length and not written[end : end + 1].isalnum()
    number = "".join(written[at] for at in places)
    return end if whole and _stdnum("iban").is_valid(number, check_country=False) else 0


@cache
def _iban_lengths() -> dict[str, int]:
    """Country → characters of an IBAN, from the registry that python-stdnum carries."""
    registry = _stdnum("iban")._ibandb
    lengths = {}
    for number in (f"{a}{b}" for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
        form = registry.info(number)[0][1].get("bban")
        if form:
            lengths[number] = 4 + sum(int(digits) for digits in re.findall(r"(\d+)!", form))
    return lengths


def _kind_of_number(text: str, start: int, written: str) -> str | None:
    digits = re.sub(r"\D", "", written)
    if _is_card(text, start, written, digits):
        return "card"
    if _is_national(text, start, written):
        return "national_id"
    return "phone" if _is_phone(text, start, written, digits) else None


def _is_card(text: str, start: int, written: str, digits: str) -> bool:
    if not 13 <= len(digits) <= 19 or not CARD_FORM.fullmatch(written) or not CARD_ISSUER.fullmatch(digits):
        return False
    if _other(text, start) and not CARD_WORD.search(_before(text, start)):
        return False
    return len(set(digits)) > 1 and _stdnum("luhn").is_valid(digits)


def _is_national(text: str, start: int, written: str) -> bool:
    if not ANY_NATIONAL.fullmatch(written):
        return False
    before = _before(text, start)
    if OTHER_NUMBER.search(before) and not NATIONAL_WORD.search(before):
        return False
    for form, module, word in NATIONAL:
        said = not word or re.search(word, before, re.IGNORECASE)
        if said and form.fullmatch(written) and (not module or _stdnum(module).is_valid(written)):
            return True
    return False


def _is_phone(text: str, start: int, written: str, digits: str) -> bool:
    if not 7 <= len(digits) <= 15:
        return False
    said = bool(PHONE_WORD.search(_before(text, start)))
    if not said and (_other(text, start) or not any(form.fullmatch(written) for form in PHONE_FORMS)):
        return False
    if INVENTED_PHONE.search(written):
        return True
    return _possible_phone(written, said)


def _possible_phone(written: str, said: bool) -> bool:
    """Whether the number exists in some country's plan; where a word says "phone", whether it could."""
    import phonenumbers

    international = written.lstrip("(").startswith(("+", "00"))
    number = re.sub(r"^\(?00", "+", written) if international else written
    for region in (None,) if international else REGIONS:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        loose = said or international
        if phonenumbers.is_possible_number(parsed) if loose else phonenumbers.is_valid_number(parsed):
            return True
    return False


@cache
def _stdnum(module: str) -> Any:
    return import_module(f"stdnum.{module}")
