"""Diversification: a city's key made from a key above it, a card's key made from the city's.

Every step takes a factor of 8 bytes and gives 16 bytes: with 3DES ``3DES(K, f) || 3DES(K, NOT f)`` (PBOC), with
SM4 ``SM4(K, f || NOT f)``. What the factor of a card or of a city is, is a template; the profile names it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from juying.crypto.block import BlockKey, Cipher, check_length
from juying.errors import InputError
from juying.text import Text

FACTOR_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Template:
    """A rule that makes a factor.

    ``source`` is ``observed`` or ``ours``; ``note`` says what is uncertain, if anything is. ``length`` is what the
    rule takes: 13 historical bytes of the ATR, 6 digits of a city, or (0) anything.
    """

    name: str
    title: Text
    source: str
    note: Text | None
    length: int
    factor: Callable[[bytes], bytes] = field(repr=False)


_CONFLICT = Text(
    "公开资料不一致：多数称取复位信息最后 8 字节，另一篇称取 T8 至 TD 共 6 字节后补 0000；以发卡城市为准",
    "public sources disagree: most say the last eight ATR bytes, one says T8 to TD (six bytes) and 0000; ask the city",
)

TEMPLATES = {
    template.name: template
    for template in (
        Template(
            "atr-last-8",
            Text("复位信息历史字节的最后 8 字节（T6–TD）", "the last eight historical bytes of the ATR (T6 to TD)"),
            "observed",
            _CONFLICT,
            13,
            lambda historical: historical[5:],
        ),
        Template(
            "atr-t8-td",
            Text("复位信息 T8–TD，后补 0000", "historical bytes T8 to TD of the ATR, then 0000"),
            "observed",
            _CONFLICT,
            13,
            lambda historical: historical[7:] + b"\x00\x00",
        ),
        Template(
            "city-sx",
            Text("6 位城市代码的 ASCII 字符，后接“sx”", 'six digits of the city in ASCII, then "sx"'),
            "observed",
            Text("仅见于一处公开资料", "one public source only"),
            6,
            lambda digits: digits + b"sx",
        ),
        Template(
            "none",
            Text("不分散", "no diversification"),
            "ours",
            None,
            0,
            lambda _: b"",
        ),
    )
}
"""All templates by name."""


def card_factor(template: str, historical: bytes) -> bytes:
    """The factor of a card: 8 bytes (none: 0 bytes) from the 13 historical bytes of its ATR. Raises `InputError`."""
    return _factor(template, historical)


def city_factor(template: str, city: str) -> bytes:
    """The factor of a city: 8 bytes (none: 0 bytes) from its 6 digits (GB/T 2260). Raises `InputError`.

    >>> city_factor("city-sx", "371700").hex()
    '3337313730307378'
    """
    if not (len(city) == 6 and city.isascii() and city.isdecimal()):
        raise InputError("城市代码应为 6 位数字", "a city is given by 6 digits")
    return _factor(template, city.encode())


def diversify(cipher: Cipher, key: bytes | bytearray, factor: bytes) -> bytes:
    """The key one level below ``key`` (16 bytes) for ``factor``: 16 bytes; ``key`` itself for an empty factor.

    Raises `InputError` for other lengths. The SM4 form is observed for transport cards; for social security cards no
    source gives it.
    """
    if not factor:
        return bytes(key)
    return BlockKey(cipher, key).encrypt(both(factor))


def both(factor: bytes) -> bytes:
    """``f || NOT f``, what a key of the level above enciphers: 16 bytes. Raises `InputError` unless f has 8."""
    check_length(factor, FACTOR_LENGTH)
    return factor + bytes(0xFF ^ byte for byte in factor)


def _factor(name: str, value: bytes) -> bytes:
    template = TEMPLATES.get(name)
    if template is None:
        raise InputError(
            f"没有名为 {name} 的分散因子模板，可用：{'、'.join(TEMPLATES)}",
            f"there is no diversification template {name}; there are {', '.join(TEMPLATES)}",
        )
    if template.length and len(value) != template.length:
        raise InputError(
            f"分散因子模板 {name} 需要 {template.length} 字节，实为 {len(value)} 字节",
            f"the diversification template {name} takes {template.length} bytes, not {len(value)}",
        )
    return template.factor(value)
