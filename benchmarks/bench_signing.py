"""Signing and verifying with each algorithm, held against the bare call of the library.

"Reference" is nothing but the operation: keys loaded, signatures already in the form that the library wants, the
message as long as that of a credential, and for SM2 already its digest. "Measured" is `SoftwareSigner.sign` and
`VerifyKey.verify`: with signatures as they travel, every check, and for SM2 the digest and the silence on the terminal.

    python benchmarks/bench_signing.py
"""

from collections.abc import Callable

import gmssl_pyx
from common import Row, show, side_by_side
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from juying.crypto.signing import Algorithm, SoftwareSigner, VerifyKey
from juying.crypto.sm2 import Digest, decompress

CALLS = 100
ROUNDS = 15
MESSAGE = bytes(range(200))
TARGETS = {Algorithm.ES256: 1.3, Algorithm.ED25519: 1.1, Algorithm.SM2: 1.1}

Operation = Callable[[], object]


def bare(algorithm: Algorithm, public_key: bytes, signature: bytes) -> tuple[Operation, Operation]:
    """Signing and verifying as the library has it, verifying what ``public_key`` has signed."""
    if algorithm is Algorithm.ED25519:
        ed_private = ed25519.Ed25519PrivateKey.generate()
        ed_public = ed25519.Ed25519PublicKey.from_public_bytes(public_key)
        return lambda: ed_private.sign(MESSAGE), lambda: ed_public.verify(signature, MESSAGE)
    der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    if algorithm is Algorithm.SM2:
        point, (_, secret) = decompress(public_key), gmssl_pyx.sm2_key_generate()
        digest = Digest(point).of(MESSAGE)
        return (
            lambda: gmssl_pyx.sm2_sign_sm3_digest(secret, digest),
            lambda: gmssl_pyx.sm2_verify_sm3_digest(point, digest, der),
        )
    private, deterministic = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.ECDSA(hashes.SHA256(), deterministic_signing=True),
    )
    public, plain = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key), ec.ECDSA(hashes.SHA256())
    return lambda: private.sign(MESSAGE, deterministic), lambda: public.verify(der, MESSAGE, plain)


def rows(algorithm: Algorithm) -> list[Row]:
    """The lines of one algorithm."""
    signer = SoftwareSigner.generate(algorithm)
    signature = signer.sign(MESSAGE)
    key = VerifyKey(signer.public_key, algorithm)
    assert key.verify(signature, MESSAGE)
    bare_sign, bare_verify = bare(algorithm, signer.public_key, signature)
    wrong = MESSAGE[::-1]
    operations: list[Operation] = [
        lambda: signer.sign(MESSAGE),
        bare_sign,
        lambda: key.verify(signature, MESSAGE),
        bare_verify,
        lambda: key.verify(signature, wrong),
        lambda: VerifyKey(signer.public_key, algorithm),
    ]
    sign, raw_sign, verify, raw_verify, refuse, load = (
        timing.best / CALLS * 1e6 for timing in side_by_side(*map(repeated, operations), rounds=ROUNDS)
    )
    name, target = algorithm.name, TARGETS[algorithm]
    return [
        Row(f"{name}: sign", sign, raw_sign, "library", "µs", target),
        Row(f"{name}: verify", verify, raw_verify, "library", "µs", target),
        Row(f"{name}: refuse", refuse, unit="µs"),
        Row(f"{name}: take a public key", load, unit="µs"),
    ]


def repeated(operation: Operation) -> Operation:
    """``operation`` `CALLS` times."""

    def run() -> None:
        for _ in range(CALLS):
            operation()

    return run


if __name__ == "__main__":
    show("Signatures", [row for algorithm in Algorithm for row in rows(algorithm)])
