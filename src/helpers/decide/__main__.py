"""Run a record again: ``python -m helpers.decide record.json [--today YYYY-MM-DD]``.

Decides again from the record's answers and evidence with the facts tables as they are now, says whether the verdict
still stands, and writes ``.html`` and ``.md`` beside the file. The recorded verdict itself is never changed.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

from helpers import facts
from helpers.decide.record.record import load_record
from helpers.errors import KitError
from helpers.project import write_atomically


def main(arguments: list[str] | None = None) -> int:
    """0 when the record could be run, 2 when it could not."""
    parser = argparse.ArgumentParser(prog="python -m helpers.decide", description=__doc__)
    parser.add_argument("record", type=Path, help="a record.json")
    parser.add_argument("--today", type=date.fromisoformat, default=None, help="decide as of this day")
    options = parser.parse_args(arguments)
    try:
        record = load_record(options.record)
        again = replace(record, decided_on=options.today or facts.today())
        pages = {".html": again.html(), ".md": again.markdown()}
        for suffix, text in pages.items():
            write_atomically(options.record.with_suffix(suffix), text)
    except (KitError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    then, now = record.recorded.headline, again.verdict.headline
    print(f"Recorded on {record.decided_on}: {then}")
    print(f"As of {again.decided_on}: {'the same' if then == now else now} (confidence {again.verdict.confidence})")
    print(f"Written: {', '.join(str(options.record.with_suffix(suffix)) for suffix in pages)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
