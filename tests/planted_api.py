"""The local API with a fault planted: ``python planted_api.py python -m helpers.local_api --home HOME …``.

``HOME/fault.txt`` names the fault at each moment; empty: none. Those of training are in ``planted_trainer``;
"adapter_ignored" is one of serving.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from helpers.local_api import __main__ as program
from helpers.local_api.http import serving
from helpers.local_api.training import trainer_process

_generation = serving._generation


def without_adapter(home: Path):
    def generation(asked, prompt_ids, adapter):
        ignored = (home / "fault.txt").read_text().strip() == "adapter_ignored"
        return _generation(asked, prompt_ids, None if ignored else adapter)

    return generation


if __name__ == "__main__":
    arguments = sys.argv[4:]
    home = Path(arguments[arguments.index("--home") + 1])
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    trainer_process.MODULE = "planted_trainer"
    serving._generation = without_adapter(home)
    sys.exit(program.main(arguments))
