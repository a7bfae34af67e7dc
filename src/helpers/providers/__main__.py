"""Start, stop or show the API on this machine: ``python -m helpers.providers start|stop|status``.

``stop`` ends the second ones too that rehearse another provider.
"""

import sys

from helpers.project import kit_home
from helpers.providers import local


def main(action: str = "status") -> int:
    """Do what was asked; for ``status`` the exit status is 1 when nothing runs."""
    if action == "stop":
        rehearsals = sorted((kit_home() / "rehearsals").glob("*"))
        stopped = [local.stop(), *[local.stop(home) for home in rehearsals]]
        print("stopped" if any(stopped) else "was not running")
        return 0
    server = local.start() if action == "start" else local.running()
    print(f"running at {server.base_url}, process {server.pid}" if server else "not running")
    return 0 if server else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
