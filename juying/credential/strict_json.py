"""JSON files that people edit, read without forgiving anything: each mistake is named with its place."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from juying.errors import InputError


def read_bytes(path: Path, *, limit: int) -> bytes:
    """The bytes of a file; raises InputError when it cannot be read or has more than ``limit`` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"文件读不出来（{error.strerror}）", f"the file cannot be read ({error.strerror})") from None
    if len(data) > limit:
        raise InputError(f"文件超过 {limit >> 20} MiB", f"the file is larger than {limit >> 20} MiB")
    return data


def parse(data: bytes) -> object:
    """The value of a JSON document; raises InputError when it is none, or when a member stands twice."""
    try:
        return json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InputError(f"不是有效的 JSON：{error}", f"this is no JSON: {error}") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise InputError(f"成员“{name}”重复", f"the member “{name}” stands twice")
        members[name] = value
    return members


def write(document: object) -> bytes:
    """A document as the bytes of a file."""
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def members(
    value: object, required: Iterable[str], place: str = "", *, optional: Iterable[str] = ()
) -> Mapping[str, Any]:
    """``value`` as an object that has the members ``required``, perhaps some ``optional`` ones, and no other.

    ``place`` says where in the file it stands, empty for the file itself. Raises InputError.
    """
    required = tuple(required)
    names = (*required, *optional)
    at = f"{place}." if place else ""
    if not isinstance(value, dict):
        raise InputError(f"{place or '文件'} 须为对象", f"{place or 'the file'} has to be an object")
    for name in value:
        if name not in names:
            from difflib import get_close_matches  # only when something is wrong

            nearest = get_close_matches(str(name), names, n=1, cutoff=0.0)[0]
            raise InputError(
                f"{at}{name}：未知成员，最接近的是 {nearest}", f"{at}{name}: unknown member, the nearest is {nearest}"
            )
    for name in required:
        if name not in value:
            raise InputError(f"缺少成员 {at}{name}", f"the member {at}{name} is missing")
    return value


def string(value: object, place: str) -> str:
    """``value`` as a string; raises InputError."""
    if not isinstance(value, str):
        raise InputError(f"{place} 须为字符串", f"{place} has to be a string")
    return value
