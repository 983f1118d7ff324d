"""Factors and diversified keys."""

import pytest

from juying.crypto.block import Cipher
from juying.crypto.diversify import TEMPLATES, card_factor, city_factor, diversify
from juying.errors import InputError

HISTORICAL = bytes(range(0xA1, 0xAE))  # T1 = A1 … TD = AD
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
FACTOR = bytes.fromhex("3337313730307378")


def test_published_city_factor():
    assert city_factor("city-sx", "371700") == FACTOR


@pytest.mark.parametrize(
    ("template", "expected"), [("atr-last-8", "A6A7A8A9AAABACAD"), ("atr-t8-td", "A8A9AAABACAD0000"), ("none", "")]
)
def test_card_factors(template, expected):
    assert card_factor(template, HISTORICAL) == bytes.fromhex(expected)


def test_a_city_without_diversification():
    assert city_factor("none", "331000") == b""


@pytest.mark.parametrize(
    ("cipher", "expected"),
    [(Cipher.TDES, "B30540AEE745677DFB820230EE93DAFF"), (Cipher.SM4, "C4C7562FAC8A0B3A281F1F74B3E99EA8")],
)
def test_diversified_keys_and_openssl_agrees(openssl, cipher, expected):
    # ours: no source publishes a key with its factor
    inverse = bytes.fromhex("CCC8CEC8CFCF8C87")
    key = diversify(cipher, KEY, FACTOR)
    name = "des-ede" if cipher is Cipher.TDES else "sm4-ecb"
    assert key == openssl.encipher(name, KEY, FACTOR + inverse)
    assert key.hex().upper() == expected


@pytest.mark.parametrize("cipher", Cipher)
def test_an_empty_factor_leaves_the_key(cipher):
    assert diversify(cipher, KEY, b"") == KEY


@pytest.mark.parametrize("length", [1, 7, 9, 16])
def test_factors_of_other_lengths_are_refused(length):
    with pytest.raises(InputError):
        diversify(Cipher.SM4, KEY, bytes(length))


@pytest.mark.parametrize("city", ["", "37170", "3717000", "37170x", "３７１７００"])
def test_a_city_has_six_digits(city):
    for template in TEMPLATES:
        with pytest.raises(InputError):
            city_factor(template, city)


@pytest.mark.parametrize("length", [0, 12, 14])
def test_an_atr_has_thirteen_historical_bytes(length):
    for template in ("atr-last-8", "atr-t8-td", "city-sx"):
        with pytest.raises(InputError):
            card_factor(template, bytes(length))


def test_an_unknown_template_is_refused_with_those_that_exist():
    with pytest.raises(InputError, match="atr-last-8"):
        card_factor("atr-first-8", HISTORICAL)


def test_templates_say_in_both_languages_what_they_are_and_what_is_uncertain():
    assert list(TEMPLATES) == ["atr-last-8", "atr-t8-td", "city-sx", "none"]
    for name, template in TEMPLATES.items():
        assert template.name == name
        assert template.source in {"observed", "ours"}
        assert template.title.zh != template.title.en
        assert (template.note is None) == (template.source == "ours")
