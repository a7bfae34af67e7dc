"""National identity and tax numbers, each verified by its country's rule where there is one (python-stdnum).

A number whose written form is its country's own is believed by itself. A plain run of digits is believed only beside a
word that names it ("BSN", "PESEL", "tax id"): every ninth number is a valid one of some country.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import Any

COUNTRIES = (
    "US", "CA", "MX", "BR", "AR", "CL", "EC", "GB", "IE", "DE", "FR", "ES", "IT", "PT", "NL", "BE", "CH", "AT", "SE",
    "DK", "NO", "FI", "IS", "PL", "CZ", "SK", "RO", "BG", "HR", "GR", "EE", "LT", "TR", "IL", "ZA", "IN", "CN", "KR",
    "TH", "MY", "AU", "NZ",
)  # fmt: skip

FORMED: tuple[tuple[str, str], ...] = (
    (r"(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}", ""),  # US social security number: no check digit
    (r"9\d\d-[5-9]\d-\d{4}", "us.itin"),
    # UK national insurance: no check digit
    (r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", ""),
    (r"\d{8}-?[A-Z]", "es.dni"),
    (r"[XYZ]-?\d{7}-?[A-Z]", "es.nie"),
    (r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", "it.codicefiscale"),
    (r"[12] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", "fr.nir"),
    (r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", "be.nn"),
    (r"\d{3}\.\d{3}\.\d{3}-\d\d", "br.cpf"),
    (r"[2-9]\d{3} \d{4} \d{4}", "in_.aadhaar"),
    (r"(?:19|20)?\d{6}[-+]\d{4}", "se.personnummer"),
    (r"\d{6}[-+A]\d{3}[0-9A-Y]", "fi.hetu"),
    (r"756\.?\d{4}\.?\d{4}\.?\d\d", "ch.ssn"),
    (r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d", "mx.curp"),
    (r"\d{17}[0-9X]", "cn.ric"),
    (r"\d{6}-[1-8]\d{6}", "kr.rrn"),
    (r"\d{6}/\d{3,4}", "cz.rc"),  # and Slovakia
    (r"\d-\d{4}-\d{5}-\d\d-\d", "th.pin"),
    (r"\d{6}-\d\d-\d{4}", "my.nric"),
    (r"\d{1,2}\.\d{3}\.\d{3}-[\dK]", "cl.rut"),
    (r"\d\d-\d{8}-\d", "ar.cuit"),
    (r"[A-Z]{5}\d{4}[A-Z]", "in_.pan"),
)

NAMED: tuple[tuple[tuple[str, ...], str, str], ...] = (
    ((" ssn", "social security", "socialsecurity", "social sec ", " ss "), r"(?!000|666|9)\d{9}", ""),
    ((" itin ",), r"9\d{8}", "us.itin"),
    ((" nhs ",), r"\d{10}", "gb.nhs"),
    ((" utr ", "taxpayer ref", "tax reference", "tax ref "), r"\d{10}", "gb.utr"),
    (("insurance n", " ni ", " n i ", " nino "), r"[A-Z]{2}\d{6}[A-D]", ""),
    ((" pps",), r"\d{7}[A-W][A-IW]?", "ie.pps"),
    ((" dni ", " d n i ", " nif ", " nie ", " n i e "), r"[XYZ]?\d{7,8}[A-Z]", "es.nif"),
    ((" nif ", "contribuinte", "fiscal"), r"(?:PT)?\d{9}", "pt.nif"),
    (("codice fiscale", " cf ", " c f "), r"[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]", "it.codicefiscale"),
    (("sécurité sociale", "securite sociale", " sécu ", " secu ", " insee ", " nir "), r"\d{15}", "fr.nir"),
    (("fiscal", " spi "), r"[0-3]\d{12}", "fr.nif"),
    (("steuer", " idnr", " tin ", " tax id", "tax n", "identifikation"), r"\d{11}", "de.idnr"),
    ((" bsn", "burgerservice", " sofi"), r"\d{8,9}", "nl.bsn"),
    (
        (
            "rijksregister",
            "registre national",
            "national register",
            "national number",
            "numéro national",
            " niss ",
            " insz ",
        ),
        r"\d{11}",
        "be.nn",
    ),
    ((" ahv", " avs"), r"\d{13}", "ch.ssn"),
    ((" svnr", " sv n", "versicherungsn", "sozialversicherung"), r"\d{10}", "at.vnr"),
    ((" cpr", "personnummer", "personnr"), r"\d{10}", "dk.cpr"),
    (("personnummer", "personnr", " pnr ", " p nr "), r"\d{10}|\d{12}", "se.personnummer"),
    (("fødsels", "fodsels", "personnummer", "personnr", " fnr ", " f nr "), r"\d{11}", "no.fodselsnummer"),
    ((" hetu", "henkil"), r"\d{6}A?\d{3}[0-9A-Y]", "fi.hetu"),
    (("kennitala", " kt "), r"\d{10}", "is_.kennitala"),
    ((" pesel",), r"\d{11}", "pl.pesel"),
    ((" rodn", " rč ", " r č ", " rc "), r"\d{9,10}", "cz.rc"),
    ((" cnp ", "numeric personal"), r"\d{13}", "ro.cnp"),
    ((" egn ", " егн "), r"\d{10}", "bg.egn"),
    ((" oib ", "osobni identif"), r"\d{11}", "hr.oib"),
    ((" amka", "αμκα"), r"\d{11}", "gr.amka"),
    (("isikukood", " ik "), r"\d{11}", "ee.ik"),
    (("asmens", " a k "), r"\d{11}", "lt.asmens"),
    (("kimlik", " tckn ", " tc ", " t c "), r"\d{11}", "tr.tckimlik"),
    (("zehut", "ת ז", " id "), r"\d{9}", "il.idnr"),
    ((" id ", "identity", " rsa "), r"\d{13}", "za.idnr"),
    (("aadha", "adhar", "uidai", " uid "), r"\d{12}", "in_.aadhaar"),
    ((" rrn ", "resident registration", "주민"), r"\d{13}", "kr.rrn"),
    ((" thai ", "citizen id", "national id", "ประชาชน"), r"\d{13}", "th.pin"),
    (("nric", "mykad", " ic ", "pengenalan"), r"\d{12}", "my.nric"),
    (("身份证", "identity card", " id "), r"\d{17}[\dX]", "cn.ric"),
    ((" cpf ", " c p f "), r"\d{11}", "br.cpf"),
    ((" rut ", " r u t ", " run "), r"\d{7,8}[\dK]", "cl.rut"),
    ((" cuit ", " cuil "), r"\d{11}", "ar.cuit"),
    ((" rfc ",), r"[A-Z&Ñ]{4}\d{6}[A-Z0-9]{3}", "mx.rfc"),
    (("cédula", "cedula", " c i "), r"\d{10}", "ec.ci"),
    ((" sin ", " s i n ", " nas ", "social insurance", "assurance sociale"), r"\d{9}", "ca.sin"),
    ((" tfn ", "tax file"), r"\d{8,9}", "au.tfn"),
    ((" ird ",), r"\d{8,9}", "nz.ird"),
)
"""Names beside the number (lower case, a blank marks a word's edge), the number without separators, and its module."""

WORD = re.compile(r"\w+")
OTHER_ID = re.compile(
    r" (?:order|customer|client|user|session|request|trace|transaction|payment|tracking|product|item|ticket|case"
    r"|booking|member|membership|device|app|account|invoice|build|job|run|event|page|post|message|thread|campaign"
    r"|parcel|shipment|return|voucher|store|shop|vendor|seller|merchant|object|record|row) id(?= )"
)
"""Ids of things; "id" beside them names no person's number."""

NEAR = 40
"""Characters before a number in which a naming word is looked for; behind it, what the caller gives."""

_FORMED = tuple((re.compile(form, re.IGNORECASE), module) for form, module in FORMED)
_ANY_FORM = re.compile("|".join(f"(?:{form})" for form, _ in FORMED), re.IGNORECASE)
_NAMED = tuple((names, re.compile(form, re.IGNORECASE), module) for names, form, module in NAMED)
_NAMES = tuple({name for names, _, _ in NAMED for name in names})


def is_national(written: str, before: str, after: str, other: bool) -> bool:
    """Whether ``written`` is a national number.

    Args:
        written: a run of digits, letters and their separators.
        before: the text in front of it.
        after: the text behind it.
        other: whether these say that it is something else (an order, an invoice): then only a naming word counts.
    """
    near = OTHER_ID.sub(" ", f" {' '.join(WORD.findall(f'{before[-NEAR:]} {after}'.lower()))} ")
    if any(map(near.__contains__, _NAMES)):
        compact = re.sub(r"[^0-9A-Za-z]", "", written)
        for names, form, module in _NAMED:
            if form.fullmatch(compact) and any(map(near.__contains__, names)) and _is_valid(module, compact):
                return True
    if other or not _ANY_FORM.fullmatch(written):
        return False
    return any(form.fullmatch(written) and _is_valid(module, written) for form, module in _FORMED)


def _is_valid(module: str, number: str) -> bool:
    return not module or bool(_module(module).is_valid(number))


@cache
def _module(name: str) -> Any:
    return import_module(f"stdnum.{name}")
