"""Every test with ``insert`` runs twice: on a card in process, and on the same card in a PC/SC reader."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from juying.card.pcsc import PcscTransport
from juying.card.transport import Transport
from juying.card.virtual.card import Card
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.vpcd import VirtualReader
from tests.harness import PrivatePcscd

Insert = Callable[[Card], AbstractContextManager[Transport]]
"""Put a card in; the transport to it lives as long as the ``with`` block."""


@contextmanager
def in_process(card: Card) -> Iterator[Transport]:
    with LocalTransport(card) as transport:
        yield transport


def in_reader(pcscd: PrivatePcscd) -> Insert:
    """Cards go through the machine's PC/SC: our connection, pcscd, the vpcd driver, the card behind a socket."""

    @contextmanager
    def insert(card: Card) -> Iterator[Transport]:
        with pcscd.slot() as slot, VirtualReader(port=slot.port) as reader:
            reader.insert(card)
            pcscd.wait_for_card(slot.name, present=True)
            with PcscTransport.open(slot.name) as transport:
                yield transport

    return insert


@pytest.fixture(params=["in process", "pcscd"])
def insert(request: pytest.FixtureRequest) -> Insert:
    if request.param == "in process":
        return in_process
    return in_reader(request.getfixturevalue("private_pcscd"))
