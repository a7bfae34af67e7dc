"""From what a person has to files that a provider takes and splits that cannot leak.

``fetch`` → ``mapping`` → ``read`` → ``check`` → ``repair`` → ``split`` → ``write``; what a person must decide waits in
``queue``. Nothing here sends anything anywhere; ``fetch`` asks for a file at an address, with consent.
"""

from helpers.data.checking.check import check, errors
from helpers.data.codes import CODES
from helpers.data.drawing import Drawn, draw
from helpers.data.origin import origin
from helpers.data.reading.examples import Understood, mapping, read
from helpers.data.reading.fetching import fetch
from helpers.data.repairing.decisions import PAIRS, queue, resolve
from helpers.data.repairing.fixers import FIXES
from helpers.data.repairing.repair import Repaired, repair, replay
from helpers.data.report import CheckReport
from helpers.data.sensitive.personal import KINDS, NOT_COVERED
from helpers.data.splitting import Split, content_hash, split
from helpers.data.tasks import Task, cases, conversation, task
from helpers.data.writing import safe_cell, write

__all__ = [
    "CODES",
    "FIXES",
    "KINDS",
    "NOT_COVERED",
    "PAIRS",
    "CheckReport",
    "Drawn",
    "Repaired",
    "Split",
    "Task",
    "Understood",
    "cases",
    "check",
    "content_hash",
    "conversation",
    "fetch",
    "draw",
    "errors",
    "mapping",
    "origin",
    "queue",
    "read",
    "repair",
    "replay",
    "resolve",
    "safe_cell",
    "split",
    "task",
    "write",
]
