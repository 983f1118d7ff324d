"""One invented permit, signed in every way that the tests need."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from juying.codec import cose
from juying.credential.claims import Claims, StatusReference, Tier
from juying.credential.trust import TrustedKey, TrustList
from juying.crypto.signing import SoftwareSigner
from juying.model import Employer, Holder, PermitCategory, Sex, WorkPermit
from juying.text import Text

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
ISSUED = NOW - timedelta(days=2)


def signer(secret: int) -> SoftwareSigner:
    """A key that is the same in every process, because the names of tests hold some of them."""
    return SoftwareSigner(ec.derive_private_key(secret, ec.SECP256R1()))


SIGNER = signer(1001)
OTHER_SIGNER = signer(1002)
HOLDER_KEY = signer(1003).public_key
STATUS = StatusReference(list_number=3, index=70_001)

HOLDER = Holder(
    name="ERIKSSON ANNA MARIA",
    nationality="UTO",
    birth_date=date(1974, 8, 12),
    sex=Sex.FEMALE,
    document_number="L898902C3",
    chinese_name="安娜",
)
PERMIT = WorkPermit(
    number="331002202600001",
    category=PermitCategory.A,
    employer=Employer(name="椒江样本医药研究院", code="123310020000DDD18Q"),
    position="首席科学家",
    valid_from=date(2026, 6, 1),
    valid_until=date(2030, 5, 31),
    authority="台州市示范签发机关（样本）",
    region="331002",
)


def claims(tier: Tier = Tier.FULL, *, status: StatusReference | None = None, holder_key: bytes | None = None) -> Claims:
    return Claims.of(HOLDER, PERMIT, tier=tier, issued_at=ISSUED, status=status, holder_key=holder_key)


def trusted(signer: SoftwareSigner = SIGNER, **changes: object) -> TrustedKey:
    fields: dict[str, object] = {
        "issuer": Text("测试签发机关", "issuer of the tests"),
        "region": "331000",
        "not_before": NOW - timedelta(days=30),
        "not_after": NOW + timedelta(days=60),
    }
    return TrustedKey.of(signer, **{**fields, **changes})


def signed(payload: bytes, *, signer: SoftwareSigner = SIGNER, algorithm: int = -7, kid: bytes | None = None) -> bytes:
    """What an issuer would sign who follows none of our rules for the payload or the header."""
    protected = cose.protected_header(algorithm, kid or signer.kid)
    return cose.encode(protected, payload, signer.sign(cose.to_be_signed(protected, payload)))


@dataclass(frozen=True)
class FixedKid:
    """A signer with a kid of one's choice."""

    signer: SoftwareSigner
    kid: bytes

    @property
    def algorithm(self) -> object:
        return self.signer.algorithm

    @property
    def public_key(self) -> bytes:
        return self.signer.public_key

    def sign(self, message: bytes) -> bytes:
        return self.signer.sign(message)


TRUST = TrustList([trusted()])
