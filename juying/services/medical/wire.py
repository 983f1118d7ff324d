"""JSON as the platform and its gateways speak it: numbers exact, bytes in UTF-8 or GBK, nothing without bounds.

Java on the other side writes amounts as numbers, so they are read and written as decimals and never pass through a
binary fraction. Error texts arrive in GBK from some front-end machines (observed), whatever the header says.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NoReturn

from juying.errors import DecodeError

MAX_BODY = 4 << 20
"""Bytes of an answer; the interface allows 40 000 characters of output, uploads of long bills get more."""


def read_json(body: bytes) -> object:
    """The value of a JSON text with every number as `Decimal`.

    Raises `DecodeError` when it is none, when a member stands twice, and for more than `MAX_BODY` bytes.
    """
    if len(body) > MAX_BODY:
        raise DecodeError("应答过长", "the answer is too long")
    return parse(_text(body))


def parse(text: str) -> object:
    """As `read_json`, of a text."""
    try:
        return json.loads(
            text, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number, object_pairs_hook=_unique
        )
    except DecodeError:
        raise
    except (ValueError, ArithmeticError, RecursionError):  # the library's words would repeat a piece of the answer
        raise DecodeError("应答不是有效的 JSON", "the answer is no JSON") from None


def write_json(value: object, *, sort: bool = False) -> str:
    """A JSON text without spaces; decimals become numbers, digit by digit. ``sort``: members by name (ASCII)."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        members = sorted(value.items()) if sort else value.items()
        return "{" + ",".join(f"{write_json(name)}:{write_json(member, sort=sort)}" for name, member in members) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(write_json(item, sort=sort) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def amounts_as_text(value: object) -> object:
    """The same with every number as text, for gateways that would read it as a binary fraction."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {name: amounts_as_text(member) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [amounts_as_text(item) for item in value]
    return value


def _text(body: bytes) -> str:
    """UTF-8 first: text in GBK is hardly ever valid UTF-8 by chance."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DecodeError("应答既不是 UTF-8 也不是 GBK 文本", "the answer is text neither in UTF-8 nor in GBK")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DecodeError("应答中有重复的成员", "a member of the answer stands twice")
    return members


def _no_number(_: str) -> NoReturn:
    raise DecodeError("应答中有不是数的数值", "the answer has a number that is none")
