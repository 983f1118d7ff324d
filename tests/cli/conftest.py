"""Every test of the command line works in an empty folder of its own."""

import io
import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from juying.cli.app import run
from tests.cli.desk import EXAMPLES, Done, applicant, sheet

Juying = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    for name in (*filter(lambda name: name.startswith("JUYING_"), os.environ), "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def juying(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Juying:
    """The ``juying`` command, in this process; ``stdin`` is what comes in on standard input."""

    def call(*arguments: object, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        return Done(status, *capsys.readouterr())

    return call


@pytest.fixture(scope="package")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two applicants were issued, the first with a photo."""
    folder = tmp_path_factory.mktemp("office")
    shutil.copytree(EXAMPLES.parent / "photos", folder / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        applicants = applicant(0, photo="photos/eriksson.jpg", card_number="JYX000010"), applicant(1)
        assert run(["issue", str(sheet(*applicants)), "--out", "out"]) == 0
    return folder


@pytest.fixture
def issued(office: Path, home: Path) -> Path:
    """The working directory, with a copy of that folder's contents."""
    shutil.copytree(office, home, dirs_exist_ok=True)
    return home


@pytest.fixture
def unused_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
