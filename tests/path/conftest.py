"""Every test with ``insert`` runs twice: on a card in process, and on the same card in a PC/SC reader."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from juying.card.transport import Transport
from juying.card.virtual.card import Card
from juying.card.virtual.transport import LocalTransport


@contextmanager
def in_process(card: Card) -> Iterator[Transport]:
    with LocalTransport(card) as transport:
        yield transport


@pytest.fixture
def insert():
    return in_process
