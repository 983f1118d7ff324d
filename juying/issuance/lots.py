"""The rows of a sheet compared with the ledger, before anything is changed: new, duplicate, changed or wrong."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from juying.errors import InputError
from juying.issuance import permit_life
from juying.issuance.intake import Application, Row
from juying.issuance.on_file import NOBODY, Files, Keys, OnFile, look_up
from juying.issuance.permit_kinds import TRANSITIONS, Kind
from juying.issuance.permit_life import holder_changes, kind_of, permit_changes
from juying.issuance.photo import card_photo
from juying.ledger.ledger import Ledger
from juying.ledger.people import load_holder, load_permit, load_photo
from juying.ledger.states import OrderState, Word
from juying.ledger.vault import Vault
from juying.model import Holder, WorkPermit
from juying.text import Text

CREDENTIAL_REVOKED = Text(
    "其电子凭证已吊销：换发新卡和凭证用 juying permit reissue，结束许可用 juying permit revoke",
    "its credential was revoked: juying permit reissue gives a new card and credential, juying permit revoke ends the "
    "permit",
)
"""About somebody for whom there is nothing to do, though not all is well."""

_MADE = (OrderState.SEALED, OrderState.DELIVERED)

Check = Callable[[Application], None]
"""Raises `InputError` for an application that no card can be made for."""


class Status(Word):
    """What a row is to the ledger."""

    NEW = "new", "新增", "new"
    """Of somebody whom the ledger does not know."""
    CHANGED = "changed", "变更", "changed"
    """Of somebody it knows, and other than before."""
    DUPLICATE = "duplicate", "重复", "duplicate"
    """Imported before: there is nothing to do."""
    WRONG = "wrong", "有误", "wrong"
    """In itself, or it contradicts the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one row is; ``row`` as the spreadsheet counts, ``person`` and ``order`` are ids.

    ``order`` and ``card_number`` are those that the person has or gets by the import. ``changed`` names the columns
    that say something else than the ledger does, ``problems`` what is wrong.
    """

    row: int
    status: Status
    kind: Kind | None = None
    person: int | None = None
    order: int | None = None
    card_number: str = field(default="", repr=False)
    changed: tuple[str, ...] = ()
    problems: tuple[InputError, ...] = ()
    notes: tuple[Text, ...] = ()
    application: Application | None = field(default=None, repr=False)
    digest: bytes = field(default=b"", repr=False)

    def wrong(self, *problems: InputError) -> "Finding":
        """The same row, with something wrong."""
        return replace(self, status=Status.WRONG, problems=problems)


@dataclass(frozen=True, slots=True)
class Preview:
    """What the rows of a sheet are, in their order."""

    findings: tuple[Finding, ...]

    @property
    def counts(self) -> Mapping[Status, int]:
        """How many rows there are of each kind."""
        found = Counter(finding.status for finding in self.findings)
        return {status: found[status] for status in Status}

    def of(self, *statuses: Status) -> Iterator[Finding]:
        """The rows with one of these statuses."""
        return (finding for finding in self.findings if finding.status in statuses)


def preview(ledger: Ledger, rows: Sequence[Row], *, check: Check | None = None) -> Preview:
    """What an import of ``rows`` would do; nothing is changed.

    ``check`` is asked about every new and changed application. Pictures are not looked into.
    """
    with ledger.reading() as db:
        return compare(db, ledger.vault, rows, today=ledger.clock().astimezone().date(), check=check)


def compare(
    db: sa.Connection,
    vault: Vault,
    rows: Sequence[Row],
    *,
    today: date,
    check: Check | None = None,
    photo: Callable[[Path], bytes] = card_photo,
) -> Preview:
    """As `preview`, within a transaction; ``photo`` makes the JPEG for the card of a picture file."""
    asked = [row.application.card_number for row in rows if row.application and row.application.card_number]
    keys: dict[int, Keys] = {}
    problems: dict[int, InputError] = {}
    for row in rows:
        if row.application is not None:
            try:
                keys[row.number] = Keys.of(vault, row.application, _hash(row.application))
            except InputError as error:
                problems[row.number] = error
    files = look_up(db, vault, list(keys.values()), asked)
    comparison = _Comparison(db, vault, files, today, check, photo)
    return Preview(
        tuple(
            _unreadable(row, problems.get(row.number))
            if row.application is None or row.number in problems
            else comparison.finding(row.number, row.application, keys[row.number])
            for row in rows
        )
    )


def _unreadable(row: Row, problem: InputError | None) -> Finding:
    return Finding(row=row.number, status=Status.WRONG, problems=(problem,) if problem else row.errors)


def _hash(application: Application) -> str:
    """Of the picture file, "" without one. Raises `InputError` when it cannot be read."""
    if application.photo is None:
        return ""
    try:
        with application.photo.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"照片无法读取（{error.strerror}）", f"the photo cannot be read ({error.strerror})", where="photo"
        ) from None


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Compares the rows of one sheet; ``seen`` has what earlier rows say, because each may say it once."""

    db: sa.Connection
    vault: Vault
    files: Files = field(repr=False)
    today: date
    check: Check | None
    photo: Callable[[Path], bytes] = field(repr=False)
    seen: dict[bytes | str, int] = field(default_factory=dict, repr=False)

    def finding(self, row: int, application: Application, keys: Keys) -> Finding:
        person = self.files.by_number.get(keys.number, self.files.by_document.get(keys.document))
        kind = application.kind
        if kind is None and person is None:
            kind = kind_of(None, application.permit)
        found = Finding(
            row=row, status=Status.NEW, kind=kind, person=person, card_number=application.card_number or "",
            application=application, digest=keys.digest,
        )  # fmt: skip
        problems = [*self._repeated(row, application, keys), *self._conflicts(application, keys, person)]
        if problems:
            return found.wrong(*problems)
        if person is not None:
            found = self._known(found, application, self.files.people[person])
        elif application.kind is not None:
            found = self._by_the_rules(found, application, application.kind, None, frozenset())
        if self.check is not None and found.status in (Status.NEW, Status.CHANGED):
            try:
                self.check(application)
            except InputError as error:
                return found.wrong(error)
        return found

    def _repeated(self, row: int, application: Application, keys: Keys) -> Iterator[InputError]:
        """Sheets were compared with themselves when they were read, but numbers that follow from others were not."""
        for value in (keys.document, keys.number, keys.permit, application.card_number):
            earlier = row if value is None else self.seen.setdefault(value, row)
            if earlier != row:
                yield InputError(
                    f"与第 {earlier} 行是同一人、同一许可或同一卡", f"the same person, permit or card as row {earlier}"
                )
                return

    def _conflicts(self, application: Application, keys: Keys, person: int | None) -> Iterator[InputError]:
        """What belongs to somebody else in the ledger."""
        files, number = self.files, application.card_number
        if files.by_document.get(keys.document, person) != person:
            yield InputError(
                "证件号码和社会保障号码在台账中属于两个人，请核对",
                "in the ledger passport and social security number belong to two different people: compare",
            )
        if files.permit_owners.get(keys.permit, person) != person:
            yield InputError(
                "许可证编号在台账中属于另一个人；如为换了护照的同一人，请填写原社会保障号码",
                "in the ledger the permit number belongs to another person; somebody with a new passport is recognised "
                "by the social security number: fill it in",
            )
        if number is None:
            return
        if files.card_owners.get(number, person) != person:
            owner = "，其信息已按规定删除" if files.card_owners[number] == NOBODY else ""
            yield InputError(f"此卡号已发给另一位申请人{owner}", "this card number was issued to another applicant")
        held = files.people[person].card_number if person is not None else ""
        if held not in ("", number):
            yield InputError(
                f"该申请人已有卡号为 {held} 的卡，不再另发",
                f"this applicant has the card with number {held} already: no second one is issued",
            )

    def _known(self, found: Finding, application: Application, on_file: OnFile) -> Finding:
        notes = (CREDENTIAL_REVOKED,) if on_file.revoked and on_file.order_state in _MADE else ()
        found = replace(
            found, order=on_file.order, card_number=on_file.card_number, status=Status.DUPLICATE, notes=notes
        )
        if found.digest in on_file.digests:
            return replace(found, notes=(*self._since(found.digest, on_file), *notes))
        before = load_holder(self.db, self.vault, on_file.person)
        permit = None if on_file.permit is None else load_permit(self.db, self.vault, on_file.permit)
        after = as_kept(before, application.holder)
        holder = holder_changes(before, after)
        changed = holder | (permit_changes(permit, application.permit) if permit else frozenset())
        if application.photo is not None:
            try:
                jpeg = self.photo(application.photo)
            except InputError as error:
                return found.wrong(error)
            if jpeg != load_photo(self.db, self.vault, on_file.person):
                holder |= {"photo"}
        kind = application.kind or kind_of(permit, application.permit, holder)
        if kind is None:
            return found
        changed |= holder
        found = replace(found, status=Status.CHANGED, kind=kind, changed=tuple(sorted(map(_column, changed))))
        if changed and not TRANSITIONS[kind].brings:
            return found.wrong(
                InputError(
                    "此类申请不改变许可和个人信息；请先办理变更",
                    "this kind of application changes neither permit nor person: apply for a change first",
                )
            )
        return self._by_the_rules(found, application, kind, permit, holder)

    def _since(self, digest: bytes, on_file: OnFile) -> Iterator[Text]:
        if digest != on_file.digests[-1]:
            yield Text(
                "此后另有申请改变了此人的情况，未作改动",
                "a later application has changed this person since: nothing was done",
            )
        elif on_file.order_state is OrderState.CANCELLED:
            yield Text("其订单已取消", "its order was cancelled")

    def _by_the_rules(
        self, found: Finding, application: Application, kind: Kind, before: WorkPermit | None, holder: Set[str]
    ) -> Finding:
        """What the rules of a permit's life say."""
        after = application.permit if TRANSITIONS[kind].brings else None
        born = application.holder.birth_date
        findings = permit_life.check(kind, before, after, holder=holder, born=born, applied_on=self.today)
        try:
            findings.require()
        except InputError as error:
            return found.wrong(error)
        return replace(found, notes=findings.notes)


def as_kept(before: Holder, after: Holder) -> Holder:
    """How a holder is to be: a social security number that was issued once stays unless another one is given."""
    if after.issued_social_security_number or not before.issued_social_security_number:
        return after
    return replace(after, issued_social_security_number=before.issued_social_security_number)


_COLUMNS = {
    "number": "permit_number",
    "employer": "employer_code",
    "issued_social_security_number": "social_security_number",
}


def _column(name: str) -> str:
    """The key of the column that a field of the model comes from."""
    return _COLUMNS.get(name, name)
