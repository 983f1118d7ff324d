"""Which credentials a command line means: named by themselves, by permit, place, employer or lot."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.options import load_trust
from juying.cli.output import tell
from juying.cli.verifying import text_of
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.claims import Claims, StatusReference
    from juying.credential.trust import TrustedKey, TrustList
    from juying.ledger.ledger import Ledger

MAX_INPUT = 1 << 20
"""Bytes of permit numbers that are read from one file."""

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SOURCE]...",
        show_default=False,
        help="凭证：JY1: 文本、.txt 文件、二维码图片 / credentials: text, .txt file or picture",
    ),
]
Permits = Annotated[
    list[str] | None,
    typer.Option(
        "--permit",
        metavar="NUMBER",
        help="许可证的全部凭证；- 表示从标准输入逐行读 / all credentials of a permit; - reads numbers, one a line",
    ),
]
PermitFile = Annotated[
    Path | None,
    typer.Option(
        "--permits", metavar="FILE", help="许可证编号文件，每行一个 / file with permit numbers, one on a line"
    ),
]
Entries = Annotated[
    list[str] | None,
    typer.Option("--entry", metavar="LIST:INDEX", help="状态列表号和序号 / list and index of the status"),
]
Employer = Annotated[
    str | None,
    typer.Option(
        "--employer", metavar="CODE", help="用人单位（统一社会信用代码）的全部凭证 / all credentials with an employer"
    ),
]
Lot = Annotated[str | None, typer.Option("--lot", metavar="NAME", help="一个批次的全部凭证 / all credentials of a lot")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the command line says."""

    sources: Sequence[str] | None = field(default=None, repr=False)
    permits: Sequence[str] | None = field(default=None, repr=False)
    permit_file: Path | None = None
    entries: Sequence[str] | None = None
    employer: str | None = field(default=None, repr=False)
    lot: str | None = None
    trust: Path | None = None
    root: Path | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The places of the credentials, each once, the permit numbers that the command line tells, and the lot's id."""

    references: "Sequence[StatusReference]"
    numbers: "Mapping[StatusReference, str]" = field(repr=False)
    lot: int | None = None

    @property
    def about(self) -> dict[str, Any]:
        """What a second person is told, without personal data."""
        return {} if self.lot is None else {"lot": self.lot}


def choose(ledger: "Ledger", choice: Choice) -> Chosen:
    """The credentials that are meant. Raises `InputError` for one that is not of this ledger, or no credential."""
    from juying.ledger import register, revocation

    references = [parse_entry(entry) for entry in choice.entries or ()]
    numbers: dict[StatusReference, str] = {}
    lot: int | None = None
    with ledger.reading() as db:
        for number in _permit_numbers(choice):
            found = register.find(db, ledger.vault, number)
            if not found:
                tell(Text("台账中没有该许可证的凭证", "the ledger has no credential of one of the permits"))
            numbers |= dict.fromkeys(found, number.strip().upper())
            references += found
        if choice.employer is not None:
            references += revocation.of_employer(db, ledger.vault, choice.employer)
        if choice.lot is not None:
            lot = revocation.lot_called(db, choice.lot)
            references += revocation.of_lot(db, lot)
    named = _named(ledger, choice)
    return Chosen(list(dict.fromkeys([*references, *named])), numbers | named, lot)


def genuine(source: str, trust: "TrustList") -> "tuple[Claims, StatusReference, TrustedKey]":
    """Claims, status and issuer of a credential whose signature counts, whatever else is wrong with it."""
    from juying.credential.verify import verify

    result = verify(text_of(source), trust, now=datetime.now(UTC))
    if result.claims is None or result.key is None:
        raise InputError(
            f"不是信任列表中机关签发的凭证：{result.verdict.text.zh}",
            f"no credential of an issuer in the trust list: {result.verdict.text.en}",
            where=_short(source),
        )
    if result.claims.status is None:
        raise InputError(
            "凭证没有状态编号，不可吊销", "the credential names no status, it cannot be revoked", where=_short(source)
        )
    return result.claims, result.claims.status, result.key


def parse_entry(entry: str) -> "StatusReference":
    """A place as people write it."""
    from juying.credential.claims import StatusReference

    number, _, index = entry.partition(":")
    if entry.isascii() and number.isdecimal() and index.isdecimal() and max(len(number), len(index)) <= 10:
        reference = StatusReference(int(number), int(index))
        if reference.in_range:
            return reference
    raise InputError("须为 列表号:序号，如 1:70001", "has to be LIST:INDEX, such as 1:70001", where="--entry")


def _named(ledger: "Ledger", choice: Choice) -> "dict[StatusReference, str]":
    """The places and permit numbers of credentials that are given themselves."""
    from juying.ledger.register import LedgerRegister

    if not choice.sources:
        return {}
    trusted, register = load_trust(choice.trust, choice.root), LedgerRegister(ledger, ledger.local)
    found = {}
    for source in choice.sources:
        claims, reference, _ = genuine(source, trusted)
        if register.belongs(reference, claims.permit_number) is False:
            raise InputError(
                "台账中此编号属于另一许可证：凭证不是凭此台账签发的",
                "the entry belongs to another permit: the credential was not issued from this ledger",
                where=_short(source),
            )
        found[reference] = claims.permit_number
    return found


def _short(source: str) -> str:
    """A file's name; the text of a credential is not repeated."""
    return "" if source.startswith("JY1:") else source


def _permit_numbers(choice: Choice) -> Iterator[str]:
    for number in choice.permits or ():
        if number == "-":
            yield from _lines(sys.stdin.buffer.read(MAX_INPUT + 1), "-")
        else:
            yield number
    if choice.permit_file is not None:
        try:
            with choice.permit_file.open("rb") as file:
                data = file.read(MAX_INPUT + 1)
        except OSError as error:
            raise InputError(
                f"文件读不了（{error.strerror}）", f"cannot be read ({error.strerror})", where=str(choice.permit_file)
            ) from None
        yield from _lines(data, str(choice.permit_file))


def _lines(data: bytes, where: str) -> Iterator[str]:
    if len(data) > MAX_INPUT:
        raise InputError(f"超过 {MAX_INPUT} 字节，请分开办理", f"larger than {MAX_INPUT} bytes: split it", where=where)
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError("不是文本", "this is no text", where=where) from None
    return filter(None, map(str.strip, lines))
