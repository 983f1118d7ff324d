"""How trust lists and their keys are shown."""

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from juying.cli.output import DEMONSTRATION, console, print_fields, print_json
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from juying.credential.trust import TrustedKey, TrustList
    from juying.credential.trust_root import Root

PRIVATE, PUBLIC = Text("私钥", "private key"), Text("公钥", "public half")
ALGORITHM, FINGERPRINT = Text("算法", "algorithm"), Text("指纹", "fingerprint")
STORE = Text("信任库", "trust store")
_CHINA = timezone(timedelta(hours=8))  # where the days of these keys begin and end
SIGNATURE = {
    None: Text("无", "none"),
    True: Text("已验证", "verified"),
    False: Text("未验证，请用 --root 给出根公钥", "not checked: name the root key with --root"),
}


def report(fields: dict[str, tuple[Text, str]], *, as_json: bool) -> None:
    """What a command made, as a document or as a table."""
    if as_json:
        print_json({name: value for name, (_, value) in fields.items()})
        return
    print_fields(
        Text("完成", "done"),
        [(title, grouped(value) if title is FINGERPRINT else value) for title, value in fields.values()],
    )


def show_root(root: "Root") -> None:
    """A root key as a table."""
    print_fields(
        Text("根密钥", "root key"),
        (
            (Text("名称", "name"), str(root.name)),
            (ALGORITHM, root.key.algorithm.name),
            (FINGERPRINT, grouped(root.fingerprint)),
        ),
    )


def root_dict(root: "Root") -> dict[str, Any]:
    """A root key for JSON."""
    return {**root.to_dict(), "fingerprint": root.fingerprint}


def key_dict(key: "TrustedKey") -> dict[str, Any]:
    """An issuing key for JSON."""
    return {**key.to_dict(), "fingerprint": key.fingerprint, "state": str(key.state(datetime.now(UTC)))}


def list_dict(trust: "TrustList") -> dict[str, Any]:
    """A list for JSON."""
    edition = trust.edition
    return {
        "signed_by": trust.root.fingerprint if trust.root else None,
        "edition": {
            "number": edition.number,
            "issued_at": edition.issued_at.isoformat(),
            "next_update": edition.next_update.isoformat(),
            "overdue_days": trust.overdue(datetime.now(UTC)).days,
        }
        if edition
        else None,
        "keys": [key_dict(key) for key in trust],
    }


def show_list(trust: "TrustList", signature: Text) -> None:
    """A list as a table of its own and one of its keys."""
    fields: list[tuple[Text, Text | str]] = [(Text("签名", "signature"), signature)]
    if trust.root:
        fields += [(Text("根密钥", "root key"), str(trust.root.name)), (FINGERPRINT, grouped(trust.root.fingerprint))]
    if trust.edition:
        overdue = trust.overdue(datetime.now(UTC))
        fields += [
            (Text("版本", "edition"), str(trust.edition.number)),
            (Text("签发时间", "issued"), _minute(trust.edition.issued_at)),
            (Text("下一版", "next update"), _minute(trust.edition.next_update)),
        ]
        if overdue:
            fields.append((Text("逾期", "overdue"), Text(f"{overdue.days} 天", f"{overdue.days} day(s)")))
    print_fields(Text("信任列表", "trust list"), fields)
    show_keys(trust)


def show_keys(keys: "Iterable[TrustedKey]") -> None:
    """Issuing keys as a table."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="签发密钥 / issuing keys", title_justify="left")
    for heading in (
        "kid",
        "签发机关\nissuer",
        "地区\nregion",
        "算法\nalgorithm",
        "签发期\nsigns",
        "可验证至\nverified until",
    ):
        table.add_column(heading, overflow="fold")
    for heading in ("类别\nclasses", "用途\nuse", "状态\nstate", "指纹\nfingerprint"):
        table.add_column(heading, overflow="fold")
    from juying.credential.trusted_key import LAST

    now = datetime.now(UTC)
    for key in keys:
        state = key.state(now).text
        table.add_row(
            key.kid.hex(),
            escape("\n".join(key.issuer)),
            key.region or "-",
            key.key.algorithm.name,
            f"{_day(key.not_before)}\n{_day(key.not_after)}",
            _day(key.verify_until) if key.verify_until != LAST else "-",
            "".join(sorted(key.categories)),
            "\n".join(str(use.text) for use in sorted(key.use)),
            f"{state}\n{DEMONSTRATION}" if key.demonstration else str(state),
            grouped(key.fingerprint),
        )
    console().print(table)


def grouped(fingerprint: str) -> str:
    """A fingerprint in groups that people can read to each other."""
    return " ".join(fingerprint[at : at + 8] for at in range(0, len(fingerprint), 8))


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(_CHINA):%Y-%m-%d}"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(_CHINA):%Y-%m-%d %H:%M %Z}"
