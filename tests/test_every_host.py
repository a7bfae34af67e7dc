"""Every host that the kit ships, one of a reader's own file and a bare address: through ``your_project`` to the record.

Hosts on other machines are played by ``far_away``: their own names, addresses, certificates and keys, and a server on
this machine behind them. Three of them run always, all of them with ``--all-worlds``.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from far_away import FarAway
from lessons import NOTEBOOKS, execute
from worlds.running import COLUMNS, PROJECT, REVIEWS, SHARES, own_home
from worlds.server import PlantedHost

from helpers import data, evaluate
from helpers.decide import CHOICES
from helpers.project import Project
from helpers.providers import host, hosts
from helpers.records import Role

AZURE = "shop.openai.azure.com"
"""The address of a reader's own resource there."""
RISING = {"bare": 0.3, "instructions": 0.6, "examples": 0.75, "schema": 0.85, "nearest": 0.9}
OWN = {"company": "gateway.example.com", "https://llm.example.org/v1": "llm.example.org"}
ASKED: dict[str, tuple[str, Role]] = {
    "local": ("smollm2-135m-instruct", "teaching"),
    "openai": ("gpt-6-luna", "target"),
    "azure": ("my-deployment", "target"),
    "nebius": ("meta-llama/Llama-3.1-8B-Instruct", "target"),
    "together": ("Qwen3.5-9B", "target"),
    "fireworks": ("accounts/fireworks/models/gpt-oss-20b", "target"),
    "anthropic": ("claude-haiku-5-5", "target"),
    "google": ("gemini-3.5-flash-lite", "target"),
    "wandb": ("google/gemma-4-26b", "target"),
    "ollama": ("qwen3:latest", "target"),
    "llama.cpp": ("Qwen3-0.6B-Q8_0.gguf", "teaching"),
    "lmstudio": ("qwen/qwen3-8b", "target"),
    "docker": ("ai/smollm2:360M-Q4_K_M", "teaching"),
    "vllm": ("Qwen/Qwen3-0.6B", "teaching"),
    "groq": ("openai/gpt-oss-120b", "target"),
    "cerebras": ("gpt-oss-120b", "target"),
    "openrouter": ("meta-llama/llama-3.3-70b-instruct:free", "target"),
    "gemini": ("gemini-3.5-flash-lite", "target"),
    "company": ("house-model", "target"),
    "https://llm.example.org/v1": ("house-model", "target"),
}
"""Host → the model that is asked there, and the role that is found out (or, for names nobody knows, declared)."""
ALWAYS = ("openai", "ollama", "https://llm.example.org/v1")


class AnyPath(PlantedHost):
    """The planted server under each host's own path, and with Ollama's page about a model."""

    def route(self, method: str, url: Any, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if url.path == "/api/show":
            return 200, {"model_info": {"general.parameter_count": 8_190_735_360}}
        path = url.path.removeprefix("/openai").removeprefix("/inference").replace("/v1beta/openai", "/v1")
        path = path.removeprefix("/engines").replace("/api/v1", "/v1")
        return super().route(method, url._replace(path=path), headers, body)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        everything = metafunc.config.getoption("--all-worlds")
        metafunc.parametrize("name", [one for one in ASKED if everything or one in ALWAYS])


def test_every_shipped_host_is_walked():
    assert set(ASKED) == {*hosts(), *OWN}


@contextlib.contextmanager
def at(name: str, model: str) -> Iterator[FarAway | None]:
    """A home in which this host answers."""
    rows = data.read(REVIEWS, columns=COLUMNS)
    parts = data.split(rows, sizes=SHARES, seed=1, label=evaluate.label_of(rows))
    splits = {"validation": parts.validation, "test": parts.test}
    with own_home() as home, contextlib.ExitStack() as stack:
        if name == "local":
            yield None
            return
        server = AnyPath({model: RISING, "ft:smollm2-135m-instruct:x": {"tuned": 0.9}}, [parts.train], splits)
        stack.callback(server.close)
        (home / "hosts.toml").write_text(
            f'[company]\nbase_url = "https://{OWN["company"]}/v1"\nkey_variable = "COMPANY_API_KEY"\nlike = "openai"\n'
        )
        known = hosts().get(name)
        if known and not known.leaves_machine:
            server.close()
            server.listen(int(known.base_url.split(":")[2].split("/")[0]))
        names = [one for one in (_hostname(h.base_url) for h in hosts().values()) if one] + [AZURE, *OWN.values()]
        far = FarAway(server.port, home, names)
        stack.callback(far.close)
        keys = {h.key_variable: "test-key" for h in hosts().values() if h.key_variable and h.name != "local"}
        own = far.environment | keys | {"AZURE_OPENAI_ENDPOINT": f"https://{AZURE}"}
        stack.enter_context(mock.patch.dict(os.environ, own))
        os.environ.pop("KIT_STAY_LOCAL")
        yield far


def _hostname(url: str) -> str:
    return url.split("://")[-1].split("/")[0].split(":")[0]


def test_from_the_parameters_cell_to_the_record(name):
    model, role = ASKED[name]
    declared = "target" if model in ("my-deployment", "house-model") else ""
    own = {
        "PROJECT": PROJECT, "DATA": os.path.relpath(REVIEWS, NOTEBOOKS), "COLUMNS": COLUMNS, "SHARES": SHARES,
        "HOST": name, "TRAIN_AT": name, "MODEL": model, "DECLARED": declared, "ROWS": 20, "SPEND_LIMIT_USD": 5,
        "PRICE": {"input": 0.1, "output": 0.5}, "MAY_UPLOAD_TO": "local",
        "MAY_TRAIN_ON_PROMPTS": name,
    }  # fmt: skip
    with at(name, model) as far:
        notebook = execute(NOTEBOOKS / "your_project.ipynb", lambda _: None, own)
        record = json.loads((Project(PROJECT).folder / "record.json").read_text(encoding="utf-8"))
        page = (Project(PROJECT).folder / "record.html").read_text(encoding="utf-8")
        known = host.hosts().get(name)
    assert record["verdict"]["choice"] in CHOICES and record["verdict"]["next_steps"]
    prompted = [m for m in record["evidence"]["measurements"] if m["role"] in ("teaching", "target")]
    assert {(m["model"], m["role"]) for m in prompted} == {(model, role)}
    assert {m["host"] for m in prompted} == {OWN[name] if "://" in name else name}
    assert ("declared by you" in page) == bool(declared)
    said = "".join(str(output) for cell in notebook.cells for output in cell.get("outputs", []))
    own_rules = known is not None and known.trains and known.name != "company"
    assert (f"{name} takes this file" in said) == own_rules
    assert ("checked by general rules" in said) != own_rules
    if far is not None and (known is None or known.leaves_machine):
        assert set(far.asked) == {OWN.get(name) or _hostname(known.base_url) or AZURE}, "nobody else was spoken to"
