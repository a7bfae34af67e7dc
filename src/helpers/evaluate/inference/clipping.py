"""Prompts that did not fit a server's context: it makes prompting look bad, so such answers are missing, never scores.

Some servers refuse them (:func:`refused`); some cut them without saying so (:func:`cut`).

Ollama reads at most its context (4,096 tokens unless told otherwise), drops the beginning of a longer prompt, with the
instructions in it, and answers as if nothing had happened. What it reports is what it read (measured by others:
https://github.com/itayinbarr/little-coder/issues/128). So the host's count is held against our own.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from helpers import tokens
from helpers.errors import AssetError
from helpers.evaluate.inference.store import Reply

MIN_TOKENS = 512
"""Shorter prompts fit everywhere: they are never called cut, and they show how this host counts."""

CUT_BELOW = 0.8
"""Share of our own count under which a prompt was cut. Vocabularies differ less than that for one text in most
languages; where the host's is far thriftier, its short prompts show it."""

ALIKE, MIN_SPREAD, SPREAD = 5, 12, 0.05
"""As many prompts with one and the same count, though by our own they differ by so many tokens or this share, were cut
at that count: two vocabularies do not differ so."""

CACHED_WITHIN = 0.3
"""Some servers count only what they had not in their cache: then the count is that of the last message, this near."""

REASON = "the host cut the prompt"
REFUSED = "the prompt is longer than the host's context"
ELSEWHERE = (
    "The host reads only as much of a prompt as fits its context, and drops or refuses the rest. Give it a longer "
    "context (Ollama: OLLAMA_CONTEXT_LENGTH=16384 before `ollama serve`, or num_ctx in a Modelfile; llama.cpp: "
    "-c 16384 for each of its -np slots; LM Studio: lms load NAME --context-length 16384; Docker: docker model "
    "configure --context-size 16384 NAME; vLLM: --max-model-len), then run again: only these rows are asked again."
)

HERE = (
    "This model reads no more at once: take shorter or fewer examples, or a model with a longer context "
    "(python -m helpers.open_models lists those that the local API serves)."
)

_TOO_LONG = re.compile(r"context (size|length|window)|maximum context|n_ctx", re.IGNORECASE)


def way_out(host: str) -> str:
    """What to do about prompts that did not fit, at this host: the kit's own API has no context to set."""
    return HERE if host.startswith("local") else ELSEWHERE


def refused(body: Any) -> str:
    """Why a prompt was refused, where an error of the host says that it is too long; empty for other errors.

    llama.cpp gives it a type of its own and both counts (``tools/server``), OpenAI and those who follow it a code, the
    others (vLLM, LM Studio) a message.

    Args:
        body: the body of the host's error: an object, as the ``openai`` client reads it, a text, or None.
    """
    said = body if isinstance(body, dict) else {}
    named = "exceed_context_size_error" in (said.get("type"), said.get("code")) or (
        said.get("code") == "context_length_exceeded"
    )
    if not named and not _TOO_LONG.search(str(said.get("message") or body or "")):
        return ""
    context = said.get("n_ctx")
    return f"{REFUSED} of {context:,} tokens" if isinstance(context, int) else REFUSED


def cut(model: str, prompts: Sequence[Sequence[Mapping[str, Any]]], replies: Sequence[Reply]) -> dict[int, str]:
    """Place of each reply whose prompt was cut → the reason. All of them were answered by ``model``.

    A host that does not count prompt tokens cannot be checked, nor can one whose count is what it had not cached.

    Args:
        model: its id; says by which vocabulary our own tokens are counted.
        prompts: the messages of each request, with their roles.
        replies: one a prompt, in the same order. Those without ``prompt_tokens`` are passed over.

    Returns:
        0-based places in ``replies``; empty where the model's vocabulary cannot be fetched.
    """
    counted = [place for place, reply in enumerate(replies) if reply.prompt_tokens]
    with contextlib.suppress(AssetError):  # a vocabulary that could not be fetched: nothing to hold the count against
        counter = tokens.counter(model)
        ours = counter.examples([(prompts[place], ()) for place in counted])
        last = counter.examples([(prompts[place][-1:], ()) for place in counted])
        pairs = [(replies[place].prompt_tokens or 0, own) for place, own in zip(counted, ours, strict=True)]
        shapes = [tuple(message["role"] for message in prompts[place]) for place in counted]
        scale, ceilings = _scale(pairs), _ceilings(pairs, shapes)
        return {
            place: f"{REASON} to {theirs:,} tokens"
            for place, (theirs, own), end, shape in zip(counted, pairs, last, shapes, strict=True)
            if (shape, theirs) in ceilings or (_too_few(theirs, own, scale) and not _only_uncached(theirs, end))
        }
    return {}


def _too_few(theirs: int, own: int, scale: float) -> bool:
    return own >= MIN_TOKENS and theirs < CUT_BELOW * scale * own


def _ceilings(pairs: Sequence[tuple[int, int]], shapes: Sequence[tuple[str, ...]]) -> set[tuple[tuple[str, ...], int]]:
    """Counts that the host gives for prompts of clearly different lengths: where its context ends.

    Only prompts with the same roles are held against each other: a model's own template may add a system message where
    there is none, which our count does not know of.
    """
    by_count: dict[tuple[tuple[str, ...], int], list[int]] = defaultdict(list)
    for (theirs, own), shape in zip(pairs, shapes, strict=True):
        by_count[shape, theirs].append(own)
    return {
        (shape, count)
        for (shape, count), lengths in by_count.items()
        if len(lengths) >= ALIKE and max(lengths) - min(lengths) >= max(MIN_SPREAD, SPREAD * count)
    }


def _scale(pairs: Sequence[tuple[int, int]]) -> float:
    """How many of its tokens the host counts for one of ours, by prompts too short to be cut; at most 1."""
    short = [theirs / own for theirs, own in pairs if own < MIN_TOKENS]
    return min(1.0, median(short)) if short else 1.0


def _only_uncached(theirs: int, last_message: int) -> bool:
    return abs(theirs - last_message) <= CACHED_WITHIN * last_message
