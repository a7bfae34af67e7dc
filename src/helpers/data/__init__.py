"""From what a person has to files that a provider takes and splits that cannot leak.

``read`` → ``check`` → ``repair`` → ``split`` → ``write``. Nothing here sends anything anywhere.
"""

from helpers.data.checking import check
from helpers.data.codes import CODES
from helpers.data.reading import Understood, mapping, read
from helpers.data.report import CheckReport
from helpers.data.splitting import Split, content_hash, split
from helpers.data.writing import safe_cell, write

__all__ = [
    "CODES", "CheckReport", "Split", "Understood", "check", "content_hash", "mapping", "read", "safe_cell", "split", "write",
]  # fmt: skip
