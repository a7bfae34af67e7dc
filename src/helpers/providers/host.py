"""What differs between hosts, in one table (``hosts.toml``) and one class: addresses, and how a job is asked for."""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from helpers import facts
from helpers.errors import FactsError, HostError
from helpers.formatting import host_called
from helpers.project import kit_home

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHIPPED = Path(__file__).with_name("hosts.toml")
NOT_INHERITED = (
    "base_url",
    "address_variable",
    "domains",
    "key_variable",
    "facts_name",
    "priced_as",
    "free",
    "seen",
    "free_tier",
)


@dataclass(frozen=True)
class Host:
    """Where requests go; ``hosts.toml`` explains each field.

    Attributes:
        name: what ``connect`` calls it.
        base_url: address of its API; empty for the local API, whose port is found at run time, and where the reader
            gives it in ``address_variable``.
        key_variable: environment variable (or line in ``.env``) that holds the key; empty where none is needed.
        trains: whether fine-tuning jobs can be created there through the ``openai`` SDK.
        default_model: the base model that the lessons use there.
        leaves_machine: whether data sent there leaves this machine.
        free: whether calls cost nothing. A loopback address alone does not say so: a paid proxy has one, too.
        free_tier: its row in the table of free tiers, whose calls cost nothing within limits.
    """

    name: str
    base_url: str
    key_variable: str
    trains: bool
    default_model: str = ""
    priced_as: str = ""
    leaves_machine: bool = True
    free: bool = False
    free_tier: str = ""
    free_models: str = ""
    key_optional: bool = False
    address_variable: str = ""
    path: str = ""
    domains: tuple[str, ...] = ()
    why_not: str = ""
    hyperparameters: str = "method"
    sends_auto: bool = True
    learning_rate: str = "multiplier"
    always: Mapping[str, Any] = field(default_factory=dict)
    job_metadata: bool = True
    deployment: bool = False
    after_training: str = ""
    facts_name: str = ""
    seen: str = "read"
    as_of: date | None = None
    source: str = ""

    @property
    def called(self) -> str:
        """What a sentence calls it."""
        return host_called(self.name)

    @property
    def whereabouts(self) -> str:
        """One phrase for logs, reports and lessons: does what is sent there leave this machine?"""
        return (
            f"leaves this machine, goes to {urlsplit(self.base_url).hostname or self.name}"
            if self.leaves_machine
            else "stays on this machine"
        )

    @property
    def provenance(self) -> str:
        """How far this path can be trusted: exercised here, or built from a page."""
        if self.seen == "run":
            return "run by us"
        return f"built from {self.source or 'your own description'} of {self.as_of or 'unknown date'}, not run by us"

    def job_settings(self, hyperparameters: Mapping[str, Any] | None) -> dict[str, Any]:
        """``hyperparameters`` in the place and under the meaning that this host gives them, for ``jobs.create``.

        Raises:
            HostError: a learning rate multiplier for a host that would take it as the rate itself.
        """
        asked = {name: value for name, value in (hyperparameters or {}).items() if self.sends_auto or value != "auto"}
        rate = asked.get("learning_rate_multiplier")
        if self.learning_rate == "rate" and isinstance(rate, int | float) and rate > 0.01:
            raise HostError(
                f"{self.name} uses learning_rate_multiplier as the learning rate itself.",
                got=f"{rate:g}",
                fix="Give a rate such as 2e-5 (its own example), or leave it out.",
            )
        asked = {**self.always, **asked}
        if self.hyperparameters == "top-level":
            return {"hyperparameters": asked} if asked else {}
        return {"method": {"type": "supervised", "supervised": {"hyperparameters": asked}}}

    def after_training_on(self, day: date | None = None) -> str:
        """What stands between a finished job and the first answer, or that nothing tuned here answers on that day."""
        day = day or facts.today()
        with contextlib.suppress(FactsError):
            if not facts.answers(self.facts_name or self.name, day):
                return f"Nothing tuned here answers on {day}: {facts.who_may_train(self.facts_name or self.name, day)}"
        return self.after_training

    def standing(self, model: str = "", day: date | None = None) -> facts.Life | None:
        """Where the facts have a model here on a day: open, closing or ended; None: not in the tables.

        Args:
            model: its id here; the default model when not given, under the name that the tables have for it.
            day: today when not given.
        """
        default = model in ("", self.default_model)
        listed = (self.priced_as if default else "") or model or self.default_model
        with contextlib.suppress(FactsError):
            return facts.standing(listed, self.facts_name or self.name, day or facts.today())
        return None

    def closed(self, model: str = "", day: date | None = None) -> str:
        """Why a job on ``model`` can perhaps not be started here, by the dated facts; empty when it is open to anyone.

        Empty, too, for hosts that the tables do not know.

        Args:
            model: its id here; the default model when not given.
            day: today when not given.
        """
        where = self.standing(model, day)
        if where is None or where.state == "open":
            return ""
        events = where.sentence[:1].upper() + where.sentence[1:]
        return f"{facts.whom_it_lets_in(self.facts_name or self.name, day)} {events}."

    def door(self, day: date | None = None) -> tuple[str, str]:
        """Whom this host lets start a job on any model of its own, one of the values of ``facts.WHO``, and the dated
        facts in words; both empty for a host that the tables do not know.

        Args:
            day: today when not given.
        """
        name, day = self.facts_name or self.name, day or facts.today()
        with contextlib.suppress(FactsError):
            return facts.door(name, day), facts.who_may_train(name, day)
        return "", ""

    def refuse_rows(self) -> None:
        """Pass while somebody can perhaps start a job there, by the dated facts; called before rows are sent.

        Raises:
            HostError: nobody can any more, so the rows would leave this machine for nothing.
        """
        who, said = self.door()
        if who == "nobody":
            raise HostError(
                f"Nobody can start a job at {self.name} any more, so no rows are sent there.",
                got=said.rstrip("."),
                fix=f"Train at {', '.join(_open_hosts())}. If it has opened again, add that day to "
                f"src/helpers/facts/life.csv, or to .local/facts/{self.name}.toml if you added this host.",
            )

    def refuse_training(self) -> None:
        """Pass when jobs can be made there.

        Raises:
            HostError: they cannot; the message says why, what the facts say, and where else to go.
        """
        if self.trains:
            return
        known = ""
        with contextlib.suppress(FactsError):
            known = facts.who_may_train(self.facts_name or self.name)
        raise HostError(
            f"No fine-tuning at {self.name} from here: {self.why_not or 'nothing says that it can'}.",
            got=known.rstrip("."),
            fix=f"{self.name} can only be prompted and compared. Train at {', '.join(_open_hosts())}.",
        )


def _open_hosts() -> list[str]:
    """Hosts where somebody can make jobs today, with a word on who."""
    day = facts.today()
    listed = {row["provider"]: facts.door(row["provider"], day) for row in facts.rows("providers")}
    doors = {host.name: listed.get(host.name, "") for host in hosts().values() if host.trains}
    return [f'"{name}"' + f" (open to: {door})" * bool(door) for name, door in doors.items() if "nobody" not in door]


def hosts() -> dict[str, Host]:
    """Every host by name: the shipped ones, and those of the reader's own ``hosts.toml``.

    Raises:
        HostError: that file is malformed; all of its problems at once.
    """
    return shipped() | own()


@cache
def shipped() -> dict[str, Host]:
    """The hosts that the kit comes with."""
    tables = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    return {name: _host(name, table) for name, table in tables.items()}


def own() -> dict[str, Host]:
    """Hosts of the reader's own ``hosts.toml`` in the kit's home; none when there is no such file.

    Raises:
        HostError: the file cannot be read, or has entries that cannot be used; all of them at once.
    """
    file = kit_home() / "hosts.toml"
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise HostError(
            f"{file} cannot be read.", got=str(error), fix=f"Correct it; {SHIPPED} shows the format."
        ) from error
    known, problems, found = shipped(), [], {}
    for name, table in tables.items():
        try:
            found[name] = _own_host(name, table, known)
        except ValueError as error:
            problems.append(f"[{name}] {error}")
    if problems:
        raise HostError(f"{file} has entries that cannot be used.", got="; ".join(problems), fix="Mend them.")
    return found


def _own_host(name: str, table: Any, known: Mapping[str, Host]) -> Host:
    if not isinstance(table, dict):
        raise ValueError("is not a table")
    if name in known:
        raise ValueError("is the name of a host that the kit knows: choose another name")
    unknown = sorted(set(table) - {f.name for f in fields(Host)} - {"like"})
    if unknown:
        raise ValueError(f"has unknown keys: {', '.join(unknown)}")
    like = table.get("like", "openai")
    if like not in known:
        raise ValueError(f"is like {like!r}, which is not one of {', '.join(known)}")
    address_problem(str(table.get("base_url", "")), raising=ValueError)
    inherited = {f.name: getattr(known[like], f.name) for f in fields(Host) if f.name not in NOT_INHERITED}
    return _host(name, {**inherited, "key_variable": "", **{k: v for k, v in table.items() if k != "like"}})


def _host(name: str, table: Mapping[str, Any]) -> Host:
    lists = {"domains": tuple(table.get("domains", ()))}
    leaves = name != "local" and urlsplit(table.get("base_url", "")).hostname not in LOOPBACK
    return Host(**{**table, "name": name, "leaves_machine": leaves, **lists})


def address_problem(url: str, *, raising: type[Exception] = HostError) -> None:
    """Pass when a key may be sent to this address.

    Args:
        url: what was given as ``base_url``.
        raising: the error to raise; a reader of many entries collects them as another kind.

    Raises:
        HostError: it is no address, an unencrypted one of another machine, or holds a user name or password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise raising(f"base_url {url!r} is not an address such as https://host/v1")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise raising(f"base_url {url!r} is not encrypted, so no key may be sent there; use https")
    if parts.username or parts.password:
        raise raising("base_url holds a user name or password: put the key into a variable instead")


def with_address(host: Host) -> Host:
    """The host with the address that the reader gave in its ``address_variable``, if it has one.

    Raises:
        HostError: the variable is not set, or names an address outside the host's own domains.
    """
    if not host.address_variable:
        return host
    given = os.environ.get(host.address_variable, "").rstrip("/")
    name = urlsplit(given).hostname or ""
    if not given:
        raise HostError(
            f"The address of your {host.name} resource is not known.",
            fix=f"Set {host.address_variable} to its endpoint, such as https://NAME.{host.domains[0]}",
        )
    if not given.startswith("https://") or not in_domains(name, host.domains):
        raise HostError(
            f"{host.address_variable} does not name a {host.name} address, so its key is not sent there.",
            got=name or "no host name",
            fix=f"Use https and a name that ends in one of: {', '.join(host.domains)}.",
        )
    return replace(host, base_url=given if given.endswith("/v1") else given + host.path)


def in_domains(name: str, domains: tuple[str, ...]) -> bool:
    """Whether a host name lies below one of the domains.

    Args:
        name: a host name, without port.
        domains: such as ``openai.azure.com``; a name that merely ends in the same letters does not lie below one.
    """
    return any(name.endswith("." + domain) for domain in domains)
