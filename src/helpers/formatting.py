"""How numbers are put into words: percent and points for shares, three digits for all else, a true minus sign.

And what a host is called in a sentence, and what a web address in one looks like.
"""

from __future__ import annotations

import re

WEB_ADDRESS = r"https?://[^\s<>\"')]+[^\s<>\"').,;:]"
"""A regular expression for a web address within a sentence: punctuation that ends the sentence is no part of it."""


def number(value: float, share: bool = True) -> str:
    """``0.123`` as "12" when it is a share (in points), as "0.123" otherwise.

    Args:
        value: a share from 0 to 1, or any number.
        share: which of the two it is.
    """
    if share:
        value *= 100
        text = f"{value:.0f}" if abs(value) >= 0.95 else f"{value:.1f}"
    else:
        text = f"{value:.3g}"
    return "0" if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def amount(value: float, share: bool = True) -> str:
    """The number with its unit: "12 points", or "0.123" without one.

    Args:
        value: a share from 0 to 1, or any number.
        share: which of the two it is.
    """
    text = number(value, share)
    return f"{text} point{'' if text.lstrip(chr(0x2212)) in ('1', '1.0') else 's'}" if share else text


def score_text(value: float, share: bool = True) -> str:
    """A score by itself: "12 %" when it is a share, "0.123" otherwise.

    Args:
        value: a share from 0 to 1, or any number.
        share: which of the two it is.
    """
    return number(value, share) + " %" * share


def metric_name(key: str) -> str:
    """A metric's key as a reader's words: "rules and facts" for ``rules_and_facts (b3889780)``.

    Args:
        key: a metric's name, with the version of its rules where it has one.
    """
    return re.sub(r" \([0-9a-f]{8}\)$", "", key).replace("_", " ")


def percent(share: float, digits: int | None = 0) -> str:
    """``0.953`` as "95 %".

    Args:
        share: usually from 0 to 1.
        digits: behind the point; None for as many as it has.
    """
    return f"{100 * share:g} %" if digits is None else f"{100 * share:.{digits}f} %"


def signed(difference: float) -> str:
    """A difference of shares in points, with its sign and one digit: "+1.2"."""
    return f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}")


def points(difference: float) -> str:
    """A difference of shares with its sign: "+1.2 points"."""
    return f"{signed(difference)} points"


def plural(count: float, noun: str) -> str:
    """ "1 row", "2,000 rows", "1.5 epochs".

    Args:
        count: how many; a whole one is written without a point.
        noun: its singular; the plural adds an s.
    """
    count = int(count) if float(count).is_integer() else count
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def host_called(host: str, *, first: bool = False) -> str:
    """What a sentence calls a host: "local" is a setting's value and no company, so it is "the local API".

    Args:
        host: its name, as ``connect`` takes it, or its address.
        first: whether the sentence begins with it.
    """
    if host != "local":
        return host
    return "The local API" if first else "the local API"
