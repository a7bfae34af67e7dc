"""Upload, start, watch, resume, clear away: one shape for every host that trains through the ``openai`` SDK.

An upload is recognised by its content and a job by what it was asked to do, so running a cell twice neither uploads nor
trains twice, a job is found again after a kernel restart, and an answer that is lost on the way costs nothing.

Where to look, in the order of a job's life:

- Consent, and the file at the host: :mod:`~helpers.jobs.uploads`.
- How long it will take, what it will cost, what a model sees of a row: :mod:`~helpers.jobs.forecast`.
- Start, watch, cancel: :mod:`~helpers.jobs.running`.
- What it leaves (model, result files): :mod:`~helpers.jobs.results`; which of its checkpoints to use:
  :mod:`~helpers.jobs.checkpoints`; what is still at the host, and how to delete it: :mod:`~helpers.jobs.inventory`.
- "It trained, but nothing changed": :mod:`~helpers.jobs.diagnosis`, a room of its own.

Every call of these goes through :mod:`~helpers.jobs.retry`, which says what may be repeated and how long a host may be
gone. What differs between hosts stands in ``providers/hosts.toml``, not here; Amazon Bedrock alone, which has no such
API for supervised jobs, is a class of its own (:mod:`~helpers.jobs.bedrock`).
"""

from helpers.jobs.checkpoints import Best, Checkpoints, best_checkpoint, checkpoints, passes
from helpers.jobs.diagnosis.diagnosing import Diagnosis, diagnose
from helpers.jobs.diagnosis.findings import Finding
from helpers.jobs.diagnosis.symptoms import REFUSALS, Answer, ask
from helpers.jobs.forecast import Forecast, estimate, estimate_all, predict, seen, time_taken
from helpers.jobs.inventory import delete_file, delete_model, inventory
from helpers.jobs.results import Result, answering, download, price_while_deployed, result
from helpers.jobs.retry import reason
from helpers.jobs.running import (
    ENDED,
    Progress,
    cancel,
    curve,
    look,
    messages,
    start,
    watch,
)
from helpers.jobs.uploads import ask_before_upload, obstacle, upload

__all__ = [
    "ENDED",
    "REFUSALS",
    "Answer",
    "Best",
    "Checkpoints",
    "Diagnosis",
    "Finding",
    "Forecast",
    "Progress",
    "Result",
    "answering",
    "ask",
    "ask_before_upload",
    "best_checkpoint",
    "cancel",
    "checkpoints",
    "curve",
    "delete_file",
    "delete_model",
    "diagnose",
    "download",
    "estimate",
    "estimate_all",
    "inventory",
    "look",
    "messages",
    "obstacle",
    "passes",
    "predict",
    "price_while_deployed",
    "reason",
    "result",
    "seen",
    "start",
    "time_taken",
    "upload",
    "watch",
]
