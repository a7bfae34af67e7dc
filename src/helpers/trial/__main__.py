"""Test all claims, or those named: ``python -m helpers.trial [claim …]``. An interrupted run goes on by itself."""

from __future__ import annotations

import sys
import time

from helpers.errors import KitError
from helpers.providers import connect
from helpers.trial import Trial, claims


def main(names: list[str]) -> int:
    """Run, and print one verdict a claim."""
    began = time.monotonic()
    try:
        trial = Trial(connect("local"))
        print(trial.forecast(), flush=True)
        for name in names or [claim.id for claim in claims()]:
            started = time.monotonic()
            found = trial.run(name)
            print(f"{found.verdict.upper()}: {name}. {found.because}. ({time.monotonic() - started:.0f} s)", flush=True)
    except KitError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(trial.found)} claims in {(time.monotonic() - began) / 60:.1f} min; kept in {trial.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
