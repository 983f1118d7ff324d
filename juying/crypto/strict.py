"""JSON as our key files hold it: nothing but the members that belong there, each of its type."""

import json
from collections.abc import Mapping
from typing import Any


def parse(data: bytes) -> Any:
    """The value of a JSON document; ValueError when it is none, or when a member stands twice."""
    try:
        return json.loads(data, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError from None


def members(value: Any, types: Mapping[str, type]) -> dict[str, Any]:
    """``value`` as an object with exactly these members, of exactly these types; ValueError when it is not."""
    if not isinstance(value, dict) or value.keys() != types.keys():
        raise ValueError
    if any(type(value[name]) is not kind for name, kind in types.items()):
        raise ValueError
    return value


def write(document: object) -> bytes:
    """The one way to write a document: ASCII, no spaces, members in their order."""
    return json.dumps(document, separators=(",", ":")).encode()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
