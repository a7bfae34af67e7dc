"""Model servers of this machine as a lesson shows them, and how to get one where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd
from IPython.display import HTML

from helpers.providers import LocalServer, server_table
from helpers.show.html.elements import html_output
from helpers.show.html.tables import table

NONE = (
    "No model server answers on this machine: Ollama, llama.cpp, LM Studio, vLLM and Docker Model Runner were looked "
    "for at their usual ports. Once Ollama is installed (ollama.com), the first line starts it; the second, in another "
    "terminal, fetches a model of about 3 GB:"
)
TWO_LINES = "OLLAMA_CONTEXT_LENGTH=16384 ollama serve\nollama pull gemma3:4b"


def servers(found: Sequence[LocalServer]) -> HTML:
    """A row a model, then the traps of each server; where there is none, the two lines that get one."""
    if not found:
        return html_output(f"<p>{escape(NONE)}</p><pre>{escape(TWO_LINES)}</pre>")
    shown = table(pd.DataFrame(server_table(found)), "Model servers on this machine").data
    traps = [f"<li>{escape(server.kind)}: {escape(trap)}</li>" for server in found for trap in server.traps]
    return html_output(shown + (f"<p>Before you measure:</p><ul>{''.join(traps)}</ul>" if traps else ""))
