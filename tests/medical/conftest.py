"""A gateway of its own for the tests of medical settlement, as it should be at the beginning of each test."""

from collections.abc import Iterator

import pytest

from tests.medical.gateway import Gateway
from tests.peers.running import running


@pytest.fixture(scope="session")
def _peer() -> Iterator[Gateway]:
    with running("tests.peers.nhsa") as peer:
        yield Gateway(peer)


@pytest.fixture
def gateway(_peer: Gateway) -> Gateway:
    _peer.peer.ask({"reset": True})
    return _peer
