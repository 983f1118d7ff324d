"""The ``juying`` command: one file per group, everything heavy imported when a command runs."""

import io
import sys


def main() -> None:
    """Run the command line and leave with its exit status."""
    from juying.cli import quick

    for stream in (sys.stdout, sys.stderr):
        # Not every system's files and pipes can hold Chinese; JSON has to be UTF-8 anyway.
        if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    status = quick.run(sys.argv[1:])
    if status is None:
        from juying.cli.app import run

        status = run(sys.argv[1:])
    sys.exit(status)
