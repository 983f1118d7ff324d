"""Virtual cards in files: ``*.vcard``, JSON that a person can read.

``{"format": "juying-vcard", "version": 2, "profile": "ssc-v3", "profile_version": "3.00", "historical": "…",
"blocked": false, "locks": {"DF02": "blocked"}, "pin": "123456 6/6", "keys": {"SSSE/MK": "0123… 15/15", …},
"files": {"SSSE/EF05": ["0110…", …], "SSSE/EF08": ["FF…"], …}}``

All bytes are upper-case hex digits. A file holds its records, the newest first if it is cyclic; a transparent one
holds a single record. Behind PIN and keys stand the wrong tries left and those allowed. Images of version 1 had
neither ``locks`` nor PIN and keys; such a card is given the initial PIN and the public demonstration keys.

Such an image contains a person's data and a card's keys in the clear: it is created readable by its owner only.
"""

import functools
import json
import re
from pathlib import Path
from typing import Any

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.memory import (
    IDENTIFIER_TAG,
    ISSUER_FILE,
    Lock,
    Memory,
    Secret,
    factory_keys,
    factory_pin,
    fits,
    issuer_record,
    keys_on_card,
)
from juying.codec.profile import load_profile, profile_names
from juying.codec.security import MAXIMUM_TRIES
from juying.codec.spec import Profile
from juying.codec.tunion.layout import has_transit, with_transit
from juying.crypto.block import KEY_LENGTH
from juying.errors import DecodeError, InputError, ProfileError
from juying.files import write_atomically

FORMAT, VERSION = "juying-vcard", 2
MAX_SIZE = 4 << 20
"""Bytes of the largest image that is read; a full ssc-v3 card needs some 40 000."""
_TYPES: dict[str, type] = {
    "format": str,
    "version": int,
    "profile": str,
    "profile_version": str,
    "historical": str,
    "blocked": bool,
    "files": dict,
}
_VERSIONS = {1: _TYPES, VERSION: _TYPES | {"locks": dict, "pin": str, "keys": dict}}
_SECRET = re.compile(r"([0-9A-F]+) ([0-9]{1,2})/([0-9]{1,2})")
"""Value, tries left, tries allowed."""


def save_card(card: VirtualCard, path: str | Path) -> None:
    """Write the card's memory to ``path`` in one step: after a crash there is the old image or the new one.

    Raises `InputError` when the file cannot be written.
    """
    path, memory = Path(path), card.memory
    document = {
        "format": FORMAT,
        "version": VERSION,
        "profile": card.profile.name,
        "profile_version": card.profile.version,
        "historical": memory.historical.hex().upper(),
        "blocked": memory.blocked,
        "locks": memory.locks,
        "pin": _told(memory.pin),
        "keys": {name: _told(key) for name, key in memory.keys.items()},
        "files": {address: [record.hex().upper() for record in records] for address, records in memory.files.items()},
    }
    write_atomically(path, (json.dumps(document, indent=1) + "\n").encode("ascii"), private=True)


def load_card(path: str | Path, *, profile: Profile | None = None, autosave: bool = False) -> VirtualCard:
    """Read a card from ``path``; with ``autosave`` every change is written back before it is answered.

    The image names a profile that comes with juying; a card of any other needs it as ``profile``. Raises
    `InputError` when the file cannot be read, `DecodeError` when it is no such image, and `ProfileError` when its
    contents belong to another profile. A file that is missing in the image does not exist on the card.
    """
    path = Path(path)
    document = _decode(_read(path), path)
    profile = profile or _named(document["profile"], path)
    if has_transit(document["files"]):
        profile = with_transit(profile)
    if (document["profile"], document["profile_version"]) != (profile.name, profile.version):
        raise ProfileError(
            f"虚拟卡的规格不是 {profile.name} {profile.version}",
            f"the virtual card is not of profile {profile.name} {profile.version}",
            where=str(path),
        )
    card = VirtualCard(profile, _memory(document, profile, path))
    if autosave:
        card.on_change = functools.partial(save_card, card, path)
    return card


def bind(card: VirtualCard, path: str | Path) -> None:
    """Save the card now, and again after every change, before the terminal gets its answer."""
    save_card(card, path)
    card.on_change = functools.partial(save_card, card, path)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise InputError(
            f"无法读取虚拟卡文件：{error.strerror}",
            f"the virtual card cannot be read: {error.strerror}",
            where=str(path),
        ) from None
    if len(content) > MAX_SIZE:
        raise _malformed(path, "文件过大", "the file is too large")
    return content


def _decode(content: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise _malformed(path, "不是有效的 JSON", "not valid JSON") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _malformed(path, "不是虚拟卡文件", "not a virtual card")
    version = document.get("version")
    if type(version) is not int or version not in _VERSIONS:
        raise _malformed(path, f"只支持版本 1 至 {VERSION}", f"only versions 1 to {VERSION} are understood")
    types = _VERSIONS[version]
    if document.keys() != types.keys():
        raise _malformed(path, "缺少键或有未知的键", "keys are missing or unknown")
    for key, kind in types.items():
        if type(document[key]) is not kind:
            raise _malformed(path, f"{key} 的类型不符", f"{key} has the wrong type")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError
    return document


def _named(name: str, path: Path) -> Profile:
    if name not in profile_names():
        raise ProfileError(
            "虚拟卡使用的规格不是随 juying 提供的，请同时给出规格文件",
            "the virtual card uses a profile that does not come with juying; give its profile file too",
            where=str(path),
        )
    return load_profile(name)


def _memory(document: dict[str, Any], profile: Profile, path: Path) -> Memory:
    known = {file.address: file for file in profile.files}
    files: dict[str, list[bytearray]] = {}
    for address, records in document["files"].items():
        if address not in known:
            raise ProfileError(
                "虚拟卡含有规格中没有的文件",
                "the virtual card has a file that its profile does not know",
                where=str(path),
            )
        if not isinstance(records, list):
            raise _malformed(path, f"{address} 不是记录列表", f"{address} is not a list of records")
        files[address] = [bytearray(_bytes(record, path, address)) for record in records]
        if not fits(profile, address, files[address]):
            raise ProfileError(
                f"{address} 的记录与规格不符", f"the records of {address} do not suit the profile", where=str(path)
            )
    missing = [address for address, file in known.items() if not file.optional and address not in files]
    if missing:
        raise ProfileError(f"虚拟卡缺少文件 {missing[0]}", f"the virtual card has no {missing[0]}", where=str(path))
    historical = _bytes(document["historical"], path, "historical")
    if len(historical) != len(profile.historical):
        raise _malformed(path, "historical 长度不符", "historical has the wrong length")
    if document["version"] == 1:
        region = files[ISSUER_FILE][issuer_record(profile, IDENTIFIER_TAG)[0]][2:5].hex()
        if not region.isdigit():
            raise _malformed(path, "卡识别码中没有行政区划", "the card identifier names no region")
        keys, pin, locks = factory_keys(profile, region, historical), factory_pin(profile), {}
    else:
        keys, pin = _keys(document["keys"], profile, path), _pin(document["pin"], profile, path)
        locks = _locks(document["locks"], profile, path)
    return Memory(files, historical, keys=keys, pin=pin, locks=locks, blocked=document["blocked"])


def _keys(entries: dict[str, object], profile: Profile, path: Path) -> dict[str, Secret]:
    if entries.keys() != keys_on_card(profile).keys():
        raise ProfileError(
            "虚拟卡的密钥与规格不符", "the keys of the virtual card do not suit its profile", where=str(path)
        )
    return {name: _secret(entry, KEY_LENGTH, path, f"keys {name}") for name, entry in entries.items()}


def _pin(entry: str, profile: Profile, path: Path) -> Secret:
    pin = _secret(entry, profile.security.pin_digits // 2, path, "pin")
    if not pin.value.hex().isdigit():
        raise _malformed(path, "pin 不是数字", "pin has no digits")
    return pin


def _locks(entries: dict[str, object], profile: Profile, path: Path) -> dict[str, Lock]:
    names = {application.name for application in profile.applications}
    if not entries.keys() <= names or not set(map(str, entries.values())) <= set(Lock):
        raise _malformed(path, "locks 中有未知的应用或状态", "locks names an unknown application or state")
    return {name: Lock(str(lock)) for name, lock in entries.items()}


def _told(secret: Secret) -> str:
    return f"{secret.value.hex().upper()} {secret.tries}/{secret.limit}"


def _secret(entry: object, length: int, path: Path, place: str) -> Secret:
    """A key or PIN; the message does not show it."""
    found = _SECRET.fullmatch(entry) if isinstance(entry, str) else None
    if found is not None and len(found[1]) == 2 * length:
        tries, limit = int(found[2]), int(found[3])
        if tries <= limit and 1 <= limit <= MAXIMUM_TRIES:
            return Secret(bytearray.fromhex(found[1]), tries, limit)
    raise _malformed(path, f"{place} 无效", f"{place} is not valid")


def _bytes(text: object, path: Path, place: str) -> bytes:
    try:
        if isinstance(text, str) and not text.count(" "):
            return bytes.fromhex(text)
    except ValueError:
        pass
    raise _malformed(path, f"{place} 不是十六进制", f"{place} is not hexadecimal")


def _malformed(path: Path, zh: str, en: str) -> DecodeError:
    return DecodeError(f"虚拟卡文件无效：{zh}", f"the virtual card is not valid: {en}", where=str(path))
