"""``juying ledger export-person``, ``erase`` and ``retention``: what the ledger keeps on people."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli import passwords
from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore
from juying.cli.ledger_options import Ledger, acting, open_ledger
from juying.cli.options import Json
from juying.cli.output import Exit, print_json, print_text, tell
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.ledger.ledger import Ledger as OpenLedger

_LONGEST = 1024
_PERSON = "人员编号 / number of the person in the ledger"


def export_person(
    out: Annotated[
        str,
        typer.Option("--out", metavar="FILE", help="新的 .json 或 .html 文件，- 为标准输出 / new file; - is stdout"),
    ],
    person: Annotated[int | None, typer.Argument(metavar="[PERSON]", min=1, help=_PERSON, show_default=False)] = None,
    find: Annotated[
        Path | None,
        typer.Option(
            "--find",
            metavar="FILE",
            help="按文件首行的姓名或号码查找，- 为标准输入 / find by the name or number in a file; - is stdin",
        ),
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="询问姓名或号码 / ask for the name or number")] = False,
    ledger: Ledger = None,
    keys: KeyStore = None,
) -> int:
    """导出一人的全部信息，交给本人 / everything that is stored on one person, for that person."""
    if sum((person is not None, find is not None, ask)) != 1:
        raise InputError(
            "请给出人员编号、--find 或 --ask 之一", "name a person by number, --find or --ask: one of them"
        )
    path = None if out == "-" else _new_file(Path(out))
    from juying.ledger import person_export

    with open_ledger(ledger, keys) as opened:
        actor = acting(opened)
        number = person if person is not None else found_person(opened, searched_text(find))
        with opened.transaction(actor) as tx:
            document = person_export.export_person(tx, number)
    _write(document, path)
    return Exit.DONE


def erase(
    person: Annotated[
        list[int] | None, typer.Option("--person", metavar="PERSON", min=1, help=f"可重复；{_PERSON}; may be repeated")
    ] = None,
    due: Annotated[
        bool, typer.Option("--due", help="保存期限已到的所有人 / all whom the rule no longer keeps")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只列出，不删除 / only list them")] = False,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """删除个人信息，须两人；链仍可核验 / erase persons, which takes two; the chain can still be proved."""
    if due == bool(person):
        raise InputError("请用 --due 或 --person 之一", "use one of --due and --person")
    from juying.ledger import privacy

    with open_ledger(ledger, keys) as opened:
        actor = acting(opened)
        if due:
            with opened.reading() as db:
                person = privacy.due(db, opened.clock())
        persons = person or []
        if dry_run:
            return _list(opened, persons, as_json=json)
        done = privacy.erase(opened, actor, persons, rule="due" if due else "asked")
    if json:
        print_json({"persons": persons, "erased": done.count, "purged": done.purged})
    else:
        print_text(f"已删除 {done.count} 人 / persons erased: {done.count}")
        if not done.purged:
            tell(
                Text(
                    "数据库文件中的残留尚未清除：有人正在使用，或权限、磁盘空间不足；请空闲时再运行一次",
                    "what remains in the database's files is not cleared: others are at work, or rights or room on the "
                    "disk are missing; run this again when nobody works",
                )
            )
    return Exit.DONE if done.purged else Exit.UNDETERMINED


def retention(
    days: Annotated[
        int | None, typer.Option("--days", metavar="N", help="保存天数 / keep persons so many days")
    ] = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """许可终止后个人信息保存多久 / how long persons are kept after their last permit; sets it with --days."""
    from datetime import timedelta

    from juying.ledger import privacy

    with open_ledger(ledger, keys) as opened:
        actor = acting(opened)
        if days is not None:
            with opened.transaction(actor) as tx:
                privacy.set_retention(tx, timedelta(days=days))
        with opened.reading() as db:
            kept = privacy.retention(db).days
    if json:
        print_json({"days": kept})
    else:
        print_text(f"{kept} 天 / {kept} days")
    return Exit.DONE


def add_to(group: Commands) -> None:
    """Add these commands to ``juying ledger``."""
    group.command("export-person")(export_person)
    group.command("erase")(erase)
    group.command("retention")(retention)


def _list(opened: "OpenLedger", persons: list[int], *, as_json: bool) -> int:
    """Who would be erased, and who cannot be."""
    from juying.ledger import privacy

    with opened.reading() as db:
        blocked = {found.person: found.reason for found in privacy.obstacles(db, persons, opened.clock().date())}
    if as_json:
        reasons = {str(person): reason._asdict() for person, reason in blocked.items()}
        print_json({"persons": persons, "blocked": reasons, "approval": privacy.erasure(persons)})
    else:
        for person in persons:
            print_text(f"persons/{person}" + (f": {blocked[person]}" if person in blocked else ""))
    return Exit.NO if blocked else Exit.DONE


def searched_text(find: Path | None) -> str:
    """The name or number to search for, which is no argument because everybody can see those. Raises `InputError`."""
    if find is None:
        if not passwords.at_a_terminal():
            raise InputError("无法询问，请用 --find", "there is nobody to ask: use --find", where="--ask")
        asked: str = typer.prompt("姓名或号码 / name or number", err=True)
        return asked
    try:
        if str(find) == "-":
            return sys.stdin.readline(_LONGEST)
        with find.open(encoding="utf-8") as file:
            return file.readline(_LONGEST)
    except (OSError, UnicodeDecodeError):
        raise InputError("文件读不出来，须为 UTF-8", "the file cannot be read as UTF-8", where=str(find)) from None


def found_person(opened: "OpenLedger", text: str) -> int:
    """The one person whom the text fits. Raises `InputError` when there is none, or several."""
    from juying.ledger.people import search

    with opened.reading() as db:
        found = search(db, opened.vault, text, most=20)
    if not found:
        raise InputError("没有找到此人，请核对姓名或号码", "nobody is found: check the name or number")
    if len(found) > 1:
        numbers = ", ".join(map(str, found))
        raise InputError(
            f"有多人符合（编号 {numbers}），请用证件号码查找，或给出编号",
            f"several persons fit (numbers {numbers}): search by a document number, or give the number of one",
        )
    return found[0]


def _new_file(path: Path) -> Path:
    if path.suffix.lower() not in (".json", ".html"):
        raise InputError("文件名须以 .json 或 .html 结尾", "the name ends in .json or .html", where=str(path))
    if path.exists():
        raise InputError("文件已存在，不会被覆盖", "the file exists and is not overwritten", where=str(path))
    return path


def _write(document: dict[str, Any], path: Path | None) -> None:
    if path is None:
        print_json(document)
        return
    import json

    from juying.cli.person_view import as_html
    from juying.files import write_atomically

    html = path.suffix.lower() == ".html"
    text = as_html(document) if html else json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    write_atomically(path, text.encode(), private=True)
    tell(Text(f"已写入 {path}，只交给本人", f"written to {path}: for the person alone"))
