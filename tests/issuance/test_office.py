"""Signing and writing one application, and refusing to sign what no terminal would accept."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from juying.card.ssc import SscCard
from juying.card.virtual.card import Lifecycle, VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import plan
from juying.codec.profile import load_profile
from juying.credential.claims import Tier
from juying.credential.trust import TrustList
from juying.credential.verify import Verdict, verify
from juying.crypto.signing import SoftwareSigner
from juying.errors import FieldError, InputError, KeyUseError, RecordError
from juying.issuance.office import Office, card_contents, issue_card, portrait, sign_permit
from juying.model.numbers import NumberNotSettled
from tests import people
from tests.issuing import memory

NUMBER = "JYX000010"


def blank(profile: str = "ssc-v3") -> VirtualCard:
    return VirtualCard.blank(load_profile(profile))


def test_both_tiers_are_signed_and_verify() -> None:
    office = people.office()
    credentials = sign_permit(office, people.application())
    for record, tier in ((credentials.full, Tier.FULL), (credentials.minimal, Tier.MINIMAL)):
        found = verify(record, office.trust, now=people.NOW)
        assert found.verdict is Verdict.VALID
        assert found.claims is not None
        assert found.claims.tier is tier
    assert "ERIKSSON" not in repr(credentials)


def test_the_region_of_the_office_stands_in_for_a_permit_without_one() -> None:
    office = replace(people.office(), region="331081")
    bare = people.application(permit=people.permit(region=""))
    for application, region in ((bare, "331081"), (people.application(), "331002")):
        found = verify(sign_permit(office, application).full, office.trust, now=people.NOW)
        assert found.claims is not None
        assert found.claims.region == region


def test_signing_again_keeps_what_says_the_same() -> None:
    office = people.office()
    first = sign_permit(office, people.application())
    later = replace(office, clock=lambda: people.NOW + timedelta(days=3))
    assert sign_permit(later, people.application(), first) == first
    changed = people.application(permit=people.permit(position="顾问"))
    second = sign_permit(later, changed, first)
    assert second.full != first.full
    assert second.minimal == first.minimal, "the minimal credential does not name the position"


def test_credentials_that_do_not_verify_any_more_are_signed_again() -> None:
    old, new = people.office(), people.office()
    first = sign_permit(old, people.application())
    assert sign_permit(new, people.application(), first).full != first.full


def test_a_permit_that_begins_later_is_signed_and_one_that_has_run_out_is_not() -> None:
    office = people.office()
    later = people.application(permit=people.permit(valid_from=date(2027, 1, 1)))
    assert verify(sign_permit(office, later).full, office.trust, now=people.NOW).verdict is Verdict.NOT_YET
    over = people.application(permit=people.permit(valid_until=date(2026, 11, 1)))
    with pytest.raises(FieldError):
        sign_permit(office, over)


@pytest.mark.parametrize("shift", [timedelta(days=-31), timedelta(days=61)])
def test_a_key_outside_its_signing_period_signs_nothing(shift: timedelta) -> None:
    office = people.office()
    out_of_period = replace(office, clock=lambda: people.NOW + shift)
    with pytest.raises(KeyUseError, match="outside the signing period") as error:
        sign_permit(out_of_period, people.application())
    assert error.value.where == office.signer.kid.hex()


def test_a_key_that_nobody_trusts_signs_nothing() -> None:
    untrusted = replace(people.office(), trust=TrustList())
    with pytest.raises(KeyUseError, match="not in the trust list"):
        sign_permit(untrusted, people.application())


def test_another_key_with_the_same_kid_is_not_enough() -> None:
    office = people.office()
    [entry] = office.trust
    other = people.trusted(SoftwareSigner.generate())
    collision = replace(entry, key=other.key)
    with pytest.raises(KeyUseError, match="not in the trust list"):
        replace(office, trust=TrustList([collision])).check_key()


class BrokenSigner(SoftwareSigner):
    """A token that answers every time with the same bytes."""

    def sign(self, message: bytes) -> bytes:
        return bytes(31) + b"\x01" + bytes(31) + b"\x01"


def test_a_signature_that_does_not_verify_never_leaves_the_office() -> None:
    signer = BrokenSigner.generate()
    office = Office(signer=signer, trust=TrustList([people.trusted(signer)]), clock=lambda: people.NOW)
    with pytest.raises(InputError, match=r"would not be accepted \(the signature is wrong"):
        sign_permit(office, people.application())


def test_a_permit_of_a_region_that_is_not_the_keys_never_leaves_the_office() -> None:
    with pytest.raises(InputError, match="may not sign for this region"):
        sign_permit(people.office(), people.application(permit=people.permit(region="440300")))


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        ({"region": "12"}, FieldError),
        ({"institution": "1" * 23}, FieldError),
        ({"region": "x", "institution": "x"}, RecordError),
    ],
)
def test_an_office_with_wrong_codes_does_not_open(codes: dict[str, str], error: type[InputError]) -> None:
    with pytest.raises(error):
        replace(people.office(), **codes)


def test_the_clock_of_an_office_is_the_present_time() -> None:
    office = Office(signer=SoftwareSigner.generate(), trust=TrustList())
    assert abs(office.clock() - datetime.now(UTC)) < timedelta(minutes=1)
    assert (office.region, office.institution) == ("", "")


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3"])
def test_a_card_of_every_generation_is_issued_and_checked(profile: str) -> None:
    office, application, card = people.office(), people.application(), blank(profile)
    credentials = sign_permit(office, application)
    calls: list[tuple[int, int]] = []
    with LocalTransport(card) as transport:
        plan = issue_card(
            office, application, NUMBER, credentials, SscCard.open(transport), progress=lambda *c: calls.append(c)
        )
    assert card.state is Lifecycle.PERSONALISED
    assert calls[-1] == (len(plan.writes), len(plan.writes))


def test_a_permit_that_no_terminal_would_accept_is_not_written() -> None:
    application, card = people.application(), blank()
    before = memory(card)
    credentials = sign_permit(people.office(), application)
    office = people.office()  # which trusts another key
    with LocalTransport(card) as transport, pytest.raises(InputError, match="would not be accepted"):
        issue_card(office, application, NUMBER, credentials, SscCard.open(transport))
    assert memory(card) == before


def test_the_day_of_issue_is_the_one_asked_for_or_that_of_the_card_or_today() -> None:
    office = people.office()
    credentials = sign_permit(office, people.application())

    def day(asked: date | None, on_card: date | None) -> tuple[object, object]:
        application = people.application(issued_on=asked)
        values = card_contents(office, application, NUMBER, credentials, issued_on=on_card).values
        return values["card.issued_on"], values["card.expires_on"]

    today = people.NOW.astimezone().date()
    assert day(None, None) == (today, today.replace(year=today.year + 10))
    assert day(None, date(2026, 3, 1)) == (date(2026, 3, 1), date(2036, 3, 1))
    assert day(date(2024, 2, 29), date(2026, 3, 1)) == (date(2024, 2, 29), date(2034, 2, 28))


def test_the_photo_is_left_out_where_a_card_has_no_place_for_it(tmp_path: Path) -> None:
    picture = tmp_path / "photo.png"
    Image.new("RGB", (260, 320)).save(picture)
    office, application = people.office(), people.application(photo=picture)
    credentials = sign_permit(office, application)
    contents = card_contents(office, application, NUMBER, credentials, photo=portrait(application))
    assert contents.photo is not None
    with LocalTransport(blank()) as transport:
        seal = SscCard.open(transport).permit_seal()
    for name, has_place in (("ssc-v1", False), ("ssc-v3", True)):
        written = {write.file.content for write in plan(load_profile(name), contents, seal=seal).writes}
        assert ("photo" in written) is has_place


def test_nothing_is_signed_for_a_holder_whose_number_is_not_settled() -> None:
    holder = people.holder(document_number="TOO-LONG-BY-FAR-1")
    with pytest.raises(NumberNotSettled):
        sign_permit(people.office(), people.application(holder=holder))
