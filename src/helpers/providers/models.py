"""What is known of a model, and what its scores therefore count as: found out, never typed by hand.

A prompted model under one billion parameters teaches mechanics and misleads about prompting, whatever a reader calls
it. So its size is looked up: at the local API, at another server of this machine, in its name. Models that are sold by
the call stand in the dated table of prices. Only where nothing of that helps does a reader's own word count, and then
it is said so.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import openai

from helpers import facts
from helpers.errors import HostError
from helpers.facts.names import TEACHING_BELOW, base_of, is_tuned, size_in_name
from helpers.providers.host import LOOPBACK
from helpers.providers.serving import LLAMA_CPP, answering
from helpers.records import Candidate, Role

OLLAMA_PORT = 11434


@dataclass(frozen=True)
class Known:
    """What is known of a model.

    Attributes:
        parameters: in billions; None: not known.
        how: how its size or standing is known, in words; empty when nothing is known.
    """

    parameters: float | None = None
    how: str = ""

    @property
    def is_small(self) -> bool:
        return self.parameters is not None and self.parameters < TEACHING_BELOW


def known(client: openai.OpenAI, model: str) -> Known:
    """What the host, the model's name or the facts say of ``model``; a tuned model is looked up by its base.

    Args:
        client: the host that serves it. Asked only where that is this machine, without retries, 10 s at most.
        model: its id in requests.
    """
    base = base_of(model)
    return known_as(base, _told_by_host(client, base))


def known_as(base: str, told: float | None, teller: str = "its host") -> Known:
    """What is known of a base model whose host has been asked already.

    Args:
        base: the model's name; a size in it ("1.5B") counts where the host gives none, then its row in the price table.
        told: billions of parameters that the host gives; None where it gives none.
        teller: what to call the host in the explanation.
    """
    if told is not None:
        return Known(told, f"{teller} says {told:.3g} billion parameters")
    if (named := size_in_name(base)) is not None:
        return Known(named, f"its name says {named:.3g} billion parameters")
    if row := _sold(base):
        return Known(None, f"sold by the call ({row['label']}, as of {row.as_of}: {row.source})")
    return Known()


def role(candidate: Candidate, about: Known) -> tuple[Role, str]:
    """What a candidate's scores count as, and how that is known, in words.

    What is known of the model outweighs what the reader declares: a model under one billion parameters stays a teaching
    model whatever it is called.

    Args:
        candidate: its model, whether it is tuned, and what the reader declared it to be.
        about: what is known of that model, from :func:`known`.

    Raises:
        HostError: ``declared`` is none of "", "teaching" and "target".
    """
    if candidate.declared not in ("", "teaching", "target"):
        raise HostError(
            f"A model cannot be declared {candidate.declared!r}.", fix='Declare "target", "teaching", or nothing.'
        )
    if candidate.tuned or is_tuned(candidate.model):
        return "tuned", about.how or "a fine-tuned model"
    if about.how:
        counts: Role = "teaching" if about.is_small else "target"
        refused = f"; your declaration “{candidate.declared}” does not count"
        return counts, about.how + (refused if candidate.declared not in ("", counts) else "")
    if candidate.declared:
        return candidate.declared, "declared by you; nothing else is known about it"
    return "teaching", 'nothing is known about it: declare it "target" if you would really use it'


def _told_by_host(client: openai.OpenAI, model: str) -> float | None:
    """Billions of parameters that the host itself gives: Ollama at ``/api/show``, the local API with its models, other
    servers on this machine each in its own way (``serving``)."""
    address, asked = client.base_url, client.with_options(max_retries=0, timeout=10)
    if address.host not in LOOPBACK:
        return None
    with contextlib.suppress(openai.OpenAIError, ValueError, TypeError, KeyError):
        if address.port == OLLAMA_PORT:
            page = f"{address.scheme}://{address.netloc.decode()}/api/show"
            shown: Any = asked.post(page, body={"model": model}, cast_to=object)
            return float(shown["model_info"]["general.parameter_count"]) / 1e9
        return float(asked.models.retrieve(model).model_extra["parameters"]) / 1e9
    return _served(address.port, model)


def _served(port: int | None, model: str) -> float | None:
    """What the model server at this port says; llama.cpp's answers with its one model whatever name is asked for."""
    found = answering(f"http://127.0.0.1:{port}") if port else None
    if found is None:
        return None
    sizes = {one.name: one.parameters for one in found.models}
    only = next(iter(sizes.values()), None) if found.kind == LLAMA_CPP and len(sizes) == 1 else None
    return sizes.get(model, only)


def _sold(model: str) -> facts.FactRow | None:
    """The newest row of the price table for this model, also under a router's prefix (``openai/gpt-6-luna``)."""
    names = {model.lower(), model.rsplit("/", 1)[-1].lower()}
    rows = [row for row in facts.rows("prompting") if row["provider"] != "local" and row["model"].lower() in names]
    return rows[-1] if rows else None
