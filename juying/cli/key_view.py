"""How keys are shown: what is known of them, never the keys."""

from collections.abc import Iterable
from datetime import timedelta, timezone
from typing import Any

from juying.cli.plain import Cell, print_line, print_rows
from juying.crypto.key_set import KeyInfo, KeyState, StoredKey
from juying.text import Text

_CHINA = timezone(timedelta(hours=8))
_HEADINGS = ("名称 name", "算法 kind", "城市 city", "版本 version", "校验值 check value", "日期 date", "状态 state")
_ROOT, _NONE = "根 root", "-"
_STATE = {KeyState.CURRENT: Text("现用", "current"), KeyState.PREVIOUS: Text("上一版", "previous")}


def key_dict(key: KeyInfo) -> dict[str, Any]:
    """What is known of a key, for JSON."""
    return {
        "name": key.name,
        "kind": key.kind.value,
        "city": key.city or None,
        "version": key.version,
        "state": key.state.value,
        "check_value": key.check_value.hex().upper(),
        "created": key.created.isoformat() if isinstance(key, StoredKey) else None,
    }


def show_keys(keys: Iterable[KeyInfo], title: Text) -> None:
    """Keys as a table."""
    print_line(str(title), "bold")
    print_rows([[Cell(heading, "dim") for heading in _HEADINGS], *(_row(key) for key in keys)])


def _row(key: KeyInfo) -> list[Cell]:
    return [
        Cell(key.name, "bold"),
        Cell(key.kind.value),
        Cell(key.city or (_ROOT if key.kind.is_of_cards else _NONE)),
        Cell(str(key.version)),
        Cell(key.check_value.hex().upper() or _NONE),
        Cell(f"{key.created.astimezone(_CHINA):%Y-%m-%d}" if isinstance(key, StoredKey) else _NONE),
        Cell(str(_STATE[key.state]), "" if key.state is KeyState.CURRENT else "dim"),
    ]
