"""The layers by which a gateway knows who is asking; which of them a site has, and in which order, is configuration.

There are four, and they have nothing to do with each other: headers of a gateway (two kinds), a signature inside the
envelope, and an envelope around the envelope. None keeps its secret in the configuration file: that names an
environment variable, or the file of a private key whose pass phrase is in one.
"""

import hmac
import secrets
import time
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import Literal

from cryptography.hazmat.primitives.padding import PKCS7

from juying.crypto.block import BlockKey, Cipher
from juying.crypto.sm2 import Sm2PrivateKey, Sm2PublicKey
from juying.errors import DecodeError, InputError
from juying.services.medical.wire import parse, write_json

Document = dict[str, object]


class Layer:
    """One layer; each method leaves things as they are unless a layer has something to do there."""

    __slots__ = ()

    def seal(self, document: Document) -> Document:
        """The request, before it is written."""
        return document

    def headers(self, number: str) -> Mapping[str, str]:
        """Headers for the transaction ``number``."""
        return {}

    def open(self, document: object) -> object:
        """The answer, after it is read. Raises `DecodeError`."""
        return document


def x_tif_signature(timestamp: str, secret: str, nonce: str, *, upper: bool = False) -> str:
    """SHA-256 of ``timestamp + secret + nonce + timestamp`` in hex digits."""
    digest = sha256(f"{timestamp}{secret}{nonce}{timestamp}".encode()).hexdigest()
    return digest.upper() if upper else digest


@dataclass(frozen=True, slots=True, kw_only=True)
class XTif(Layer):
    """Headers ``x-tif-*`` (Guangdong, Inner Mongolia, the national portal). The gateway wants our clock to be right."""

    paasid: str
    secret: str = field(repr=False)
    upper: bool = False
    clock: Callable[[], float] = field(default=time.time, repr=False)
    nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(8), repr=False)

    def headers(self, number: str) -> Mapping[str, str]:
        """Application, time, nonce and signature."""
        timestamp, nonce = str(int(self.clock())), self.nonce()
        return {
            "x-tif-paasid": self.paasid,
            "x-tif-timestamp": timestamp,
            "x-tif-nonce": nonce,
            "x-tif-signature": x_tif_signature(timestamp, self.secret, nonce, upper=self.upper),
        }


def csb_signature(parameters: Mapping[str, str], secret: str) -> str:
    """Base64 of HMAC-SHA1 over ``k=v`` in ASCII order, joined by ``&``."""
    text = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    return b64encode(hmac.digest(secret.encode(), text.encode(), sha1)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Csb(Layer):
    """Headers ``_api_*`` with HMAC-SHA1 (Jiangsu). ``{infno}`` in the name stands for the transaction."""

    api_name: str
    access_key: str
    secret: str = field(repr=False)
    api_version: str = "1.0.0"
    clock: Callable[[], float] = field(default=time.time, repr=False)

    def headers(self, number: str) -> Mapping[str, str]:
        """Interface, time (milliseconds), access key and signature."""
        parameters = {
            "_api_name": self.api_name.replace("{infno}", number),
            "_api_version": self.api_version,
            "_api_timestamp": str(int(self.clock() * 1000)),
            "_api_access_key": self.access_key,
        }
        return {**parameters, "_api_signature": csb_signature(parameters, self.secret)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cainfo(Layer):
    """An SM2 signature in the envelope's ``cainfo``. What it covers differs: the envelope, or the input.

    Clients disagree, so a site says which; the signature is ``r || s`` in Base64, with the usual SM2 identifier.
    """

    key: Sm2PrivateKey = field(repr=False)
    scope: Literal["envelope", "input"] = "envelope"

    def seal(self, document: Document) -> Document:
        """Add ``signtype`` and ``cainfo``."""
        signed = {**document, "signtype": "SM2"}
        if self.scope == "input":
            text = _shown(signed["input"])
        else:
            text = joined({name: value for name, value in signed.items() if name not in ("cainfo", "input")})
        return {**signed, "cainfo": b64encode(self.key.sign(text.encode())).decode()}


def joined(members: Mapping[str, object]) -> str:
    """``k=v`` of the members that are not empty, in ASCII order, joined by ``&``; objects as compact, sorted JSON."""
    return "&".join(f"{name}={_shown(members[name])}" for name in sorted(members) if not _is_empty(members[name]))


def envelope_key(app_id: str, secret: str) -> str:
    """The key of an SM4 envelope, 16 characters, from application and secret; `InputError` for a short application."""
    if len(app_id.encode()) < 16:
        raise InputError("appId 至少 16 个字符", "the appId has at least 16 characters", where="app_id")
    return _encrypt(app_id.encode()[:16], secret.encode()).hex().upper()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEnvelope(Layer):
    """The envelope of mobile payment and e-voucher platforms around ours: SM4 over the data, SM2 over all.

    The SM2 identifier is the secret, as those platforms have it. ``platform_key`` (33 bytes) is theirs: an answer that
    it did not sign is not understood.
    """

    app_id: str
    secret: str = field(repr=False)
    key: Sm2PrivateKey = field(repr=False)
    platform_key: Sm2PublicKey = field(repr=False)
    app_field: str = "appId"
    version: str = "1.0.0"
    upper: bool = True
    clock: Callable[[], float] = field(default=time.time, repr=False)

    def seal(self, document: Document) -> Document:
        """The request as ``encData`` with ``signData``."""
        outer: Document = {
            self.app_field: self.app_id,
            "version": self.version,
            "encType": "SM4",
            "signType": "SM2",
            "timestamp": str(int(self.clock() * 1000)),
        }
        signature = self.key.sign(self._signed({**outer, "data": document}), self.secret.encode())
        data = _encrypt(self._sm4_key(), write_json(document).encode()).hex()
        return {**outer, "encData": data.upper() if self.upper else data, "signData": b64encode(signature).decode()}

    def open(self, document: object) -> object:
        """The data of an answer whose signature is right."""
        if not isinstance(document, dict):
            raise _not_sealed()
        sealed, signature = document.get("encData"), document.get("signData")
        if not isinstance(sealed, str) or not isinstance(signature, str):
            raise _not_sealed()
        try:
            data = parse(_decrypt(self._sm4_key(), bytes.fromhex(sealed)).decode())
            signed = b64decode(signature, validate=True)
        except (DecodeError, ValueError, NotBase64):
            raise _not_sealed() from None
        if not self.platform_key.verify(signed, self._signed({**document, "data": data}), self.secret.encode()):
            raise DecodeError("应答的平台签名无效", "the platform's signature on the answer does not count")
        return data

    def _signed(self, document: Document) -> bytes:
        members = {name: value for name, value in document.items() if name not in ("signData", "encData", "extra")}
        return f"{joined(members)}&key={self.secret}".encode()

    def _sm4_key(self) -> bytes:
        return envelope_key(self.app_id, self.secret).encode()


def _shown(value: object) -> str:
    return value if isinstance(value, str) else write_json(value, sort=True)


def _is_empty(value: object) -> bool:
    return value is None or value in ("", {}, [])


def _encrypt(key: bytes, data: bytes) -> bytes:
    padder = PKCS7(128).padder()
    return BlockKey(Cipher.SM4, key).encrypt(padder.update(data) + padder.finalize())


def _decrypt(key: bytes, data: bytes) -> bytes:
    if not data or len(data) % 16:
        raise ValueError
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(BlockKey(Cipher.SM4, key).decrypt(data)) + unpadder.finalize()


def _not_sealed() -> DecodeError:
    return DecodeError("应答不是本站点的加密信封", "the answer is no sealed envelope for this site")
