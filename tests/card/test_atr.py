"""Historical bytes of an ATR."""

import pytest

from juying.card.atr import historical_bytes


@pytest.mark.parametrize(
    ("atr", "historical"),
    [
        pytest.param("3B6D000000814A59028602331099110145", "00814A59028602331099110145", id="T=0, no check byte"),
        pytest.param("3B00", "", id="none"),
        pytest.param("3B8180" + "01" + "5A" + "00", "5A", id="T=0 and T=1, check byte"),
        pytest.param("3BED00008131FE4500814A5903860333109911014500", "00814A59038603331099110145", id="T=1"),
    ],
)
def test_they_are_found_behind_the_interface_bytes(atr: str, historical: str) -> None:
    assert historical_bytes(bytes.fromhex(atr)).hex().upper() == historical


@pytest.mark.parametrize("atr", ["", "3B", "3BFF", "3B6D0000", "3B0211", "3B02112233", "3BFF111111"])
def test_of_what_contradicts_itself_there_are_none(atr: str) -> None:
    assert historical_bytes(bytes.fromhex(atr)) == b""
