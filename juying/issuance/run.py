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
from pathlib import Path

from juying.card.ssc import SscCard
from juying.codec import cose
from juying.codec.qr import Medium
from juying.credential.claims import Claims
from juying.credential.issue import MAX_BYTES, from_text, to_text
from juying.credential.picture import save_picture
from juying.credential.verify import verify
from juying.errors import CardError, DecodeError, InputError, ReaderUnavailable, ServiceUnavailable
from juying.files import write_atomically
from juying.issuance.blanks import Blanks
from juying.issuance.card_numbers import PREFIX, CardNumbers
from juying.issuance.intake import Application, Row
from juying.issuance.lock import locked
from juying.issuance.office import Credentials, Office, check_card, issue_card, sign_permit
from juying.issuance.report import Outcome, RowResult, report_file
from juying.text import Text

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
    and `ServiceUnavailable` or `ReaderUnavailable` when there is nothing left to write cards with. What was done
    until then is kept: run it again.
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
        taken = []
        for folder in sorted(out.iterdir()) if out.is_dir() else ():
            if not folder.is_dir() or not _in_use(folder):
                continue
            taken.append(folder.name)
            claims = _claims(folder)
            if claims is not None:
                self._claims[folder.name] = claims
                self._by_permit[claims.permit_number] = folder.name
        asked = (row.application.card_number for row in rows if row.application and row.application.card_number)
        self._new = CardNumbers([*taken, *asked], prefix)

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
                "此卡号已发给另一位申请人", "this card number was issued to another applicant", where=application.card_number or ""
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
        credentials = sign_permit(office, application, previous)
    except InputError as error:
        return RowResult(row.number, Outcome.INVALID, application.card_number or "", str(error))
    folder = out / number
    make_folder(folder)
    _remove_drafts(folder)
    try:
        changed, notes = _write(office, application, credentials, folder, blanks, progress, failed)
    except (ServiceUnavailable, ReaderUnavailable):
        raise
    except CardError as error:
        return RowResult(row.number, Outcome.FAILED, number, str(error))
    except InputError as error:
        return RowResult(row.number, Outcome.INVALID, number, str(error))
    for picture, record, medium in (
        (MINIMAL, credentials.minimal, Medium.SCREEN),
        (FULL, credentials.full, Medium.SCREEN),
        (f"{FULL}-paper", credentials.full, Medium.PAPER),
    ):
        path = folder / f"{picture}.png"
        if credentials != previous or not path.exists():
            verified = verify(record, office.trust, now=office.clock())
            save_picture(to_text(record), verified, path, medium=medium)
    outcome = Outcome.ISSUED if changed or credentials != previous else Outcome.UNCHANGED
    return RowResult(row.number, outcome, number, notes=notes)


def make_folder(folder: Path) -> None:
    """Make a folder, for its owner only, and those above it. Raises `InputError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"不能创建目录（{error.strerror}）", f"the folder cannot be made ({error.strerror})", where=str(folder)
        ) from None


def _previous(folder: Path) -> Credentials | None:
    full, minimal = (_record(folder / f"{name}.txt") for name in (FULL, MINIMAL))
    return Credentials(full, minimal) if full and minimal else None


def _record(path: Path) -> bytes | None:
    try:
        return from_text(path.read_text("ascii").rstrip("\r\n"))
    except (OSError, UnicodeDecodeError, DecodeError):
        return None


def _folders(out: Path) -> list[Path]:
    return sorted(entry for entry in out.iterdir() if entry.is_dir()) if out.is_dir() else []


def _issued_before(out: Path, office: Office) -> dict[str, str]:
    """Card numbers of an earlier run, by permit number."""
    numbers = {}
    for folder in _folders(out):
        record = _record(folder / f"{FULL}.txt")
        claims = verify(record, office.trust, now=office.clock()).claims if record else None
        if claims is not None:
            numbers[claims.permit_number] = folder.name
    return numbers
