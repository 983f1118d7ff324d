"""The audit of a lot: real cards read back, in any order, into one table."""

import csv
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import TearAfterCommand
from juying.card.virtual.image import load_card
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.errors import InputError
from juying.issuance.blanks import VirtualBlanks
from juying.issuance.changes import apply_application
from juying.issuance.lot_audit import AuditLine, LotAudit, Seen, save_audit
from juying.issuance.permit_kinds import Kind
from juying.issuance.run import issue_rows
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.states import Role
from tests import people
from tests.issuance.test_lots import FACTORY, applicant, rows, with_holder

PROFILE = load_profile("ssc-v3")
NUMBERS = ("JY0000010", "JY0000029", "JY0000037")


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ledger, Path]]:
    """A lot of three cards, and another of one; all on virtual cards."""
    folder = tmp_path_factory.mktemp("audit")
    with Ledger.open(folder / "office.db", region="331000", clock=lambda: people.NOW) as ledger:
        blanks, office = VirtualBlanks(PROFILE, "331000"), people.office()
        for name, numbers in (("morning", (0, 1, 2)), ("evening", (3,))):
            sheet = rows(*(applicant(number) for number in numbers))
            done = list(issue_rows(ledger, ledger.local, office, sheet, folder, blanks, name=name, profile=PROFILE))
            assert all(result.outcome.good for result in done)
        yield ledger, folder


def card(folder: Path, number: str) -> VirtualCard:
    return load_card(folder / number / "card.vcard")


def see(audit: LotAudit, image: VirtualCard | TearAfterCommand, name: str = "reader") -> AuditLine:
    with LocalTransport(image, name=name) as transport:
        return audit.see(transport)


def test_every_card_against_its_order(issued: tuple[Ledger, Path]) -> None:
    ledger, folder = issued
    audit = LotAudit(ledger, ledger.local, 1)
    assert [line.seen for line in audit.lines()] == [Seen.MISSING] * 3
    second = see(audit, card(folder, NUMBERS[1]), "reader B")
    assert (second.seen, second.order, second.position, second.box, second.card_number, second.where) == (
        Seen.MATCHED, 2, 2, 1, NUMBERS[1], "reader B",
    )  # fmt: skip
    changed = card(folder, NUMBERS[0])
    changed.memory.files["SSSE/EF05"][5] = bytearray(bytes.fromhex("0604") + bytes.fromhex("20200101"))
    first = see(audit, changed)
    assert (first.seen, [title.en for title in first.differences]) == (Seen.DIFFERS, ["date of expiry"])
    assert see(audit, card(folder, "JY0000045")).seen is Seen.NOT_IN_LOT
    assert see(audit, VirtualCard.blank(PROFILE)).seen is Seen.NOT_IN_LOT
    assert see(audit, TearAfterCommand(VirtualCard.blank(PROFILE), 3)).seen is Seen.UNREADABLE
    assert len(audit) == 1
    assert audit.counts() == {
        Seen.MATCHED: 1, Seen.DIFFERS: 1, Seen.NOT_IN_LOT: 2, Seen.UNREADABLE: 1, Seen.MISSING: 1,
    }  # fmt: skip
    assert [line.position for line in audit.lines()] == [1, 2, 3, None, None, None]
    assert see(audit, card(folder, NUMBERS[0])).seen is Seen.MATCHED, "seen again, it counts as seen last"


def test_the_table_as_a_file(issued: tuple[Ledger, Path], tmp_path: Path) -> None:
    ledger, folder = issued
    audit = LotAudit(ledger, ledger.local, 1)
    see(audit, card(folder, NUMBERS[0]))
    save_audit(audit.lines(), tmp_path / "audit.csv")
    with (tmp_path / "audit.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["result"] for line in lines] == ["matched", "missing", "missing"]
    assert lines[0] == {
        "result": "matched", "order": "1", "position": "1", "box": "1", "card_number": NUMBERS[0], "where": "reader",
        "differences": "",
    }  # fmt: skip
    assert stat.S_IMODE((tmp_path / "audit.csv").stat().st_mode) == 0o600
    assert NUMBERS[0] not in repr(audit.lines())


def test_an_audit_needs_some_role(issued: tuple[Ledger, Path]) -> None:
    ledger, _ = issued
    assert len(LotAudit(ledger, Actor(1, "x", frozenset({Role.AUDITOR})), 1)) == 3
    with pytest.raises(InputError, match="lacks the role"):
        LotAudit(ledger, Actor(1, "x", frozenset()), 1)


def test_a_card_whose_update_waits_differs_and_one_that_is_lost_is_not_expected(issued: tuple[Ledger, Path]) -> None:
    ledger, folder = issued
    phone = with_holder(applicant(1), phone="10000000099")
    with ledger.transaction(ledger.local) as tx:
        moved = applicant(0, FACTORY)
        apply_application(tx, Kind.TRANSFER, 1, moved.holder, moved.permit)
        apply_application(tx, Kind.CHANGE, 2, phone.holder, phone.permit)
        apply_application(tx, Kind.LOSS, 3)
    audit = LotAudit(ledger, ledger.local, 1)
    assert len(audit) == 2
    assert see(audit, card(folder, NUMBERS[0])).seen is Seen.MATCHED, "the chip is as it was written last"
    second = see(audit, card(folder, NUMBERS[1]))
    assert (second.seen, bool(second.differences)) == (Seen.DIFFERS, True)
    assert see(audit, card(folder, NUMBERS[2])).seen is Seen.NOT_IN_LOT
