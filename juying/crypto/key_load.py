"""A key on its way into a card: enciphered under another that the card has already (WRITE KEY).

The block is ``length || header (8) || key (16)``, padded with 80 00 … and enciphered block by block (observed in
personalisation software; the length is that of header and key, 0x18). What the header says is the card's business.
"""

from typing import NamedTuple

from juying.crypto.block import KEY_LENGTH, BlockKey, Cipher, pad, unpad
from juying.errors import DecodeError, InputError

HEADER_LENGTH = 8
BLOCK_LENGTH = 32
"""Bytes of a key block, with both ciphers."""


class LoadedKey(NamedTuple):
    """What a key block holds. Its ``repr`` does not show the key."""

    header: bytes
    key: bytes

    def __repr__(self) -> str:
        """Without the key."""
        return f"LoadedKey(header={self.header.hex()!r})"


def key_block(cipher: Cipher, under: bytes | bytearray, header: bytes, key: bytes | bytearray) -> bytes:
    """``key`` (16 bytes) and its ``header`` (8 bytes) enciphered under ``under`` (16 bytes): 32 bytes.

    Raises `InputError` for other lengths.
    """
    return key_block_with(BlockKey(cipher, under), header, key)


def key_block_with(under: BlockKey, header: bytes, key: bytes | bytearray) -> bytes:
    """`key_block` under a key that is ready for use."""
    if len(header) != HEADER_LENGTH or len(key) != KEY_LENGTH:
        raise InputError(
            f"密钥头应为 {HEADER_LENGTH} 字节，密钥应为 {KEY_LENGTH} 字节",
            f"a key header has {HEADER_LENGTH} bytes and a key {KEY_LENGTH}",
        )
    content = header + key
    return under.encrypt(pad(bytes((len(content),)) + content, under.cipher.block))


def open_key_block(cipher: Cipher, under: bytes | bytearray, block: bytes) -> LoadedKey:
    """Header and key of a `key_block`. Raises `DecodeError` for anything else, a wrong key among them."""
    if len(block) == BLOCK_LENGTH:
        plain = BlockKey(cipher, under).decrypt(block)
        content = plain[1 : 1 + HEADER_LENGTH + KEY_LENGTH]
        if plain[0] == len(content) and unpad(plain) == plain[: 1 + len(content)]:
            return LoadedKey(content[:HEADER_LENGTH], content[HEADER_LENGTH:])
    raise DecodeError("密钥块无法解开：密钥不对或数据已损坏", "not a key block under this key, or a damaged one")
