"""``juying ledger verify``: the chain, the records, and cards held against them, as images and in a reader."""

import _thread
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import save_card
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.vpcd import VirtualReader
from juying.issuance.production import Outcome, Production
from juying.ledger import schema
from juying.ledger.ledger import Ledger
from juying.ledger.operators import Operators
from juying.ledger.sessions import Sessions
from juying.ledger.states import Role
from tests import issuing
from tests.cli.clerk import Clerk
from tests.cli.conftest import Juying
from tests.harness import PrivatePcscd, Slot
from tests.issuing import add_lot, blank
from tests.ledger.test_verify import tamper

LOT = "day one"
CARDS = 3


@pytest.fixture
def cards(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[VirtualCard]:
    """A ledger with a lot of finished cards, whose images lie in the folder ``box``."""
    monkeypatch.setenv("JUYING_LEDGER", "ledger.db")
    made = [blank() for _ in range(CARDS)]
    with Ledger.open("ledger.db", region="331000") as ledger:
        add_lot(ledger, CARDS)
        production = Production(ledger, issuing.office(), ledger.local)
        for number, card in enumerate(made, 1):
            with LocalTransport(card) as transport:
                assert production.work(transport).outcome is Outcome.SEALED
            folder = home / "box" / str(number)
            folder.mkdir(parents=True)
            save_card(card, folder / "card.vcard")
    return made


def forge(statement: sa.Executable) -> None:
    with Ledger.open("ledger.db") as ledger:
        tamper(ledger, statement)


def orders() -> list[int]:
    with Ledger.open("ledger.db") as ledger:
        return [row.id for row in issuing.rows(ledger, schema.orders)]


def test_a_ledger_that_nobody_touched(juying: Juying, cards: list[VirtualCard]) -> None:
    done = juying("ledger", "verify")
    assert done.status == 0
    assert "the chain is whole" in done.out
    assert "the records agree with the events" in done.out
    document = juying("ledger", "verify", "--json").document
    assert (document["whole"], document["findings"], document["cards"], document["missing"]) == (True, [], [], [])
    number, _, digits = document["head"].partition(":")
    assert (int(number), len(digits)) == (document["events"], 64)
    assert juying("ledger", "verify", "--head", document["head"]).status == 0


def test_a_forged_event_and_a_forged_record(juying: Juying, cards: list[VirtualCard]) -> None:
    head = juying("ledger", "verify", "--json").document["head"]
    forge(sa.update(schema.events).where(schema.events.c.number == 3).values(kind="lunch"))
    forge(sa.update(schema.orders).values(state="cancelled"))
    done = juying("ledger", "verify")
    assert done.status == 1
    assert "the chain is not whole" in done.out
    assert "events/3: " in done.out
    assert "its state is not what its events say" in done.out
    found = juying("ledger", "verify", "--json", "--head", head.replace(":", ":", 1)).document
    assert found["whole"] is False
    assert {finding["where"] for finding in found["findings"]} >= {"events/3", "orders/1"}


def test_a_head_that_is_none_or_of_another_ledger(juying: Juying, cards: list[VirtualCard]) -> None:
    assert juying("ledger", "verify", "--head", "yesterday").status == 2
    done = juying("ledger", "verify", "--head", "2:" + "ab" * 32)
    assert done.status == 1
    assert "not as the head noted earlier says" in done.out


def test_one_card(juying: Juying, cards: list[VirtualCard]) -> None:
    image = Path("box/2/card.vcard")
    before = image.read_bytes()
    done = juying("ledger", "verify", "--virtual", image)
    assert done.status == 0
    assert f"orders/{orders()[1]} 一致 / agrees" in done.out
    document = juying("ledger", "verify", "--virtual", image, "--json").document
    assert document["cards"] == [
        {
            "where": str(image), "agreement": "agrees", "card": 2, "order": orders()[1], "differences": [],
            "text": {"zh": "此卡已发出，请取出", "en": "this card is issued already: take it out"},
        }
    ]  # fmt: skip
    assert image.read_bytes() == before


def test_a_card_that_differs(juying: Juying, cards: list[VirtualCard]) -> None:
    forge(sa.update(schema.cards).where(schema.cards.c.id == 2).values(number=issuing.number_of(99)))
    done = juying("ledger", "verify", "--virtual", "box/2/card.vcard")
    assert done.status == 1
    assert "不一致 / differs" in done.out
    assert "JY0000" not in done.out


def test_a_card_that_the_ledger_does_not_know(juying: Juying, cards: list[VirtualCard]) -> None:
    save_card(blank(), Path("other.vcard"))
    done = juying("ledger", "verify", "--virtual", "other.vcard")
    assert done.status == 1
    assert "台账中没有 / not in the ledger" in done.out


def test_an_image_that_cannot_be_read_is_bad_input(juying: Juying, cards: list[VirtualCard]) -> None:
    Path("torn.vcard").write_text("{")
    assert juying("ledger", "verify", "--virtual", "torn.vcard").status == 2


def test_keys_that_open_no_card(juying: Juying, cards: list[VirtualCard]) -> None:
    assert juying("ledger", "verify", "--keys", "demo", "--virtual", "box/1/card.vcard").status == 0


def test_a_whole_lot(juying: Juying, cards: list[VirtualCard]) -> None:
    done = juying("ledger", "verify", "--lot", LOT, "--images", "box")
    assert done.status == 0
    assert done.out.count("一致 / agrees") == CARDS
    assert "all cards of the lot were seen" in done.out


def test_a_lot_with_a_card_missing_and_one_that_cannot_be_read(juying: Juying, cards: list[VirtualCard]) -> None:
    Path("box/1/card.vcard").unlink()
    Path("box/3/card.vcard").write_text("{")
    done = juying("ledger", "verify", "--lot", LOT, "--images", "box")
    first, _, third = orders()
    assert done.status == 1
    assert "读不出 / cannot be read" in done.out
    assert f"cards that were not seen, of orders {first}, {third}" in done.out
    document = juying("ledger", "verify", "--lot", LOT, "--images", "box", "--json").document
    assert document["missing"] == [first, third]
    assert [card["agreement"] for card in document["cards"]] == ["agrees", "unreadable"]


def test_images_without_a_lot(juying: Juying, cards: list[VirtualCard]) -> None:
    Path("box/1/card.vcard").unlink()
    document = juying("ledger", "verify", "--images", "box", "--json").document
    assert len(document["cards"]) == CARDS - 1
    assert document["missing"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "box", "--virtual", "box/1/card.vcard"], "exclude each other"),
        (["--images", "nowhere"], "no such folder"),
        (["--lot", "day nine", "--images", "box"], "no such lot"),
    ],
)
def test_bad_use(juying: Juying, cards: list[VirtualCard], arguments: list[str], message: str) -> None:
    done = juying("ledger", "verify", *arguments)
    assert done.status == 2
    assert message in done.err


def test_it_is_for_auditors_and_supervisors(
    juying: Juying, cards: list[VirtualCard], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with Ledger.open("ledger.db") as ledger:
        operators, sessions = Operators(ledger, cheap), Sessions(ledger, hasher=cheap)
        secret = "correct horse battery"
        fang = operators.add(ledger.local, "王芳", [Role.SUPERVISOR], secret).actor()
        operators.add(fang, "李雷", [Role.ISSUING], secret)
        operators.add(fang, "韩梅梅", [Role.AUDITOR], secret)
        tokens = {name: sessions.login(name, secret).token for name in ("王芳", "李雷", "韩梅梅")}
    statuses = {}
    for name, token in tokens.items():
        monkeypatch.setenv("JUYING_SESSION", token)
        statuses[name] = juying("ledger", "verify").status
    assert statuses == {"王芳": 0, "李雷": 2, "韩梅梅": 0}


# In a reader


class Comparing(Clerk):
    """Puts in the next card whenever the program asks for it. When there is none left, Ctrl-C is pressed."""

    def hear(self, line: str) -> None:
        super().hear(line)
        if line.endswith(" 0 to go"):
            return
        if self.cards:
            self.reader.insert(self.cards.pop(0))
        else:
            _thread.interrupt_main()


Verify = Callable[..., tuple[int, str]]


@pytest.fixture
def with_clerk(
    juying: Juying, private_pcscd: PrivatePcscd, pcsc_reader: Slot, monkeypatch: pytest.MonkeyPatch
) -> Verify:
    def verify(cards: list[VirtualCard], *arguments: str) -> tuple[int, str]:
        with Comparing(private_pcscd, pcsc_reader, cards) as clerk, monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", clerk)
            done = juying("ledger", "verify", "--lot", LOT, "--reader", pcsc_reader.name, *arguments)
        private_pcscd.wait_for_card(pcsc_reader.name, present=False)
        return done.status, done.out

    return verify


def test_a_lot_through_a_reader(with_clerk: Verify, cards: list[VirtualCard]) -> None:
    status, out = with_clerk([cards[1], blank(), cards[0], cards[2]], "--json")
    document = json.loads(out)
    assert status == 1, "there was a card among them that is none of the ledger's"
    assert [card["agreement"] for card in document["cards"]] == ["agrees", "unknown", "agrees", "agrees"]
    assert document["missing"] == []


def test_ctrl_c_ends_it_with_what_is_missing(with_clerk: Verify, cards: list[VirtualCard]) -> None:
    status, out = with_clerk([cards[1]])
    first, _, third = orders()
    assert status == 1
    assert f"cards that were not seen, of orders {first}, {third}" in out


def test_one_card_in_a_reader(
    juying: Juying, cards: list[VirtualCard], private_pcscd: PrivatePcscd, pcsc_reader: Slot
) -> None:
    reader = VirtualReader(port=pcsc_reader.port)
    reader.insert(cards[0])
    private_pcscd.wait_for_card(pcsc_reader.name, present=True)
    done = juying("ledger", "verify", "--reader", pcsc_reader.name)
    reader.remove()
    private_pcscd.wait_for_card(pcsc_reader.name, present=False)
    assert done.status == 0
    assert "一致 / agrees" in done.out


def test_an_empty_reader_is_a_fault(juying: Juying, cards: list[VirtualCard], pcsc_reader: Slot) -> None:
    assert juying("ledger", "verify", "--reader", pcsc_reader.name).status == 4
