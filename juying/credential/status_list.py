"""Status lists: which credentials are revoked or suspended, two bits for each, in one small signed file.

The file is a Token Status List in CWT form (IETF draft-ietf-oauth-status-list), in one narrow shape of our choice: a
`juying.codec.signed_file` of the type ``application/statuslist+cwt`` whose payload is::

    {2: uri, 4: end, 6: time of issue, 65534: seconds to keep it, 65533: {"lst": zlib stream, "bits": 2}}

The uri ends in the number of the list, ``…/3``; that is the number that credentials name. A list counts when a key of
the trust list signed it, and it speaks for the credentials of the authority that the key belongs to. The signature is
checked before anything is decompressed, and what comes out is bounded.
"""

import re
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

from juying.codec import base45, cbor, signed_file
from juying.credential.trust import TrustList
from juying.credential.trusted_key import KeyUse, TrustedKey
from juying.crypto.signing import Signer
from juying.errors import DecodeError, InputError
from juying.text import Text

MEDIA_TYPE = "application/statuslist+cwt"
SUFFIX = ".cwt"
PREFIX = "JYS1:"  # of a list as text; the credential's is JY1:
BASE = "juying:status/"  # what a uri begins with where nobody says otherwise

BITS = 2
TTL = timedelta(hours=1)
LIFETIME = timedelta(hours=24)
CLOCK_SKEW = timedelta(minutes=5)  # how far the publisher's clock may be ahead of ours (our choice)

MAX_TOKEN = 1 << 20  # bytes; ten million entries of which 5 % are revoked
MAX_PACKED = 1 << 22  # bytes after decompression
MAX_ENTRIES = MAX_PACKED * 8 // BITS
MAX_TEXT = 3391  # characters: the largest QR code of error correction level M

_URI, _EXPIRES, _ISSUED, _STATUS_LIST, _TTL = 2, 4, 6, 65533, 65534
_MAX_URI = 200
_NUMBERED_URI = re.compile(r"[!-~]*[/:](0|[1-9][0-9]{0,9})", re.ASCII)
_LATEST = 8_583_580_800  # 2242-01-01, as for credentials


class Status(IntEnum):
    """The status of a credential; the number stands in the list. Revoked is for good, suspended is not."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2

    @property
    def text(self) -> Text:
        """The words for people."""
        return _STATUS_TEXT[self]

    @classmethod
    def of(cls, value: int) -> "Status":
        """What a value in a list means to us: one that we never write counts as revoked."""
        return _STATUSES.get(value, Status.INVALID)


_STATUS_TEXT = {
    Status.VALID: Text("未吊销", "not revoked"),
    Status.INVALID: Text("已吊销", "revoked"),
    Status.SUSPENDED: Text("已暂停", "suspended"),
}
_STATUSES = {int(status): status for status in Status}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusList:
    """What a list says. ``packed`` holds ``bits`` (1, 2, 4 or 8) for each entry, the first in the lowest bits."""

    number: int
    uri: str
    issued_at: datetime
    expires_at: datetime
    ttl: timedelta
    bits: int
    packed: bytes = field(repr=False)

    def __len__(self) -> int:
        """The number of entries."""
        return len(self.packed) * 8 // self.bits

    def status(self, index: int) -> Status | None:
        """The status of an entry, None when the list has no such entry."""
        if not 0 <= index < len(self):
            return None
        byte, at = divmod(index * self.bits, 8)
        return Status.of(self.packed[byte] >> at & (1 << self.bits) - 1)


def pack(values: bytes, bits: int = BITS) -> bytes:
    """Pack one value per byte into ``bits`` (1, 2, 4, 8) each, the first in the lowest bits of the first byte.

    Missing entries of the last byte are 0. Raises InputError for a value that needs more bits.
    """
    if values and max(values) >= 1 << bits:
        raise InputError(f"状态值超过 {bits} 位", f"a status needs more than {bits} bits")
    per_byte = 8 // bits
    size = -(-len(values) // per_byte)
    # Every n-th value as one big number: shifting and joining those takes a thousandth of a loop's time.
    packed = 0
    for place in range(per_byte):
        packed |= int.from_bytes(values[place::per_byte], "little") << place * bits
    return packed.to_bytes(size, "little")


def unpack(packed: bytes, bits: int = BITS) -> bytes:
    """The opposite of `pack`; one byte per entry."""
    per_byte, mask = 8 // bits, (1 << bits) - 1
    values = bytearray(len(packed) * per_byte)
    for place in range(per_byte):
        values[place::per_byte] = packed.translate(bytes(byte >> place * bits & mask for byte in range(256)))
    return bytes(values)


def sign_status_list(
    statuses: bytes,
    signer: Signer,
    *,
    number: int,
    issued_at: datetime,
    lifetime: timedelta = LIFETIME,
    ttl: timedelta = TTL,
    base: str = BASE,
) -> bytes:
    """Sign a list of ``statuses``, one byte (a `Status`) per entry; returns the CWT.

    ``issued_at`` needs a time zone and is cut to the second; ``ttl`` is how long nobody needs to ask for a newer
    list, ``lifetime`` how long this one may be relied on. ``base`` begins the uri and ends in ``/`` or ``:``.
    Raises InputError when one of them is of no use or the list is too large, KeyUseError when the key cannot sign.
    """
    uri = f"{base}{number}"
    if not 0 <= number < 2**32 or _number_in(uri) != number:
        raise InputError(
            "状态列表地址须为可显示的 ASCII 字符，以 / 或 : 加列表号结尾",
            "the uri of a status list has printable ASCII characters and ends in / or : and the number of the list",
        )
    if not timedelta(0) < ttl <= lifetime:
        raise InputError("缓存时间须大于 0，且不长于有效时间", "the time to keep a list is above 0 and within its life")
    packed = pack(statuses)
    issued = int(issued_at.timestamp())
    claims = {
        _URI: uri,
        _EXPIRES: issued + int(lifetime.total_seconds()),
        _ISSUED: issued,
        _TTL: int(ttl.total_seconds()),
        _STATUS_LIST: {"bits": BITS, "lst": zlib.compress(packed, 9)},
    }
    token = signed_file.encode(
        cbor.encode(claims), MEDIA_TYPE, algorithm=int(signer.algorithm), kid=signer.kid, sign=signer.sign
    )
    if len(packed) > MAX_PACKED or len(token) > MAX_TOKEN:
        raise InputError("状态列表过大，请分成几个列表", "the status list is too large: make it several lists")
    return token


def read_status_list(token: bytes) -> StatusList:
    """What a list says, not verified. Raises DecodeError for everything that `sign_status_list` would not write."""
    return _parse_claims(signed_file.parse(token, MEDIA_TYPE, limit=MAX_TOKEN).payload)


def verify_status_list(token: bytes, trust: TrustList, *, now: datetime) -> tuple[StatusList, TrustedKey]:
    """The list, and the key whose signature makes it count.

    Raises DecodeError when it is malformed, InputError when no key of the trust list may sign lists under its kid,
    the signature is wrong, it was not made in the key's signing period or no longer counts, or it comes from the
    future. An expired list is genuine all the same: it still tells who was revoked.
    """
    signed = signed_file.parse(token, MEDIA_TYPE, limit=MAX_TOKEN)
    keys = [
        key for key in trust.keys(signed.kid) if KeyUse.STATUS in key.use and key.key.algorithm.covers(signed.algorithm)
    ]
    if not keys:
        raise InputError(
            f"状态列表的签名密钥 {signed.kid.hex()} 不在信任列表中，或不可签状态列表",
            f"the key {signed.kid.hex()} of the status list is not in the trust list, or may not sign lists",
        )
    for key in keys:
        if key.key.verify(signed.signature, signed.to_be_signed):
            break
    else:
        raise InputError("状态列表的签名不对", "the signature of the status list is wrong")
    found = _parse_claims(signed.payload)
    if not key.signs_at(found.issued_at) or not key.verifies_at(now):
        raise InputError(
            "状态列表不是在密钥的签发期内签的，或该密钥的签名已不再有效",
            "the status list was not signed within the signing period of its key, or its signatures no longer count",
        )
    if found.issued_at > now + CLOCK_SKEW:
        raise InputError(
            "状态列表的签发时间在将来，请核对时钟", "the status list comes from the future: compare the clocks"
        )
    return found, key


def to_text(token: bytes) -> str:
    """The list as text for a QR code, ``JYS1:`` and base45; InputError when no QR code can hold it."""
    text = PREFIX + base45.encode(token)
    if len(text) > MAX_TEXT:
        raise InputError("状态列表过大，一个二维码放不下", "the status list is too large for one QR code")
    return text


def from_text(text: str) -> bytes:
    """The list out of its text, not verified; raises DecodeError."""
    if len(text) > MAX_TEXT or not text.startswith(PREFIX):
        raise DecodeError(
            f"不是以 {PREFIX} 开头、最多 {MAX_TEXT} 个字符的状态列表文本",
            f"this is no text of a status list: it begins with {PREFIX} and has at most {MAX_TEXT} characters",
        )
    return base45.decode(text.removeprefix(PREFIX))


def _parse_claims(payload: bytes) -> StatusList:
    claims: Any = cbor.decode(payload, limit=MAX_TOKEN)
    try:
        uri, status_list = claims[_URI], claims[_STATUS_LIST]
        issued, expires, ttl = (_seconds(claims[name]) for name in (_ISSUED, _EXPIRES, _TTL))
        bits, compressed = status_list["bits"], status_list["lst"]
        good = len(claims) == 5 and len(status_list) == 2 and issued < expires and ttl > 0
    except (LookupError, TypeError, ValueError):
        raise _malformed() from None
    if not good or type(bits) is not int or bits not in (1, 2, 4, 8):
        raise _malformed()
    return StatusList(
        number=_number_in(uri),
        uri=uri,
        issued_at=datetime.fromtimestamp(issued, UTC),
        expires_at=datetime.fromtimestamp(expires, UTC),
        ttl=timedelta(seconds=ttl),
        bits=bits,
        packed=_decompress(compressed),
    )


def _seconds(value: object) -> int:
    if type(value) is not int or not 0 <= value < _LATEST:
        raise ValueError
    return value


def _number_in(uri: object) -> int:
    """The number of the list at the end of its uri."""
    match = _NUMBERED_URI.fullmatch(uri) if isinstance(uri, str) and len(uri) <= _MAX_URI else None
    if match is None or int(match[1]) >= 2**32:
        raise _malformed()
    return int(match[1])


def _decompress(data: object) -> bytes:
    """One whole zlib stream and nothing behind it; never more than `MAX_PACKED` bytes come into being."""
    if not isinstance(data, bytes):
        raise _malformed()
    stream = zlib.decompressobj()
    try:
        packed = stream.decompress(data, MAX_PACKED + 1)
    except zlib.error:
        raise _malformed() from None
    if len(packed) > MAX_PACKED:
        raise DecodeError(
            f"状态列表解压后超过 {MAX_PACKED} 字节", f"the status list is larger than {MAX_PACKED} bytes when unpacked"
        )
    if not stream.eof or stream.unused_data:
        raise _malformed()
    return packed


def _malformed() -> DecodeError:
    return DecodeError("不是有效格式的状态列表", "this is not a well-formed status list")
