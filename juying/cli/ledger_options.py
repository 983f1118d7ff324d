"""``--ledger`` and ``--station``: which ledger a command works on, who works there, and where.

A session stands in the variable JUYING_SESSION, or in a file of the user's own that `juying login` wrote.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.key_options import open_keys
from juying.errors import InputError
from juying.files import write_atomically

if TYPE_CHECKING:
    from juying.crypto.keys import Keys
    from juying.ledger.ledger import Actor
    from juying.ledger.ledger import Ledger as OpenLedger

LEDGER, SESSION, STATION = "JUYING_LEDGER", "JUYING_SESSION", "JUYING_STATION"

Ledger = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="FILE|URL",
        help="台账：SQLite 文件或 postgresql:// 地址，默认 JUYING_LEDGER / the ledger: an SQLite file or a "
        "postgresql:// address; default: JUYING_LEDGER",
    ),
]
Station = Annotated[
    str | None,
    typer.Option(
        "--station",
        metavar="NAME",
        help="工位名称，默认 JUYING_STATION / name of the station; default: JUYING_STATION",
    ),
]


def ledger_address(where: str | None, default: str | Path | None = None) -> str:
    """What ``--ledger`` names, else JUYING_LEDGER, else ``default``. Raises `InputError` when nothing does.

    A password in an argument is refused, because everybody on the machine can see arguments; the variable may hold one.
    """
    if where is None:
        named = os.environ.get(LEDGER) or default
        if named is None:
            raise InputError(
                f"请用 --ledger 或环境变量 {LEDGER} 指明台账",
                f"name the ledger with --ledger or in the environment variable {LEDGER}",
            )
        return str(named)
    from juying.ledger.engine import database_url

    url = database_url(where)
    if url.password is not None or "password" in url.query:
        raise InputError(
            f"命令行参数人人可见，不能写数据库口令：请用 {LEDGER}、PGPASSWORD 或 PGPASSFILE，并更换已暴露的口令",
            "everybody can see arguments, so the password of the database may not stand there: put it into "
            f"{LEDGER}, PGPASSWORD or PGPASSFILE, and change the one that was shown",
            where="--ledger",
        )
    return where


@contextmanager
def open_ledger(
    where: str | None,
    keys: "str | Keys | None" = None,
    *,
    default: str | Path | None = None,
    make: bool = False,
    region: str = "",
) -> "Iterator[OpenLedger]":
    """The ledger that ``--ledger`` (or JUYING_LEDGER, or ``default``) names, opened with what ``--keys`` names.

    A missing one is made for the city ``region`` if ``make`` says so. Keys that are open already are taken as they are.
    Raises what `Ledger.open` and `open_keys` raise.
    """
    from juying.ledger.ledger import Ledger as OpenLedger

    address = ledger_address(where, default)
    with ExitStack() as stack:
        held = stack.enter_context(open_keys(keys)) if keys is None or isinstance(keys, str) else keys
        yield stack.enter_context(OpenLedger.open(address, held, region=region, make=make))


def acting(ledger: "OpenLedger", station: str | None = None) -> "Actor":
    """Who changes the ledger: whoever opened it, or, as soon as operators are registered, the one of the session.

    ``station`` (or JUYING_STATION) names where; a new name is registered. Raises `InputError` when a session is needed
    and there is none, or it has ended.
    """
    from juying.ledger.operators import alone, at_station
    from juying.ledger.sessions import Sessions

    with ledger.reading() as db:
        actor = ledger.local if alone(db) else None
    if actor is None:
        token = session_token(ledger)
        if token is None:
            raise InputError(
                "此台账有登记的操作员，请先登录：juying login",
                "operators are registered in this ledger: log in first, with juying login",
                where=ledger.where,
            )
        actor = Sessions(ledger).actor(token)
    named = station or os.environ.get(STATION)
    return at_station(ledger, actor, named) if named else actor


def save_session(ledger: "OpenLedger", token: str) -> None:
    """Keep the token of a session in a file that its owner alone can read. Raises `InputError`."""
    path = session_file(ledger)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"目录不能新建（{error.strerror}）", f"the folder cannot be made ({error.strerror})", where=str(path.parent)
        ) from None
    write_atomically(path, token.encode(), private=True)


def forget_session(ledger: "OpenLedger") -> None:
    """Remove the session file."""
    session_file(ledger).unlink(missing_ok=True)


def session_file(ledger: "OpenLedger") -> Path:
    """Where the session at this ledger stands."""
    return Path.home() / ".juying" / "sessions" / ledger.name


def session_token(ledger: "OpenLedger") -> str | None:
    """The token in JUYING_SESSION, else in the session file; None when there is neither."""
    if token := os.environ.get(SESSION):
        return token
    try:
        return session_file(ledger).read_text("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
