"""Holder, WorkPermit, Employer and CardIdentity: what they accept, tidy, refuse and keep to themselves."""

import copy
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from juying.errors import FieldError, InputError, RecordError
from juying.model import CardIdentity, Employer, Holder, PermitCategory, Sex, WorkPermit, mrz
from juying.model.numbers import NumberNotSettled, card_number

TODAY = date(2026, 3, 1)
PASSPORT = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
VISA = "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL8988901C4XXX4009078F96121096ZE184226B<<<<<<"


def holder(**changes: Any) -> Holder:
    fields: dict[str, Any] = {
        "name": "MUSTERMANN ERIKA",
        "nationality": "DEU",
        "birth_date": date(1984, 8, 12),
        "sex": Sex.FEMALE,
        "document_number": "C01X00T47",
    }
    return Holder(**{**fields, **changes})


def employer(**changes: Any) -> Employer:
    return Employer(**{"name": "台州样本机械有限公司", "code": "91331002MA00TE5T2C", **changes})


def permit(**changes: Any) -> WorkPermit:
    fields: dict[str, Any] = {
        "number": "WP20260001",
        "category": PermitCategory.B,
        "employer": employer(),
        "position": "工程师",
        "valid_from": date(2026, 3, 1),
        "valid_until": date(2027, 2, 28),
        "authority": "台州市科学技术局",
        "region": "331000",
    }
    return WorkPermit(**{**fields, **changes})


def card(**changes: Any) -> CardIdentity:
    fields: dict[str, Any] = {
        "number": card_number(1),
        "issued_on": date(2026, 3, 1),
        "expires_on": date(2036, 3, 1),
        "institution": "1" * 24,
        "identifier": bytes(range(16)),
        "card_class": "1",
    }
    return CardIdentity(**{**fields, **changes})


MAKERS = {Holder: holder, Employer: employer, WorkPermit: permit, CardIdentity: card}


class TestEveryRecord:
    @pytest.mark.parametrize(
        ("record", "field", "value"),
        [
            (Holder, "name", ""),
            (Holder, "name", "   "),
            (Holder, "name", "A" * 101),
            (Holder, "name", "李雷"),
            (Holder, "name", "ANNA\x07MARIA"),
            (Holder, "name", "ANNA\nMARIA"),
            (Holder, "name", "ANNA\u202eMARIA"),
            (Holder, "name", "ANNA 2"),
            (Holder, "name", "ПЁТР"),
            (Holder, "name", "-"),
            (Holder, "name", None),
            (Holder, "nationality", "XKX"),
            (Holder, "birth_date", datetime(1984, 8, 12, 10, 30)),
            (Holder, "birth_date", "1984-08-12"),
            (Holder, "birth_date", date(1899, 12, 31)),
            (Holder, "birth_date", date(2200, 1, 1)),
            (Holder, "sex", "1"),
            (Holder, "document_number", ""),
            (Holder, "document_number", "C01<X00"),
            (Holder, "document_number", "C" * 33),
            (Holder, "document_number", "-C01X00T47"),
            (Holder, "document_number", "933276199001010018"),
            (Holder, "document_number", "PAK310080010104"),
            (Holder, "chinese_name", "李\u200b雷"),
            (Holder, "chinese_name", "李" * 51),
            (Holder, "card_name", "A" * 101),
            (Holder, "issued_social_security_number", "DEU000000C01X00T4"),
            (Holder, "residence_card_number", "933276199001010018"),
            (Holder, "phone", "call me"),
            (Holder, "phone", "1" * 40),
            (Holder, "email", "erika"),
            (Holder, "email", "erika@example"),
            (Holder, "email", "erika@@example.org"),
            (Holder, "address", "路" * 201),
            (Holder, "address", 12),
            (Holder, "address_region", "3310"),
            (Employer, "name", ""),
            (Employer, "name", "台" * 101),
            (Employer, "code", "91331002MA00TE5T2D"),
            (WorkPermit, "number", ""),
            (WorkPermit, "number", "W" * 33),
            (WorkPermit, "number", "WP 2026"),
            (WorkPermit, "number", "WP\x002026"),
            (WorkPermit, "category", "B"),
            (WorkPermit, "employer", "台州样本机械有限公司"),
            (WorkPermit, "position", ""),
            (WorkPermit, "position", "x" * 101),
            (WorkPermit, "valid_from", None),
            (WorkPermit, "valid_until", date(2026, 2, 28)),
            (WorkPermit, "authority", "\t"),
            (WorkPermit, "region", "33100A"),
            (CardIdentity, "number", "000000011"),
            (CardIdentity, "issued_on", "20260301"),
            (CardIdentity, "expires_on", date(2026, 2, 28)),
            (CardIdentity, "institution", "123"),
            (CardIdentity, "identifier", bytes(15)),
            (CardIdentity, "identifier", "00" * 16),
            (CardIdentity, "card_class", "12"),
        ],
    )
    def test_a_bad_field_is_named_with_problem_and_rule(self, record: type, field: str, value: object) -> None:
        with pytest.raises(FieldError) as caught:
            MAKERS[record](**{field: value})
        error = caught.value
        assert error.field == error.where == field
        for text in (error.problem, error.rule):
            assert text.zh
            assert text.en

    def test_several_bad_fields_are_all_named(self) -> None:
        with pytest.raises(RecordError) as caught:
            holder(name="", nationality="?", phone="none")
        assert [error.field for error in caught.value.errors] == ["name", "nationality", "phone"]

    @given(
        st.sampled_from(
            [
                *[(Holder, field) for field in ("name", "nationality", "document_number", "chinese_name", "card_name")],
                *[(Holder, field) for field in ("issued_social_security_number", "residence_card_number", "phone")],
                *[(Holder, field) for field in ("email", "address", "address_region", "birth_date", "sex")],
                *[(Employer, field) for field in ("name", "code")],
                *[(WorkPermit, field) for field in ("number", "category", "employer", "position", "authority")],
                *[(WorkPermit, field) for field in ("region", "valid_from", "valid_until")],
                *[(CardIdentity, field) for field in ("number", "institution", "card_class", "identifier")],
            ]
        ),
        st.text("ЖЩ\x01§¤0123456789QZ<>\u202e", min_size=5, max_size=120),
    )
    def test_no_error_tells_the_value(self, place: tuple[type, str], value: str) -> None:
        assume(len(value.strip()) >= 5 and not set(value) <= set("0123456789"))
        record, field = place
        try:
            MAKERS[record](**{field: value})
        except InputError as error:
            shown = f"{error} {error!r} {error.args} {error.__cause__} {error.__context__} {vars(error)}"
            assert value not in shown
            assert value.strip() not in shown

    @pytest.mark.parametrize(
        ("record", "secrets"),
        [
            (holder(chinese_name="艾丽卡", phone="13800000000"), ["ERIKA", "1984", "C01X", "艾丽卡", "138"]),
            (permit(), ["WP2026", "工程师", "台州"]),
            (card(), [card_number(1), "0001", "1111", "x01"]),
        ],
    )
    def test_repr_is_masked(self, record: object, secrets: list[str]) -> None:
        for shown in (repr(record), str(record), f"{[record]}"):
            assert type(record).__name__ in shown
            for secret in secrets:
                assert secret not in shown

    @pytest.mark.parametrize(
        ("record", "field"), [(holder(), "name"), (employer(), "name"), (permit(), "number"), (card(), "number")]
    )
    def test_records_are_values(self, record: object, field: str) -> None:
        """They cannot be changed, and copies and pickles are equal."""
        with pytest.raises(FrozenInstanceError):
            setattr(record, field, "x")
        assert copy.copy(record) == record
        assert pickle.loads(pickle.dumps(record)) == record
        assert len({record, copy.deepcopy(record)}) == 1


class TestHolder:
    def test_texts_are_tidied(self) -> None:
        person = holder(
            name="  MUSTERMANN \u00a0 ERIKA ",
            nationality="deu",
            document_number=" c01x00t47 ",
            chinese_name="艾\u3000丽卡",
            issued_social_security_number="deu000000c01x00t47",
            residence_card_number="933276199001010025 ",
            email=" erika@example.org ",
        )
        assert person.name == "MUSTERMANN ERIKA"
        assert (person.nationality, person.document_number) == ("DEU", "C01X00T47")
        assert person.chinese_name == "艾 丽卡"
        assert person.issued_social_security_number == "DEU000000C01X00T47"
        assert person.residence_card_number == "933276199001010025"
        assert person.email == "erika@example.org"

    @pytest.mark.parametrize("blank", ["", "  ", None])
    def test_blank_optional_fields_are_not_given(self, blank: str | None) -> None:
        names = ("chinese_name", "card_name", "phone", "email", "address", "address_region")
        person = holder(**dict.fromkeys(names, blank), issued_social_security_number=blank, residence_card_number=blank)
        assert person == holder()
        assert person.issued_social_security_number is None

    @pytest.mark.parametrize(
        "name",
        ["O'CONNOR SIOBHÁN", "O’CONNOR", "MÜLLER-LÜDENSCHEIDT", "NGUYỄN THỊ ÁNH", "DA SILVA JR.", "N" * 100, "ŁĘŻ"],
    )
    def test_names_in_latin_letters_are_accepted(self, name: str) -> None:
        assert holder(name=name).name == name

    def test_a_decomposed_accent_becomes_one_letter(self) -> None:
        assert holder(name="JOSE\u0301").name == "JOSÉ"

    def test_rare_chinese_characters_pass(self) -> None:
        """Also one that this Python's character table may not know yet (extension H)."""
        assert holder(chinese_name="𠮷\U00031350").chinese_name == "𠮷\U00031350"

    @pytest.mark.parametrize("phone", ["13800000000", "+49 (30) 1234-567", "0576/88000000"])
    def test_phones(self, phone: str) -> None:
        assert holder(phone=phone).phone == phone

    def test_registered_name_is_the_card_name_when_there_is_one(self) -> None:
        assert holder().registered_name == "MUSTERMANN ERIKA"
        assert holder(card_name="艾丽卡").registered_name == "艾丽卡"

    def test_social_security_number_is_built(self) -> None:
        assert holder().social_security_number == "DEU000000C01X00T47"
        resident = holder(nationality="PAK", document_number="PAK310080010103")
        assert resident.social_security_number == "PAK000310080010103"

    def test_issued_number_always_wins(self) -> None:
        issued = "DEU1000000X0000001"
        assert holder(issued_social_security_number=issued).social_security_number == issued
        unsettled = holder(document_number="933276199001010025", issued_social_security_number=issued)
        assert unsettled.social_security_number == issued

    @pytest.mark.parametrize("document", ["933276199001010025", "123456789012345", "C01X-00T47", "C01 X00"])
    def test_a_document_the_rule_does_not_settle_is_fine_until_the_number_is_needed(self, document: str) -> None:
        person = holder(document_number=document)
        with pytest.raises(NumberNotSettled):
            _ = person.social_security_number

    def test_notes(self) -> None:
        assert holder().notes == ()
        assert "specimen only" in holder(nationality="UTO").notes[0].en
        for chinese in ("CHN", "HKG", "MAC", "TWN"):
            assert "中国公民" in holder(nationality=chinese).notes[0].zh


class TestHolderFromMrz:
    def test_passport(self) -> None:
        person = Holder.from_mrz(PASSPORT, today=TODAY, chinese_name="埃里克松", phone="13800000000")
        assert person == Holder(
            name="ERIKSSON ANNA MARIA",
            nationality="UTO",
            birth_date=date(1974, 8, 12),
            sex=Sex.FEMALE,
            document_number="L898902C3",
            chinese_name="埃里克松",
            phone="13800000000",
        )
        assert person.social_security_number == "UTO000000L898902C3"

    def test_parsed_zone_is_as_good_as_text(self) -> None:
        zone = mrz.parse(PASSPORT, today=TODAY)
        assert Holder.from_mrz(zone, today=TODAY) == Holder.from_mrz(PASSPORT, today=TODAY)

    def test_german_passport_has_one_letter(self) -> None:
        """No check digit covers the nationality, so the specimen stays valid with another one."""
        person = Holder.from_mrz(PASSPORT.replace("6UTO", "6D<<"), today=TODAY)
        assert person.nationality == "DEU"
        assert person.notes == ()

    def test_given_fields_take_precedence(self) -> None:
        person = Holder.from_mrz(PASSPORT, today=TODAY, name="ERIKSSON ÅNNA MARIA")
        assert person.name == "ERIKSSON ÅNNA MARIA"

    def test_truncated_name_must_be_given(self) -> None:
        full = "P<UTO" + "NILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<K"
        text = full + PASSPORT.splitlines()[1]
        with pytest.raises(FieldError, match="cut off") as caught:
            Holder.from_mrz(text, today=TODAY)
        assert caught.value.field == "name"
        name = "NILAVADHANANANDA CHAYAPA DEJTHAMRONG KRASUANG"
        assert Holder.from_mrz(text, today=TODAY, name=name).name == name

    def test_nationality_that_is_no_country_must_be_given(self) -> None:
        text = PASSPORT.replace("6UTO", "6XXB")
        with pytest.raises(FieldError) as caught:
            Holder.from_mrz(text, today=TODAY)
        assert caught.value.field == "nationality"
        assert Holder.from_mrz(text, today=TODAY, nationality="SYR").nationality == "SYR"

    def test_visa_does_not_settle_the_passport_number(self) -> None:
        with pytest.raises(RecordError) as caught:
            Holder.from_mrz(VISA, today=TODAY)
        assert [error.field for error in caught.value.errors] == ["nationality", "document_number"]
        person = Holder.from_mrz(VISA, today=TODAY, nationality="UTO", document_number="L898902C3")
        assert person.document_number == "L898902C3"

    def test_filler_inside_a_number_is_refused(self) -> None:
        """The zone hides which symbol stood there."""
        number = "L89<902C3"
        digit = mrz.mrz_check_digit(number)
        second = PASSPORT.splitlines()[1]
        second = number + digit + second[10:43]
        second += mrz.mrz_check_digit(second[:10] + second[13:20] + second[21:])
        with pytest.raises(FieldError) as caught:
            Holder.from_mrz(PASSPORT.splitlines()[0] + second, today=TODAY)
        assert caught.value.field == "document_number"


class TestPermitAndEmployer:
    def test_number_is_tidied_and_otherwise_opaque(self) -> None:
        assert permit(number=" wp20260001 ").number == "WP20260001"
        assert permit(number="A/1-2").number == "A/1-2"

    def test_blank_region_is_not_given(self) -> None:
        assert permit(region=" ").region == ""

    def test_one_day_is_a_validity(self) -> None:
        assert permit(valid_until=date(2026, 3, 1)).notes == ()

    @pytest.mark.parametrize("number", ["W1", "W" * 21, "WP/20260001"])
    def test_unusual_number_is_a_note(self, number: str) -> None:
        (note,) = permit(number=number).notes
        assert number not in str(note)
        assert "6 to 20" in note.en

    def test_more_than_five_years_is_a_note(self) -> None:
        assert permit(valid_until=date(2031, 3, 1)).notes == ()
        (note,) = permit(valid_until=date(2031, 3, 2)).notes
        assert "五年" in note.zh
        leap = permit(valid_from=date(2024, 2, 29), valid_until=date(2029, 2, 28))
        assert leap.notes == ()

    def test_organisation_code_is_inside_the_credit_code(self) -> None:
        assert employer().organisation_code == "MA00TE5T2"

    def test_words(self) -> None:
        assert [category.text.zh for category in PermitCategory] == ["外国高端人才", "外国专业人才", "其他外国人员"]
        assert [sex.text.en for sex in Sex] == ["unknown", "male", "female", "unspecified"]
        assert [sex.value for sex in Sex] == ["0", "1", "2", "9"]


class TestCardIdentity:
    def test_only_number_and_dates_are_needed(self) -> None:
        bare = CardIdentity(number="x00000019", issued_on=date(2010, 10, 1), expires_on=date(2020, 10, 1))
        assert bare.number == "X00000019"
        assert (bare.institution, bare.identifier, bare.card_class) == ("", None, "")


def test_the_model_needs_the_standard_library_only() -> None:
    """Importing the model brings in nothing heavy, no matter what is installed."""
    code = (
        "import sys; before = set(sys.modules); import juying.model; "
        "extra = {name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names); "
        "sys.exit(extra != {'juying'})"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
