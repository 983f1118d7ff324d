"""Issue a whole sheet of applications into a folder.

Below the folder each card number has a folder of its own with

=========================  ==========================================================================
``card.vcard``             the card, when it is a virtual one
``credential.txt``         the full credential as text (``JY1:…``)
``credential.png``         its QR picture for screens (level L)
``credential-paper.png``   its QR picture for paper (level M)
``minimal.txt``            the minimal credential, for gates and shops
``minimal.png``            its QR picture for screens
=========================  ==========================================================================

and ``report.csv`` says what became of each row. Running the same command again keeps what is right and finishes
what is not.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from juying.card.ssc import SscCard
from juying.card.status import tries_left
from juying.card.writer import Plan
from juying.codec.qr import Medium
from juying.codec.rules import PIN
from juying.credential.claims import Claims
from juying.credential.issue import Credentials, from_text, to_text, unverified_claims
from juying.credential.picture import save_picture
from juying.credential.verify import verify
from juying.errors import (
    AccessRefused,
    CardError,
    DecodeError,
    InputError,
    KeyUseError,
    ReaderUnavailable,
    ServiceUnavailable,
)
from juying.files import write_atomically
from juying.issuance.blanks import Blanks
from juying.issuance.card_numbers import PREFIX, CardNumbers
from juying.issuance.intake import Application, Row
from juying.issuance.lock import locked
from juying.issuance.office import Office, confirm, issue_card, portrait, sign_permit
from juying.issuance.report import Outcome, RowResult, report_file

FULL, MINIMAL = "credential", "minimal"
REPORT = "report.csv"

Progress = Callable[[int, int], None]
Failed = Callable[[CardError], None]


def issue_rows(
    office: Office,
    rows: Sequence[Row],
    out: Path,
    blanks: Blanks,
    *,
    prefix: str = PREFIX,
    progress: Progress | None = None,
    failed: Failed | None = None,
) -> Iterator[RowResult]:
    """Issue each row in turn and yield what became of it, which then stands in the report too.

    ``prefix`` begins the card numbers given to rows without one; ``progress`` hears of the writes to each card, and
    ``failed`` of a card that failed when another may be tried for the same row.

    A wrong row, a refused or a failing card ends that row only. Raises `KeyUseError` before anything is touched when
    the key may not sign now, `InputError` when another run is at work in ``out`` or a file cannot be written there,
    and `ServiceUnavailable` or `ReaderUnavailable` when there is nothing left to write cards with; `KeyUseError` also
    when a card does not accept one of the card keys. What was done until then is kept: run it again.
    """
    office.check_key()
    make_folder(out)
    with locked(out):
        numbers = Numbers(out, rows, prefix)
        with report_file(out / REPORT) as report:
            for row in rows:
                result = _issue(office, row, numbers, out, blanks, progress, failed)
                report.add(result)
                yield result


class Numbers:
    """Which card number each application has: the one it asks for, the one of an earlier run, or a new one."""

    def __init__(self, out: Path, rows: Sequence[Row], prefix: str) -> None:
        """Look through the folders of earlier runs below ``out``. Raises `InputError` for a wrong ``prefix``."""
        self._claims: dict[str, Claims] = {}
        self._by_permit: dict[str, str] = {}
        with _file_errors(out):
            folders = sorted(filter(_in_use, out.iterdir())) if out.is_dir() else []
        for folder in folders:
            claims = _claims(folder)
            if claims is not None:
                self._claims[folder.name] = claims
                self._by_permit[claims.permit_number] = folder.name
        asked = (row.application.card_number for row in rows if row.application and row.application.card_number)
        self._new = CardNumbers([*(folder.name for folder in folders), *asked], prefix)

    def of(self, application: Application) -> str:
        """The card number, 9 characters.

        Raises `InputError` when the applicant asks for another number than the one of an earlier run, or for the one
        of another applicant.
        """
        asked, earlier = application.card_number, self._by_permit.get(application.permit.number)
        if earlier is not None and asked not in (None, earlier):
            raise InputError(
                f"该许可证已发过卡号为 {earlier} 的卡，不再另发",
                f"this permit has the card with number {earlier} already: no second one is issued",
            )
        if asked is not None and earlier is None and asked in self._claims:
            self._check_same_person(application, self._claims[asked])
        return asked or earlier or self._new.allot()

    @staticmethod
    def _check_same_person(application: Application, claims: Claims) -> None:
        """A card may get a new permit, but not a new holder."""
        holder = application.holder
        if (holder.name, holder.nationality, holder.birth_date) != (claims.name, claims.nationality, claims.birth_date):
            raise InputError(
                "此卡号已发给另一位申请人",
                "this card number was issued to another applicant",
                where=application.card_number or "",
            )


def _issue(
    office: Office,
    row: Row,
    numbers: Numbers,
    out: Path,
    blanks: Blanks,
    progress: Progress | None,
    failed: Failed | None,
) -> RowResult:
    application = row.application
    if application is None:
        return RowResult(row.number, Outcome.INVALID, error="; ".join(str(error) for error in row.errors))
    try:
        number = numbers.of(application)
        previous = _credentials(out / number)
        photo = portrait(application)
        credentials = sign_permit(office, application, previous)
    except InputError as error:
        return RowResult(row.number, Outcome.INVALID, application.card_number or "", str(error))
    folder = out / number
    # The signed texts are on the disk before a card is touched: they tell the next run which card number this
    # permit has, and keep the record on a half-written card the same.
    _keep(folder, credentials, changed=credentials != previous)
    confirm(office, credentials)
    try:
        plan = _write(office, application, credentials, photo, folder, blanks, progress, failed)
    except (ServiceUnavailable, ReaderUnavailable):
        raise
    except CardError as error:
        _stop_at_wrong_keys(error)
        return RowResult(row.number, Outcome.FAILED, number, str(error))
    except InputError as error:
        return RowResult(row.number, Outcome.INVALID, number, str(error))
    drawn = _draw(office, credentials, folder)
    outcome = Outcome.ISSUED if plan.writes or drawn or credentials != previous else Outcome.UNCHANGED
    notes = (*application.holder.notes, *application.permit.notes, *plan.notes)
    return RowResult(row.number, outcome, number, notes=notes)


def _stop_at_wrong_keys(error: CardError) -> None:
    """Raise `KeyUseError` when a card did not accept one of our keys: it would cost every further card a try."""
    if isinstance(error, AccessRefused) and tries_left(error.sw) is not None and error.missing != (PIN,):
        raise KeyUseError(
            f"{error.text.zh}；为免锁卡，已停止签发：请核对密钥库",
            f"{error.text.en}; issuing has stopped so that no card gets locked: check the key store",
            where=error.where,
        ) from error


def _keep(folder: Path, credentials: Credentials, *, changed: bool) -> None:
    """Put the texts into the folder, and take out what no longer belongs to them."""
    make_folder(folder)
    drafts = list(folder.glob(".*"))  # of a run that was killed
    outdated = [folder / name for name in _PICTURES] if changed else []
    with _file_errors(folder):
        for path in (*drafts, *outdated):
            path.unlink(missing_ok=True)
    if changed:
        # The full one first, because it names the permit.
        for name, record in ((FULL, credentials.full), (MINIMAL, credentials.minimal)):
            write_atomically(folder / f"{name}.txt", to_text(record).encode("ascii") + b"\n", private=True)


def _write(
    office: Office,
    application: Application,
    credentials: Credentials,
    photo: bytes | None,
    folder: Path,
    blanks: Blanks,
    progress: Progress | None,
    failed: Failed | None,
) -> Plan:
    """Write the card, or another one if it fails, as often as the supply of cards has it."""
    for _ in range(blanks.attempts - 1):
        try:
            return _write_once(office, application, credentials, photo, folder, blanks, progress)
        except (ServiceUnavailable, ReaderUnavailable, AccessRefused):  # with another card it would be the same
            raise
        except CardError as error:
            if failed is not None:
                failed(error)
    return _write_once(office, application, credentials, photo, folder, blanks, progress)


def _write_once(
    office: Office,
    application: Application,
    credentials: Credentials,
    photo: bytes | None,
    folder: Path,
    blanks: Blanks,
    progress: Progress | None,
) -> Plan:
    with blanks.card(folder) as transport:
        card = SscCard.open(transport, access=blanks.access)
        return issue_card(office, application, folder.name, credentials, card, photo=photo, progress=progress)


_PICTURES = {
    f"{MINIMAL}.png": (MINIMAL, Medium.SCREEN),
    f"{FULL}.png": (FULL, Medium.SCREEN),
    f"{FULL}-paper.png": (FULL, Medium.PAPER),
}


def _draw(office: Office, credentials: Credentials, folder: Path) -> bool:
    """Draw the pictures that are missing; whether there were any."""
    records = {FULL: credentials.full, MINIMAL: credentials.minimal}
    missing = [name for name in _PICTURES if not (folder / name).exists()]
    for name in missing:
        tier, medium = _PICTURES[name]
        verified = verify(records[tier], office.trust, now=office.clock())
        save_picture(to_text(records[tier]), verified, folder / name, medium=medium)
    return bool(missing)


def make_folder(folder: Path) -> None:
    """Make a folder, for its owner only, and those above it. Raises `InputError`."""
    with _file_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def _file_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"目录不能使用（{error.strerror}），请检查权限和磁盘",
            f"the folder cannot be used ({error.strerror}); check permissions and disk",
            where=str(folder),
        ) from None


def _credentials(folder: Path) -> Credentials | None:
    full, minimal = (_record(folder / f"{name}.txt") for name in (FULL, MINIMAL))
    return Credentials(full, minimal) if full and minimal else None


def _record(path: Path) -> bytes | None:
    try:
        return from_text(path.read_text("ascii").strip("\r\n"))
    except (OSError, UnicodeDecodeError, DecodeError):
        return None


def _claims(folder: Path) -> Claims | None:
    """What the credential in a folder says. It is not verified: it counts also after its key has been replaced."""
    record = _record(folder / f"{FULL}.txt")
    try:
        return unverified_claims(record) if record else None
    except DecodeError:
        return None


def _in_use(folder: Path) -> bool:
    """Whether a card number was given to anybody: a run that was killed early leaves an empty folder."""
    return folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir())
