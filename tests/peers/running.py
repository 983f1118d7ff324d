"""Starting a peer as a process of its own, and stopping it.

A peer is a module that is run with ``python -m``. When it listens it prints a line of JSON with its port
(``{"port": 40001}``, more members as it likes). It should end when its standard input does, so none outlives its test.
What it is told later, and what it has to tell, goes over the same two pipes, a line of JSON each way.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 10.0  # seconds for a peer that was asked to end


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that listens on ``port`` of 127.0.0.1; ``told`` is all that it said when it began to."""

    port: int
    told: dict[str, Any]
    process: subprocess.Popen[str] = field(repr=False)
    errors: IO[str] = field(repr=False)

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a line to the peer and wait for its answer."""
        self.tell(message)
        return self.hear()

    def tell(self, message: dict[str, Any]) -> None:
        """Send a line to the peer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for a line from the peer."""
        return _line(self.process, self.errors)

    def kill(self) -> None:
        """End it at once, as a loss of power does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running(module: str, *arguments: str) -> Iterator[Peer]:
    """The peer ``module`` (``tests.peers.sip2``), from the moment at which it listens."""
    with TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
        )
        with process:
            try:
                told = _line(process, errors)
                yield Peer(told["port"], told, process, errors)
            finally:
                _stop(process)


def _line(process: subprocess.Popen[str], errors: IO[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(PATIENCE)
        errors.seek(0)
        raise AssertionError(f"the peer ended with {process.returncode}: {errors.read()}")
    told = json.loads(line)
    assert isinstance(told, dict)
    return told


def _stop(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
