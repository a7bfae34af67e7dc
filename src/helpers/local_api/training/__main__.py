"""The trainer's command line: ``python -m helpers.local_api.training JOBDIR`` (or ``--estimate JOBDIR``).

What the folder holds, and what is written into it, stands in :mod:`helpers.local_api.training.trainers.job`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.local_api.training.estimate import estimate
from helpers.local_api.training.trainers import own_loop
from helpers.local_api.training.trainers.choosing import loop_of
from helpers.local_api.training.trainers.job import Progress, Stopped, failure

NICENESS = 10
STOPPED, BUSY = 0, 3


def _step_back() -> None:
    """Let the API, and whatever else the reader does, go first."""
    os.nice(NICENESS)
    if os.getsid(0) == os.getpid():  # Linux shares the processor among sessions first; nice counts only within one
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(NICENESS))


def _train(job: Path) -> None:
    if loop_of(job) == "trl":
        from helpers.local_api.training.trainers import trl_loop  # loaded where it is needed: that takes seconds

        trl_loop.run(job)
    else:
        own_loop.run(job)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.local_api.training", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("job", type=Path, help="the job's folder, with spec.json")
    parser.add_argument("--estimate", action="store_true", help="print how long the job would take, as JSON")
    options = parser.parse_args(arguments)
    if options.estimate:
        print(json.dumps(estimate(options.job)))
        return 0
    try:
        with FileLock(options.job / "lock", timeout=0):
            _train(options.job)
    except Timeout:
        print(f"Another trainer works on {options.job.name}.", file=sys.stderr)
        return BUSY
    except Stopped:
        return STOPPED
    except Exception as error:  # whatever it is, the job's owner has to read it
        Progress(options.job)("failed", **failure(error))
        raise
    return 0


if __name__ == "__main__":
    _step_back()
    sys.exit(main())
