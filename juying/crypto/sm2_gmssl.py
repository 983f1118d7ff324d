"""The SM2 backend: `gmssl-pyx`, the C library GmSSL for Python. Imported only when an SM2 key is used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Lock

from juying.errors import KeyUseError

_STDERR = 2

# Two threads must not take each other's turned-away descriptor for the real one, and no child process may be born
# with it.
_turned_away = Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_turned_away.acquire, after_in_parent=_turned_away.release, after_in_child=_turned_away.release
    )


class Gmssl:
    """GmSSL behind `juying.crypto.sm2.Backend`."""

    __slots__ = ("_failure", "_generate", "_sign", "_verify")

    def __init__(self) -> None:
        """Raises ImportError when `gmssl-pyx` is not installed."""
        library = import_module("gmssl_pyx")
        self._generate = library.sm2_key_generate
        self._sign = library.sm2_sign_sm3_digest
        self._verify = library.sm2_verify_sm3_digest
        self._failure: type[Exception] = library.GmsslInnerError

    def generate(self) -> tuple[bytes, bytes]:
        """A new secret (32 bytes) and its point (64)."""
        point, secret = self._generate()
        return secret, point

    def sign(self, secret: bytes, digest: bytes) -> bytes:
        """Sign a digest; the signature in DER. Raises KeyUseError when the library cannot."""
        try:
            signature: bytes = self._sign(secret, digest)
        except self._failure:
            raise KeyUseError("SM2 签名失败，私钥不可用", "SM2 cannot sign with this private key") from None
        return signature

    def verify(self, point: bytes, digest: bytes, signature: bytes) -> bool:
        """True when the signature is right."""
        with _quiet():
            try:
                return self._verify(point, digest, signature) is True
            except self._failure:
                return False


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's trace lines from the terminal: GmSSL writes some for every signature that is wrong.

    They come from C, so the descriptor itself has to be turned away. While it is, nothing of ours is lost: the
    library holds Python's lock as long as it computes.
    """
    with _turned_away:
        try:
            kept = os.dup(_STDERR)
        except OSError:  # there is no standard error, as in a program without a console
            yield
            return
        try:
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, _STDERR)
                os.close(nowhere)
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
