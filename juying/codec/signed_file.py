"""COSE_Sign1 (RFC 9052) around a file, which says under its signature what kind of file it is.

::

    18([ << {1: algorithm, 4: kid, 16: type} >>, {}, << payload >>, signature ])

The protected type (RFC 9596) keeps the signature of one kind of file from ever counting for another. Files are larger
and rarer than credentials (`juying.codec.cose`), so this way is the plain one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from juying.codec import cbor
from juying.codec.cose import KID_LENGTH, SIGNATURE_LENGTH
from juying.errors import DecodeError

FIRST_BYTE = b"\xd2"
"""Tag 18: how every signed file begins, and no text does."""

_ALGORITHM, _KID, _TYPE = 1, 4, 16
_CONTEXT, _NO_EXTERNAL_DATA = "Signature1", b""


class SignedFile(NamedTuple):
    """A parsed file, of which nothing has been verified: ``signature`` should be over ``to_be_signed``."""

    algorithm: int
    kid: bytes
    payload: bytes
    signature: bytes
    to_be_signed: bytes

    def __repr__(self) -> str:
        """Algorithm and key, and how much was signed."""
        return f"SignedFile({self.algorithm}, kid={self.kid.hex()}, {len(self.payload)} bytes)"


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """``Sig_structure`` of RFC 9052, 4.4, without external data."""
    return cbor.encode([_CONTEXT, protected, _NO_EXTERNAL_DATA, payload])


def encode(payload: bytes, file_type: str, *, algorithm: int, kid: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Sign ``payload`` as a file of this type; ``sign`` gives 64 bytes over the message that it gets."""
    protected = cbor.encode({_ALGORITHM: algorithm, _KID: kid, _TYPE: file_type})
    return FIRST_BYTE + cbor.encode([protected, {}, payload, sign(to_be_signed(protected, payload))])


def parse(data: bytes, file_type: str, *, limit: int) -> SignedFile:
    """Take a signed file of at most ``limit`` bytes apart.

    Raises DecodeError when it is longer, is no COSE_Sign1 of the shape above, or is of another type.
    """
    if not data.startswith(FIRST_BYTE):
        raise _not_ours()
    protected, unprotected, payload, signature = _shape(
        cbor.decode(data[1:], limit=limit - 1), bytes, dict, bytes, bytes
    )
    header = cbor.decode(protected)
    if unprotected or len(signature) != SIGNATURE_LENGTH or type(header) is not dict:
        raise _not_ours()
    if header.keys() != {_ALGORITHM, _KID, _TYPE}:
        raise _not_ours()
    algorithm, kid, found = _shape([header[_ALGORITHM], header[_KID], header[_TYPE]], int, bytes, str)
    if len(kid) != KID_LENGTH:
        raise _not_ours()
    if found != file_type:
        raise DecodeError("这是另一种签名文件，不是所要的那种", f"this signed file is of another kind, not {file_type}")
    return SignedFile(algorithm, kid, payload, signature, to_be_signed(protected, payload))


def _shape(values: object, *types: type) -> list[Any]:
    """``values`` as a list of exactly these types."""
    if type(values) is not list or [type(value) for value in values] != list(types):
        raise _not_ours()
    return values


def _not_ours() -> DecodeError:
    return DecodeError("不是本系统的签名文件（COSE_Sign1）", "this is not a signed file of ours (COSE_Sign1)")
