"""Credential: issuing and verifying against the raw primitives, other parts of the way, and sizes.

"Reference" is nothing but the primitive: keys loaded, messages as long as ours, signatures as the library wants them.
"Measured" is everything between claims and COSE bytes, and between the bytes of a code and the verdict: CBOR, COSE,
contents, trust list, both signatures, status list, policy and replay cache. Every code is another one and is shown once
to each gate. Gates remember the keys of their regulars; of a newcomer the key has to be unpacked, on either side.

    python benchmarks/bench_credential.py
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count, cycle, product
from pathlib import Path
from tempfile import TemporaryDirectory

import gmssl_pyx
from common import Row, microseconds, show, side_by_side
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_L, ERROR_CORRECT_M

from juying.codec import base45, cose
from juying.credential.claims import Claims, StatusReference, Tier
from juying.credential.issue import issue, to_text
from juying.credential.policy import Assurance, Policy
from juying.credential.presentation import EnrolledCredentials, _holder_key, by_reference, present
from juying.credential.replay import MemoryReplayCache, ReplayCache, SharedReplayCache
from juying.credential.status import StatusLists, sign_status_list
from juying.credential.trust import TrustedKey, TrustList
from juying.credential.verify import verify
from juying.crypto.signing import Algorithm, SoftwareSigner
from juying.crypto.sm2 import IDENTIFIER, decompress
from juying.model import Employer, Holder, PermitCategory, Sex, WorkPermit
from juying.text import Text

HOLDERS = 100
MOMENTS = range(-2, 2)  # seconds from now; each holder shows a code at each
ROUNDS = 25
CODES = HOLDERS * len(MOMENTS)
ANY, SIGNED = Policy(), Policy(assurance=Assurance.HOLDER)
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


Action = Callable[[], object]
PHONES = [SoftwareSigner.generate() for _ in range(HOLDERS)]


def claims_of(tier: Tier, holder_key: bytes | None, status: StatusReference | None, number: int = 0) -> Claims:
    """The claims of the sample person; ``number`` tells the permits of many apart."""
    permit = replace(PERMIT, number=f"3310022026{number:05d}")
    return Claims.of(HOLDER, permit, tier=tier, issued_at=NOW, status=status, holder_key=holder_key)


class Site:
    """An issuer, the credentials of many holders, and a gate that has the issuer's key and status list."""

    def __init__(self, algorithm: Algorithm) -> None:
        self.signer = SoftwareSigner.generate(algorithm)
        key = TrustedKey.of(
            self.signer,
            issuer=Text("测试签发机关", "issuer of the benchmark"),
            region="331000",
            not_before=NOW,
            not_after=NOW + timedelta(days=90),
        )
        self.trust = TrustList([key])
        self.status = StatusLists()
        token = sign_status_list(bytes(100_000), self.signer, number=STATUS.list_number, issued_at=NOW)
        self.status.add(token, self.trust, now=NOW)
        self.claims = [claims_of(Tier.FULL, phone.public_key, STATUS, number) for number, phone in enumerate(PHONES)]
        self.credentials = [issue(claims, self.signer) for claims in self.claims]
        self.enrolled = EnrolledCredentials(self.credentials)
        self.messages = [cose.parse(credential).to_be_signed for credential in self.credentials]

    def codes(self, make: Callable[..., bytes] = present) -> list[bytes]:
        """What the holders show, each at every moment."""
        shows = product(zip(self.credentials, PHONES, strict=True), MOMENTS)
        return [make(one, phone, now=NOW + timedelta(seconds=off)) for (one, phone), off in shows]

    def gate(
        self,
        codes: list[bytes],
        policy: Policy = SIGNED,
        replay: Callable[[], ReplayCache] = MemoryReplayCache,
        *,
        newcomers: bool = False,
    ) -> Action:
        """Let everybody in who shows one of ``codes``; a gate that has not seen any of them."""

        def run() -> None:
            if newcomers:
                _holder_key.cache_clear()
            known = {"policy": policy, "status": self.status, "replay": replay(), "references": self.enrolled}
            for code in codes:
                assert verify(code, self.trust, now=NOW, **known).accepted

        return run


def primitive(signed: Iterable[tuple[SoftwareSigner, bytes]]) -> Action:
    """Nothing but verifying each message with the library of its signer's algorithm, all keys unpacked."""
    actions: list[Action] = []
    for signer, message in signed:
        signature = signer.sign(message)
        der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        if signer.algorithm is Algorithm.SM2:
            point = decompress(signer.public_key)
            actions.append(partial(gmssl_pyx.sm2_verify, point, message, der, signer_id=IDENTIFIER))
        else:
            actions.append(partial(_unpack(signer.public_key).verify, der, message, ec.ECDSA(hashes.SHA256())))

    def run() -> None:
        for action in actions:
            action()

    return run


def issuing(site: Site) -> list[Row]:
    """Claims to COSE bytes, and these to what the phone shows."""
    raw, scheme = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    claims, shows = cycle(site.claims).__next__, cycle(zip(site.credentials, PHONES, strict=True)).__next__
    raw_sign, sign, show_code = microseconds(
        lambda: raw.sign(site.messages[0], scheme),
        lambda: issue(claims(), site.signer),
        lambda: present(*shows(), now=NOW),
        calls=100,
        rounds=40,
    )
    return [
        Row("issue: claims to COSE bytes", sign, raw_sign, "ES256", "µs", 2.5),
        Row("present: COSE bytes to those of a code", show_code, raw_sign, "ES256", "µs"),
    ]


def verifying(es256: Site, sm2: Site, folder: Path) -> list[Row]:
    """The bytes of a code to the verdict."""
    files = (SharedReplayCache(folder / f"{number}.db") for number in count())
    visitors = [phone for phone in PHONES for _ in MOMENTS]
    newcomers = es256.codes()[:: len(MOMENTS)]
    on_paper = [issue(replace(claims, status=None, holder_key=None), es256.signer) for claims in es256.claims]
    runs = [
        (CODES, primitive((es256.signer, message) for message in es256.messages * len(MOMENTS))),
        (CODES, primitive((phone, bytes(60)) for phone in visitors)),
        (HOLDERS, lambda: [_unpack(phone.public_key) for phone in PHONES]),
        (CODES, primitive((sm2.signer, message) for message in sm2.messages * len(MOMENTS))),
        (CODES, es256.gate(on_paper * len(MOMENTS), ANY)),
        (CODES, es256.gate(es256.credentials * len(MOMENTS), ANY)),
        (CODES, es256.gate(es256.codes())),
        (HOLDERS, es256.gate(newcomers, newcomers=True)),
        (CODES, es256.gate(es256.codes(by_reference))),
        (CODES, es256.gate(es256.codes(), replay=lambda: next(files))),
        (CODES, sm2.gate(sm2.codes())),
    ]
    timings = side_by_side(*(run for _, run in runs), rounds=ROUNDS)
    issuer, holder, unpack, issuer_sm2, plain, static, regular, newcomer, reference, shared, with_sm2 = (
        timing.best / times * 1e6 for (times, _), timing in zip(runs, timings, strict=True)
    )
    both = issuer + holder
    return [
        Row("static, no holder key: COSE bytes to claims", plain, issuer, "ES256", "µs", 1.5),
        Row("static: issuer ES256, holder key, status", static, issuer, "ES256", "µs"),
        Row("shown: issuer and holder ES256, status, replay", regular, both, "2 x ES256", "µs", 1.5),
        Row("the same, shown by a newcomer", newcomer, both + unpack, "2 x ES256, key", "µs", 1.5),
        Row("the same by reference", reference, both, "2 x ES256", "µs"),
        Row("the same with a replay cache in a file", shared, both, "2 x ES256", "µs"),
        Row("shown: issuer SM2, holder ES256, status, replay", with_sm2, issuer_sm2, "SM2", "µs", 1.3),
    ]


def _unpack(point: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def others(site: Site) -> list[Row]:
    """Base45, and a code that is none of ours."""
    data = site.codes()[0]
    text = base45.encode(data)
    encode, decode, refuse = microseconds(
        lambda: base45.encode(data), lambda: base45.decode(text), lambda: verify(b"", site.trust, now=NOW)
    )
    return [
        Row(f"base45, {len(data)} bytes: encode", encode, unit="µs"),
        Row(f"base45, {len(data)} bytes: decode", decode, unit="µs"),
        Row("refuse what is no credential", refuse, unit="µs"),
    ]


def sizes(es256: Site, sm2: Site) -> list[Row]:
    """Bytes of what the sample person shows, and the QR versions that it needs on screen and on paper."""
    phone, named = PHONES[0], {"audience": "gate", "nonce": bytes(8)}
    full, full_sm2 = es256.credentials[0], sm2.credentials[0]
    minimal = issue(claims_of(Tier.MINIMAL, phone.public_key, STATUS), es256.signer)
    bearer = issue(claims_of(Tier.FULL, None, None), es256.signer)
    return [
        _size("full, static", full, 250),
        _size("full, static, SM2 issuer", full_sm2, 254),
        _size("minimal, static", minimal, 190),
        _size("full for paper: bearer, no status", bearer),
        _size("full, shown", present(full, phone, now=NOW), 322),
        _size("full, shown, SM2 issuer", present(full_sm2, phone, now=NOW), 326),
        _size("minimal, shown", present(minimal, phone, now=NOW)),
        _size("full, shown to a terminal, with its nonce", present(full, phone, now=NOW, **named), 336),
        _size("full, by reference", by_reference(full, phone, now=NOW), 84),
    ]


def _size(what: str, data: bytes, most: int | None = None) -> Row:
    versions = [_version(to_text(data), level) for level in (ERROR_CORRECT_L, ERROR_CORRECT_M)]
    against = "QR {}-L, {}-M".format(*versions)
    return Row(what, len(data), most, against, "bytes", 1 if most else None)


def _version(text: str, level: int) -> int:
    code = QRCode(error_correction=level, mask_pattern=0)
    code.add_data(text, optimize=0)
    return int(code.best_fit())


def main() -> None:
    """Measure and print."""
    es256, sm2 = Site(Algorithm.ES256), Site(Algorithm.SM2)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        show("Issuing and showing", issuing(es256))
        show("\nVerifying", verifying(es256, sm2, Path(folder)))
    show("\nOther parts", others(es256))
    show("\nSizes", sizes(es256, sm2))


if __name__ == "__main__":
    main()
