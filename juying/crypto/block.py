"""The two block ciphers of social security cards, 3DES with two keys (NIST SP 800-67) and SM4 (GB/T 32907-2016).

`cryptography` does the arithmetic. Keys are 16 bytes for both; single DES exists only inside MACs and session
keys of the 3DES generations, and is 3DES with the same key three times.

Making a cipher context costs far more than a block does. Who uses one key often keeps a `BlockKey`; the functions
make one for a single use.
"""

import threading
from enum import StrEnum
from typing import Any, Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import ciphers
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, CipherContext, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from juying.errors import DecodeError, InputError

KEY_LENGTH: Final = 16
"""Bytes of every card key and every key above it."""

_ECB: Final = modes.ECB()  # noqa: S305 - the cards of the standard do it so: single blocks, and keys under keys


class Cipher(StrEnum):
    """A block cipher, by the name that profiles give it."""

    TDES = "3des"
    SM4 = "sm4"

    @property
    def block(self) -> int:
        """Bytes of a block: 8 or 16."""
        return 8 if self is Cipher.TDES else 16

    @property
    def code(self) -> int:
        """Number of the algorithm in the strings of the terminal interface (observed): 01 or 03."""
        return 0x01 if self is Cipher.TDES else 0x03


class BlockKey:
    """A block cipher under one key, ready to be used again and again, by several threads.

    The key is never shown. `wipe` overwrites it; the context that OpenSSL holds is cleared by OpenSSL then.
    """

    __slots__ = ("_chain", "_encryptor", "_key", "_last", "_lock", "algorithm", "cipher")

    def __init__(self, cipher: Cipher, key: bytes | bytearray) -> None:
        """Take a copy of ``key`` (16 bytes). Raises `InputError` for another length."""
        check_length(key, KEY_LENGTH)
        self.cipher = cipher
        self._key = bytearray(key)
        if cipher is Cipher.TDES:
            self._key += key[:8]
        self.algorithm = _algorithm(cipher, self._key)
        self._encryptor: CipherContext | None = None
        self._chain: CipherContext | None = None
        self._last = 0
        self._lock = threading.Lock()

    @classmethod
    def single_des(cls, key: bytes | bytearray) -> "BlockKey":
        """Single DES under ``key`` (8 bytes): 3DES with three equal keys is the same."""
        check_length(key, 8)
        return cls(Cipher.TDES, bytes(key) * 2)

    def __repr__(self) -> str:
        """The cipher; not the key."""
        return f"BlockKey({self.cipher.value!r})"

    def encrypt(self, data: bytes) -> bytes:
        """Encipher whole blocks, each by itself (ECB). Raises `InputError` when there is a part of a block."""
        check_blocks(data, self.cipher.block)
        with self._lock:  # whole blocks only, so nothing stays behind in the context
            if self._encryptor is None:
                self._encryptor = ciphers.Cipher(self.algorithm, _ECB).encryptor()
            return self._encryptor.update(data)

    def decrypt(self, data: bytes) -> bytes:
        """Decipher whole blocks, each by itself (ECB). Raises `InputError` when there is a part of a block."""
        check_blocks(data, self.cipher.block)
        return ciphers.Cipher(self.algorithm, _ECB).decryptor().update(data)

    def encrypt_chained(self, data: bytes, iv: bytes) -> bytes:
        """Encipher whole blocks in CBC mode; ``iv`` has one block. Raises `InputError`."""
        check_blocks(data, self.cipher.block)
        check_length(iv, self.cipher.block)
        if not data:
            return b""
        block = self.cipher.block
        with self._lock:
            if self._chain is None:
                self._chain, self._last = ciphers.Cipher(self.algorithm, modes.CBC(bytes(block))).encryptor(), 0
            # the context goes on from its last block; taking that out again starts a new chain without a new context
            first = int.from_bytes(data[:block]) ^ int.from_bytes(iv) ^ self._last
            result = self._chain.update(first.to_bytes(block) + data[block:])
            self._last = int.from_bytes(result[-block:])
        return result

    def wipe(self) -> None:
        """Overwrite the key; what is enciphered from now on is worthless."""
        with self._lock:
            self._encryptor = self._chain = None
            self._key[:] = bytes(len(self._key))


def _algorithm(cipher: Cipher, key: Any) -> BlockCipherAlgorithm:
    """The library's key object; it keeps the very bytearray, which its annotations do not foresee."""
    return TripleDES(key) if cipher is Cipher.TDES else SM4(key)


def encrypt_ecb(cipher: Cipher, key: bytes | bytearray, data: bytes) -> bytes:
    """Encipher whole blocks, each by itself; ``key`` has 16 bytes. Raises `InputError` for other lengths."""
    return BlockKey(cipher, key).encrypt(data)


def decrypt_ecb(cipher: Cipher, key: bytes | bytearray, data: bytes) -> bytes:
    """Decipher whole blocks, each by itself; ``key`` has 16 bytes. Raises `InputError` for other lengths."""
    return BlockKey(cipher, key).decrypt(data)


def encrypt_cbc(cipher: Cipher, key: bytes | bytearray, data: bytes, iv: bytes) -> bytes:
    """Encipher whole blocks in CBC mode; ``iv`` has one block, ``key`` 16 bytes. Raises `InputError`."""
    return BlockKey(cipher, key).encrypt_chained(data, iv)


def des(key: bytes | bytearray, data: bytes) -> bytes:
    """Encipher whole blocks of 8 bytes with single DES under ``key`` (8 bytes). Raises `InputError`."""
    return BlockKey.single_des(key).encrypt(data)


def pad(data: bytes, block: int) -> bytes:
    """``data``, then 80, then 00 up to a whole block; always something (ISO/IEC 9797-1, padding method 2)."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block)


def unpad(data: bytes) -> bytes:
    """What `pad` was given. Raises `DecodeError` when the end is not 80 00 …"""
    plain = data.rstrip(b"\x00")
    if plain[-1:] != b"\x80":
        raise DecodeError("解密后的填充不正确：密钥不对或数据已损坏", "wrong padding: another key, or damaged data")
    return plain[:-1]


def check_value(cipher: Cipher, key: bytes | bytearray) -> bytes:
    """The check value by which people compare keys: 3 bytes, the head of an enciphered block of zeros."""
    return encrypt_ecb(cipher, key, bytes(cipher.block))[:3]


def check_length(data: bytes | bytearray, length: int) -> None:
    """Raise `InputError` unless ``data``, a key, a factor, a challenge or an initial value, has ``length`` bytes."""
    if len(data) != length:
        raise InputError(
            f"密钥、因子、随机数或初始向量应为 {length} 字节，实为 {len(data)} 字节",
            f"a key, factor, challenge or initial value has {length} bytes here, not {len(data)}",
        )


def check_blocks(data: bytes, block: int) -> None:
    """Raise `InputError` unless ``data`` is a whole number of blocks."""
    if len(data) % block:
        raise InputError(
            f"数据长度 {len(data)} 不是分组长度 {block} 的整数倍",
            f"{len(data)} bytes are no whole number of blocks of {block} bytes",
        )
