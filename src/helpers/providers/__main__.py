"""Start, stop or show the API on this machine: ``python -m helpers.providers start|stop|status``."""

import sys

from helpers.providers import local


def main(action: str = "status") -> int:
    """Do what was asked; for ``status`` the exit status is 1 when nothing runs."""
    if action == "stop":
        print("stopped" if local.stop() else "was not running")
        return 0
    server = local.start() if action == "start" else local.running()
    print(f"running at {server.base_url}, process {server.pid}" if server else "not running")
    return 0 if server else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
