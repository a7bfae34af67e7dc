"""Run your tuned model in another engine, and see whether it still says the same: llama.cpp, by way of GGUF.

    python examples/another_engine/run.py ft:smollm2-135m-instruct:local:triage:…

It exports the model (adapter merged in), converts it with llama.cpp's own converter, starts llama.cpp through
node-llama-cpp's ready-made program for processors, asks both engines the same questions, and counts the answers that
are the same, word for word. The tools are fetched once into ``.local/another-engine`` (about 120 MB): the converter
from the source package of llama-cpp-python, which is not built, and node-llama-cpp from npm. Needs Node.js 20 or later.
The exit status is 1 when fewer than 95 % of the unrounded model's answers (f32) are the same.

Run by us on Linux, x86-64; the counts stand in benchmarks/LOG.md. The GGUF files run in Ollama and LM Studio too, which
was not run by us.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from helpers import data, deploy
from helpers.errors import KitError
from helpers.project import kit_home
from helpers.providers import connect

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
CONVERTER = "llama-cpp-python==0.3.36"
CONVERTER_NEEDS = "sentencepiece==0.2.2"
"""Its modules import it at the top; this model's vocabulary does not use it."""
ENGINE = "3.22.1"
PROGRAMS = {"linux": "linux-x64", "darwin": "mac-arm64-metal", "win32": "win-x64"}
WANTED = ("convert_hf_to_gguf.py", "conversion/", "gguf-py/")
LONGEST_ANSWER = 48
ENOUGH_ALIKE = 0.95


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="id of a model that was tuned on this machine, such as ft:…")
    parser.add_argument("--questions", type=Path, default=TOP / "data" / "sample" / "triage" / "validation.jsonl")
    parser.add_argument("--rows", type=int, default=24, help="how many questions to ask (default: %(default)s)")
    parser.add_argument("--types", nargs="+", default=["f32", "f16", "q8_0"], help="how the weights are stored")
    parser.add_argument("--to", type=Path, help="folder for the model's files (default: below .local)")
    options = parser.parse_args()
    try:
        return compare(options)
    except (KitError, OSError) as error:
        print(f"another_engine: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"another_engine: {' '.join(map(str, error.cmd[:4]))} … failed: {error.stderr[-2000:]}", file=sys.stderr)
        return 2


def compare(options: argparse.Namespace) -> int:
    tools = fetched(kit_home() / "another-engine")
    folder = options.to or kit_home() / "another-engine" / options.model.replace(":", "_")
    merged = folder / "merged"
    if not merged.exists():
        deploy.export(options.model, merged, "merged")
    questions = [row.question for row in data.read(options.questions)[: options.rows]]
    client = connect("local")
    here = [answer(client, options.model, question) for question in questions]
    worst = 1.0
    for kind in options.types:
        file = converted(tools, merged, folder / f"model-{kind}.gguf", kind)
        there = elsewhere(tools, file, questions)
        alike = sum(one == other for one, other in zip(here, there["answers"], strict=True))
        worst = min(worst, alike / len(here)) if kind == "f32" else worst
        speed, memory, disk = there["tokens_per_second"], there["megabytes"], file.stat().st_size / 1e6
        print(f"{kind}: {alike} of {len(here)} answers the same; {speed:.0f} tokens/s, {memory:.0f} MB of memory, "
              f"{disk:.0f} MB on disk", flush=True)  # fmt: skip
        for question, one, other in zip(questions, here, there["answers"], strict=True):
            if one != other:
                print(f"  {question[:60]!r}\n    here:  {one}\n    there: {other}")
    return int(worst < ENOUGH_ALIKE)


def fetched(tools: Path) -> Path:
    """The converter and the engine, fetched if they are not there."""
    tools.mkdir(parents=True, exist_ok=True)
    if shutil.which("npm") is None:
        raise KitError("Node.js is not installed.", fix="Install Node.js 20 or later, then run this again.")
    if not (tools / "llama.cpp" / WANTED[0]).is_file():
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        run([*pip, "download", "--no-deps", "--no-binary", CONVERTER.split("==")[0], "-d", tools, CONVERTER])
        unpack(next(tools.glob("llama_cpp_python-*.tar.gz")), tools)
    if not (tools / "python").is_dir():
        run([sys.executable, "-m", "pip", "install", "--quiet", "--target", tools / "python", CONVERTER_NEEDS])
    program = f"@node-llama-cpp/{PROGRAMS.get(sys.platform, 'linux-x64')}"
    if not (tools / "node_modules" / program).is_dir():  # without the other systems' programs: 700 MB less
        packages = [f"node-llama-cpp@{ENGINE}", f"{program}@{ENGINE}"]
        run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", *packages], tools)
    shutil.copy(HERE / "engine.mjs", tools)  # beside node_modules, where Node looks for packages
    return tools


def unpack(archive: Path, to: Path) -> None:
    """The converter's own files, out of the source package."""
    with tarfile.open(archive) as source:
        for member in source.getmembers():
            _, _, inside = member.name.partition("/vendor/llama.cpp/")
            if member.isfile() and inside.startswith(WANTED):
                member.name = f"llama.cpp/{inside}"
                source.extract(member, to, filter="data")
    archive.unlink()


def converted(tools: Path, merged: Path, file: Path, kind: str) -> Path:
    if not file.exists():
        part = file.with_name(f".part-{file.name}")
        script = tools / "llama.cpp" / WANTED[0]
        run([sys.executable, script, merged, "--outfile", part, "--outtype", kind], path=tools / "python")
        part.replace(file)
    return file


def answer(client, model: str, question: str) -> str:
    said = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}], temperature=0, max_tokens=LONGEST_ANSWER
    )
    return said.choices[0].message.content


def elsewhere(tools: Path, file: Path, questions: list[str]) -> dict:
    """llama.cpp's answers to the same text that the local API gives to the model."""
    prompts = [f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n" for question in questions]
    asked = json.dumps({"model": str(file), "prompts": prompts, "stop": "<|im_end|>", "longest": LONGEST_ANSWER})
    said = run(["node", tools / "engine.mjs"], tools, text=asked)
    return json.loads(said.splitlines()[-1])


def run(command: list, folder: Path | None = None, *, text: str = "", path: Path | None = None) -> str:
    environment = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    done = subprocess.run(
        list(map(str, command)), cwd=folder, input=text, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
