"""Numbers in words: what readers see of shares, differences and counts."""

from __future__ import annotations

import pytest

from helpers.formatting import amount, host_called, metric_name, number, percent, plural, points, score_text, signed

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (number(0.123), "12"),
        (number(0.0049), "0.5"),
        (number(-0.2), f"{MINUS}20"),
        (number(-0.0001), "0"),
        (number(12.3456, share=False), "12.3"),
        (amount(0.01), "1 point"),
        (amount(-0.02), f"{MINUS}2 points"),
        (amount(0.5, share=False), "0.5"),
        (score_text(0.835), "84 %"),
        (score_text(0.004), "0.4 %"),
        (score_text(1.234, share=False), "1.23"),
        (percent(0.953), "95 %"),
        (percent(0.953, 1), "95.3 %"),
        (percent(0.999, None), "99.9 %"),
        (percent(0.95, None), "95 %"),
        (signed(0.012), "+1.2"),
        (points(-0.012), f"{MINUS}1.2 points"),
        (plural(1, "row"), "1 row"),
        (plural(0, "row"), "0 rows"),
        (plural(1200, "row"), "1,200 rows"),
        (plural(1.0, "epoch"), "1 epoch"),
        (plural(2.5, "epoch"), "2.5 epochs"),
        (host_called("local"), "the local API"),
        (host_called("local", first=True), "The local API"),
        (host_called("nebius", first=True), "nebius"),
        (host_called("127.0.0.1:8000"), "127.0.0.1:8000"),
    ],
)
def test_numbers_in_words(said, words):
    assert said == words


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("rules_and_facts (b3889780)", "rules and facts"),
        ("all_fields", "all fields"),
        ("exact match (in capitals)", "exact match (in capitals)"),
    ],
)
def test_a_metric_is_called_by_words_without_the_version_of_its_rules(key, words):
    assert metric_name(key) == words
