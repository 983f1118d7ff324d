"""Numbers of persons, employers and cards: published samples, python-stdnum as an oracle, what the codes guarantee."""

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import ric, uscc
from stdnum.iso7064 import mod_11_2

from juying.errors import FieldError
from juying.model import numbers
from juying.model.countries import COUNTRIES
from juying.model.numbers import (
    NumberNotSettled,
    card_number,
    check_card_number,
    check_citizen_number,
    check_credit_code,
    check_foreigner_number,
    check_organisation_code,
    check_residence_card,
    citizen_check_character,
    credit_code_check_character,
    foreigner_number,
    mrz_check_digit,
    organisation_check_character,
)

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def text_of(alphabet: str, length: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=length, max_size=length)


birth_dates = st.dates(date(1900, 1, 1), date(2099, 12, 31)).map(lambda day: day.strftime("%Y%m%d"))


def replaced(number: str, place: int, char: str) -> str:
    return number[:place] + char + number[place + 1 :]


class TestCitizenNumber:
    """GB 11643."""

    @pytest.mark.parametrize(
        "number",
        [
            "11010519491231002X",  # both samples of the standard
            "440524188001010014",
            "810000199501010015",  # residence permit of Hong Kong
        ],
    )
    def test_samples_pass(self, number: str) -> None:
        assert check_citizen_number(number) == number

    def test_is_tidied(self) -> None:
        assert check_citizen_number(" 11010519491231002x\n") == "11010519491231002X"

    @pytest.mark.parametrize(
        "number",
        [
            "",
            "1101051949123100",
            "11010519491231002Y",
            "011010519491231002X",
            "932682198501010017",
            "１10105194912310021",
        ],
    )
    def test_other_forms_are_refused(self, number: str) -> None:
        with pytest.raises(FieldError) as caught:
            check_citizen_number(number, "id")
        assert caught.value.field == "id"

    @pytest.mark.parametrize("birth", ["19491301", "19490230", "00000101", "17991231", "22000101"])
    def test_impossible_birth_date_is_refused(self, birth: str) -> None:
        body = f"110105{birth}002"
        with pytest.raises(FieldError, match="birth date"):
            check_citizen_number(body + citizen_check_character(body))

    def test_first_and_last_plausible_day_pass(self) -> None:
        for birth in ("18000101", "21991231"):
            body = f"110105{birth}002"
            assert check_citizen_number(body + citizen_check_character(body))

    @given(text_of(DIGITS, 17))
    def test_check_character_agrees_with_stdnum(self, body: str) -> None:
        assert citizen_check_character(body) == ric.calc_check_digit(body + "0") == mod_11_2.calc_check_digit(body)

    @given(birth_dates.filter(lambda day: "1995" <= day < "2025"), text_of(DIGITS, 3))
    def test_what_we_build_for_a_known_region_stdnum_accepts(self, birth: str, sequence: str) -> None:
        body = "331002" + birth + sequence
        number = body + citizen_check_character(body)
        assert ric.is_valid(number)
        assert check_citizen_number(number) == number

    @given(birth_dates, text_of(DIGITS, 3), st.integers(6, 17), st.sampled_from(DIGITS + "X"))
    def test_every_single_wrong_character_is_found(self, birth: str, sequence: str, place: int, char: str) -> None:
        body = "331002" + birth + sequence
        number = body + citizen_check_character(body)
        assume(number[place] != char)
        with pytest.raises(FieldError):
            check_citizen_number(replaced(number, place, char))


class TestOrganisationAndCreditCode:
    """GB 11714 and GB 32100."""

    @pytest.mark.parametrize(
        ("code", "organisation"),
        [
            ("91350100M000100Y43", "M000100Y4"),  # sample of the standard
            ("91110000600037341L", "600037341"),
            ("91331002MA00TE5T2C", "MA00TE5T2"),
        ],
    )
    def test_samples_pass(self, code: str, organisation: str) -> None:
        assert check_credit_code(f" {code.lower()} ") == code
        assert uscc.is_valid(code)
        assert check_organisation_code(organisation) == organisation

    def test_letters_in_the_first_two_places_are_allowed(self) -> None:
        body = "N2331002MA00TE5T2"
        assert check_credit_code(body + credit_code_check_character(body))

    def test_organisation_code_may_have_its_hyphen(self) -> None:
        assert check_organisation_code("ma00te5t-2") == "MA00TE5T2"

    @pytest.mark.parametrize("code", ["", "91350100M000100Y4", "91350100M000100I43", "9135010AM000100Y43", None, 91])
    def test_other_forms_are_refused(self, code: object) -> None:
        with pytest.raises(FieldError):
            check_credit_code(code)

    def test_wrong_organisation_code_inside_is_found(self) -> None:
        body = "91350100M000100Y5"
        with pytest.raises(FieldError, match="GB 11714"):
            check_credit_code(body + credit_code_check_character(body))

    @given(text_of(DIGITS, 8), text_of(CREDIT_ALPHABET, 9))
    def test_check_character_agrees_with_stdnum(self, head: str, tail: str) -> None:
        assert credit_code_check_character(head + tail) == uscc.calc_check_digit(head + tail)

    @given(text_of(DIGITS, 8), text_of(CREDIT_ALPHABET, 8))
    def test_what_we_build_stdnum_accepts(self, head: str, organisation: str) -> None:
        body = head + organisation + organisation_check_character(organisation)
        code = body + credit_code_check_character(body)
        assert uscc.is_valid(code)
        assert check_credit_code(code) == code

    @given(
        text_of(DIGITS, 8),
        text_of(CREDIT_ALPHABET, 8),
        st.integers(0, 17),
        st.sampled_from(CREDIT_ALPHABET),
    )
    def test_every_single_wrong_character_is_found(self, head: str, organisation: str, place: int, char: str) -> None:
        body = head + organisation + organisation_check_character(organisation)
        code = body + credit_code_check_character(body)
        assume(code[place] != char)
        with pytest.raises(FieldError):
            check_credit_code(replaced(code, place, char))


class TestCardNumber:
    """卡号: eight characters and a check character."""

    @pytest.mark.parametrize(
        ("serial", "number"),
        [
            ("X0000001", "X00000019"),  # the fictional number of a reader manual
            ("A0000000", "A00000003"),
            ("a0000001", "A00000011"),
            (0, "000000000"),
            (12345678, "12345678" + organisation_check_character("12345678")),
            (7, "00000007" + organisation_check_character("00000007")),
        ],
    )
    def test_samples(self, serial: int | str, number: str) -> None:
        assert card_number(serial) == number
        assert check_card_number(number.lower()) == number

    @pytest.mark.parametrize("serial", [-1, 100_000_000, "", "1234567", "123456789", "1234567-", "1234567\u0661"])
    def test_other_serials_are_refused(self, serial: int | str) -> None:
        with pytest.raises(FieldError) as caught:
            card_number(serial)
        assert caught.value.field == "serial"

    def test_every_check_character_occurs(self) -> None:
        assert {card_number(serial)[8] for serial in range(40)} == set("0123456789X")

    @given(text_of(DIGITS, 8), st.integers(0, 8), st.sampled_from(DIGITS + "X"))
    def test_every_single_wrong_digit_is_found(self, serial: str, place: int, char: str) -> None:
        number = card_number(serial)
        assume(number[place] != char and (char != "X" or place == 8))
        with pytest.raises(FieldError):
            check_card_number(replaced(number, place, char))

    @given(text_of(DIGITS + LETTERS, 8))
    def test_what_we_build_we_accept(self, serial: str) -> None:
        assert check_card_number(card_number(serial)) == card_number(serial)


class TestResidenceCard:
    """外国人永久居留身份证: 15 and 18 characters."""

    @pytest.mark.parametrize(
        "number",
        [
            "PAK310080010103",
            "932682198501010017",
            "911124198108030024",
            "931586198001010028",
            "933276199001010017",
            "933276199001010025",
            "933000199001010035",  # without nationality
        ],
    )
    def test_samples_pass(self, number: str) -> None:
        assert check_residence_card(number.lower()) == number

    def test_published_sample_with_wrong_check_character_is_refused(self) -> None:
        with pytest.raises(FieldError, match="check character"):
            check_residence_card("911124198108030028")

    @pytest.mark.parametrize("number", ["", "PAK31008001010", "11010519491231002X", "P4K310080010103"])
    def test_other_forms_are_refused(self, number: str) -> None:
        with pytest.raises(FieldError):
            check_residence_card(number)

    def test_unknown_nationality_is_refused(self) -> None:
        body = "93399919900101001"
        with pytest.raises(FieldError, match="nationality"):
            check_residence_card(body + citizen_check_character(body))

    def test_impossible_birth_dates_are_refused(self) -> None:
        new, old = "93327619901301001", "PAK31008013010"
        for number in (new + citizen_check_character(new), old + mrz_check_digit(old)):
            with pytest.raises(FieldError, match="birth date"):
                check_residence_card(number)

    def test_leap_day_of_either_century_passes(self) -> None:
        for body in ("PAK31000002290", "PAK31009602290"):
            assert check_residence_card(body + mrz_check_digit(body))

    @given(
        st.sampled_from(sorted(country.numeric for country in COUNTRIES.values())),
        birth_dates,
        text_of(DIGITS, 3),
        st.integers(1, 17),
        st.sampled_from(DIGITS + "X"),
    )
    def test_every_single_wrong_character_of_18_is_found(
        self, country: str, birth: str, sequence: str, place: int, char: str
    ) -> None:
        body = "933" + country + birth + sequence
        number = body + citizen_check_character(body)
        assert check_residence_card(number) == number
        assume(number[place] != char)
        with pytest.raises(FieldError):
            check_residence_card(replaced(number, place, char))

    @given(st.sampled_from(sorted(COUNTRIES)), birth_dates, st.integers(3, 14), st.sampled_from(DIGITS))
    def test_every_single_wrong_digit_of_15_is_found(self, country: str, birth: str, place: int, char: str) -> None:
        body = country + "3310" + birth[2:] + "1"
        number = body + mrz_check_digit(body)
        assume(birth[2:] != "000229" or birth[:2] == "20")
        assert check_residence_card(number) == number
        assume(number[place] != char)
        with pytest.raises(FieldError):
            check_residence_card(replaced(number, place, char))


class TestForeignerNumber:
    """外国人社会保障号码."""

    @pytest.mark.parametrize(
        ("nationality", "document", "number"),
        [
            ("DEU", "C01X00T47", "DEU000000C01X00T47"),
            ("PAK", "PAK310080010103", "PAK000310080010103"),
            ("UTO", "L898902C3", "UTO000000L898902C3"),
            (" deu ", " c01x00t47 ", "DEU000000C01X00T47"),
            ("FRA", "12345678901234", "FRA012345678901234"),
        ],
    )
    def test_samples(self, nationality: str, document: str, number: str) -> None:
        assert foreigner_number(nationality, document) == number
        assert check_foreigner_number(number) == number

    @pytest.mark.parametrize(
        ("nationality", "document", "why"),
        [
            ("DEU", "123456789012345", "longer than 14"),
            ("DEU", "C01X-00T47", "symbols or spaces"),
            ("DEU", "C01X 00T47", "symbols or spaces"),
            ("DEU", "Ü1234567", "symbols or spaces"),
            ("DEU", "933276199001010017", "18-character"),
            ("DEU", "PAK310080010103", "another nationality"),
        ],
    )
    def test_what_the_rule_leaves_open_is_a_typed_error(self, nationality: str, document: str, why: str) -> None:
        with pytest.raises(NumberNotSettled, match=why) as caught:
            foreigner_number(nationality, document)
        assert caught.value.field == "document_number"
        assert "as issued" in caught.value.text.en
        assert "已签发" in caught.value.text.zh

    @pytest.mark.parametrize(
        ("nationality", "document", "field"),
        [
            ("D", "C01X00T47", "nationality"),
            ("XKX", "C01X00T47", "nationality"),
            ("DEU", " ", "document_number"),
            ("PAK", "PAK310080010104", "document_number"),
            ("DEU", "933276199001010018", "document_number"),
        ],
    )
    def test_what_is_wrong_by_itself_is_no_open_question(self, nationality: str, document: str, field: str) -> None:
        with pytest.raises(FieldError) as caught:
            foreigner_number(nationality, document)
        assert caught.value.field == field
        assert not isinstance(caught.value, NumberNotSettled)

    @pytest.mark.parametrize("number", ["", "DEU000000C01X00T4", "DEU000000C01X00T477", "DEU000000C01X00T4-"])
    def test_issued_number_has_18_characters(self, number: str) -> None:
        with pytest.raises(FieldError):
            check_foreigner_number(number)

    @given(st.sampled_from(sorted(COUNTRIES)), st.text(DIGITS + LETTERS, min_size=1, max_size=14))
    def test_nationality_and_document_can_be_read_back(self, nationality: str, document: str) -> None:
        number = foreigner_number(nationality, document)
        assert len(number) == 18
        assert number[:4] == nationality + "0"
        assert number[4:] == document.rjust(14, "0")


class TestCheckFunctions:
    """What they do with input that is not theirs."""

    @pytest.mark.parametrize(
        "function",
        [citizen_check_character, organisation_check_character, credit_code_check_character],
    )
    @pytest.mark.parametrize("body", ["", "1", "一二三四五六七八", "é" * 17, "1" * 40])
    def test_wrong_bodies_raise_one_error_type(self, function: object, body: str) -> None:
        with pytest.raises(FieldError):
            function(body)

    def test_mrz_check_digit_refuses_other_characters(self) -> None:
        with pytest.raises(FieldError):
            mrz_check_digit("abc")

    @given(text_of(DIGITS, 9), st.integers(0, 8), st.sampled_from(DIGITS))
    def test_mrz_check_digit_finds_every_single_wrong_digit(self, data: str, place: int, char: str) -> None:
        assume(data[place] != char)
        assert mrz_check_digit(replaced(data, place, char)) != mrz_check_digit(data)

    @given(
        st.text("ЖЩ§¤QZ <\u202e", min_size=5, max_size=40).filter(str.strip)
        | st.sampled_from([8, 9, 15, 17, 18]).flatmap(lambda length: text_of("13579", length))
        | text_of("13579", 12).map(lambda digits: "PAK" + digits)
        | text_of("13579", 17).map(lambda digits: "9" + digits)
    )
    def test_no_check_function_tells_the_value(self, value: str) -> None:
        """Neither nonsense nor a number with a typing error is in any part of the error."""
        for check in (
            check_citizen_number,
            check_credit_code,
            check_organisation_code,
            check_card_number,
            check_residence_card,
            check_foreigner_number,
            card_number,
            lambda text: foreigner_number("DEU", text),
            lambda text: foreigner_number(text, "C01X00T47"),
        ):
            try:
                check(value)
            except FieldError as error:
                shown = f"{error} {error!r} {error.args} {error.__cause__} {error.__context__} {vars(error)}"
                assert value.strip() not in shown

    def test_errors_name_field_problem_and_rule_in_both_languages(self) -> None:
        with pytest.raises(FieldError) as caught:
            numbers.check_card_number("X00000018", "number")
        error = caught.value
        assert error.field == error.where == "number"
        assert error.problem.zh == "校验码不符，请核对"
        assert "8 digits or capital letters" in error.rule.en
        assert error.rule.zh in error.text.zh
