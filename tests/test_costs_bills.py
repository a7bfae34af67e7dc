"""Bills worked out by hand from providers' own published examples: equal to the cent.

Where an example uses prices that are not in our tables (a page that calls its numbers examples, a model of another
year), the test puts that page's prices into a row, so that the arithmetic and the billing rules are what is tested.
"""

from __future__ import annotations

from datetime import date

import pytest

from helpers import costs, facts
from helpers.costs.calls import call_usd
from helpers.costs.training import training_remarks
from helpers.facts import FactRow

TODAY = date(2026, 11, 23)
MILLION = 1_000_000

OPENAI_GUIDE = "https://platform.openai.com/docs/guides/fine-tuning (copy of autumn 2024, 'Estimate costs')"
OPENAI_RFT = "https://help.openai.com/en/articles/11323177-billing-guide-for-the-reinforcement-fine-tuning-api"
AZURE = "https://learn.microsoft.com/azure/foundry/openai/how-to/fine-tuning-cost-management (2026-03-19)"
AWS = (
    "https://aws.amazon.com/blogs/machine-learning/cost-efficient-custom-text-to-sql-using-amazon-nova-micro-and-"
    "amazon-bedrock-on-demand-inference/ (2026-04-16, 'Cost summary')"
)
CLAUDE = "https://platform.claude.com/docs/en/about-claude/pricing (copy of 2026, worked examples)"
ORI = "https://docs.ori.co/fine-tuning/billing ('Example Usage & Billing')"
TOGETHER = "https://docs.together.ai/docs/fine-tuning/pricing ('Estimate a job cost')"
FIREWORKS = "a job of 653,458 tokens on qwen3p6-35b, reported with its invoice"
MISTRAL = "https://github.com/mistralai/platform-docs-public, public/resources/deprecated/finetuning.md"


def page_row(provider: str, table: str = "tunable", **prices: float | None) -> FactRow:
    """A row with the prices that an example's own page uses."""
    columns = ("train", "train_hour", "input", "cached", "cache_write", "output", "batch_input", "batch_cached",
               "batch_output", "long_over", "hosting", "storage", "remark")  # fmt: skip
    values = dict.fromkeys(columns) | {
        "provider": provider, "model": "example", "label": "the example's model", "method": "supervised",
        "as_of": TODAY, "source": "https://example.com", "how_known": "read on the provider's page",
    }  # fmt: skip
    return FactRow(table, values | prices, 0)


def job(*args: object, **more: object) -> float | None:
    return costs.training_cost(*args, on=TODAY, **more).total


def call(price: FactRow, tokens_in: float, tokens_out: float, cached: float = 0) -> float:
    return costs.one_call_cost(price, tokens_in, tokens_out, cached, on=TODAY).total


def hours(item: str, n: float) -> float:
    return facts.hosting(item)["usd"] * n


BILLS = [
    (OPENAI_GUIDE, "100,000 tokens, 3 epochs, gpt-4o-mini", 0.90, lambda: job("gpt-4o-mini-2024-07-18", 100_000, 3)),
    (OPENAI_GUIDE, "100,000 tokens, 3 epochs, gpt-3.5-turbo", 2.40, lambda: job("gpt-3.5-turbo", 100_000, 3)),
    (OPENAI_GUIDE, "validation tokens are free", 0.90,
     lambda: job("gpt-4o-mini-2024-07-18", 100_000, 3, validation_tokens=50_000, evaluations=10)),
    (OPENAI_RFT, "o4-mini, 4 of 6 hours are training", 400.00, lambda: job("o4-mini-2025-04-16", 0, 1, hours=4)),
    (OPENAI_RFT, "o4-mini, failed after a checkpoint at 2 hours", 200.00,
     lambda: job("o4-mini-2025-04-16", 0, 1, hours=2)),
    (AZURE, "GPT-4.1, 1M tokens, 2 epochs at $2, 40,000 validation tokens free", 4.00,
     lambda: job(page_row("azure", train=2.0), 1_000_000, 2, validation_tokens=40_000)),
    (AZURE, "o4-mini, 4 hours and an o3-mini grader with 5M in, 4.9M out", 427.06,
     lambda: job(page_row("azure", train_hour=100.0), 0, 1, hours=4)
     + call(page_row("azure", "prompting", input=1.10, output=4.40), 5e6, 4.9e6)),
    (AZURE, "a month of a tuned chatbot: 20M in, 40M out, hosted all month", 1422.00,
     lambda: hours("azure-standard", 30 * 24)
     + call(page_row("azure", "prompting", input=1.10, output=4.40), 20e6, 40e6)),
    (AWS, "Nova Micro, 2,000 examples of 800 tokens, 5 epochs", 8.00,
     lambda: job("amazon.nova-micro-v1:0", 2_000 * 800, 5, "bedrock")),
    (AWS, "22,000 calls of 800 in and 60 out", 0.80,
     lambda: 22_000 * call(facts.tuning_price("amazon.nova-micro-v1:0", "bedrock", TODAY), 800, 60)),
    (AWS, "SageMaker, 4 hours of ml.g5.48xlarge at $16.288", 65.15,
     lambda: job(page_row("bedrock", train_hour=16.288), 0, 1, hours=4)),
    (CLAUDE, "a session of 50,000 in, 15,000 out at $5 and $25, without its $0.08 of runtime", 0.705 - 0.08,
     lambda: call(page_row("anthropic", "prompting", input=5.0, cached=0.5, output=25.0), 50_000, 15_000)),
    (CLAUDE, "the same with 40,000 tokens read from the cache", 0.525 - 0.08,
     lambda: call(page_row("anthropic", "prompting", input=5.0, cached=0.5, output=25.0), 50_000, 15_000, 40_000)),
    (CLAUDE, "10,000 tickets of 3,700 tokens, all at the input price of $1", 37.00,
     lambda: 10_000 * call(page_row("anthropic", "prompting", input=1.0, output=5.0), 3_700, 0)),
    (ORI, "5M tokens, 3 epochs, 1M validation tokens billed once", 7.36,
     lambda: job("up-to-10b", 5_000_000, 3, "ori", validation_tokens=1_000_000, evaluations=5)),
    (TOGETHER, "8,192 x 8 x 1,000 tokens, and 1M validation tokens evaluated 10 times", 25.68,
     lambda: job("Qwen3.5-9B", 8_192 * 8 * 1_000, 1, "together", validation_tokens=1_000_000, evaluations=10)),
    (TOGETHER, "a job of 1M tokens is under the smallest charge of $4", 4.00,
     lambda: job("Qwen3.5-9B", 1_000_000, 1, "together")),
    (FIREWORKS, "653,458 trained tokens at $3", 1.96, lambda: job("lora-16b-to-80b", 653_458, 1, "fireworks")),
    (MISTRAL, "a small job costs at least $4", 4.00,
     lambda: job(page_row("mistral", train=1.0), 100_000, 3)),
    ("the article under test", "1,000 examples of 500 tokens at $0.008 per 1,000 tokens", 4.00,
     lambda: job("gpt-3.5-turbo", 1_000 * 500, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("source", "example", "usd", "ours"), BILLS, ids=[bill[1] for bill in BILLS])
def test_published_example(source: str, example: str, usd: float, ours: object) -> None:
    assert source and round(ours(), 2) == pytest.approx(round(usd, 2), abs=1e-9), f"{example}: {source}"
    assert ours() == pytest.approx(usd, abs=0.005)


def test_enough_of_them_are_published_by_a_provider() -> None:
    by_providers = [bill for bill in BILLS if "http" in bill[0]]
    assert len(by_providers) >= 15


def test_trained_tokens_already_hold_their_epochs() -> None:
    """OpenAI's specification: trained_tokens are the billable tokens of the whole job."""
    assert job("gpt-4o-mini-2024-07-18", 300_000, 1) == job("gpt-4o-mini-2024-07-18", 100_000, 3)


def test_long_prompts_pay_the_long_price_for_every_token() -> None:
    """Claude Haiku 5.5: above 100,000 prompt tokens five times the price, for the whole call."""
    short = costs.one_call_cost("claude-haiku-5-5", 100_000, 1_000, on=TODAY).total
    long = costs.one_call_cost("claude-haiku-5-5", 100_001, 1_000, on=TODAY).total
    assert short == pytest.approx(0.1 * 0.10 + 0.001 * 0.50)
    assert long == pytest.approx(0.100001 * 0.50 + 0.001 * 2.50)


def test_what_is_written_to_a_cache_costs_its_own_price_where_there_is_one() -> None:
    """A prefix of 1 million tokens that no call finds in the cache is written at 1.25 times the input's price."""
    plain, dear = (page_row("openai", input=4.0, cached=0.4, output=8.0, cache_write=price) for price in (None, 5.0))
    assert [float(call_usd(row, MILLION, 0, prefix=MILLION, hits=0)) for row in (plain, dear)] == [4.0, 5.0]
    assert [float(call_usd(row, MILLION, 0, prefix=MILLION, hits=1)) for row in (plain, dear)] == [0.4, 0.4]


def test_a_missing_batch_price_is_said_and_a_known_one_is_not() -> None:
    dear = page_row("openai", input=1.0, output=2.0)
    low = page_row("openai", input=1.0, output=2.0, batch_input=0.5, batch_output=1.0)
    said = [costs.one_call_cost(row, 100, 10, batch=True, on=TODAY) for row in (dear, low)]
    assert ["no batch price" in " ".join(one.notes) for one in said] == [True, False]
    assert said[0].total == 2 * said[1].total


def test_gpus_by_the_hour_against_calls() -> None:
    """One always-on H100 at Together costs as much a month as about 22 million calls of 800 in and 200 out."""
    each = costs.one_call_cost("gpt-6-luna", 800, 200, on=TODAY).total
    assert each == pytest.approx(0.00018)
    assert hours("together-h100", costs.HOURS_A_MONTH) == pytest.approx(3952.80)
    assert hours("together-h100", costs.HOURS_A_MONTH) / each == pytest.approx(22e6, rel=0.01)


def test_gemini_doubles_on_new_year() -> None:
    before, after = (
        costs.one_call_cost("gemini-3.8-flash", 1000, 100, on=day).total
        for day in (date(2026, 12, 31), date(2027, 1, 1))
    )
    assert after == pytest.approx(2 * before)


@pytest.mark.parametrize(
    ("examples", "epochs"),
    [(4, 25), (10, 10), (20, 5), (25, 4), (33, 3), (34, 3), (100, 3), (8333, 3), (8334, 2), (12501, 1), (90_000, 1)],
)
def test_default_epochs_follow_the_cookbook(examples: int, epochs: int) -> None:
    predicted = costs.predicted_epochs(examples)
    assert predicted.n == epochs
    assert "predicted" in predicted.note and "not a promise" in predicted.note and "cookbook" in predicted.source


def test_the_article_put_right() -> None:
    table = costs.article_training(TODAY)
    assert list(table["usd"]) == pytest.approx([4.00, 12.00, 1.50, 4.50])
    assert list(table["state"]) == ["ended", "ended", "existing customers only", "existing customers only"]
    times = costs.tuned_against_base(TODAY).set_index("model")
    assert times.loc["gpt-4o-mini-2024-07-18", ["times_input", "times_output"]].tolist() == pytest.approx([2, 2])
    assert times.loc["gpt-4o-2024-08-06", ["times_input", "times_output"]].tolist() == pytest.approx([1.5, 1.5])


def test_validation_tokens_are_remarked_on_only_where_nobody_says_whether_they_are_billed() -> None:
    said = {}
    for provider in (
        "openai",
        *(row["provider"] for row in facts.rows("providers") if row["validation_billed"] == "unknown"),
    ):
        for tokens in (0, 5):
            remarks = training_remarks(page_row(provider), tokens, TODAY)
            said[provider == "openai", tokens] = any("validation tokens are billed" in one for one in remarks)
    assert said == {(True, 0): False, (True, 5): False, (False, 0): False, (False, 5): True}


def test_a_price_that_is_missing_is_said_beside_the_bill():
    no_cached = page_row("openai", "prompting", input=1.0, output=2.0)
    assert "no price for cached input is known: billed as fresh input" in costs.one_call_cost(
        no_cached, 1000, 10, 500, on=TODAY
    ).remarks  # fmt: skip
    by_hour = page_row("openai", train_hour=3.0)
    assert costs.training_cost(by_hour, 1000, 1, on=TODAY).remarks[0] == (
        "billed by the hour, $3.00: say how many hours="
    )  # fmt: skip
    known = costs.training_cost(by_hour, 1000, 1, on=TODAY, hours=2)
    assert known.total == 6.0 and not any("how many hours" in one for one in known.remarks)
