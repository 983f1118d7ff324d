"""``juying issue --dry-run``: what would be written to blank cards. Nothing is stored anywhere."""

from typing import TYPE_CHECKING, Any

from juying.cli.output import Exit, console, print_json
from juying.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from juying.card.permit_seal import PermitSeal
    from juying.codec.spec import Profile
    from juying.issuance.card_numbers import CardNumbers
    from juying.issuance.intake import Row
    from juying.issuance.lots import Finding
    from juying.issuance.office import Office
    from juying.ledger.ledger import Ledger


def show_commands(
    office: "Office",
    ledger: "Ledger | None",
    rows: "Sequence[Row]",
    profile: "Profile",
    prefix: str,
    *,
    as_json: bool,
) -> int:
    """List the commands that would make a new card for each row, and what is wrong with it.

    ``ledger`` knows the card numbers of earlier runs. A sealed permit is sealed for a blank virtual card; on every card
    it looks different.
    """
    from juying.issuance.card_numbers import CardNumbers, taken_numbers
    from juying.issuance.lots import preview

    office.check_key()
    taken = [row.application.card_number for row in rows if row.application and row.application.card_number]
    findings = {}
    if ledger is not None:
        findings = {found.row: found for found in preview(ledger, rows).findings}
        with ledger.reading() as db:
            taken += taken_numbers(db, prefix)
    numbers = CardNumbers(taken, prefix)
    seal = _seal(profile, office.region)
    documents = [_plan_row(office, row, findings, numbers, profile, seal) for row in rows]
    if as_json:
        print_json({"profile": profile.name, "rows": documents})
    else:
        _show(documents)
    return Exit.NO if any(document["errors"] for document in documents) else Exit.DONE


def _seal(profile: "Profile", region: str) -> "PermitSeal | None":
    """The seal of a blank virtual card; None where permits are not sealed."""
    from juying.card.ssc import SscCard
    from juying.card.virtual.card import VirtualCard
    from juying.card.virtual.transport import LocalTransport
    from juying.codec.permit_slots import slot_files

    if profile.permit == "open" or not slot_files(profile):
        return None
    with LocalTransport(VirtualCard.blank(profile, region=region)) as transport:
        return SscCard.open(transport, profile).permit_seal()


def _plan_row(
    office: "Office",
    row: "Row",
    findings: "Mapping[int, Finding]",
    numbers: "CardNumbers",
    profile: "Profile",
    seal: "PermitSeal | None",
) -> dict[str, Any]:
    from juying.card.writer import NEVER_WRITTEN, plan
    from juying.issuance.office import card_contents, portrait, sign_permit

    document: dict[str, Any] = {"row": row.number, "card_number": "", "errors": [], "notes": [], "commands": []}
    found = findings.get(row.number)
    problems = found.problems if found is not None else row.errors
    if row.application is None or problems:
        return {**document, "errors": [str(error) for error in problems]}
    try:
        number = row.application.card_number or (found.card_number if found is not None else "") or numbers.allot()
        photo = portrait(row.application)
        credentials = sign_permit(office, row.application)
        contents = card_contents(office, row.application, number, credentials, photo=photo)
        todo = plan(profile, contents, NEVER_WRITTEN, seal)
    except InputError as error:
        return {**document, "errors": [str(error)]}
    commands = [
        {"place": write.place, "title": str(write.title), "command": write.command.encode().hex().upper()}
        for write in todo.writes
    ]
    notes = [note._asdict() for note in todo.notes]
    return {**document, "card_number": number, "notes": notes, "commands": commands}


def _show(documents: list[dict[str, Any]]) -> None:
    screen = console()
    for document in documents:
        screen.rule(f"行 / row {document['row']}  {document['card_number']}", align="left")
        for problem in document["errors"]:
            screen.print(problem, style="red", markup=False, highlight=False)
        for entry in document["commands"]:
            screen.print(f"{entry['place']}  {entry['title']}", style="bold", markup=False, highlight=False)
            screen.print(f"    {entry['command']}", markup=False, highlight=False, overflow="fold")
