"""What all tests share: a pcscd of their own, with virtual readers, and a PostgreSQL."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.harness import PrivatePcscd, PrivatePostgres, Slot, enter_private_namespace

READERS = 8


def pytest_configure() -> None:
    """Move aside before the first thread starts; if that is refused, PrivatePcscd says so when it is needed.

    Jobs in the background of a shell ignore Ctrl-C, and so would the processes that the tests end with it. Tables are
    as wide as in a pipe, whatever the terminal that the tests were started from.
    """
    os.environ.pop("COLUMNS", None)
    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(OSError):
        enter_private_namespace()


@pytest.fixture(scope="session")
def private_pcscd() -> Iterator[PrivatePcscd]:
    """pcscd with virtual readers, for the whole session."""
    with PrivatePcscd(readers=READERS) as pcscd:
        yield pcscd


@pytest.fixture
def pcsc_reader(private_pcscd: PrivatePcscd) -> Iterator[Slot]:
    """An empty virtual reader that nobody else uses: its name, and the port where a card must call."""
    with private_pcscd.slot() as slot:
        yield slot


@pytest.fixture
def second_pcsc_reader(private_pcscd: PrivatePcscd) -> Iterator[Slot]:
    """Another one."""
    with private_pcscd.slot() as slot:
        yield slot


@pytest.fixture(scope="session")
def private_postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL for the whole session; a test that stops it starts it again."""
    with PrivatePostgres() as postgres:
        yield postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a new ledger may be made: the test runs once in an SQLite file and once in PostgreSQL."""
    if request.param == "sqlite":
        yield str(tmp_path / "ledger.db")
        return
    postgres: PrivatePostgres = request.getfixturevalue("private_postgres")
    url = postgres.new_database()
    yield url
    postgres.drop_database(url)  # hundreds of them would take the disk, and long to remove in the end
