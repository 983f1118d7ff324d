"""Credential: signing and verifying against the raw primitive of `cryptography`, sizes, and pictures.

"Raw" is nothing but the ES256 operation on a message as long as ours, with the signature as the library wants it.
"Ours" is everything between claims and COSE bytes: contents, CBOR, COSE and the signature; backwards also the trust
list, every check and the verdict. Batches of both alternate, the best of each counts; compare ratios, not times.

    python benchmarks/bench_credential.py
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import cycle

from common import Row, microseconds, show
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from juying.codec import base45, cose
from juying.codec.qr import Medium, draw_qr, read_qr
from juying.credential.claims import Claims, StatusReference, Tier
from juying.credential.issue import issue, to_text
from juying.credential.picture import caption
from juying.credential.trust import TrustedKey, TrustList
from juying.credential.verify import Verdict, verify
from juying.crypto.signing import SoftwareSigner
from juying.model import Employer, Holder, PermitCategory, Sex, WorkPermit
from juying.text import Text

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
STATUS = StatusReference(list_number=3, index=70_001)
# The sample person: Latin and Chinese name, nationality, class, employer code, position, region, date of birth.
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


def claims_of(tier: Tier, holder_key: bytes | None, status: StatusReference | None, number: int = 0) -> Claims:
    """The claims of the sample person; ``number`` tells the permits of many apart."""
    permit = replace(PERMIT, number=f"3310022026{number:05d}")
    return Claims.of(HOLDER, permit, tier=tier, issued_at=NOW, status=status, holder_key=holder_key)


def speeds(signer: SoftwareSigner, trust: TrustList, holder_key: bytes) -> None:
    """Claims to COSE bytes and back, next to the primitive."""
    people = [claims_of(Tier.FULL, holder_key, STATUS, number) for number in range(64)]
    credentials = [issue(claims, signer) for claims in people]
    assert all(verify(one, trust, now=NOW).verdict is Verdict.VALID_STALE_STATUS for one in credentials)

    message = cose.parse(credentials[0]).to_be_signed
    signature = cose.parse(credentials[0]).signature
    der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    raw_private = ec.generate_private_key(ec.SECP256R1())
    raw_public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), signer.public_key)
    deterministic = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    plain = ec.ECDSA(hashes.SHA256())

    next_claims, next_credential = cycle(people).__next__, cycle(credentials).__next__
    raw_sign, sign, raw_verify, check, refuse = microseconds(
        lambda: raw_private.sign(message, deterministic),
        lambda: issue(next_claims(), signer),
        lambda: raw_public.verify(der, message, plain),
        lambda: verify(next_credential(), trust, now=NOW),
        lambda: verify(b"", trust, now=NOW),
        calls=100,
        rounds=40,
    )
    data = credentials[0]
    text = base45.encode(data)
    encode, decode = microseconds(lambda: base45.encode(data), lambda: base45.decode(text))
    rows = [
        Row("sign: claims to COSE bytes", sign, raw_sign, "raw ES256", "µs", 2.5),
        Row("verify: COSE bytes to verified claims", check, raw_verify, "raw ES256", "µs", 1.5),
        Row("refuse what is no credential", refuse, raw_verify, "raw ES256", "µs"),
        Row(f"base45, {len(data)} bytes: encode", encode, unit="µs"),
        Row(f"base45, {len(data)} bytes: decode", decode, unit="µs"),
    ]
    show("Credential", rows)


def sizes(signer: SoftwareSigner, holder_key: bytes) -> None:
    """Bytes and characters of the sample person's credentials."""
    print(f"\n{'':<44} {'bytes':>9} {'text':>9} {'QR L/M':>9}  target")
    for tier, key, status, target in (
        (Tier.FULL, holder_key, STATUS, "<= 250 bytes"),
        (Tier.MINIMAL, holder_key, STATUS, "<= 190 bytes"),
        (Tier.FULL, None, None, ""),
        (Tier.MINIMAL, None, None, ""),
    ):
        credential = issue(claims_of(tier, key, status), signer)
        text = to_text(credential)
        versions = "/".join(str((draw_qr(text, medium=medium).width // 8 - 8 - 17) // 4) for medium in Medium)
        what = f"{tier.name.lower()}, {'holder key and status' if key else 'bearer, no status'}"
        print(f"{what:<44} {len(credential):>9} {len(text):>9} {versions:>9}  {target}")


def pictures(signer: SoftwareSigner, trust: TrustList, holder_key: bytes) -> None:
    """Drawing and reading a full credential."""
    credential = issue(claims_of(Tier.FULL, holder_key, STATUS), signer)
    text = to_text(credential)
    below = caption(claims_of(Tier.FULL, holder_key, STATUS))
    picture = draw_qr(text, medium=Medium.PAPER, caption=below)
    draw, read, all_of_it = microseconds(
        lambda: draw_qr(text, medium=Medium.PAPER, caption=below),
        lambda: read_qr(picture),
        lambda: verify(read_qr(picture), trust, now=NOW),
        calls=5,
        rounds=5,
    )
    print(f"\n{'draw for paper, with caption':<44} {draw / 1e3:>9.1f} ms")
    print(f"{'read a picture':<44} {read / 1e3:>9.1f} ms")
    print(f"{'picture to verdict':<44} {all_of_it / 1e3:>9.1f} ms")


def main() -> None:
    """Measure and print."""
    signer = SoftwareSigner.generate()
    holder_key = SoftwareSigner.generate().public_key
    key = TrustedKey.of(
        signer,
        issuer=Text("测试签发机关", "issuer of the benchmark"),
        region="331000",
        not_before=NOW,
        not_after=NOW + timedelta(days=90),
    )
    trust = TrustList([key])
    speeds(signer, trust, holder_key)
    sizes(signer, holder_key)
    pictures(signer, trust, holder_key)


if __name__ == "__main__":
    main()
