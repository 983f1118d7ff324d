"""The feeder of virtual cards: one after the other, out when the station lets go, again when it did not finish."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from juying.card.monitor import EventKind, ReaderMonitor
from juying.card.pcsc import PcscTransport
from juying.card.virtual import feeder
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault, TearAfterCommand
from juying.card.virtual.feeder import Box, End, FedReader, Feeder, WatchedCard
from juying.card.virtual.image import load_card, save_card
from juying.codec.profile import load_profile
from juying.errors import CardError, CardRemoved, DecodeError, InputError
from tests.harness import PrivatePcscd, Slot

PATIENCE = 60.0  # seconds; only a broken machine needs that long
SELECT = bytes.fromhex("00A4000C023F00")


def fill(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        save_card(VirtualCard.blank(load_profile("ssc-v3")), folder / f"{number:02}.vcard")
    return folder


def use(slot: Slot) -> None:
    """What a station does with a card: talk to it, and be done."""
    with PcscTransport.open(slot.name) as card:
        card.transmit(SELECT)
        card.finish()


@pytest.fixture
def inserted(pcsc_reader: Slot) -> Iterator[Callable[[], bool]]:
    """Waits for the next card in the reader, and for it to be gone."""
    with ReaderMonitor() as monitor:
        events = (event for event in monitor.watch() if event.reader == pcsc_reader.name)
        yield lambda: any(event.kind is EventKind.CARD_INSERTED for event in events)


@pytest.fixture
def unused_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Feeding:
    """A feeder at work on a thread of its own."""

    def __init__(self, folder: Path, *ports: int) -> None:
        self.out: SimpleQueue[tuple[str, End]] = SimpleQueue()
        self.stop = threading.Event()
        self.errors: list[Exception] = []
        self.feeder = Feeder(Box(folder), ports, tell=lambda image, port, how: self.out.put((image.name, how)))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.feeder.run(self.stop)
        except Exception as error:
            self.errors.append(error)

    def ends(self) -> None:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


def test_cards_that_are_finished_are_laid_aside_and_others_come_again(
    pcsc_reader: Slot, inserted: Callable[[], bool], tmp_path: Path
) -> None:
    folder = fill(tmp_path / "box", 2)
    feeding = Feeding(folder, pcsc_reader.port)
    assert inserted()
    with PcscTransport.open(pcsc_reader.name) as card:
        card.transmit(SELECT)
    assert feeding.out.get(timeout=PATIENCE) == ("00.vcard", End.AGAIN)
    for image in ("01.vcard", "00.vcard"):
        assert inserted()
        use(pcsc_reader)
        assert feeding.out.get(timeout=PATIENCE) == (image, End.DONE)
    feeding.ends()
    assert sorted(path.name for path in (folder / "done").iterdir()) == ["00.vcard", "01.vcard"]
    assert list(folder.glob("*.vcard")) == []


class Polled(Fault):
    """A card that tells when it is looked at."""

    def __init__(self) -> None:
        super().__init__(VirtualCard.blank(load_profile("ssc-v3")))
        self.seen = threading.Event()

    @property
    def atr(self) -> bytes:
        self.seen.set()
        return self.card.atr


def test_a_card_that_is_taken_for_the_one_before_comes_again(pcsc_reader: Slot, inserted: Callable[[], bool]) -> None:
    """Somebody looks at a finished card: it goes before pcscd itself looks, which then meets the next card."""
    cards = Polled(), VirtualCard.blank(load_profile("ssc-v3"))
    reader, stop, ends = FedReader(pcsc_reader.port), threading.Event(), SimpleQueue[End]()

    def offer() -> None:
        for card in (*cards, cards[1]):
            ends.put(reader.offer(card, stop))

    thread = threading.Thread(target=offer, daemon=True)
    thread.start()
    assert inserted()
    card = PcscTransport.open(pcsc_reader.name)
    card.transmit(SELECT)
    cards[0].seen.clear()
    assert cards[0].seen.wait(PATIENCE), "pcscd looks now and then, so that it will not look again for a while"
    card.finish()
    with pytest.raises(CardError):
        PcscTransport.open(pcsc_reader.name)
    assert [ends.get(timeout=PATIENCE) for _ in range(2)] == [End.DONE, End.AGAIN]
    assert inserted()
    use(pcsc_reader)
    assert ends.get(timeout=PATIENCE) is End.DONE
    thread.join(PATIENCE)


def test_a_stopped_feeder_takes_its_card_out(pcsc_reader: Slot, inserted: Callable[[], bool], tmp_path: Path) -> None:
    folder = fill(tmp_path / "box", 3)
    feeding = Feeding(folder, pcsc_reader.port)
    assert inserted()
    feeding.stop.set()
    feeding.ends()
    assert len(list(folder.glob("*.vcard"))) == 3


def test_cards_wait_for_a_driver_that_is_not_there(
    private_pcscd: PrivatePcscd, pcsc_reader: Slot, inserted: Callable[[], bool], tmp_path: Path
) -> None:
    """pcscd that ends in the middle of the work has not finished the card."""
    folder = fill(tmp_path / "box", 1)
    feeding = Feeding(folder, pcsc_reader.port)
    assert inserted()
    with PcscTransport.open(pcsc_reader.name) as card:
        card.transmit(SELECT)
        private_pcscd.stop()
    private_pcscd.start()
    assert feeding.out.get(timeout=PATIENCE) == ("00.vcard", End.AGAIN)
    with ReaderMonitor() as monitor:
        next(event for event in monitor.watch()
             if event.kind is EventKind.CARD_INSERTED and event.reader == pcsc_reader.name)  # fmt: skip
    use(pcsc_reader)
    assert feeding.out.get(timeout=PATIENCE) == ("00.vcard", End.DONE)
    feeding.ends()


def test_a_torn_card_comes_out_and_may_be_put_in_again(pcsc_reader: Slot, inserted: Callable[[], bool]) -> None:
    card = VirtualCard.blank(load_profile("ssc-v3"))
    reader, stop, ends = FedReader(pcsc_reader.port), threading.Event(), SimpleQueue[End]()

    def offer() -> None:
        ends.put(reader.offer(TearAfterCommand(card, 2), stop))
        ends.put(reader.offer(card, stop))

    thread = threading.Thread(target=offer, daemon=True)
    thread.start()
    assert inserted()
    with PcscTransport.open(pcsc_reader.name) as transport:
        transport.transmit(SELECT)
        with pytest.raises(CardRemoved):
            transport.transmit(SELECT)
    assert ends.get(timeout=PATIENCE) is End.AGAIN
    assert inserted()
    use(pcsc_reader)
    assert ends.get(timeout=PATIENCE) is End.DONE
    thread.join(PATIENCE)


def test_a_feeder_without_a_driver_ends_when_it_is_stopped(unused_port: int, tmp_path: Path) -> None:
    folder = fill(tmp_path / "box", 1)
    feeding = Feeding(folder, unused_port)
    feeding.stop.set()
    feeding.ends()
    assert (folder / "00.vcard").exists()


def test_nobody_waits_for_a_driver_after_the_stop(unused_port: int) -> None:
    stop = threading.Event()
    stopping = StopAfter(stop, 3)
    FedReader(unused_port)._await_look(stopping)
    assert stopping.waits == 3


class StopAfter:
    """A stop event that is set after so many waits."""

    def __init__(self, stop: threading.Event, waits: int) -> None:
        self._stop, self._most, self.waits = stop, waits, 0

    def is_set(self) -> bool:
        return self._stop.is_set()

    def wait(self, timeout: float) -> bool:
        self.waits += 1
        if self.waits >= self._most:
            self._stop.set()
        return self._stop.is_set()


def test_an_image_that_is_none_ends_the_feeder(unused_port: int, tmp_path: Path) -> None:
    folder = fill(tmp_path / "box", 0)
    (folder / "00.vcard").write_text("{}")
    with pytest.raises(DecodeError):
        Feeder(Box(folder), [unused_port]).run(threading.Event())


def test_ctrl_c_ends_the_feeder(unused_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "box", 1)
    stop = threading.Event()
    calls: list[object] = []
    join = feeder._join

    def interrupted(threads: list[threading.Thread]) -> None:
        calls.append(threads)
        if len(calls) == 1:
            raise KeyboardInterrupt
        join(threads)

    monkeypatch.setattr(feeder, "_join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Feeder(Box(folder), [unused_port]).run(stop)
    assert stop.is_set()
    assert len(calls) == 2


def test_an_empty_folder_is_no_box(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no virtual cards"):
        Box(tmp_path)


def test_a_box_waits_for_what_may_come_back(tmp_path: Path) -> None:
    box, stop = Box(fill(tmp_path / "box", 1)), threading.Event()
    image = box.take(stop)
    assert image is not None
    taken: SimpleQueue[Path | None] = SimpleQueue()
    thread = threading.Thread(target=lambda: taken.put(box.take(stop)), daemon=True)
    thread.start()
    assert len(box) == 1
    box.give_back(image, End.AGAIN)
    assert taken.get(timeout=PATIENCE) == image
    box.give_back(image, End.DONE)
    assert box.take(stop) is None
    assert len(box) == 0


def test_a_card_that_cannot_be_laid_aside_is_said(tmp_path: Path) -> None:
    folder = fill(tmp_path / "box", 1)
    (folder / "done").write_text("in the way")
    box = Box(folder)
    image = box.take(threading.Event())
    assert image is not None
    with pytest.raises(InputError, match="cannot be moved"):
        box.give_back(image, End.DONE)


def test_power_that_comes_and_goes_by_itself_says_nothing() -> None:
    told: list[End] = []
    card = WatchedCard(VirtualCard.blank(load_profile("ssc-v3")), told.append)
    for change in (card.power_on, card.reset, card.power_off, card.power_on):
        change()
        assert card.atr == card.card.atr
    card.transmit(SELECT)
    card.power_off()
    assert told == []
    with pytest.raises(CardRemoved):
        _ = card.atr
    assert told == [End.DONE]


def test_every_change_is_in_the_file_before_the_card_answers(tmp_path: Path) -> None:
    [image] = fill(tmp_path / "box", 1).iterdir()
    card = load_card(image, autosave=True)
    card.power_on()
    card.transmit(bytes.fromhex("0020000003999999"))  # a wrong PIN is counted
    assert load_card(image).memory.pin.tries == card.memory.pin.tries == 5
