"""The strings that name data: pFileAddr, pWriteData and pCardInfo.

====================== =================================================================================
``SSSEEF05|01|07|$``   file, then tags, each ended by ``|``; the file ended by ``$``; any number of files
``DF01EF15|40:02|$``   the second of several records with tag 40 (Jiangsu)
``DF02EF07:01$``       the newest record of a cyclic file (Jiangsu); ours: ``DF02EF07|01|$``, all: ``DF02EF07|$``
``SSSEEF08|$``         a transparent file; ``|01|$`` and ``|00|`` as well
``卡识别码|卡号|``      which card it must be; empty for any
====================== =================================================================================

The environment has several names: SSSE in the standard, MF (Jiangsu), 3F00 and DDF1 in other programs.
"""

import re
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from juying.terminal.codes import CallError, Code
from juying.text import Text

MAX_ADDRESS = 4096
"""Characters of the longest address that is looked into (our choice)."""
MAX_ITEMS = 512
"""Tags in all files of one call (our choice); a card has some 200 records."""
ENVIRONMENT = "SSSE"
_ALIASES = {"MF": ENVIRONMENT, "3F00": ENVIRONMENT, "DDF1": ENVIRONMENT}
_FILE = re.compile(r"(SSSE|MF|3F00|DDF1|DF[0-9A-F]{2})/?(EF[0-9A-F]{2})(?::([0-9]{1,3}))?", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r"([0-9A-F]{2})(?::([0-9]{1,3}))?", re.ASCII | re.IGNORECASE)
_IDENTIFIER = re.compile(r"[0-9A-F]{24}(?:[0-9A-F]{8})?", re.ASCII | re.IGNORECASE)


class Tag(NamedTuple):
    """One part of a file: ``code`` as two hex digits stand there, and which of several, from 1.

    ``spelling`` is how the caller wrote it; in a cyclic file it is a record number, decimal.
    """

    code: int
    occurrence: int
    spelling: str


@dataclass(frozen=True, slots=True)
class FileAddress:
    """One file of an address: ``spelling`` as the caller wrote it, ``name`` as the profile has it (``SSSEEF05``)."""

    spelling: str
    name: str
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class CardInfo:
    """Which card it must be: ``identifier`` (24 or 32 hex digits, upper case) and ``number``; empty is any."""

    identifier: str = field(default="", repr=False)
    number: str = field(default="", repr=False)


def parse_addresses(text: str) -> tuple[FileAddress, ...]:
    """The files and tags of pFileAddr. Raises `CallError` -14."""
    if len(text) > MAX_ADDRESS:
        raise _bad("地址过长", "the address is too long")
    files = tuple(_file(part) for part in _files(text))
    if sum(len(file.tags) for file in files) > MAX_ITEMS:
        raise _bad("地址中的数据项过多", "the address names too many items")
    return files


def parse_values(text: str, addresses: tuple[FileAddress, ...]) -> tuple[tuple[str, ...], ...]:
    """The values of pWriteData, parallel to the addresses. Raises `CallError` -14 when the shapes differ."""
    parts = _files(text)
    values = []
    for part, address in zip_longest(parts, addresses):
        name, *given = part.removesuffix("|").split("|") if part is not None else ("",)
        if address is None or _base(name) != address.name or len(given) != max(1, len(address.tags)):
            raise _bad("数据与地址的文件或数据项不对应", "data and address do not name the same files and items")
        values.append(tuple(given))
    return tuple(values)


def parse_card_info(text: str) -> CardInfo:
    """What pCardInfo asks for. Raises `CallError` -14, or -20 for what cannot be a card identifier."""
    if not text:
        return CardInfo()
    identifier, *rest = text.split("|")
    if len(rest) != 2 or rest[1] or len(rest[0]) > 9:
        raise _bad("卡信息应为“卡识别码|卡号|”", "card information has the form identifier|number|")
    if identifier and not _IDENTIFIER.fullmatch(identifier):
        raise CallError(Code.IDENTIFIER, Text("应为 32 位十六进制数", "32 hex digits are needed"))
    return CardInfo(identifier.upper(), rest[0])


def _files(text: str) -> list[str]:
    """The parts that ``$`` ends, at least one."""
    *parts, rest = text.split("$")
    if rest or not parts:
        raise _bad("每个文件应以“$”结束", "each file has to end with $")
    return parts


def _file(part: str) -> FileAddress:
    spelling, *tags = part.removesuffix("|").split("|")
    found = _FILE.fullmatch(spelling)
    if found is None or (tags and not part.endswith("|")):
        raise _bad("文件地址格式错误，应如 SSSEEF05|01|$", "a file address has the form SSSEEF05|01|$")
    if found[3] is not None:
        if tags:
            raise _bad("文件地址格式错误", "a record number and tags exclude each other")
        return FileAddress(spelling, _base(spelling), (_numbered(found[3]),))
    return FileAddress(spelling, _base(spelling), tuple(_tag(tag) for tag in tags))


def _base(spelling: str) -> str:
    """The file as the profile calls it; empty for what names none."""
    found = _FILE.fullmatch(spelling)
    if found is None:
        return ""
    application = found[1].upper()
    return _ALIASES.get(application, application) + found[2].upper()


def _tag(spelling: str) -> Tag:
    found = _TAG.fullmatch(spelling)
    if found is None or (found[2] is not None and not int(found[2])):
        raise _bad("数据项标签应为两位十六进制数", "a tag has two hex digits")
    return Tag(int(found[1], 16), int(found[2] or 1), spelling)


def _numbered(digits: str) -> Tag:
    """A record number behind the file, decimal; a cyclic file has no tags."""
    return Tag(0, 1, digits)


def _bad(zh: str, en: str) -> CallError:
    return CallError(Code.PARAMETER, Text(zh, en))
