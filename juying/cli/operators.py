"""``juying operator``, ``juying login``, ``juying logout`` and ``juying whoami``."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore
from juying.cli.ledger_options import (
    SESSION,
    Ledger,
    Station,
    acting,
    forget_session,
    open_ledger,
    save_session,
    session_token,
)
from juying.cli.options import Json
from juying.cli.output import Exit, print_fields, print_json, print_text, tell
from juying.cli.passwords import new_operator_password, operator_password
from juying.cli.plain import Cell, print_rows
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from juying.ledger.ledger import Ledger as OpenLedger
    from juying.ledger.operators import Operator
    from juying.ledger.states import Role

app = Commands("台账的操作员 / operators of the ledger")

Name = Annotated[str, typer.Argument(metavar="NAME", help="操作员名 / name of the operator")]
Roles = Annotated[
    list[str],
    typer.Option(
        "--role",
        metavar="ROLE",
        help="角色，可重复：intake 受理、issuing 制卡、supervisor 主管、auditor 审计 / "
        "a role, may be repeated: intake, issuing, supervisor, auditor",
    ),
]


@app.command()
def add(name: Name, role: Roles, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """登记操作员，首位须是主管；口令取自提示或 JUYING_NEW_PASSWORD / register one; the first is a supervisor."""
    from juying.ledger.operators import Operators

    roles = _roles(role)
    with open_ledger(ledger, keys) as opened:
        actor = acting(opened)
        _show([Operators(opened).add(actor, name, roles, new_operator_password(name))], as_json=json)
    return Exit.DONE


@app.command("list")
def list_operators(ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """列出操作员 / list the operators."""
    from juying.ledger.operators import Operators

    with open_ledger(ledger, keys) as opened:
        acting(opened)
        _show(Operators(opened).listing(), as_json=json)
    return Exit.DONE


@app.command()
def roles(name: Name, role: Roles, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """改换角色，该操作员须重新登录 / give other roles; the operator has to log in again."""
    from juying.ledger.operators import Operators

    given = _roles(role)
    with open_ledger(ledger, keys) as opened:
        _show([Operators(opened).set_roles(acting(opened), name, given)], as_json=json)
    return Exit.DONE


@app.command()
def disable(name: Name, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """停用操作员 / the operator works here no more."""
    return _set_active(name, False, ledger, keys, as_json=json)


@app.command()
def enable(name: Name, ledger: Ledger = None, keys: KeyStore = None, json: Json = False) -> int:
    """重新启用操作员 / the operator works here again."""
    return _set_active(name, True, ledger, keys, as_json=json)


@app.command()
def password(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="默认为自己 / yourself by default")] = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
) -> int:
    """换口令，之后须重新登录；主管可为他人重设 / a new password, then log in again; supervisors reset others'."""
    from juying.ledger.operators import Operators

    with open_ledger(ledger, keys) as opened:
        actor = acting(opened)
        whose = name or actor.name
        old = operator_password(whose) if whose == actor.name else None
        Operators(opened).set_password(actor, whose, new_operator_password(whose), old)
    tell(Text("口令已换，请重新登录", "the password is changed: log in again"))
    return Exit.DONE


def login(
    name: Name,
    ledger: Ledger = None,
    keys: KeyStore = None,
    hours: Annotated[float, typer.Option("--hours", min=0.1, max=12, help="至多几小时 / for so many hours")] = 12,
    show: Annotated[
        bool,
        typer.Option(
            "--print", help=f"不存文件，输出会话码供 {SESSION} 使用 / print the session for {SESSION}, keep no file"
        ),
    ] = False,
    json: Json = False,
) -> int:
    """登录台账，口令取自提示或 JUYING_PASSWORD / log in to the ledger; password by prompt or JUYING_PASSWORD."""
    from datetime import timedelta

    from juying.ledger.sessions import Sessions

    with open_ledger(ledger, keys) as opened:
        session = Sessions(opened, longest=timedelta(hours=hours)).login(name, operator_password(name))
        until = session.expires_at.astimezone().isoformat(timespec="minutes")
        if not show:
            save_session(opened, session.token)
    if json:
        secret = {"session": session.token} if show else {}
        print_json({**_operator_dict(session.operator), "expires_at": until, **secret})
    elif show:
        print_text(session.token)
    else:
        tell(Text(f"{name} 已登录，至 {until}", f"{name} is logged in until {until}"))
    return Exit.DONE


def logout(ledger: Ledger = None, keys: KeyStore = None) -> int:
    """退出登录 / log out."""
    from juying.ledger.sessions import Sessions

    with open_ledger(ledger, keys) as opened:
        token = session_token(opened)
        if token is not None:
            Sessions(opened).logout(token)
        if not os.environ.get(SESSION):
            forget_session(opened)
    return Exit.DONE


def whoami(ledger: Ledger = None, keys: KeyStore = None, station: Station = None, json: Json = False) -> int:
    """台账认我是谁 / who the ledger takes me for."""
    with open_ledger(ledger, keys) as opened:
        actor = acting(opened, station)
        title, where = opened.where, _station_name(opened, actor.station)
    if json:
        names = [role.value for role in _sorted(actor.roles)]
        print_json({"operator": actor.name, "roles": names, "station": where, "ledger": title})
    else:
        print_fields(
            Text(title, title),
            [
                (Text("操作员", "operator"), actor.name),
                (Text("角色", "roles"), _names(actor.roles)),
                (Text("工位", "station"), where or ""),
            ],
        )
    return Exit.DONE


def add_to(root: Commands) -> None:
    """Add the commands of this module to the root of the command line."""
    root.add_typer(app, name="operator")
    for command in (login, logout, whoami):
        root.command(command.__name__)(command)


def _set_active(name: str, active: bool, ledger: str | None, keys: str | None, *, as_json: bool) -> int:
    from juying.ledger.operators import Operators

    with open_ledger(ledger, keys) as opened:
        _show([Operators(opened).set_active(acting(opened), name, active)], as_json=as_json)
    return Exit.DONE


def _station_name(ledger: "OpenLedger", station: int | None) -> str | None:
    import sqlalchemy as sa

    from juying.ledger.schema import stations

    with ledger.reading() as db:
        name: str | None = db.execute(sa.select(stations.c.name).where(stations.c.id == station)).scalar()
        return name


def _roles(words: "Sequence[str]") -> "list[Role]":
    from juying.ledger.states import Role

    try:
        return [Role(word.lower()) for word in words]
    except ValueError:
        known = "、".join(Role)
        raise InputError(
            f"没有这个角色，可用：{known}", f"there is no such role; known are {', '.join(Role)}", where="--role"
        ) from None


def _sorted(roles: "Iterable[Role]") -> "list[Role]":
    from juying.ledger.states import Role

    return sorted(roles, key=list(Role).index)


def _names(roles: "Iterable[Role]") -> Text:
    held = _sorted(roles)
    return Text("、".join(role.text.zh for role in held), ", ".join(role.text.en for role in held))


def _operator_dict(operator: "Operator") -> dict[str, object]:
    return {
        "operator": operator.name,
        "roles": [role.value for role in _sorted(operator.roles)],
        "active": operator.active,
    }


def _show(operators: "Sequence[Operator]", *, as_json: bool) -> None:
    if as_json:
        print_json({"operators": [_operator_dict(operator) for operator in operators]})
        return
    print_rows(
        [
            [
                Cell(operator.name, "bold"),
                Cell(str(Text("在职", "active") if operator.active else Text("停用", "disabled"))),
                Cell(str(_names(operator.roles))),
            ]
            for operator in operators
        ]
    )
