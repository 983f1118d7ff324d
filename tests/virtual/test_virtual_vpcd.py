"""The card side of the vpcd protocol, against a driver played by the test."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from juying.card.virtual import vpcd
from juying.card.virtual.card import Card, VirtualCard
from juying.card.virtual.faults import Fault, Mute, TearAfterCommand
from juying.card.virtual.vpcd import VirtualReader, serve
from juying.errors import CardRemoved, InputError, ServiceUnavailable

SELECT = bytes.fromhex("00A4040C0F7378312E73682EC9E7BBE1B1A3D5CF")
READ = bytes.fromhex("00B2012C00")
RECORD = bytes.fromhex("0110331000D15600000599110145FFFFFFFF9000")
OFF, ON, RESET, ATR, OTHER = b"\x00", b"\x01", b"\x02", b"\x04", b"\x03"


class Driver:
    """The listening side: one slot of the reader driver."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(10)
        self.host, self.port = self.server.getsockname()

    def accept(self) -> None:
        self.connection, _ = self.server.accept()
        self.connection.settimeout(10)

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self.connection.sendall(len(message).to_bytes(2, "big") + message)

    def receive(self) -> bytes:
        def exactly(size: int) -> bytes:
            data = b""
            while len(data) < size:
                piece = self.connection.recv(size - len(data))
                assert piece
                data += piece
            return data

        return exactly(int.from_bytes(exactly(2), "big"))

    def ask(self, message: bytes) -> bytes:
        self.send(message)
        return self.receive()

    def sees_removal(self) -> bool:
        return self.connection.recv(1) == b""

    def drop(self, *, reset: bool = False) -> None:
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.server.close()
    if hasattr(driver, "connection"):
        driver.connection.close()


@pytest.fixture
def reader(driver: Driver) -> Iterator[VirtualReader]:
    """A reader at the driver; afterwards no thread of it is left."""
    before = threading.active_count()
    with VirtualReader(driver.host, driver.port) as reader:
        yield reader
    assert not reader.inserted
    assert threading.active_count() == before


@pytest.fixture
def insert(driver: Driver, reader: VirtualReader) -> Callable[[Card], None]:
    def into_reader(card: Card) -> None:
        reader.insert(card)
        driver.accept()

    return into_reader


class Served:
    """`serve` in a thread, with what it raised."""

    def __init__(self, card: Card, driver: Driver, **options: bool) -> None:
        self.stop = threading.Event()
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self.run, args=(card, driver), kwargs=options)
        self.thread.start()

    def run(self, card: Card, driver: Driver, **options: bool) -> None:
        try:
            serve(card, host=driver.host, port=driver.port, stop=self.stop, **options)
        except Exception as error:
            self.error = error

    def join(self) -> Exception | None:
        self.thread.join(10)
        assert not self.thread.is_alive()
        return self.error


def test_a_session(make: Callable[..., VirtualCard], driver: Driver, insert: Callable[[Card], None]) -> None:
    """ATR, power, commands and reset, as pcscd uses them; unknown control bytes are passed over."""
    card = make()
    insert(card)
    assert driver.ask(ATR) == card.atr
    driver.send(ON)
    assert driver.ask(SELECT) == b"\x90\x00"
    driver.send(OTHER)
    assert driver.ask(READ) == RECORD
    driver.send(RESET)
    assert driver.ask(READ) == b"\x6a\x82"
    driver.send(OFF, ON)
    assert driver.ask(READ) == b"\x6a\x82"


@pytest.mark.parametrize("quick", [None, vpcd._QUICKACK])
def test_split_packets(
    make: Callable[..., VirtualCard],
    driver: Driver,
    insert: Callable[[Card], None],
    monkeypatch: pytest.MonkeyPatch,
    quick: int | None,
) -> None:
    """Messages may come byte by byte or several at once, with and without quick acknowledgements."""
    monkeypatch.setattr(vpcd, "_QUICKACK", quick)
    insert(make())
    for byte in b"\x00\x01\x01" + len(SELECT).to_bytes(2, "big") + SELECT:
        driver.connection.sendall(bytes((byte,)))
    assert driver.receive() == b"\x90\x00"
    driver.send(READ, READ, ATR)
    assert (driver.receive(), driver.receive()) == (RECORD, RECORD)
    assert driver.receive()[0] == 0x3B


def test_insert_swap_remove(
    make: Callable[..., VirtualCard], driver: Driver, reader: VirtualReader, insert: Callable[[Card], None]
) -> None:
    """Removing closes the connection and cuts the power; inserting over a card swaps it."""
    reader.remove()
    first, second = make("ssc-v2"), make("ssc-v3")
    insert(first)
    driver.send(ON)
    assert driver.ask(SELECT) == b"\x90\x00"
    assert reader.inserted
    old = driver.connection
    insert(second)
    assert old.recv(1) == b""
    old.close()
    with pytest.raises(CardRemoved):
        first.transmit(SELECT)
    assert driver.ask(ATR) == second.atr
    reader.remove()
    assert not reader.inserted
    assert driver.sees_removal()


def test_a_torn_card_leaves_the_reader(
    make: Callable[..., VirtualCard], driver: Driver, reader: VirtualReader, insert: Callable[[Card], None]
) -> None:
    """A tear closes the connection; the same card can be inserted again."""
    card = TearAfterCommand(make(), 1)
    insert(card)
    driver.send(ON, SELECT)
    assert driver.sees_removal()
    driver.drop()
    insert(card)
    driver.send(ON)
    assert driver.ask(SELECT) == b"\x90\x00"


def test_a_command_without_power_ends_the_card(
    make: Callable[..., VirtualCard], driver: Driver, insert: Callable[[Card], None]
) -> None:
    insert(make())
    driver.send(SELECT)
    assert driver.sees_removal()


def test_a_mute_card_answers_nothing(
    make: Callable[..., VirtualCard], driver: Driver, insert: Callable[[Card], None]
) -> None:
    """The next thing that comes back is the ATR."""
    card = Mute(make(), 1)
    insert(card)
    driver.send(ON, SELECT)
    assert driver.ask(ATR) == card.atr


def test_an_answer_beyond_the_length_field_is_refused(
    make: Callable[..., VirtualCard], driver: Driver, insert: Callable[[Card], None]
) -> None:
    """Two bytes of length cannot carry more than 65535."""

    class Huge(Fault):
        def answer(self, number: int, command: bytes) -> bytes:
            return bytes(0x10000)

    insert(Huge(make()))
    driver.send(ON)
    assert driver.ask(SELECT) == b"\x67\x00"


def test_an_unexpected_error_reaches_the_caller(
    make: Callable[..., VirtualCard], driver: Driver, reader: VirtualReader, insert: Callable[[Card], None]
) -> None:
    """An image that cannot be stored pulls the card and is reported by `remove`, once."""

    def fail() -> None:
        raise InputError("磁盘已满", "disk full")

    card = make()
    card.on_change = fail
    insert(card)
    driver.send(ON)
    driver.ask(SELECT)
    driver.send(bytes.fromhex("00DC022C03020141"))
    assert driver.sees_removal()
    with pytest.raises(InputError, match="disk full"):
        reader.remove()
    reader.remove()


def test_nothing_listens(make: Callable[..., VirtualCard], driver: Driver, reader: VirtualReader) -> None:
    """The message says what to install, in both languages."""
    driver.server.close()
    with pytest.raises(ServiceUnavailable, match="install pcscd and vsmartcard-vpcd") as caught:
        reader.insert(make())
    assert "vsmartcard-vpcd" in caught.value.text.zh
    with pytest.raises(ServiceUnavailable, match=str(driver.port)):
        serve(make(), port=driver.port)


def test_serve_until_stopped(make: Callable[..., VirtualCard], driver: Driver) -> None:
    card = make()
    served = Served(card, driver)
    driver.accept()
    driver.send(ON)
    assert driver.ask(SELECT) == b"\x90\x00"
    served.stop.set()
    assert served.join() is None
    assert driver.sees_removal()
    with pytest.raises(CardRemoved):
        card.transmit(SELECT)


def test_serve_ends_with_a_torn_card(make: Callable[..., VirtualCard], driver: Driver) -> None:
    served = Served(TearAfterCommand(make(), 0), driver, reconnect=True)
    driver.accept()
    driver.send(ON, SELECT)
    assert served.join() is None


@pytest.mark.parametrize("reset", [False, True])
def test_serve_says_when_the_driver_goes_away(make: Callable[..., VirtualCard], driver: Driver, reset: bool) -> None:
    """Orderly end and broken connection alike."""
    served = Served(make(), driver)
    driver.accept()
    assert driver.ask(ATR)
    driver.drop(reset=reset)
    error = served.join()
    assert isinstance(error, ServiceUnavailable)
    assert error.where.endswith(str(driver.port))


def test_serve_comes_back_with_the_driver(
    make: Callable[..., VirtualCard], driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``reconnect`` the card waits for pcscd, without power meanwhile, and is stopped while it waits."""
    failed, attempts = threading.Event(), []
    connect = vpcd._connect

    def watched(host: str, port: int) -> socket.socket:
        attempts.append(port)
        if len(attempts) == 2:
            failed.set()
            raise ServiceUnavailable("无", "none")
        if len(attempts) > 3:
            served.stop.set()
            raise ServiceUnavailable("无", "none")
        return connect(host, port)

    monkeypatch.setattr(vpcd, "_RETRY", 0.001)
    monkeypatch.setattr(vpcd, "_connect", watched)
    served = Served(make(), driver, reconnect=True)
    driver.accept()
    driver.send(ON)
    assert driver.ask(SELECT) == b"\x90\x00"
    driver.drop()
    assert failed.wait(10)
    driver.accept()
    driver.send(ON)
    assert driver.ask(READ) == b"\x6a\x82"
    driver.drop()
    assert served.join() is None


def test_waiting_for_the_driver_goes_on_until_it_speaks() -> None:
    """A silent line is not an end; what has arrived is kept."""

    class Line:
        def __init__(self, *events: Any) -> None:
            self.events = list(events)

        def setsockopt(self, *_: int) -> None:
            pass

        def recv(self, _size: int) -> bytes:
            event = self.events.pop(0)
            if isinstance(event, bytes):
                return event
            raise event

    stop = threading.Event()
    line: Any = Line(TimeoutError(), b"\x00", TimeoutError(), b"\x01", b"\x04")
    assert vpcd._receive_message(line, stop) == b"\x04"
    stop.set()
    line = Line(b"\x00", TimeoutError())
    assert vpcd._receive_message(line, stop) == b""
