"""COSE_Sign1 (RFC 9052), in the one shape that our credentials have.

::

    18([ << {1: algorithm, 4: kid} >>, {}, << payload >>, signature ])

The four-byte kid and the algorithm are protected, the unprotected map is empty, the payload is there.
Anything else is not ours and is not accepted.
"""

from functools import lru_cache
from typing import NamedTuple

from juying.codec import cbor
from juying.errors import DecodeError

KID_LENGTH = 4
SIGNATURE_LENGTH = 64

_SIGN1 = b"\xd2\x84"  # tag 18, and the head of an array of four
_EMPTY_MAP = b"\xa0"
_CONTEXT = b"\x84\x6aSignature1"  # the head of an array of four and its first member
_NO_EXTERNAL_DATA = b"\x40"
_ALGORITHM = 1
_KID = 4
_HEADER_START = 3  # after the tag, the head of the array and the head of the protected header


class Sign1(NamedTuple):
    """A parsed COSE_Sign1, of which nothing has been verified: ``signature`` should be over ``to_be_signed``."""

    algorithm: int
    kid: bytes
    payload: bytes
    signature: bytes
    to_be_signed: bytes

    def __repr__(self) -> str:
        """Algorithm and key; the payload may be personal."""
        return f"Sign1({self.algorithm}, kid={self.kid.hex()}, {len(self.payload)} bytes)"


@lru_cache(maxsize=64)
def protected_header(algorithm: int, kid: bytes) -> bytes:
    """The encoded protected header for a COSE algorithm number and a kid of four bytes."""
    return cbor.encode({_ALGORITHM: algorithm, _KID: kid})


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """``Sig_structure`` of RFC 9052, 4.4, without external data."""
    return _CONTEXT + _byte_string(protected) + _NO_EXTERNAL_DATA + _byte_string(payload)


def encode(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """Put the tagged COSE_Sign1 together; none of the three has more than 65535 bytes."""
    return _SIGN1 + _byte_string(protected) + _EMPTY_MAP + _byte_string(payload) + _byte_string(signature)


def parse(data: bytes, *, limit: int = cbor.MAX_BYTES) -> Sign1:
    """Take a tagged COSE_Sign1 of at most ``limit`` bytes apart.

    The parts are cut out where our shape has them; that they are the parts, and the encoding the canonical
    one, is then proved by putting them together again. Raises DecodeError for anything else.
    """
    if len(data) > limit:
        raise DecodeError(f"签名结构超过 {limit} 字节", f"the signed structure is longer than {limit} bytes")
    header_end = _HEADER_START + (data[2] & 0x1F if len(data) > _HEADER_START else 0)
    protected = data[_HEADER_START:header_end]
    body = data[header_end + 1 : -SIGNATURE_LENGTH - 2]  # between the empty map and the head of the signature
    payload = body[_head_length(len(body)) :]
    signature = data[-SIGNATURE_LENGTH:]
    if encode(protected, payload, signature) != data:
        raise _not_ours()
    algorithm, kid = _parse_protected(protected)
    # Header and payload stand in the message as they stand here, so nothing needs to be encoded again.
    message = _CONTEXT + data[_HEADER_START - 1 : header_end] + _NO_EXTERNAL_DATA + body
    return Sign1(algorithm, kid, payload, signature, message)


def _head_length(length: int) -> int:
    """How many of ``length`` bytes of an encoded byte string are its head."""
    return 1 if length <= 24 else 2 if length <= 0xFF + 2 else 3


def _byte_string(data: bytes) -> bytes:
    """A CBOR byte string, by hand because this is on the way of every verification."""
    length = len(data)
    if length < 24:
        return b"%c%b" % (0x40 + length, data)
    return b"\x58%c%b" % (length, data) if length <= 0xFF else b"\x59%b%b" % (length.to_bytes(2), data)


@lru_cache(maxsize=64)
def _parse_protected(protected: bytes) -> tuple[int, bytes]:
    header = cbor.decode(protected)
    if type(header) is dict and header.keys() == {_ALGORITHM, _KID}:
        algorithm, kid = header[_ALGORITHM], header[_KID]
        if type(algorithm) is int and type(kid) is bytes and len(kid) == KID_LENGTH:
            return algorithm, kid
    raise _not_ours()


def _not_ours() -> DecodeError:
    return DecodeError(
        "不是本系统的 COSE_Sign1 签名结构",
        "this is not a COSE_Sign1 of the shape that our credentials have",
    )
