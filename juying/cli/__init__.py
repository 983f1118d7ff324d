"""The ``juying`` command: one file per group, everything heavy imported when a command runs."""

import sys


def main() -> None:
    """Run the command line and leave with its exit status."""
    from juying.cli.app import run

    sys.exit(run(sys.argv[1:]))
