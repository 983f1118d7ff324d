"""Options of ``juying permit``: whose permit, what is to be other, and when."""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from juying.cli.ledger_persons import found_person, searched_text
from juying.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from juying.issuance.working_days import WorkingDays
    from juying.ledger.ledger import Ledger

Value = TypeVar("Value")

Card = Annotated[
    str | None,
    typer.Argument(metavar="CARD", show_default=False, help="卡号；也可用下列选项指明 / number of the person's card"),
]
Person = Annotated[
    int | None, typer.Option("--person", metavar="ID", min=1, help="台账中的人员编号 / number of the person")
]
Find = Annotated[
    Path | None,
    typer.Option(
        "--find",
        metavar="FILE",
        help="按文件首行的姓名或号码查找，- 为标准输入 / find by the name or number in a file; - is stdin",
    ),
]
Ask = Annotated[bool, typer.Option("--ask", help="询问姓名或号码 / ask for the name or number")]
Sheet = Annotated[
    Path | None,
    typer.Option(
        "--sheet",
        metavar="FILE",
        help="一行的表（CSV、XLSX、JSON），只填要改的列 / sheet with one row; only columns that change",
    ),
]
From = Annotated[
    datetime | None,
    typer.Option("--from", metavar="DAY", formats=["%Y-%m-%d"], help="新许可有效期起 / first day of the new permit"),
]
Until = Annotated[
    datetime | None,
    typer.Option("--until", metavar="DAY", formats=["%Y-%m-%d"], help="新许可有效期止 / last day of the new permit"),
]
AppliedOn = Annotated[
    datetime | None,
    typer.Option("--applied-on", metavar="DAY", formats=["%Y-%m-%d"], help="申请日，默认今天 / day of application"),
]
EventOn = Annotated[
    datetime | None,
    typer.Option("--event-on", metavar="DAY", formats=["%Y-%m-%d"], help="事由发生日期 / day of what happened"),
]
Override = Annotated[
    str,
    typer.Option(
        "--override",
        metavar="REASON",
        help="主管放行逾期申请的理由，永久留存，勿写姓名 / a supervisor's reason to let a missed deadline pass; kept "
        "for ever, so no names",
    ),
]
Holidays = Annotated[
    Path | None,
    typer.Option(
        "--holidays",
        metavar="FILE",
        envvar="JUYING_HOLIDAYS",
        show_envvar=False,
        help="节假日和调休 TOML，默认 JUYING_HOLIDAYS / holidays and make-up days; default: JUYING_HOLIDAYS",
    ),
]
Prefix = Annotated[str, typer.Option("--prefix", metavar="TEXT", help="自编卡号的前缀 / prefix of card numbers")]


def person_of(ledger: "Ledger", card: str | None, person: int | None, find: Path | None, ask: bool) -> int:
    """The person whom the options name. Raises `InputError` unless it is exactly one, and known."""
    if sum((card is not None, person is not None, find is not None, ask)) != 1:
        raise InputError(
            "请用卡号、--person、--find 或 --ask 之一指明是谁",
            "say whose permit it is: by card number, --person, --find or --ask, one of them",
        )
    if person is not None:
        return person
    if card is None:
        return found_person(ledger, searched_text(find))
    from juying.issuance.standing import person_of_card

    with ledger.reading() as db:
        found = person_of_card(db, card.strip().upper())
    if found is None:
        raise InputError("台账中没有这个卡号", "no card in the ledger has this number", where="CARD")
    return found


def today(ledger: "Ledger") -> date:
    """The day at the desk."""
    return ledger.clock().astimezone().date()


def day(given: datetime | None) -> date | None:
    """The day of an option."""
    return None if given is None else given.date()


def working_days(path: Path | None) -> "WorkingDays":
    """The office's calendar; weekends alone without one."""
    from juying.issuance.working_days import WEEKENDS, WorkingDays

    return WEEKENDS if path is None else WorkingDays.load(path)


def choice(option: str, word: str, words: "Mapping[str, Value]") -> Value:
    """What a word of an option stands for. Raises `InputError` for another word."""
    if word not in words:
        names = "、".join(words), ", ".join(words)
        raise InputError(f"须为 {names[0]} 之一", f"has to be one of {names[1]}", where=option)
    return words[word]
