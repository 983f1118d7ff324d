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
from juying.codec.qr import Medium
from juying.credential.issue import from_text, to_text
from juying.credential.picture import save_picture
from juying.credential.verify import verify
from juying.errors import CardError, DecodeError, InputError, ReaderUnavailable, ServiceUnavailable
from juying.files import write_atomically
from juying.issuance.blanks import Blanks
from juying.issuance.card_numbers import PREFIX, CardNumbers
from juying.issuance.intake import Application, Row
from juying.issuance.office import Credentials, Office, issue_card, sign_permit
from juying.issuance.report import Outcome, RowResult
from juying.text import Text

FULL, MINIMAL = "credential", "minimal"

Progress = Callable[[int, int], None]


def issue_rows(
    office: Office,
    rows: Sequence[Row],
    out: Path,
    blanks: Blanks,
    *,
    prefix: str = PREFIX,
    progress: Progress | None = None,
    failed: Callable[[CardError], None] | None = None,
) -> Iterator[RowResult]:
    """Issue each row in turn and yield what became of it.

    ``prefix`` begins the card numbers given to rows without one; ``progress`` hears of the writes to each card, and
    ``failed`` of a card that failed when another may be tried for the same row.

    A wrong row, a refused or a failing card ends that row only. Raises `InputError` when ``out`` cannot be written,
    and `TransportError` when the reader or its service is gone.
    """
    earlier = _issued_before(out, office)
    asked = (row.application.card_number for row in rows if row.application and row.application.card_number)
    numbers = CardNumbers([*(folder.name for folder in _folders(out)), *asked], prefix)
    for row in rows:
        application = row.application
        if application is None:
            yield RowResult(row.number, Outcome.INVALID, error="; ".join(str(error) for error in row.errors))
            continue
        number = application.card_number or earlier.get(application.permit.number) or numbers.allot()
        try:
            outcome, notes = _issue_into(office, application, out / number, blanks, progress, failed)
        except (ServiceUnavailable, ReaderUnavailable):
            raise
        except InputError as error:
            yield RowResult(row.number, Outcome.INVALID, number, str(error))
        except CardError as error:
            yield RowResult(row.number, Outcome.FAILED, number, str(error))
        else:
            yield RowResult(row.number, outcome, number, notes=notes)


def _issue_into(
    office: Office,
    application: Application,
    folder: Path,
    blanks: Blanks,
    progress: Progress | None,
    failed: Callable[[CardError], None] | None,
) -> tuple[Outcome, tuple[Text, ...]]:
    previous = _previous(folder)
    credentials = sign_permit(office, application, previous)
    # The signed texts are on the disk before a card is touched: they tell the next run which card number this
    # permit has, and keep the record on a half-written card the same.
    make_folder(folder)
    for name, record in ((MINIMAL, credentials.minimal), (FULL, credentials.full)):
        write_atomically(folder / f"{name}.txt", to_text(record).encode("ascii") + b"\n")
    for attempt in range(blanks.attempts, 0, -1):
        try:
            with blanks.card(folder) as transport:
                card = SscCard.open(transport)
                plan = issue_card(office, application, folder.name, credentials, card, progress=progress)
            break
        except (ServiceUnavailable, ReaderUnavailable):
            raise
        except CardError as error:
            if attempt == 1:
                raise
            if failed is not None:
                failed(error)
    for picture, record, medium in (
        (MINIMAL, credentials.minimal, Medium.SCREEN),
        (FULL, credentials.full, Medium.SCREEN),
        (f"{FULL}-paper", credentials.full, Medium.PAPER),
    ):
        path = folder / f"{picture}.png"
        if credentials != previous or not path.exists():
            verified = verify(record, office.trust, now=office.clock())
            save_picture(to_text(record), verified, path, medium=medium)
    notes = (*application.holder.notes, *application.permit.notes, *plan.notes)
    return Outcome.ISSUED if plan.writes or credentials != previous else Outcome.UNCHANGED, notes


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
        return from_text(path.read_text("ascii").strip())
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
