"""COSE_Sign1: one shape goes in and out, every other one is refused."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import cbor, cose
from juying.errors import DecodeError

PROTECTED = cose.protected_header(-7, b"kid!")
SIGNATURE = bytes(range(64))


@given(payload=st.binary(max_size=300), algorithm=st.integers(-70000, 30))
def test_what_was_put_together_comes_apart(payload: bytes, algorithm: int) -> None:
    protected = cose.protected_header(algorithm, b"kid!")
    data = cose.encode(protected, payload, SIGNATURE)
    signed = cose.parse(data)
    assert (signed.algorithm, signed.kid, signed.payload, signed.signature) == (algorithm, b"kid!", payload, SIGNATURE)
    assert signed.to_be_signed == cose.to_be_signed(protected, payload)


@pytest.mark.parametrize("length", [0, 1, 22, 23, 24, 25, 26, 254, 255, 256, 257, 258, 259, 260])
def test_every_form_of_length_head(length: int) -> None:
    assert cose.parse(cose.encode(PROTECTED, bytes(length), SIGNATURE)).payload == bytes(length)


def test_it_is_the_standard_structure() -> None:
    """Compared with cbor2 and the text of RFC 9052, not with ourselves."""
    data = cose.encode(PROTECTED, b"payload", SIGNATURE)
    assert data == cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps({1: -7, 4: b"kid!"}), {}, b"payload", SIGNATURE]))
    assert cose.to_be_signed(PROTECTED, b"payload") == cbor2.dumps(["Signature1", PROTECTED, b"", b"payload"])


def shaped(*parts: object) -> bytes:
    return b"\xd2" + cbor2.dumps(list(parts))


GOOD = cose.encode(PROTECTED, b"payload", SIGNATURE)
ODD_HEADERS = {
    "no kid": {1: -7},
    "no algorithm": {4: b"kid!"},
    "third member": {1: -7, 4: b"kid!", 5: b""},
    "short kid": {1: -7, 4: b"kid"},
    "text kid": {1: -7, 4: "kid!"},
    "text algorithm": {1: "ES256", 4: b"kid!"},
    "no map": [1, -7],
    "true for one": {4: b"kid!", True: -7},
}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xd2",
        b"\xd2\x84",
        GOOD[1:],
        b"\xd1" + GOOD[1:],
        b"\xd8\x12" + GOOD[1:],
        b"\xd9\xd9\xf7" + GOOD,
        GOOD + b"\0",
        GOOD[:-1],
        shaped(PROTECTED, {4: b"kid!"}, b"payload", SIGNATURE),
        shaped(PROTECTED, {}, None, SIGNATURE),
        shaped(PROTECTED, {}, "payload", SIGNATURE),
        shaped(PROTECTED, {}, b"payload", SIGNATURE[:-1]),
        shaped(PROTECTED, {}, b"payload", SIGNATURE + b"\0"),
        shaped(PROTECTED, {}, b"payload"),
        shaped(PROTECTED, {}, b"payload", SIGNATURE, 0),
        shaped({1: -7, 4: b"kid!"}, {}, b"payload", SIGNATURE),
        shaped(b"", {}, b"payload", SIGNATURE),
        GOOD.replace(b"\x47payload", b"\x58\x07payload"),
        GOOD.replace(b"\x84", b"\x98\x04", 1),
        GOOD.replace(b"\x84", b"\x9f", 1) + b"\xff",
        shaped(bytes(30), {}, b"payload", SIGNATURE),
        *(shaped(cbor2.dumps(header), {}, b"payload", SIGNATURE) for header in ODD_HEADERS.values()),
        shaped(b"\xbf\x01\x26\x04\x44kid!\xff", {}, b"payload", SIGNATURE),
        shaped(PROTECTED + b"\0", {}, b"payload", SIGNATURE),
    ],
)
def test_any_other_shape_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        cose.parse(data)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(DecodeError):
        cose.parse(b"\xd2\x84" + data)


def test_size_is_bounded() -> None:
    data = cose.encode(PROTECTED, bytes(100), SIGNATURE)
    assert cose.parse(data, limit=len(data))
    with pytest.raises(DecodeError, match="longer than"):
        cose.parse(data, limit=len(data) - 1)
    with pytest.raises(DecodeError):
        cose.parse(cose.encode(PROTECTED, bytes(cbor.MAX_BYTES), SIGNATURE))
