"""What a holder's phone shows: the credential, the time, and the holder's signature over both.

::

    presentation = [credential or reference, payload, signature]        three CBOR byte strings
    payload      = << [time, ? audience, ? nonce] >>                    seconds since 1970, text, bytes
    signature over << ["JYK-Presentation-1", SHA-256(credential), payload] >>, by the key in the credential

Two levels, as in the codes on railway tickets: the issuer vouches for the holder's key, the holder's key for the
moment. So a copy is worth something for seconds only, and with audience and nonce at one terminal only. The leading
text keeps a signature from meaning anything elsewhere. The digest covers the credential as it is carried.

A site that holds the credential already needs no more than its reference, the first eight bytes of the same digest;
the signature is over the whole digest all the same, so a collision of references cannot be used.

Before a credential is issued to a key, its holder proves to have it (`prove`, `check_proof`).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, Protocol, Self

from juying.codec import cbor
from juying.credential.issue import MAX_BYTES, unverified_claims
from juying.crypto.signing import SIGNATURE_LENGTH, Algorithm, Signer, VerifyKey
from juying.errors import DecodeError, InputError, KeyUseError

REFERENCE_LENGTH = 8
MAX_SAME_REFERENCE = 4  # credentials that are tried for one reference, as for a kid
MAX_AUDIENCE = 64  # bytes of UTF-8
MIN_NONCE, MAX_NONCE = 8, 32  # bytes
MIN_PROOF_NONCE, MAX_PROOF_NONCE = 16, 64  # bytes

_DOMAIN = "JYK-Presentation-1"
_DOMAIN_AND_HEAD = b"\x83" + cbor.encode(_DOMAIN) + b"\x58\x20"  # an array of three, text, 32 bytes
_PROOF_DOMAIN = "JYK-Proof-1"
_MAX_TIME = 2**32 - 1


class Presentation(NamedTuple):
    """A parsed presentation, of which nothing has been verified.

    ``carried`` is the credential, or its reference; ``presented_at`` the time by the holder's clock.
    """

    carried: bytes
    presented_at: datetime
    audience: str | None
    nonce: bytes | None
    payload: bytes
    signature: bytes

    def __repr__(self) -> str:
        """When it was made and how long the credential in it is, which is personal."""
        return f"Presentation({self.presented_at.isoformat()}, {len(self.carried)} bytes)"

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Take a presentation apart; raises DecodeError for everything that `present` would not have made."""
        parts = cbor.decode(data, limit=MAX_BYTES)
        if type(parts) is list and len(parts) == 3:
            carried, payload, signature = parts
            if type(carried) is bytes and type(payload) is bytes and type(signature) is bytes:
                moment, audience, nonce = _parse_payload(payload)
                if len(carried) >= REFERENCE_LENGTH and len(signature) == SIGNATURE_LENGTH:
                    return cls(carried, datetime.fromtimestamp(moment, UTC), audience, nonce, payload, signature)
        raise _malformed()

    @property
    def by_reference(self) -> bool:
        """True when the credential has to be looked up; none is as short as a reference."""
        return len(self.carried) == REFERENCE_LENGTH

    def signed_by(self, holder_key: bytes, credential: bytes) -> bool:
        """True when the key (a compressed P-256 point) signed this presentation of ``credential``.

        False also for 33 bytes that are no point of the curve.
        """
        try:
            key = _holder_key(holder_key)
        except KeyUseError:
            return False
        return key.verify(self.signature, _to_be_signed(credential, self.payload))


def present(
    credential: bytes, holder: Signer, *, now: datetime, audience: str | None = None, nonce: bytes | None = None
) -> bytes:
    """Show ``credential`` now: the bytes for `juying.credential.issue.to_text`, new ones every ten seconds.

    ``audience`` is the name of the terminal or site (printable, 1 to 64 bytes in UTF-8), ``nonce`` what it asked to
    be signed (8 to 32 bytes). Raises InputError when one of them or the time cannot be used or the result is too long
    for a code, KeyUseError when the credential is not bound to the key of ``holder``, DecodeError when it is none.
    """
    return _present(credential, credential, holder, now, audience, nonce)


def by_reference(
    credential: bytes, holder: Signer, *, now: datetime, audience: str | None = None, nonce: bytes | None = None
) -> bytes:
    """As `present`, for a site that holds the credential already: 83 bytes without audience and nonce."""
    return _present(reference_of(credential), credential, holder, now, audience, nonce)


def reference_of(credential: bytes) -> bytes:
    """The first eight bytes of the credential's SHA-256 digest."""
    return sha256(credential).digest()[:REFERENCE_LENGTH]


class References(Protocol):
    """The credentials that a site holds already."""

    def find(self, reference: bytes) -> Sequence[bytes]:
        """Every credential with this reference; in all likelihood one or none."""


class EnrolledCredentials:
    """Credentials of a site's regulars, in memory."""

    __slots__ = ("_by_reference",)

    def __init__(self, credentials: Iterable[bytes] = ()) -> None:
        """Take the credentials as they were issued."""
        self._by_reference: dict[bytes, tuple[bytes, ...]] = {}
        for credential in credentials:
            self.add(credential)

    def add(self, credential: bytes) -> None:
        """Enrol a credential; once more changes nothing.

        Raises InputError when four others have its reference already.
        """
        reference = reference_of(credential)
        same = self.find(reference)
        if credential in same:
            return
        if len(same) == MAX_SAME_REFERENCE:
            raise InputError(
                f"已有 {MAX_SAME_REFERENCE} 份凭证使用同一引用", f"{MAX_SAME_REFERENCE} credentials share the reference"
            )
        self._by_reference[reference] = (*same, credential)

    def remove(self, credential: bytes) -> None:
        """Forget a credential; one that is not enrolled is no error."""
        reference = reference_of(credential)
        rest = tuple(other for other in self.find(reference) if other != credential)
        if rest:
            self._by_reference[reference] = rest
        else:
            self._by_reference.pop(reference, None)

    def find(self, reference: bytes) -> tuple[bytes, ...]:
        """Every enrolled credential with this reference."""
        return self._by_reference.get(reference, ())


def prove(holder: Signer, nonce: bytes) -> bytes:
    """Prove possession of the holder's key to the office that sent ``nonce`` (16 to 64 bytes).

    ::

        proof = [public key, signature over << ["JYK-Proof-1", nonce, public key] >>]

    Raises InputError for a nonce of another length, KeyUseError when the key is not of P-256 or cannot sign.
    """
    _check_holder(holder)
    _check_proof_nonce(nonce)
    return cbor.encode([holder.public_key, holder.sign(_proof_message(nonce, holder.public_key))])


def check_proof(proof: bytes, nonce: bytes) -> bytes:
    """The holder's public key (a compressed P-256 point), proven over ``nonce``, for `Claims.holder_key`.

    The office draws a new nonce (16 to 64 bytes) for each application and takes one proof for it. Raises DecodeError
    when this is no proof at all, KeyUseError when it does not prove possession over this nonce.
    """
    _check_proof_nonce(nonce)
    match cbor.decode(proof):
        case [bytes() as public_key, bytes() as signature]:
            if VerifyKey(public_key, Algorithm.ES256).verify(signature, _proof_message(nonce, public_key)):
                return public_key
            raise KeyUseError(
                "未证明持有密钥：签名不对，或不是对本次随机数的应答",
                "possession of the key is not proven: the signature is wrong, or answers another nonce",
            )
    raise DecodeError("不是持有证明", "this is no proof of possession")


def _present(
    carried: bytes, credential: bytes, holder: Signer, now: datetime, audience: str | None, nonce: bytes | None
) -> bytes:
    _check_holder(holder)
    if unverified_claims(credential).holder_key != holder.public_key:
        raise KeyUseError("凭证未绑定这把密钥", "the credential is not bound to this key")
    if now.tzinfo is None or not 0 <= now.timestamp() <= _MAX_TIME:
        raise InputError("出示时间须带时区，且在 1970 至 2105 年", "the time needs a time zone and a year 1970 to 2105")
    if not _is_audience(audience):
        raise InputError(
            f"对象须为可显示字符，UTF-8 编码 1 至 {MAX_AUDIENCE} 字节",
            f"an audience is printable and has 1 to {MAX_AUDIENCE} bytes in UTF-8",
        )
    if not _is_nonce(nonce):
        raise InputError(f"随机数须为 {MIN_NONCE} 至 {MAX_NONCE} 字节", f"a nonce has {MIN_NONCE} to {MAX_NONCE} bytes")
    moment = int(now.timestamp())
    payload = cbor.encode([moment, *(extra for extra in (audience, nonce) if extra is not None)])
    presentation = cbor.encode([carried, payload, holder.sign(_to_be_signed(credential, payload))])
    if len(presentation) > MAX_BYTES:
        raise InputError(
            f"出示内容共 {len(presentation)} 字节，超过上限 {MAX_BYTES}",
            f"the presentation has {len(presentation)} bytes, at most {MAX_BYTES} fit into a code",
        )
    return presentation


@lru_cache(maxsize=1024)  # a quarter of the time of a verification, and a gate sees the same people every day
def _holder_key(point: bytes) -> VerifyKey:
    return VerifyKey(point, Algorithm.ES256)


def _parse_payload(payload: bytes) -> tuple[int, str | None, bytes | None]:
    if len(payload) == 6 and payload[:2] == b"\x81\x1a" and payload[2:4] != b"\0\0":
        return int.from_bytes(payload[2:]), None, None  # the time alone, as nearly always, in its shortest form
    members = cbor.decode(payload)
    if type(members) is list and members:
        moment, *rest = members
        audience = rest.pop(0) if rest and type(rest[0]) is str else None
        nonce = rest.pop(0) if rest and type(rest[0]) is bytes else None
        in_range = type(moment) is int and 0 <= moment <= _MAX_TIME
        if in_range and not rest and _is_audience(audience) and _is_nonce(nonce):
            return moment, audience, nonce
    raise _malformed()


def _to_be_signed(credential: bytes, payload: bytes) -> bytes:
    """``[_DOMAIN, SHA-256(credential), payload]``, by hand because this is on the way of every verification."""
    length = len(payload)
    head = b"%c" % (0x40 + length) if length < 24 else b"\x58%c" % length
    return b"%b%b%b%b" % (_DOMAIN_AND_HEAD, sha256(credential).digest(), head, payload)


def _proof_message(nonce: bytes, public_key: bytes) -> bytes:
    return cbor.encode([_PROOF_DOMAIN, nonce, public_key])


def _check_holder(holder: Signer) -> None:
    if holder.algorithm is not Algorithm.ES256:
        raise KeyUseError("持有人密钥须为 ES256（P-256）", "a holder's key has to be one of ES256 (P-256)")


def _check_proof_nonce(nonce: bytes) -> None:
    if not MIN_PROOF_NONCE <= len(nonce) <= MAX_PROOF_NONCE:
        raise InputError(
            f"随机数须为 {MIN_PROOF_NONCE} 至 {MAX_PROOF_NONCE} 字节",
            f"a nonce for a proof has {MIN_PROOF_NONCE} to {MAX_PROOF_NONCE} bytes",
        )


def _is_audience(audience: str | None) -> bool:
    return audience is None or (audience.isprintable() and 0 < len(audience.encode()) <= MAX_AUDIENCE)


def _is_nonce(nonce: bytes | None) -> bool:
    return nonce is None or MIN_NONCE <= len(nonce) <= MAX_NONCE


def _malformed() -> DecodeError:
    return DecodeError("不是有效格式的出示内容", "this is not a well-formed presentation")
