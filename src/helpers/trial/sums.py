"""Claims about money, time and hosts: counted from the dated facts tables and from what was measured before."""

from __future__ import annotations

from collections.abc import Mapping

from helpers import costs, facts
from helpers.costs import Workload
from helpers.costs.tables import article
from helpers.formatting import plural
from helpers.trial import verdicts
from helpers.trial.bench import Bench
from helpers.trial.finding import Finding, mark

NAMED = ("openai", "anthropic")
"""The hosts that the article names."""
JOULES_A_KWH = 3.6e6


def cheap_training(bench: Bench) -> Finding:
    """USD of the people who make the rows, and of training on them: here, and where everybody may train."""
    model, job = bench.triage_model(), Workload()
    electricity = model.seconds * job.machine_watts / JOULES_A_KWH * job.usd_per_kwh
    hosted = {
        f"{line.provider}: {line.label}": costs.training_cost(row, model.tokens, 1)
        for line, row in _open_prices()
    }  # fmt: skip
    cheapest, dearest = (pick(hosted, key=lambda name: hosted[name].total) for pick in (min, max))
    people = len(bench.train) * job.label_minutes / 60 * job.people_usd_per_hour
    training = {
        "training here (electricity)": electricity,
        f"cheapest hosted: {cheapest}": hosted[cheapest].total,
        f"dearest hosted: {dearest}": hosted[dearest].total,
    }
    return Finding(
        claim="cheap_training",
        verdict=verdicts.cheap_training(people, list(training.values())),
        because=f"Making {len(bench.train)} examples costs ${people:,.0f} of people's time; training on them at most "
        f"{costs.dollars(max(training.values()))}",
        details=(
            f"People: {job.label_minutes:g} minutes a row at ${job.people_usd_per_hour:g} an hour, the assumptions of "
            f"lesson 2. Training here took {model.seconds / 60:.1f} minutes for {model.tokens:,} tokens, epochs "
            "among them; at the hosts the same tokens are billed.",
            "Hosts count tokens with their own tokenizers, so their sums are near, not exact.",
        ),
        marks=tuple(mark("USD", name, usd) for name, usd in {**training, "people who make the rows": people}.items()),
        axis="USD (each step is a factor of ten)",
        log=True,
        reading="Supervised tuning at hosts that are open to anyone; serving the model comes on top.",
        sources=tuple(row.cite for name in (cheapest, dearest) for row in hosted[name].rows),
    )


def _open_prices() -> list[tuple]:
    """Hosted models that anyone may tune on this day, billed by the token: their line and price row.

    What is free while a preview lasts is left out: the claim is about a price.
    """
    table = facts.tunable()
    table = table[(table["state"] == "open") & (table["from"] <= facts.today()) & (table["train"] > 0)]
    return [(line, facts.tuning_price(line.model, line.provider)) for line in table.itertuples()]


def hours_to_days(bench: Bench) -> Finding:
    """Minutes of the job here, of the article's file at this machine's speed, and of runs that others wrote down."""
    model = bench.triage_model()
    tokens = article.EXAMPLES * article.TOKENS_EACH * costs.predicted_epochs(article.EXAMPLES).n
    written = costs.training_durations()
    written = written[written["provider"] != "local"]
    minutes = {
        f"{len(bench.train)} rows, this machine": model.seconds / 60,
        "the article's file, this machine": model.seconds / 60 * tokens / model.tokens,
        **{f"the article's file, {one.provider}: {one.model}": one.article_minutes for one in written.itertuples()},
    }
    longest = max(minutes, key=minutes.get)
    return Finding(
        claim="hours_to_days",
        verdict=verdicts.hours_to_days(list(minutes.values())),
        because=f"Training takes from {min(minutes.values()):.0f} minutes to {minutes[longest] / 60:.1f} hours "
        f"({longest})",
        details=(
            f"The article's file is {article.EXAMPLES:,} examples of {article.TOKENS_EACH} tokens, "
            f"{costs.predicted_epochs(article.EXAMPLES).n} epochs; its minutes are worked out from the speed of "
            "each run, without time in a queue.",
            f"Here {model.tokens / model.seconds:,.0f} tokens a second were trained, measured in this run.",
        ),
        marks=tuple(mark("minutes", name, value) for name, value in minutes.items()),
        axis="minutes of training (each step is a factor of ten)",
        log=True,
        reading="Time in a provider's queue is not in it, and can be longer than the training.",
        sources=tuple(
            f"{row.cite} ({'; '.join(filter(None, (row['kind'], row.remark)))})"
            for row in facts.rows("durations")
            if row["provider"] != "local"
        ),
    )


def four_dollars() -> Finding:
    """The article's sum, done again on dated prices."""
    table = costs.article_training()
    first, usual, last = table.iloc[0], table.iloc[1], table.iloc[-1]
    ended = [event for event in facts.life(first["model"], "openai") if event["model"] == first["model"]]
    over = facts.standing(first["model"], "openai", facts.today()).ended
    when = f"; nobody has been able to start it since {over['date']}" if over else ""
    return Finding(
        claim="four_dollars",
        verdict=verdicts.four_dollars(first["usd"], first["state"]),
        because=f"The sum comes to {costs.dollars(first['usd'])} for one epoch{when}",
        details=(
            f"With the {usual['epochs']} epochs that are usual it would have been {costs.dollars(usual['usd'])}; on "
            f"{last['model']}, {costs.dollars(last['usd'])} ({last['state']}).",
            *(f"{event['date']}: {event['what']} ({event.cite})." for event in ended),
        ),
        marks=tuple(
            mark(one.state, f"{one.model}, {plural(one.epochs, 'epoch')}", one.usd) for one in table.itertuples()
        ),
        axis="USD for training on 1,000 examples of 500 tokens",
        reading="Epochs multiply the bill. The colour says who can still start such a job.",
        sources=tuple(table.attrs["cite"]),
    )


def dearer_calls() -> Finding:
    """How many times its base's price a tuned model costs."""
    table = costs.tuned_against_base()
    times = [*table["times_input"], *table["times_output"]]
    verb = "costs" if (table["answers"] == "yes").any() else "cost, while it answered,"
    return Finding(
        claim="dearer_calls",
        verdict=verdicts.dearer_calls(times),
        because=f"A call of a tuned model {verb} {min(times):g} to {max(times):g} times its base's price at OpenAI",
        details=(f"\u201cSlightly\u201d is taken as up to {verdicts.SLIGHTLY:g} times.", facts.who_may_train("openai")),
        marks=tuple(
            mark(f"{part} tokens", one.model, getattr(one, f"times_{part}"))
            for part in ("input", "output")
            for one in table.itertuples()
        ),
        axis="times the price of the base model",
        reading="1 would be the same price. Some other hosts charge tuned models like their base, some by the hour.",
        sources=tuple(dict.fromkeys(f"as of {one.as_of}: {one.source}" for one in table.itertuples())),
    )


def shorter_saves(seen: Mapping[str, float]) -> Finding:
    """The measured lengths at dated prices: short on a tuned model, long on a prompted one, cached and not.

    ``seen``: tokens of a ``short`` and a ``long`` prompt, of the ``question`` in them and of an ``answer``.
    """
    table = costs.short_against_cached(
        long_prompts=[seen["long"]], question=seen["question"], short_prompt=seen["short"], tokens_out=seen["answer"]
    )
    line, (tuned, prompted) = table.iloc[0], table.attrs["names"]
    is_cached = line["prompted_cached"] < line["prompted_fresh"]
    bars = {
        f"{tuned}, short prompt": line["tuned"],
        f"{prompted}, long prompt": line["prompted_fresh"],
        **({f"{prompted}, long prompt, cached": line["prompted_cached"]} if is_cached else {}),
    }
    best_case = ("Cached means that all but the question is read from the provider's cache, the best case.",)
    cached = (
        f", and {costs.dollars(line['prompted_cached'])} when it is cached"
        if is_cached
        else "; a prompt of this length is not cached, and what a longer one would cost is in lesson 2"
    )
    return Finding(
        claim="shorter_saves",
        verdict=verdicts.shorter_saves(line["tuned"], line["prompted_fresh"], line["prompted_cached"]),
        because=f"1,000 calls cost {costs.dollars(line['tuned'])} with the short prompt on a tuned model and "
        f"{costs.dollars(line['prompted_fresh'])} with the long one on {prompted}{cached}",
        details=(
            f"Lengths as measured above: {seen['short']:.0f} and {seen['long']:.0f} prompt tokens, "
            f"{seen['answer']:.0f} tokens of answer; providers' tokenizers count a little differently.",
            *(best_case if is_cached else ()),
            f"Of the model behind “{tuned}”: {facts.who_may_train('openai')}",
        ),
        marks=tuple(mark("USD", name, usd) for name, usd in bars.items()),
        axis="USD for 1,000 calls",
        reading="Calls only: training, people and the test of the tuned model come on top.",
        sources=tuple(table.attrs["cite"]),
    )


def hosts() -> Finding:
    """Who lets whom tune on this day."""
    day = facts.today()
    named = [facts.provider(name) for name in NAMED]
    others = [row for row in facts.rows("providers") if row["provider"] != "local"]
    doors = {row["provider"]: facts.door(row["provider"], day) for row in others}
    anyone = [row["name"] for row in others if doors[row["provider"]] == "anyone"]
    closed = " and ".join(row["name"] for row in named if doors[row["provider"]] != "anyone")
    said = f"; {closed} are not among them" if closed else ", the named ones among them"
    return Finding(
        claim="hosts",
        verdict=verdicts.hosts([doors[row["provider"]] for row in named]),
        because=f"{len(anyone)} of {len(others)} hosts in the table, this machine aside, let anyone tune{said}",
        details=(
            *filter(None, [facts.age(facts.rows("providers"), day)]),
            *(facts.who_may_train(row["provider"], day) for row in named),
            "Open to anyone: " + "; ".join(anyone) + ".",
        ),
        marks=tuple(
            mark("hosts", door, sum(one == door for one in doors.values())) for door in dict.fromkeys(doors.values())
        ),
        axis="hosts in the kit's table",
        reading=f"Whom the hosts let start a fine-tuning job on {day}.",
        sources=tuple(row.cite for row in named),
    )
