"""How keys are shown: what is known of them, never the keys."""

from collections.abc import Iterable
from datetime import timedelta, timezone
from typing import Any

from juying.cli.output import console
from juying.crypto.key_set import KeyInfo, KeyKind, KeyState, StoredKey
from juying.text import Text

_CHINA = timezone(timedelta(hours=8))
_USE = {
    KeyKind.TRANSPORT: Text("传输", "transport"),
    KeyKind.ES256: Text("签名", "signing"),
    KeyKind.ED25519: Text("签名", "signing"),
    KeyKind.SM2: Text("签名", "signing"),
}
_CITY, _ROOT, _NONE = Text("卡", "cards"), Text("卡（根密钥）", "cards (root)"), "-"
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
    from rich.table import Table

    table = Table(title=str(title), title_justify="left")
    for heading in ("名称\nname", "用途\nuse", "算法\nkind", "城市\ncity", "版本\nversion"):
        table.add_column(heading, overflow="fold")
    for heading in ("校验值\ncheck value", "状态\nstate", "日期\ndate"):
        table.add_column(heading, overflow="fold")
    for key in keys:
        table.add_row(
            key.name,
            str(_USE.get(key.kind) or (_CITY if key.city else _ROOT)),
            key.kind,
            key.city or _NONE,
            str(key.version),
            key.check_value.hex().upper() or _NONE,
            str(_STATE[key.state]),
            f"{key.created.astimezone(_CHINA):%Y-%m-%d}" if isinstance(key, StoredKey) else _NONE,
        )
    console().print(table)
