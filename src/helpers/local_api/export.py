"""Take a tuned model out of the local API: ``python -m helpers.local_api.export MODEL --to FOLDER``.

``--kind adapter`` copies the LoRA adapter in PEFT's layout; ``--kind merged`` adds it into the base model's weights, so
that any program that reads a Hugging Face folder runs it; ``--kind gguf`` writes these as one file for llama.cpp,
Ollama and LM Studio. Each folder carries the chat template with which the model was trained, nothing hidden in it. The
API may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from helpers import assets, open_models
from helpers.errors import AssetError, KitError
from helpers.local_api.engine.adapters import read_adapter
from helpers.local_api.engine.text.template import exported
from helpers.local_api.formats.gguf_file import write_gguf
from helpers.local_api.formats.modelfile import modelfile
from helpers.project import kit_home

DEFAULT_BASE = "smollm2-135m-instruct"
TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
)

README = {
    "merged": """# {model}

The tuned model as one: base weights ({base}) with the LoRA adapter added in, fp32 safetensors.

With transformers (run by us):

    from transformers import AutoModelForCausalLM, AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained("{folder}")
    model = AutoModelForCausalLM.from_pretrained("{folder}")

With llama.cpp, Ollama and LM Studio: export it once more with kind="gguf"; that folder's README says how.

With vLLM (not run by us; needs a GPU): `vllm serve {folder} --served-model-name mine`, then
`connect("vllm")` and `model="mine"`.

With MLX (not run by us; needs a Mac with Apple silicon): `mlx_lm.convert --hf-path {folder} --mlx-path mine-mlx`, then
`mlx_lm.server --model mine-mlx`.
""",
    "adapter": """# {model}

The LoRA adapter alone, in PEFT's layout, for the base model {base}.

With PEFT (run by us): `PeftModel.from_pretrained(base_model, "{folder}")`, and this folder's chat template.

With vLLM (not run by us; needs a GPU):
`vllm serve BASE_FOLDER --enable-lora --lora-modules mine={folder} --chat-template {folder}/chat_template.jinja`,
then `model="mine"`.
""",
    "gguf": """# {model}

The tuned model as one file, model.gguf: base weights ({base}) with the LoRA adapter added in, in 16 bits, with its
vocabulary and the chat template of training.

With llama.cpp (run by us): `llama-server -m {folder}/model.gguf -c 2048 --port 8080`, then
`connect("http://127.0.0.1:8080/v1")`.

With Ollama (not run by us; the Modelfile's template was rendered by Go's own engine and compared):
`ollama create mine -f {folder}/Modelfile`, then `ollama run mine`, or `connect("ollama")` and `model="mine"`.

With LM Studio (not run by us): `lms import {folder}/model.gguf`, load it, start its server, then
`connect("http://127.0.0.1:1234/v1")`. Leave the prompt template as the file has it, and add no system prompt.

With vLLM and MLX: export it with kind="merged"; that folder's README says how.

Are the answers the same there? `deploy.same_answers(client, MODEL, there, "mine", rows)` asks both. Two things differ
from the kit's own API in all of these: a message that spells a control token, such as <|im_end|>, is read as that token
there and as plain letters here; and the weights are rounded to 16 bits.
""",
}


def export(model: str, to: Path, kind: str, home: Path, base_folder: Path | None = None) -> None:
    """Write a tuned model into a folder of its own: aside first, then renamed into place.

    Args:
        model: its id at the API, a checkpoint's too.
        to: the folder; it may exist, empty.
        kind: ``"adapter"``, ``"merged"`` or ``"gguf"``.
        home: the API's folder.
        base_folder: the base model's; None: where the kit keeps it.

    Raises:
        AssetError: the model, its base or its files are not there, or ``to`` holds something already.
    """
    base, adapter = _find(model, home)
    base_folder = base_folder or _folder_of(base, model)
    if to.exists() and any(to.iterdir()):
        raise AssetError(f"The folder {to} is not empty.", fix="Choose another one; nothing was overwritten.")
    to.parent.mkdir(parents=True, exist_ok=True)
    aside = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        aside.mkdir()
        if kind == "gguf":
            write_gguf(_merged(base_folder, adapter), base_folder, model, aside / "model.gguf")
            (aside / "Modelfile").write_text(modelfile(model, base_folder), encoding="utf-8")
        else:
            (_merge if kind == "merged" else _copy)(base_folder, adapter, aside)
            _copy_known(TOKENIZER, base_folder, aside)
        (aside / "chat_template.jinja").write_text(exported(base_folder), encoding="utf-8")
        (aside / "README.md").write_text(README[kind].format(model=model, base=base, folder=to), encoding="utf-8")
        if to.exists():
            to.rmdir()
        os.replace(aside, to)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _find(model: str, home: Path) -> tuple[str, Path]:
    """(base model's id, adapter's folder) of a tuned model, read beside a server that may be running."""
    file = home / "api.sqlite3"
    if not file.is_file():
        raise AssetError(f"There is no local API in {home}.", fix="Start it once, or name its folder with --home.")
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=10)) as db:
        found = db.execute("SELECT base, folder FROM models WHERE id = ?", (model,)).fetchone()
        known = [row[0] for row in db.execute("SELECT id FROM models ORDER BY seq DESC LIMIT 5")]
    if found is None:
        raise AssetError(
            f"The local API has no tuned model {model!r}.",
            got=", ".join(known) or "none at all",
            fix="Name one of them.",
        )
    return found[0], home / found[1]


def _folder_of(base: str, model: str) -> Path:
    if base == DEFAULT_BASE:
        return assets.base_model()
    known = {one.name for one in open_models.shelf()}
    if base in known and (folder := open_models.folder(base)):
        return folder
    fix = (
        f"Fetch it again: python -m helpers.open_models {base}" if base in known else "Name its folder: --base FOLDER."
    )
    raise AssetError(f"{model} was tuned from {base}, which is not here.", fix=fix)


def _parts(base: Path, adapter: Path) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """The name of each file of weights with what is in it, as fp32, the adapter added in; one file at a time.

    Raises:
        AssetError: the adapter has a pair for a weight that the base has not.
    """
    files = read_adapter(adapter)
    left = set(files.pairs)
    for part in sorted(base.glob("*.safetensors")):
        weights = {name: tensor.float() for name, tensor in load_file(part).items()}
        for name in left & {name.removesuffix(".weight") for name in weights}:
            a, b = (torch.from_numpy(matrix) for matrix in files.pairs[name])
            weights[f"{name}.weight"] += files.scale * (b @ a)
            left.discard(name)
        yield part.name, weights
    if left:
        raise AssetError("The adapter does not fit its base model.", got=f"no weight {min(left)}", fix="Name its base.")


def _merged(base: Path, adapter: Path) -> dict[str, np.ndarray]:
    """All weights by name, the adapter added in."""
    return {name: weight.numpy() for _, weights in _parts(base, adapter) for name, weight in weights.items()}


def _merge(base: Path, adapter: Path, to: Path) -> None:
    for name, weights in _parts(base, adapter):
        save_file(weights, to / name, metadata={"format": "pt"})
    _copy_known(("config.json", "generation_config.json", "model.safetensors.index.json"), base, to)
    config = json.loads((to / "config.json").read_text(encoding="utf-8"))
    config.pop("torch_dtype", None)  # its older name; others load weights as the type that stands here
    (to / "config.json").write_text(json.dumps(config | {"dtype": "float32"}, indent=2) + "\n", encoding="utf-8")


def _copy_known(names: Sequence[str], base: Path, to: Path) -> None:
    """Those of the files that the base has."""
    for name in names:
        if (base / name).is_file():
            shutil.copy(base / name, to)


def _copy(base: Path, adapter: Path, to: Path) -> None:
    read_adapter(adapter)  # whole and plain, or an error
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(adapter / name, to)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.local_api.export", description=__doc__.split("\n")[0])
    parser.add_argument("model", help="id of a tuned model, such as ft:…")
    parser.add_argument("--to", type=Path, required=True, help="folder to write; must not hold anything yet")
    parser.add_argument("--kind", choices=("merged", "adapter", "gguf"), default="merged")
    parser.add_argument("--home", type=Path, default=kit_home() / "local_api", help="the local API's folder")
    parser.add_argument("--base", type=Path, help="the base model's folder, if it is not the kit's or the shelf's")
    options = parser.parse_args(arguments)
    try:
        export(options.model, options.to.resolve(), options.kind, options.home, options.base)
    except (KitError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(options.to)
    return 0


if __name__ == "__main__":
    sys.exit(main())
