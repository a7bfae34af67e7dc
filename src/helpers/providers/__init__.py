"""``connect(name)``: a plain ``openai.OpenAI`` client for any host that speaks its protocol.

The lessons never see a difference between the API on this machine and a provider's: the client is the official SDK,
with an explicit address and an explicit key. What does differ (who may train, where data goes, quirks in a request)
stands in :class:`Host`, one row a host.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

import openai
from dotenv import dotenv_values

from helpers.errors import ConsentError, HostError
from helpers.providers import local


@dataclass(frozen=True)
class Host:
    """Where requests go.

    Attributes:
        name: what ``connect`` calls it.
        base_url: address of its API; empty for the local API, whose port is found at run time.
        key_variable: environment variable (or line in ``.env``) that holds the key.
        trains: whether fine-tuning jobs can be created there through the ``openai`` SDK.
        default_model: the base model that the lessons use there.
        leaves_machine: whether data sent there leaves this machine.
    """

    name: str
    base_url: str
    key_variable: str
    trains: bool
    default_model: str
    leaves_machine: bool

    @property
    def whereabouts(self) -> str:
        """One phrase for logs, reports and lessons: does what is sent there leave this machine?"""
        return (
            f"leaves this machine, goes to {urlsplit(self.base_url).hostname}"
            if self.leaves_machine
            else "stays on this machine"
        )


LOCAL = Host("local", "", "KIT_LOCAL_KEY", True, "smollm2-135m-instruct", False)
HOSTS = {
    "local": LOCAL,
    "openai": Host("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", True, "gpt-4.1-mini-2025-04-14", True),
}


def connect(name: str = "local") -> openai.OpenAI:
    """A client for the named host; for ``"local"`` the API is started when it is not running.

    The address and the key are always explicit: ``OPENAI_BASE_URL`` is ignored, a key is sent to its own host only, and
    the local client does not use the environment's proxies.

    Raises:
        HostError: the name is unknown, the key is missing, or the local API does not start.
        ConsentError: ``KIT_STAY_LOCAL`` is set (the tests set it) and the host is another machine.
    """
    if name not in HOSTS:
        raise HostError(f"There is no host called {name!r}.", fix=f"Use one of: {', '.join(HOSTS)}.")
    host = HOSTS[name]
    if host.leaves_machine and os.environ.get("KIT_STAY_LOCAL"):
        raise ConsentError(f"KIT_STAY_LOCAL is set, so nothing may go to {name}.", fix="Unset it to allow other hosts.")
    if not host.leaves_machine:
        server = local.start()
        return _client(server.base_url, server.key, trust_environment=False)
    return _client(host.base_url, key_for(host), trust_environment=True)


def host_of(client: openai.OpenAI) -> Host:
    """The row of :data:`HOSTS` that a client talks to; loopback addresses count as local."""
    address = urlsplit(str(client.base_url)).hostname
    if address in ("127.0.0.1", "localhost", "::1"):
        return LOCAL
    found = [h for h in HOSTS.values() if h.base_url and urlsplit(h.base_url).hostname == address]
    return found[0] if found else Host(address or "?", str(client.base_url), "", False, "", True)


def key_for(host: Host) -> str:
    """The host's key from the environment or the git-ignored ``.env``; never printed, never stored elsewhere.

    Raises:
        HostError: there is none; the message names the variable to set.
    """
    key = os.environ.get(host.key_variable) or dotenv_values(".env").get(host.key_variable)
    if not key:
        raise HostError(
            f"There is no key for {host.name}.",
            fix=f"Put a line {host.key_variable}=… into a file called .env at the top of the repository, "
            'or stay on this machine with connect("local"), which needs none.',
        )
    return key


def _client(base_url: str, key: str, *, trust_environment: bool) -> openai.OpenAI:
    http = openai.DefaultHttpxClient(trust_env=trust_environment)
    return openai.OpenAI(base_url=base_url, api_key=key, http_client=http, max_retries=3)
