"""Machine-readable zones: the ICAO specimens, what scanners make of them, and every check digit."""

import contextlib
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from juying.errors import DecodeError, FieldError, InputError, RecordError
from juying.model.countries import COUNTRIES
from juying.model.mrz import PASSPORT_CODES, MrzFormat, parse
from juying.model.numbers import mrz_check_digit
from juying.model.sex import Sex

TODAY = date(2026, 3, 1)

# Specimens of ICAO 9303 parts 4 to 7.
TD3 = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
TD1 = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
TD1_LONG = ("I<UTOD23145890<7349<<<<<<<<<<<", "3407127M9507122UTO<<<<<<<<<<<2", "STEVENSON<<PETER<JOHN<<<<<<<<<")
TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
MRV_A = ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8988901C4XXX4009078F96121096ZE184226B<<<<<<")
MRV_B = ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "L8988901C4XXX4009078F9612109<<<<<<<<")
SPECIMENS = (TD3, TD1, TD1_LONG, TD2, MRV_A, MRV_B)


def digit(data: str) -> str:
    return data + mrz_check_digit(data)


def passport(
    *,
    name: str = "ERIKSSON<<ANNA<MARIA",
    number: str = "L898902C3",
    nationality: str = "UTO",
    birth: str = "740812",
    sex: str = "F",
    expiry: str = "120415",
    optional: str = "",
) -> str:
    """A TD3 zone whose check digits are right."""
    first = f"P<UTO{name}".ljust(44, "<")
    number, nationality, optional = number.ljust(9, "<"), nationality.ljust(3, "<"), optional.ljust(14, "<")
    second = digit(number) + nationality + digit(birth) + sex + digit(expiry) + digit(optional)
    return first + second + mrz_check_digit(second[:10] + second[13:20] + second[21:])


def card(size: str, number: str, *, number_digit: str, optional: str = "", optional2: str = "") -> str:
    """A TD1 or TD2 zone; number, its digit and optional data are placed as they are given."""
    number = number.ljust(9, "<") + number_digit
    birth, expiry = digit("740812"), digit("300415")
    if size == "TD1":
        optional, optional2 = optional.ljust(15, "<"), optional2.ljust(11, "<")
        composite = mrz_check_digit(number + optional + birth + expiry + optional2)
        return f"I<UTO{number}{optional}{birth}F{expiry}UTO{optional2}{composite}" + "ERIKSSON<<ANNA".ljust(30, "<")
    optional = optional.ljust(7, "<")
    composite = mrz_check_digit(number + birth + expiry + optional)
    return "I<UTOERIKSSON<<ANNA".ljust(36, "<") + f"{number}UTO{birth}F{expiry}{optional}{composite}"


class TestSpecimens:
    def test_passport(self) -> None:
        mrz = parse("\n".join(TD3), today=TODAY)
        assert mrz.format is MrzFormat.TD3
        assert (mrz.document_code, mrz.issuer) == ("P", "UTO")
        assert (mrz.surname, mrz.given_names, mrz.name) == ("ERIKSSON", "ANNA MARIA", "ERIKSSON ANNA MARIA")
        assert mrz.document_number == "L898902C3"
        assert (mrz.nationality_code, mrz.nationality) == ("UTO", "UTO")
        assert (mrz.birth_date, mrz.expiry_date) == (date(1974, 8, 12), date(2012, 4, 15))
        assert mrz.sex is Sex.FEMALE
        assert mrz.optional == ("ZE184226B",)
        assert not mrz.name_truncated
        assert not mrz.is_visa

    @pytest.mark.parametrize(("lines", "format_"), [(TD1, MrzFormat.TD1), (TD2, MrzFormat.TD2)])
    def test_cards(self, lines: tuple[str, ...], format_: MrzFormat) -> None:
        mrz = parse("\n".join(lines), today=TODAY)
        assert mrz.format is format_
        assert (mrz.name, mrz.document_number) == ("ERIKSSON ANNA MARIA", "D23145890")
        assert (mrz.birth_date, mrz.expiry_date) == (date(1974, 8, 12), date(2012, 4, 15))
        assert mrz.optional == ("", "")[: 2 if format_ is MrzFormat.TD1 else 1]

    def test_card_with_long_number(self) -> None:
        mrz = parse("\n".join(TD1_LONG), today=TODAY)
        assert (mrz.document_number, mrz.optional) == ("D23145890734", ("", ""))
        assert (mrz.name, mrz.sex, mrz.birth_date) == ("STEVENSON PETER JOHN", Sex.MALE, date(1934, 7, 12))

    @pytest.mark.parametrize(
        ("lines", "format_", "optional"), [(MRV_A, MrzFormat.MRV_A, "6ZE184226B"), (MRV_B, MrzFormat.MRV_B, "")]
    )
    def test_visas(self, lines: tuple[str, ...], format_: MrzFormat, optional: str) -> None:
        mrz = parse("\n".join(lines), today=TODAY)
        assert mrz.format is format_
        assert mrz.is_visa
        assert (mrz.document_number, mrz.name) == ("L8988901C", "ERIKSSON ANNA MARIA")
        assert (mrz.nationality_code, mrz.nationality) == ("XXX", "")
        assert (mrz.birth_date, mrz.expiry_date) == (date(1940, 9, 7), date(1996, 12, 10))
        assert mrz.optional == (optional,)

    @pytest.mark.parametrize("lines", SPECIMENS)
    def test_repr_shows_nobody(self, lines: tuple[str, ...]) -> None:
        shown = repr(parse("".join(lines), today=TODAY))
        for personal in ("ERIKSSON", "STEVENSON", "L898", "D231", "1974", "740812", "ANNA"):
            assert personal not in shown


class TestScanners:
    @pytest.mark.parametrize("lines", SPECIMENS)
    @pytest.mark.parametrize("glue", ["\n", "\r", "\r\n", "", " ", "\n\n", "\t"])
    def test_line_breaks_of_any_kind_or_none(self, lines: tuple[str, ...], glue: str) -> None:
        assert parse(glue.join(lines) + glue, today=TODAY) == parse("\n".join(lines), today=TODAY)

    @pytest.mark.parametrize("lines", SPECIMENS)
    def test_small_letters_and_spaces_inside(self, lines: tuple[str, ...]) -> None:
        spaced = "  " + " ".join("".join(lines).lower())
        assert parse(spaced, today=TODAY) == parse("\n".join(lines), today=TODAY)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "\n",
            "P<UTO",
            TD3[0],
            TD3[0] + TD3[1][:-1],
            TD3[0] + TD3[1] + "<",
            "".join(TD3).replace("<", "«"),
            "<" + "".join(TD3)[1:],
            "9" * 88,
            "ı" + "".join(TD3)[1:],  # a dotless i must not become a capital I
            "\x00" * 88,
        ],
    )
    def test_what_is_no_zone_is_a_decode_error(self, text: str) -> None:
        with pytest.raises(DecodeError):
            parse(text, today=TODAY)

    @given(st.text(max_size=120) | st.text("AZ09<", min_size=72, max_size=90).map(lambda text: "P" + text))
    def test_nothing_but_our_errors(self, text: str) -> None:
        with contextlib.suppress(InputError):
            parse(text, today=TODAY)


class TestCheckDigits:
    @pytest.mark.parametrize(
        ("lines", "place", "field"),
        [
            (TD3, 44 + 9, "document_number"),
            (TD3, 44 + 19, "birth_date"),
            (TD3, 44 + 27, "expiry_date"),
            (TD3, 44 + 42, "optional"),
            (TD3, 44 + 43, "mrz"),
            (TD1, 14, "document_number"),
            (TD1, 36, "birth_date"),
            (TD1, 44, "expiry_date"),
            (TD1, 59, "mrz"),
            (TD1_LONG, 18, "document_number"),
            (TD2, 45, "document_number"),
            (TD2, 55, "birth_date"),
            (TD2, 63, "expiry_date"),
            (TD2, 71, "mrz"),
            (MRV_A, 53, "document_number"),
            (MRV_A, 63, "birth_date"),
            (MRV_A, 71, "expiry_date"),
            (MRV_B, 45, "document_number"),
            (MRV_B, 55, "birth_date"),
            (MRV_B, 63, "expiry_date"),
        ],
    )
    def test_the_failing_one_is_named(self, lines: tuple[str, ...], place: int, field: str) -> None:
        """Every wrong value of every check digit is found, and the message names its field."""
        zone = "".join(lines)
        for char in set("0123456789") - {zone[place]}:
            with pytest.raises(FieldError, match="check digit") as caught:
                parse(zone[:place] + char + zone[place + 1 :], today=TODAY)
            assert caught.value.field == field

    def test_several_are_all_named(self) -> None:
        zone = "".join(TD3)
        zone = zone[:53] + "7" + zone[54:63] + "9" + zone[64:]
        with pytest.raises(RecordError) as caught:
            parse(zone, today=TODAY)
        assert [error.field for error in caught.value.errors] == ["document_number", "birth_date"]

    @given(
        st.text("0123456789", min_size=9, max_size=9),
        st.dates(date(1950, 1, 1), date(2020, 1, 1)),
        st.sampled_from([*range(44, 54), *range(57, 64), *range(65, 72), 87]),
        st.sampled_from("0123456789"),
    )
    def test_any_single_wrong_digit_is_found(self, number: str, birth: date, place: int, char: str) -> None:
        zone = passport(number=number, birth=birth.strftime("%y%m%d"))
        assume(zone[place] != char)
        with pytest.raises(InputError):
            parse(zone[:place] + char + zone[place + 1 :], today=TODAY)

    def test_composite_digit_finds_what_no_other_covers(self) -> None:
        """The optional data of a card has no digit of its own."""
        zone = card("TD1", "D23145890", number_digit="7", optional="123")
        with pytest.raises(FieldError) as caught:
            parse(zone.replace("123<", "124<"), today=TODAY)
        assert caught.value.field == "mrz"

    @pytest.mark.parametrize("optional_digit", ["0", "<"])
    def test_empty_optional_data_has_zero_or_a_filler(self, optional_digit: str) -> None:
        zone = passport()
        changed = zone[:86] + optional_digit + zone[87:]  # a filler counts as zero: the composite stays right
        assert parse(changed, today=TODAY).optional == ("",)

    def test_filled_optional_data_must_have_its_digit(self) -> None:
        zone = "".join(TD3)
        with pytest.raises(FieldError) as caught:
            parse(zone[:86] + "<" + zone[87:], today=TODAY)
        assert caught.value.field == "optional"

    def test_messages_do_not_tell_the_data(self) -> None:
        zone = "".join(TD3)
        for place in range(44, 88):
            char = "1" if zone[place] != "1" else "2"
            try:
                parse(zone[:place] + char + zone[place + 1 :], today=TODAY)
            except InputError as error:
                shown = f"{error} {error!r} {vars(error)}"
                for personal in ("ERIKSSON", "898902", "740812", "120415", "184226"):
                    assert personal not in shown


class TestNumbers:
    @pytest.mark.parametrize(("size", "optional", "optional2"), [("TD1", "ABC1", "XY"), ("TD2", "AB", "")])
    def test_short_number_leaves_the_optional_data_alone(self, size: str, optional: str, optional2: str) -> None:
        zone = card(size, "D2314", number_digit=mrz_check_digit("D2314<<<<"), optional=optional, optional2=optional2)
        mrz = parse(zone, today=TODAY)
        assert mrz.document_number == "D2314"
        assert mrz.optional == ((optional, optional2) if size == "TD1" else (optional,))

    @given(st.sampled_from(["TD1", "TD2"]), st.text("0123456789ABCXYZ", min_size=10, max_size=14))
    def test_long_numbers_go_on_in_the_optional_data(self, size: str, number: str) -> None:
        optional = number[9:] + mrz_check_digit(number)
        mrz = parse(card(size, number[:9], number_digit="<", optional=optional), today=TODAY)
        assert mrz.document_number == number
        assert mrz.optional[0] == ""

    def test_optional_data_after_a_long_number_is_kept(self) -> None:
        mrz = parse(card("TD1", "D23145890", number_digit="<", optional="7349<AB"), today=TODAY)
        assert (mrz.document_number, mrz.optional) == ("D23145890734", ("AB", ""))

    def test_long_number_without_its_rest_fails(self) -> None:
        with pytest.raises(FieldError) as caught:
            parse(card("TD1", "D23145890", number_digit="<"), today=TODAY)
        assert caught.value.field == "document_number"

    def test_empty_number_is_refused(self) -> None:
        with pytest.raises(FieldError, match="empty") as caught:
            parse(passport(number=""), today=TODAY)
        assert caught.value.field == "document_number"


class TestNames:
    @pytest.mark.parametrize(
        ("field", "surname", "given_names"),
        [
            ("ARKFREITH<<ALAIN", "ARKFREITH", "ALAIN"),
            ("VAN<DER<MUELLEN<<ANNA<MARIA", "VAN DER MUELLEN", "ANNA MARIA"),
            ("ARKFREITH", "ARKFREITH", ""),
            ("OCONNOR<<ENYA<SIOBHAN", "OCONNOR", "ENYA SIOBHAN"),  # the apostrophe is gone and not guessed
            ("<<ANNA", "", "ANNA"),
            ("A<<B<<C", "A", "B C"),
        ],
    )
    def test_parts(self, field: str, surname: str, given_names: str) -> None:
        mrz = parse(passport(name=field), today=TODAY)
        assert (mrz.surname, mrz.given_names) == (surname, given_names)
        assert mrz.name == f"{surname} {given_names}".strip()
        assert not mrz.name_truncated

    def test_name_that_fills_its_field_may_be_truncated(self) -> None:
        assert parse(passport(name="NILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<K"), today=TODAY).name_truncated

    @pytest.mark.parametrize("name", ["", "ER1KSSON<<ANNA"])
    def test_empty_names_and_digits_are_refused(self, name: str) -> None:
        with pytest.raises(FieldError) as caught:
            parse(passport(name=name), today=TODAY)
        assert caught.value.field == "name"


class TestNationalityAndSex:
    @pytest.mark.parametrize(
        ("code", "nationality"),
        [("D", "DEU"), ("GBD", "GBR"), ("GBN", ""), ("FRA", "FRA"), ("RKS", ""), ("XXA", ""), ("UNO", "")],
    )
    def test_codes_of_passports_become_countries_or_nothing(self, code: str, nationality: str) -> None:
        mrz = parse(passport(nationality=code), today=TODAY)
        assert (mrz.nationality_code, mrz.nationality) == (code, nationality)

    def test_passport_codes_are_no_countries_but_lead_to_some(self) -> None:
        for code, (alpha3, name) in PASSPORT_CODES.items():
            assert code not in COUNTRIES
            assert not alpha3 or alpha3 in COUNTRIES
            assert name.zh
            assert name.en

    @pytest.mark.parametrize("code", ["", "DE", "QQQ", "0TO", "A<B"])
    def test_unknown_codes_are_refused(self, code: str) -> None:
        """No check digit covers the nationality, so a misread one is found here or never."""
        with pytest.raises(FieldError) as caught:
            parse(passport(nationality=code), today=TODAY)
        assert caught.value.field == "nationality"

    @pytest.mark.parametrize(("letter", "sex"), [("M", Sex.MALE), ("F", Sex.FEMALE), ("<", Sex.UNSPECIFIED)])
    def test_sex(self, letter: str, sex: Sex) -> None:
        assert parse(passport(sex=letter), today=TODAY).sex is sex

    def test_unknown_sex_is_refused(self) -> None:
        with pytest.raises(FieldError) as caught:
            parse(passport(sex="1"), today=TODAY)
        assert caught.value.field == "sex"


class TestDates:
    @pytest.mark.parametrize(
        ("birth", "today", "expected"),
        [
            ("260301", date(2026, 3, 1), date(2026, 3, 1)),  # born today
            ("260302", date(2026, 3, 1), date(1926, 3, 2)),  # not born tomorrow
            ("000229", date(2026, 3, 1), date(2000, 2, 29)),
            ("960229", date(2026, 3, 1), date(1996, 2, 29)),
            ("991231", date(1999, 12, 31), date(1999, 12, 31)),
        ],
    )
    def test_nobody_is_born_in_the_future(self, birth: str, today: date, expected: date) -> None:
        assert parse(passport(birth=birth), today=today).birth_date == expected

    @pytest.mark.parametrize(
        ("expiry", "expected"),
        [("760101", date(2076, 1, 1)), ("770101", date(1977, 1, 1)), ("260301", date(2026, 3, 1))],
    )
    def test_expiry_lies_within_fifty_years(self, expiry: str, expected: date) -> None:
        assert parse(passport(expiry=expiry), today=TODAY).expiry_date == expected

    @given(st.dates(date(1927, 1, 1), date(2026, 3, 1)), st.integers(-17_000, 18_000))
    def test_dates_survive(self, birth: date, days: int) -> None:
        expiry = TODAY + timedelta(days=days)
        mrz = parse(passport(birth=birth.strftime("%y%m%d"), expiry=expiry.strftime("%y%m%d")), today=TODAY)
        assert (mrz.birth_date, mrz.expiry_date) == (birth, expiry)

    @pytest.mark.parametrize("birth", ["74<<<<", "7408<<", "<<<<<<", "740A12"])
    def test_unknown_parts_of_a_birth_date_are_not_made_up(self, birth: str) -> None:
        with pytest.raises(FieldError, match="not complete") as caught:
            parse(passport(birth=birth), today=TODAY)
        assert caught.value.field == "birth_date"

    @pytest.mark.parametrize(("field", "digits"), [("birth", "741301"), ("birth", "750229"), ("expiry", "300431")])
    def test_days_that_do_not_exist_are_refused(self, field: str, digits: str) -> None:
        zone = passport(birth=digits) if field == "birth" else passport(expiry=digits)
        with pytest.raises(FieldError, match="no such day") as caught:
            parse(zone, today=TODAY)
        assert caught.value.field == f"{field}_date"
