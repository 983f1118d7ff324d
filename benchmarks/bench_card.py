"""One full card through the real PC/SC service, against the same commands sent raw through pyscard.

The card writes every field of the model, a photo, and a permit, and is read back. The reference is what nobody can
beat: the very commands of our run, recorded before and already in pyscard's form, sent one after the other without
a look at the answers, and the very questions to the keys (challenges of the card, the seal of the permit), which no
program can know beforehand. The card is a process of its own and is blank again after each reset, and its random
numbers start anew, so that both sides find the same card in the same reader and the same authentications open it;
they take turns.

    python benchmarks/bench_card.py
"""

import multiprocessing
import random
from collections.abc import Callable
from datetime import date

from common import Row, clocked, private_pcscd, show, side_by_side, timings
from smartcard import scard

from juying.card.access import Access
from juying.card.contents import CardContents
from juying.card.pcsc import PcscTransport
from juying.card.ssc import SscCard
from juying.card.transport import Closing, Transport
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.vpcd import serve
from juying.card.writer import write_card
from juying.codec.profile import load_profile
from juying.crypto.keys import CardKey, DemonstrationKeys
from juying.model import CardIdentity, Employer, Holder, PermitCategory, Sex, WorkPermit

ROUNDS = 100
PROFILE = "ssc-v3"
SERIAL = bytes.fromhex("99110145")
COMMAND = bytes.fromhex("00B0000080")

HOLDER = Holder(
    name="ERIKSSON ANNA MARIA",
    nationality="UTO",
    birth_date=date(1974, 8, 12),
    sex=Sex.FEMALE,
    document_number="L898902C3",
    phone="10000000001",
    email="anna.maria@example.org",
    address="台州市虚构路1号",
    address_region="331002",
)
PERMIT = WorkPermit(
    number="ZJ20260001",
    category=PermitCategory.A,
    employer=Employer(name="椒江样本医药研究院", code="123310020000DDD18Q"),
    position="首席科学家",
    valid_from=date(2026, 6, 1),
    valid_until=date(2030, 5, 31),
    authority="台州市示范签发机关（样本）",
    region="331002",
)
IDENTITY = CardIdentity(
    number="JYX000010",
    issued_on=date(2026, 12, 1),
    expires_on=date(2036, 12, 1),
    institution="331000000000000000000001",
    card_class="1",
)
PHOTO = b"\xff\xd8" + bytes(range(256)) * 10 + b"\xff\xd9"
RECORD = bytes(range(245))
"""As long as a signed permit in full."""


class Forgetful(Fault):
    """A card that is blank again after every reset, and gives the same challenges again."""

    def __init__(self, card: VirtualCard, numbers: random.Random) -> None:
        super().__init__(card)
        self._blank = {address: [bytes(r) for r in records] for address, records in card.memory.files.items()}
        self._random = numbers

    def power_on(self) -> None:
        self._forget()
        super().power_on()

    def reset(self) -> None:
        self._forget()
        super().reset()

    def _forget(self) -> None:
        self._random.seed(0)
        for address, records in self.memory.files.items():
            for record, blank in zip(records, self._blank[address], strict=True):
                record[:] = blank


class Listener(Closing):
    """A transport that remembers what passed through it."""

    def __init__(self, transport: Transport) -> None:
        self.name, self.atr, self.protocol = transport.name, transport.atr, transport.protocol
        self._transport = transport
        self.exchanges: list[tuple[bytes, bytes]] = []

    def transmit(self, command: bytes) -> bytes:
        answer = self._transport.transmit(command)
        self.exchanges.append((command, answer))
        return answer


class Noting(DemonstrationKeys):
    """The demonstration keys; notes what they are asked, to be asked again."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Callable[[], bytes]] = []

    def external_answer(self, key: CardKey, challenge: bytes, original: bytes) -> bytes:
        self.asked.append(lambda: DemonstrationKeys.external_answer(self, key, challenge, original))
        return super().external_answer(key, challenge, original)

    def encipher(self, key: CardKey, data: bytes) -> bytes:
        self.asked.append(lambda: DemonstrationKeys.encipher(self, key, data))
        return super().encipher(key, data)

    def seal(self, key: CardKey, plain: bytes, context: bytes) -> bytes:
        self.asked.append(lambda: DemonstrationKeys.seal(self, key, plain, context))
        return super().seal(key, plain, context)

    def unseal(self, key: CardKey, sealed: bytes, context: bytes) -> bytes:
        self.asked.append(lambda: DemonstrationKeys.unseal(self, key, sealed, context))
        return super().unseal(key, sealed, context)


KEYS = DemonstrationKeys()


def forgetful_card() -> Forgetful:
    numbers = random.Random()
    return Forgetful(VirtualCard.blank(load_profile(PROFILE), serial=SERIAL, random=numbers.randbytes), numbers)


def serve_card(port: int) -> None:
    """The process of the card."""
    serve(forgetful_card(), port=port)


def write(transport: Transport, contents: CardContents, keys: DemonstrationKeys = KEYS) -> None:
    """Our side: find out what card it is, survey it, write, read back."""
    write_card(SscCard.open(transport, access=Access(keys=keys)), contents)


class RawCard:
    """The other side: a connection as pyscard makes it."""

    def __init__(self, reader: str, share: int) -> None:
        _, self.context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        code, self.card, protocol = scard.SCardConnect(self.context, reader, share, scard.SCARD_PROTOCOL_ANY)
        assert code == scard.SCARD_S_SUCCESS, scard.SCardGetErrorMessage(code)
        self.pci = scard.SCARD_PCI_T1 if protocol == scard.SCARD_PROTOCOL_T1 else scard.SCARD_PCI_T0

    def send(self, commands: list[list[int]]) -> list[list[int]]:
        """Send all, give back all answers."""
        return [scard.SCardTransmit(self.card, self.pci, command)[1] for command in commands]

    def close(self, how: int) -> None:
        scard.SCardDisconnect(self.card, how)
        scard.SCardReleaseContext(self.context)


def full_card(
    reader: str, contents: CardContents, exchanges: list[tuple[bytes, bytes]], asked: list[Callable[[], bytes]]
) -> list[Row]:
    """Write a blank card: ours and raw."""
    commands = [list(command) for command, _ in exchanges]
    answers = [list(answer) for _, answer in exchanges]

    def ours() -> float:
        with PcscTransport.open(reader) as transport:
            return clocked(lambda: write(transport, contents))

    def raw() -> float:
        found: list[list[int]] = []
        card = RawCard(reader, scard.SCARD_SHARE_EXCLUSIVE)
        seconds = clocked(lambda: found.extend(card.send(commands))) + clocked(lambda: [ask() for ask in asked])
        card.close(scard.SCARD_RESET_CARD)
        assert found == answers, "the card behaves as it did for us"
        return seconds

    mine, floor = timings(ours, raw, rounds=ROUNDS)
    return [
        Row("full card, best", 1e3 * mine.best, 1e3 * floor.best, "the same commands raw", target=1.25),
        Row("full card, median", 1e3 * mine.median, 1e3 * floor.median, "the same commands raw", target=1.25),
    ]


def connections(reader: str) -> Row:
    def ours() -> None:
        PcscTransport.open(reader).close()

    def raw() -> None:
        RawCard(reader, scard.SCARD_SHARE_EXCLUSIVE).close(scard.SCARD_RESET_CARD)

    mine, floor = side_by_side(ours, raw, rounds=ROUNDS)
    return Row("connect and disconnect", 1e3 * mine.median, 1e3 * floor.median, "pyscard raw")


def round_trips(reader: str) -> Row:
    """One command on two connections to the same card."""
    with PcscTransport.open(reader, exclusive=False) as transport:
        card = RawCard(reader, scard.SCARD_SHARE_SHARED)
        command = list(COMMAND)
        mine, floor = side_by_side(
            lambda: [transport.transmit(COMMAND) for _ in range(100)],
            lambda: [card.send([command]) for _ in range(100)],
            rounds=ROUNDS,
        )
        card.close(scard.SCARD_LEAVE_CARD)
    return Row("one command", 1e4 * mine.best, 1e4 * floor.best, "pyscard raw", unit="µs")


def in_process(contents: CardContents, exchanges: list[tuple[bytes, bytes]]) -> list[Row]:
    """Without PC/SC, to see what our own code takes."""
    card = forgetful_card()

    def ours() -> float:
        with LocalTransport(card) as transport:
            return clocked(lambda: write(transport, contents))

    def raw() -> float:
        with LocalTransport(card) as transport:
            return clocked(lambda: [transport.transmit(command) for command, _ in exchanges])

    mine, floor = timings(ours, raw, rounds=ROUNDS)
    return [
        Row("full card in process", 1e3 * mine.best, 1e3 * floor.best, "the virtual card alone"),
        Row("cards in process", 1 / mine.best, unit="per second"),
    ]


def main() -> None:
    contents = CardContents.of(HOLDER, PERMIT, IDENTITY, photo=PHOTO, permit_record=RECORD)
    with LocalTransport(forgetful_card()) as transport:
        listener, keys = Listener(transport), Noting()
        write(listener, contents, keys)
    exchanges = listener.exchanges
    sent = sum(len(command) + len(answer) for command, answer in exchanges)
    with private_pcscd() as pcscd:
        slot = pcscd.slots[0]
        card = multiprocessing.get_context("spawn").Process(target=serve_card, args=(slot.port,), daemon=True)
        card.start()
        pcscd.wait_for_card(slot.name, present=True)
        rows = [*full_card(slot.name, contents, exchanges, keys.asked), connections(slot.name), round_trips(slot.name)]
        card.terminate()
        card.join()
    rows += in_process(contents, exchanges)
    show(f"{PROFILE}: {len(exchanges)} commands, {sent} bytes both ways; {ROUNDS} cards each", rows)


if __name__ == "__main__":
    main()
