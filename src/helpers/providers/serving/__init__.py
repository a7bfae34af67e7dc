"""Which model server answers at an address of this machine: known by what it answers, never by its port.

Each kind gives its models in a way of its own; the sources of what is read here, as of 2026-11-30:

- llama.cpp: ``tools/server`` of its repository (``/v1/models``, ``/props``), as in llama-cpp-python 0.3.36; run by us.
- vLLM: ``vllm/entrypoints/openai/engine/protocol.py`` (``ModelCard``).
- LM Studio: https://lmstudio.ai/docs/developer/rest/list and, before its version 0.4, .../rest/endpoints.
- Ollama: https://docs.ollama.com/api (``/api/tags``, ``/api/ps``, ``/api/show``).
- Docker Model Runner: its repository's ``pkg/inference/models``, https://docs.docker.com/ai/model-runner/api-reference.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from helpers.providers.serving.loopback import page

SECONDS = 0.8
"""For all that is asked of one address. A server that listens answers such pages in milliseconds."""

LLAMA_CPP, VLLM, LM_STUDIO, OLLAMA, DOCKER = "llama.cpp", "vLLM", "LM Studio", "Ollama", "Docker Model Runner"
OTHER = "a server with OpenAI's API"

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMBT])\b", re.IGNORECASE)
_BILLIONS = {"K": 1e-6, "M": 1e-3, "B": 1.0, "T": 1e3}
_EMBEDS = re.compile(r"embed|(^|[^a-z])bge-|(^|[^a-z])bert|minilm|rerank", re.IGNORECASE)
_FOLDERS = re.compile(r"^.*[/\\]")
"""What llama.cpp puts before a file's name where it has no alias: nothing for a record, and it answers to any name."""
_CLOUD = re.compile(r"[:-]cloud$")


@dataclass(frozen=True)
class Served:
    """A model as its server describes it.

    Attributes:
        name: its id in requests.
        parameters: in billions; None: the server does not say.
        context: tokens that one request may have, prompt and answer together; None: not known before it is loaded.
        loaded: whether it is in memory; None: the server does not say.
        leaves: whether the server passes requests on to another machine.
    """

    name: str
    parameters: float | None = None
    context: int | None = None
    loaded: bool | None = None
    leaves: bool = False


@dataclass(frozen=True)
class Answering:
    """What answers at an address.

    Attributes:
        kind: one of the names above.
        path: where its OpenAI-shaped API begins.
        models: those that can be prompted.
        slots: requests that it answers at the same time; None where it does not say.
    """

    kind: str
    path: str
    models: tuple[Served, ...]
    slots: int | None = None


def answering(address: str, seconds: float = SECONDS) -> Answering | None:
    """What model server answers, recognised by its list of models and its own pages; None when none does in that time.

    Args:
        address: ``http://127.0.0.1:PORT``.
        seconds: for all pages together, a slow or hostile server's too. Details that come too late are left out.
    """
    deadline = time.monotonic() + seconds
    listed = _openai_models(page(address, "/v1/models", deadline))
    owners = {model.get("owned_by") for model in listed}
    if "llamacpp" in owners:
        return _llama_cpp(address, listed, deadline)
    if "vllm" in owners:
        return Answering(VLLM, "/v1", _prompted(Served(m["id"], None, _count(m.get("max_model_len"))) for m in listed))
    return (
        _docker(address, listed, deadline)
        or _lm_studio(address, deadline)
        or _ollama(address, deadline)
        or (Answering(OTHER, "/v1", _prompted(Served(model["id"]) for model in listed)) if listed else None)
    )


def billions(text: Any) -> float | None:
    """Billions of parameters in a text such as "8.2B" or "361.82 M"; None where there is none."""
    found = _SIZE.search(text) if isinstance(text, str) else None
    return float(found[1]) * _BILLIONS[found[2].upper()] if found else None


def _llama_cpp(address: str, listed: list[Mapping[str, Any]], deadline: float) -> Answering:
    props = _mapping(page(address, "/props", deadline))
    context = _count(_mapping(props.get("default_generation_settings")).get("n_ctx"))
    models = []
    for model in listed:
        meta = _mapping(model.get("meta"))
        parameters = _count(meta.get("n_params"))
        name = _FOLDERS.sub("", model["id"]) if model["id"].endswith(".gguf") else model["id"]
        models.append(Served(name, parameters and parameters / 1e9, _count(meta.get("n_ctx")) or context))
    return Answering(LLAMA_CPP, "/v1", _prompted(models), _count(props.get("total_slots")))


def _docker(address: str, listed: list[Mapping[str, Any]], deadline: float) -> Answering | None:
    path = "/engines/v1"
    listed = [m for m in listed if m.get("owned_by") == "docker"] or _openai_models(
        page(address, f"{path}/models", deadline)
    )
    if not listed or any(model.get("owned_by") != "docker" for model in listed):
        return None
    about = [_mapping(model.get("dmr")) for model in listed]
    models = (
        Served(model["id"], billions(own.get("parameters")), _count(own.get("context_window")))
        for model, own in zip(listed, about, strict=True)
    )
    return Answering(DOCKER, path, _prompted(models))


def _lm_studio(address: str, deadline: float) -> Answering | None:
    listed = _items(page(address, "/api/v1/models", deadline), "models", ("key", "type", "publisher"))
    models = [_in_lm_studio(model) for model in listed if model["type"] != "embedding"]
    if not listed:
        listed = _items(page(address, "/api/v0/models", deadline), "data", ("id", "type", "compatibility_type"))
        models = [
            Served(m["id"], None, _count(m.get("loaded_context_length")), m.get("state") == "loaded")
            for m in listed
            if m["type"] != "embeddings"
        ]
    return Answering(LM_STUDIO, "/v1", _prompted(models)) if listed else None


def _in_lm_studio(model: Mapping[str, Any]) -> Served:
    loaded = model.get("loaded_instances")
    first = _mapping(loaded[0]) if isinstance(loaded, list) and loaded else {}
    context = _count(_mapping(first.get("config")).get("context_length"))
    return Served(model["key"], billions(model.get("params_string")), context, bool(loaded))


def _ollama(address: str, deadline: float) -> Answering | None:
    tags = page(address, "/api/tags", deadline)
    if not isinstance(_mapping(tags).get("models"), list) or not _says_version(page(address, "/api/version", deadline)):
        return None
    loaded = {m["name"]: m for m in _items(page(address, "/api/ps", deadline), "models", ("name",))}
    models = []
    for model in _items(tags, "models", ("name",)):
        details, running = _mapping(model.get("details")), loaded.get(model["name"], {})
        leaves = bool(model.get("remote_host") or _CLOUD.search(model["name"]))
        size, context = billions(details.get("parameter_size")), _count(running.get("context_length"))
        models.append(Served(model["name"], size, context, bool(running), leaves))
    return Answering(OLLAMA, "/v1", tuple(_as_set(address, one, deadline) for one in _prompted(models)))


def _as_set(address: str, model: Served, deadline: float) -> Served:
    """The model with the context that its Modelfile sets, as long as the time lasts."""
    if model.context or model.leaves:
        return model
    shown = _mapping(page(address, "/api/show", deadline, {"model": model.name}))
    parameters = shown.get("parameters")
    found = re.search(r"^num_ctx\s+([0-9]{1,9})\s*$", parameters, re.MULTILINE) if isinstance(parameters, str) else None
    size = _count(_mapping(shown.get("model_info")).get("general.parameter_count"))
    return replace(model, context=int(found[1]) if found else None, parameters=size / 1e9 if size else model.parameters)


def _says_version(answer: Any) -> bool:
    return isinstance(_mapping(answer).get("version"), str)


def _openai_models(answer: Any) -> list[Mapping[str, Any]]:
    """The models of a list in OpenAI's shape; none where it is another list (of cars, say)."""
    listed = _items(answer, "data", ("id", "object"))
    shaped = _mapping(answer).get("object") == "list" and all(model["object"] == "model" for model in listed)
    return listed if shaped else []


def _items(answer: Any, key: str, texts: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """The objects under ``key``, where each has these texts; none where anything in it is otherwise."""
    listed = _mapping(answer).get(key)
    fits = isinstance(listed, list) and all(
        isinstance(one, dict) and all(isinstance(one.get(text), str) and one[text] for text in texts) for one in listed
    )
    return listed if fits else []


def _prompted(models: Iterable[Served]) -> tuple[Served, ...]:
    """Those that can be prompted, and whose names can be shown: no control characters, no page of text."""
    return tuple(
        one for one in models if not _EMBEDS.search(one.name) and one.name.isprintable() and len(one.name) <= 200
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    """A whole number above 0; None for anything else, truth values among them."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e15 else None
