"""``juying issue --reader``: cards put in and taken out one after the other, through the real PC/SC service.

The clerk is a thread that does what the program asks for: it follows standard error.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from juying.card.ssc import SscCard
from juying.card.virtual.card import Card, VirtualCard
from juying.card.virtual.faults import TearAfterCommand
from juying.card.virtual.image import load_card
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from tests.cli.clerk import Clerk
from tests.cli.conftest import Juying
from tests.cli.desk import applicant, sheet
from tests.harness import PrivatePcscd, Slot


class Feeding(Clerk):
    """Puts in the next card whenever the program asks for one; a card that lies in the reader already is left there."""

    def hear(self, line: str) -> None:
        super().hear(line)
        if "insert the card" in line and not self.reader.inserted and self.cards:
            self.reader.insert(self.cards.pop(0))


Work = Callable[..., tuple[int, Clerk]]


@pytest.fixture
def work(juying: Juying, private_pcscd: PrivatePcscd, pcsc_reader: Slot, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Issue a sheet with these cards at hand; exit status, and what the clerk was told."""

    def issue(path: Path, cards: list[Card], *more: str) -> tuple[int, Clerk]:
        with Feeding(private_pcscd, pcsc_reader, cards) as clerk, monkeypatch.context() as patch:
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


def test_wrong_cards_are_refused_untouched_and_the_right_one_taken_for_the_same_row(
    work: Work, issued: Path, juying: Juying
) -> None:
    """A card of another ledger, and one that is somebody's in this one."""
    assert juying("issue", sheet(applicant(3)), "--out", "elsewhere").status == 0
    wrong: list[Card] = [load_card("elsewhere/JY0000010/card.vcard"), load_card("out/JYX000010/card.vcard")]
    before = [memory(card) for card in wrong if isinstance(card, VirtualCard)]
    right = blank()
    status, clerk = work(sheet(applicant(2)), [*wrong, right])
    assert (status, outcomes()) == (0, ["issued"])
    assert [memory(card) for card in wrong if isinstance(card, VirtualCard)] == before
    assert right.state == "personalised"
    for reason in ("is not in the ledger; nothing was changed: take it out", "is issued already: take it out"):
        assert any(reason in line for line in clerk.said), reason


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


def test_what_is_done_asks_for_no_card_and_what_changes_for_the_card_that_the_holder_has(work: Work) -> None:
    card = blank()
    assert work(sheet(applicant(0)), [card])[0] == 0
    status, clerk = work(sheet(applicant(0)), [])
    assert (status, outcomes()) == (0, ["unchanged"])
    assert not any("insert" in line for line in clerk.said)
    moved = applicant(0, employer_name="台州虚构缝制设备有限公司", employer_code="91331002MA00AAA100")
    status, clerk = work(sheet(moved), [blank(), card])
    assert (status, outcomes()) == (0, ["issued"])
    assert sum("insert the card for number JY0000010" in line for line in clerk.said) == 2
    with LocalTransport(card) as transport:
        assert [slot.sequence if slot else None for slot in SscCard.open(transport).read_slots()] == [1, 2]


def test_a_reader_that_is_not_there_is_a_reader_fault(juying: Juying, private_pcscd: PrivatePcscd) -> None:
    done = juying("issue", sheet(applicant()), "--out", "out", "--reader", "No Such Reader", "--json")
    assert (done.status, done.document["error"]["kind"]) == (4, "ReaderUnavailable")
    assert not Path("out").exists()
