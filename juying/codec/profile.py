"""Profiles, read from TOML files.

Everything that knows the layout of a card is derived from its profile: codec, virtual card, writer, trace
masking, manual and JSON schema (``Profile.model_json_schema()`` describes a profile in which everything is written
out, as ``juying profile show --json`` prints it).

Loading is strict: an unknown key, a wrong type, a rule that names an unknown key, a gap in the record numbers or
a record without a vector is a `ProfileError` that names file, line and the nearest known key. A profile with
``extends`` takes over the applications, files and records of another and patches those of the same name, file
identifier or tag. Records take over source and rules of their file, and parts those of their record.
"""

import functools
import re
import tomllib
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from juying.codec.spec import Application, File, FileKind, Item, Key, Profile, Record, Security, Spec, Vector, nearest
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

    Raises `ProfileError` with file and line for anything that the format does not allow. Test vectors are checked by
    `Profile.check_vectors`, not here.
    """
    return _load(name)[1]


def _load(name: str | Path, *, extended_at: str = "", depth: int = 0) -> tuple[dict[str, Any], Profile]:
    """The tables of a profile, with those that it extends, and the profile made from them."""
    text, place = _read(name, extended_at)
    data = _parse(text, place)
    base = data.pop("extends", None)
    if base is not None:
        line = f"{place}:{_line(text, [], '^extends')}"
        if not isinstance(base, str) or depth == _MAX_DEPTH:
            raise ProfileError(
                f"extends 应为规格名称，且不得循环或超过 {_MAX_DEPTH} 层",
                f"extends must name a profile, not in a circle and at most {_MAX_DEPTH} deep",
                where=line,
            )
        base = str(Path(place).parent / base) if base.endswith(".toml") else base
        inherited = _load(base, extended_at=line, depth=depth + 1)[0]
        del inherited["name"]  # each profile has its own
        data = _patch(inherited, data)
    try:
        return data, Profile.model_validate(_inherit(data))
    except ValidationError as error:
        raise _explain(error, data, text, place) from None


_MAX_DEPTH = 4


def _folder() -> Traversable:
    return resources.files("juying.codec") / "profiles"


def _read(name: str | Path, extended_at: str) -> tuple[str, str]:
    """Text of a profile, and what messages call it."""
    try:
        if str(name).endswith(".toml"):
            return Path(name).read_text("utf-8-sig"), str(name)
        if str(name) in profile_names():
            return (_folder() / f"{name}.toml").read_text("utf-8"), f"{name}.toml"
    except (OSError, ValueError):
        pass
    near = nearest(str(name), profile_names())
    raise ProfileError(
        f"没有 {name} 这个卡规格，或文件无法读取{near}",
        f"there is no profile {name}, or the file cannot be read{near}",
        where=extended_at,
    )


def _parse(text: str, place: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"{place}:{line[1]}" if line else place
        raise ProfileError("不是有效的 TOML 文件", f"not a valid TOML file: {error}", where=where) from None


_PATCHED = {"application": "name", "keys": "name", "file": "fid", "records": "tag"}
"""The lists that a profile patches when it extends another, and by what their entries are told apart."""

_SECURITY = "security"
"""The table that a profile patches key by key when it extends another."""

_IDENTITY = _PATCHED | {"parts": "tag"}


def _patch(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``change``; lists of tables that can be told apart are patched one by one."""
    result = dict(base)
    for key, value in change.items():
        if key == _SECURITY and isinstance(value, dict) and isinstance(base.get(key), dict):
            result[key] = base[key] | value
            continue
        identity = _PATCHED.get(key, "")
        if not (_has_all(base.get(key), identity) and _has_all(value, identity)):
            result[key] = value
            continue
        entries = list(base[key])
        places = {entry[identity]: place for place, entry in enumerate(entries)}
        for entry in value:
            place = places.get(entry[identity])
            if place is None:
                entries.append(entry)
            else:
                entries[place] = _patch(entries[place], entry)
        result[key] = entries
    return result


def _has_all(value: object, identity: str) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict) and isinstance(entry.get(identity), str) for entry in value
    )


_INHERITED: dict[str, dict[str, str]] = {
    "application": {},
    "file": {"source": "source", "name": "application"},
    "records": {"source": "source", "read": "read", "write": "write"},
    "parts": {"source": "source", "read": "read", "write": "write"},
}
"""What the entries of a list take over from the table in which it stands: key there, key in the entry."""


def _inherit(table: dict[str, Any]) -> dict[str, Any]:
    """``table``, in which every entry has what it takes over; what is no table is left to validation."""
    full = dict(table)
    for key, keys in _INHERITED.items():
        entries = table.get(key)
        if isinstance(entries, list):
            taken = {keys[name]: table[name] for name in keys if name in table}
            full[key] = [_inherit(taken | entry) if isinstance(entry, dict) else entry for entry in entries]
    return full


_SPECS: dict[str, type[Spec]] = {
    "application": Application,
    "file": File,
    "records": Record,
    "parts": Record,
    "keys": Key,
    "security": Security,
    "vectors": Vector,
}

_PROBLEMS = {
    "missing": Text("缺少这个键", "the key is missing"),
    "string_type": Text("应为文本", "a text is needed"),
    "int_type": Text("应为整数", "a whole number is needed"),
    "bool_type": Text("应为 true 或 false", "true or false is needed"),
    "tuple_type": Text("应为数组", "an array is needed"),
    "model_type": Text("应为表", "a table is needed"),
    "named_tuple_type": Text("应为含 zh 和 en 的表", "a table of zh and en is needed"),
    "string_pattern_mismatch": Text(
        "应为 free、never、debit，或由 or、and 之一连接的 pin 和 key:名称",
        "it must be free, never, debit, or pin and key:NAME joined by one of or, and",
    ),
}


def _explain(error: ValidationError, data: dict[str, Any], text: str, file: str) -> ProfileError:
    """The first finding, with the line on which it stands and the nearest known key."""
    findings = error.errors(include_url=False, include_input=False)
    # A mistyped key is also a missing one: tell the cause, not the consequence.
    first = min(findings, key=lambda finding: {"extra_forbidden": 0, "missing": 2}.get(finding["type"], 1))
    kind, path, context = first["type"], first["loc"], first.get("ctx", {})
    names = [step for step in path if isinstance(step, str)]
    key = names[-1] if names and path[-1] == names[-1] else ""
    marks = _marks(path, data)
    place = [value for _, value in marks]
    in_security = len(names) > 1 and names[0] == _SECURITY
    if in_security:
        place.append(_SECURITY)
    if kind == "extra_forbidden":
        near = nearest(key, _known_keys(names[:-1]))
        problem = Text(f"未知的键 {key}{near}", f"unknown key {key}{near}")
    elif kind == "profile":
        problem = Text(context["zh"], context["en"])
        place.append(key)
    else:
        allowed = context.get("expected")
        other = Text(f"只能是 {allowed}", f"it must be {allowed}") if allowed else Text("值不符合格式", first["msg"])
        problem = _PROBLEMS.get(kind, other)
        place.append(names[-1])
    patterns = [context.get("find", "")]
    if kind != "missing" and key:
        start = rf"\b{re.escape(key)} *= *"
        patterns += [rf"{start}[\"']?{re.escape(str(_node(data, path)))}", start]
    line = _line(text, marks, *patterns, table=f"[{_SECURITY}]" if in_security else "")
    subject = " ".join(filter(None, place)) or str(data.get("name"))
    return ProfileError(f"{subject}：{problem.zh}", f"{subject}: {problem.en}", where=f"{file}:{line}")


def _marks(path: Sequence[int | str], data: dict[str, Any]) -> list[tuple[str, str]]:
    """Key and value that tell each entry on the way to ``path`` from its like."""
    marks: list[tuple[str, str]] = []
    for end, step in enumerate(path):
        identity = _IDENTITY.get(str(step), "")
        entry = _node(data, path[: end + 2])
        if isinstance(entry, dict) and isinstance(entry.get(identity), str):
            marks.append((identity, entry[identity]))
    return marks


def _node(data: Any, path: Sequence[int | str]) -> Any:
    """What stands at ``path``, or None."""
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return None
    return data


def _known_keys(path: Sequence[str]) -> list[str]:
    if path and path[-1] in ("title", "note"):
        return list(Text._fields)
    spec = _SPECS[path[-1]] if path else Profile
    return [field.alias or name for name, field in spec.model_fields.items()]


def _line(text: str, marks: Sequence[tuple[str, str]], *patterns: str, table: str = "") -> int:
    """Line of the first of ``patterns`` found in the entry to which ``marks`` lead, or else of that entry.

    ``table`` is the header behind which the entry stands.
    """
    position = start = max(text.find(table), 0)
    end = len(text)
    for name, value in marks:
        if found := re.compile(rf"\b{name} *= *[\"']{re.escape(value)}[\"']").search(text, start):
            position = found.start()
            line = text.rfind("\n", 0, position) + 1
            before, inline, _ = text[line:position].partition("{")
            # An entry is an inline table, or else stands under its own header.
            if inline:
                start, last = line, rf"^(\]|{re.escape(before)}\{{)"
            else:
                start, last = text.rfind("\n[", 0, position) + 1, r"^\[\[" if name == "fid" else r"^\[\[application\]"
            after = re.compile(last, re.MULTILINE).search(text, position)
            end = after.start() if after else len(text)
    for pattern in filter(None, patterns):
        if found := re.compile(pattern, re.MULTILINE).search(text, start, end):
            position = found.start()
            break
    return text.count("\n", 0, position) + 1
