"""What the kit says on a day, and a search of it for what the dated events make false.

The search reads the events themselves (``life.csv``, ``hosts``), not the functions that it checks. ``said(day)`` is
what the kit says: pages, sentences, ticks, prices, verdicts. ``lies(said, day)`` is what is wrong with it, and where.
"""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from html import unescape
from pathlib import Path
from types import SimpleNamespace

from helpers import costs, decide, facts, providers, show
from helpers.decide import hosts
from helpers.errors import HostError
from helpers.jobs import bedrock
from helpers.jobs.inventory import _model
from helpers.trial import sums

HERE = Path(__file__).parent
FACTS = HERE.parent / "src" / "helpers" / "facts"
DAYS = tuple(
    date.fromisoformat(day)
    for day in (
        "2026-11-29", "2026-12-31", "2027-01-06", "2027-01-07", "2027-01-14", "2027-01-15", "2027-03-01", "2027-12-01",
        "2029-01-01",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Said:
    """One thing that the kit says or does on a day.

    ``kind``: ``sentence``; ``first`` (a page, which must begin with the age of stale facts); ``tick``, ``recommended``
    and ``connect`` (of a host or model); ``job price``, ``call price`` and ``hosting price``; ``days`` (a number).
    """

    where: str
    text: str
    kind: str = "sentence"
    host: str = ""
    model: str = ""


# --- what the kit says ------------------------------------------------------------------------------------------------


def said(day: date) -> list[Said]:
    """Everything, for a day that ``$KIT_TODAY`` has been set to."""
    makers: tuple[Callable[[date], Iterable[Said]], ...] = (
        _provider_page, _calculator, _hosts, _standing, _leftovers, _prices, _article, _verdicts, _lessons,
    )  # fmt: skip
    return [one for make in makers for one in make(day)]


def _plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def _provider_page(day: date) -> Iterator[Said]:
    page = providers.page(day)
    yield Said("provider page", _plain(show.provider_page(page, f"Who trains for whom, on {day}").data), "first")
    for host, line in page.iterrows():
        for column in ("who may train", "next dates"):
            yield Said(f"provider page, {column}", line[column].rpartition(" [")[0], host=host)
        yield Said(
            "provider page, training", line["training, USD per 1M tokens"].rpartition(" [")[0], "job price", host
        )
        yield Said("provider page, hosting", line["hosting a tuned model"].rpartition(" [")[0], "hosting price", host)
        yield Said("provider page, connect", line["connect"], "connect", host)


def _calculator(day: date) -> Iterator[Said]:
    panel = show.calculator(on=day)
    table = costs.compare(panel.workload, panel.chosen, day).set_index("option")
    for name in panel.chosen:
        option = costs.Option.parse(name)
        yield Said("calculator, ticked", name, "tick", option.provider, option.model)
        if option.kind == "tuned":
            text = f"{table.loc[name, 'label']}, {table.loc[name, 'total']} {table.loc[name, 'mark']}"
            yield Said("calculator, bill", text, "job price", option.provider, option.model)
    for name in filter(None, panel.pair):
        option = costs.Option.parse(name)
        yield Said("calculator, pair", name, "tick", option.provider, option.model)
    yield Said("calculator", _plain(panel.sentence.value), "first")
    yield Said("calculator, bill", _plain(panel.table.value), "first")
    cheapest = facts.cheapest_target(day)
    yield Said("the model to measure first", cheapest["label"], "tick", cheapest["provider"], cheapest["model"])


def _hosts(day: date) -> Iterator[Said]:
    for row in facts.rows("providers"):
        host = row["provider"]
        yield Said("who_may_train", facts.who_may_train(host, day), "first", host)
        yield Said("hosts.about", hosts.about(host, day), "first", host)
        for customer in (True, False):
            yield Said("hosts.obstacle", hosts.obstacle(host, day, customer), host=host)
        yield Said("hosts.end_in_sight", hosts.end_in_sight(host, day), host=host)
        for when, what in hosts.coming_dates(host, day):
            yield Said("hosts.coming_dates", f"{when}: {what}", host=host)
        if hosts.open_to_new(host, day):
            yield Said("hosts.open_to_new", host, "recommended", host)
    best = hosts.best_host(day)
    yield Said("hosts.best_host", best or "", "recommended", best or "")


def _standing(day: date) -> Iterator[Said]:
    for row in facts.rows("tunable"):
        where = facts.standing(row["model"], row["provider"], day)
        yield Said("standing", f"{where.state}: {where.sentence}", "sentence", row["provider"], row["model"])
        yield Said("standing, days", str(where.days_left or 0), "days", row["provider"], row["model"])


def _leftovers(day: date) -> Iterator[Said]:
    for name, host in providers.HOSTS.items():
        for row in facts.rows("tunable"):
            if host.trains and row["provider"] == (host.facts_name or name) and name != "local":
                tuned = SimpleNamespace(id=f"ft:{row['model']}:me::1", created=1, shutdown_date=None)
                job = SimpleNamespace(model=row["model"])
                line = _model(tuned, job, host)
                yield Said("leftovers, days", str(line["days_left"] or 0), "days", row["provider"], row["model"])
                yield Said("leftovers", line["note"], "sentence", row["provider"], row["model"])


def _prices(day: date) -> Iterator[Said]:
    for row in facts.rows("tunable"):
        if row["from"] > day or row["provider"] == "local":
            continue
        if row["train"] is not None:
            job = costs.job_estimate(row["model"], 100_000, row["provider"], epochs=3, on=day)
            yield Said("job_estimate", job.sentence, "job price", row["provider"], row["model"])
        if row["input"] is not None and row["output"] is not None:
            call = costs.one_call_cost(row, 800, 60, on=day)
            yield Said("one_call_cost", str(call), "call price", row["provider"], row["model"])
    for row in facts.rows("prompting"):
        if row["from"] <= day and not (row["until"] and row["until"] < day):
            call = costs.one_call_cost(row, 800, 60, on=day)
            yield Said("one_call_cost", str(call), "call price", row["provider"], row["model"])


def _article(day: date) -> Iterator[Said]:
    table = costs.short_against_cached(on=day)
    yield Said("short_against_cached", table.attrs["sentence"], "call price", "openai", "gpt-4o-mini-2024-07-18")
    lengths = {"short": 60.0, "long": 900.0, "question": 60.0, "answer": 25.0}
    four = sums.four_dollars()
    for found in (sums.hosts(), four, sums.dearer_calls(), sums.shorter_saves(lengths)):
        for text in (found.because, *found.details, found.reading):
            host = "openai" if "OpenAI" in text and "Anthropic" not in text else ""
            yield Said(f"the article on trial, {found.claim}", text, host=host)
    yield Said("the article on trial, four_dollars", four.because, "job price", "openai", "gpt-3.5-turbo")


def answer_sets() -> list[dict[str, str]]:
    """At least 30 sets of answers: all that name a host, and every third of the rest."""
    table = tomllib.loads((HERE / "decide_scenarios.toml").read_text(encoding="utf-8"))
    every = [{**table["bases"][case["base"]], **case.get("answers", {})} for case in table["case"]]
    tied = [one for one in every if one.get("host", "none") != "none"]
    hosted = [
        {**table["bases"]["desk"], "host": row["provider"], "tuned_now": "yes"} for row in facts.rows("providers")
    ]
    known = decide.questions()["host"].values
    return [*tied, *(one for one in hosted if one["host"] in known), *every[::3]]


def _verdicts(day: date) -> Iterator[Said]:
    for number, answers in enumerate(answer_sets()):
        verdict = decide.decide(answers, None, day)
        host = answers.get("host", "none")
        for text in (verdict.headline, *verdict.reasons, *verdict.blockers, *verdict.next_steps):
            about = "" if text.startswith("Your answer") or host in ("none", "other") else host
            yield Said(f"verdict {number}", text.removeprefix("Fact: "), host=about)


LESSONS = ("02_upload", "03_train", "05_deploy", "extra/leave_a_retiring_model")
"""Lessons that speak of hosts. What trains or asks a model in them says the same on every day."""

NAMES = {
    "OpenAI": "openai", "Azure": "azure", "Anthropic": "anthropic", "Claude": "anthropic", "Bedrock": "bedrock",
    "Vertex": "vertex", "Google": "vertex", "Nebius": "nebius", "Together": "together", "Fireworks": "fireworks",
    "Mistral": "mistral", "Cohere": "cohere",
}  # fmt: skip


def _lessons(day: date) -> Iterator[Said]:
    """The prose of the lessons, sentence by sentence under the hosts that it names, and what cells print of facts."""
    for name in LESSONS:
        cells = json.loads((HERE.parent / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        for number, cell in enumerate(cells):
            text = " ".join("".join(cell["source"]).split()) if cell["cell_type"] == "markdown" else ""
            for sentence in re.split(r"(?<=[.:;?!]) ", text):
                for host in {host for word, host in NAMES.items() if word in sentence}:
                    yield Said(f"lesson {name} [{number}]", sentence, host=host)
    for name, host in providers.HOSTS.items():
        yield Said("lesson 5, what stands between", host.after_training_on(day), host=host.facts_name or name)
    for line in facts.hosting_table(day).to_dict("records"):
        price = f"{line['label']}: {line['usd']} per {line['per']}, open to {line['open to']}"
        yield Said("lesson 5, hosting", price, "hosting price", line["provider"])
    for line in facts.shutdowns(day).to_dict("records"):
        yield Said(
            "leave a retiring model", f"from {line['date']} {line['what']}", host=line["provider"], model=line["model"]
        )
    try:
        bedrock.require_tunable("anthropic.claude-3-haiku-20240307-v1:0")
    except HostError as refused:
        yield Said("lesson 3, Bedrock", refused.got, host="bedrock", model="anthropic.claude-3-haiku-20240307-v1:0")


# --- the events themselves --------------------------------------------------------------------------------------------

ENDS_JOBS = ("closed to all", "not offered", "shut down", "rerouted")
SILENT = ("shut down", "rerouted")
NARROWS = ("closed to new", "base retired", "by invitation", "newcomers not verified")


@cache
def _all(host: str) -> list[dict[str, str]]:
    """Events of a host: in the table, or in a file of its own."""
    own = FACTS / "hosts" / f"{host}.toml"
    if own.exists():
        listed = tomllib.loads(own.read_text(encoding="utf-8")).get("life", [])
        return [{key: str(value) for key, value in event.items()} for event in listed]
    with open(FACTS / "life.csv", encoding="utf-8", newline="") as table:
        return [event for event in csv.DictReader(table) if event["provider"] == host]


def _events(host: str, model: str = "*") -> list[dict[str, str]]:
    return [event for event in _all(host) if event["model"] in ("*", model)]


def _came(host: str, model: str, day: date, kinds: tuple[str, ...], perhaps: bool = True) -> bool:
    """Whether an event of these kinds has come for a model at a host; ``perhaps``: one that may have come counts."""
    past = [e for e in _events(host, model) if e["event"] in kinds and date.fromisoformat(e["date"]) <= day]
    return any(perhaps or e["precision"] != "no earlier than" for e in past)


def _models(host: str) -> list[str]:
    listed = [row for row in facts.rows("tunable") if row["provider"] == host]
    return [row["model"] for row in listed if row["method"] == "supervised"] or ["*"]


def _nobody(host: str, day: date, perhaps: bool = True) -> bool:
    """Whether nobody can start a job there: the host, or each model of it, has ended."""
    return all(_came(host, model, day, ENDS_JOBS, perhaps) for model in _models(host))


def _open(host: str, day: date) -> bool:
    return any(not _came(host, model, day, ENDS_JOBS + NARROWS) for model in _models(host))


def _dead(host: str, day: date) -> bool:
    """Whether nothing that was tuned there answers any more."""
    return all(_came(host, model, day, SILENT, perhaps=False) for model in _models(host))


# --- the search -------------------------------------------------------------------------------------------------------

DATE = re.compile(r"(?<![\w-])20\d\d-\d\d-\d\d(?![\w-])")
COMING = re.compile(
    r"\b(?:from|ends on|ends no earlier than|no earlier than|will end on|until) (20\d\d-\d\d-\d\d)", re.I
)
PERHAPS = re.compile(
    r"perhaps since 20\d\d-\d\d-\d\d, no earlier|(?:may have )?ended,? no earlier than 20\d\d-\d\d-\d\d", re.I
)
PAST = re.compile(r"\b(?:since|ended on|ended by|retired on) (20\d\d-\d\d-\d\d)", re.I)
NEGATIVE = re.compile(r"(?:−|(?<![\w–])-)\d+ days?\b|\bin (?:−|-)\d")
STILL = re.compile(r"\b(?:still|today|until|not yet)\b", re.I)
ENDED = re.compile(r"\bended\b|\bnobody\b|no longer|used to|it was\b", re.I)
SAYS_OPEN = re.compile(
    r"who may fine-tune: (?!nobody|perhaps|not verified|by invitation|existing)|upload, train, prompt", re.I
)
SAYS_CLOSED = re.compile(
    r"who may fine-tune: nobody|nobody can start a (?:fine-tuning )?job(?! at \S+, or perhaps)|has ended, because", re.I
)
AGE_FIRST = "These facts were last read on "


def lies(things: list[Said], day: date) -> list[str]:
    """What is wrong, one finding a line; empty when nothing is."""
    found = [f"{one.where}: {wrong}: {one.text[:160]!r}" for one in things for wrong in _wrong(one, day)]
    return found + list(_contradictions(things))


def _wrong(one: Said, day: date) -> Iterator[str]:
    """Everything that is wrong with one thing said."""
    yield from _closed_but_offered(one, day)
    yield from _time_words(one, day)
    yield from _price_without_the_word(one, day)
    if NEGATIVE.search(one.text) or (one.kind == "days" and float(one.text) < 0):
        yield "negative days"
    newest = max(row.as_of for table in ("providers", "life") for row in facts.rows(table))
    if (
        one.kind == "first"
        and one.text
        and not one.host
        and (day - newest).days > 90
        and not one.text.startswith(AGE_FIRST)
    ):
        yield "stale facts do not say their age first"


def _closed_but_offered(one: Said, day: date) -> Iterator[str]:
    if one.kind == "tick" and one.host != "local" and not one.text.startswith("own:"):
        kinds = ENDS_JOBS + NARROWS if one.text.startswith("tuned:") else SILENT
        if _came(one.host, one.model, day, kinds):
            yield "ticked or named, but closed"
    if one.kind == "recommended" and one.host and not _open(one.host, day):
        yield "recommended, but closed"
    if one.kind == "connect" and "upload, train" in one.text and _nobody(one.host, day):
        yield "trains there, but nobody can"
    if "no announced date is known" in one.text and any(
        e["event"] not in ("opened", "product ended") for e in _all(one.host)
    ):
        yield "says that no date is known, and one is"


def _time_words(one: Said, day: date) -> Iterator[str]:
    for sentence in re.split(r"(?<=[.;]) ", PERHAPS.sub("", one.text)):
        past = [d for d in DATE.findall(sentence) if d <= day.isoformat()]
        if any(d <= day.isoformat() for d in COMING.findall(sentence)):
            yield "speaks of the past as of something to come"
        if any(d > day.isoformat() for d in PAST.findall(sentence)):
            yield "speaks of something to come as of the past"
        gone = one.host and _dead(one.host, day)
        if STILL.search(sentence) and (gone or (past and "as of" not in sentence)):
            yield "still, today or until about the past"


def _price_without_the_word(one: Said, day: date) -> Iterator[str]:
    if not re.search(r"\d", one.text) or one.text.startswith("not known") or ENDED.search(one.text):
        return
    if one.kind == "job price":
        over = _came(one.host, one.model, day, ENDS_JOBS) if one.model else _nobody(one.host, day)
        if over:
            yield "price of a job that nobody can start, without a word"
    if one.kind == "call price" and _came(one.host, one.model, day, SILENT):
        yield "price of a call that nothing answers, without a word"
    if one.kind == "hosting price" and _dead(one.host, day):
        yield "price of hosting what does not answer, without a word"


def _contradictions(things: list[Said]) -> Iterator[str]:
    """Hosts of which one sentence says that they are open and another that they are not."""
    for host in dict.fromkeys(one.host for one in things if one.host):
        about = [one for one in things if one.host == host and not one.model]
        is_open = [one for one in about if SAYS_OPEN.search(one.text) or one.kind == "recommended"]
        closed = [one for one in about if SAYS_CLOSED.search(one.text)]
        if is_open and closed:
            yield f"{host}: open in {is_open[0].where} ({is_open[0].text[:80]!r}), closed in {closed[0].where}"
        announced = [one for one in about if re.search(r"end of fine-tuning at .* is announced", one.text)]
        if announced and closed:
            yield f"{host}: its end is announced in {announced[0].where}, and past in {closed[0].where}"
