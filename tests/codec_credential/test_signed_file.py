"""Signed files: one shape, one encoding, and a type that cannot be taken for another."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import signed_file
from juying.errors import DecodeError

TYPE = "application/test"
LIMIT = 1 << 20
SIGNATURE = bytes(range(64))
HEADER = {1: -7, 4: b"kid.", 16: TYPE}


def encode(payload: bytes, file_type: str = TYPE) -> bytes:
    return signed_file.encode(payload, file_type, algorithm=-7, kid=b"kid.", sign=lambda message: SIGNATURE)


def build(*parts: object) -> bytes:
    return b"\xd2" + cbor2.dumps(list(parts), canonical=True)


@given(st.binary(max_size=300))
def test_what_was_put_in_comes_out(payload: bytes) -> None:
    file = signed_file.parse(encode(payload), TYPE, limit=LIMIT)
    assert (file.algorithm, file.kid, file.payload, file.signature) == (-7, b"kid.", payload, SIGNATURE)


def test_the_signed_message_is_the_sig_structure_of_rfc_9052() -> None:
    messages: list[bytes] = []

    def sign(message: bytes) -> bytes:
        messages.append(message)
        return SIGNATURE

    data = signed_file.encode(b"payload", TYPE, algorithm=-7, kid=b"kid.", sign=sign)
    expected = cbor2.dumps(["Signature1", cbor2.dumps(HEADER, canonical=True), b"", b"payload"])
    assert messages == [expected]
    assert signed_file.parse(data, TYPE, limit=LIMIT).to_be_signed == expected


def test_a_large_payload_is_no_trouble() -> None:
    payload = bytes(200_000)
    assert signed_file.parse(encode(payload), TYPE, limit=LIMIT).payload == payload


def test_the_limit_is_exact() -> None:
    data = encode(b"payload")
    assert signed_file.parse(data, TYPE, limit=len(data)).payload == b"payload"
    with pytest.raises(DecodeError, match="longer"):
        signed_file.parse(data, TYPE, limit=len(data) - 1)


def test_a_file_of_another_type_is_refused() -> None:
    with pytest.raises(DecodeError, match="another kind, not application/test"):
        signed_file.parse(encode(b"", "application/other"), TYPE, limit=LIMIT)


PROTECTED = cbor2.dumps(HEADER, canonical=True)
WRONG = {
    "nothing": b"",
    "tag only": b"\xd2",
    "no tag": build(PROTECTED, {}, b"", SIGNATURE)[1:],
    "another tag": b"\xd1" + build(PROTECTED, {}, b"", SIGNATURE)[1:],
    "trailing byte": build(PROTECTED, {}, b"", SIGNATURE) + b"\x00",
    "cut short": build(PROTECTED, {}, b"", SIGNATURE)[:-1],
    "five parts": build(PROTECTED, {}, b"", SIGNATURE, b""),
    "a map": b"\xd2\xa0",
    "unprotected header": build(PROTECTED, {1: -7}, b"", SIGNATURE),
    "payload detached": build(PROTECTED, {}, None, SIGNATURE),
    "signature of 63 bytes": build(PROTECTED, {}, b"", SIGNATURE[1:]),
    "header no map": build(cbor2.dumps([1]), {}, b"", SIGNATURE),
    "header empty": build(b"", {}, b"", SIGNATURE),
    "header with one more": build(cbor2.dumps({**HEADER, 5: 1}, canonical=True), {}, b"", SIGNATURE),
    "header without type": build(cbor2.dumps({1: -7, 4: b"kid."}, canonical=True), {}, b"", SIGNATURE),
    "header with a key twice": build(b"\xa4\x01\x26\x01\x26\x04\x44kid.\x10\x60", {}, b"", SIGNATURE),
    "header not shortest": build(b"\xa3\x18\x01\x26\x04\x44kid.\x10\x60", {}, b"", SIGNATURE),
    "kid of three bytes": build(cbor2.dumps({1: -7, 4: b"kid", 16: TYPE}, canonical=True), {}, b"", SIGNATURE),
    "kid a text": build(cbor2.dumps({1: -7, 4: "kid.", 16: TYPE}, canonical=True), {}, b"", SIGNATURE),
    "type a number": build(cbor2.dumps({1: -7, 4: b"kid.", 16: 18}, canonical=True), {}, b"", SIGNATURE),
    "algorithm true": build(cbor2.dumps({1: True, 4: b"kid.", 16: TYPE}, canonical=True), {}, b"", SIGNATURE),
    "indefinite length": b"\xd2\x9f" + build(PROTECTED, {}, b"", SIGNATURE)[2:] + b"\xff",
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG.keys())
def test_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        signed_file.parse(data, TYPE, limit=LIMIT)


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda tail: b"\xd2\x84" + tail)))
def test_no_bytes_escape_the_one_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        signed_file.parse(data, TYPE, limit=LIMIT)


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_seen_by_the_signature(position: int, change: int) -> None:
    data = bytearray(encode(b"payload" * 10))
    position %= len(data)
    original = signed_file.parse(bytes(data), TYPE, limit=LIMIT)
    data[position] ^= change
    try:
        file = signed_file.parse(bytes(data), TYPE, limit=LIMIT)
    except DecodeError:
        return
    assert (file.to_be_signed, file.signature) != (original.to_be_signed, original.signature)
