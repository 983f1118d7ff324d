"""What all tests share: a pcscd of their own, with virtual readers."""

import contextlib
import signal
from collections.abc import Iterator

import pytest

from tests.harness import PrivatePcscd, Slot, enter_private_namespace

READERS = 8


def pytest_configure() -> None:
    """Move aside before the first thread starts; if that is refused, PrivatePcscd says so when it is needed.

    Jobs in the background of a shell ignore Ctrl-C, and so would the processes that the tests end with it.
    """
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
