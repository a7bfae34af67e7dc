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

NAMED: tuple[tuple[str, str, str], ...] = (
    (r"ssn|social security", r"(?!000|666|9)\d{9}", ""),
    (r"nhs", r"\d{10}", "gb.nhs"),
    (r"national insurance|\bnino?\b", r"[A-Z]{2}\d{6}[A-D]", ""),
    (r"dni|\bnif\b|\bnie\b", r"[XYZ]?\d{7,8}[A-Z]", "es.nif"),
    (r"codice fiscale|\bc\.?f\.", r"[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]", "it.codicefiscale"),
    (r"s[eé]curit[eé] sociale|insee|\bnir\b", r"\d{15}", "fr.nir"),
    (r"itin", r"9\d{8}", "us.itin"),
    (r"\butr\b|taxpayer ref", r"\d{10}", "gb.utr"),
    (r"hetu|henkil", r"\d{6}[0-9A]?\d{3}[0-9A-Y]", "fi.hetu"),
    (r"resident registration|\brrn\b", r"\d{13}", "kr.rrn"),
    (r"nric|mykad", r"\d{12}", "my.nric"),
    (r"thai|citizen id", r"\d{13}", "th.pin"),
    (r"pps", r"\d{7}[A-W][A-IW]?", "ie.pps"),
    (r"steuer|\bidnr|\btin\b|tax id|identifikation", r"\d{11}", "de.idnr"),
    (r"\bnif\b|contribuinte|fiscal", r"\d{9}", "pt.nif"),
    (r"bsn|burgerservice|sofi", r"\d{8,9}", "nl.bsn"),
    (r"rijksregister|registre national|national (?:register|number)", r"\d{11}", "be.nn"),
    (r"\bahv|\bavs", r"\d{13}", "ch.ssn"),
    (r"\bsvnr|sozialversicherung", r"\d{10}", "at.vnr"),
    (r"cpr|personnummer", r"\d{10}", "dk.cpr"),
    (r"personnummer", r"\d{10}|\d{12}", "se.personnummer"),
    (r"fødsels|fodsels|personnummer", r"\d{11}", "no.fodselsnummer"),
    (r"kennitala", r"\d{10}", "is_.kennitala"),
    (r"pesel", r"\d{11}", "pl.pesel"),
    (r"rodn", r"\d{9,10}", "cz.rc"),
    (r"\bcnp\b", r"\d{13}", "ro.cnp"),
    (r"\begn\b|егн", r"\d{10}", "bg.egn"),
    (r"\boib\b", r"\d{11}", "hr.oib"),
    (r"amka|αμκα", r"\d{11}", "gr.amka"),
    (r"isikukood", r"\d{11}", "ee.ik"),
    (r"asmens", r"\d{11}", "lt.asmens"),
    (r"kimlik|t\.?c\.? ", r"\d{11}", "tr.tckimlik"),
    (r"zehut|\bid\b", r"\d{9}", "il.idnr"),
    (r"\bid\b|identity|\brsa\b", r"\d{13}", "za.idnr"),
    (r"aadha+r|uidai", r"\d{12}", "in_.aadhaar"),
    (r"\bcpf\b", r"\d{11}", "br.cpf"),
    (r"\bsin\b|social insurance", r"\d{9}", "ca.sin"),
    (r"\btfn\b|tax file", r"\d{8,9}", "au.tfn"),
    (r"\bird\b", r"\d{8,9}", "nz.ird"),
    (r"c[eé]dula", r"\d{10}", "ec.ci"),
    (r"\brut\b|\brun\b", r"\d{7,8}[\dK]", "cl.rut"),
    (r"cui[tl]", r"\d{11}", "ar.cuit"),
    (r"身份证|identity card", r"\d{17}[\dX]", "cn.ric"),
)
"""A word beside the number, the number without separators, and the module that verifies it."""

NEAR = 40
"""Characters before a number in which a naming word is looked for; behind it, what the caller gives."""

_FORMED = tuple((re.compile(form, re.IGNORECASE), module) for form, module in FORMED)
_ANY_FORM = re.compile("|".join(f"(?:{form})" for form, _ in FORMED), re.IGNORECASE)
_NAMED = tuple((re.compile(word, re.IGNORECASE), re.compile(form, re.IGNORECASE), mod) for word, form, mod in NAMED)
_ANY_NAME = re.compile("|".join(f"(?:{word})" for word, _, _ in NAMED), re.IGNORECASE)


def is_national(written: str, before: str, after: str, other: bool) -> bool:
    """Whether ``written`` is a national number.

    Args:
        before: the text in front of it.
        after: the text behind it.
        other: whether these say that it is something else (an order, an invoice): then only a naming word counts.
    """
    near = f"{before[-NEAR:]} {after}"
    if _ANY_NAME.search(near):
        compact = re.sub(r"[^0-9A-Za-z]", "", written)
        for word, form, module in _NAMED:
            if form.fullmatch(compact) and word.search(near) and (not module or _module(module).is_valid(compact)):
                return True
    if other or not _ANY_FORM.fullmatch(written):
        return False
    return any(form.fullmatch(written) and (not mod or _module(mod).is_valid(written)) for form, mod in _FORMED)


@cache
def _module(name: str) -> Any:
    return import_module(f"stdnum.{name}")
