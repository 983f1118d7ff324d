"""``juying issue --reader``: cards put in and taken out one after the other, through the real PC/SC service.

The clerk is a thread that does what the program asks for: it follows standard error.
"""

import io
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from juying.card.virtual.card import Card, VirtualCard
from juying.card.virtual.faults import TearAfterCommand
from juying.card.virtual.image import load_card
from juying.card.virtual.vpcd import VirtualReader
from juying.codec.profile import load_profile
from tests.cli.conftest import Juying
from tests.cli.desk import applicant, sheet
from tests.harness import PrivatePcscd, Slot


class Clerk(io.StringIO):
    """Standard error, read by somebody who puts in the next card whenever the program asks for one.

    A card that lies in the reader already is left there.
    """

    def __init__(self, pcscd: PrivatePcscd, slot: Slot, cards: list[Card]) -> None:
        super().__init__()
        self.said: list[str] = []
        self._pcscd, self._slot, self._cards = pcscd, slot, cards
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = VirtualReader(port=slot.port)
        self._thread = threading.Thread(target=self._work)

    def write(self, text: str) -> int:
        for line in text.splitlines():
            self._lines.put(line)
        return len(text)

    def __enter__(self) -> "Clerk":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.put(None)
        self._thread.join()
        self._reader.remove()

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            self.said.append(line)
            if "take the card out" in line:
                self._reader.remove()
                self._pcscd.wait_for_card(self._slot.name, present=False)
            elif "insert the card" in line and not self._reader.inserted and self._cards:
                self._reader.insert(self._cards.pop(0))


Work = Callable[..., tuple[int, Clerk]]


@pytest.fixture
def work(
    juying: Juying, private_pcscd: PrivatePcscd, pcsc_reader: Slot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Work]:
    """Issue a sheet with these cards at hand; exit status, and what the clerk was told."""

    def issue(path: Path, cards: list[Card], *more: str) -> tuple[int, Clerk]:
        with Clerk(private_pcscd, pcsc_reader, cards) as clerk, monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", clerk)
            status = juying("issue", path, "--out", "out", "--reader", pcsc_reader.name, *more).status
        private_pcscd.wait_for_card(pcsc_reader.name, present=False)
        return status, clerk

    return issue


def blank() -> VirtualCard:
    return VirtualCard.blank(load_profile("ssc-v3"))


def outcomes() -> list[str]:
    return [line.split(",")[1] for line in Path("out/report.csv").read_text("utf-8").splitlines()[1:]]


def memory(card: VirtualCard) -> dict[str, list[bytes]]:
    return {address: [bytes(record) for record in records] for address, records in card.memory.files.items()}


def test_two_blank_cards_become_two_cards(work: Work) -> None:
    cards = [blank(), blank()]
    status, clerk = work(sheet(applicant(0), applicant(1)), list(cards))
    assert (status, outcomes()) == (0, ["issued", "issued"])
    assert [card.state for card in cards] == ["personalised", "personalised"]
    numbers = [bytes(card.memory.files["SSSE/EF05"][6])[2:] for card in cards]
    assert numbers == [b"JY0000010", b"JY0000029"]
    assert [line for line in clerk.said if "卡片" in line] == [
        "请放入卡号 JY0000010 的卡片 / insert the card for number JY0000010",
        "请取出卡片 / take the card out",
        "请放入卡号 JY0000029 的卡片 / insert the card for number JY0000029",
    ]
    assert not list(Path("out").glob("*/card.vcard")), "the card is in somebody's hand, not on the disk"
    assert len(list(Path("out").glob("*/credential.png"))) == 2


def test_a_foreign_card_is_refused_untouched_and_the_right_one_taken_for_the_same_row(work: Work, issued: Path) -> None:
    foreign, right = load_card("out/JYX000010/card.vcard"), blank()
    before = memory(foreign)
    status, clerk = work(sheet(applicant(2)), [foreign, right])
    assert (status, outcomes()) == (0, ["issued"])
    assert memory(foreign) == before
    assert right.state == "personalised"
    assert any("nothing was changed: take it out" in line for line in clerk.said)


def test_a_card_that_is_torn_out_is_finished_when_it_comes_back(work: Work) -> None:
    card = blank()
    status, clerk = work(sheet(applicant(0)), [TearAfterCommand(card, 70), card])
    assert (status, outcomes()) == (0, ["issued"])
    assert card.state == "personalised"
    assert sum("insert the card" in line for line in clerk.said) == 2


def test_the_row_fails_when_three_cards_fail_and_the_next_row_goes_on(work: Work, issued: Path) -> None:
    foreign = [load_card("out/JYX000010/card.vcard") for _ in range(3)]
    right = blank()
    status, clerk = work(sheet(applicant(2), applicant(3)), [*foreign, right])
    assert (status, outcomes()) == (1, ["failed", "issued"])
    assert right.state == "personalised"
    assert sum("insert the card" in line for line in clerk.said) == 4


def test_cards_of_an_earlier_run_are_recognised(work: Work) -> None:
    card = blank()
    path = sheet(applicant(0))
    assert work(path, [card])[0] == 0
    before = memory(card)
    assert work(path, [card])[0] == 0
    assert outcomes() == ["unchanged"]
    assert memory(card) == before


def test_a_reader_that_is_not_there_is_a_reader_fault(juying: Juying, private_pcscd: PrivatePcscd) -> None:
    done = juying("issue", sheet(applicant()), "--out", "out", "--reader", "No Such Reader", "--json")
    assert (done.status, done.document["error"]["kind"]) == (4, "ReaderUnavailable")
    assert not Path("out").exists()
