"""The office's signature under a hand-over list: a small signed file beside the PDF.

It is a `juying.codec.signed_file` of the type ``application/juying-handover+cbor`` whose payload is::

    {"ledger": name of the ledger, "number": …, "edition": …, "sha256": of the PDF, "signed": seconds since 1970}

The issuing key signs it, so whoever has the trust list can check it, without a certificate and with every algorithm and
token that credentials are signed with.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from juying.codec import cbor, signed_file
from juying.credential.trust import TrustList
from juying.credential.trusted_key import KeyUse, TrustedKey
from juying.crypto.signing import Signer
from juying.errors import DecodeError, InputError, KeyUseError

SUFFIX = ".sig"
"""What stands behind the name of the PDF."""

MEDIA_TYPE = "application/juying-handover+cbor"
MAX_SIGNATURE = 1024

_FIELDS = {"ledger": str, "number": int, "edition": int, "sha256": bytes, "signed": int}


@dataclass(frozen=True, slots=True)
class SignedList:
    """What a genuine signature says: which list of which ledger, and who signed it when."""

    ledger: str
    number: int
    edition: int
    sha256: bytes
    signed_at: datetime
    key: TrustedKey


def signing_key(signer: Signer, trust: TrustList, now: datetime) -> TrustedKey:
    """The entry of the signer's key. Raises `KeyUseError` unless it may sign for the office now."""
    for key in trust.keys(signer.kid):
        if key.key.public_key == signer.public_key and KeyUse.CREDENTIAL in key.use and key.signs_at(now):
            return key
    raise KeyUseError(
        "签发密钥不在信任列表中，或不在签发期内，未作任何改动",
        "the issuing key is not in the trust list, or this is not its signing period; nothing was changed",
        where=signer.kid.hex(),
    )


def sign_list(pdf: bytes, signer: Signer, *, ledger: str, number: int, edition: int, now: datetime) -> bytes:
    """Sign a list. Raises `KeyUseError` when the key cannot."""
    document = {
        "ledger": ledger,
        "number": number,
        "edition": edition,
        "sha256": hashlib.sha256(pdf).digest(),
        "signed": int(now.timestamp()),
    }
    return signed_file.encode(
        cbor.encode(document), MEDIA_TYPE, algorithm=int(signer.algorithm), kid=signer.kid, sign=signer.sign
    )


def verify_list(pdf: bytes, signature: bytes, trust: TrustList, *, now: datetime) -> SignedList:
    """What ``signature`` says about the list ``pdf``.

    Raises `DecodeError` when it is malformed, `InputError` when no trusted key made it in its signing period, or when
    it is of another document: then the PDF was changed, or the file belongs to another one.
    """
    signed = signed_file.parse(signature, MEDIA_TYPE, limit=MAX_SIGNATURE)
    ledger, number, edition, sha256, seconds = _fields(cbor.decode(signed.payload))
    at = datetime.fromtimestamp(seconds, UTC)
    for key in trust.keys(signed.kid):
        if KeyUse.CREDENTIAL in key.use and key.key.algorithm.covers(signed.algorithm):
            if not key.key.verify(signed.signature, signed.to_be_signed):
                continue
            if not (key.signs_at(at) and key.verifies_at(now)):
                raise InputError(
                    "清单不是在密钥的签发期内签的，或该密钥的签名已不再有效",
                    "the list was not signed within the signing period of its key, or its signatures no longer count",
                )
            if hashlib.sha256(pdf).digest() != sha256:
                raise InputError(
                    "签名属于另一份文件：清单被改动过，或签名文件拿错了",
                    "the signature is of another document: the list was changed, or this is the wrong signature file",
                )
            return SignedList(ledger, number, edition, sha256, at, key)
    raise InputError(
        "清单的签名不对，或签名密钥不在信任列表中",
        "the signature of the list is wrong, or its key is not in the trust list",
    )


def _fields(document: object) -> tuple[str, int, int, bytes, int]:
    if type(document) is dict and document.keys() == _FIELDS.keys():
        ledger, number, edition, sha256, seconds = (document[name] for name in _FIELDS)
        types = tuple(type(document[name]) for name in _FIELDS)
        if types == tuple(_FIELDS.values()) and 0 <= seconds < 2**33:
            return ledger, number, edition, sha256, seconds
    raise DecodeError("签名文件的内容不完整", "the signature file does not hold what it should")
