"""From profile and card to the names and factors of its keys."""

import pytest

from juying.card.card_keys import card_key, is_virtual
from juying.codec.profile import load_profile
from juying.crypto.block import Cipher
from juying.errors import InputError

HISTORICAL = bytes.fromhex("00814A5932384697159900BF7C")


@pytest.mark.parametrize(
    ("profile", "cipher"), [("ssc-v1", Cipher.TDES), ("ssc-v2", Cipher.TDES), ("ssc-v3", Cipher.SM4)]
)
def test_a_key_has_name_cipher_factors_and_places(profile, cipher):
    key = card_key(load_profile(profile), "SSSE", "RKSSSE", historical=HISTORICAL, city="331000")
    assert (key.name, key.cipher, key.city) == ("SSSE/RKSSSE", cipher, "331000")
    assert (key.city_factor, key.card_factor) == (b"331000sx", HISTORICAL[-8:])
    assert (key.psam_usage, key.psam_id) == (0x47, 0x0A)
    assert key.hsm_address == bytes.fromhex("004C")


def test_the_profile_chooses_the_factors():
    profile = load_profile("ssc-v3")
    security = profile.security.model_copy(update={"card_factor": "atr-t8-td", "city_factor": "none"})
    profile = profile.model_copy(update={"security": security})
    key = card_key(profile, "SSSE", "RKSSSE", historical=HISTORICAL, city="331000")
    assert (key.city_factor, key.card_factor) == (b"", HISTORICAL[-6:] + b"\x00\x00")


@pytest.mark.parametrize(("application", "name"), [("SSSE", "UK7"), ("DF99", "UK7")])
def test_what_the_profile_does_not_have_is_bad_input(application, name):
    with pytest.raises(InputError, match="ssc-v3"):
        card_key(load_profile("ssc-v3"), application, name, historical=HISTORICAL, city="331000")


@pytest.mark.parametrize(("historical", "city"), [(HISTORICAL[:-1], "331000"), (HISTORICAL, "33100x"), (b"", "")])
def test_factors_that_cannot_be_made_are_bad_input(historical, city):
    with pytest.raises(InputError):
        card_key(load_profile("ssc-v3"), "DF01", "UK7", historical=historical, city=city)


@pytest.mark.parametrize(
    ("historical", "expected"), [(HISTORICAL, True), (bytes(13), False), (b"", False), (b"JY", False)]
)
def test_virtual_cards_are_known_by_their_atr(historical, expected):
    assert is_virtual(historical) is expected
