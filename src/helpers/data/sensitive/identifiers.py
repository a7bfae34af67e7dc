"""Numbers that name a person: phone, payment card, bank account, national identity. Check digits are verified.

A number that follows a word such as "order", "tracking" or "invoice" is that, no phone or national number; one that
follows "phone" or "BSN" is believed in looser forms too. Cards and IBANs are believed wherever they stand:
their check digits rarely fit by chance (one number of a card's form in ten, one of an IBAN's in a hundred).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from stdnum import iban as iban_rules
from stdnum import luhn

from helpers.data.sensitive.credentials import Hit
from helpers.data.sensitive.national_ids import is_national

REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "IN", "AU", "BR")
"""Countries whose national way of writing a phone number is known; others are found with a leading ``+``."""

DENSE = re.compile(r"[0-9](?:[^0-9]{0,4}+[0-9]){5,}+")
"""Six digits close together: all numbers below but India's PAN have them, and costly patterns look nowhere else."""

GAP = re.compile(r"\s")
LONGEST_REST = 32
"""Characters up to the next gap that are looked at: texts without any gap must not be read again for each number."""

NUMBER = re.compile(
    r"(?:(?<![A-Za-z0-9_À-ɏ.,/@&?%-])|(?<=[,;=:a-z])(?=[(+]))(?:\+|\(\+?|00)?\d[\d \u00a0().\-/\u2011\u2013]{5,26}\d"
    r"(?![\w@%]|[.,]\d|[-/]\w)"
)
LETTERED = re.compile(
    r"(?<!\w)(?:[A-Z]{2}(?:[ /-]?\d\d){3}[ /-]?[A-D]|\d{7,8} [A-Z]|[XYZ] \d{7} [A-Z]"
    r"|[A-Z]{3} ?[A-Z]{3} \d\d[A-Z]\d\d [A-Z]\d{3}[A-Z]|(?=[A-Z.+-]{0,6}\d)[A-Z0-9][A-Z0-9.+-]{7,19})(?!\w)",
    re.IGNORECASE,
)
PAN = re.compile(r"(?<!\w)[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z](?!\w)", re.IGNORECASE)
PAN_NAMES = ("PAN", "pan ", "pan:", "Pan ", "ermanent account", "ermanent Account")
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,34}")
CARD = re.compile(
    r"(?<![\w.-])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5})(?![\w-]|[.,]\d)"
)

_LINKED = (
    r"(?![^\W\d_])[\"']?(?:[ -](?:no|nr|num|number|nummer|code|id|key)\b)?[.:#?]?\s{0,2}"
    r"(?:(?:[^\W\d]{1,12} ){0,4}(?:is|was|ist|lautet|est|es|è|é)(?!\w)|#|=|-|:)?\s{0,2}#?$"
)
THING_NUMBER = re.compile(
    r"\b(?:order|tracking|parcel|shipment|consignment|invoice|receipt|sku|part|serial|model|isbn|issn|ean|upc|gtin|imei|asin"
    r"|lot|batch|version|build|commit|hash|voucher|coupon|barcode|patent|doi|bestellung|bestellnummer|sendung|sendungsnummer"
    r"|rechnung|commande|facture|colis|pedido|factura|ordine|fattura|bestelling|factuur|zam[oó]wienie|faktura"
    r"|auftrag|art(?:ikel|\.)?|konto|blz|vertrag|beleg|lieferschein|z[äa]hlerstand|dossier|contrat|compte|p[oó]liza|contrato"
    r"|cuenta|expediente|pratica|conto|polizza|contratto|codice|rekening|zaak|kvk|ap[oó]lice|conta|protocolo|loto|reservation)"
    + _LINKED,
    re.IGNORECASE,
)
"""Words right before a number that say what it is: never a person's."""

OTHER_NUMBER = re.compile(
    r"\b(?:ref(?:erence)?|ticket|case|(?<!tax )(?<!national )(?<!identity )id|po|customer|policy|account|product|item"
    r"|article|claim|booking|transaction|job|meter|reading|member|membership|registration|locker|gate|pin|code|plz|zip|postcode|flight|plate"
    r"|card|box|aisle|bay|seat|room|row|pages?|shelf|size|weight|height|colou?r|error|fehler|option|form|paper|depot"
    r"|(?!telefon|handy|mobil|ruf|fax|phone)\w{2,16}(?<!telefoon)(?<!telefon)(?<!mobiel)(?<!mobil)(?:nummer|-nr))"
    + _LINKED,
    re.IGNORECASE,
)
"""Words that most often say so: only a word that names a person's number counts beside them."""

DATE_OR_TIME = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])[./-](?:0?[1-9]|1[0-2])[./-](?:\d{2}$|(?:19|20)\d\d(?!\d).*)|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}(?!\d).*"
    r"|20[0-3]\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[ -]\d{4,6})?|(?:(?:19|20)\d\d[ /.-]?)+"
    r"|(?:[01]\d|2[0-4])[0-5]0[ –-](?:[01]\d|2[0-4])[0-5]0"
)
COUNTED = re.compile(
    r"\s?(?:points?|likes?|views?|xp|people|characters|letters|words|lines|rows|pieces|pcs|units|followers|votes|steps|pages"
    r"|times|items|eur|euros?|usd|dollars|pounds|mm|cm|km|m²|kg|kwh|ml|gb|mb|bytes|[kmg]?hz|rpm|dpi|%|€|£)(?!\w)",
    re.IGNORECASE,
)
"""What is counted stands right behind a number that counts."""

CODE_BEFORE = re.compile(
    r"\b(?:(?!UK|US|USA|TEL|PH|FAX|MOB|CELL)[A-Z]{2,4}|[A-Z0-9]*(?:[A-Z]\d|\d[A-Z])[A-Z0-9]*)[ -]$"
)
"""Capitals right before a number make it part of a code, such as a parcel's."""

PLACEHOLDER = re.compile(r"1234567890$|(\d)\1{6}$")
"""Digits that show how a number is written: nobody's."""

PHONE_AFTER = re.compile(
    r"\W{0,3}(?:is |= ?)?(?:(?:my|our|his|her|the|a) )?(?:\w{2,8} )?(?:phone|mobile|cell|tel)", re.IGNORECASE
)
PHONE_WORD = re.compile(
    r"\b(?:phone(?! (?:case|cover|charger|holder|model|booth)s?\b)|telephone"
    r"|t[eé]l[eé]?(?:fono|fone|fon|foon)?|tlfn?|tfno|mobile|mobiel|mob|cell|cellphone|handy|fax|zap|sms"
    r"|whats ?app|dial|landline|hotline|rang|fixo"
    r"|(?:call|ring|text|reach|phone)s?(?: me| us| him| her)?|contact|(?:my|our|new|old) number|meine n(?:umme)?r"
    r"|portable|m[oó]vil|cellulare|celular|ph"
    r"|bel|appel(?:ez|er)?|rufen?|anrufen|chiam\w{1,6}|ll[aá]m(?:ar|e|enos|eme)|lig(?:a|ue|ar))\b[^\d+(]{0,25}$",
    re.IGNORECASE,
)

PHONE_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[./-])[2-9]\d\d[ .-]\d{4}",  # North America
        r"\(?0\d{2,5}\)?[ /-]\d{3,8}(?:[ -]\d{2,8}){0,3}",  # a trunk zero, an area code, groups
        r"0\d(?:[ .-]\d\d){4}",  # France
        r"0\d(?: \d{3,4}){2}|0[67][ -]\d{8}",  # two digits of area; Dutch mobile
        r"\(0\d\) ?\d{4} \d{4}|\(\d\d\) ?9?\d{4}-\d{4}",  # Australia, Brazil
        r"[6-9]\d\d(?: \d\d){3}|3\d\d \d{3} \d{4}",  # Spain, Italian mobile
        r"(?:\+|00|\(\+)\d{1,3}\)?(?:[ .\-(/\u00a0\u2011]{1,2}\(?\d{1,8}(?:\)\d{1,8})?\)?)+",  # in groups
        r"\+\d{8,15}",
        r"07\d{9}|01[5-7]\d{8,9}|0[67]\d{8}",  # mobile numbers without groups: UK, Germany, France
        r"555-01\d\d",
    )
)
INVENTED_PHONE = re.compile(
    r"(?:^|\D|1|\d{3})555\D{0,2}01\d\d$|^(?:\+?44|0)\D?7700\D?900|^(?:\+?44|0)\D?\d{2,4}\D?496\D?0\d{3}$"
)
"""Ranges kept for films and examples: 555-01xx (North America), 07700 900xxx and 496 0xxx (UK)."""

CARD_ISSUER = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{9,15}"
)
"""First digits by network (ISO/IEC 7812, as the networks publish them): Visa, Mastercard, American Express, Diners,
Discover, JCB, UnionPay, Maestro."""


def find(text: str) -> Iterator[Hit]:
    """Every number of a person in ``text``: kinds ``iban``, ``card``, ``national_id``, ``phone``; they may overlap."""
    for dense in DENSE.finditer(text):
        last = dense.end() + 16
        if gap := GAP.search(text, last, last + LONGEST_REST):  # a number that is cut in two would be taken for another
            last = gap.start()
        yield from _find_within(text, max(0, dense.start() - 12), last)
    if any(map(text.__contains__, PAN_NAMES)):
        yield from (Hit("national_id", *match.span()) for match in PAN.finditer(text))


def _find_within(text: str, first: int, last: int) -> Iterator[Hit]:
    for match in IBAN.finditer(text, first, last):
        if end := _iban_end(match.group()):
            yield Hit("iban", match.start(), match.start() + end)
    for match in CARD.finditer(text, first, last):
        if _is_card(re.sub(r"\D", "", match.group())):
            yield Hit("card", *match.span())
    for match in NUMBER.finditer(text, first, last):
        kind = _kind_of_number(match.group(), *_context(text, *match.span()))
        if kind:
            yield Hit(kind, *match.span(), kind == "phone" and bool(INVENTED_PHONE.search(match.group())))
    for match in LETTERED.finditer(text, first, last):
        value = match.group().rstrip(".-+")
        if THING_NUMBER.search(text, max(0, match.start() - 45), match.start()):
            continue
        if any(char.isalpha() for char in value) and is_national(value, *_context(text, *match.span())):
            yield Hit("national_id", match.start(), match.start() + len(value))


def _context(text: str, start: int, end: int) -> tuple[str, str, bool]:
    """The text before a number, the text after it, and whether they say that it is none of a person's."""
    before = text[max(0, start - 45) : start]
    other = OTHER_NUMBER.search(before) or (before.endswith(("=", "#")) and not PHONE_WORD.search(before))
    return before, text[end : end + 25], bool(other)


def _iban_end(written: str) -> int:
    """Length of the valid IBAN that ``written`` begins with, 0 when there is none; words may follow it directly."""
    length = _iban_lengths().get(written[:2].upper())
    if length is None:
        return 0
    places = [at for at, char in enumerate(written) if char.isalnum()][:length]
    end = places[-1] + 1
    whole = len(places) == length and not written[end : end + 1].isalnum()
    number = "".join(written[at] for at in places)
    return end if whole and iban_rules.is_valid(number, check_country=False) else 0


@cache
def _iban_lengths() -> dict[str, int]:
    """Country → characters of an IBAN, from the registry that python-stdnum carries."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    lengths = {}
    for country in (a + b for a in letters for b in letters):
        form = iban_rules._ibandb.info(country)[0][1].get("bban")
        if form:
            lengths[country] = 4 + sum(int(digits) for digits in re.findall(r"(\d+)!", form))
    return lengths


def _is_card(digits: str) -> bool:
    return bool(CARD_ISSUER.fullmatch(digits)) and len(set(digits)) > 1 and luhn.is_valid(digits)


def _kind_of_number(written: str, before: str, after: str, other: bool) -> str | None:
    if THING_NUMBER.search(before):
        return None
    if is_national(written, before, after, other):
        return "national_id"
    return "phone" if _is_phone(written, before, after, other) else None


def _is_phone(written: str, before: str, after: str, other: bool) -> bool:
    if not 7 <= sum(char.isdigit() for char in written) <= 15:
        return False
    if DATE_OR_TIME.fullmatch(written) or COUNTED.match(after) or PLACEHOLDER.search(re.sub(r"\D", "", written)):
        return False
    said = bool(PHONE_AFTER.match(after) or (PHONE_WORD.search(before) and not other))
    other = other or bool(CODE_BEFORE.search(before)) or _is_list(written)
    if not said and (other or not any(form.fullmatch(written) for form in PHONE_FORMS)):
        return False
    return bool(INVENTED_PHONE.search(written)) or _possible_phone(written, said)


def _is_list(written: str) -> bool:
    """Whether these are groups of one length, each larger than the one before: sizes, years, prices. Behind a zero the
    steps must be even and small, as in 01 02 03 04 05: some numbers in use rise, too."""
    groups = re.findall(r"\d+", written)
    if len(groups) < 3 or len(set(map(len, groups))) > 1 or written.startswith(("+", "(")):
        return False
    steps = {int(b) - int(a) for a, b in zip(groups, groups[1:], strict=False)}
    return min(steps) > 0 and (not written.startswith("0") or (len(steps) == 1 and max(steps) <= 10))


def _possible_phone(written: str, said: bool) -> bool:
    """Whether the number exists in some country's plan; behind "phone" or with a + or (0, whether it could."""
    import phonenumbers

    bare = written.lstrip("(")
    loose = said or bare.startswith(("+", "00")) or written.startswith("(0")
    number = f"+{bare[2:]}" if bare.startswith("00") else written
    for region in (None,) if number.lstrip("(").startswith("+") else REGIONS:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        whole = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
        if whole if loose else phonenumbers.is_valid_number(parsed):
            return True
    return False
