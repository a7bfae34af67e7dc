"""Keys: where they come from, and the guard that keeps each at its own host."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values, find_dotenv
from openai import DefaultHttpxClient

from helpers.errors import HostError
from helpers.providers.host import Host

NO_KEY = "no-key-needed"
OPENAI_ONLY = ("openai-organization", "openai-project")


def key_variable_of(address: str) -> str:
    """The environment variable with the key of an address that no table names; each address has its own."""
    return f"KIT_KEY_{re.sub('[^A-Za-z0-9]+', '_', urlsplit(address).netloc).strip('_').upper()}"


def key_for(host: Host) -> str:
    """The host's key from the environment or the git-ignored ``.env``; never printed, never stored elsewhere.

    Raises:
        HostError: there is none; the message names the variable to set.
    """
    if not host.key_variable:
        return NO_KEY
    dotenv = find_dotenv(usecwd=True)
    kept = dotenv_values(dotenv, interpolate=False) if dotenv else {}
    key = (os.environ.get(host.key_variable) or kept.get(host.key_variable) or "").strip()
    if key or host.key_optional:
        return _usable(key, host) if key else NO_KEY
    raise HostError(
        f"There is no key for {host.name}.",
        fix=f"Put a line {host.key_variable}=… into a file called .env at the top of the repository, "
        'or stay on this machine with connect("local"), which needs none.',
    )


def _usable(key: str, host: Host) -> str:
    if key.isascii() and key.isprintable() and " " not in key:
        return key
    raise HostError(  # the SDK's own error would quote the header, and the key with it
        f"The key in {host.key_variable} cannot be sent.",
        got=f"{len(key)} characters, some of which are not allowed in a header",
        fix="Copy it again, without quotes, spaces or line breaks.",
    )


def private_http(host: Host, key: str) -> DefaultHttpxClient:
    """An HTTP client that sends ``key`` to ``host`` and nowhere else.

    The SDK adds what it finds in the environment (organisation, project, custom headers, an administrator's key) to
    requests for any host, and follows redirects with the body. Here such additions reach OpenAI only, and a redirect is
    an error. A refusal that quotes the key, as some hosts do, is read without it, so no exception can show it.

    Args:
        host: whose address, to the port, gets the key; the environment's proxies are used where it is another machine.
        key: sent as ``Authorization: Bearer``.
    """
    own = urlsplit(host.base_url).netloc

    def guard(request: Any) -> None:
        headers = request.headers
        headers.pop("authorization", None)
        if request.url.netloc.decode() == own:
            headers["authorization"] = f"Bearer {key}"
        if host.name != "openai":
            for name in (*OPENAI_ONLY, *_custom_headers()):
                headers.pop(name, None)

    def scrub(response: Any) -> None:
        if response.is_error and key.encode() in response.read():
            response._content = response.content.replace(key.encode(), b"***")

    hooks = {"request": [guard], "response": [scrub]}
    return DefaultHttpxClient(trust_env=host.leaves_machine, follow_redirects=False, event_hooks=hooks)


def without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for the local API, which needs its own key and nobody else's."""
    return {
        name: value
        for name, value in environment.items()
        if name == "KIT_LOCAL_KEY" or not (name.startswith("OPENAI_") or name.endswith(("_KEY", "_TOKEN")))
    }


def _custom_headers() -> list[str]:
    """Names in the SDK's ``OPENAI_CUSTOM_HEADERS`` that are not part of every request."""
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
    names = [line.partition(":")[0].strip().lower() for line in lines if ":" in line]
    return [name for name in names if name not in ("authorization", "content-type", "accept", "user-agent")]
