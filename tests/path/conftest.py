"""Every test with ``insert`` runs twice: on a card in process, and on the same card in a PC/SC reader."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import SimpleNamespace

import pytest

from juying.card.pcsc import PcscTransport
from juying.card.transport import Transport
from juying.card.virtual.card import Card, VirtualCard
from juying.card.virtual.faults import Fault
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.vpcd import VirtualReader
from tests.harness import PrivatePcscd

Insert = Callable[[VirtualCard | Fault], AbstractContextManager[Transport]]
"""Put a card in; the transport to it lives as long as the ``with`` block."""


@contextmanager
def in_process(card: Card) -> Iterator[Transport]:
    with LocalTransport(card) as transport:
        yield transport


class Shell(Fault):
    """The card that a reader sees; what is inside can be exchanged for a card of the same ATR."""

    def exchange(self, card: VirtualCard | Fault) -> None:
        self.card.power_off()
        self.card = card
        self.card.power_on()


class Readers:
    """Cards in PC/SC readers: our connection, pcscd, the vpcd driver, the card behind a socket.

    pcscd takes up to half a second to notice that a card came or went, and the tests are many. So there is a reader
    for each kind of card, it is never empty, and pcscd has no need to notice anything.
    """

    def __init__(self, pcscd: PrivatePcscd, opened: ExitStack) -> None:
        self._pcscd = pcscd
        self._opened = opened
        self._places: dict[bytes, tuple[str, Shell]] = {}

    @contextmanager
    def insert(self, card: VirtualCard | Fault) -> Iterator[Transport]:
        if card.atr not in self._places:
            self._places[card.atr] = self._fill(Shell(card))
        name, shell = self._places[card.atr]
        shell.exchange(card)
        with PcscTransport.open(name) as transport:
            yield transport

    def _fill(self, shell: Shell) -> tuple[str, Shell]:
        slot = self._opened.enter_context(self._pcscd.slot())
        reader = self._opened.enter_context(VirtualReader(port=slot.port))
        reader.insert(shell)
        self._pcscd.wait_for_card(slot.name, present=True)
        return slot.name, shell


@pytest.fixture(scope="package")
def readers(private_pcscd: PrivatePcscd) -> Iterator[Readers]:
    with ExitStack() as opened:
        yield Readers(private_pcscd, opened)


@pytest.fixture(params=["in process", "pcscd"])
def insert(request: pytest.FixtureRequest) -> Insert:
    if request.param == "in process":
        return in_process
    readers: Readers = request.getfixturevalue("readers")
    return readers.insert


@pytest.fixture
def same_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seal with a nonce that is always the same, so that what is sealed can be compared byte by byte."""
    monkeypatch.setattr("juying.crypto.seal.secrets", SimpleNamespace(token_bytes=bytes))


TORN: pytest.StashKey[Counter[tuple[str, str]]] = pytest.StashKey()


@pytest.fixture
def torn_points(request: pytest.FixtureRequest) -> Counter[tuple[str, str]]:
    """Where cards were torn out: how often in what, by command or byte. It is printed at the end of the run."""
    return request.config.stash.setdefault(TORN, Counter())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    points = config.stash.get(TORN, Counter())
    if not points:
        return
    terminalreporter.write_sep("=", f"{points.total()} tear points, all readable and finished")
    for what in dict.fromkeys(what for what, _ in points):
        terminalreporter.write_line(f"{what}: {points[what, 'command']} commands, {points[what, 'byte']} bytes")
