"""Key ceremonies, and keys on their way to another office."""

import json
import stat
from functools import reduce
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from hypothesis import given
from hypothesis import strategies as st

from juying.crypto import strict
from juying.crypto.ceremony import ComponentFile, Joining, grouped, parse_component, split
from juying.crypto.key_export import transport_name, unwrap_keys, wrap_keys
from juying.crypto.key_set import KeyKind, StoredKey, check_value
from juying.crypto.signing import VerifyKey
from juying.errors import DecodeError, InputError, KeyUseError

SECRET = bytes.fromhex("0123456789ABCDEF1032547698BADCFE")
SYMMETRIC = [KeyKind.TDES, KeyKind.SM4, KeyKind.TRANSPORT]


def exclusive_or(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


# Components.


@given(key=st.binary(min_size=16, max_size=16), count=st.integers(2, 9))
def test_the_exclusive_or_of_all_components_is_the_key(key: bytes, count: int) -> None:
    components = split(key, count)
    assert len(components) == count
    assert reduce(exclusive_or, map(bytes, components)) == key


def test_components_are_never_the_same_twice() -> None:
    assert not {bytes(one) for one in split(SECRET, 9)} & {bytes(one) for one in split(SECRET, 9)}


@pytest.mark.parametrize("count", [-1, 0, 1, 10])
def test_there_are_two_to_nine_components(count: int) -> None:
    with pytest.raises(InputError, match="2 to 9"):
        split(SECRET, count)
    with pytest.raises(InputError, match="2 to 9"):
        Joining(KeyKind.TDES, count)


@pytest.mark.parametrize("kind", SYMMETRIC)
def test_what_was_split_is_joined_in_any_order(kind: KeyKind) -> None:
    key = StoredKey.generate("k", kind)
    with Joining(kind, 3) as joining:
        for component in reversed(split(key.material, 3)):
            joining.add(component, check_value(kind, component))
        assert joining.key() == key.material


def test_a_wrong_component_is_refused_and_those_before_it_stay() -> None:
    first, second, third = split(SECRET, 3)
    value = check_value(KeyKind.TDES, second)
    with Joining(KeyKind.TDES, 3) as joining:
        joining.add(bytearray(first), check_value(KeyKind.TDES, first))
        slip = bytearray(second)
        slip[3] ^= 0x10
        for wrong, expected, reason in (
            (slip, value, "check value differs"),
            (second, value[:2], "check value differs"),
            (second[:-1], value, "32 hexadecimal digits"),
            (bytearray(first), check_value(KeyKind.TDES, first), "entered before"),
            (bytearray(16), check_value(KeyKind.TDES, bytes(16)), "all zeros"),
        ):
            with pytest.raises(InputError, match=reason) as refused:
                joining.add(wrong, expected)
            assert refused.value.where == "2/3"
            assert bytes(wrong).hex() not in str(refused.value).lower()
        assert joining.entered == 1
        with pytest.raises(KeyUseError, match="missing"):
            joining.key()
        joining.add(second, value)
        joining.add(third, check_value(KeyKind.TDES, third))
        assert joining.key() == SECRET


def test_components_are_wiped_at_the_end_and_shown_nowhere() -> None:
    component = split(SECRET, 2)[0]
    with Joining(KeyKind.TDES, 2) as joining:
        digits = component.hex()
        joining.add(component, check_value(KeyKind.TDES, component))
        assert digits not in repr(joining)
    assert not any(component)
    assert joining.entered == 0


def test_signing_keys_do_not_come_in_components() -> None:
    with pytest.raises(InputError, match="PEM"):
        Joining(KeyKind.ES256, 2)
    with pytest.raises(InputError, match="PEM"):
        ComponentFile.of_key(StoredKey.generate("k", KeyKind.ES256), 2)


def test_components_are_typed_in_groups_or_not() -> None:
    assert grouped(SECRET) == "0123 4567 89AB CDEF 1032 5476 98BA DCFE"
    for text in (grouped(SECRET), SECRET.hex(), "0123-4567-89ab-cdef-1032-5476-98ba-dcfe"):
        assert parse_component(text) == SECRET


@pytest.mark.parametrize("text", ["012", "xyz", "01 2 3", "０１"])
def test_what_is_no_hexadecimal_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_component(text)
    assert text not in str(refused.value)


# Component files.


@pytest.mark.parametrize("kind", SYMMETRIC)
def test_component_files_are_private_and_come_back(kind: KeyKind, tmp_path: Path) -> None:
    key = StoredKey.generate("DF01/UK7", kind, city="331000" if kind.is_of_cards else "")
    files = ComponentFile.of_key(key, 2)
    for file in files:
        path = tmp_path / str(file.number)
        file.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert ComponentFile.load(path) == file
        assert file.component.hex() not in repr(file).lower()
        with pytest.raises(InputError, match="cannot be created"):
            file.save(path)
    assert exclusive_or(files[0].component, files[1].component) == key.material


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"},
        {"version": 2},
        {"kind": "des"},
        {"component": "00" * 16},
        {"component": "00"},
        {"component": "zz"},
        {"check_value": "000000"},
        {"number": 0},
        {"number": 3},
        {"of": 10},
        {"of": "2"},
        {"more": 1},
    ],
    ids=str,
)
def test_a_damaged_component_file_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "component"
    ComponentFile.of_key(StoredKey.generate("k", KeyKind.TDES), 2)[0].save(path)
    path.write_bytes(strict.write({**json.loads(path.read_bytes()), **changes}))
    with pytest.raises(DecodeError, match="no component"):
        ComponentFile.load(path)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 5000, b'{"a":1,"a":1}'], ids=range(6))
def test_what_is_no_component_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(DecodeError):
        ComponentFile.load(tmp_path / "f")


def test_a_component_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        ComponentFile.load(tmp_path / "none")


# Wrapped keys.


@pytest.fixture
def transport() -> StoredKey:
    return StoredKey.generate("transport/hangzhou", KeyKind.TRANSPORT)


@pytest.fixture
def keys() -> list[StoredKey]:
    return [
        StoredKey.symmetric("DF01/UK7", KeyKind.TDES, bytearray(SECRET), city="331000"),
        StoredKey.generate("DF01/UK7", KeyKind.SM4, version=3),
        StoredKey.generate("issuer", KeyKind.SM2),
    ]


def test_wrapped_keys_arrive_whole(transport: StoredKey, keys: list[StoredKey]) -> None:
    data = wrap_keys(transport, keys)
    assert transport_name(data) == ("transport/hangzhou", transport.check_value)
    arrived = unwrap_keys(transport, data)
    for sent, got in zip(keys, arrived, strict=True):
        assert bytes(got.material) == bytes(sent.material)
        assert (got.identity, got.version) == (sent.identity, sent.version)
        assert (got.check_value, got.public_key) == (sent.check_value, sent.public_key)
    signer = arrived[2].signer()
    assert VerifyKey(signer.public_key, signer.algorithm).verify(signer.sign(b"m"), b"m")
    for sent in keys:
        assert sent.material.hex() not in data.decode().lower()


def test_each_key_is_wrapped_as_rfc_3394_has_it(transport: StoredKey, keys: list[StoredKey]) -> None:
    wrapped = bytes.fromhex(json.loads(wrap_keys(transport, keys))["keys"][0]["wrapped"])
    assert aes_key_unwrap(bytes(transport.material), wrapped) == SECRET


def test_no_byte_of_the_file_can_be_changed(transport: StoredKey, keys: list[StoredKey]) -> None:
    data = wrap_keys(transport, keys)[:-1]
    original = [bytes(key.material) for key in keys]
    for position in range(0, len(data)):
        altered = bytearray(data)
        altered[position] ^= 0x01
        with pytest.raises((DecodeError, KeyUseError)):
            assert [bytes(key.material) for key in unwrap_keys(transport, bytes(altered))] == original


def test_keys_cannot_change_their_names(transport: StoredKey, keys: list[StoredKey]) -> None:
    document = json.loads(wrap_keys(transport, keys[:1]))
    document["keys"][0]["name"] = "SSSE/UKSSSE"
    with pytest.raises(KeyUseError, match="somebody changed it"):
        unwrap_keys(transport, strict.write(document))


def test_another_transport_key_opens_nothing(transport: StoredKey, keys: list[StoredKey]) -> None:
    with pytest.raises(KeyUseError, match="not under this transport key"):
        unwrap_keys(StoredKey.generate("transport/hangzhou", KeyKind.TRANSPORT), wrap_keys(transport, keys))


def test_only_transport_keys_wrap_and_none_is_wrapped(transport: StoredKey, keys: list[StoredKey]) -> None:
    data = wrap_keys(transport, keys)
    for other in keys:
        with pytest.raises(KeyUseError, match="no transport key"):
            wrap_keys(other, keys)
        with pytest.raises(KeyUseError, match="no transport key"):
            unwrap_keys(other, data)
    with pytest.raises(KeyUseError, match="ceremony"):
        wrap_keys(transport, [transport])


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "x"},
        {"version": 2},
        {"mac": "zz"},
        {"transport_check_value": "z"},
        {"keys": {}},
        {"keys": [0] * 4097},
        {"more": 0},
    ],
    ids=[0, 1, 2, 3, 4, 5, 6],
)
def test_what_is_no_file_of_wrapped_keys_is_refused(
    transport: StoredKey, keys: list[StoredKey], changes: dict[str, object]
) -> None:
    document = json.loads(wrap_keys(transport, keys))
    with pytest.raises(DecodeError, match="no file of wrapped keys"):
        unwrap_keys(transport, strict.write({**document, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "des"},
        {"wrapped": "00" * 24},
        {"wrapped": "zz"},
        {"check_value": "000000"},
        {"name": ""},
        {"version": 0},
        {"more": 1},
    ],
    ids=str,
)
def test_contents_under_the_right_key_are_checked_too(
    transport: StoredKey, keys: list[StoredKey], changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    # a sender who has the transport key, and a program that goes wrong
    document = json.loads(wrap_keys(transport, keys[:1]))
    document["keys"][0] |= changes
    monkeypatch.setattr("juying.crypto.key_export._mac", lambda *_: bytes.fromhex(document["mac"]))
    with pytest.raises(DecodeError, match="damaged"):
        unwrap_keys(transport, strict.write(document))


def test_a_huge_file_is_refused(transport: StoredKey) -> None:
    with pytest.raises(DecodeError):
        unwrap_keys(transport, b" " * ((2 << 20) + 1))


@given(data=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_bytes_crash_the_readers(data: bytes) -> None:
    with pytest.raises(DecodeError):
        transport_name(data)
