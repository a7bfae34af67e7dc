"""What a job's training really read, held against what serving makes of the same rows today.

The trainer writes ``seen.json`` beside its progress: counts over all rows, and the token ids of the first few with the
places that were graded. A template that changed between training and serving, an end mark that was never learned, a
loss on the prompt: each shows here as a count, whatever the code that made it says of itself.

No torch: it runs in the server's own process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open

from helpers.errors import AssetError
from helpers.local_api.engine.adapters import AdapterFiles, read_adapter
from helpers.local_api.engine.text.template import ChatTemplate
from helpers.project import write_atomically
from helpers.today import today

if TYPE_CHECKING:
    from helpers.local_api.store.api_store import ApiStore
    from helpers.local_api.store.records import Job
    from helpers.local_api.training.batches import Row

FILE = "seen.json"
FIRST = 10
"""Rows whose token ids are kept."""


def record(folder: Path, rows: Sequence[Row], stops: Set[int]) -> None:
    """Keep what training reads; called by the trainer.

    Args:
        folder: the job's.
        rows: all training rows, as they are trained.
        stops: ids of the tokens that end an answer.
    """
    seen = {
        "day": day_of(folder).isoformat(),
        "rows": len(rows),
        "tokens": sum(row.tokens for row in rows),
        "graded_tokens": sum(len(row.at) for row in rows),
        # where every token is graded the line's end behind the mark is the last one
        "rows_graded_on_their_end": sum(not stops.isdisjoint(row.targets[-2:]) for row in rows),
        "first": [{"ids": [*row.ids, row.targets[-1]], "graded": [i + 1 for i in row.at]} for row in rows[:FIRST]],
    }
    write_atomically(folder / FILE, json.dumps(seen))


def day_of(folder: Path) -> date:
    """The day that a template writes into a job's rows: that of its first start, so that a resumed job reads the same.

    Args:
        folder: the job's.
    """
    try:
        return date.fromisoformat(json.loads((folder / FILE).read_text(encoding="utf-8"))["day"])
    except (FileNotFoundError, KeyError):  # its first start; or an older kit's job
        return today()


def checkup(store: ApiStore, base_folder: Callable[[str], Path], job: Job) -> dict[str, Any]:
    """The job's adapter and training rows, looked at.

    Args:
        store: has the job's files and its tuned model.
        base_folder: gives a base model's folder by its id; raises KeyError where it is not served.
        job: one that has succeeded.

    Returns:
        ``adapter_share``: Frobenius norm of what the adapter adds, as a share of the norm of the weights that it is
        added to; None where the base's weights are of a type that numpy lacks. ``seen``: None for a job that an older
        kit trained; else the day and counts of :func:`record`, and over its first rows ``compared``, how many there
        are; ``prompts_alike``, how many begin with the very tokens that serving makes of their prompt;
        ``graded_in_prompts``, the graded tokens within these; and the first row as ``trained_text`` beside
        ``served_text``.

    Raises:
        AssetError: the adapter or the base model cannot be read, or the base is not served.
        FileNotFoundError: the training file has been deleted.
    """
    try:
        base = base_folder(job.model)
    except KeyError:  # tuned in an earlier run that was started with --model
        raise AssetError(
            f"Its base model {job.model!r} is not served.", fix="Start the API with --model NAME=FOLDER."
        ) from None
    adapter = store.home / store.get("models", job.fine_tuned_model).folder
    try:
        seen = json.loads((store.folder_of(job.id) / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        seen = None
    if seen is not None:
        template = ChatTemplate(base, day_of(store.folder_of(job.id)))  # the date alone is no other template
        seen |= _compared(seen.pop("first"), store.path_of(job.training_file), template)
    return {
        "object": "fine_tuning.job.checkup",
        "adapter_share": _adapter_share(read_adapter(adapter), base),
        "seen": seen,
    }


def _compared(first: Sequence[Mapping[str, Any]], file: Path, template: ChatTemplate) -> dict[str, Any]:
    """The rows that were kept, beside their prompts as serving writes them."""
    with open(file, encoding="utf-8") as lines:
        examples = [json.loads(line) for line in islice((line for line in lines if line.strip()), len(first))]
    alike = graded = 0
    for row, example in zip(first, examples, strict=True):
        messages, tools = example["messages"], example.get("tools") or ()
        prompt = template.prompt(messages[:-1], tools)
        same = row["ids"][: len(prompt)] == prompt
        earlier_answers = sum(weight > 0 for weight in template.example(messages, tools)[1][: len(prompt)])
        alike += same
        graded += same * max(0, sum(place < len(prompt) for place in row["graded"]) - earlier_answers)
    served = template.prompt(examples[0]["messages"][:-1], examples[0].get("tools") or ())
    return {
        "compared": len(first),
        "prompts_alike": alike,
        "graded_in_prompts": graded,
        "trained_text": template.tokenizer.decode(first[0]["ids"], skip_special_tokens=False),
        "served_text": template.tokenizer.decode(served, skip_special_tokens=False),
    }


def _adapter_share(adapter: AdapterFiles, base: Path) -> float | None:
    """‖scale · B A‖ / ‖W‖ over all adapted weights; None where W is of a type that numpy lacks (bf16)."""
    added = weights = 0.0
    for file in sorted(base.glob("*.safetensors")):
        with safe_open(file, framework="numpy") as tensors:
            for name in set(tensors.keys()) & {f"{module}.weight" for module in adapter.pairs}:
                if tensors.get_slice(name).get_dtype() not in ("F32", "F16"):
                    return None
                a, b = adapter.pairs[name.removesuffix(".weight")]
                added += float(np.sum((b.T @ b) * (a @ a.T)))  # ‖BA‖², without the product's full size
                weights += float(np.square(tensors.get_tensor(name), dtype=np.float64).sum())
    return adapter.scale * (added / weights) ** 0.5 if weights else None
