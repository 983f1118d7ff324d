"""``juying approval``: the second person."""

import json as json_text
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore
from juying.cli.ledger_options import Ledger, acting, open_ledger
from juying.cli.options import Json
from juying.cli.output import Exit, print_fields, print_json, print_text
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from juying.ledger.approvals import Approval

app = Commands("第二人复核 / approval by a second person")

Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="复核编号 / number of the approval")]


@app.command()
def ask(
    action: Annotated[
        str,
        typer.Argument(metavar="ACTION", help="其一 / one of scrap, key-use, bulk-revoke, erase, rekey"),
    ],
    subject: Annotated[str, typer.Argument(metavar="JSON", help="对象，如 '{\"blanks\": [17]}' / what it is about")],
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """请求复核；通常由需要复核的命令自行请求 / ask for an approval; commands that need one ask by themselves."""
    from juying.ledger import approvals
    from juying.ledger.operators import Action

    try:
        wanted = Action(action)
    except ValueError:
        known = [entry.value for entry in approvals.SECOND_PERSON]
        raise InputError(
            f"没有这种操作，可用：{'、'.join(known)}", f"there is no such action; known are {', '.join(known)}"
        ) from None
    about = _subject(subject)
    with open_ledger(ledger, keys) as opened, opened.transaction(acting(opened)) as tx:
        number = approvals.ask(tx, wanted, about)
    if json:
        print_json({"approval": number})
    else:
        print_text(str(number))
    return Exit.DONE


@app.command("list")
def list_approvals(
    everything: Annotated[bool, typer.Option("--all", help="包括已用和过期的 / used and old ones too")] = False,
    ledger: Ledger = None,
    keys: KeyStore = None,
    json: Json = False,
) -> int:
    """列出待复核和可用的 / list what waits for an approval or may be used."""
    from juying.ledger.approvals import listing

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        with opened.reading() as db:
            found = listing(db, now=None if everything else opened.clock())
            names = _operator_names(db)
    _show(found, names, as_json=json)
    return Exit.DONE


@app.command()
def give(number: Number, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """复核他人的请求 / approve what another operator asked for."""
    from juying.ledger import approvals

    with open_ledger(ledger, keys) as opened:
        with opened.transaction(acting(opened)) as tx:
            given = approvals.give(tx, number)
        with opened.reading() as db:
            names = _operator_names(db)
    _show([given], names, as_json=json)
    return Exit.DONE


def _subject(text: str) -> dict[str, Any]:
    try:
        value = json_text.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InputError(
            '对象须是 JSON 对象，如 {"blanks": [17]}', 'what it is about is a JSON object such as {"blanks": [17]}'
        )
    return value


def _operator_names(db: Any) -> dict[int, str]:
    import sqlalchemy as sa

    from juying.ledger.schema import operators

    return {row.id: row.name for row in db.execute(sa.select(operators.c.id, operators.c.name))}


def _show(approvals: "Sequence[Approval]", names: Mapping[int, str], *, as_json: bool) -> None:
    if as_json:
        print_json({"approvals": [_dict(approval, names) for approval in approvals]})
        return
    for approval in approvals:
        fields = [
            (Text("对象", "subject"), approval.subject),
            (Text("请求人", "asked by"), names[approval.asked_by]),
            (Text("复核人", "approved by"), names.get(approval.given_by or 0, "")),
            (Text("有效至", "good until"), approval.ends_at.astimezone().isoformat(timespec="minutes")),
            (
                Text("用于", "used at"),
                approval.used_at.astimezone().isoformat(timespec="minutes") if approval.used_at else "",
            ),
        ]
        title = approval.action.text
        print_fields(Text(f"{approval.number} {title.zh}", title.en), fields)


def _dict(approval: "Approval", names: Mapping[int, str]) -> dict[str, Any]:
    def instant(value: Any) -> str | None:
        return None if value is None else str(value.isoformat())

    return {
        "approval": approval.number,
        "action": approval.action.value,
        "subject": json_text.loads(approval.subject),
        "asked_by": names[approval.asked_by],
        "asked_at": instant(approval.asked_at),
        "given_by": names.get(approval.given_by or 0),
        "given_at": instant(approval.given_at),
        "used_at": instant(approval.used_at),
        "ends_at": instant(approval.ends_at),
    }
