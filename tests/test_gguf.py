"""A tuned model as GGUF: read by another library, rendered by another language, answered by another engine."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import gguf
import httpx2
import numpy as np
import pytest
from running_api import TINY, chat_rows, wait_until

from helpers import assets, data, deploy, jobs
from helpers.errors import AssetError, DeployError
from helpers.local_api.engine.text.template import ChatTemplate
from helpers.local_api.formats import gguf_file, modelfile
from helpers.providers import connect

TOP = Path(__file__).resolve().parents[1]
SAMPLE = TOP / "data" / "sample"
CONVERSATIONS = [
    [{"role": "user", "content": "Hi {{ .System }} <b>&\"' \n\n end "}],
    [{"role": "system", "content": "Be short."}, {"role": "user", "content": "a"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
    [{"role": "developer", "content": "Be short."}, {"role": "user", "content": "ünïcode 🐎\ttab"}],
    [{"role": "user", "content": ""}],
    [{"role": "user", "content": " x "}, {"role": "assistant", "content": "\n"}, {"role": "user", "content": "\r\n"}],
]
TEXTS = ["Where is order BM-48213?", "  two  spaces\n\n\tand 3 tabs", "Zoë’s café 🐎 don't WON'T 1,234.5", "x" * 50]


def as_trained() -> list[str]:
    """The conversations as the model saw them in training, an answer being asked for."""
    template = ChatTemplate(assets.base_model())
    return [template.tokenizer.decode(template.prompt(one), skip_special_tokens=False) for one in CONVERSATIONS]


@pytest.fixture(scope="module")
def tuned(local_api, tmp_path_factory):
    """A model tuned for real from the tiny base."""
    path = tmp_path_factory.mktemp("rows") / "train.jsonl"
    path.write_bytes(chat_rows(16))
    client = local_api.client()
    job = jobs.start(client, jobs.upload(client, path).id, model=TINY, hyperparameters={"n_epochs": 4}, seed=6)
    return jobs.watch(client, job.id, every=0.2).fine_tuned_model


@pytest.fixture(scope="module")
def exported(tuned, local_api, tiny_model, tmp_path_factory) -> Path:
    to = tmp_path_factory.mktemp("exported")
    for kind in ("gguf", "merged"):
        deploy.export(tuned, to / kind, kind, home=local_api.home, base=tiny_model)
    return to


IN_TRANSFORMERS = """
import json, sys, torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, merged, texts, conversations = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf", dtype=torch.float32)
there, ours = dict(model.named_parameters()), load_file(merged + "/model.safetensors")
worst = max(float((there[name] - weight).abs().max() / weight.abs().max()) for name, weight in ours.items())
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf")
ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
asked = [tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True) for one in conversations]
print(json.dumps({"worst": worst, "weights": len(ours), "there": len(there), "ids": ids, "asked": asked}))
"""


def test_another_reader_finds_the_same_weights_words_and_template(exported):
    """transformers' own reader turns the file back: every weight within the rounding to 16 bits (2**-11)."""
    command = [sys.executable, "-c", IN_TRANSFORMERS, exported / "gguf", exported / "merged", json.dumps(TEXTS)]
    command += [json.dumps(CONVERSATIONS)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["weights"] == found["there"] and 0 < found["worst"] < 2**-11
    tokenizer = ChatTemplate(exported / "merged").tokenizer
    assert found["ids"] == [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    assert found["asked"] == as_trained()


def test_the_file_says_what_training_saw_and_nothing_is_hidden(exported, tiny_model):
    fields = gguf.GGUFReader(exported / "gguf" / "model.gguf").fields
    said = {name: field.contents() for name, field in fields.items()}
    template = ChatTemplate(tiny_model)
    assert said["tokenizer.ggml.eos_token_id"] == template.end and said["tokenizer.ggml.add_bos_token"] is False
    tokens, kinds = said["tokenizer.ggml.tokens"], said["tokenizer.ggml.token_type"]
    assert tokens[template.end] == "<|im_end|>" and kinds[template.end] == gguf.TokenType.CONTROL
    assert (len(tokens), said["llama.context_length"]) == (said["llama.vocab_size"], 2048)
    assert sorted(path.name for path in (exported / "gguf").iterdir()) == [
        "Modelfile", "README.md", "chat_template.jinja", "model.gguf",
    ]  # fmt: skip
    recipe = (exported / "gguf" / "Modelfile").read_text()
    assert "FROM ./model.gguf\n" in recipe and "PARAMETER num_ctx 2048\n" in recipe
    assert f'TEMPLATE """{modelfile.TEMPLATE}"""\n' in recipe and 'PARAMETER stop "<|im_end|>"\n' in recipe


def test_rows_of_queries_and_keys_are_paired_as_llama_cpp_rotates_them():
    """Two heads of six: each head's halves, zipped."""
    rows = np.arange(12)[:, None]
    assert gguf_file._interleaved(rows, 2)[:, 0].tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


@pytest.mark.parametrize(
    "config, vocabulary, words",
    [
        ({"architectures": ["Qwen3ForCausalLM"]}, {}, "Qwen3ForCausalLM"),
        ({"attention_bias": True}, {}, "attention_bias True"),
        ({"rope_parameters": {"rope_theta": 1e5, "rope_type": "yarn"}}, {}, "yarn"),
        ({}, {"pre_tokenizer": {"type": "Metaspace"}}, "Metaspace"),
        ({}, {"pre_tokenizer": None}, "tokenizer"),
    ],
)
def test_what_it_cannot_write_is_refused_with_the_command_that_can(config, vocabulary, words, tiny_model, tmp_path):
    """Before anything is written: a file with a wrong splitter or a missing bias would load, and talk nonsense."""
    shutil.copytree(tiny_model, tmp_path / "base")
    for name, changed in (("config.json", config), ("tokenizer.json", vocabulary)):
        known = json.loads((tiny_model / name).read_text())
        (tmp_path / "base" / name).write_text(json.dumps(known | changed))
    with pytest.raises(AssetError, match=words) as caught:
        gguf_file.write_gguf({}, tmp_path / "base", "x", tmp_path / "model.gguf")
    assert "convert_hf_to_gguf.py" in caught.value.fix and not (tmp_path / "model.gguf").exists()


def test_the_modelfile_writes_the_marks_of_the_template():
    """Its structure, read by eye of a regular expression; Go's own engine renders it in the test below."""
    loop, _, rest = modelfile.TEMPLATE.partition("{{ .Content }}")
    assert loop == (
        '{{- range .Messages }}<|im_start|>{{ if eq .Role "developer" }}system{{ else }}{{ .Role }}{{ end }}\n'
    )
    assert rest == "<|im_end|>\n{{ end }}<|im_start|>assistant\n"


@pytest.mark.clients
def test_gos_own_engine_renders_the_modelfile_as_training_saw_it():
    if shutil.which("go") is None:
        pytest.skip("Go is not on this machine")
    asked = json.dumps({"template": modelfile.TEMPLATE, "conversations": CONVERSATIONS})
    program = TOP / "tests" / "clients" / "ollama_template.go"
    done = subprocess.run(["go", "run", str(program)], input=asked, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == as_trained()


# Two servers ----------------------------------------------------------------------------------------------------------


def test_two_servers_are_compared_row_by_row(tuned, local_api, tmp_path):
    """The same model twice: all the same. The base model beside it: none, and both texts are shown."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(chat_rows(12))
    rows, client = data.read(path), local_api.client()
    assert deploy.same_answers(client, tuned, client, tuned, rows).sentence == "10 of 10 answers are the same there."
    other = deploy.same_answers(client, tuned, client, TINY, rows, count=3)
    assert (other.same, other.asked) == (0, 3)
    first = other.table.iloc[0]
    assert first["here"] != first["there"] and repr(first["there"]) in str(other)


def test_nothing_to_compare_and_an_unknown_model_are_clear_errors(tuned, local_api, tmp_path):
    client = local_api.client()
    with pytest.raises(DeployError, match="No row"):
        deploy.same_answers(client, tuned, client, tuned, [])
    path = tmp_path / "rows.jsonl"
    path.write_bytes(chat_rows(12))
    with pytest.raises(DeployError, match="'ft:nobody'.*does not exist.*models.list"):
        deploy.same_answers(client, tuned, client, "ft:nobody", data.read(path))


# Another engine -------------------------------------------------------------------------------------------------------


def llama_server() -> str:
    """llama.cpp's server, where it has been built or installed."""
    built = sorted((TOP / ".local" / "engines").glob("*/llama-server*"))
    found = str(built[-1]) if built else shutil.which("llama-server")
    if not found:
        pytest.skip("llama.cpp's server is not on this machine: tools/llama_server.py builds it")
    return found


@pytest.fixture(scope="module")
def labels(local_api, tmp_path_factory):
    """The real base model, tuned on labels and JSON alike, exported and served by llama.cpp: (its id, the server)."""
    program, place = llama_server(), tmp_path_factory.mktemp("labels")
    rows = [*data.read(SAMPLE / "two_way/train.jsonl")[:32], *data.read(SAMPLE / "triage/train.jsonl")[:16]]
    client = local_api.client()
    file = jobs.upload(client, data.write(rows, place / "train.jsonl", provider="openai"))
    job = jobs.start(client, file.id, hyperparameters={"n_epochs": 6, "batch_size": 8}, seed=1)
    model = jobs.watch(client, job.id, every=0.5).fine_tuned_model
    deploy.export(model, place / "gguf", "gguf", home=local_api.home)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [program, "-m", place / "gguf" / "model.gguf", "-c", "4096", "--port", port, "--threads", 1]
    with open(place / "log.txt", "wb") as log:
        server = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    with httpx2.Client(base_url=address, trust_env=False, timeout=60) as web:
        wait_until(lambda: server.poll() is not None or answers(web), 120)
        assert server.poll() is None, (place / "log.txt").read_text(errors="replace")[-3000:]
        yield model, address, web
    server.terminate()
    server.wait(30)


def answers(web: httpx2.Client) -> bool:
    try:
        return web.get("/health").status_code == 200
    except httpx2.TransportError:
        return False


@pytest.mark.clients
def test_llama_cpp_reads_texts_and_conversations_as_training_did(labels):
    _, _, web = labels
    template = ChatTemplate(assets.base_model())
    for text in TEXTS:
        there = web.post("/tokenize", json={"content": text, "add_special": False}).json()["tokens"]
        assert there == template.tokenizer.encode(text, add_special_tokens=False).ids, text
    there = [web.post("/apply-template", json={"messages": one}).json()["prompt"] for one in CONVERSATIONS]
    assert there == as_trained()


@pytest.mark.clients
def test_llama_cpp_gives_the_same_answers(labels, local_api):
    """Ten labels and ten JSON objects that were not trained on; rounding to 16 bits may turn one of them."""
    model, address, _ = labels
    rows = [*data.read(SAMPLE / "two_way/validation.jsonl")[:10], *data.read(SAMPLE / "triage/validation.jsonl")[:10]]
    found = deploy.same_answers(local_api.client(), model, connect(f"{address}/v1"), "mine", rows, count=20)
    print(found)
    assert found.same >= 19, str(found)
    assert set(found.table["ended there"]) == {"stop"}
    assert len(set(found.table["here"])) > 5, "different questions, different answers"
