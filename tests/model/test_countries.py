"""The country table is complete and says what ISO 3166-1 says."""

import hashlib

import pytest

from juying.errors import FieldError
from juying.model.countries import COUNTRIES, SPECIMEN, by_alpha3, check_nationality, find


def test_codes_are_those_of_iso_3166_1() -> None:
    """249 entries; the digest is over all letter and digit codes as an independent package lists them."""
    assert len(COUNTRIES) == 249
    codes = "".join(country.alpha3 + country.numeric for country in COUNTRIES.values())
    digest = hashlib.sha256(codes.encode()).hexdigest()
    assert digest == "10745f3ce526037b6dd68011fcf9463770076ecc373e2c6203a19fc859f7cc4d"


def test_no_name_or_code_occurs_twice() -> None:
    for values in (
        [country.numeric for country in COUNTRIES.values()],
        [country.name.zh for country in COUNTRIES.values()],
        [country.name.en for country in COUNTRIES.values()],
    ):
        assert len(set(values)) == 249
        assert all(values)


def test_chinese_names_are_written_in_chinese() -> None:
    for country in COUNTRIES.values():
        assert all("\u4e00" <= char <= "\u9fff" or char in "（）、-" for char in country.name.zh), country.alpha3


@pytest.mark.parametrize("text", ["DEU", "deu", " 276 ", "德国", "Germany", "GERMANY"])
def test_a_country_is_found_by_code_and_by_name(text: str) -> None:
    country = find(text)
    assert country is not None
    assert country.alpha3 == "DEU"


@pytest.mark.parametrize("text", ["", "D", "XKX", "Deutschland", "27", "999"])
def test_nothing_is_guessed(text: str) -> None:
    assert find(text) is None


def test_every_country_is_found_by_each_of_its_names() -> None:
    for country in COUNTRIES.values():
        for key in (country.alpha3, country.numeric, *country.name):
            assert find(key) is country


def test_specimen_country_is_accepted_and_says_what_it_is() -> None:
    assert "UTO" not in COUNTRIES
    assert by_alpha3("UTO") is SPECIMEN
    assert check_nationality("uto") == "UTO"
    assert "specimen only" in SPECIMEN.name.en
    assert "样本" in SPECIMEN.name.zh


@pytest.mark.parametrize("code", ["", "D", "DE", "XKX", "ＤＥＵ", "ınd", None, 276])
def test_other_nationalities_are_refused(code: object) -> None:
    """Also full-width letters, and a dotless i that would become a capital I."""
    with pytest.raises(FieldError, match="ISO 3166-1"):
        check_nationality(code)
