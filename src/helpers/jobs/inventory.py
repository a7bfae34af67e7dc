"""What is still at the host, what it costs there, and how to remove it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import openai
import pandas as pd

from helpers import facts
from helpers.errors import FactsError, HostError
from helpers.jobs.retry import patiently, reason
from helpers.jobs.running import ENDED
from helpers.providers import Host, host_of

COLUMNS = ["kind", "id", "what", "made", "megabytes", "ends", "days_left", "usd_per_hour", "note"]
NO_LIST = (openai.NotFoundError, openai.BadRequestError)
"""How hosts say that they have no list of this kind."""


def inventory(client: openai.OpenAI) -> pd.DataFrame:
    """Everything of yours at the host: training and result files, jobs that run, tuned models.

    Returns:
        one row a thing: ``kind`` (file, job, model), ``id``, ``what``, ``made`` (the host's clock, UTC), ``megabytes``,
        ``ends`` (the day on which the host or the facts say that it stops answering), ``days_left`` (never below 0; 0
        once that day has come), ``usd_per_hour``
        (what it costs while nobody uses it; NaN where that is not known), ``note`` with date and source.

    Raises:
        HostError: the host does not answer, or refuses the key.
    """
    host = host_of(client)
    jobs = _listed(client, lambda c: list(c.fine_tuning.jobs.list(limit=100))) if host.trains else []
    files = _listed(client, lambda c: list(c.files.list()))
    lines = [_file(file, host) for file in files]
    lines += [_line("job", job.id, f"{job.status}, {job.model}", job.created_at) for job in jobs if _runs(job)]
    made = {job.fine_tuned_model: job for job in jobs if job.fine_tuned_model}
    lines += [_model(model, made.get(model.id), host) for model in _models(client) if _is_tuned(model, made)]
    return pd.DataFrame(lines, columns=COLUMNS)


def delete_file(client: openai.OpenAI, file_id: str) -> None:
    """Delete a file at the host; one that is gone already is no error.

    Args:
        client: the host.
        file_id: from :func:`inventory`, or of an upload.

    Raises:
        HostError: the host refuses: a job uses it, or it may not be deleted.
    """
    _delete(client, "file", file_id, lambda c: c.files.delete(file_id))


def delete_model(client: openai.OpenAI, model: str) -> None:
    """Delete a tuned model at the host; there is no way back. One that is gone already is no error.

    Args:
        client: the host.
        model: its id as calls have it, from :func:`inventory`.

    Raises:
        HostError: the host refuses: it is a base model, or its job still runs.
    """
    _delete(client, "model", model, lambda c: c.models.delete(model))


def _delete(client: openai.OpenAI, kind: str, name: str, call: Any) -> None:
    try:
        patiently(client, call)
    except openai.NotFoundError:
        pass
    except openai.APIStatusError as error:
        raise HostError(
            f"{host_of(client).name} did not delete {kind} {name}.",
            got=reason(error),
            fix="Follow the message, then retry.",
        ) from None


def _listed(client: openai.OpenAI, call: Any) -> list[Any]:
    try:
        return patiently(client, call)
    except NO_LIST:
        return []


def _models(client: openai.OpenAI) -> list[Any]:
    return _listed(client, lambda c: list(c.models.list()))


def _is_tuned(model: Any, made: dict[str, Any]) -> bool:
    """Tuned ones: made by a job in the list, or named as OpenAI (ft:…) and Azure (….ft-…) name them."""
    return model.id in made or model.id.startswith("ft:") or ".ft-" in model.id


def _runs(job: Any) -> bool:
    return job.status not in ENDED


def _file(file: Any, host: Host) -> dict[str, Any]:
    cost = 0.0 if not host.leaves_machine else float("nan")
    note = "" if not host.leaves_machine else "no charge for stored files is known"
    what = f"{file.filename} ({file.purpose})"
    return _line("file", file.id, what, file.created_at, megabytes=(file.bytes or 0) / 1e6, usd=cost, note=note)


def _model(model: Any, job: Any, host: Host) -> dict[str, Any]:
    base = job.model if job else _base_of(model.id)
    usd, note = _idle_price(host, base)
    ends, source = _end(model, base, host)
    note = "; ".join(filter(None, (note, source)))
    return _line("model", model.id, f"tuned from {base}", model.created, usd=usd, ends=ends, note=note)


def _base_of(model: str) -> str:
    return model.split(":")[1] if model.startswith("ft:") else model.split(".ft-")[0]


def _idle_price(host: Host, base: str) -> tuple[float, str]:
    """USD per hour of a tuned model that nobody calls, and how that is known."""
    if not host.leaves_machine:
        return 0.0, "on your own disk"
    try:
        row = facts.tuning_price(base, host.facts_name or host.name)
    except FactsError:
        return float("nan"), "no price is known for models tuned from this base"
    if not row["hosting"]:
        return 0.0, f"no hosting charge is listed ({row.cite})"
    item = facts.hosting(row["hosting"])
    usd = item["usd"] if item["per"] == "hour" and item["usd"] is not None else float("nan")
    return usd, f"once deployed: {item['label']} ({item.cite})"


def _end(model: Any, base: str, host: Host) -> tuple[Any, str]:
    """The day on which it stops answering: the host's own word first, then the facts'."""
    told = (getattr(model, "shutdown_date", None) or "") if model else ""
    if told:
        ends = pd.Timestamp(told).date()
        return ends, f"{_verb(ends)} on {told}, according to the host"
    event = facts.shutdown_of(base, host.facts_name or host.name)
    if event is None:
        return None, ""
    when = "on" if facts.is_certain(event) else "no earlier than"
    return event["date"], f"{_verb(event['date'])} {when} {event['date']} ({event.cite})"


def _verb(ends: date) -> str:
    return "ended" if ends <= facts.today() else "ends"


def _line(
    kind: str, name: str, what: str, made: int | None, *, megabytes: float | None = None, usd: float = 0.0,
    ends: Any = None, note: str = "",
) -> dict[str, Any]:  # fmt: skip
    return {
        "kind": kind,
        "id": name,
        "what": what,
        "made": datetime.fromtimestamp(made, UTC) if made else None,
        "megabytes": None if megabytes is None else round(megabytes, 3),
        "ends": ends,
        "days_left": max(0, (ends - facts.today()).days) if ends else None,
        "usd_per_hour": usd,
        "note": note.strip(),
    }
