"""Cryptograms of the purse: published examples, and a second way to the same bytes."""

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from juying.crypto import purse
from juying.crypto.purse import Deal, PurseKeys
from juying.errors import InputError, KeyUseError
from tests.transit.cards import CRYPTOGRAMS


def ecb(key: bytes, block: bytes) -> bytes:
    """3DES with two keys, by the library alone."""
    return Cipher(TripleDES(key + key[:8]), modes.ECB()).encryptor().update(block)


def test_published_purchase() -> None:
    given = {name: bytes.fromhex(value) for name, value in CRYPTOGRAMS["pbn-purchase-published"].items() if _hex(value)}
    deal = Deal(int.from_bytes(given["amount"]), given["type"][0], given["terminal"], given["datetime"])
    session = purse.purchase_key(
        given["DPK"], given["random"], int.from_bytes(given["offline_seq"]), given["terminal_seq"]
    )
    assert session == given["SESPK"]
    assert purse.purchase_mac1(session, deal) == given["MAC1"]
    assert purse.purchase_mac2(session, deal) == given["MAC2"]


def test_published_load() -> None:
    given = {name: bytes.fromhex(value) for name, value in CRYPTOGRAMS["pbn-load-published"].items() if _hex(value)}
    deal = Deal(int.from_bytes(given["amount"]), given["type"][0], given["terminal"], given["datetime"])
    session = purse.load_key(given["DLK"], given["random"], int.from_bytes(given["online_seq"]))
    assert session == given["SESLK"]
    assert purse.load_mac1(session, deal, int.from_bytes(given["balance"])) == given["MAC1"]
    assert purse.load_mac2(session, deal) == given["MAC2"]


def _hex(value: object) -> bool:
    return isinstance(value, str) and set(value) <= set("0123456789ABCDEF")


def test_transaction_codes_cover_what_the_sheet_says() -> None:
    key = purse.tac_key(bytes.fromhex("00112233445566778899AABBCCDDEEFF"))
    assert key == bytes.fromhex("8888888888888888")
    deal = Deal(200, 9, bytes(6), bytes.fromhex("20261201120000"))
    assert purse.purchase_tac(key, deal, bytes(4)) != purse.purchase_tac(key, deal, b"\0\0\0\1")
    assert purse.load_tac(key, deal, 500, 1) != purse.load_tac(key, deal, 500, 2)
    assert purse.load_tac(key, deal, 500, 1) != purse.load_tac(key, deal, 501, 1)


def test_a_cards_key_comes_in_two_levels_from_issuer_and_serial() -> None:
    master, issuer = bytes(range(16)), bytes.fromhex("02113450FFFFFFFF")
    serial = bytes.fromhex("03104880499000000001")
    middle = ecb(master, issuer + bytes(0xFF ^ byte for byte in issuer))
    factor = serial[2:]
    expected = ecb(middle, factor + bytes(0xFF ^ byte for byte in factor))
    assert purse.card_key(master, issuer, serial) == expected
    assert PurseKeys({"DPK": master}).card_key("DPK", issuer, serial) == expected


def test_other_algorithms_than_3des_are_refused_by_name() -> None:
    purse.require_3des(0x00)
    with pytest.raises(KeyUseError, match="SM4") as error:
        purse.require_3des(0x04)
    assert "04" in error.value.text.zh
    assert "3DES" in error.value.text.en


def test_keys_that_are_not_held() -> None:
    keys = PurseKeys({"DPK": bytes(16)})
    with pytest.raises(KeyUseError, match="DLK"):
        keys.card_key("DLK", bytes(8), bytes(10))
    assert repr(keys) == "PurseKeys(DPK)"


@pytest.mark.parametrize("masters", [{"DPK": bytes(8)}, {"ABC": bytes(16)}])
def test_keys_that_cannot_be(masters: dict[str, bytes]) -> None:
    with pytest.raises(InputError, match="16"):
        PurseKeys(masters)


def test_demonstration_keys_are_all_there_and_differ() -> None:
    keys = purse.demonstration_keys()
    made = {keys.card_key(name, bytes(8), bytes(10)) for name in purse.KEY_NAMES}
    assert len(made) == 4
