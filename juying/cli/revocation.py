"""``juying credential revoke``, ``suspend``, ``resume`` and ``status``."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.choosing import (
    Choice,
    Employer,
    Entries,
    Lot,
    PermitFile,
    Permits,
    Sources,
    choose,
    genuine,
    parse_entry,
)
from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore
from juying.cli.ledger_options import Ledger, acting, open_ledger
from juying.cli.options import Json, Root, Trust, load_trust
from juying.cli.output import Exit, print_json, tell
from juying.cli.status_view import answer_row, place, show_rows
from juying.cli.trusting import load_lists
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.claims import StatusReference
    from juying.credential.status import StatusLists
    from juying.credential.trust import TrustedKey
    from juying.ledger.ledger import Ledger as OpenLedger

PENDING = Text("发布状态列表后生效", "it takes effect when the status list is published")
ALONE = Text(
    "只吊销了凭证，许可、卡和订单不变；换发用 juying permit reissue，结束许可用 juying permit revoke",
    "the credential alone: permit, card and orders are as they were; juying permit reissue gives a new card and "
    "credential, juying permit revoke ends the permit",
)

ReasonWord = Annotated[
    str,
    typer.Option(
        "--reason",
        metavar="WORD",
        help="原因 / reason: permit-ended, lost, key-compromised, issued-in-error, under-review, review-ended",
    ),
]
Lists = Annotated[
    Path | None,
    typer.Option(
        "--lists", metavar="PATH", help="终端的状态列表文件或目录 / status list, or a terminal's folder of them"
    ),
]


def revoke(
    sources: Sources = None,
    permit: Permits = None,
    permits: PermitFile = None,
    entry: Entries = None,
    employer: Employer = None,
    lot: Lot = None,
    reason: ReasonWord = "unspecified",
    ledger: Ledger = None,
    keys: KeyStore = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """吊销，不可恢复，重新发布列表后生效 / revoke for good; takes effect when the list is published."""
    choice = Choice(
        sources=sources, permits=permit, permit_file=permits, entries=entry, employer=employer, lot=lot,
        trust=trust, root=root,
    )  # fmt: skip
    return _change("INVALID", choice, reason, ledger, keys, as_json=json)


def suspend(
    sources: Sources = None,
    permit: Permits = None,
    permits: PermitFile = None,
    entry: Entries = None,
    employer: Employer = None,
    lot: Lot = None,
    reason: ReasonWord = "under-review",
    ledger: Ledger = None,
    keys: KeyStore = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """暂停，可恢复 / suspend until resumed."""
    choice = Choice(
        sources=sources, permits=permit, permit_file=permits, entries=entry, employer=employer, lot=lot,
        trust=trust, root=root,
    )  # fmt: skip
    return _change("SUSPENDED", choice, reason, ledger, keys, as_json=json)


def resume(
    sources: Sources = None,
    permit: Permits = None,
    permits: PermitFile = None,
    entry: Entries = None,
    employer: Employer = None,
    lot: Lot = None,
    reason: ReasonWord = "review-ended",
    ledger: Ledger = None,
    keys: KeyStore = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """恢复已暂停的凭证 / resume what was suspended."""
    choice = Choice(
        sources=sources, permits=permit, permit_file=permits, entries=entry, employer=employer, lot=lot,
        trust=trust, root=root,
    )  # fmt: skip
    return _change("VALID", choice, reason, ledger, keys, as_json=json)


def status(
    sources: Sources = None,
    permit: Permits = None,
    permits: PermitFile = None,
    entry: Entries = None,
    employer: Employer = None,
    lot: Lot = None,
    ledger: Ledger = None,
    keys: KeyStore = None,
    lists: Lists = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """查台账或终端列表中的状态 / status in the ledger or in lists; exit status 0 good, 1 not, 3 unknown."""
    if lists is None:
        choice = Choice(
            sources=sources, permits=permit, permit_file=permits, entries=entry, employer=employer, lot=lot,
            trust=trust, root=root,
        )  # fmt: skip
        return _status_in_ledger(choice, ledger, keys, as_json=json)
    if permit or permits or employer or lot:
        raise InputError(
            "状态列表中没有许可证、单位和批次",
            "there are no permits, employers and lots in status lists",
            where="--lists",
        )
    from juying.cli.status_lists import show_lists

    held = load_lists(lists, load_trust(trust, root), now := datetime.now(UTC))
    if not sources and not entry:
        return show_lists(held, now, as_json=json)
    return _status_in_lists(held, sources or (), entry or (), trust, root, now, as_json=json)


def add_to(group: Commands) -> None:
    """Put the commands into ``juying credential``."""
    for command in (revoke, suspend, resume, status):
        group.command(command.__name__)(command)


def _change(word: str, choice: Choice, reason: str, where: str | None, keys: str | None, *, as_json: bool) -> int:
    from juying.credential.register import Reason
    from juying.credential.status import Status
    from juying.ledger.register import statuses_of
    from juying.ledger.revocation import change_statuses

    if reason not in set(Reason) - {Reason.ISSUED, Reason.SUPERSEDED}:
        raise InputError("没有这个原因，请看 --help", "there is no such reason, see --help", where="--reason")
    new = Status[word]
    with open_ledger(where, keys) as ledger:
        actor = acting(ledger)
        chosen = choose(ledger, choice)
        if not chosen.references:
            raise InputError(
                "没有指明凭证，或台账中没有所指的凭证", "no credential was named, or the ledger has none of those"
            )
        with ledger.reading() as db:
            before = statuses_of(db, chosen.references)
        change_statuses(ledger, actor, chosen.references, new, Reason(reason), about=chosen.about)
        rows = [
            {**row, "changed": before.get(reference) is not new}
            for reference, row in zip(chosen.references, _rows(ledger, chosen.references, chosen.numbers), strict=True)
        ]
    changed = sum(row["changed"] for row in rows)
    if as_json:
        print_json({"status": new.name.lower(), "changed": changed, "entries": rows})
    else:
        show_rows(rows)
        if changed:
            tell(PENDING)
        if changed and new is Status.INVALID:
            tell(ALONE)
    return Exit.DONE


def _rows(
    ledger: "OpenLedger", references: "Sequence[StatusReference]", told: "Mapping[StatusReference, str]"
) -> list[dict[str, Any]]:
    """What the ledger knows of credentials, as JSON values; the status is None for one that it does not know."""
    from juying.ledger.credentials import permit_numbers
    from juying.ledger.register import statuses_of

    with ledger.reading() as db:
        statuses = statuses_of(db, references)
        numbers = permit_numbers(db, ledger.vault, [one for one in references if one not in told]) | dict(told)
    return [
        {
            **place(reference),
            "permit_number": numbers.get(reference, ""),
            "status": statuses[reference].name.lower() if reference in statuses else None,
        }
        for reference in references
    ]


def _status_in_ledger(choice: Choice, where: str | None, keys: str | None, *, as_json: bool) -> int:
    from juying.ledger.operators import Action, allow
    from juying.ledger.register import history

    with open_ledger(where, keys) as ledger:
        allow(acting(ledger), Action.READ)
        chosen = choose(ledger, choice)
        rows = _rows(ledger, chosen.references, chosen.numbers)
        with ledger.reading() as db:
            for reference, row in zip(chosen.references, rows, strict=True):
                row["history"] = [
                    {"at": event.at.isoformat(), "status": event.status.name.lower(), "reason": str(event.reason)}
                    for event in history(db, reference)
                ]
    if as_json:
        print_json({"entries": rows})
    else:
        show_rows(rows)
    return _exit([row["status"] for row in rows])


def _status_in_lists(
    lists: "StatusLists",
    sources: Sequence[str],
    entries: Sequence[str],
    trust: Path | None,
    root: Path | None,
    now: datetime,
    *,
    as_json: bool,
) -> int:
    wanted: list[tuple[StatusReference, TrustedKey | None]] = [(parse_entry(entry), None) for entry in entries]
    trusted = load_trust(trust, root)
    for source in sources:
        _, reference, key = genuine(source, trusted)
        wanted.append((reference, key))
    rows = []
    for reference, issuer in wanted:
        answer = lists.lookup(reference, now=now, issuer=issuer)
        rows.append({**place(reference), **answer_row(answer)})
    if as_json:
        print_json({"entries": rows})
    else:
        show_rows(rows)
    return _exit([None if row["expired"] and row["status"] == "valid" else row["status"] for row in rows])


def _exit(statuses: Sequence[str | None]) -> int:
    """No when one is revoked or suspended, undetermined when there is none or one is unknown."""
    if any(status not in (None, "valid") for status in statuses):
        return Exit.NO
    return Exit.DONE if statuses and None not in statuses else Exit.UNDETERMINED
