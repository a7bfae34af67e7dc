"""Fetch the files that the kit needs and git does not carry: ``python -m helpers.assets [--all]``."""

from __future__ import annotations

import argparse
import sys

from helpers.assets.fetching import folder, say
from helpers.assets.kept import base_model, embedder, have_embedder, missing, vocabularies
from helpers.assets.pinned import EMBEDDER
from helpers.errors import AssetError


def main() -> int:
    """Fetch what every lesson needs, with ``--all`` all; the exit status is 1 when something could not be had."""
    parser = argparse.ArgumentParser("python -m helpers.assets", description=__doc__.partition(":")[0] + ".")
    parser.add_argument("--all", action="store_true", help="the sentence embeddings, too")
    with_embedder = parser.parse_args().all
    todo = missing()
    if todo:
        mb = sum({str(a.mirrors[0]): a.mirrors[0].mb for a in todo}.values())
        say(f"assets: {len(todo)} files to fetch, {mb} MB to download into {folder()}")
    try:
        base_model()
        vocabularies()
        if with_embedder:
            embedder()
    except AssetError as error:
        print(f"[FAIL] {error}", file=sys.stderr)
        return 1
    print(f"[OK] assets are in {folder()}")
    if not have_embedder():
        mb = EMBEDDER[0].mirrors[0].mb
        print(f"     Not here yet: sentence embeddings, {mb} MB, fetched when a lesson first uses them.")
        print("     To have them now: python -m helpers.assets --all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
