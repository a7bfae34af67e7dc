"""``connect(name)``: a plain ``openai.OpenAI`` client for any host that speaks its protocol.

The lessons never see a difference between the API on this machine and a provider's: the client is the official SDK,
with an explicit address and an explicit key. What does differ (who may train, where data goes, quirks in a request)
stands in ``hosts.toml``, one table a host.

Where to look:

- Add a provider: a table in ``hosts.toml``, whose head explains every key, and rows in the tables of
  :mod:`helpers.facts`; no code (CONTRIBUTING.md, "Add a host"). :mod:`~helpers.providers.host` reads the tables, the
  reader's own ``hosts.toml`` too, and turns hyperparameters into the form that each host takes.
- The client: :func:`connect`, here. Its key and the guard that keeps the key at its own host:
  :mod:`~helpers.providers.keys`. Free tiers, and consent where prompts are trained on:
  :mod:`~helpers.providers.free_tier`.
- The kit's own API, started and stopped: :mod:`~helpers.providers.local`, which is also what
  ``python -m helpers.providers`` calls.
- Other model servers on this machine: recognised by their answers in :mod:`~helpers.providers.serving` (by way of
  ``serving/loopback``), with the traps of each in :mod:`~helpers.providers.servers`;
  :mod:`~helpers.providers.trying` asks one what it does with a seed and a schema.
- How long a host asks to wait before the next call: :mod:`~helpers.providers.waiting`.
- What a model's scores count as, teaching or target: :mod:`~helpers.providers.models`. The provider page of the
  lessons: :mod:`~helpers.providers.overview`.

Nothing here uploads a file or repeats a call. Uploads, jobs and their retries are in :mod:`helpers.jobs` (``uploads``,
``retry``); prompts are sent, and sent again, in :mod:`helpers.evaluate` (``requests``).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import openai

from helpers import facts
from helpers.errors import ConsentError, FactsError, HostError
from helpers.project import kit_home
from helpers.providers import local, models
from helpers.providers.free_tier import TRAINS, FreeTier, ended, require_consent, tier_of
from helpers.providers.host import LOOPBACK, Host, address_problem, hosts, in_domains, shipped, with_address
from helpers.providers.keys import key_for, key_variable_of, private_http
from helpers.providers.overview import page
from helpers.providers.servers import LocalServer, local_servers, server_at, server_table, traps
from helpers.providers.trying import try_out

__all__ = [
    "HOSTS",
    "LOCAL",
    "TRAINS",
    "FreeTier",
    "Host",
    "LocalServer",
    "connect",
    "costs_nothing",
    "free_tier",
    "host_of",
    "hosts",
    "identity",
    "is_free",
    "key_for",
    "key_variable_of",
    "local",
    "local_servers",
    "models",
    "page",
    "rehearsal_home",
    "rehearse",
    "rules_of",
    "server_at",
    "server_table",
    "tier_of",
    "traps",
    "try_out",
]

HOSTS = shipped()
"""The hosts that the kit comes with; :func:`hosts` adds those of your own file."""
LOCAL = HOSTS["local"]


def connect(
    name: str = "local",
    *,
    key_variable: str | None = None,
    may_train_on_prompts: str = "",
    limits: Mapping[str, float] | None = None,
) -> openai.OpenAI:
    """A client for the named host; for ``"local"`` the API is started when it is not running.

    The address and the key are always explicit: ``OPENAI_BASE_URL`` is ignored, a key is sent to its own host only,
    redirects are not followed, and clients of this machine do not use the environment's proxies.

    Args:
        name: one of :func:`hosts`, or the address of any other OpenAI-shaped API (``https://host/v1``).
        key_variable: for such an address: the environment variable with its key. When not given it is that of
            :func:`key_variable_of`, and no key is sent where it is not set.
        may_train_on_prompts: name of the host that may train on what it is sent; asked for at free tiers that do.
        limits: of your account at a free tier, where they differ from the table's: ``{"requests_per_day": 250}``.

    Raises:
        HostError: the name is unknown, the key is missing, the limits make no sense, or the local API does not start.
        ConsentError: ``KIT_STAY_LOCAL`` is set (the tests set it) and the host is another machine; or the host may
            train on what it is sent, and nothing allows that.
    """
    host = _named(name, key_variable)
    require_consent(host, may_train_on_prompts)
    tier_of(host, limits)  # says now what is wrong with the limits
    if host.leaves_machine and os.environ.get("KIT_STAY_LOCAL"):
        raise ConsentError(
            f"KIT_STAY_LOCAL is set, so nothing may be sent to {name}.", fix="Unset it to allow other hosts."
        )
    if host.name == "local":
        server = local.start()
        return _client(replace(host, base_url=server.base_url), server.key)
    host = with_address(host)
    client = _client(host, key_for(host))
    client._client.kit_limits = limits
    return client


def rehearse(name: str, shutdown_date: date | None = None) -> openai.OpenAI:
    """A client for a second local API that plays another provider, with files, models and a key of its own.

    ``providers.local.stop(providers.rehearsal_home(name))`` ends it; what it made is kept.

    Args:
        name: what to call the provider that it plays.
        shutdown_date: the day that its list of models announces as their end.

    Raises:
        HostError: it does not start.
    """
    server = local.start(rehearsal_home(name), *([f"--shutdown-date={shutdown_date}"] if shutdown_date else []))
    return _client(replace(LOCAL, base_url=server.base_url), server.key)


def rehearsal_home(name: str) -> Path:
    """Folder of the local API that plays ``name``."""
    return kit_home() / "rehearsals" / name


def host_of(client: openai.OpenAI) -> Host:
    """The host that a client talks to, with the address in use.

    Another OpenAI-shaped address that no table names is taken to answer as OpenAI does; an unnamed loopback address is
    the local API. Anything may listen where the kit expects a model server of this machine: such a host counts only for
    a client that was made by its name.
    """
    url = str(client.base_url).rstrip("/")
    address = urlsplit(url)
    made_for = hosts().get(_made_for(client))  # two names may stand for one address: a paid and a free account
    if made_for and made_for.base_url and urlsplit(made_for.base_url).netloc == address.netloc:
        return made_for
    for host in hosts().values():
        anybodys = host.name in HOSTS and not host.leaves_machine and host.name != _made_for(client)
        if host.base_url and urlsplit(host.base_url).netloc == address.netloc and not anybodys:
            return host
        if host.domains and in_domains(address.hostname or "", host.domains):
            return replace(host, base_url=url)
    if address.hostname not in LOOPBACK:
        return _unnamed(url, "")
    return LOCAL if _own_api(client) else replace(LOCAL, key_variable=key_variable_of(url))


def identity(client: openai.OpenAI) -> str:
    """The name under which measurements and kept answers of this client's host are told apart.

    The local API keeps its name when its port changes; two other servers on this machine never share one, nor does
    another server take the local API's name by standing where it once stood: it is known by its key, too.
    """
    if ours := _own_api(client):
        return ours
    known = host_of(client)
    return known.name if known.name in hosts() and known.name != LOCAL.name else client.base_url.netloc.decode()


def is_free(client: openai.OpenAI) -> bool:
    """Whether this client's calls are known to cost nothing: the kit's own API, and hosts that the tables call free
    (model servers on this machine, by name). A server that is given by its address may be a proxy to a paid host: it
    needs a price.
    """
    known = host_of(client)
    return bool(_own_api(client)) or (known.free and known.name != LOCAL.name)


def free_tier(client: openai.OpenAI, asked: Iterable[str] = ()) -> FreeTier | None:
    """The free tier under which these models answer this client; None where there is none, or one of them is paid for.

    That the account has no paid plan is for the reader to know: one who pays gives a price.

    Args:
        client: from :func:`connect`, whose ``limits`` count where they were given; one made by hand has no free tier.
        asked: ids of the models that will be called; at some hosts only part of the models is free.

    Raises:
        HostError: limits of an unknown name, or below one.
    """
    host = hosts().get(_made_for(client))
    if host is None or not all(model.endswith(host.free_models) for model in asked):
        return None
    return tier_of(host, getattr(client._client, "kit_limits", None))


def costs_nothing(client: openai.OpenAI, price: Mapping | None, asked: Iterable[str]) -> bool:
    """Whether calls of these models need no price: the host is free (:func:`is_free`), or has a free tier and no price
    was given.

    Args:
        client: from :func:`connect`.
        price: the reader's own, USD per 1M tokens; whoever gives one has a paying account. None: not given.
        asked: ids of the models that will be called.
    """
    return is_free(client) or (price is None and free_tier(client, asked) is not None)


def _own_api(client: openai.OpenAI) -> str:
    """Which of the kit's own APIs the client talks to: "local", or the rehearsal's name; empty for other hosts."""
    address = client.base_url.netloc.decode()
    homes = {"local": local.usual_home(), **{f.name: f for f in sorted((kit_home() / "rehearsals").glob("*"))}}
    for name, home in homes.items():
        if urlsplit(local.address(home)).netloc == address and client.api_key == local.key(home):
            return name if name == "local" else f"local API acting as {name}"
    return ""


def rules_of(name: str) -> str:
    """Whose rules ``data.check`` is to hold a file against, for this host: its own where jobs can be made there and its
    limits are known, else "general".

    Raises:
        HostError: the host is unknown.
    """
    host = _named(name, None)
    with contextlib.suppress(FactsError):
        if host.trains and facts.limits(host.facts_name or host.name):
            return host.facts_name or host.name
    return "general"


def _named(name: str, key_variable: str | None) -> Host:
    known = hosts()
    if name in known:
        return known[name]
    if "://" in name:
        address_problem(name)
        return _unnamed(name, key_variable or "")
    raise HostError(
        f"There is no host called {name!r}. {ended(name)}".rstrip(),
        fix=f"Use one of {', '.join(known)}, an address such as https://host/v1, or name it in .local/hosts.toml.",
    )


def _unnamed(url: str, key_variable: str) -> Host:
    hostname = urlsplit(url).hostname or "?"
    own = {"key_variable": key_variable or key_variable_of(url), "key_optional": not key_variable}
    return Host(hostname, url, trains=True, leaves_machine=hostname not in LOOPBACK, **own)


def _client(host: Host, key: str) -> openai.OpenAI:
    http = private_http(host, key)
    http.kit_host = host.name  # stays with the client's copies (with_options), which share it
    return openai.OpenAI(base_url=host.base_url, api_key=key, http_client=http, max_retries=3)


def _made_for(client: openai.OpenAI) -> str:
    """The name of the host that :func:`connect` made this client for; empty for a client that was made by hand."""
    return getattr(client._client, "kit_host", "")
