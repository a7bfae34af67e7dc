"""Upload, start, watch, resume, clear away: one shape for every host that trains through the ``openai`` SDK.

An upload is recognised by its content and a job by what it was asked to do, so running a cell twice neither uploads nor
trains twice, a job is found again after a kernel restart, and an answer that is lost on the way costs nothing.
"""

from helpers.jobs.diagnosis import Diagnosis, diagnose
from helpers.jobs.findings import Finding
from helpers.jobs.forecast import Forecast, predict
from helpers.jobs.inventory import delete_file, delete_model, inventory
from helpers.jobs.results import Result, answering, download, passes, price_while_deployed, result
from helpers.jobs.retry import reason
from helpers.jobs.running import (
    ENDED,
    Progress,
    cancel,
    curve,
    estimate,
    look,
    messages,
    seen,
    start,
    watch,
)
from helpers.jobs.saved import Best, Checkpoints, best_checkpoint, checkpoints
from helpers.jobs.several import estimate_all, time_taken
from helpers.jobs.symptoms import REFUSALS, Answer, ask
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
