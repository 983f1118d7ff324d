"""Handing cards over: what stands on a list, that it is the same when asked for again, its signature, and delivery."""

import hashlib
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pypdfium2
import pytest
import sqlalchemy as sa
import zxingcpp

from juying.codec import cbor, fonts, signed_file
from juying.credential.trust import TrustList
from juying.credential.trusted_key import KeyUse
from juying.crypto.signing import Algorithm, SoftwareSigner
from juying.errors import DecodeError, InputError, KeyUseError
from juying.issuance import handover
from juying.issuance.handover import Delivered, Made, Making, deliver, is_current, make_lists
from juying.issuance.handover_pdf import HandoverList, ListedCard, draw_list
from juying.issuance.handover_signature import MEDIA_TYPE, sign_list, verify_list
from juying.ledger import schema
from juying.ledger.approvals import give
from juying.ledger.ledger import Actor, Ledger
from juying.ledger.operators import Operators
from juying.ledger.states import CardState, OrderState, Role
from juying.ledger.verify import Head, verify_chain
from juying.text import Text
from tests.issuance.lots import FACTORY, INSTITUTE, LOT, Clock, Desk, card_number, permit_number
from tests.people import LONG_NAME, NOW, trusted


@dataclass
class Office(Desk):
    """A desk with a signing key and a folder."""

    folder: Path = Path()
    signer: SoftwareSigner | None = None
    trust: TrustList | None = None

    def make_lists(self, **options: str) -> list[Made]:
        assert self.signer
        assert self.trust
        return make_lists(self.ledger, self.actor, LOT, self.folder, signer=self.signer, trust=self.trust, **options)

    def deliver(self, number: int, *missing: str) -> Delivered:
        return deliver(self.ledger, self.actor, number, missing)


@pytest.fixture
def office(database: str, tmp_path: Path) -> Iterator[Office]:
    clock, signer = Clock(), SoftwareSigner.generate()
    with Ledger.open(database, region="331000", clock=clock) as ledger:
        trust = TrustList([trusted(signer)])
        yield Office(ledger, clock, folder=tmp_path / "lists", signer=signer, trust=trust)


def pages(pdf: bytes) -> list[str]:
    """The text of every page."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.get_textpage().get_text_range() for page in document]
    finally:
        document.close()


def text(made: Made) -> str:
    return "\n".join(pages(made.file.read_bytes()))


# Lists.


def test_every_employer_gets_a_list_of_its_cards(office: Office) -> None:
    office.import_lot(5, [INSTITUTE, FACTORY])
    office.make(4)
    first, second = office.make_lists()
    assert [(made.number, made.employer, made.count, made.making, made.left_out) for made in (first, second)] == [
        (1, INSTITUTE, 2, Making.NEW, 0), (2, FACTORY, 2, Making.NEW, 0),
    ]  # fmt: skip
    for made, mine, others in ((first, (1, 3), (2, 4, 5)), (second, (2, 4), (1, 3, 5))):
        shown = text(made)
        assert made.employer.name in shown
        assert made.employer.code in shown
        for position in mine:
            assert shown.count(card_number(position)) == 1
            assert permit_number(position - 1)[-4:] in shown
            assert permit_number(position - 1) not in shown
        assert not [position for position in others if card_number(position) in shown]
    for words in (
        "MUSTER MAXA",
        "MUSTER MAXC",
        LOT,
        "测试签发机关",
        "issuer of the tests",
        "2026-12-01",
        "盖章",
        "共 2 张",
    ):
        assert words in text(first)
    assert "SPECIMEN" not in text(first)
    assert office.events("handover-made") == ["handover-made"] * 2


def test_one_employer_alone(office: Office) -> None:
    office.import_lot(4, [INSTITUTE, FACTORY])
    office.make(4)
    (made,) = office.make_lists(employer=f" {FACTORY.code.lower()} ")
    assert (made.number, made.employer) == (1, FACTORY)


def test_the_files_are_for_their_owner_only(office: Office) -> None:
    office.import_lot(1)
    office.make()
    (made,) = office.make_lists()
    assert {path.name for path in office.folder.iterdir()} == {"hand-over-1.pdf", "hand-over-1.pdf.sig"}
    assert [stat.S_IMODE(path.stat().st_mode) for path in (office.folder, made.file, made.signature)] == [
        0o700, 0o600, 0o600,
    ]  # fmt: skip
    assert "MUSTER" not in repr(made)
    assert INSTITUTE.name not in repr(made)


def test_nothing_to_hand_over_is_said(office: Office) -> None:
    office.import_lot(2)
    with pytest.raises(InputError, match="no card to hand over"):
        office.make_lists()
    office.make()
    with pytest.raises(InputError, match="no card to hand over"):
        office.make_lists(employer=FACTORY.code)
    with pytest.raises(InputError, match="no such lot"):
        make_lists(office.ledger, office.actor, "?", office.folder, signer=office.signer, trust=office.trust)
    assert not office.folder.exists()


def test_who_may_hand_over(office: Office) -> None:
    office.import_lot(1)
    office.make()
    auditor = Actor(1, "auditor", frozenset({Role.AUDITOR}))
    with pytest.raises(InputError, match="role"):
        make_lists(office.ledger, auditor, LOT, office.folder, signer=office.signer, trust=office.trust)
    with pytest.raises(InputError, match="role"):
        deliver(office.ledger, auditor, 1)


def test_lost_and_suspended_cards_are_left_out(office: Office) -> None:
    office.import_lot(4)
    office.make(4)
    office.card_becomes(2, CardState.LOST)
    office.card_becomes(3, CardState.SUSPENDED)
    (made,) = office.make_lists()
    assert (made.count, made.left_out) == (2, 2)
    assert "另有 2 张已挂失、暂停或注销，未列入" in text(made)
    assert card_number(2) not in text(made)
    (again,) = office.make_lists()
    assert (again.making, again.left_out) == (Making.AGAIN, 2)
    assert office.deliver(1) == Delivered(1, 2, left_out=2)
    office.card_becomes(3, CardState.LIVE)
    (later,) = office.make_lists()
    assert (later.number, later.count, later.left_out) == (2, 1, 1)


def test_a_card_that_is_good_again_comes_back_onto_its_list(office: Office) -> None:
    office.import_lot(2)
    office.make(2)
    office.card_becomes(2, CardState.SUSPENDED)
    office.make_lists()
    office.card_becomes(2, CardState.LIVE)
    (made,) = office.make_lists()
    assert (made.number, made.edition, made.count, made.left_out) == (1, 2, 2, 0)


# The same list again.


def test_asking_again_gives_the_same_list(office: Office) -> None:
    office.import_lot(4, [INSTITUTE, FACTORY])
    office.make(4)
    first = office.make_lists()
    before = {path.name: path.read_bytes() for path in office.folder.iterdir()}
    events = office.events()
    office.clock.sleep(days=1)
    again = office.make_lists()
    assert again == [replace(made, making=Making.AGAIN) for made in first]
    assert {path.name: path.read_bytes() for path in office.folder.iterdir()} == before
    assert office.events() == events


def test_a_list_whose_files_are_gone_is_written_again(office: Office) -> None:
    office.import_lot(2)
    office.make(2)
    (made,) = office.make_lists()
    before = made.file.read_bytes()
    made.file.unlink()
    made.signature.write_bytes(b"\xd2rubbish")
    office.make_lists()
    assert made.file.read_bytes() == before
    assert verify_list(before, made.signature.read_bytes(), office.trust, now=NOW).number == 1


def test_cards_made_later_are_on_another_list(office: Office) -> None:
    office.import_lot(3)
    office.make(2)
    office.make_lists()
    office.make(1)
    first, second = office.make_lists()
    assert (first.number, first.count, first.making) == (1, 2, Making.AGAIN)
    assert (second.number, second.count, second.making) == (2, 1, Making.NEW)
    assert card_number(3) in text(second)


def test_a_changed_list_keeps_its_number_and_has_a_new_edition(office: Office) -> None:
    office.import_lot(3)
    office.make(3)
    (old,) = office.make_lists()
    paper = old.file.read_bytes(), old.signature.read_bytes()
    office.rename(1, "MUSTERFRAU ERIKA")
    office.card_becomes(2, CardState.LOST)
    office.clock.sleep(days=1)
    (new,) = office.make_lists()
    assert (new.number, new.edition, new.making, new.count, new.left_out) == (1, 2, Making.CHANGED, 2, 1)
    assert "1（第 2 版）" in text(new)
    assert "MUSTERFRAU ERIKA" in text(new)
    assert "2026-12-02" in text(new)
    assert card_number(2) not in text(new)
    (again,) = office.make_lists()
    assert (again.edition, again.making) == (2, Making.AGAIN)
    signed = [
        verify_list(*files, office.trust, now=office.clock())
        for files in (paper, (new.file.read_bytes(), new.signature.read_bytes()))
    ]
    assert [is_current(office.ledger, each) for each in signed] == [False, True]
    assert office.events("handover-made") == ["handover-made"] * 2


def test_the_ledger_holds_the_hash_and_the_list_holds_the_ledgers(office: Office) -> None:
    office.import_lot(1)
    office.make()
    (made,) = office.make_lists()
    with office.ledger.reading() as db:
        row = db.execute(sa.select(schema.handovers)).one()
        assert (row.id, row.count, row.document_hash) == (1, 1, hashlib.sha256(made.file.read_bytes()).digest())
        events = db.execute(sa.select(schema.events).order_by(schema.events.c.number)).all()
        noted = events[-1]
        head = Head(noted.number - 1, noted.previous)
        assert str(head) in text(made).replace("\r\n", "")
        assert verify_chain(db, head=head).whole
        assert (noted.handover_id, noted.lot_id) == (1, office.lot)
        assert row.document_hash.hex() in noted.details


def test_two_desks_that_make_a_list_at_the_same_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one list is drawn, another desk takes its number, and cards of it are lost: it is drawn anew."""
    office.import_lot(6, [INSTITUTE, FACTORY])
    office.make(6)
    others = iter([lambda: office.make_lists(employer=FACTORY.code), lambda: office.card_becomes(1, CardState.LOST)])

    def draw(content: HandoverList) -> bytes:
        pdf = draw_list(content)
        next(others, lambda: None)()
        return pdf

    monkeypatch.setattr(handover, "draw_list", draw)
    (made,) = office.make_lists(employer=INSTITUTE.code)
    assert (made.number, made.count, made.left_out) == (2, 2, 1)
    assert card_number(1) not in text(made)
    assert "移交清单" in text(made)
    with office.ledger.reading() as db:
        assert db.execute(sa.select(schema.handovers.c.id, schema.handovers.c.count)).all() == [(1, 3), (2, 2)]


def test_a_ledger_that_never_keeps_still(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.import_lot(9)
    office.make(9)
    lost = iter(range(1, 10))

    def draw(content: HandoverList) -> bytes:
        office.card_becomes(next(lost), CardState.LOST)
        return b"%PDF"

    monkeypatch.setattr(handover, "draw_list", draw)
    with pytest.raises(InputError, match="changed at the same time"):
        office.make_lists()
    with office.ledger.reading() as db:
        assert db.execute(sa.select(schema.handovers)).all() == []


def test_two_new_editions_at_the_same_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.import_lot(2)
    office.make(2)
    office.make_lists()
    office.rename(1, "MUSTERFRAU ERIKA")
    desks = iter([lambda: None, office.make_lists])

    def draw(content: HandoverList) -> bytes:
        pdf = draw_list(content)
        next(desks, lambda: None)()
        return pdf

    monkeypatch.setattr(handover, "draw_list", draw)
    with pytest.raises(InputError, match="changed at the same time"):
        office.make_lists()
    (made,) = office.make_lists()
    assert (made.edition, made.making) == (2, Making.AGAIN)


def test_all_cards_lost_while_a_list_is_made_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.import_lot(1)
    office.make()
    office.make_lists()
    office.rename(1, "MUSTERFRAU ERIKA")

    def draw(content: HandoverList) -> bytes:
        office.card_becomes(1, CardState.LOST)
        return b"%PDF"

    monkeypatch.setattr(handover, "draw_list", draw)
    with pytest.raises(InputError, match="changed at the same time"):
        office.make_lists()


def test_a_folder_that_cannot_be_written(office: Office) -> None:
    office.import_lot(1)
    office.make()
    office.folder.write_text("in the way")
    with pytest.raises(InputError, match="folder"):
        office.make_lists()
    office.folder.unlink()
    (made,) = office.make_lists()
    assert (made.number, made.making) == (1, Making.AGAIN)
    assert made.signature.exists()


# Delivery.


def test_delivery_is_recorded_card_by_card(office: Office) -> None:
    office.import_lot(4)
    office.make(3)
    office.make_lists()
    office.clock.sleep(hours=2)
    assert office.deliver(1) == Delivered(1, 3)
    assert office.states() == ["delivered"] * 3 + ["planned"]
    assert office.events("order-delivered", "handover-delivered") == ["order-delivered"] * 3 + ["handover-delivered"]
    with office.ledger.reading() as db:
        times = db.execute(
            sa.select(schema.orders.c.delivered_at).where(schema.orders.c.state == "delivered")
        ).scalars()
        assert set(times) == {office.clock()}
        assert verify_chain(db).whole
    with pytest.raises(InputError, match="no card to hand over"):
        office.make_lists()


def test_recording_it_twice_changes_nothing(office: Office) -> None:
    office.import_lot(2)
    office.make(2)
    office.make_lists()
    office.deliver(1, card_number(2))
    events = office.events()
    assert office.deliver(1) == Delivered(1, 1, before=True)
    assert office.events() == events


def test_missing_cards_are_on_a_later_list(office: Office) -> None:
    office.import_lot(3)
    office.make(3)
    office.make_lists()
    assert office.deliver(1, f" {card_number(2)} ") == Delivered(1, 2, missing=1)
    assert office.states() == ["delivered", "sealed", "delivered"]
    (later,) = office.make_lists()
    assert (later.number, later.count) == (2, 1)
    assert card_number(2) in text(later)


def test_cards_that_were_lost_meanwhile_are_not_delivered(office: Office) -> None:
    office.import_lot(3)
    office.make(3)
    office.make_lists()
    office.card_becomes(2, CardState.LOST)
    assert office.deliver(1, card_number(2)) == Delivered(1, 2, left_out=1)
    assert office.states() == ["delivered", "sealed", "delivered"]
    with pytest.raises(InputError, match="no card to hand over"):
        office.make_lists()


def test_what_cannot_be_delivered(office: Office) -> None:
    office.import_lot(3)
    office.make(3)
    office.make_lists()
    with pytest.raises(InputError, match="no such list"):
        office.deliver(2)
    with pytest.raises(InputError, match="is not on the list") as refused:
        office.deliver(1, card_number(1), "00WRONG99")
    assert "WRONG" not in str(refused.value)
    assert office.states() == ["sealed"] * 3
    office.deliver(1)
    with pytest.raises(InputError, match="recorded as delivered"):
        office.deliver(1, card_number(1))


def test_what_was_updated_on_a_card_is_on_no_list(office: Office) -> None:
    """The card of an update went back to its holder at once."""
    office.import_lot(2)
    office.make(2)
    with office.ledger.transaction(office.actor) as tx:
        order = schema.orders
        tx.db.execute(sa.update(order).where(order.c.position == 2).values(kind="update"))
    (made,) = office.make_lists()
    assert made.count == 1
    assert office.states() == [OrderState.SEALED] * 2


# The PDF.


def listed(number: int, name: str = "MUSTER MAX", chinese_name: str = "") -> ListedCard:
    return ListedCard(
        order=number, card=number, box=number // 50 + 1, position=number, card_number=card_number(number), name=name,
        chinese_name=chinese_name, permit_ending=f"{number % 10000:04}",
    )  # fmt: skip


def content(*cards: ListedCard, **changes: object) -> HandoverList:
    values: dict[str, object] = {
        "number": 17, "edition": 1, "lot": LOT, "employer": INSTITUTE, "made_at": NOW, "ledger": "3f" * 16,
        "office": Text("台州市示范签发机关", "Sample office"), "head": Head(4711, bytes(range(32))),
        "cards": cards or (listed(1),),
    }  # fmt: skip
    return HandoverList(**{**values, **changes})


def test_a_long_list_has_every_card_once_and_numbered_pages() -> None:
    found = pages(draw_list(content(*(listed(number, f"MUSTER MAX {number}") for number in range(1, 301)))))
    assert len(found) > 10
    whole = "\n".join(found)
    assert [whole.count(card_number(number)) for number in range(1, 301)] == [1] * 300
    for number, page in enumerate(found, 1):
        assert f"第 {number} 页，共 {len(found)} 页 page {number} of {len(found)}" in page
        assert "移交清单" in page
        assert "卡号" in page
    assert [("经办人签名" in page) for page in found] == [False] * (len(found) - 1) + [True]


@pytest.mark.parametrize("count", range(12, 18))
def test_nobody_signs_a_page_without_a_card(count: int) -> None:
    """The signatures stand below the last card, be it on the first page or on the second."""
    *before, last = pages(draw_list(content(*(listed(number) for number in range(1, count + 1)))))
    assert len(before) <= 1
    assert "经办人签名" in last
    assert card_number(count) in last


@pytest.mark.parametrize(
    ("name", "chinese_name"),
    [
        ("ERIKSSON ANNA MARIA", "安娜"),
        ("MÜLLER ŁUCJA ÉLODIE", "李㛃嘉"),
        ("ZHANG DA", "张䶮𪚥"),
        ("O'NEIL-SMITH JEAN", "马克斯·穆斯特"),
    ],
)
def test_names_are_printed_as_they_are(name: str, chinese_name: str) -> None:
    (page,) = pages(draw_list(content(listed(1, name, chinese_name))))
    assert name in page
    assert chinese_name in page


@pytest.mark.parametrize("name", [LONG_NAME, "A" * 80, " ".join(["NAME"] * 30)])
def test_long_names_stay_in_their_column(name: str) -> None:
    pdf = draw_list(content(listed(1, name)))
    (page,) = pages(pdf)
    words = " ".join(page.split())
    assert all(word[:30] in words for word in name.split())
    assert right_end(pdf, name[:4]) < 142, "millimetres: where the next column begins"


def test_long_names_of_employers_and_offices_stay_on_the_page() -> None:
    long = "台州虚构精密机械与智能装备制造及进出口贸易有限责任公司" * 4
    long = long[:100]
    found = content(employer=replace(INSTITUTE, name=long), office=Text(long, "Sample Bureau " * 7), lot="批次" * 50)
    pdf = draw_list(found)
    assert right_end(pdf, "") < 196
    assert "…" in pages(pdf)[0]


def right_end(pdf: bytes, beginning: str) -> float:
    """Millimetres to the right end of the rightmost text that begins so."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        text_page = document[0].get_textpage()
        rectangles = [text_page.get_rect(number) for number in range(text_page.count_rects())]
        ends = [box[2] for box in rectangles if text_page.get_text_bounded(*box).strip().startswith(beginning)]
    finally:
        document.close()
    return max(ends) * 25.4 / 72


def test_a_character_that_no_font_has() -> None:
    with pytest.raises(InputError, match="no installed font") as refused:
        draw_list(content(listed(1, "MUSTER \U000f1234")))
    assert "MUSTER" not in str(refused.value)


def test_a_font_that_lies_inside_pillow_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the only font of the system has nothing but Chinese characters."""
    has, chinese = fonts._has, fonts._first_chinese()
    monkeypatch.setattr(fonts, "_other_fonts", tuple)
    monkeypatch.setattr(fonts, "_has", lambda font, char: has(font, char) and (font is not chinese or char >= "⺀"))
    fonts._font_of.cache_clear()
    try:
        (page,) = pages(draw_list(content(listed(1, "MUSTER MAX", "安娜"))))
    finally:
        fonts._font_of.cache_clear()
    assert "MUSTER MAX" in page
    assert "安娜" in page


def test_the_same_list_is_the_same_file() -> None:
    cards = [listed(1, "ERIKSSON ANNA MARIA", "安娜"), listed(2)]
    first = draw_list(content(*cards))
    assert first == draw_list(content(*cards, made_at=NOW.astimezone()))
    assert first != draw_list(content(*reversed(cards)))


def test_the_code_says_which_list_it_is_and_anchors_the_ledger() -> None:
    pdf = draw_list(content(listed(1), listed(2)))
    document = pypdfium2.PdfDocument(pdf)
    picture = document[0].render(scale=4).to_pil()
    document.close()
    (code,) = zxingcpp.read_barcodes(picture)
    assert code.text == (f"JUYING HANDOVER 17/1 CARDS 2 LEDGER {'3F' * 16} EVENT 4711 {bytes(range(32)).hex().upper()}")


def test_a_demonstration_is_a_specimen() -> None:
    assert "SPECIMEN" in pages(draw_list(content(demonstration=True)))[0]


def test_reprs_show_nobody() -> None:
    shown = repr(content(listed(1, "ERIKSSON ANNA MARIA", "安娜"))) + repr(listed(1, "ERIKSSON ANNA MARIA"))
    assert not [secret for secret in ("ERIKSSON", "安娜", card_number(1), INSTITUTE.name) if secret in shown]


# The signature.

PDF = b"%PDF-1.4 a list"


def signature(signer: SoftwareSigner, pdf: bytes = PDF) -> bytes:
    return sign_list(pdf, signer, ledger="3f" * 16, number=17, edition=2, now=NOW)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_signature_says_who_signed_which_list_when(algorithm: Algorithm) -> None:
    signer = SoftwareSigner.generate(algorithm)
    trust = TrustList([trusted(signer)])
    found = verify_list(PDF, signature(signer), trust, now=NOW)
    assert (found.ledger, found.number, found.edition, found.signed_at) == ("3f" * 16, 17, 2, NOW)
    assert found.key.issuer.en == "issuer of the tests"


def test_what_is_no_genuine_signature() -> None:
    signer, other = SoftwareSigner.generate(), SoftwareSigner.generate()
    good, trust = signature(signer), TrustList([trusted(signer)])
    with pytest.raises(InputError, match="another document"):
        verify_list(PDF + b" ", good, trust, now=NOW)
    with pytest.raises(InputError, match="not in the trust list"):
        verify_list(PDF, signature(other), trust, now=NOW)
    with pytest.raises(InputError, match="signature of the list is wrong"):
        verify_list(PDF, good[:-1] + bytes([good[-1] ^ 1]), trust, now=NOW)
    status_only = TrustList([trusted(signer, use=frozenset({KeyUse.STATUS}))])
    with pytest.raises(InputError, match="not in the trust list"):
        verify_list(PDF, good, status_only, now=NOW)
    earlier = TrustList([trusted(signer, not_after=NOW - timedelta(days=1))])
    with pytest.raises(InputError, match="signing period"):
        verify_list(PDF, good, earlier, now=NOW)
    for data in (b"", PDF, good[:-1], good + b"\0", b"\xd2" * 2000):
        with pytest.raises(DecodeError):
            verify_list(PDF, data, trust, now=NOW)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"number": 17},
        {"ledger": "3f", "number": "17", "edition": 1, "sha256": b"", "signed": 0},
        {"ledger": "3f", "number": 17, "edition": 1, "sha256": b"", "signed": -1},
        {"ledger": "3f", "number": 17, "edition": 1, "sha256": b"", "signed": 2**40},
    ],
)
def test_signed_rubbish(document: object) -> None:
    signer = SoftwareSigner.generate()
    data = signed_file.encode(
        cbor.encode(document), MEDIA_TYPE, algorithm=int(signer.algorithm), kid=signer.kid, sign=signer.sign
    )
    with pytest.raises(DecodeError, match="does not hold"):
        verify_list(PDF, data, TrustList([trusted(signer)]), now=NOW)


def test_a_key_that_may_not_sign_makes_no_list(office: Office) -> None:
    office.import_lot(1)
    office.make()
    stranger = SoftwareSigner.generate()
    for_lists_only = TrustList([trusted(stranger, use=frozenset({KeyUse.STATUS}))])
    for trust in (office.trust, for_lists_only):
        with pytest.raises(KeyUseError, match="nothing was changed"):
            make_lists(office.ledger, office.actor, LOT, office.folder, signer=stranger, trust=trust)
    assert not office.events("handover-made")


def test_a_list_of_another_ledger_is_none_of_this_one(office: Office) -> None:
    office.import_lot(1)
    office.make()
    office.make_lists()
    found = verify_list(PDF, signature(office.signer), office.trust, now=NOW)
    for stranger in (found, replace(found, ledger=office.ledger.name), replace(found, number=1)):
        with pytest.raises(InputError, match="never made"):
            is_current(office.ledger, stranger)


def test_a_demonstration_key_makes_specimens(office: Office) -> None:
    office.trust = TrustList([trusted(office.signer, demonstration=True)])
    office.import_lot(1)
    office.make()
    (made,) = office.make_lists()
    assert "SPECIMEN" in text(made)


def test_the_key_is_used_with_the_approval_of_the_lot(office: Office) -> None:
    """Where operators are registered, lists need what making the cards of the lot needs: a second person, once."""
    office.import_lot(2, [INSTITUTE, FACTORY])
    office.make(2)
    operators, people = Operators(office.ledger), {}
    for name, roles in (("chief", [Role.SUPERVISOR]), ("maker", [Role.ISSUING]), ("clerk", [Role.INTAKE]),
                        ("looker", [Role.AUDITOR])):  # fmt: skip
        chief = people.get("chief", office.actor)
        people[name] = operators.add(chief, name, roles, "correct horse battery staple").actor()

    def lists_of(name: str) -> list[Made]:
        return make_lists(office.ledger, people[name], LOT, office.folder, signer=office.signer, trust=office.trust)

    with pytest.raises(InputError, match="lacks the role"):
        lists_of("looker")
    with pytest.raises(InputError, match="second person"):
        lists_of("maker")
    with office.ledger.transaction(people["chief"]) as tx:
        give(tx, 1)
    assert [made.number for made in lists_of("maker")] == [1, 2]
    assert [made.making for made in lists_of("maker")] == [Making.AGAIN] * 2
    assert deliver(office.ledger, people["clerk"], 1).delivered == 1
