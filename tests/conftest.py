"""Fixtures that start the local API as a process of its own; see ``running_api`` for how tests talk to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from evaluate_host import Host
from running_api import TINY, Api
from tool_model import KNOWS_TOOLS, make

from helpers import assets
from helpers.providers.host import LOOPBACK


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers and 32 dimensions, seeded, with the real vocabulary."""
    folder = tmp_path_factory.mktemp("tiny")
    code = """
import sys, torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                     num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048,
                     tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=2)
LlamaForCausalLM(config).save_pretrained(sys.argv[2])
tokenizer.save_pretrained(sys.argv[2])
"""
    subprocess.run([sys.executable, "-c", code, str(assets.base_model()), str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def tool_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose chat template has a place for tools."""
    return make(tmp_path_factory.mktemp("knows-tools"))


@pytest.fixture(scope="session")
def local_api(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Api]:
    """One server for the whole test session, with the real base model and the tiny one."""
    api = Api(tmp_path_factory.mktemp("api") / "home", ["--model", f"{TINY}={tiny_model}"]).start()
    yield api
    assert api.stop() == 0


@pytest.fixture
def fragile_api(tmp_path: Path, tiny_model: Path) -> Iterator[Api]:
    """A server of one test's own, to be killed."""
    api = Api(tmp_path / "home", ["--model", f"{TINY}={tiny_model}"]).start()
    yield api
    if api.process.poll() is None:
        api.stop()


@pytest.fixture(scope="module")
def api_with_tools(tmp_path_factory: pytest.TempPathFactory, tool_model: Path, tiny_model: Path) -> Iterator[Api]:
    """A server of a model that knows tools and of one that does not; it may not have broken down by its end."""
    models = ["--model", f"{KNOWS_TOOLS}={tool_model}", "--model", f"{TINY}={tiny_model}"]
    running = Api(tmp_path_factory.mktemp("tools") / "home", models).start()
    yield running
    assert running.stop() == 0 and "Traceback" not in running.log, running.log[-4000:]


@pytest.fixture
def host() -> Iterator[Callable[..., Host]]:
    """Starts hosts of ``evaluate_host`` with the arguments of :class:`Host`, and ends them after the test."""
    hosts = []

    def start(*args, **options) -> Host:
        hosts.append(Host(*args, **options))
        return hosts[-1]

    yield start
    for each in hosts:
        each.close()


@pytest.fixture(autouse=True)
def the_servers_of_tests_are_free(request: pytest.FixtureRequest) -> Iterator[None]:
    """A server that a test starts on this machine is no proxy to a paid host, and no test need say so with a price.

    Tests of that very rule are marked ``priced``: they meet it as a reader does.
    """
    with pytest.MonkeyPatch.context() as patched:  # of its own: a test may undo what it has patched
        if "priced" not in request.keywords:
            patched.setattr("helpers.providers.is_free", lambda client: client.base_url.host in LOOPBACK)
        yield
