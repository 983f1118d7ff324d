"""The shared library, built once with the C compiler, and a C program that calls it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLAGS = ("-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1")

FromC = Callable[..., tuple[int, str]]
"""Name of a function and its arguments in, return code and text out."""


@pytest.fixture(scope="session")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("native")
    native, program = ROOT / "native", Path(__file__).with_name("caller.c")
    library = folder / "libjuying_terminal.so"
    for command in (
        ["gcc", *FLAGS, "-shared", "-fPIC", "-fvisibility=hidden", "-o", library, native / "juying_terminal.c"],
        ["gcc", *FLAGS, f"-I{native}", f"-Wl,-rpath,{folder}", "-o", folder / "caller", program, library],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder / "caller"


@pytest.fixture
def from_c(caller: Path, tmp_path: Path) -> FromC:
    """Calls a function in a process of its own; the endpoint file is ``endpoint`` in the test's folder."""

    def call(name: str, *arguments: str | bytes) -> tuple[int, str]:
        done = subprocess.run(
            [caller, name, *arguments],
            capture_output=True,
            env={**os.environ, "JUYING_TERMINAL": str(tmp_path / "endpoint")},
            timeout=60,
            check=True,
        )
        code, text = done.stdout.removesuffix(b"\n").split(b"\n", 1)
        return int(code), text.decode("gb18030")

    return call
