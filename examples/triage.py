"""Sort messages into JSON lines with the model that stands in production.

    python examples/triage.py messages.txt            # one message a line
    tail -f mailbox.txt | python examples/triage.py   # or from standard input

Each line of output is one message's answer: ``category``, ``urgency``, ``order_id``, and the ``model`` that gave it.
What cannot be sorted becomes a line with ``error``. Exit status: 0 when every message was sorted, 1 when some were not,
2 when nothing could be (no such alias, host or file).

Which model answers is not written here: the alias ``production`` of a project names it, and lesson 5 moves it. It is
looked up anew for every message, so a switch or a rollback takes effect at once, without a restart.
"""

from __future__ import annotations

import argparse
import fileinput
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import openai

from helpers import deploy
from helpers.errors import KitError
from helpers.project import Project
from helpers.providers import connect

FIELDS = ("category", "urgency", "order_id")
LONGEST_ANSWER = 60
"""Tokens; an answer of this task has about 30."""


@cache
def client_of(host: str) -> openai.OpenAI:
    return connect(host)


def ask(alias: deploy.Alias, message: str, instructions: str, schema: dict | None) -> str:
    """The model's answer: one plain call of the ``openai`` client."""
    sent = [{"role": "system", "content": instructions}] if instructions else []
    wanted = {"type": "json_schema", "json_schema": {"name": "triage", "schema": schema, "strict": True}}
    reply = client_of(alias.host).chat.completions.create(
        model=alias.model,
        messages=[*sent, {"role": "user", "content": message}],
        temperature=0,
        max_tokens=LONGEST_ANSWER,
        **({"response_format": wanted} if schema else {}),
    )
    return reply.choices[0].message.content or ""


def triage(project: Project, name: str, message: str, instructions: str, schema: dict | None) -> dict[str, object]:
    """One message's line of output."""
    alias = deploy.current(project, name)
    try:
        answer = json.loads(ask(alias, message, instructions, schema))
        return {field: answer[field] for field in FIELDS} | {"model": alias.model}
    except openai.OpenAIError as error:
        return {"error": f"{alias.host} did not answer: {type(error).__name__}", "model": alias.model}
    except (ValueError, KeyError, TypeError):
        return {"error": "the answer is not the JSON object that was wanted", "model": alias.model}


def messages(files: list[str]) -> Iterator[str]:
    """Lines that are not blank, of files or of standard input, as they come."""
    with fileinput.input(files, encoding="utf-8") as lines:
        yield from (line.strip() for line in lines if line.strip())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="text files, one message a line; standard input when there are none")
    parser.add_argument("--project", default="sample", help="whose alias to use (default: %(default)s)")
    parser.add_argument("--alias", default="production", help="which alias to use (default: %(default)s)")
    parser.add_argument("--instructions", type=Path, help="file with a system message, for a model that needs one")
    parser.add_argument("--schema", type=Path, help="file with a JSON schema that the answer has to follow")
    options = parser.parse_args(arguments)
    sorted_all = True
    try:
        instructions = options.instructions.read_text(encoding="utf-8") if options.instructions else ""
        schema = json.loads(options.schema.read_text(encoding="utf-8")) if options.schema else None
        project = Project(options.project)
        deploy.current(project, options.alias)  # a wrong alias is told before the first message is read
        for message in messages(options.files):
            line = triage(project, options.alias, message, instructions, schema)
            sorted_all &= "error" not in line
            print(json.dumps(line, ensure_ascii=False), flush=True)
    except (KitError, OSError, ValueError) as error:
        print(f"triage: {error}", file=sys.stderr)
        return 2
    return 0 if sorted_all else 1


if __name__ == "__main__":
    sys.exit(main())
