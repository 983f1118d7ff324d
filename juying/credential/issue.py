"""Claims into a signed credential, and the credential into the text of the QR code."""

from dataclasses import dataclass, field

from juying.codec import base45, cose
from juying.credential.claims import Claims
from juying.crypto.signing import Signer
from juying.errors import DecodeError, InputError

PREFIX = "JY1:"  # the digit is the version of everything behind it
MAX_TEXT = 600  # characters; a QR code beyond that is hard to scan (our choice)
MAX_BYTES = 397  # what fits into MAX_TEXT; the record on the chip is the same one
MAX_BOUND = 320  # of a credential with a holder key: its holder's signature has to fit into the code too


@dataclass(frozen=True, slots=True)
class Credentials:
    """The two credentials of one permit, COSE_Sign1 each; ``full`` is also the record on the chip."""

    full: bytes = field(repr=False)
    minimal: bytes = field(repr=False)


def issue(claims: Claims, signer: Signer) -> bytes:
    """Sign the claims: a tagged COSE_Sign1 of at most `MAX_BYTES` bytes, the same for chip and QR.

    Raises InputError when the claims are too long for a code, KeyUseError when the key cannot sign.
    """
    protected = cose.protected_header(signer.algorithm, signer.kid)
    payload = claims.encode()
    credential = cose.encode(protected, payload, signer.sign(cose.to_be_signed(protected, payload)))
    limit = MAX_BYTES if claims.holder_key is None else MAX_BOUND
    if len(credential) > limit:
        raise InputError(
            f"凭证共 {len(credential)} 字节，超过上限 {limit}；请缩写岗位或姓名",
            f"the credential has {len(credential)} bytes, at most {limit} fit; shorten the position or the names",
        )
    return credential


def unverified_claims(credential: bytes) -> Claims:
    """What a credential says, whoever signed it; for those who know it already. Raises DecodeError."""
    return Claims.decode(cose.parse(credential, limit=MAX_BYTES).payload)


def to_text(credential: bytes) -> str:
    """The credential as the text of its QR code: ``JY1:`` and base45, all of the alphanumeric set."""
    return PREFIX + base45.encode(credential)


def from_text(text: str) -> bytes:
    """The credential out of the text of a QR code, not verified.

    Raises DecodeError when it is longer than `MAX_TEXT` characters, begins with anything but `PREFIX`, or is no
    base45. Nothing is forgiven: no lower case, no space or line end around it (a space means something in base45).
    """
    if len(text) > MAX_TEXT:
        raise DecodeError(f"文本超过 {MAX_TEXT} 个字符", f"the text is longer than {MAX_TEXT} characters")
    if not text.startswith(PREFIX):
        raise DecodeError(f"不是以 {PREFIX} 开头的凭证文本", f"the text does not begin with {PREFIX}")
    return base45.decode(text.removeprefix(PREFIX))
