"""Personal values at rest: sealed to their place, found by keyed hashes, and opened by the ledger key alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.crypto.block import Cipher
from juying.crypto.keys import DemonstrationKeys
from juying.errors import DecodeError, KeyUseError
from juying.ledger.vault import Vault, ledger_cipher, rewrap, under_current_key

REGION, NAME = "331000", "0" * 32
DATA_KEY = bytes(range(64))


@pytest.fixture
def vault() -> Vault:
    return Vault(DATA_KEY)


def test_what_was_sealed_comes_back(vault: Vault) -> None:
    record = {"name": "ERIKSSON", "chinese": "安娜", "number": 7, "list": [1, None, True]}
    assert vault.open_record(vault.seal(record, "persons/1"), "persons/1") == record
    assert vault.open_bytes(vault.seal(b"\xff\xd8", "persons/1/photo"), "persons/1/photo") == b"\xff\xd8"


@given(st.binary(max_size=200), st.text(max_size=40))
def test_any_bytes_at_any_place(value: bytes, place: str) -> None:
    vault = Vault(DATA_KEY)
    assert vault.open_bytes(vault.seal(value, place), place) == value


def test_equal_values_look_different(vault: Vault) -> None:
    assert vault.seal(b"same", "persons/1") != vault.seal(b"same", "persons/1")


@pytest.mark.parametrize("place", ["persons/2", "permits/1", "persons/1/photo", "", "persons/11"])
def test_a_copy_elsewhere_does_not_open(vault: Vault, place: str) -> None:
    sealed = vault.seal({"name": "ERIKSSON"}, "persons/1")
    with pytest.raises(DecodeError, match="was changed") as error:
        vault.open_record(sealed, place)
    assert error.value.where == place
    assert "ERIKSSON" not in str(error.value)


def test_any_change_is_seen(vault: Vault) -> None:
    sealed = vault.seal(b"value", "persons/1")
    changed = [bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]]) for at in range(len(sealed))]
    for other in (*changed, sealed[:-1], sealed + b"\x00", b"", sealed[:12], sealed[:5]):
        with pytest.raises(DecodeError):
            vault.open_bytes(other, "persons/1")


def test_another_ledger_does_not_open_it(vault: Vault) -> None:
    with pytest.raises(DecodeError):
        Vault(bytes(64)).open_bytes(vault.seal(b"value", "persons/1"), "persons/1")


def test_hashes_depend_on_ledger_kind_and_all_values(vault: Vault) -> None:
    hashes = [
        vault.key("card", "A", "B"), vault.key("card", "AB"), vault.key("card", "A", "", "B"),
        vault.key("permit", "A", "B"), vault.key("card", "B", "A"), Vault(bytes(64)).key("card", "A", "B"),
    ]  # fmt: skip
    assert len(set(hashes)) == len(hashes)
    assert {len(value) for value in hashes} == {16}
    assert vault.key("card", "A", "B") == hashes[0]


def test_the_data_key_opens_with_the_ledger_key_alone() -> None:
    keys = DemonstrationKeys()
    made, cipher, wrapped = Vault.make(keys, REGION, NAME)
    opened = Vault.open(keys, REGION, NAME, cipher, wrapped)
    assert opened.open_bytes(made.seal(b"value", "persons/1"), "persons/1") == b"value"
    for region, name in ((REGION, "1" * 32), ("110000", NAME)):
        with pytest.raises(KeyUseError, match="not the one it was made with"):
            Vault.open(keys, region, name, cipher, wrapped)
    with pytest.raises(KeyUseError):
        Vault.open(keys, REGION, NAME, cipher, wrapped[:-1])


def test_every_ledger_has_a_data_key_of_its_own() -> None:
    keys = DemonstrationKeys()
    (first, _, one), (second, _, other) = (Vault.make(keys, REGION, NAME) for _ in range(2))
    assert one != other
    with pytest.raises(DecodeError):
        second.open_bytes(first.seal(b"value", "persons/1"), "persons/1")


def test_the_data_key_is_wrapped_anew() -> None:
    keys = DemonstrationKeys()
    made, cipher, wrapped = Vault.make(keys, REGION, NAME)
    again = rewrap(keys, REGION, NAME, cipher, wrapped)
    assert again != wrapped
    assert under_current_key(keys, REGION, NAME, cipher, again)
    assert not under_current_key(keys, REGION, NAME, cipher, bytes(len(again)))
    opened = Vault.open(keys, REGION, NAME, cipher, again)
    assert opened.open_bytes(made.seal(b"value", "persons/1"), "persons/1") == b"value"


class _Some(DemonstrationKeys):
    """Keys of some ciphers only."""

    def __init__(self, *ciphers: Cipher) -> None:
        super().__init__()
        self._there = ciphers

    def has(self, key) -> bool:
        return key.cipher in self._there


@pytest.mark.parametrize(("there", "chosen"), [((Cipher.SM4, Cipher.TDES), Cipher.SM4), ((Cipher.TDES,), Cipher.TDES)])
def test_the_cipher_is_that_of_a_key_that_is_there(there: tuple[Cipher, ...], chosen: Cipher) -> None:
    assert ledger_cipher(_Some(*there), REGION) is chosen
    assert Vault.make(_Some(*there), REGION, NAME)[1] is chosen


def test_without_a_ledger_key_there_is_no_ledger() -> None:
    with pytest.raises(KeyUseError, match="no ledger key for city 331000"):
        Vault.make(_Some(), REGION, NAME)


def test_it_shows_no_key(vault: Vault) -> None:
    assert repr(vault) == "Vault()"
