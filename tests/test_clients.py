"""Clients as people use them, each in an environment of its own: `make test-all`, or `pytest -m clients`.

They are not in the lock: each is installed into ``.local/clients`` when this runs first. What a client does stands in
``tests/clients``; here is what must come of it. What a client cannot have is listed in :data:`REFUSED`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running_api import TINY, Api, chat_rows
from tool_model import KNOWS_TOOLS

SCRIPTS = Path(__file__).parent / "clients"
FOLDER = Path(__file__).parents[1] / ".local" / "clients"
MODEL = "smollm2-135m-instruct"

CLIENTS = {
    "openai_python.py": "openai==3.57.0",
    "litellm_.py": "litellm==1.110.2",
    "langchain_openai_.py": "langchain-openai==1.7.4",
    "pydantic_ai_.py": "pydantic-ai-slim[openai]==2.68.0",
    "instructor_.py": "instructor==1.17.0",
    "llm_.py": "llm==0.36",
    "openai_node.cjs": "openai@6.49.0",
}
"""Script, and what it needs; raise a version when the run has passed with it."""

REFUSED = "has no place for tools"
"""What each client is told that offers tools to a model whose chat template cannot express them, as SmolLM2's."""
NO_JOBS = {"langchain_openai_.py", "pydantic_ai_.py", "instructor_.py", "llm_.py"}
"""Clients that know no fine-tuning jobs."""

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def api(api_with_tools: Api) -> Api:
    return api_with_tools


def installed(script: str) -> tuple[str, Path]:
    """The program that runs a script, and the folder where its client lies: installed, if it is not there yet."""
    needs, node = CLIENTS[script], script.endswith(".cjs")
    if node and not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not on this machine")
    folder = FOLDER / needs.replace("[", "-").replace("]", "")
    python = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if node:
            command = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(folder), needs]
        else:
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            command = [python, "-m", "pip", "install", "--quiet", needs]
            if uv := shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"):
                command = [uv, "pip", "install", "--quiet", "--python", python, needs]
        subprocess.run(command, check=True)
        (folder / "complete").touch()
    return "node" if node else python, folder


@pytest.mark.parametrize("script", CLIENTS)
def test_a_client_has_what_it_asks_for(script: str, api: Api, tmp_path: Path):
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(chat_rows(12))
    place = {"BASE_URL": api.ready["base_url"], "KEY": api.key, "ROWS": str(rows)}
    place |= {"MODEL": MODEL, "TOOL_MODEL": KNOWS_TOOLS, "TRAINED": TINY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PYTHONPATH")
    clean = {name: value for name, value in os.environ.items() if name.upper() not in proxies}
    program, folder = installed(script)
    command, environment = [program, str(SCRIPTS / script)], {**clean, **place, "MODULES": str(folder)}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr[-4000:]
    saw = json.loads(ran.stdout.strip().splitlines()[-1])
    assert len(saw["turns"]) == 3 and all(isinstance(text, str) and text for text in saw["turns"])
    assert saw["schema"]["category"] in ("delivery", "refund") and isinstance(saw["schema"]["urgent"], bool)
    if script == "llm_.py":  # it offers tools and never demands a call
        assert isinstance(saw["tools"], str)
    else:
        assert saw["tools"]["category"] in ("delivery", "refund")
    assert REFUSED in saw["refusal"]
    assert len(saw["streamed"]) >= 2
    assert saw["job"] == ("the client has none" if script in NO_JOBS else "succeeded")
