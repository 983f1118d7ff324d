"""MACs against published vectors and against the openssl command."""

import pytest

from juying.crypto import block, mac
from juying.crypto.block import Cipher
from juying.crypto.mac import MacKey
from juying.errors import InputError

# ISO/IEC 9797-1, annex: algorithm 1 and 3 with padding method 2
K1, K2 = bytes.fromhex("0123456789ABCDEF"), bytes.fromhex("FEDCBA9876543210")
STRING_1, STRING_2 = b"Now is the time for all ", b"Now is the time for it"
KEY = bytes.fromhex("4CF15134A2850DD58A3D10BA80570D38")
CHALLENGE = bytes.fromhex("11223344")
COMMAND = bytes.fromhex("04DC07042A2F16") + bytes(range(0x26))


@pytest.mark.parametrize(("data", "expected"), [(STRING_1, "10E1F0F1"), (STRING_2, "A924C721")])
def test_des_mac_published(data, expected):
    # the annex prints 4 bytes of it
    assert mac.des_mac(K1, data)[:4].hex().upper() == expected


@pytest.mark.parametrize(("data", "expected"), [(STRING_1, "E9086230"), (STRING_2, "5A692CE6")])
def test_retail_mac_published(data, expected):
    assert mac.retail_mac(K1 + K2, data)[:4].hex().upper() == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", "BD2EBF9A3BA00361"),
        ("6BC1BEE22E409F96", "4FF2AB813C53CE83"),
        ("6BC1BEE22E409F96E93D7E117393172AAE2D8A57", "62DD1B471902BD4E"),
        ("6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51", "31B1E431DABC4EB8"),
    ],
)
def test_cmac_published_for_two_key_3des(message, expected):
    # NIST SP 800-38B, examples for two-key TDEA
    assert mac.cmac(Cipher.TDES, KEY, bytes.fromhex(message)).hex().upper() == expected


@pytest.mark.parametrize(("cipher", "name"), [(Cipher.TDES, "DES-EDE3-CBC"), (Cipher.SM4, "SM4-CBC")])
def test_cmac_agrees_with_openssl(openssl, cipher, name):
    key = KEY + KEY[:8] if cipher is Cipher.TDES else KEY
    (openssl.folder / "message").write_bytes(COMMAND)
    answer = openssl("mac", "-cipher", name, "-macopt", f"hexkey:{key.hex()}", "-in", "message", "CMAC")
    assert mac.cmac(cipher, KEY, COMMAND).hex() == answer.strip().lower()


@pytest.mark.parametrize("length", [0, 7, 8, 9, 40])
def test_retail_mac_agrees_with_openssl(openssl, length):
    data = block.pad(COMMAND[:length], 8)
    state = bytes(range(8))
    if len(data) > 8:
        state = openssl.encipher("des-cbc", KEY[:8], data[:-8], state)[-8:]
    last = bytes(a ^ b for a, b in zip(state, data[-8:], strict=True))
    assert mac.retail_mac(KEY, COMMAND[:length], bytes(range(8))) == openssl.encipher("des-ede", KEY, last)


def test_des_mac_agrees_with_openssl(openssl):
    expected = openssl.encipher("des-cbc", K1, block.pad(COMMAND, 8), bytes(range(8)))[-8:]
    assert mac.des_mac(K1, COMMAND, bytes(range(8))) == expected


def test_sm4_cbc_mac_agrees_with_openssl(openssl):
    iv = bytes(range(16))
    assert mac.sm4_cbc_mac(KEY, COMMAND, iv) == openssl.encipher("sm4-cbc", KEY, block.pad(COMMAND, 16), iv)[-16:]


def test_fold_is_the_xor_of_four_words():
    assert mac.fold(bytes.fromhex("000000010000020000030000 F4000000")) == bytes.fromhex("F4030201")


def test_secure_messaging_3des_fills_the_challenge_up_and_cuts_the_mac():
    whole = mac.retail_mac(KEY, COMMAND, CHALLENGE + bytes(4))
    assert mac.mac4(Cipher.TDES, KEY, COMMAND, CHALLENGE) == whole[:4]
    assert mac.mac4(Cipher.TDES, KEY, COMMAND, CHALLENGE).hex().upper() == "68F923E7"  # ours


def test_secure_messaging_sm4_folds_the_mac():
    challenge = CHALLENGE * 4
    assert mac.mac4(Cipher.SM4, KEY, COMMAND, challenge) == mac.fold(mac.sm4_cbc_mac(KEY, COMMAND, challenge))
    assert mac.mac4(Cipher.SM4, KEY, COMMAND, challenge).hex().upper() == "8A7E8C5D"  # ours


def test_published_purchase_of_a_purse():
    """Session key, MAC1 and MAC2 of the worked example that Chinese developers' pages copy from each other."""
    master = bytes.fromhex("11223344556677888877665544332211")
    session = block.encrypt_ecb(Cipher.TDES, master, bytes.fromhex("1122334400000001"))
    assert session.hex().upper() == "003238ABC57659DD"
    amount, terminal, moment = "00001000", "001122334455", "20120229135100"
    assert mac.des_mac(session, bytes.fromhex(amount + "06" + terminal + moment))[:4].hex().upper() == "F15CAB75"
    assert mac.des_mac(session, bytes.fromhex(amount))[:4].hex().upper() == "56988A13"


def test_published_load_of_a_purse():
    master = bytes.fromhex("11223344556677888877665544332211")
    session = block.encrypt_ecb(Cipher.TDES, master, bytes.fromhex("1122334400008000"))
    assert session.hex().upper() == "9B1D924E05595603"
    balance, amount, terminal, moment = "00000000", "00001000", "001122334455", "20111221214822"
    mac1 = mac.des_mac(session, bytes.fromhex(balance + amount + "01" + terminal))[:4]
    mac2 = mac.des_mac(session, bytes.fromhex(amount + "01" + terminal + moment))[:4]
    assert (mac1.hex().upper(), mac2.hex().upper()) == ("2988AE5A", "3A845BF0")


@pytest.mark.parametrize(
    ("cipher", "initial"),
    [(Cipher.TDES, bytes(9)), (Cipher.TDES, bytes(16)), (Cipher.SM4, bytes(8)), (Cipher.SM4, b"")],
)
def test_an_initial_value_that_does_not_fit_is_refused(cipher, initial):
    with pytest.raises(InputError):
        mac.mac4(cipher, KEY, COMMAND, initial)


@pytest.mark.parametrize("cipher", Cipher)
def test_a_mac_key_is_not_shown_and_can_be_wiped(cipher):
    key = MacKey(cipher, KEY)
    initial = bytes(cipher.block)
    assert repr(key) == f"MacKey('{cipher.value}')"
    before = key.mac4(COMMAND, initial)
    key.wipe()
    assert key.mac4(COMMAND, initial) == mac.mac4(cipher, bytes(16), COMMAND, initial) != before
