"""``juying ledger``: the ledger as a whole: made, looked at, upgraded, backed up, restored, and its key."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli import ledger_persons, ledger_verify
from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore, open_keys
from juying.cli.ledger_options import Ledger, acting, ledger_address, open_ledger
from juying.cli.options import Json
from juying.cli.output import Exit, print_fields, print_json, print_text, tell
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from juying.crypto.keys import Keys
    from juying.ledger.backup import Manifest
    from juying.ledger.ledger import Ledger as OpenLedger

app = Commands("台账：新建、备份、恢复、密钥、个人信息 / the ledger: make, back up, restore, its key, personal data")
UNPROTECTED = Text(
    "台账用公开的演示密钥加密：拿到文件的人都能读出其中的个人信息",
    "the ledger is sealed with the public demonstration keys: whoever has the file can read the personal data in it",
)


@app.command()
def init(
    region: Annotated[
        str, typer.Option("--region", metavar="CODE", help="所在城市，六位数字 / city of the office, six digits")
    ],
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """新建台账，已有的不变 / make a ledger; one that is there stays as it is."""
    from juying.ledger import migrations

    address = ledger_address(ledger)
    there = migrations.revision_of(address) is not None
    with open_keys(keys) as held, open_ledger(ledger, held, make=True, region=region) as opened:
        if opened.region != region:
            raise InputError(
                f"这里已有城市 {opened.region} 的台账", f"here is a ledger of city {opened.region}", where=opened.where
            )
        _warn(held)
        if json:
            print_json({"ledger": opened.where, "name": opened.name, "region": opened.region, "made": not there})
        elif there:
            print_text(f"台账已有，未作改动 / the ledger is there already, nothing was changed: {opened.where}")
        else:
            print_text(f"已新建台账 / a new ledger: {opened.where}")
    return Exit.DONE


@app.command()
def info(ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """台账是哪一个、有多少记录、密钥和备份 / which ledger this is, what it holds, its key and last back-up."""
    with open_keys(keys) as held, open_ledger(ledger, held) as opened:
        acting(opened)
        _warn(held)
        document = _info(opened, held)
    if json:
        print_json(document)
    else:
        _show(document)
    return Exit.DONE


@app.command()
def upgrade(ledger: Ledger = None, json: Json = False) -> int:
    """升级台账的表，SQLite 文件先复制 / bring an older ledger up to this program; an SQLite file is copied first."""
    from juying.ledger import migrations

    done = migrations.upgrade_database(ledger_address(ledger))
    if json:
        copy = None if done.copy is None else str(done.copy)
        print_json({"before": done.before, "after": done.after, "copy": copy})
    elif done.before == done.after:
        print_text(f"已是最新版本 / this is the newest revision: {done.after}")
    else:
        print_text(f"已升级 / upgraded: {done.before} → {done.after}")
        if done.copy is not None:
            tell(
                Text(f"升级前的副本在 {done.copy}，确认无误后请删除", f"as it was before: {done.copy}; delete it later")
            )
    return Exit.DONE


@app.command()
def backup(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="新的备份文件 / the new back-up file")],
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """备份，工位可照常工作 / back the ledger up while stations go on working."""
    from juying.ledger.backup import back_up

    with open_keys(keys) as held, open_ledger(ledger, held) as opened:
        manifest = back_up(opened, acting(opened), out)
        _warn(held)
    _report(manifest, out, Text("已备份并读回核对", "backed up, and read back"), as_json=json)
    return Exit.DONE


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="备份文件 / the back-up file")],
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """恢复到空的地方，核对全部内容 / restore into an empty place, and check everything."""
    from juying.ledger.backup import restore as restore_from

    address = ledger_address(ledger)
    with open_keys(keys) as held:
        manifest = restore_from(source, address, held)
    _report(manifest, source, Text("已恢复，链完整", "restored, and the chain is whole"), as_json=json)
    if not json:
        tell(
            Text(
                "备份之后办理的不在其中：请核对已发出的卡，新卡号请用新的前缀",
                "what happened after the back-up is not in it: look for cards issued since, and use a new prefix for "
                "new card numbers",
            )
        )
    return Exit.DONE


@app.command()
def rekey(ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """台账密钥轮换后重新封装数据密钥，须两人 / seal the data key under a rotated ledger key; takes two persons."""
    from juying.crypto.keys import DemonstrationKeys
    from juying.ledger.privacy import rekey as seal_anew

    with open_keys(keys) as named, open_ledger(ledger, named) as opened:
        done = seal_anew(opened, acting(opened), named or DemonstrationKeys())
    if json:
        print_json({"rekeyed": done})
    elif done:
        print_text("已用现用台账密钥重新封装 / sealed anew under the current ledger key")
    else:
        print_text("已是现用台账密钥，未作改动 / it is under the current ledger key; nothing was changed")
    return Exit.DONE


def _warn(keys: "Keys | None") -> None:
    from juying.crypto.keys import DemonstrationKeys

    if keys is None or isinstance(keys, DemonstrationKeys):
        tell(UNPROTECTED)


def _info(opened: "OpenLedger", named: "Keys | None") -> dict[str, Any]:
    from juying.crypto.keys import DemonstrationKeys
    from juying.ledger.privacy import is_under_current_key, used_key
    from juying.ledger.summary import summary

    keys = named or DemonstrationKeys()
    with opened.reading() as db:
        found = summary(db, opened.clock())
        key = used_key(db)
    current = is_under_current_key(opened, keys)
    return {
        "ledger": opened.where,
        "name": opened.name,
        "region": opened.region,
        "database": opened.engine.dialect.name,
        "revision": found.revision,
        "made_at": found.made_at.isoformat(timespec="seconds"),
        "head": str(found.head),
        "key": {
            "name": key.name,
            "kind": key.cipher.value,
            "current": current,
            "check_value": keys.check_value(key).hex().upper() if current else None,
            "demonstration": isinstance(keys, DemonstrationKeys),
        },
        "last_backup": found.last_backup.isoformat(timespec="seconds") if found.last_backup else None,
        "retention_days": found.retention.days,
        "due": found.due,
        "operators": found.operators,
        "counts": found.counts,
    }


def _show(document: dict[str, Any]) -> None:
    key = document["key"]
    version = (
        Text(f"{key['kind']}，校验值 {key['check_value']}", f"{key['kind']}, check value {key['check_value']}")
        if key["current"]
        else Text("上一版，请运行 juying ledger rekey", "previous version: run juying ledger rekey")
    )
    retention, due = document["retention_days"], document["due"]
    kept, erased = document["counts"]["persons"].values()
    print_fields(
        Text(f"台账 {document['ledger']}", f"ledger {document['ledger']}"),
        [
            (Text("名称", "name"), document["name"]),
            (Text("城市", "city"), document["region"]),
            (Text("数据库", "database"), f"{document['database']}, {document['revision']}"),
            (Text("建立时间", "made"), _local(document["made_at"])),
            (Text("链头", "head of the chain"), document["head"]),
            (Text("台账密钥", "ledger key"), version),
            (Text("上次备份", "last back-up"), _local(document["last_backup"])),
            (
                Text("保存期限", "kept for"),
                Text(f"{retention} 天，到期 {due} 人", f"{retention} days, persons due: {due}"),
            ),
            (Text("操作员", "operators"), str(document["operators"])),
            (Text("人员", "persons"), Text(f"在册 {kept}，已删除 {erased}", f"{kept}, and {erased} erased")),
            *_counts(document["counts"]),
        ],
    )


def _local(at: str | None) -> Text | str:
    """A time as the clock on the wall shows it."""
    from datetime import datetime

    return Text("无", "none") if at is None else f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S}"


def _counts(counts: "Mapping[str, Mapping[str, int]]") -> "Iterator[tuple[Text, str]]":
    from juying.ledger import states

    for name, title, words in (
        ("permits", Text("许可", "permits"), states.PermitState),
        ("orders", Text("订单", "orders"), states.OrderState),
        ("cards", Text("卡", "cards"), states.CardState),
        ("blanks", Text("卡坯", "blanks"), states.BlankState),
        ("credentials", Text("凭证", "credentials"), states.CredentialState),
        ("lots", Text("批次", "lots"), states.LotState),
    ):
        found = [f"{word.text.zh} {word.value} {counts[name][word]}" for word in words if word in counts[name]]
        yield title, ", ".join(found) or "0"


def _report(manifest: "Manifest", path: Path, done: Text, *, as_json: bool) -> None:
    if as_json:
        tables = {name: {"count": one.count, "sha256": one.sha256.hex()} for name, one in manifest.tables.items()}
        print_json(
            {
                "file": str(path),
                "ledger": manifest.ledger,
                "revision": manifest.revision,
                "made_at": manifest.made_at.isoformat(timespec="seconds"),
                "head": str(manifest.head),
                "tables": tables,
            }
        )
        return
    rows = sum(table.count for table in manifest.tables.values())
    print_fields(
        done,
        [
            (Text("文件", "file"), str(path)),
            (Text("备份时间", "as of"), _local(manifest.made_at.isoformat())),
            (Text("记录", "records"), str(rows)),
            (Text("链头", "head of the chain"), str(manifest.head)),
        ],
    )


ledger_persons.add_to(app)
app.command("verify")(ledger_verify.verify)
app.command("verify")(ledger_verify.verify)
