"""Message authentication codes of the cards.

======================  ============================================================================================
`des_mac`               single-DES CBC-MAC: session MACs of purses (PBOC)
`retail_mac`            CBC with single DES, the last block with 3DES (ISO/IEC 9797-1 algorithm 3): secure messaging
`sm4_cbc_mac`, `fold`   SM4 CBC-MAC, its four words XORed into one (observed): secure messaging
`cmac`                  CMAC (NIST SP 800-38B), for what is ours
======================  ============================================================================================

All but CMAC pad always with 80 00 … (method 2). Compare MACs with `hmac.compare_digest`.
"""

from cryptography.hazmat.primitives.cmac import CMAC

from juying.crypto.block import BlockKey, Cipher, pad


class MacKey:
    """The MAC of secure messaging under one key, ready to be used again and again."""

    __slots__ = ("_chain", "_key")

    def __init__(self, cipher: Cipher, key: bytes | bytearray) -> None:
        """Take a copy of ``key`` (16 bytes). Raises `InputError` for another length."""
        self._key = BlockKey(cipher, key)
        self._chain = BlockKey.single_des(key[:8]) if cipher is Cipher.TDES else self._key

    def __repr__(self) -> str:
        """The cipher; not the key."""
        return f"MacKey({self._key.cipher.value!r})"

    def whole(self, data: bytes, iv: bytes) -> bytes:
        """One block: the retail MAC (8 bytes) or the SM4 CBC-MAC (16), before anything is cut or folded."""
        return self.whole_padded(pad(data, self._key.cipher.block), iv)

    def whole_padded(self, data: bytes, iv: bytes) -> bytes:
        """`whole` of data that is padded already, at least one block. Raises `InputError` for a part of a block."""
        block = self._key.cipher.block
        if self._chain is self._key:
            return self.state(data, iv)
        state = self.state(data[:-block], iv) or iv
        return self._key.encrypt(_xor(state, data[-block:]))

    def state(self, data: bytes, iv: bytes) -> bytes:
        """What is to be the ``iv`` of the rest when ``data``, whole blocks, are only the head of a long message."""
        return self._chain.encrypt_chained(data, iv)[-self._key.cipher.block :]

    def mac4(self, data: bytes, initial: bytes) -> bytes:
        """See `mac4`."""
        if self._key.cipher is Cipher.SM4:
            return fold(self.whole(data, initial))
        return self.whole(data, initial.ljust(8, b"\x00"))[:4]

    def wipe(self) -> None:
        """Overwrite the key."""
        self._key.wipe()
        self._chain.wipe()


def mac4(cipher: Cipher, key: bytes | bytearray, data: bytes, initial: bytes) -> bytes:
    """The MAC of secure messaging, 4 bytes, under ``key`` (16 bytes).

    ``initial`` is the card's last challenge. 3DES: 4 bytes, filled up with 00 to 8, retail MAC, its first 4 bytes
    (PBOC). SM4: 16 bytes, CBC-MAC, folded (observed). Raises `InputError` for other lengths.
    """
    return MacKey(cipher, key).mac4(data, initial)


def des_mac(key: bytes | bytearray, data: bytes, iv: bytes = bytes(8)) -> bytes:
    """Single-DES CBC-MAC, 8 bytes, under ``key`` (8 bytes). Raises `InputError` for other lengths."""
    return BlockKey.single_des(key).encrypt_chained(pad(data, 8), iv)[-8:]


def retail_mac(key: bytes | bytearray, data: bytes, iv: bytes = bytes(8)) -> bytes:
    """Retail MAC, 8 bytes, under ``key`` (16 bytes). Raises `InputError` for other lengths."""
    return MacKey(Cipher.TDES, key).whole(data, iv)


def sm4_cbc_mac(key: bytes | bytearray, data: bytes, iv: bytes = bytes(16)) -> bytes:
    """SM4 CBC-MAC, 16 bytes, under ``key`` (16 bytes). Raises `InputError` for other lengths."""
    return MacKey(Cipher.SM4, key).whole(data, iv)


def fold(mac: bytes) -> bytes:
    """XOR of the four words of a 16-byte MAC: 4 bytes (observed on third-generation cards)."""
    return _xor(_xor(mac[:4], mac[4:8]), _xor(mac[8:12], mac[12:16]))


def cmac(cipher: Cipher, key: bytes | bytearray, data: bytes) -> bytes:
    """CMAC, one block (8 or 16 bytes), under ``key`` (16 bytes). Raises `InputError` for another length."""
    code = CMAC(BlockKey(cipher, key).algorithm)
    code.update(data)
    return code.finalize()


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(len(left))
