"""``python -m helpers.open_models``: the shelf; with a name, fetch that model; with ``--check``, read all its bytes."""

from __future__ import annotations

import argparse
import sys

from helpers import open_models
from helpers.errors import KitError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.open_models", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name", nargs="?", help="the model to fetch; without it, the shelf is shown")
    parser.add_argument("--accept-licence", default="", metavar="LICENCE", help="its name: you have read and accept it")
    parser.add_argument(
        "--source", help="an address laid out as the hub is, or a folder (else KIT_MODEL_SOURCE, the hub)"
    )
    parser.add_argument("--even-if-too-large", action="store_true", help="fetch it although it will not fit memory")
    parser.add_argument("--check", action="store_true", help="read all bytes of a fetched model")
    options = parser.parse_args()
    try:
        if options.name is None:
            print(open_models.table().to_string())
            return 0
        if options.check:
            wrong = open_models.damaged(options.name)
            print(f"[FAIL] damaged: {', '.join(wrong)}" if wrong else f"[OK] {options.name} is whole")
            return int(bool(wrong))
        place = open_models.fetch(
            options.name,
            accept_licence=options.accept_licence,
            source=options.source,
            even_if_too_large=options.even_if_too_large,
        )
    except KitError as error:
        print(f"[FAIL] {error}", file=sys.stderr)
        return 1
    print(f"[OK] {options.name} is in {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
