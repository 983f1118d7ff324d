"""The openssl command, as a second opinion on everything that leaves this package."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from juying.crypto.signing import Algorithm

SM2_ID = "distid:1234567812345678"


class OpenSsl:
    """Runs ``openssl`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str) -> str:
        ran = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, check=True, text=True)
        return ran.stdout

    def sign(
        self, key: str, algorithm: Algorithm, message: bytes, *, password: str = "", sm2_id: str = SM2_ID
    ) -> bytes:
        """The signature in our form."""
        (self.folder / "message").write_bytes(message)
        self("pkeyutl", "-sign", "-inkey", key, "-passin", f"pass:{password}", *self._rest(algorithm, sm2_id),
             "-out", "signature")  # fmt: skip
        signature = (self.folder / "signature").read_bytes()
        if algorithm is Algorithm.ED25519:
            return signature
        r, s = decode_dss_signature(signature)
        return r.to_bytes(32) + s.to_bytes(32)

    def verifies(
        self, key: str, algorithm: Algorithm, signature: bytes, message: bytes, *, sm2_id: str = SM2_ID
    ) -> bool:
        """What openssl says about a signature in our form; ``key`` is the private key's file."""
        (self.folder / "message").write_bytes(message)
        if algorithm is not Algorithm.ED25519:
            signature = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        (self.folder / "signature").write_bytes(signature)
        try:
            answer = self(
                "pkeyutl", "-verify", "-inkey", key, *self._rest(algorithm, sm2_id), "-sigfile", "signature"
            )  # fmt: skip
        except subprocess.CalledProcessError:
            return False
        return answer == "Signature Verified Successfully\n"

    def encipher(self, name: str, key: bytes, data: bytes, iv: bytes = b"") -> bytes:
        """Whole blocks under a block cipher that openssl calls ``name``; single DES comes from its legacy provider."""
        (self.folder / "plain").write_bytes(data)
        initial = ("-iv", iv.hex()) if iv else ()
        self("enc", "-provider", "default", "-provider", "legacy", f"-{name}", "-K", key.hex(), *initial, "-nopad",
             "-in", "plain", "-out", "enciphered")  # fmt: skip
        return (self.folder / "enciphered").read_bytes()

    @staticmethod
    def _rest(algorithm: Algorithm, sm2_id: str) -> list[str]:
        digest = {Algorithm.ES256: ["-digest", "sha256"], Algorithm.SM2: ["-digest", "sm3", "-pkeyopt", sm2_id]}
        return ["-rawin", *digest.get(algorithm, []), "-in", "message"]


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSsl:
    return OpenSsl(tmp_path)


GENERATE: dict[Algorithm, tuple[str, ...]] = {
    Algorithm.ES256: ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    Algorithm.ED25519: ("-algorithm", "ED25519"),
    Algorithm.SM2: ("-algorithm", "SM2"),
}
