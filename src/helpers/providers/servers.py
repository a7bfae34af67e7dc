"""Model servers that run on this machine: found, named, and with the traps that would spoil a measurement."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import openai

from helpers.formatting import plural
from helpers.providers import models
from helpers.providers.host import LOOPBACK, Host, hosts
from helpers.providers.serving import (
    DOCKER,
    LLAMA_CPP,
    LM_STUDIO,
    OLLAMA,
    OTHER,
    VLLM,
    Answering,
    Served,
    answering,
)
from helpers.records import Candidate, Role

LADDER_TOKENS = 8_000
"""A prompt of the ladder and its answer may have so many tokens (``evaluate.rungs``)."""

CALLED = {LLAMA_CPP: "llama.cpp", VLLM: "vllm", LM_STUDIO: "lmstudio", OLLAMA: "ollama", DOCKER: "docker"}
"""Kind of server → the host's name in ``hosts.toml``."""


@dataclass(frozen=True)
class LocalModel:
    """A model of a local server.

    Attributes:
        name: its id in requests.
        parameters: in billions; None where neither its server nor its name says.
        context: tokens of a request, prompt and answer together; None: not known.
        role: what its prompted scores count as.
        known_by: how that is known, in words.
        leaves: whether the server passes its requests on to another machine.
    """

    name: str
    parameters: float | None
    context: int | None
    role: Role
    known_by: str
    leaves: bool = False

    @property
    def described(self) -> str:
        """Its size, context and role, in a few words."""
        size = "size not known" if self.parameters is None else f"{self.parameters:.3g} billion parameters"
        context = "context not known" if self.context is None else f"{self.context:,} tokens a request"
        return ", ".join([size, context, self.role, *["runs on another machine"] * self.leaves])


@dataclass(frozen=True)
class LocalServer:
    """A model server that answers on this machine.

    Attributes:
        host: what ``connect`` takes: a name, or the address where another server stands at that name's port.
        base_url: address of its OpenAI-shaped API.
        kind: what it is, as recognised from its answers.
        models: those that can be prompted.
        traps: what would spoil a measurement, a sentence each, with what to do about it.
    """

    host: str
    base_url: str
    kind: str
    models: tuple[LocalModel, ...]
    traps: tuple[str, ...]

    @property
    def best(self) -> LocalModel | None:
        """A target model if there is one, else any; the largest whose size is known; none that leaves this machine."""
        here = [one for one in self.models if not one.leaves]
        return max(here, key=lambda one: (one.role == "target", one.parameters or 0), default=None)

    def line(self, model: LocalModel | None = None) -> str:
        """The line that makes a parameters cell measure this model; for :attr:`best` where none is given."""
        one = model or self.best
        name = json.dumps(one.name if one else "…", ensure_ascii=False)  # a name may hold quotes
        price = '  # and PRICE = {"input": 0, "output": 0}, if it is free' if "://" in self.host else ""
        return f'HOST, MODEL, DECLARED = "{self.host}", {name}, ""{price}'


def local_servers() -> list[LocalServer]:
    """The model servers that answer on this machine, in the order of ``hosts.toml``; nothing is started or loaded.

    Looked for at the addresses of all hosts that are on this machine, at once: without any, it takes a few
    milliseconds; whatever listens there, less than a second. Proxies of the environment are not used, and no key is
    sent: a server that wants one even for its list of models is not found, and :func:`connect` still works.
    ``KIT_LOCAL_SERVERS`` limits the search to these hosts, names with commas between; empty: to none.
    """
    places = [host for host in hosts().values() if not host.leaves_machine and urlsplit(host.base_url).port]
    if (only := os.environ.get("KIT_LOCAL_SERVERS")) is not None:
        places = [host for host in places if host.name in only.split(",")]
    by_address = {_root(host): host for host in reversed(places)}
    with ThreadPoolExecutor(max(1, len(by_address))) as pool:
        answers = dict(zip(by_address, pool.map(answering, by_address), strict=True))
    return [_described(root, host, answers[root]) for root, host in reversed(by_address.items()) if answers[root]]


def server_at(base_url: str) -> LocalServer | None:
    """The model server at this address of this machine; None where none answers."""
    place = urlsplit(base_url)
    if place.hostname not in LOOPBACK or not place.port:
        return None
    root = f"http://127.0.0.1:{place.port}"
    known = next((host for host in hosts().values() if not host.leaves_machine and _root(host) == root), None)
    answer = answering(root)
    return _described(root, known, answer) if answer else None


def traps(client: openai.OpenAI) -> list[str]:
    """What would spoil a measurement at this client's server, a sentence each; nothing for hosts on other machines."""
    found = server_at(str(client.base_url))
    return list(found.traps) if found else []


def server_table(found: Sequence[LocalServer]) -> list[dict[str, Any]]:
    """A row a model, for display: server, model, size in billions of parameters, context in tokens, role."""
    return [
        {
            "server": f"{server.kind} ({urlsplit(server.base_url).netloc})",
            "model": model.name,
            "billion parameters": "not known" if model.parameters is None else f"{model.parameters:.3g}",
            "tokens a request": "not known" if model.context is None else f"{model.context:,}",
            "its scores count as": model.role,
            "to measure it": server.line(model),
        }
        for server in found
        for model in server.models
    ]


def _root(host: Host) -> str:
    return f"http://127.0.0.1:{urlsplit(host.base_url).port}"


def _described(root: str, known: Host | None, answer: Answering) -> LocalServer:
    """``known``: the host that is expected there; another kind of server than that is called by its address."""
    base_url = root + answer.path
    expected = known is not None and (known.name == CALLED.get(answer.kind) or known.name not in CALLED.values())
    return LocalServer(
        host=known.name if known and expected else base_url,
        base_url=base_url,
        kind=answer.kind,
        models=tuple(_model(served, answer.kind) for served in answer.models),
        traps=tuple(_traps(answer)),
    )


def _model(served: Served, kind: str) -> LocalModel:
    about = models.known_as(served.name, served.parameters, kind)
    role, known_by = models.role(Candidate(served.name, served.name), about)
    return LocalModel(served.name, about.parameters, served.context, role, known_by, served.leaves)


# --- what would spoil a measurement -----------------------------------------------------------------------------------


_SHORT_UNLESS_TOLD = (OLLAMA, DOCKER)
"""Servers that load a model with 4,096 tokens of context unless told otherwise: one that is not known is short, too."""

_WHEN_SHORT = {
    OLLAMA: "Ollama reads 4,096 tokens of a prompt unless told otherwise (more on GPUs with 24 GB or more), drops the "
    "beginning of a longer one without a word, and `num_ctx` in a request to /v1 is ignored. Start it with "
    "`OLLAMA_CONTEXT_LENGTH=16384 ollama serve`, or make a model of your own: two lines in a Modelfile, `FROM NAME` "
    "and `PARAMETER num_ctx 16384`, then `ollama create NAME-16k -f Modelfile`.",
    LM_STUDIO: "loaded with a context shorter than the ladder's longest prompts may be "
    f"({LADDER_TOKENS:,} tokens). Load it again: `lms load NAME --context-length 16384`.",
    DOCKER: "Docker Model Runner gives llama.cpp 4,096 tokens of context unless told otherwise: `docker model "
    "configure --context-size 16384 NAME`.",
    VLLM: "prompts over its context are refused: start vLLM with --max-model-len 16384.",
}
"""What to say, behind their names, of models whose context is too short for the ladder."""

_WHEN_UNKNOWN = {
    LM_STUDIO: "not loaded; the first request loads it, with the context that LM Studio is set to. Load it first: "
    "`lms load NAME --context-length 16384`.",
}
"""What to say of models whose context is not known."""

_WHEN_CLOUD = (
    "the server passes it on to another machine, so what you send leaves this one. A schema is accepted there and not "
    "enforced, and a seed need not be kept: read the answers of rungs with a schema, or choose a model without "
    "“cloud” in its name."
)

_UNRECOGNISED = (
    "Not known what this server is: it may pass what you send on to another machine, and charge for it. Find out "
    "first; then use it by its address, with a PRICE (zeros if it is free). Whether it keeps a seed and a schema, "
    "and how long a prompt may be, is not known either: `providers.try_out(client, model)` asks it."
)


def _traps(answer: Answering) -> Iterable[str]:
    here = [one for one in answer.models if not one.leaves]
    short = [one.name for one in here if one.context and one.context < LADDER_TOKENS]
    unknown = [one.name for one in here if not one.context]
    if answer.kind in _SHORT_UNLESS_TOLD:
        short, unknown = [*short, *unknown], []
    if answer.kind == LLAMA_CPP:
        yield from _llama_cpp(answer, bool(short))
    if answer.kind == OTHER:
        yield _UNRECOGNISED
    cloud = [one.name for one in answer.models if one.leaves]
    for names, text in (
        (short, _WHEN_SHORT.get(answer.kind)),
        (unknown, _WHEN_UNKNOWN.get(answer.kind)),
        (cloud, _WHEN_CLOUD),
    ):
        if names and text:
            yield f"{_some(names)}: {text}"


def _llama_cpp(answer: Answering, short: bool) -> Iterable[str]:
    """It divides one context among its slots, and answers to any name."""
    for one in answer.models:
        if one.context and ((answer.slots or 1) > 1 or short):
            at_once = plural(answer.slots or 1, "request")
            yield (
                f"A request may have {one.context:,} tokens, prompt and answer together; {at_once} can run at once. "
                "The whole context (-c) is divided among them, or shared. Prompts that do not fit are refused and "
                "counted as missing: start it with a larger -c, or with -np 1."
            )
        yield f"It answers as {one.name} whatever MODEL says: write that name, so that scores are kept under it."


def _some(names: Sequence[str]) -> str:
    """The first names of a list that may be long."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
