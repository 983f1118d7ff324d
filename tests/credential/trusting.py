"""Root keys and signed lists for the tests, and lists that no root of ours would sign."""

from datetime import timedelta
from typing import Any

import cbor2

from juying.codec import signed_file
from juying.credential.trust import FILE_TYPE, Edition, TrustedKey, TrustList
from juying.credential.trust_root import Root
from juying.crypto.signing import SoftwareSigner
from juying.text import Text
from tests.credential.samples import NOW, trusted

ROOT_SIGNER = SoftwareSigner.generate()
OTHER_ROOT_SIGNER = SoftwareSigner.generate()
ROOT = Root.of(ROOT_SIGNER, Text("测试根", "root of the tests"))
OTHER_ROOT = Root.of(OTHER_ROOT_SIGNER, Text("别的根", "another root"))

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def edition(number: int = 1, *, days: int = 100) -> Edition:
    """An edition that is a day old."""
    return Edition(number, NOW - DAY, NOW - DAY + timedelta(days=days))


def signed_list(number: int = 1, *keys: TrustedKey, signer: SoftwareSigner = ROOT_SIGNER, days: int = 100) -> bytes:
    return TrustList(keys or (trusted(),), edition=edition(number, days=days)).signed(signer)


def document(number: int = 1, *keys: TrustedKey) -> Any:
    """What stands in a signed list, as plain values to be spoilt."""
    file = signed_file.parse(signed_list(number, *keys), FILE_TYPE, limit=1 << 20)
    return cbor2.loads(file.payload)


def sign_anything(payload: bytes, file_type: str = FILE_TYPE, **header: Any) -> bytes:
    """A file of our root around any payload."""
    stated = {"algorithm": -7, "kid": ROOT_SIGNER.kid, **header}
    return signed_file.encode(payload, file_type, sign=ROOT_SIGNER.sign, **stated)
