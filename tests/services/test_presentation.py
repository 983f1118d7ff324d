"""One shape for card and code: which number comes from where, and what is proven of it."""

import pytest

from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.credential.policy import Assurance
from juying.credential.verdict import Verdict, Verification
from juying.credential.verify import verify
from juying.errors import InputError
from juying.issuance.office import Office, issue_card, sign_permit
from juying.services.platform import Person
from juying.services.presentation import NUMBERS, Presentation
from juying.services.reading import Reading, read_card
from tests import people

NUMBER = "JYX000010"


@pytest.fixture(scope="module")
def office() -> Office:
    return people.office()


@pytest.fixture(scope="module")
def reading(office: Office) -> Reading:
    card, application = VirtualCard.blank(load_profile("ssc-v3")), people.application()
    with LocalTransport(card) as transport:
        issue_card(office, application, NUMBER, sign_permit(office, application), SscCard.open(transport))
        return read_card(SscCard.open(transport), office.trust, now=people.NOW)


def test_a_chip_gives_card_and_person(reading: Reading) -> None:
    shown = Presentation.from_chip(reading)
    assert (shown.carrier, shown.chip_read, shown.signature_valid) == ("chip", True, True)
    assert shown.card_number == NUMBER
    assert shown.card_identifier.startswith("331000D156000005")
    assert len(shown.card_identifier) == 32
    assert shown.social_security_number == "UTO000000L898902C3"
    assert (shown.nationality, shown.permit_number) == ("UTO", "ZJ20260001")
    assert shown.name == reading.data.values["holder.registered_name"]
    assert (shown.signature, shown.permit) == ("valid", reading.permit)
    assert (shown.voucher_token, shown.document_number) == ("", "")


def test_what_the_caller_proved_is_taken_over(reading: Reading) -> None:
    transit = object()
    plain = Presentation.from_chip(reading)
    assert (plain.chip_authenticated, plain.holder_bound, plain.transit) == (False, False, None)
    proven = Presentation.from_chip(reading, authenticated=True, pin_verified=True, transit=transit)
    assert (proven.chip_authenticated, proven.holder_bound, proven.transit) == (True, True, transit)


def test_a_blank_chip_gives_nothing_but_its_identifier() -> None:
    with LocalTransport(VirtualCard.blank(load_profile("ssc-v3"))) as transport:
        blank = read_card(SscCard.open(transport), people.office().trust, now=people.NOW)
    shown = Presentation.from_chip(blank)
    assert (shown.signature, shown.signature_valid, shown.permit) == ("absent", False, None)
    assert [field for field in NUMBERS if getattr(shown, field)] == ["card_identifier"]


def test_a_permit_of_an_unknown_issuer_gives_no_permit_number(office: Office) -> None:
    text = sign_permit(office, people.application()).full
    shown = Presentation.from_qr(verify(text, people.office().trust, now=people.NOW))
    assert (shown.signature, shown.signature_valid, shown.permit_number, shown.name) == ("invalid", False, "", "")
    assert shown.permit is not None


def test_a_code_gives_the_permit_and_no_card(office: Office) -> None:
    text = sign_permit(office, people.application()).full
    shown = Presentation.from_qr(verify(text, office.trust, now=people.NOW))
    assert (shown.carrier, shown.chip_read, shown.signature_valid, shown.holder_bound) == ("qr", False, True, False)
    assert (shown.permit_number, shown.name, shown.nationality) == ("ZJ20260001", "ERIKSSON ANNA MARIA", "UTO")
    assert (shown.card_number, shown.card_identifier, shown.social_security_number) == ("", "", "")


def test_a_code_that_a_platform_resolved_has_a_token_and_nothing_signed() -> None:
    said = Verification(Verdict.VALID, (), assurance=Assurance.HOLDER)
    person = Person(name="安娜", document_number="L898902C3", token="ec-1")
    shown = Presentation.from_qr(said, person=person)
    assert (shown.signature, shown.signature_valid, shown.holder_bound) == ("absent", False, True)
    assert (shown.voucher_token, shown.document_number, shown.name) == ("ec-1", "L898902C3", "安娜")


def test_a_site_picks_the_number_that_it_knows_people_by(reading: Reading) -> None:
    shown = Presentation.from_chip(reading)
    assert shown.number("card_number") == NUMBER
    assert shown.number("voucher_token") == ""
    with pytest.raises(InputError, match="no such number; known are card_number, card_identifier"):
        shown.number("name")


def test_it_says_what_it_holds_without_showing_it(reading: Reading) -> None:
    shown = repr(Presentation.from_chip(reading))
    assert shown == (
        "Presentation(chip, proven: chip_read, signature_valid, "
        "holds: card_number, card_identifier, social_security_number, permit_number, name, nationality)"
    )
    assert repr(Presentation(carrier="qr")) == "Presentation(qr, proven: -, holds: -)"
