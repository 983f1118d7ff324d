"""Keys in a real PKCS#11 token (SoftHSM2): they do what keys in a file do, and stay inside."""

import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, ObjectClass

from juying.credential.issue import issue
from juying.credential.trust import TrustList
from juying.credential.verify import verify
from juying.crypto.block import Cipher
from juying.crypto.diversify import city_factor
from juying.crypto.key_set import KeyKind, KeySet, KeyState, StoredKey
from juying.crypto.keys import CardKey, Keys
from juying.crypto.pkcs11 import Pkcs11Keys, Pkcs11Signer
from juying.crypto.signing import Algorithm, VerifyKey
from juying.crypto.software_keys import SoftwareKeys
from juying.crypto.token import Token, _compressed, refusals
from juying.errors import DecodeError, InputError, KeyUseError
from juying.text import Text
from tests.credential import samples
from tests.crypto.softhsm import PIN, softhsm

SECRET = bytes.fromhex("0123456789ABCDEF1032547698BADCFE")
OTHER = bytes.fromhex("FEDCBA98765432100F1E2D3C4B5A6978")
CITY = "331000"
WRONG_PIN = "97531"
SIGNS = [KeyKind.ES256, KeyKind.ED25519]


def stored(name: str, material: bytes, city: str = CITY) -> StoredKey:
    return StoredKey.symmetric(name, KeyKind.TDES, bytearray(material), city=city)


def card_key(
    name: str = "DF01/UK7", cipher: Cipher = Cipher.TDES, city: str = CITY, *, city_template: str = "city-sx",
    card_factor: bytes = bytes(range(8)),
) -> CardKey:  # fmt: skip
    factor = city_factor(city_template, city)
    return CardKey(name=name, cipher=cipher, city=city, city_factor=factor, card_factor=card_factor)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with softhsm(tmp_path_factory.mktemp("hsm"), "office", "full", "twin", "twin") as library:
        yield library


@pytest.fixture
def token(module: Path) -> Iterator[Token]:
    """An empty token."""
    with Token.open("office", PIN, module=module, writable=True) as opened:
        for thing in opened._session.get_objects():
            thing.destroy()
        yield opened


@pytest.fixture
def both(token: Token) -> tuple[Keys, Keys]:
    """The same keys in a token and in a file."""
    keys = [stored("DF01/UK7", SECRET), stored("SSSE/MK", OTHER), stored("DF01/UK8", SECRET[::-1], city="")]
    for key in keys:
        token.add(key)
    return Pkcs11Keys(token), SoftwareKeys(KeySet(keys), Text("库", "store"))


OPERATIONS: dict[str, Callable[[Keys, CardKey], bytes]] = {
    "external": lambda keys, key: keys.external_answer(key, bytes(range(8)), b"original"),
    "internal": lambda keys, key: keys.internal_answer(key, bytes(range(16))),
    "mac": lambda keys, key: keys.mac(key, bytes(8), b"04DC"),
    "encipher": lambda keys, key: keys.encipher(key, bytes(16)),
    "wrap": lambda keys, key: keys.wrap(card_key("SSSE/MK"), bytes(8), key),
    "check value": lambda keys, key: keys.check_value(key),
}


# Keys for cards.


@pytest.mark.parametrize("name", ["DF01/UK7", "DF01/UK8"], ids=["of the city", "from the root key"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_token_answers_as_a_file_does(operation: str, name: str, both: tuple[Keys, Keys]) -> None:
    token, file = both
    assert OPERATIONS[operation](token, card_key(name)) == OPERATIONS[operation](file, card_key(name))


def test_what_a_token_sealed_a_file_unseals_and_the_other_way_round(both: tuple[Keys, Keys]) -> None:
    for here, there in (both, both[::-1]):
        sealed = here.seal(card_key(), b"permit", b"card")
        assert there.unseal(card_key(), sealed, b"card") == b"permit"
        with pytest.raises(DecodeError):
            there.unseal(card_key(), sealed, b"other card")


def test_no_card_key_is_kept_and_no_derived_key_left_in_the_token(both: tuple[Keys, Keys], token: Token) -> None:
    keys, _ = both
    assert isinstance(keys, Pkcs11Keys)
    before = len(list(token._session.get_objects()))
    for operation in OPERATIONS.values():
        operation(keys, card_key("DF01/UK8"))
        assert not keys._ready
    assert len(list(token._session.get_objects())) == before


def test_a_root_key_that_is_not_diversified_by_city_is_used_as_it_is(token: Token) -> None:
    token.add(stored("DF01/UK7", SECRET, city=""))
    key = card_key(city_template="none")
    with SoftwareKeys(KeySet([stored("DF01/UK7", SECRET)]), Text("库", "store")) as file:
        assert Pkcs11Keys(token).mac(key, bytes(8), b"x") == file.mac(key, bytes(8), b"x")


def test_keys_in_the_token_cannot_be_taken_out(both: tuple[Keys, Keys], token: Token) -> None:
    token.generate("issuer", KeyKind.ES256)
    token.generate("DF01/UK9", KeyKind.TDES, city=CITY)
    for object_class in (ObjectClass.SECRET_KEY, ObjectClass.PRIVATE_KEY):
        things = list(token._session.get_objects({Attribute.CLASS: object_class}))
        assert things
        for thing in things:
            assert (thing[Attribute.SENSITIVE], thing[Attribute.EXTRACTABLE]) == (True, False)
            with pytest.raises(pkcs11.AttributeSensitive):
                _ = thing[Attribute.VALUE]


def test_a_card_key_that_is_the_citys_key_is_not_to_be_had(both: tuple[Keys, Keys]) -> None:
    with pytest.raises(KeyUseError, match="a token gives no key away"):
        both[0].mac(card_key(card_factor=b""), bytes(8), b"x")


def test_missing_keys_and_other_ciphers_are_said_so(both: tuple[Keys, Keys], token: Token) -> None:
    keys, _ = both
    assert keys.has(card_key())
    assert keys.has(card_key("DF01/UK8", city="310000"))
    assert not keys.has(card_key("DF01/UK9"))
    assert not keys.has(card_key(cipher=Cipher.SM4))
    with pytest.raises(KeyUseError, match=r"the token office: there is no key DF01/UK9 \(3des\) for city 331000"):
        keys.mac(card_key("DF01/UK9"), bytes(8), b"x")
    with pytest.raises(KeyUseError, match="no standard mechanism for SM4"):
        keys.mac(card_key(cipher=Cipher.SM4), bytes(16), b"x")
    for kind in (KeyKind.SM4, KeyKind.SM2, KeyKind.TRANSPORT):
        with pytest.raises(KeyUseError, match="key file or a PSAM"):
            token.generate("k", kind)


def test_versions(token: Token) -> None:
    first = token.add(stored("DF01/UK7", SECRET))
    with pytest.raises(InputError, match="make a new version"):
        token.add(stored("DF01/UK7", OTHER))
    second = token.add(stored("DF01/UK7", OTHER), new_version=True)
    assert [(key.version, key.state) for key in (first, second)] == [(1, KeyState.CURRENT), (2, KeyState.CURRENT)]
    assert [(key.version, key.state) for key in token] == [(2, KeyState.CURRENT), (1, KeyState.PREVIOUS)]
    keys = Pkcs11Keys(token)
    assert keys.check_value(card_key()) == second.check_value
    assert keys.previous().check_value(card_key()) == first.check_value
    assert keys.check_value(replace(card_key(), previous=True)) == first.check_value
    assert token.drop_previous("DF01/UK7", KeyKind.TDES, CITY)
    assert not token.drop_previous("DF01/UK7", KeyKind.TDES, CITY)
    assert keys.previous().check_value(card_key()) == second.check_value
    assert "previous" not in str(keys.title)


def test_the_token_lists_our_keys_with_check_values_and_no_others(token: Token) -> None:
    key = stored("DF01/UK7", SECRET)
    token.add(key)
    token.add(stored("DF01/UK7", OTHER, city=""))
    made = token.generate("issuer", KeyKind.ES256)
    token._session.generate_key(KeyType.AES, 256, label="331000/backup", store=True)
    token._session.generate_key(KeyType.DES3, label="bank", store=True)
    rows = [(one.name, one.kind, one.city, one.check_value) for one in token]
    assert rows == [
        ("DF01/UK7", KeyKind.TDES, CITY, key.check_value),
        ("DF01/UK7", KeyKind.TDES, "", stored("DF01/UK7", OTHER).check_value),
        ("issuer", KeyKind.ES256, "", made.check_value),
    ]


# Signing keys.


@pytest.mark.parametrize("kind", SIGNS)
def test_signatures_from_the_token_verify(kind: KeyKind, token: Token) -> None:
    made = token.generate("issuer", kind)
    signer = Pkcs11Keys(token).signer("issuer")
    key = VerifyKey(signer.public_key, signer.algorithm)
    assert (signer.algorithm.name, signer.kid) == (kind.value, made.check_value)
    assert repr(signer) == f"Pkcs11Signer(kid={made.check_value.hex()})"
    for message in (b"", b"permit", bytes(5000)):
        signature = signer.sign(message)
        assert len(signature) == 64
        assert key.verify(signature, message)
        assert not key.verify(signature, message + b"!")


@pytest.mark.parametrize("kind", SIGNS)
def test_a_signing_key_can_be_put_into_the_token(kind: KeyKind, token: Token) -> None:
    for attempt in range(4):  # points with even and odd y
        key = StoredKey.generate(f"issuer{attempt}", kind)
        token.add(key)
        signer = Pkcs11Signer(token, key.name)
        assert (signer.public_key, signer.kid) == (key.public_key, key.check_value)
        assert VerifyKey(key.public_key, Algorithm[kind.value]).verify(signer.sign(b"m"), b"m")


@pytest.mark.parametrize("kind", SIGNS)
def test_a_credential_signed_in_the_token_verifies(kind: KeyKind, token: Token) -> None:
    token.generate("issuer", kind)
    signer = Pkcs11Keys(token).signer("issuer")
    credential = issue(samples.claims(), signer)
    trust = TrustList([samples.trusted(signer)])
    assert verify(credential, trust, now=samples.NOW).valid


def test_a_new_signing_key_takes_over_and_the_old_one_is_destroyed_with_its_public_key(token: Token) -> None:
    old = token.generate("issuer", KeyKind.ES256)
    new = token.generate("issuer", KeyKind.ES256, new_version=True)
    assert Pkcs11Signer(token, "issuer").kid == new.check_value != old.check_value
    assert token.drop_previous("issuer", KeyKind.ES256)
    assert len(list(token._session.get_objects())) == 2


@pytest.mark.parametrize("kind", SIGNS)
def test_points_are_read_with_and_without_wrapping(kind: KeyKind, token: Token) -> None:
    token.generate("issuer", kind)
    (public,) = token._session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY})
    point = public[Attribute.EC_POINT]
    expected = Pkcs11Signer(token, "issuer").public_key
    assert _compressed(kind, point) == _compressed(kind, point[2:]) == expected


def test_signing_keys_that_cannot_be_used_are_said_so(token: Token) -> None:
    with pytest.raises(KeyUseError, match="no such signing key"):
        Pkcs11Signer(token, "issuer")
    p384 = {Attribute.EC_PARAMS: bytes.fromhex("06052b81040022")}
    token._session.create_domain_parameters(KeyType.EC, p384, local=True).generate_keypair(label="issuer", store=True)
    with pytest.raises(KeyUseError, match="no such signing key"):
        Pkcs11Signer(token, "issuer")
    token.generate("lonely", KeyKind.ES256)
    for thing in token._session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: "lonely"}):
        thing.destroy()
    with pytest.raises(KeyUseError, match="lacks the public key"):
        Pkcs11Signer(token, "lonely")
    assert [key.check_value for key in token] == [b""]


def test_a_key_that_is_gone_while_it_signs(token: Token) -> None:
    token.generate("issuer", KeyKind.ES256)
    signer = Pkcs11Signer(token, "issuer")
    for thing in list(token._session.get_objects()):
        thing.destroy()
    with pytest.raises(KeyUseError, match="the token refuses"):
        signer.sign(b"m")


# Opening.


def test_a_wrong_pin_is_told_without_repeating_it(module: Path) -> None:
    with pytest.raises(KeyUseError, match="wrong token PIN") as refused:
        Token.open("full", WRONG_PIN, module=module)
    assert WRONG_PIN not in "".join(traceback.format_exception(refused.value))


def test_a_token_that_is_not_there_or_there_twice(module: Path) -> None:
    with pytest.raises(KeyUseError, match="no such token"):
        Token.open("nobody", PIN, module=module)
    with pytest.raises(KeyUseError, match="several tokens"):
        Token.open("twin", PIN, module=module)


def test_a_library_that_is_not_there_or_none(tmp_path: Path) -> None:
    other = tmp_path / "none.so"
    with pytest.raises(KeyUseError, match="cannot be loaded"):
        Token.open("office", PIN, module=other)
    other.write_bytes(b"no library")
    with pytest.raises(KeyUseError, match="cannot be loaded"):
        Token.open("office", PIN, module=other)


def test_without_python_pkcs11_it_says_what_to_install(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(KeyUseError, match=r"juying\[hsm\]"):
        Token.open("office", PIN, module=module)


def test_a_token_may_be_open_twice_and_read_only_refuses_new_keys(token: Token, module: Path) -> None:
    with Token.open("office", PIN, module=module) as again:
        token.add(stored("DF01/UK7", SECRET))
        assert Pkcs11Keys(again).has(card_key())
        with pytest.raises(KeyUseError, match="SessionReadOnly"):
            again.add(stored("DF01/UK8", OTHER))
    assert repr(again) == "Token('office')"


def test_a_locked_token_sends_people_to_its_officer() -> None:
    # SoftHSM does not lock; other tokens do after a few wrong PINs
    with pytest.raises(KeyUseError, match="security officer"), refusals("office"):
        raise pkcs11.PinLocked
