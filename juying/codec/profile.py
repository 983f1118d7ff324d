"""Profiles, read from TOML files.

Everything that knows the layout of a card is derived from its profile: codec, virtual card, writer, trace
masking, manual and JSON schema (``Profile.model_json_schema()``).

Loading is strict: an unknown key, a wrong type, a rule that names an unknown key, a gap in the record numbers or
a record without a vector is a `ProfileError` that names file, line and the nearest known key. A profile with
``extends`` takes over the applications, files and records of another and patches those of the same name, file
identifier or tag.
"""

import functools
import re
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from juying.codec.spec import Application, File, FileKind, Item, Key, Profile, Record, Spec, Vector, nearest
from juying.errors import ProfileError
from juying.text import Text

__all__ = [
    "Application",
    "File",
    "FileKind",
    "Item",
    "Key",
    "Profile",
    "Record",
    "load_profile",
    "profile_names",
]


def profile_names() -> tuple[str, ...]:
    """The names of the profiles that come with juying."""
    return tuple(sorted(entry.name[:-5] for entry in _folder().iterdir() if entry.name.endswith(".toml")))


@functools.cache
def load_profile(name: str | Path) -> Profile:
    """Load a profile by name (``ssc-v1``, ``ssc-v2``, ``ssc-v3``) or from a ``.toml`` file.

    Raises `ProfileError` with file and line for anything that the format does not allow.
    """
    text, place = _read(name)
    data = _merged(text, place)
    try:
        return Profile.model_validate(_inherit(data))
    except ValidationError as error:
        raise _explain(error, data, text, place) from None


def _folder() -> Any:
    return resources.files("juying.codec") / "profiles"


def _read(name: str | Path) -> tuple[str, str]:
    path = Path(name)
    try:
        if path.suffix == ".toml":
            return path.read_text("utf-8"), str(path)
        return (_folder() / f"{name}.toml").read_text("utf-8"), f"{name}.toml"
    except (OSError, UnicodeDecodeError):
        near = nearest(str(name), profile_names())
        raise ProfileError(
            f"没有这个卡规格，或文件无法读取{near}",
            f"there is no such profile, or the file cannot be read{near}",
            where=str(name),
        ) from None


def _merged(text: str, place: str, depth: int = 0) -> dict[str, Any]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"{place}:{line[1]}" if line else place
        raise ProfileError("不是有效的 TOML 文件", f"not a valid TOML file: {error}", where=where) from None
    base = data.pop("extends", None)
    if base is None:
        return data
    if depth == 4 or not isinstance(base, str):
        where = f"{place}:{_line(text, 'extends')}"
        raise ProfileError("extends 嵌套过深或不是文本", "extends is nested too deep or not a text", where=where)
    if base.endswith(".toml"):
        base = str(Path(place).parent / base)
    return _patch(_merged(*_read(base), depth + 1), data)


_IDENTITY = {"application": "name", "file": "fid", "records": "tag", "keys": "name"}


def _patch(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in change.items():
        identity = _IDENTITY.get(key)
        if not identity or not _is_tables(value) or not _is_tables(base.get(key)):
            result[key] = value
            continue
        entries = {entry.get(identity): entry for entry in base[key]}
        for entry in value:
            name = entry.get(identity)
            entries[name] = _patch(entries[name], entry) if name in entries else entry
        result[key] = list(entries.values())
    return result


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _inherit(data: dict[str, Any]) -> dict[str, Any]:
    """Give each file the name of its application, and each record the source and rules of its file."""

    def record_of(record: Any, parent: dict[str, Any]) -> Any:
        if not isinstance(record, dict):
            return record
        inherited: dict[str, Any] = {key: parent[key] for key in ("source", "read", "write") if key in parent}
        full = inherited | record
        if isinstance(record.get("parts"), list):
            full["parts"] = [record_of(part, full) for part in record["parts"]]
        return full

    def file_of(file: Any, application: dict[str, Any]) -> Any:
        if not isinstance(file, dict):
            return file
        full = {"source": application.get("source"), **file, "application": application.get("name")}
        if isinstance(file.get("records"), list):
            full["records"] = [record_of(record, full) for record in file["records"]]
        return full

    applications = data.get("application")
    if not _is_tables(applications):
        return data
    return {
        **data,
        "application": [
            {**entry, "file": [file_of(file, entry) for file in entry["file"]]}
            if isinstance(entry.get("file"), list)
            else entry
            for entry in applications or ()
        ],
    }


def _explain(error: ValidationError, data: dict[str, Any], text: str, place: str) -> ProfileError:
    """The first finding, with the line on which it stands and the nearest known key."""
    findings = error.errors(include_url=False, include_input=False)
    # A mistyped key is also a missing one: tell the cause, not the consequence.
    first = min(findings, key=lambda finding: finding["type"] != "extra_forbidden")
    path = first["loc"]
    marks: list[str] = []
    node: Any = data
    for step in path:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(node, dict):
            marks += [rf'{name} *= *"{node[name]}"' for name in ("name", "fid", "tag") if name in node][:1]
    key = str(path[-1])
    token = first.get("ctx", {}).get("token")
    line = _line(text, *marks, re.escape(token) if token else rf"\b{re.escape(key)} *=")
    where = f"{place}:{line}"
    names = [str(step) for step in path if not isinstance(step, int)]
    if first["type"] == "extra_forbidden":
        near = nearest(key, _known_keys(names[:-1]))
        return ProfileError(f"未知的键 {key}{near}", f"unknown key {key}{near}", where=where)
    what, problem = ".".join(names), first["msg"].removeprefix("Value error, ")
    return ProfileError(f"{what} 无效：{problem}", f"{what} is not valid: {problem}", where=where)


_SPECS: dict[str, type[Spec]] = {
    "application": Application,
    "file": File,
    "records": Record,
    "parts": Record,
    "keys": Key,
    "vectors": Vector,
}


def _known_keys(path: Sequence[str]) -> list[str]:
    if path and path[-1] in ("title", "note"):
        return list(Text._fields)
    spec = _SPECS[path[-1]] if path else Profile
    return [field.alias or name for name, field in spec.model_fields.items()]


def _line(text: str, *patterns: str) -> int:
    """Line of the last pattern that is found when the patterns are searched one after the other."""
    position = 0
    for pattern in patterns:
        match = re.compile(pattern).search(text, position)
        if match:
            position = match.start()
    return text.count("\n", 0, position) + 1
