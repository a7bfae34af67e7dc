"""llama.cpp's own server, run for real with the kit's base model: `make test-all`, or `pytest -m engines`.

It is built into ``.local/engines`` when this runs first, which takes some 15 minutes (``tools/llama_server.py``).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import llama_server
import pytest
from lessons import NOTEBOOKS, execute
from worlds.running import COLUMNS, REVIEWS, SHARES, own_home

from helpers import assets, doctor, evaluate, providers
from helpers.decide import CHOICES
from helpers.evaluate import metrics
from helpers.evaluate.inference import clipping
from helpers.project import Project
from helpers.records import Candidate, Example

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
PORT = 8080
START_SECONDS = 120

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(not (shutil.which("c++") or llama_server.PROGRAM.exists()), reason="no C++ compiler"),
]


@pytest.fixture(autouse=True)
def looked_for(monkeypatch):
    monkeypatch.setenv("KIT_LOCAL_SERVERS", "llama.cpp")


@contextlib.contextmanager
def running(*options: str, log: Path) -> Iterator[None]:
    """The server at its usual port with the kit's base model; ended, by its own process, when the block ends."""
    with socket.socket() as free:
        if free.connect_ex(("127.0.0.1", PORT)) == 0:
            pytest.skip(f"port {PORT} is in use on this machine")
    command = [llama_server.program(), "-m", assets.folder() / MODEL, "--port", str(PORT), *options]
    with log.open("wb") as written:
        process = subprocess.Popen(list(map(str, command)), stdout=written, stderr=written)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _ready():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-3000:]
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _ready() -> bool:
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=5).status == 200
    return False


def test_it_is_found_and_described(tmp_path):
    with running("-c", "4096", "-np", "4", log=tmp_path / "log"):
        [server] = providers.local_servers()
        [model] = server.models
        said = [line for _, line in doctor._local_servers()]
    assert (server.kind, server.host, server.base_url) == ("llama.cpp", "llama.cpp", f"http://127.0.0.1:{PORT}/v1")
    assert (model.name, round(model.parameters, 3), model.role) == (MODEL, 0.135, "teaching")
    assert model.context == 1024, "divided among four slots"
    assert "1,024 tokens" in server.traps[0] and "4 requests" in server.traps[0]
    assert f'  to measure it: HOST, MODEL, DECLARED = "llama.cpp", "{MODEL}", ""' in said


def test_its_seed_and_its_schema_are_kept(tmp_path):
    with running("-c", "2048", "-np", "1", log=tmp_path / "log"):
        said = providers.try_out(providers.connect("llama.cpp"), MODEL)
    assert said[0].startswith("It keeps a seed") and said[1] == "It enforces a schema."


def test_prompts_longer_than_its_context_are_counted_and_named_and_never_scored(tmp_path):
    questions = ["Where is my parcel?", "The kettle leaks, what now?", "Please cancel order 48213."]
    rows = [Example(({"role": "user", "content": q}, {"role": "assistant", "content": "yes"})) for q in questions]
    short = Candidate("short", MODEL, system="Answer yes.", max_tokens=8)
    long = Candidate(
        "long", MODEL, system="One of the desk's rules is this one, and there are many. " * 120, max_tokens=8
    )
    ask = {"store": tmp_path / "s.sqlite", "progress": False}
    with running("-c", "1024", "-np", "1", log=tmp_path / "log"):
        results = evaluate.run(providers.connect("llama.cpp"), [short, long], rows, [metrics.exact_match], **ask)
    assert results.table()["missing"].to_dict() == {"short": 0, "long": 3}
    assert all(results.answers("short")) and results.answers("long") == [None] * 3
    [reason] = {reason for (name, reason) in results.missing().index if name == "long"}
    assert reason == f"{clipping.REFUSED} of 1,024 tokens"
    assert any(note.startswith("long: 3 prompts did not fit") and "-c 16384" in note for note in results.notes)
    assert {one.name for one in results.measurements()} == {"short"}, "nothing to rest a verdict on"
    with running("-c", "4096", "-np", "1", log=tmp_path / "log"):
        again = evaluate.run(providers.connect("llama.cpp"), [short, long], rows, [metrics.exact_match], **ask)
    assert again.table()["missing"].sum() == 0, "with room, only these were asked again"


def test_a_whole_project_from_the_parameters_cell_to_the_record(tmp_path):
    own = {
        "PROJECT": "engine", "DATA": os.path.relpath(REVIEWS, NOTEBOOKS), "COLUMNS": COLUMNS, "SHARES": SHARES,
        "HOST": "llama.cpp", "MODEL": MODEL, "DECLARED": "target", "TRAIN_AT": "llama.cpp", "ROWS": 20,
    }  # fmt: skip
    with own_home(), running("-c", "8192", "-np", "4", "-kvu", log=tmp_path / "log"):
        notebook = execute(NOTEBOOKS / "your_project.ipynb", lambda _: None, own)
        folder = Project("engine").folder
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        assert (folder / "record.html").stat().st_size > 10_000
    assert record["verdict"]["choice"] in CHOICES and record["verdict"]["next_steps"]
    prompted = [one for one in record["evidence"]["measurements"] if one["role"] != "no language model"]
    assert len(prompted) >= 6
    assert {(one["host"], one["model"], one["role"]) for one in prompted} == {("llama.cpp", MODEL, "teaching")}
    said = "".join(str(output) for cell in notebook.cells for output in cell.get("outputs", []))
    assert "answers are missing" not in said and "did not fit" not in said
