"""Status lists, good ones and ones that nobody of ours would make."""

import zlib
from datetime import datetime, timedelta

from juying.codec import cbor, signed_file
from juying.credential.status_list import MEDIA_TYPE, sign_status_list
from juying.crypto.signing import SoftwareSigner
from tests.credential.samples import NOW, SIGNER

NUMBER = 3


def token(
    statuses: bytes = bytes(8), *, number: int = NUMBER, signer: SoftwareSigner = SIGNER, **changes: object
) -> bytes:
    """A signed list, issued an hour ago unless said otherwise."""
    settings: dict[str, object] = {"issued_at": NOW - timedelta(hours=1), **changes}
    return sign_status_list(statuses, signer, number=number, **settings)


def claims_set(**changes: object) -> dict[int, object]:
    """The claims of a good list of eight entries; a member that is changed to None is left out."""
    issued = int(NOW.timestamp()) - 3600
    claims: dict[str, object] = {
        "sub": f"juying:status/{NUMBER}",
        "exp": issued + 86_400,
        "iat": issued,
        "ttl": 3600,
        "status_list": {"bits": 2, "lst": zlib.compress(bytes(2))},
        **changes,
    }
    numbers = {"sub": 2, "exp": 4, "iat": 6, "ttl": 65534, "status_list": 65533, "more": 7}
    return {numbers[name]: value for name, value in claims.items() if value is not None}


def forged(
    claims: object, *, signer: SoftwareSigner = SIGNER, file_type: str = MEDIA_TYPE, algorithm: int = -7
) -> bytes:
    """A token with any claims, rightly signed."""
    payload = cbor.encode(claims)
    return signed_file.encode(payload, file_type, algorithm=algorithm, kid=signer.kid, sign=signer.sign)


def with_list(bits: object, lst: object) -> bytes:
    """A rightly signed token with this status list."""
    return forged(claims_set(status_list={"bits": bits, "lst": lst}))


def at(moment: datetime, statuses: bytes = bytes(8), **changes: object) -> bytes:
    """A list issued at this moment."""
    return token(statuses, issued_at=moment, **changes)
