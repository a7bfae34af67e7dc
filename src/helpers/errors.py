"""What can go wrong, on one page.

Every error of the kit says three things: *what* is wrong and where, what was *got*, and what to *do* next::

    KitError
    ├── AssetError        a base model or vocabulary is missing, damaged, or could not be fetched
    ├── DataError         a file of examples cannot be read, checked, split or written
    ├── FactsError        a price, date or limit is unknown, unverified or malformed
    ├── CostError         a workload or a sum that makes no sense
    ├── ProjectError      the project file is missing something that another lesson makes
    ├── HostError         a host cannot be reached, refuses the key, or cannot do what was asked
    │   ├── ConsentError  a call would spend money or move data that the reader did not allow
    │   └── AllowanceError  a free tier's allowance for the day is used up
    ├── JobError          a fine-tuning job failed, vanished, or cannot be resumed
    ├── EvaluationError   candidates, metrics or results that do not fit together
    ├── DecisionError     answers or evidence that cannot be read
    └── DeployError       a release, alias or export that cannot be made

An interrupt is none of them: :class:`StopHere` says what is kept and how to go on.
"""

from __future__ import annotations


class KitError(Exception):
    """The root of the tree.

    Args:
        what: what is wrong and where, in one sentence.
        got: what was found instead, if that helps.
        fix: the next thing to do, as an instruction.
    """

    def __init__(self, what: str, *, got: str = "", fix: str = "") -> None:
        self.what, self.got, self.fix = what, got, fix
        super().__init__(what, got, fix)

    def __str__(self) -> str:
        found = f" Found: {self.got.removesuffix('.')}." if self.got else ""
        todo = f" {self.fix}" if self.fix else ""
        return f"{self.what}{found}{todo}"

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the message alone. IPython asks for it; in programs the traceback stays."""
        return [f"{type(self).__name__}: {self}"]


class AssetError(KitError):
    """A pinned file is missing, damaged, or could not be fetched."""


class DataError(KitError):
    """A file of examples cannot be read, checked, split or written."""


class FactsError(KitError):
    """A price, date or limit is unknown, unverified or malformed."""


class CostError(KitError):
    """A workload or a sum that makes no sense."""


class ProjectError(KitError):
    """The project file is damaged, or misses something that a lesson makes."""


class HostError(KitError):
    """A host cannot be reached, refuses the key, or cannot do what was asked."""


class ConsentError(HostError):
    """A call would spend money or move data that the reader did not allow."""


class AllowanceError(HostError):
    """A free tier's allowance for the day is used up: the answers so far are kept, and the next run goes on."""


class JobError(KitError):
    """A fine-tuning job failed, vanished, or cannot be resumed."""


class EvaluationError(KitError):
    """Candidates, metrics or results that do not fit together."""


class DecisionError(KitError):
    """Answers or evidence that cannot be read."""


class DeployError(KitError):
    """A release, alias or export that cannot be made."""


class StopHere(KeyboardInterrupt):
    """A reader's interrupt: it ends the cell and a run of all cells, and shows a sentence in place of a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]
