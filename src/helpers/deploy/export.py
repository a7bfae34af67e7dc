"""Take a tuned model elsewhere: its adapter, one merged model, or a GGUF file; from a host, what it gives out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from helpers import jobs
from helpers.errors import DeployError
from helpers.providers import LOCAL, host_of, local

if TYPE_CHECKING:
    import openai


def export(
    model: str, to: str | Path, kind: Literal["merged", "adapter", "gguf"] = "merged", *, home: Path | None = None,
    base: str | Path | None = None,
) -> Path:  # fmt: skip
    """Write a model that was tuned on this machine into a folder that other programs read.

    Args:
        model: its id, ``ft:…`` (a checkpoint's works too).
        to: a folder that does not exist yet or is empty.
        kind: ``"merged"`` is one model in Hugging Face's layout (540 MB for the sample's base), ``"adapter"`` the LoRA
            matrices alone in PEFT's (about 20 MB), ``"gguf"`` one file in 16 bits for llama.cpp, Ollama and LM Studio
            (270 MB) with an Ollama ``Modelfile``. Each carries the chat template of training, and a README that says
            how to run it, and which of these ways we ran.
        home: the local API's folder, if it is not the usual one.
        base: the base model's folder, if it is not the kit's own.

    Raises:
        DeployError: there is no such model, the folder cannot be written, or (``"gguf"``) the model is of a kind that
            llama.cpp's own converter must write; the message has its command.
    """
    command = [sys.executable, "-m", "helpers.local_api.export", model, "--to", str(to), "--kind", kind]
    command += ["--home", str(home or local.usual_home())]
    command += ["--base", str(base)] if base else []
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise DeployError(
            f"{model} was not exported.", got=said[-1].rstrip(".") if said else f"status {done.returncode}"
        )
    return Path(to)


def take_home(client: openai.OpenAI, job_id: str, folder: str | Path) -> list[Path]:
    """Everything of a finished job that can be taken along, in ``folder``; what is there already is kept.

    From this machine's API: the adapter and the merged model. From another host: the job's result files, which are the
    weights at Nebius, and at OpenAI and Azure a table of losses: there the weights stay where they are.

    Args:
        client: of the host where the job ran.
        job_id: a job that has succeeded.
        folder: where to; made when it is missing. From this machine's API it gets the folders ``adapter`` and
            ``merged``, from another host one file a result, its id before its name.

    Returns:
        every file that is now there (from another host: the job's own), by path.

    Raises:
        JobError: the job has not succeeded.
        HostError: the host does not answer.
        DeployError: the model cannot be exported.
    """
    made = jobs.result(client, job_id)
    if host_of(client).name != LOCAL.name:
        return jobs.download(client, job_id, folder)
    for kind in ("adapter", "merged"):
        if not (Path(folder) / kind).exists():
            export(made.model, Path(folder) / kind, kind)
    return sorted(path for path in Path(folder).rglob("*") if path.is_file())
